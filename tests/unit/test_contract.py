"""The tables of job and result in docs/architecture.md against what is read and written."""

from __future__ import annotations

import json
import re
from pathlib import Path

from worker import schemas
from worker.job import BlockReport, BlockStatus, Failure, Flag, JobStatus, Result

SECTION = (
    (Path(__file__).resolve().parents[2] / "docs/architecture.md")
    .read_text(encoding="utf-8")
    .partition("## Job and result")[2]
    .partition("\n## ")[0]
)
JOB, RESULT, STATUS = (
    SECTION.split("\n\nThe result", 1)[0],
    *SECTION.split("\n\nThe result", 1)[1].split("\n\n| a block"),
)


def first_cells(table: str) -> set[str]:
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([\w]+)`", row)}


def test_every_field_of_a_job_is_documented() -> None:
    needed = {"request_id": "r", "image_id": "i", "image_url": "https://x/y", "ocr_result": []}
    extra = {
        "target_language": "ja",
        "source_language": "en",
        "glossary": {"a": "b"},
        "traceparent": "00-1-2-3",
    }
    assert first_cells(JOB) == {*needed, *extra}
    plain = schemas.parse_job(json.dumps(needed).encode(), "ko")
    assert (plain.target_language, plain.source_language, plain.lines) == ("ko", "zh", ())
    told = schemas.parse_job(json.dumps({**needed, **extra}).encode(), "ko")
    assert {name: getattr(told, name) for name in extra} == extra


def test_every_field_of_a_result_is_documented() -> None:
    failure = Failure("bad_ocr", "ocr_result: is missing")
    written = json.loads(schemas.dump_result(Result(JobStatus.FAILED, "r", "i", "ko", failure=failure)))
    assert first_cells(RESULT) == set(written)
    assert set(written["error"]) == {"code", "message"}
    for status in JobStatus:
        assert f"`{status}`" in RESULT


def test_every_status_and_flag_of_a_block_is_documented() -> None:
    assert first_cells(STATUS) == set(BlockStatus)
    for flag in Flag:
        assert f"`{flag}` (" in STATUS
    (row,) = (line for line in RESULT.splitlines() if line.startswith("| `blocks`"))
    assert set(re.findall(r"`(\w+)`", row)) == {"blocks", *BlockReport.__slots__}
