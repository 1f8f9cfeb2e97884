"""What a job's result says: blocks, their fate, and how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

from worker import metrics, tracing
from worker.errors import WorkerError, leaves
from worker.job import BlockReport, BlockStatus, Job, Result, TextBlock, Translation, Usage
from worker.stages import OpenedPage, Rendered

#: When a stage began, in seconds of the performance counter, and its name.
Begun = tuple[float, str]
#: A task inherits its maker's: stages that run side by side are noted in one list.
_cut_off: ContextVar[list[Begun] | None] = ContextVar("cut_off", default=None)


@contextmanager
def cut_off_stages() -> Iterator[list[Begun]]:
    """Note the stages that do not come to their end inside the block, in whichever task."""
    noted: list[Begun] = []
    token = _cut_off.set(noted)
    try:
        yield noted
    finally:
        _cut_off.reset(token)


class Stopwatch:
    """Milliseconds spent in each named stage, for the result, the metrics, the trace and the log.

    Stages that run side by side overlap.
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            with (
                metrics.stage(stage),
                tracing.span(stage),
                structlog.contextvars.bound_contextvars(stage=stage),
            ):
                yield
        except BaseException as error:
            _note_stage(error, stage)
            if (noted := _cut_off.get()) is not None:
                noted.append((started, stage))
            raise
        finally:
            self._spent[stage] = self._spent.get(stage, 0.0) + (time.perf_counter() - started) * 1000

    @property
    def timings_ms(self) -> Mapping[str, float]:
        """By stage, and `total` since the watch was made."""
        return {**self._spent, "total": (time.perf_counter() - self._started) * 1000}


def _note_stage(error: BaseException, stage: str) -> None:
    """Let the error say where it came from; the line that logs it is written after the stage."""
    for leaf in leaves(error):
        if isinstance(leaf, WorkerError) and leaf.stage is None:
            leaf.stage = stage


def make_result(
    job: Job,
    opened: OpenedPage,
    rendered: Rendered,
    image_url: str,
    editable_urls: Sequence[str],
    usage: Usage,
    watch: Stopwatch,
) -> Result:
    """The result of a job that came through; `editable_urls`: of plate and layout, or none."""
    plate_url, layout_url = editable_urls or (None, None)
    return Result(
        status=rendered.status,
        request_id=job.request_id,
        image_id=job.image_id,
        target_language=job.target_language,
        image_url=image_url,
        original_image_url=job.image_url,
        width=opened.page.width,
        height=opened.page.height,
        is_long=opened.page.is_long,
        blocks=_report_blocks(opened.blocks, rendered.translations),
        plate_url=plate_url,
        layout_url=layout_url,
        usage=usage if opened.chosen else None,
        timings_ms=watch.timings_ms,
        traceparent=job.traceparent,
    )


def _report_blocks(
    blocks: Sequence[TextBlock], translations: Sequence[Translation]
) -> tuple[BlockReport, ...]:
    """Every block of the page with what became of it; those nobody asked to translate were kept."""
    by_id = {translation.block_id: translation for translation in translations}
    kept = Translation(-1, BlockStatus.KEPT)
    return tuple(
        BlockReport(block.text, answer.text, block.polygon, answer.status, answer.flags)
        for block in blocks
        for answer in [by_id.get(block.id, kept)]
    )
