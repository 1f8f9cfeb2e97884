"""What waits in Redis, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: Marks kept: one for each sample until the queue has moved past it. Beyond this every other one is dropped.
_MOST_MARKS = 256


@dataclass(frozen=True, slots=True)
class Backlog:
    """One look at the queue, and at what holds it."""

    waiting: int
    delayed: int
    claimed: int
    dead: int
    #: Jobs that were ever taken off the queue.
    taken: int
    #: Bytes that Redis uses, and may use; 0: as many as the machine has.
    memory: int
    memory_limit: int


class BacklogSource(Protocol):
    """Whoever can count the queue."""

    async def sample(self) -> Backlog:
        """Count; raises `QueueUnavailable`."""


class HeadAge:
    """How long the head of a first-in-first-out list has waited, from samples of its length.

    Producers push plain messages without a time. But whoever stood last when we looked has waited since
    then, until as many jobs have been taken as were in front of it.
    """

    def __init__(self) -> None:
        #: (when, how many must have been taken before the job that stood last then is gone), ascending.
        self._marks: list[tuple[float, int]] = []
        self._taken = 0

    def update(self, now: float, waiting: int, taken: int) -> float:
        """Take one more sample; returns seconds: a lower bound, 0 for an empty queue.

        Args:
            now: Seconds on a monotonic clock.
            waiting: Length of the list.
            taken: Jobs ever taken off it; where it falls, Redis has lost its memory, and so do we.
        """
        total = taken + waiting
        marks = [] if taken < self._taken else self._marks
        # Jobs that somebody deleted leave the list without having been taken.
        marks = [(when, min(gone, total)) for when, gone in marks if min(gone, total) > taken]
        if waiting and (not marks or marks[-1][1] < total):
            marks.append((now, total))
        self._marks = marks[::2] if len(marks) > _MOST_MARKS else marks
        self._taken = taken
        return now - marks[0][0] if marks else 0.0
