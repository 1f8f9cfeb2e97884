from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.rendering.posters import BLACK, Poster
from worker.job import BlockStatus, Box, Image, Region, TextBlock, Translation
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, frames_of
from worker.rendering.perspective import matrix_of, project, warp_of
from worker.rendering.sheet import render_sheet, sheet_of
from worker.rendering.sheet_file import dump_layout, parse_layout
from worker.rendering.typeset import Typeset, typeset

_WIDTH, _HEIGHT = 700, 300
_PAGE = [(0, 0), (_WIDTH, 0), (_WIDTH, _HEIGHT), (0, _HEIGHT)]
#: Where the page's corners come to lie: seen from the left, from below, from the right and turned.
_VIEWS = [
    [(60, 20), (640, 90), (640, 230), (60, 290)],
    [(120, 40), (580, 40), (690, 260), (10, 260)],
    [(20, 100), (620, 10), (680, 250), (60, 200)],
]


def _seen(fonts: FontSet, view: list[tuple[int, int]]) -> tuple[Image, Image, TextBlock, Region]:
    """A page with one line of text, its plate, block and region, seen at an angle."""
    poster = Poster.plain(_WIDTH, _HEIGHT, fonts, (235, 230, 220))
    block = poster.write(["纯臻营养护发素"], 60, 100, 48, replace(BLACK, weight=700))
    region = poster.regions[0]
    matrix = cv2.getPerspectiveTransform(np.array(_PAGE, np.float32), np.array(view, np.float32))

    def turned(image: Image) -> Image:
        size = (_WIDTH, _HEIGHT)
        return np.asarray(cv2.warpPerspective(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    layers = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
    layers[region.box.slices] = np.dstack([region.mask, region.strokes, region.strokes])
    seen = turned(layers)
    quad = np.rint(project(np.asarray(matrix, np.float64), block.lines[0].polygon)).astype(np.float32)
    along = quad[1] - quad[0] + quad[2] - quad[3]
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    frame = Frame(angle)
    block = replace(
        block,
        lines=(replace(block.lines[0], polygon=quad),),
        polygon=frame.quad(frame.rect_around(quad)),
        angle=angle,
    )
    mask = np.where(cv2.dilate(seen[..., 0], np.ones((3, 3), np.uint8)) > 0, 255, 0).astype(np.uint8)
    strokes = np.where(seen[..., 1] > 127, 255, 0).astype(np.uint8)
    return (
        turned(poster.rgb),
        turned(poster.plate),
        block,
        Region(0, Box(0, 0, _WIDTH, _HEIGHT), mask, strokes),
    )


def _set(page: tuple[Image, Image, TextBlock, Region], text: str, fonts: FontSet) -> Typeset:
    rgb, plate, block, region = page
    return typeset(
        rgb, plate, [block], [region], [Translation(0, BlockStatus.TRANSLATED, text)], [], fonts, "ko"
    )


def _heights(rgb: Image, plate: Image) -> NDArray[np.int_]:
    """Height of the drawn ink in its first and last fifth."""
    ink = (cv2.absdiff(rgb, plate).max(axis=2) > 60).astype(np.uint8)
    columns = np.flatnonzero(ink.any(axis=0))
    low, high = columns[0], columns[-1]
    fifth = (high - low) // 5
    ends = ink[:, low : low + fifth], ink[:, high - fifth : high]
    return np.array([np.ptp(np.flatnonzero(end.any(axis=1))) for end in ends])


@pytest.mark.parametrize("view", _VIEWS)
def test_the_translation_lies_on_the_surface_of_its_source(
    fonts: FontSet, view: list[tuple[int, int]]
) -> None:
    page = _seen(fonts, view)

    result = _set(page, "영양영양영양영", fonts)

    (outcome,) = result.outcomes
    assert outcome.placed is not None
    assert outcome.placed.frame.warp is not None
    before, after = _heights(page[0], page[1]), _heights(result.rgb, page[1])
    assert after[0] / after[1] == pytest.approx(before[0] / before[1], rel=0.3)
    source = cv2.convexHull(page[2].lines[0].polygon)
    drawn = np.argwhere(cv2.absdiff(result.rgb, result.plate).max(axis=2) > 8)[:, ::-1].astype(np.float32)
    outside = [cv2.pointPolygonTest(source, (float(x), float(y)), True) for x, y in drawn]
    assert min(outside) > -0.2 * page[2].text_height


def test_edges_are_mixed_of_text_and_ground_alone(fonts: FontSet) -> None:
    page = _seen(fonts, _VIEWS[0])

    result = _set(page, "영양영양영양영", fonts)

    low = np.minimum(result.plate.min(axis=(0, 1)), (20, 20, 20)).astype(int) - 6
    high = result.plate.max(axis=(0, 1)).astype(int) + 1
    assert (result.rgb >= low).all()
    assert (result.rgb <= high).all()


@pytest.mark.parametrize("jitter", range(6))
def test_whole_pixel_corners_are_no_perspective(jitter: int) -> None:
    rng = np.random.default_rng(jitter)
    quad = np.array([(10, 10), (200, 10), (200, 34), (10, 34)], np.float32)
    quad += rng.integers(-1, 2, (4, 2)).astype(np.float32)
    poster = Poster.plain(220, 60, FontSet.load())
    block = poster.write(["纯臻营养护发素"], 12, 30, 20)

    assert warp_of(replace(block, lines=(replace(block.lines[0], polygon=quad),)), 0.0) is None


def test_frames_lead_there_and_back(fonts: FontSet) -> None:
    block = _seen(fonts, _VIEWS[2])[2]
    (frame,) = frames_of([block])
    points = block.lines[0].polygon

    assert frame.warp is not None
    assert project(matrix_of(frame.warp), frame.to_local(points)) == pytest.approx(points, abs=1e-3)
    local = frame.to_local(points)
    assert np.ptp(local[:2, 1]) < 0.5
    assert np.ptp(local[2:, 1]) < 0.5


def test_the_layout_file_gives_the_same_pixels(fonts: FontSet) -> None:
    page = _seen(fonts, _VIEWS[0])
    result = _set(page, "영양 컨디셔너", fonts)

    sheet = parse_layout(dump_layout(sheet_of(result, [page[2]], "ko")))

    assert np.array_equal(render_sheet(result.plate, sheet, fonts).rgb, result.rgb)
