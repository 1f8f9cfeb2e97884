"""Every command that the documents give, and where it is tried.

A command that is in no table here fails `tests/unit/test_documents.py`: say which test runs it, or why
none can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = tuple(
    sorted(
        str(path.relative_to(ROOT))
        for pattern in ("*.md", "docs/*.md", "examples/*.md", "model_repository/*.md", "benchmarks/*.md")
        for path in ROOT.glob(pattern)
    )
)
#: What a command begins with, once `NAME=value` and `nice -n N` are gone.
_PROGRAMS = (
    "make|docker|kubectl|pip|python|pytest|operate-worker|cp|curl|export|redis-cli|promtool|RPUSH|BLPOP|ACL"
)
_PREFIX = re.compile(r"(?:[A-Z_]+=\S+ +|nice -n \d+ +)*")
#: What else stands in blocks: JSON, and the picture of the flow.
_SAMPLE = re.compile(r"[{\[].*|.*[│▲▼┐┘►].*|processor_tasks \(Redis list\) +hosting_tasks \(Redis list\)")

_HERE = "tests/acceptance/test_document_commands.py::"
_ALERTS = "tests/unit/test_deploy_monitoring.py::"
_EXPORT = "tests/export/test_documents.py::"
#: Run as they stand, but for hosts, ports, ids and amounts, by a test that asks for them with `documented`.
RUN: Mapping[str, str] = {
    r"cp \.env\.example \.env": _HERE + "test_the_example_file_can_be_copied_and_read",
    r"export REDIS_URL=.+": _HERE + "test_exported_variables_are_settings",
    r"operate-worker check": _HERE + "test_check_finds_everything_well",
    r"operate-worker run": _HERE + "test_a_job_goes_round",
    r"RPUSH processor_tasks .+": _HERE + "test_a_job_goes_round",
    r"BLPOP hosting_tasks 0": _HERE + "test_a_job_goes_round",
    r"curl -s localhost:9100/readyz": _HERE + "test_a_job_goes_round",
    r"python examples/submit_job\.py .+": _HERE + "test_a_job_goes_round",
    r"redis-cli MEMORY USAGE KEY": _HERE + "test_a_job_goes_round",
    r"operate-worker dead (list|show|retry|drop) --?\S.*|operate-worker dead show ID": _HERE
    + "test_dead_letters_are_looked_at_and_pushed_again",
    r"ACL SETUSER .+": _HERE + "test_the_user_that_redis_needs",
    r"operate-worker translate \S+ --ocr .+": _HERE + "test_one_picture_without_redis",
    r"operate-worker render \S+": _HERE + "test_one_picture_without_redis",
    r"operate-worker (render|dead|dead list \| show \| retry \| drop)": _HERE
    + "test_what_is_named_explains_itself",
    r"python -m examples\.draw_samples( .+)?": _HERE + "test_the_samples_are_drawn_again",
    r"make load( LOAD=.+)?": _HERE + "test_the_load_test_runs",
    r"promtool test rules .+": _ALERTS + "test_alerts_fire_when_they_must_and_only_then",
    r"make help": "tests/unit/test_makefile.py::test_help_has_one_line_for_each_target",
    r"make demo( IMAGES=.+)?": "tests/acceptance/test_cli.py::test_the_demo_ends_with_its_pictures",
    r"python -m export build --weights compact .+": _EXPORT + "test_the_shipped_models_are_built_again",
    r"python -m export verify --triton HOST:8001": _EXPORT + "test_a_running_server_is_verified",
}
#: Not run, and why; `tests/unit/test_documents.py` holds them against the parsers, files and manifests
#: that they name.
CHECKED: Mapping[str, str] = {
    r"docker (compose|build) .+": "needs a Docker engine",
    r"kubectl .+": "needs a cluster; what kubectl can do without one, it does where it is installed",
    r"pip install .+": "installs for minutes; test_the_workers_image_steps_run does, from the same extras",
    r"make test(-all|-export)?|make lint": "what runs the tests cannot run in them",
    r"make format": "changes files; `make lint` holds what it does",
    r"make (bench-\w+|load-model|chaos)( \w+=.+)?": "measures for minutes; its parts are tested",
    r"make audit": "asks a public service",
    r"python -m benchmarks\.\w+( .+)?": "measures for minutes",
    r"pytest (-s )?tests/\S+": "runs with all the others",
    r"python -m export( build --weights big-lama.*)?": "downloads 205 MB; its tests build from other weights",
    r"python -m export\.training\.\w+.*": "takes gigabytes and hours",
}


class Command(NamedTuple):
    """What a document tells its reader to type."""

    document: str
    text: str


def blocks(text: str) -> Iterator[str]:
    """Lines of indented and of fenced blocks."""
    inside, fenced, blank = False, False, True
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
            continue
        inside = fenced or (line.startswith("    ") and (inside or blank))
        blank = not line.strip()
        if inside and not blank:
            yield line.strip()


def commands() -> Iterator[Command]:
    """All of them; what a block says that is neither command nor sample too, for the tables to miss."""
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for line in blocks(text):
            if not _SAMPLE.fullmatch(line):
                # What stands apart on the right, or after a #, says what the command does.
                yield Command(document, re.split(r" {3,}| +# ", line)[0])
        for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"^    .*$", "", text, flags=re.MULTILINE)):
            line = " ".join(span.split())
            if re.match(rf"(?:{_PREFIX.pattern})(?:{_PROGRAMS}) .+", line):
                yield Command(document, line)


def bare(command: str) -> str:
    """The command without variables and niceness before it."""
    return _PREFIX.sub("", command, count=1)


def ways(command: str) -> list[str]:
    """The patterns of both tables that the command is."""
    return [pattern for pattern in (*RUN, *CHECKED) if re.fullmatch(pattern, bare(command))]


def documented(test: str) -> list[str]:
    """What the named test has to run, each once, in the documents' order."""
    patterns = [pattern for pattern, where in RUN.items() if where.endswith(f"::{test}")]
    found = [bare(text) for _, text in commands()]
    return list(
        dict.fromkeys(text for text in found if any(re.fullmatch(pattern, text) for pattern in patterns))
    )
