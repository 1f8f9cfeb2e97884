"""Stops fetching while something that every job needs is down: pure, with the time injected.

One circuit for each dependency. Closed: jobs flow. Open, after several failures in a row or one refused key:
no job is fetched for a while. Half-open, after that: the dependency is asked, then one job is tried; it
closes the circuit or opens it for twice as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_MOST_DOUBLINGS = 16


class CircuitState(StrEnum):
    """Where a circuit stands."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """How soon it opens and for how long; times in seconds."""

    #: Failures in a row.
    threshold: int = 3
    base_seconds: float = 1.0
    cap_seconds: float = 30.0
    #: A refused key needs a human; asking more often only fills the vendor's logs.
    refused_seconds: float = 60.0
    #: What a dependency may ask for: some name the day on which a quota ends, and nobody wants to learn then
    #: that the limit was raised today.
    longest_seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a dependency is of no use just now."""

    #: Free of secrets.
    message: str
    #: It refused a key: only a person can help.
    refused: bool = False


@dataclass(slots=True)
class _Circuit:
    problem: Problem = Problem("")
    failures: int = 0
    openings: int = 0
    opened_until: float | None = None
    #: After the pause one job must come through before others follow.
    probed: bool = True
    #: Its dependency was asked and answered since the pause ended.
    answered: bool = False


class Breaker:
    """The circuits of one worker.

    Args:
        now: Seconds on a monotonic clock.
    """

    def __init__(
        self, options: BreakerOptions | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options or BreakerOptions()
        self._now = now
        self._circuits: dict[str, _Circuit] = {}

    def failed(
        self, dependency: str, message: str, *, refused: bool = False, busy: bool = False, wait: float = 0.0
    ) -> float | None:
        """A job, or a probe, failed on a dependency.

        Args:
            dependency: Its name.
            message: Why; public.
            refused: A key was refused: no need to see it several times.
            busy: It works, but not so fast: after the pause all jobs flow again.
            wait: Seconds the dependency asked for.

        Returns:
            How many seconds the pause lasts that begins now; None if none does.
        """
        circuit = self._circuits.setdefault(dependency, _Circuit())
        state = self._state(circuit)
        circuit.problem = Problem(message, refused)
        if state is CircuitState.OPEN:
            return None
        circuit.failures += 1
        if state is CircuitState.CLOSED and not refused and circuit.failures < self._options.threshold:
            return None
        doublings = 0 if busy else min(circuit.openings, _MOST_DOUBLINGS)
        pause = min(self._options.base_seconds * 2.0**doublings, self._options.cap_seconds)
        asked = min(wait, self._options.longest_seconds)
        pause = max(pause, asked, self._options.refused_seconds if refused else 0.0)
        circuit.failures = 0
        circuit.openings += 1
        circuit.opened_until = self._now() + pause
        circuit.probed, circuit.answered = not busy, False
        return pause

    def answered(self, dependency: str) -> None:
        """A dependency whose pause is over was asked, and answered; a job may try it."""
        self._circuits[dependency].answered = True

    def succeeded(self) -> tuple[str, ...]:
        """A job came through whole; returns the dependencies that are back by that.

        A job that ends while a circuit is open had its answers before, and proves nothing.
        """
        proven = [name for name, state in self.states.items() if state is not CircuitState.OPEN]
        circuits = {name: self._circuits.pop(name) for name in proven}
        return tuple(name for name, circuit in circuits.items() if circuit.openings)

    def pause(self) -> float:
        """Seconds for which nothing may be fetched."""
        now = self._now()
        until = [circuit.opened_until for circuit in self._circuits.values()]
        return max((end - now for end in until if end is not None and end > now), default=0.0)

    def half_open(self) -> tuple[str, ...]:
        """Dependencies that one job at a time may try."""
        return tuple(name for name, state in self.states.items() if state is CircuitState.HALF_OPEN)

    def to_ask(self) -> tuple[str, ...]:
        """Half-open dependencies that were not asked yet."""
        return tuple(name for name in self.half_open() if not self._circuits[name].answered)

    @property
    def states(self) -> Mapping[str, CircuitState]:
        """Every dependency that failed lately."""
        return {name: self._state(circuit) for name, circuit in self._circuits.items()}

    @property
    def problems(self) -> Mapping[str, Problem]:
        """Why nothing, or little, is fetched, by dependency. Empty when all is well."""
        return {
            name: circuit.problem
            for name, circuit in self._circuits.items()
            if self._state(circuit) is not CircuitState.CLOSED
        }

    def _state(self, circuit: _Circuit) -> CircuitState:
        if circuit.opened_until is None:
            return CircuitState.CLOSED
        if self._now() < circuit.opened_until:
            return CircuitState.OPEN
        return CircuitState.HALF_OPEN if circuit.probed else CircuitState.CLOSED
