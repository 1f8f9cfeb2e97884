"""Long strips: memory is bounded, whatever their height and number."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.acceptance.conftest import EXAMPLES, Workplace
from worker.embedded import picture_server


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("strips", "megabytes"), [(1, 700), (8, 1500)])
def test_strips_of_20000_px_stay_within_their_memory(
    workplace: Workplace, tmp_path: Path, strips: int, megabytes: int
) -> None:
    strip = cv2.imread(str(EXAMPLES / "detail-strip.jpg"))
    assert strip is not None
    page = np.vstack([strip, strip, strip, strip[:2000]])
    assert page.shape == (20000, 790, 3)
    cv2.imwrite(str(tmp_path / "strip.jpg"), page)
    lines = json.loads((EXAMPLES / "detail-strip.ocr.json").read_bytes())
    moved = [
        {**line, "box": [[x, y + 6000 * copy] for x, y in line["box"]]} for copy in range(3) for line in lines
    ]
    worker = workplace.start_worker(LEASE_SECONDS="30")
    with picture_server(tmp_path) as url:
        for number in range(strips):
            workplace.push(image_id=f"i{number}", image_url=f"{url}/strip.jpg", ocr_result=moved)
        results = [workplace.result(seconds=500) for _ in range(strips)]
    assert {result["status"] for result in results} == {"completed"}
    assert all(result["is_long"] for result in results)
    peak = next(
        line
        for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    print(f"{strips} strips in flight: peak of {int(peak.split()[1]) / 1000:.0f} MB")  # noqa: T201 - for RESULTS.md
    assert int(peak.split()[1]) / 1000 <= megabytes
