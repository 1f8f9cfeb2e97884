"""A plain producer: builds a job's message and pushes it, as the backend does."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from worker import schemas
from worker.bootstrap_queue import open_server
from worker.errors import BadOcr
from worker.settings import QueueSettings, read_group


def read_ocr(path: Path) -> Any:
    """The OCR result in a file.

    Raises:
        BadOcr: The file is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadOcr(f"{path} is not JSON: {error}") from None


def build_message(
    image_url: str, ocr_result: Any, request_id: str, image_id: str | None = None, language: str | None = None
) -> dict[str, Any]:
    """The job as the wire contract has it; `image_id` is the file's name unless given."""
    name = PurePosixPath(urlsplit(image_url).path).stem
    message = {
        "request_id": request_id,
        "image_id": image_id or name or "image",
        "image_url": image_url,
        "ocr_result": ocr_result,
    }
    return message if language is None else {**message, "target_language": language}


def check_message(message: dict[str, Any]) -> int:
    """Read a job as the worker will; returns how many lines of text it has.

    Raises:
        BadMessage, BadOcr: The worker would refuse it.
    """
    # The language that the worker has for jobs that name none plays no part here.
    return len(schemas.parse_job(json.dumps(message).encode(), "ko").lines)


async def push(message: dict[str, Any]) -> tuple[str, str, int]:
    """RPUSH one job; returns the list's name, that of the results, and how many jobs wait.

    Raises:
        SettingsError, AuthError, QueueUnavailable.
    """
    settings = read_group(QueueSettings)
    async with open_server(settings) as redis:
        push = redis.client.rpush(settings.processor_queue, json.dumps(message))
        waiting = int(await redis.call(push))
    return settings.processor_queue, settings.hosting_queue, waiting
