"""A plain producer: builds a job's message and pushes it, as the backend does."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.errors import QueueUnavailable
from worker.settings import QueueSettings, read_group


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


async def push(message: dict[str, Any]) -> int:
    """RPUSH one job; returns how many wait.

    Raises:
        SettingsError, QueueUnavailable.
    """
    settings = read_group(QueueSettings)
    redis = Redis.from_url(settings.redis_url.unicode_string())
    try:
        return int(await redis.rpush(settings.processor_queue, json.dumps(message)))
    except (RedisError, OSError) as error:
        raise QueueUnavailable(f"Redis: {type(error).__name__}") from None
    finally:
        await redis.aclose()
