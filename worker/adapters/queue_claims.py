"""What the queue's scripts say about the jobs that they hand out."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from worker.job import FREE, Usage
from worker.ports import Claim

#: A payload that took so many workers down before they had read it is not read any more.
_MOST_UNREAD = 3


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim that Redis may not know the job of yet."""

    payload: bytes
    #: How often a worker died between taking it and telling its job.
    unread: int

    @property
    def readable(self) -> bool:
        """Whether a worker may still look into it."""
        return self.unread < _MOST_UNREAD

    def job(self, job_key: Callable[[bytes], str]) -> str:
        """Its job; one that cannot be read is known by its bytes."""
        return job_key(self.payload) if self.readable else hashlib.sha256(self.payload).hexdigest()


def read_taken(reply: Sequence[bytes]) -> Iterator[tuple[str, Taken]]:
    """Claim ids and claims from claim.lua's reply."""
    for name, payload, unread in zip(reply[::3], reply[1::3], reply[2::3], strict=True):
        yield name.decode(), Taken(payload, int(unread))


def read_claim(name: str, taken: Taken, facts: Sequence[bytes]) -> Claim:
    """A claim from what identify.lua knows: age, record, then the job's meta hash.

    The mark behind the record of a failure (see finish.lua) is not part of the compressed stream.
    """
    age, record, *pairs = facts
    meta = {field.decode(): value for field, value in zip(pairs[::2], pairs[1::2], strict=True)}
    return Claim(
        id=name,
        payload=taken.payload,
        readable=taken.readable,
        deliveries=int(meta["deliveries"]),
        crashes=int(meta.get("crashes", 0)),
        age=float(age),
        spent=_read_spent(meta.get("spent")),
        recorded=zlib.decompress(record) if record else None,
        failures={
            field.removeprefix("failed:"): int(count)
            for field, count in meta.items()
            if field.startswith("failed:")
        },
    )


def dump_spent(usage: Usage) -> str:
    """Usage as it lies in a job's meta hash; '' for none."""
    if usage == FREE:
        return ""
    return json.dumps([usage.input_tokens, usage.output_tokens, usage.cost_usd])


def _read_spent(written: bytes | None) -> Usage:
    return Usage(*json.loads(written)) if written else FREE
