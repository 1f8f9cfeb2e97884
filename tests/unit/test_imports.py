"""Commands that need little start soon."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"cv2", "PIL", "google.genai", "aioboto3", "botocore", "tritonclient", "grpc", "aiohttp", "httpx2"}


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["worker.cli"], HEAVY | {"redis", "numpy", "pydantic"}),
        # What `dead` and `submit` import when they are called.
        (["worker.cli", "worker.bootstrap_queue", "worker.submit"], HEAVY | {"structlog"}),
    ],
)
def test_nothing_is_imported_that_is_not_needed(modules: list[str], absent: set[str]) -> None:
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(modules) <= set(loaded.stdout.split())
    assert not absent & set(loaded.stdout.split())
