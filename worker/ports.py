"""What the worker asks of the outside, as small protocols. Adapters implement them; bootstrap wires them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from worker.job import FREE, Image, Mask, Patch, Usage


@dataclass(frozen=True, slots=True)
class Claim:
    """One submission, held by this worker until it is acked, retried, buried or released."""

    #: Fencing token: whoever lost it can no longer answer for the job.
    id: str
    payload: bytes
    #: How often the job was handed out, this time included.
    deliveries: int
    #: How often its worker died or fell silent with the job in hand.
    crashes: int
    #: Seconds since the job was first seen.
    age: float
    #: The result of an earlier submission of the same job, if there is one.
    recorded: bytes | None = None
    #: How often the job was given back, by the error's code.
    failures: Mapping[str, int] = field(default_factory=dict)
    #: False: workers died while they read the payload; nobody is to look into it any more.
    readable: bool = True
    #: What the translator charged in runs that gave the job back.
    spent: Usage = FREE


class JobQueue(Protocol):
    """The job list with its leases. Every method raises `QueueUnavailable` when Redis does not answer."""

    async def check(self) -> str:
        """One line about the server; raises `SettingsError` where it cannot be worked with.

        It says that the worker is alive, as `renew` does: whoever may not write may not work.
        """

    async def fetch(self, limit: int) -> Sequence[Claim]:
        """Claim up to `limit` jobs, as many as there are; waits about a second for the first."""

    async def renew(self) -> frozenset[str]:
        """Extend all leases of this worker; returns the ids of claims that were lost."""

    async def ack(self, claim: Claim, result: bytes) -> bool:
        """Hand the result on, record it and drop the claim, all at once. False: the claim was lost."""

    async def bury(self, claim: Claim, result: bytes, envelope: bytes) -> bool:
        """As `ack`, and keep `envelope` in the dead-letter list."""

    async def retry(self, claim: Claim, delay: float, code: str, spent: Usage = FREE) -> bool:
        """Give the job back because of the error `code`, to be claimed again after `delay` seconds.

        `spent` is what it has cost until now, earlier runs included.
        """

    async def begin(self, claim: Claim) -> bool:
        """Say that a job with crashes runs from now on; one that happens before is not held against it."""

    async def release(self, claim: Claim) -> bool:
        """Give the job back at once, as if it had never been claimed."""

    async def reap(self) -> int:
        """Give expired claims and dead workers' inboxes back, promote due retries; returns how many."""

    async def close(self) -> None:
        """Sign off and close the connections."""


class ImageSource(Protocol):
    """Where pictures come from."""

    async def fetch(self, url: str) -> bytes:
        """The file's bytes.

        Raises:
            BadUrl, ImageNotFound, TooLarge: The job is at fault.
            SourceUnavailable: The host does not answer.
        """


class Inpainter(Protocol):
    """A model server that fills holes in square tiles."""

    async def tile_sizes(self) -> tuple[int, ...]:
        """The served tile sizes in px, ascending, at least one."""

    async def inpaint(self, image: Image, mask: Mask) -> Image:
        """Fill the hole of one tile.

        Args:
            image: RGB uint8 (S, S, 3), S one of `tile_sizes`.
            mask: uint8 (S, S, 1), 255 = hole.

        Returns:
            RGB uint8 (S, S, 3), equal to `image` outside the hole.

        Raises:
            InpainterUnavailable: Refused, stopping, or no answer in time.
            ModelError: The answer is not a tile.
        """


class ReplyKind(StrEnum):
    """How a translator's call ended."""

    OK = "ok"
    BLOCKED = "blocked"
    RECITATION = "recitation"
    TRUNCATED = "truncated"
    #: The translator did not take the request: too large for it, or something in it that it cannot read.
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to a translator."""

    system: str
    #: JSON text: the blocks with their ids.
    content: str
    #: JSON schema of the reply.
    schema: dict[str, Any]
    #: The picture that the text stands on, small, as JPEG.
    picture: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A translator's raw answer: not yet parsed, not yet believed."""

    kind: ReplyKind
    text: str
    usage: Usage


class Translator(Protocol):
    """Carries a prompt there and a raw reply back."""

    async def ask(self, prompt: Prompt) -> Reply:
        """One call.

        Raises:
            TranslatorUnavailable, TranslatorQuota, AuthError.
        """


class TranslationMemory(Protocol):
    """What was translated before. It only saves calls: where it fails it knows nothing, and logs why."""

    async def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        """The translations under those keys that are known; '' for a text that was refused lately."""

    async def remember(self, translations: Mapping[str, str]) -> None:
        """Keep translations by key; '' for a text that was refused, which is forgotten sooner."""


class ProductTerms(Protocol):
    """Short texts as they were translated on other pictures of one product; silent like the memory."""

    async def recall(self, product: str) -> Mapping[str, str]:
        """Source → target."""

    async def add(self, product: str, terms: Mapping[str, str]) -> None:
        """Add terms; a source that has its target already keeps it."""


class Cooldown(Protocol):
    """The pace of all workers' calls to one translator; where it cannot be reached, everything passes."""

    async def enter(self, patience: float) -> float:
        """Book the next call.

        Args:
            patience: Seconds that the caller is willing to wait.

        Returns:
            Seconds to wait before the call. More than `patience`: nothing was booked, try again after that.
        """

    async def rest(self, seconds: float) -> None:
        """Let no call of any worker start for so long."""


class ObjectStore(Protocol):
    """Where results are hosted."""

    async def put(self, key: str, payload: bytes, content_type: str) -> str:
        """Store one object under a deterministic key and return its public URL.

        Raises:
            StoreUnavailable, AuthError.
        """


class Spool(Protocol):
    """Where patches wait when memory is short."""

    async def put(self, patches: Sequence[Patch]) -> str:
        """Keep patches; returns the ticket to get them back with."""

    async def take(self, ticket: str) -> tuple[Patch, ...]:
        """Give patches back and forget them."""

    async def drop(self, ticket: str) -> None:
        """Forget patches that nobody wants any more."""


class Check(Protocol):
    """A dependency that can be asked whether it works."""

    async def check(self) -> str:
        """One line about what answered; raises a `WorkerError` that says what to fix."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """A named dependency, for `operate-worker check` and for `/readyz`."""

    name: str
    probe: Check
    #: How old an answer `/readyz` may still go by. Asking those outside costs money or quota.
    fresh_seconds: float = 5.0
