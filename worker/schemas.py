"""The wire: job in, result out, dead letter aside. Parsed and validated here and nowhere else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from worker.errors import BadMessage
from worker.job import LANGUAGE_TAG, BlockReport, Failure, Job, JobIdentity, JobStatus, Result
from worker.ports import Claim

SCHEMA_VERSION = 1
#: A job with the longest strip's text has a few hundred kB; JSON unfolds to some twenty times its size.
MAX_JOB_BYTES = 16 << 20

#: By pydantic's name of the mistake, for producers; the only pattern is that of languages.
_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be a language tag (BCP-47), such as ko, ja or zh-Hant",
    "dict_type": "must be an object, source to target",
}

#: How a subtag of so many characters is written: scripts and regions.
_CASES: Mapping[int, Callable[[str], str]] = {4: str.capitalize, 2: str.upper}

_Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
_Language = Annotated[str, StringConstraints(pattern=LANGUAGE_TAG, max_length=35)]


class _DeadLetterError(BaseModel):
    message: str


class _DeadLetterMessage(BaseModel):
    """The envelope as `dump_dead_letter` writes it."""

    id: str
    time: float
    request_id: str | None
    image_id: str | None
    target_language: str | None
    reason: str
    error: _DeadLetterError | None
    attempts: int
    crashes: int
    failures: dict[str, int]
    payload: str


class _JobMessage(BaseModel):
    """The job as a producer pushes it; `ocr_result` is read separately, in its many shapes."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    request_id: _Id
    image_id: _Id
    image_url: Annotated[str, StringConstraints(min_length=1, max_length=8192, strip_whitespace=True)]
    ocr_result: Any = Field()
    target_language: _Language | None = None
    source_language: _Language | None = None
    glossary: dict[str, str] | None = None
    traceparent: Annotated[str, StringConstraints(max_length=256)] | None = None


def parse_job(payload: bytes, default_language: str) -> Job:
    """Read one job.

    Args:
        payload: The raw bytes from the list.
        default_language: Target language of jobs that name none.

    Raises:
        BadMessage: Not JSON, or a field is missing or wrong; the message names it.
        BadOcr: `ocr_result` is in no known shape; the message names the element.
    """
    # Brings OpenCV along, which the commands that read no job do without.
    from worker.ocr_shapes import parse_ocr

    try:
        message = _JobMessage.model_validate(_read_object(payload))
    except ValidationError as error:
        raise BadMessage(_first_error(error)) from None
    return Job(
        request_id=message.request_id,
        image_id=message.image_id,
        image_url=message.image_url,
        lines=parse_ocr(message.ocr_result),
        target_language=canonical_language(message.target_language or default_language),
        source_language=canonical_language(message.source_language or "zh"),
        glossary=message.glossary or {},
        traceparent=message.traceparent,
    )


def identify(payload: bytes, default_language: str) -> JobIdentity | None:
    """The identity of a payload, as far as it can be read; None where the ids cannot."""
    try:
        return _identity(_read_object(payload), default_language)
    except BadMessage:
        return None


def _identity(message: Mapping[str, Any], default_language: str) -> JobIdentity | None:
    request_id, image_id = (_readable_id(message.get(name)) for name in ("request_id", "image_id"))
    if request_id is None or image_id is None:
        return None
    return JobIdentity(request_id, image_id, _readable_language(message, default_language))


def _readable_language(message: Mapping[str, Any], default_language: str) -> str:
    language = message.get("target_language")
    return canonical_language(language if isinstance(language, str) and language else default_language)


def canonical_language(tag: str) -> str:
    """A language tag in the case of RFC 5646, 2.1.1, such as zh-Hant-TW; what is none, as it is."""
    if not re.fullmatch(LANGUAGE_TAG, tag):
        return tag
    language, *subtags = tag.lower().split("-")
    return "-".join([language, *(_CASES.get(len(subtag), str)(subtag) for subtag in subtags)])


def job_key(payload: bytes, default_language: str) -> str:
    """The name under which Redis keeps what it knows about a job: a hash, since ids are hostile."""
    return _key(identify(payload, default_language), payload)


def dead_job_key(letter: DeadLetter) -> str:
    """As `job_key`; the letter remembers the default language of its time."""
    ids = (letter.request_id, letter.image_id, letter.target_language)
    if ids[0] is None or ids[1] is None or ids[2] is None:
        return _key(None, letter.payload)
    return _key(JobIdentity(ids[0], ids[1], canonical_language(ids[2])), letter.payload)


def _key(identity: JobIdentity | None, payload: bytes) -> str:
    if identity is None:
        return hashlib.sha256(payload).hexdigest()
    named = json.dumps([identity.request_id, identity.image_id, identity.target_language])
    return hashlib.sha256(named.encode()).hexdigest()


def failed(payload: bytes, default_language: str, failure: Failure, attempts: int) -> Result:
    """The result of a job that failed, with whatever of its ids can be read."""
    message: Mapping[str, Any] = {}
    with suppress(BadMessage):
        message = _read_object(payload)
    url, trace = message.get("image_url"), message.get("traceparent")
    return Result(
        status=JobStatus.FAILED,
        request_id=_readable_id(message.get("request_id")),
        image_id=_readable_id(message.get("image_id")),
        target_language=_readable_language(message, default_language) if message else None,
        original_image_url=url if isinstance(url, str) else None,
        failure=failure,
        attempts=attempts,
        traceparent=trace if isinstance(trace, str) else None,
    )


def dump_result(result: Result) -> bytes:
    """The result message, UTF-8 JSON."""
    message = {
        "request_id": result.request_id,
        "image_id": result.image_id,
        "target_language": result.target_language,
        "status": result.status,
        "image_url": result.image_url,
        "original_image_url": result.original_image_url,
        "is_long": result.is_long,
        "width": result.width,
        "height": result.height,
        "blocks": [_dump_block(block) for block in result.blocks],
        "layout_url": result.layout_url,
        "plate_url": result.plate_url,
        "usage": asdict(result.usage) if result.usage else None,
        "error": asdict(result.failure) if result.failure else None,
        "timings_ms": {stage: round(spent, 1) for stage, spent in result.timings_ms.items()},
        "attempts": result.attempts,
        "traceparent": result.traceparent,
        "schema": SCHEMA_VERSION,
    }
    # Ids and URLs of a broken job may hold lone surrogates; escaping keeps any of them valid JSON.
    return json.dumps(message, separators=(",", ":")).encode()


def dump_dead_letter(claim: Claim, result: Result) -> bytes:
    """The envelope in the dead-letter list: why, and the job's raw bytes (base64, they may be anything).

    The queue adds the time, by its own clock.
    """
    envelope = {
        "id": claim.id,
        "request_id": result.request_id,
        "image_id": result.image_id,
        "target_language": result.target_language,
        "reason": result.failure.code if result.failure else None,
        "error": asdict(result.failure) if result.failure else None,
        "attempts": claim.deliveries,
        "crashes": claim.crashes,
        "failures": dict(claim.failures),
        "payload": base64.b64encode(claim.payload).decode(),
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One envelope of the dead-letter list."""

    id: str
    #: Seconds since the epoch, by Redis.
    time: float
    request_id: str | None
    image_id: str | None
    target_language: str | None
    #: Code of the error that ended it.
    reason: str
    message: str
    #: How often the job was handed out, took its worker down, and failed by each code before.
    attempts: int
    crashes: int
    failures: Mapping[str, int]
    #: The job as it was pushed.
    payload: bytes
    #: The envelope as it lies in the list.
    envelope: bytes = field(repr=False)


def parse_dead_letter(envelope: bytes) -> DeadLetter:
    """Read one envelope.

    Raises:
        BadMessage: It is none of ours.
    """
    try:
        letter = _DeadLetterMessage.model_validate_json(envelope)
        payload = base64.b64decode(letter.payload, validate=True)
    except ValueError:
        raise BadMessage("an entry of the dead-letter list is no envelope") from None
    fields = letter.model_dump(exclude={"error", "payload"})
    message = letter.error.message if letter.error else ""
    return DeadLetter(**fields, message=message, payload=payload, envelope=envelope)


def _dump_block(block: BlockReport) -> dict[str, Any]:
    return {
        "source": block.source,
        "translation": block.translation,
        "polygon": [[round(float(x), 1), round(float(y), 1)] for x, y in block.polygon],
        "status": block.status,
        "flags": list(block.flags),
    }


def _read_object(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_JOB_BYTES:
        raise BadMessage(f"the job is larger than {MAX_JOB_BYTES >> 20} MB")
    try:
        message = json.loads(payload)
    except json.JSONDecodeError as error:
        raise BadMessage(f"the job is not JSON (line {error.lineno}, column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"the job is not JSON: {type(error).__name__}") from None
    if not isinstance(message, dict):
        raise BadMessage("the job must be a JSON object")
    return message


def _readable_id(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value else None


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    sentence = _SENTENCES.get(first["type"], first["msg"])
    return f"{name}: {sentence.format(**first.get('ctx', {}))}"
