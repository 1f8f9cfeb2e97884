"""What typesetting looks like, held as pictures: RECORD_GOLDEN=1 records them anew, then look at each.

On a mismatch the actual picture and the difference lie under build/golden/.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.unit.rendering.posters import BLACK, Poster
from worker.job import BlockStatus, Image, Translation
from worker.rendering.effects import Outline, Shadow
from worker.rendering.fonts import FontSet
from worker.rendering.style import Fill, Style
from worker.rendering.typeset import typeset

_ROOT = Path(__file__).resolve().parents[3]
_GOLDEN, _BUILD = _ROOT / "tests" / "golden", _ROOT / "build" / "golden"
#: Levels by which pixels may differ (processors round differently), and the share that may differ more.
_LEVELS, _SHARE = 8, 0.0005


def _style(colour: tuple[int, int, int], weight: int = 500) -> Style:
    return replace(BLACK, fill=Fill(colour, colour), weight=weight)


def _headline(fonts: FontSet) -> tuple[Poster, list[str]]:
    """Outline and a vertical gradient over a gradient ground."""
    poster = Poster.plain(420, 130, fonts)
    ramp = np.linspace(0, 1, 420)[None, :, None]
    poster.plate[:] = np.rint((1 - ramp) * (96, 40, 190) + ramp * (40, 30, 120))
    poster.rgb[:] = poster.plate
    fill = Fill((255, 250, 220), (255, 176, 60), "vertical")
    poster.write(["降噪再升级"], 40, 88, 66, Style(fill, (70, 35, 150), 800, 0.0, Outline((22, 6, 70), 5)))
    return poster, ["소음 차단 진화"]


def _rows(fonts: FontSet) -> tuple[Poster, list[str]]:
    """Key: value rows of one size, one of them longer than its source."""
    poster = Poster.plain(420, 170, fonts, (250, 248, 244))
    for number, text in enumerate(["品牌名称：花研生活", "额定容量：1.7L", "控温范围：40℃至100℃"]):
        poster.write([text], 40, 52 + 46 * number, 24, _style((38, 51, 45), 400))
    return poster, ["브랜드: 화연생활", "정격 용량: 1.7L", "온도 조절 범위: 40℃~100℃"]


def _paragraph(fonts: FontSet) -> tuple[Poster, list[str]]:
    """A centred paragraph, white with a shadow."""
    poster = Poster.plain(420, 170, fonts, (150, 110, 84))
    look = replace(_style((255, 255, 255), 700), shadow=Shadow((40, 28, 20), 2, 2, 1, 0.7))
    poster.write(["一杯热茶，一本旧书，", "一件穿了就不想脱的毛衣"], 210, 70, 28, look, centred=True)
    return poster, ["따뜻한 차 한 잔, 오래된 책 한 권, 그리고 벗고 싶지 않은 스웨터"]


def _tilted(fonts: FontSet) -> tuple[Poster, list[str]]:
    """A leaning stamp: tilted, oblique, outlined."""
    poster = Poster.plain(420, 170, fonts, (255, 214, 10))
    look = replace(_style((214, 36, 28), 800), slant=0.2, outline=Outline((255, 255, 255), 3))
    poster.write(["限时特惠"], 90, 120, 58, look, angle=-8)
    return poster, ["기간 한정"]


def _mixed(fonts: FontSet) -> tuple[Poster, list[str]]:
    """Latin, figures, symbols and Korean in one line, light text."""
    poster = Poster.plain(420, 90, fonts, (24, 28, 40))
    poster.write(["IPX5级防汗防水 ★"], 40, 56, 28, _style((236, 240, 255), 300))
    return poster, ["IPX5 생활 방수 ① ™ ★"]


_CASES: tuple[Callable[[FontSet], tuple[Poster, list[str]]], ...] = (
    _headline,
    _rows,
    _paragraph,
    _tilted,
    _mixed,
)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.__name__.strip("_"))
def test_it_looks_as_recorded(case: Callable[[FontSet], tuple[Poster, list[str]]], fonts: FontSet) -> None:
    poster, texts = case(fonts)
    translations = [Translation(n, BlockStatus.TRANSLATED, text) for n, text in enumerate(texts)]
    result = typeset(poster.rgb, poster.plate, poster.blocks, poster.regions, translations, [], fonts, "ko")
    name = case.__name__.strip("_")

    assert {outcome.status for outcome in result.outcomes} == {BlockStatus.TRANSLATED}
    _compare(name, np.concatenate([poster.rgb, result.rgb]))


def _compare(name: str, actual: Image) -> None:
    """Hold a picture (source above translation) against the recorded one."""
    recorded = _GOLDEN / f"{name}.png"
    if os.environ.get("RECORD_GOLDEN"):
        cv2.imwrite(str(recorded), actual[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        return
    assert recorded.is_file(), f"{recorded} is missing; RECORD_GOLDEN=1 records it"
    golden = np.asarray(cv2.imread(str(recorded)))[..., ::-1]
    assert golden.shape == actual.shape
    difference = cv2.absdiff(np.ascontiguousarray(golden), actual)
    share = float((difference.max(axis=2) > _LEVELS).mean())
    if share > _SHARE:
        _BUILD.mkdir(parents=True, exist_ok=True)
        stronger = np.clip(255 - 4 * difference.astype(np.int32), 0, 255).astype(np.uint8)
        cv2.imwrite(str(_BUILD / f"{name}.actual.png"), actual[..., ::-1])
        cv2.imwrite(str(_BUILD / f"{name}.difference.png"), stronger[..., ::-1])
        pytest.fail(
            f"{name}: {share:.2%} of the pixels differ; see {_BUILD / name}.actual.png and .difference.png"
        )
