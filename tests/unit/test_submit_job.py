"""The smallest producer: it waits for its own result, and leaves everybody else's where they are."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis

from examples import submit_job

EXAMPLES = Path(submit_job.__file__).parent


def submit(redis_url: str, timeout: int) -> subprocess.CompletedProcess[str]:
    """Run the example as the README there says."""
    job = ["https://shop.example/a.jpg", str(EXAMPLES / "promotion.ocr.json")]
    return subprocess.run(
        [sys.executable, submit_job.__file__, *job, "--redis", redis_url, "--timeout", str(timeout)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1)])
def test_results_of_others_stay_where_they_are(redis_url: str, status: str, code: int) -> None:
    others = [
        b'{"request_id": "shop-1", "status": "completed"}',
        b"no JSON",
        b'["none"]',
        b'{"status": "failed"}',
    ]
    with redis.Redis.from_url(redis_url) as client:
        client.rpush("hosting_tasks", *others[:2])

        def answer() -> None:
            """As the worker does, amid results of others."""
            popped = client.blpop(["processor_tasks"], timeout=30)
            assert popped is not None
            job = json.loads(popped[1])
            result = {"request_id": job["request_id"], "status": status, "note": "번역"}
            client.rpush("hosting_tasks", others[2], json.dumps(result), others[3])

        worker = threading.Thread(target=answer)
        worker.start()
        done = submit(redis_url, timeout=30)
        worker.join()
        assert done.returncode == code, done.stderr
        printed = json.loads(done.stdout)
        assert (printed["status"], printed["note"]) == (status, "번역")
        assert client.lrange("hosting_tasks", 0, -1) == others


def test_no_result_is_said_so(redis_url: str) -> None:
    done = submit(redis_url, timeout=1)
    assert (done.returncode, done.stderr.strip()) == (1, "no result within 1 s")
