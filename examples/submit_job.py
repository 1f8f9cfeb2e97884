"""Sends one picture to a running worker and prints its result: the whole wire contract in one page.

    python examples/submit_job.py IMAGE_URL OCR.json [--redis redis://localhost:6379/0]

The worker must be able to fetch IMAGE_URL. It needs nothing but redis-py. Results of other
jobs stay in the list; where another consumer pops from it, that one may come first.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import redis


def submit(client: redis.Redis, image_url: str, ocr_file: Path, queue: str) -> str:
    """Push a job; returns its request id."""
    request_id = uuid.uuid4().hex
    job = {
        "request_id": request_id,
        "image_id": ocr_file.name.removesuffix(".ocr.json"),
        "image_url": image_url,
        "ocr_result": json.loads(ocr_file.read_text(encoding="utf-8")),
        "target_language": "ko",
    }
    client.rpush(queue, json.dumps(job, ensure_ascii=False))
    return request_id


def take(client: redis.Redis, request_id: str, queue: str) -> dict[str, Any] | None:
    """Take one job's result out of the list; None while it is not there.

    Whoever handles every result pops instead: `BLPOP hosting_tasks 0`.
    """
    for payload in map(str, client.lrange(queue, 0, -1)):
        if request_id in payload:
            client.lrem(queue, 1, payload)
            result: dict[str, Any] = json.loads(payload)
            return result
    return None


def main() -> None:
    """Push one job, wait for one result."""
    parser = argparse.ArgumentParser(description="Send one picture to a running worker.")
    parser.add_argument("image_url")
    parser.add_argument("ocr_file", type=Path)
    parser.add_argument("--redis", default="redis://localhost:6379/0")
    parser.add_argument("--timeout", type=int, default=300, help="seconds to wait for the result [300]")
    options = parser.parse_args()

    client = redis.Redis.from_url(options.redis, decode_responses=True)
    request_id = submit(client, options.image_url, options.ocr_file, "processor_tasks")
    give_up = time.monotonic() + options.timeout
    while (result := take(client, request_id, "hosting_tasks")) is None:
        if time.monotonic() > give_up:
            sys.exit(f"no result within {options.timeout} s")
        time.sleep(0.5)
    print(json.dumps(result, ensure_ascii=False, indent=2))
    sys.exit(0 if result["status"] != "failed" else 1)


if __name__ == "__main__":
    main()
