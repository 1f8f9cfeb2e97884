"""Every way a job can go wrong, one class for each arrow of the flow.

    WorkerError
    ├── ContentError                    the job itself is at fault: dead-letter at once
    │   ├── BadMessage      bad_message       not JSON, a field missing or wrong
    │   ├── BadOcr          bad_ocr           `ocr_result` in no shape we know
    │   ├── BadUrl          bad_url           a URL we cannot or must not fetch
    │   ├── ImageNotFound   image_not_found   the host answered, with 4xx
    │   ├── BadImage        bad_image         the bytes are no picture we can read or write
    │   ├── BadLayout       bad_layout        a layout file that cannot be read or does not suit its plate
    │   └── TooLarge        too_large         more bytes or pixels than allowed
    ├── DependencyError                 something we need is down: try again later
    │   ├── SourceUnavailable      source_unavailable       the image's host: 5xx, reset, timeout
    │   ├── InpainterUnavailable   inpainter_unavailable    Triton: refused, stopping, deadline
    │   ├── TranslatorUnavailable  translator_unavailable   Gemini: 5xx, reset, timeout
    │   ├── TranslatorQuota        translator_quota         Gemini: 429
    │   ├── StoreUnavailable       store_unavailable        R2: 5xx, 429, reset
    │   ├── SpoolUnavailable       spool_unavailable        SPOOL_DIR: full, not writable
    │   └── QueueUnavailable       queue_unavailable        Redis
    ├── AuthError           auth              a key was refused: only a human can help
    ├── JobTimeout          job_timeout       the job outlived its deadline
    ├── Poisoned            poisoned          the job took the worker down too often
    ├── ModelError          model_error       the model server answered nonsense
    └── SettingsError       settings          a setting is missing or malformed (start only)

`code` and `message` are public: they go into results and logs, and never hold a secret.
"""

from __future__ import annotations


class WorkerError(Exception):
    """Base of all errors that may reach a result.

    Attributes:
        code: Stable name for machines.
        retryable: Whether the same job may succeed later without a change to it.
        dependency: What it lies with where all jobs share that, as `operate-worker check` has it; else None.
        stage: Of the job, in which it was raised; None outside of any.
    """

    code = "internal"
    retryable = False
    dependency: str | None = None
    stage: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ContentError(WorkerError):
    """The job itself is at fault; running it again gives the same error."""


class BadMessage(ContentError):
    """The payload is not a job."""

    code = "bad_message"


class BadOcr(ContentError):
    """`ocr_result` cannot be read."""

    code = "bad_ocr"


class BadUrl(ContentError):
    """`image_url` cannot or must not be fetched."""

    code = "bad_url"


class ImageNotFound(ContentError):
    """The image's host answered with a client error."""

    code = "image_not_found"


class BadImage(ContentError):
    """The bytes are no picture that can be read, or that can be written in its format."""

    code = "bad_image"


class BadLayout(ContentError):
    """The layout file cannot be read, or does not suit its plate."""

    code = "bad_layout"


class TooLarge(ContentError):
    """The picture exceeds the byte or pixel limit."""

    code = "too_large"


class DependencyError(WorkerError):
    """A system we depend on is down or refuses; the job is not at fault.

    Attributes:
        retry_after: Seconds the system asked us to wait, if it said so.
    """

    code = "dependency_unavailable"
    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceUnavailable(DependencyError):
    """The image's host does not answer."""

    code = "source_unavailable"


class InpainterUnavailable(DependencyError):
    """The model server does not answer."""

    code = "inpainter_unavailable"
    dependency = "inpainter"


class TranslatorUnavailable(DependencyError):
    """The translator does not answer."""

    code = "translator_unavailable"
    dependency = "translator"


class TranslatorQuota(DependencyError):
    """The translator asks us to slow down."""

    code = "translator_quota"
    dependency = "translator"


class StoreUnavailable(DependencyError):
    """The object store does not answer."""

    code = "store_unavailable"
    dependency = "store"


class SpoolUnavailable(DependencyError):
    """The spool cannot be written."""

    code = "spool_unavailable"
    dependency = "spool"


class QueueUnavailable(DependencyError):
    """Redis does not answer."""

    code = "queue_unavailable"


class AuthError(WorkerError):
    """A key was refused; no job can proceed until a human has changed it."""

    code = "auth"
    retryable = True

    def __init__(self, message: str, *, dependency: str | None = None) -> None:
        super().__init__(message)
        self.dependency = dependency


class JobTimeout(WorkerError):
    """The job outlived JOB_DEADLINE_SECONDS."""

    code = "job_timeout"
    retryable = True


class Poisoned(WorkerError):
    """The job was in flight each time its worker died."""

    code = "poisoned"


class ModelError(WorkerError):
    """The model server answered with something that is not an inpainted tile."""

    code = "model_error"
    retryable = True
    dependency = "inpainter"


class SettingsError(WorkerError):
    """A setting is missing or malformed."""

    code = "settings"


def leaves(error: BaseException) -> list[BaseException]:
    """What failed, out of task groups in task groups; an error that is no group is its only leaf."""
    found: list[BaseException] = []
    closed = [error]
    while closed:
        first = closed.pop(0)
        if isinstance(first, BaseExceptionGroup):
            closed.extend(first.exceptions)
        else:
            found.append(first)
    return found


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to report for a task group that failed: the first leaf, one that is final before others."""
    return min(leaves(group), key=lambda error: bool(getattr(error, "retryable", False)))
