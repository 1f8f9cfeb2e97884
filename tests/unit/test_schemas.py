from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker import schemas
from worker.errors import BadMessage, BadOcr
from worker.job import BlockReport, BlockStatus, Failure, Flag, JobStatus, Result, Usage
from worker.ports import Claim

BOX = [[10, 20], [110, 20], [110, 50], [10, 50]]
JOB: dict[str, Any] = {
    "request_id": "r1",
    "image_id": "i1",
    "image_url": "https://shop.example/a.jpg",
    "ocr_result": [{"box": BOX, "text": "新品", "score": 0.9}],
}


def payload(**changes: Any) -> bytes:
    message = {**JOB, **changes}
    return json.dumps({name: value for name, value in message.items() if value is not ...}).encode()


def test_a_job_is_read() -> None:
    job = schemas.parse_job(payload(target_language="ja", glossary={"新": "新しい"}, unknown=1), "ko")
    assert (job.request_id, job.image_id, job.target_language, job.source_language) == (
        "r1",
        "i1",
        "ja",
        "zh",
    )
    assert job.glossary == {"新": "新しい"}
    assert [line.text for line in job.lines] == ["新品"]


def test_the_default_language_is_part_of_the_identity() -> None:
    assert schemas.job_key(payload(), "ko") == schemas.job_key(payload(target_language="ko"), "ko")
    assert schemas.job_key(payload(), "ko") != schemas.job_key(payload(), "ja")
    assert schemas.job_key(payload(image_id="i2"), "ko") != schemas.job_key(payload(), "ko")


def test_numeric_ids_are_taken_as_text() -> None:
    job = schemas.parse_job(payload(request_id=7, image_id=8), "ko")
    assert (job.request_id, job.image_id) == ("7", "8")
    identity = schemas.identify(payload(request_id=7, image_id=8), "ko")
    assert identity == job.identity


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (b"\xff\xfe", "the job is not JSON"),
        (b"{", "the job is not JSON"),
        (b"[1]", "the job must be a JSON object"),
        (b"9" * 5000, "the job is not JSON"),
        (b"[" * 100_000, "the job is not JSON"),
        (payload(request_id=...), "request_id: is missing"),
        (payload(image_id=""), "image_id: must not be empty"),
        (payload(image_url=None), "image_url: must be a string"),
        (payload(ocr_result=...), "ocr_result: is missing"),
        (payload(target_language="../x"), "target_language: must be a language tag"),
        (payload(glossary={"a": 1.5j.imag, "b": []}), "glossary.b: must be a string"),
    ],
)
def test_a_broken_job_names_its_field(broken: bytes, named: str) -> None:
    with pytest.raises(BadMessage) as caught:
        schemas.parse_job(broken, "ko")
    assert named in caught.value.message


def test_an_unreadable_ocr_result_has_its_own_code() -> None:
    with pytest.raises(BadOcr, match=r"ocr_result\[0\]\.text: is missing"):
        schemas.parse_job(payload(ocr_result=[{"box": BOX}]), "ko")


def test_a_failed_result_keeps_the_ids_that_can_be_read() -> None:
    failure = Failure("bad_ocr", "ocr_result: wrong")
    result = schemas.failed(payload(ocr_result="x"), "ko", failure, attempts=2)
    assert (result.request_id, result.image_id, result.target_language) == ("r1", "i1", "ko")
    anonymous = schemas.failed(b"nonsense", "ko", failure, attempts=1)
    assert anonymous.request_id is None
    assert schemas.job_key(b"nonsense", "ko") != schemas.job_key(b"other", "ko")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"image_id": ...}, ("r1", None, "ko")),
        ({"request_id": [], "target_language": "ja"}, (None, "i1", "ja")),
        ({"request_id": "", "target_language": 7}, (None, "i1", "ko")),
    ],
)
def test_one_id_that_cannot_be_read_does_not_cost_the_other(
    changes: dict[str, Any], named: tuple[str | None, str | None, str]
) -> None:
    raw = payload(traceparent="00-1-2-01", **changes)
    result = schemas.failed(raw, "ko", Failure("bad_message", "m"), attempts=1)
    assert (result.request_id, result.image_id, result.target_language) == named
    assert (result.original_image_url, result.traceparent) == (JOB["image_url"], "00-1-2-01")
    assert schemas.identify(raw, "ko") is None
    claim = Claim("a-1", raw, 1, 0, 0.0)
    letter = schemas.parse_dead_letter(b'{"time":1.5,' + schemas.dump_dead_letter(claim, result)[1:])
    assert schemas.dead_job_key(letter) == schemas.job_key(raw, "ko")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("KO", "ko"), ("zh-hant-tw", "zh-Hant-TW"), ("ZH-HANS", "zh-Hans"), ("ES-419", "es-419"),
        ("de-de-1996", "de-DE-1996"), ("sl-ROZAJ-1Abc", "sl-rozaj-1abc"), ("no tag", "no tag"),
    ],
)  # fmt: skip
def test_the_case_of_a_language_makes_no_other_job(written: str, meant: str) -> None:
    assert schemas.canonical_language(written) == meant
    asked = payload(target_language=written)
    assert schemas.job_key(asked, "ko") == schemas.job_key(payload(target_language=meant), "ko")
    assert schemas.failed(asked, "ko", Failure("bad_ocr", "m"), 1).target_language == meant


def test_languages_are_read_in_canonical_case() -> None:
    job = schemas.parse_job(payload(target_language="KO", source_language="ZH-hant"), "ja")
    assert (job.target_language, job.source_language) == ("ko", "zh-Hant")
    defaulted = schemas.parse_job(payload(), "KO")
    assert defaulted.target_language == "ko"
    assert schemas.identify(payload(), "KO") == defaulted.identity


def test_the_result_message_has_the_fields_of_the_contract() -> None:
    block = BlockReport(
        "新品", "신제품", np.array(BOX, np.float32), BlockStatus.TRANSLATED, flags=(Flag.SHRUNK,)
    )
    result = Result(
        JobStatus.COMPLETED,
        "r1",
        "i1",
        "ko",
        image_url="https://cdn.example/x.jpg",
        original_image_url="https://shop.example/a.jpg",
        width=10,
        height=40,
        is_long=True,
        blocks=(block,),
        usage=Usage(10, 5),
        timings_ms={"fetch": 1.25},
    )
    message = json.loads(schemas.dump_result(result))
    assert list(message) == [
        "request_id", "image_id", "target_language", "status", "image_url", "original_image_url", "is_long",
        "width", "height", "blocks", "layout_url", "plate_url", "usage", "error", "timings_ms", "attempts",
        "traceparent", "schema",
    ]  # fmt: skip
    assert message["blocks"][0] == {
        "source": "新品",
        "translation": "신제품",
        "polygon": [[float(x), float(y)] for x, y in BOX],
        "status": "translated",
        "flags": ["shrunk"],
    }
    assert message["usage"] == {"input_tokens": 10, "output_tokens": 5, "cost_usd": None}


def test_a_dead_letter_keeps_the_raw_bytes() -> None:
    raw = b"\x00\xff not json"
    claim = Claim("a-1", raw, 3, 1, 60.0, None, {"store_unavailable": 1})
    result = schemas.failed(raw, "ko", Failure("bad_message", "m"), attempts=3)
    envelope = schemas.dump_dead_letter(claim, result)
    with pytest.raises(BadMessage):
        schemas.parse_dead_letter(envelope)  # the queue adds the time
    letter = schemas.parse_dead_letter(b'{"time":1.5,' + envelope[1:])
    assert (letter.id, letter.time, letter.reason, letter.message) == ("a-1", 1.5, "bad_message", "m")
    assert (letter.attempts, letter.crashes, letter.failures) == (3, 1, {"store_unavailable": 1})
    assert letter.payload == raw
    assert schemas.dead_job_key(letter) == schemas.job_key(raw, "ko")


def test_a_job_too_large_to_unfold_is_refused_unread() -> None:
    raw = b'{"request_id": "r", "image_id": "i", "x": "%b"}' % (b"x" * schemas.MAX_JOB_BYTES)
    with pytest.raises(BadMessage, match="larger than 16 MB"):
        schemas.parse_job(raw, "ko")
    assert schemas.identify(raw, "ko") is None


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.dictionaries(
            st.sampled_from([*JOB, "target_language", "glossary"]),
            st.none() | st.integers() | st.text() | st.just(BOX),
        ),
    )
)
def test_any_bytes_are_a_job_or_a_content_error(raw: bytes) -> None:
    schemas.job_key(raw, "ko")
    try:
        schemas.parse_job(raw, "ko")
    except (BadMessage, BadOcr) as error:
        json.loads(schemas.dump_result(schemas.failed(raw, "ko", Failure(error.code, error.message), 1)))
