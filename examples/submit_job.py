"""Sends one picture to a running worker and prints its result: the whole wire contract in one page.

    python examples/submit_job.py IMAGE_URL OCR.json [--redis redis://localhost:6379/0]

The worker must be able to fetch IMAGE_URL. It needs nothing but redis-py.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from pathlib import Path

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


def main() -> None:
    """Push one job, wait for one result."""
    parser = argparse.ArgumentParser(description="Send one picture to a running worker.")
    parser.add_argument("image_url")
    parser.add_argument("ocr_file", type=Path)
    parser.add_argument("--redis", default="redis://localhost:6379/0")
    parser.add_argument("--timeout", type=int, default=300, help="seconds to wait for the result [300]")
    options = parser.parse_args()

    # A blocking pop must outwait its own timeout, not the socket's default of 5 s.
    client = redis.Redis.from_url(options.redis, decode_responses=True, socket_timeout=options.timeout + 5)
    request_id = submit(client, options.image_url, options.ocr_file, "processor_tasks")
    # The list may hold results of others; a real consumer handles whatever it pops.
    while popped := client.blpop(["hosting_tasks"], timeout=options.timeout):
        result = json.loads(popped[1])
        print(json.dumps(result, ensure_ascii=False, indent=2))
        if result["request_id"] == request_id:
            sys.exit(0 if result["status"] != "failed" else 1)
    sys.exit(f"no result within {options.timeout} s")


if __name__ == "__main__":
    main()
