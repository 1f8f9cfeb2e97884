"""What the issue promises of the running worker."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.acceptance.conftest import EXAMPLES, OCR, Workplace, path_of


def test_a_chinese_poster_becomes_a_korean_one(workplace: Workplace, tmp_path: Path) -> None:
    workplace.start_worker(STORE_LAYOUT="true")
    workplace.push()
    result = workplace.result()
    assert (result["status"], result["error"], result["attempts"]) == ("completed", None, 1)
    assert {block["status"] for block in result["blocks"]} == {"translated", "kept"}
    assert not any(block["translation"] for block in result["blocks"] if block["status"] == "kept")
    original = cv2.imread(str(EXAMPLES / "promotion.jpg"))
    translated = cv2.imread(str(path_of(result["image_url"])))
    plate = cv2.imread(str(path_of(result["plate_url"])))
    assert original is not None
    assert translated is not None
    assert plate is not None
    assert translated.shape == plate.shape == original.shape == (result["height"], result["width"], 3)
    # Far from text nothing changed but JPEG's rounding; under the text much did.
    changed = np.abs(translated.astype(int) - original.astype(int)).max(axis=2)
    assert np.mean(changed[400:800, 560:780] > 12) < 0.001
    for block in result["blocks"]:
        left, top, width, height = cv2.boundingRect(np.array(block["polygon"], np.float32))
        under = changed[max(top, 0) : top + height, max(left, 0) : left + width]
        assert bool(under.max() > 60) is (block["status"] == "translated"), block["source"]
    assert workplace.left_over() == set()


def test_a_killed_worker_loses_nothing(workplace: Workplace) -> None:
    victim = workplace.start_worker()
    workplace.push(image_id="warm")
    workplace.result()
    for number in range(4):
        workplace.push(image_id=f"i{number}")
    # Deliveries are counted once the worker has said which jobs it holds.
    workplace.wait_until(lambda: bool(workplace.client.keys("processor_tasks:meta:*")))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert workplace.client.hlen("processor_tasks:claims") > 0, "it died with jobs in hand"
    workplace.start_worker()
    results = [workplace.result() for _ in range(4)]
    assert sorted(result["image_id"] for result in results) == [f"i{number}" for number in range(4)]
    assert {result["status"] for result in results} == {"completed"}
    assert max(result["attempts"] for result in results) == 2
    assert workplace.client.blpop(["hosting_tasks"], timeout=3) is None, "a job came out twice"
    assert workplace.left_over() == set()


def test_sigterm_finishes_what_is_in_flight(workplace: Workplace) -> None:
    worker = workplace.start_worker()
    workplace.push(image_id="warm")
    workplace.result()
    workplace.push()
    workplace.wait_until(lambda: workplace.client.hlen("processor_tasks:claims") > 0)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert workplace.result()["status"] == "completed"
    assert workplace.left_over() == set()


def test_a_picture_without_chinese_is_hosted_as_it_came(workplace: Workplace) -> None:
    workplace.start_worker()
    workplace.push(ocr_result=[{"box": [222, 55, 410, 82], "text": "HUAYIN Air X5", "score": 0.99}])
    result = workplace.result()
    assert result["status"] == "unchanged"
    assert path_of(result["image_url"]).read_bytes() == (EXAMPLES / "promotion.jpg").read_bytes()
    assert [block["status"] for block in result["blocks"]] == ["kept"]


def test_a_block_without_translation_keeps_its_pixels(workplace: Workplace) -> None:
    workplace.start_worker()
    (headline,) = [line for line in OCR if line["text"] == "降噪再升级"]
    workplace.push(ocr_result=[{**headline, "text": "词典里没有"}])
    result = workplace.result()
    assert (result["status"], result["blocks"][0]["status"]) == ("unchanged", "untranslated")
    assert path_of(result["image_url"]).read_bytes() == (EXAMPLES / "promotion.jpg").read_bytes()


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"image_url": ...}, "bad_message", "image_url: is missing"),
        ({"ocr_result": {"text": "x"}}, "bad_ocr", "ocr_result"),
        ({"image_url": "{pictures}/none.jpg"}, "image_not_found", "image_url: 127.0.0.1 answered 404"),
        ({"image_url": "{pictures}/glossary.ko.tsv"}, "bad_image", "not a picture"),
        ({"image_url": "ftp://x/a.jpg"}, "bad_url", "image_url"),
        ({"ocr_result": [{"box": [5, 5, 5, 40], "text": "新"}]}, "bad_ocr", "ocr_result[0].box: has no area"),
        (
            {"ocr_result": [{"box": [5000, 5, 5100, 40], "text": "新"}]},
            "bad_ocr",
            "ocr_result[0]: the box lies outside the picture of 800 x 1000 px",
        ),
    ],
)
def test_bad_input_is_one_failed_result_and_one_letter(
    workplace: Workplace, changes: dict[str, object], code: str, named: str
) -> None:
    workplace.start_worker()
    filled = {
        name: value.replace("{pictures}", workplace.pictures) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    job = {"request_id": "r1", "image_id": "i1", "ocr_result": OCR, **filled}
    job.setdefault("image_url", f"{workplace.pictures}/promotion.jpg")
    payload = json.dumps({name: value for name, value in job.items() if value is not ...})
    workplace.client.rpush("processor_tasks", payload)
    result = workplace.result()
    assert (result["status"], result["error"]["code"], result["image_url"]) == ("failed", code, None)
    assert named in result["error"]["message"]
    (letter,) = workplace.client.lrange("processor_tasks:dead", 0, -1)
    assert json.loads(letter)["error"] == result["error"]
    assert workplace.left_over() == set()
