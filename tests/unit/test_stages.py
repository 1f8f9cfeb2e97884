from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from worker.imaging.codec import Encoded
from worker.job import JobStatus
from worker.stages import Rendered, log_missing_glyphs


def test_a_character_that_no_font_has_is_an_error_in_the_log_with_block_and_job() -> None:
    picture = Encoded(b"", "png", "image/png")
    rendered = Rendered(picture, JobStatus.COMPLETED, (), missing={3: "😀"})

    with (
        structlog.contextvars.bound_contextvars(request_id="r1"),
        capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs,
    ):
        log_missing_glyphs(rendered)

    assert logs == [
        {
            "event": "render.missing_glyph",
            "log_level": "error",
            "block": 3,
            "characters": "😀",
            "request_id": "r1",
        }
    ]
