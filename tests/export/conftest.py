"""These tests run in the export environment (`make test-export`); without torch they are not collected."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("torch") is None or find_spec("onnx") is None:
    collect_ignore_glob = ["test_*.py"]

PROJECT = Path(__file__).resolve().parents[2]
#: The worker's environment, which knows how to start a private tritonserver.
WORKER_PYTHON = PROJECT / ".venv" / "bin" / "python"
_SERVE = """
import sys
from pathlib import Path
from worker.embedded import EmbeddedTriton
with EmbeddedTriton(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def golden() -> Path:
    return Path(__file__).with_name("golden")


@contextmanager
def _served(repository: Path) -> Iterator[str]:
    with subprocess.Popen(
        [WORKER_PYTHON, "-c", _SERVE, repository],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "tritonserver did not start"
        try:
            yield url
        finally:
            process.stdin.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Start a real tritonserver on a repository, give its gRPC address, stop it at the session's end."""
    if not WORKER_PYTHON.exists() or not (PROJECT / ".venv-triton").exists():
        pytest.skip("the worker's environments are not set up (make setup)")
    with ExitStack() as stack:
        yield lambda repository: stack.enter_context(_served(repository))
