"""Which threads work on pixels, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys

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
