"""Which threads work on pixels, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.threads import usable_cores

_MULTIPLY = """
import worker
import numpy as np
import os
a = np.ones((600, 600))
a @ a
print(len(os.listdir("/proc/self/task")))
"""


def test_matrix_products_stay_in_the_thread_that_asked() -> None:
    """OpenBLAS's threads spin while they wait; the worker's parallelism is its jobs."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    run = subprocess.run(
        [sys.executable, "-c", _MULTIPLY], env=environment, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) == 1


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000 100000", 1), ("100 100000", 1), ("max 100000", None), ("nonsense", None)]
)
def test_a_containers_quota_bounds_the_threads(tmp_path: Path, quota: str, cores: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n")
    assert usable_cores(file) == (cores or len(os.sched_getaffinity(0)))


def test_without_a_quota_every_core_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none") == len(os.sched_getaffinity(0))
