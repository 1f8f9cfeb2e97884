"""What the translator charged for a job, in whichever of its tasks, whether the job came through or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from worker.job import Usage

#: A task inherits its maker's: a call that several jobs wait for is charged to the one that began it.
_charges: ContextVar[list[Usage] | None] = ContextVar("charges", default=None)


@contextmanager
def collected() -> Iterator[list[Usage]]:
    """Collect what is charged inside the block."""
    charges: list[Usage] = []
    token = _charges.set(charges)
    try:
        yield charges
    finally:
        _charges.reset(token)


def charge(usage: Usage) -> None:
    """Note what one call was charged."""
    charges = _charges.get()
    if charges is not None:
        charges.append(usage)
