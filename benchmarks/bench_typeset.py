"""What typesetting costs on one core, in CPU milliseconds.

    make bench-typeset          (.venv/bin/python -m benchmarks.bench_typeset [DIR …])

For the samples, or folders of NAME.jpg or .png, NAME.ocr.json and a glossary (*.tsv); the plates are
OpenCV's, which no measure here depends on:

- whole: measuring the source, laying out, drawing;
- again: the same page with other translations, nothing measured again;
- draw: drawing alone, and what that makes for twenty blocks; at most 25 ms.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from benchmarks.bench_legibility import EXAMPLES, Sample, samples_of, telea
from benchmarks.machine import described
from worker.rendering.draw import draw
from worker.rendering.fonts import FontSet
from worker.rendering.typeset import typeset

_ROUNDS = 5
_MOST_FOR_TWENTY = 25.0
_HEAD = f"{'page':<16} {'blocks':>6} {'whole':>7} {'again':>7} {'draw':>7} {'twenty':>7}"


def main() -> int:
    """Print one row for each page; returns 1 where twenty blocks take too long to draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[EXAMPLES])
    folders = parser.parse_args().folders
    cv2.setNumThreads(1)
    fonts, slowest = FontSet.load(), 0.0
    print(described(), _HEAD, sep="\n")
    for folder in folders:
        for sample in samples_of(folder, telea, (256, 512), fonts):
            whole, again, drawing = _measured(sample, fonts)
            count = len(sample.drawn)
            twenty = 20 * drawing / max(count, 1)
            slowest = max(slowest, twenty)
            print(f"{sample.name:<16} {count:>6} {whole:>7.1f} {again:>7.1f} {drawing:>7.1f} {twenty:>7.1f}")
    return int(slowest > _MOST_FOR_TWENTY)


def _measured(sample: Sample, fonts: FontSet) -> tuple[float, float, float]:
    """Whole, again and draw, each the best of some rounds."""
    opened, regions, typesetting = sample.opened, sample.regions, sample.typesetting
    page = (opened.page.rgb, typesetting.plate, opened.chosen, regions, sample.translations, opened.kept)

    def drawing() -> None:
        rgb = typesetting.plate.copy()
        for _, _, placed in sample.drawn:
            draw(rgb, placed, fonts)

    whole = _least(lambda: typeset(*page, fonts, "ko"))
    again = _least(lambda: typeset(*page, fonts, "ko", measured=typesetting.measured))
    return whole, again, _least(drawing)


def _least(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        started = time.thread_time()
        work()
        rounds.append(1000 * (time.thread_time() - started))
    return min(rounds)


if __name__ == "__main__":
    sys.exit(main())
