"""`make help` says what there is, a line each, and `make demo` installs no more than it needs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_help_has_one_line_for_each_target() -> None:
    lines = [line for line in make("help").splitlines() if line.startswith("make ")]
    found = [re.fullmatch(r"make ([a-z-]+) +(\S.*?\S) {2,}(\d+ (?:s|min).*)", line) for line in lines]
    assert all(found), lines
    named = [match[1] for match in found if match]
    targets = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split()
    assert sorted(named) == sorted(set(targets) - {"help"})
    assert max(map(len, make("help").splitlines())) <= 110


def test_the_demo_installs_nothing_for_tests() -> None:
    recipe = MAKEFILE.partition("$(VENV)/.demo: pyproject.toml")[2].partition("\n\n")[0]
    assert re.findall(r"\.\[(.*?)\]", recipe) == ["fonts,demo,ocr"]
