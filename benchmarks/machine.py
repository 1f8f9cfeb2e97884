"""Where and of what a measurement was taken: what must stand beside its numbers."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_CPUINFO = Path("/proc/cpuinfo")


def described() -> str:
    """Cores, processor, how busy they are, and the commit; "+" after it: with changes."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores ({_processor()}), load average {load:.1f}, commit {_commit()}"


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _commit() -> str:
    """Unknown outside of a clone, as in an unpacked archive."""
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
