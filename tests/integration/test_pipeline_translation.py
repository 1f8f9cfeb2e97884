"""What the pipeline makes of translations: names kept, the picture shown, long texts asked for shorter."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.fake_translator import FakeMemory, FakeTranslator
from tests.unit.rendering.posters import Poster
from worker import metrics
from worker.adapters.disk_spool import DiskSpool
from worker.adapters.local_store import LocalSource, LocalStore
from worker.budget import PixelBudget
from worker.errors import InpainterUnavailable
from worker.imaging import codec
from worker.job import BlockStatus, Flag, Image, Job, JobStatus, Mask, Page, Result, SourceFormat
from worker.pipeline import Means, Pipeline, PipelineOptions, Ports
from worker.rendering.fonts import FontSet
from worker.stages import ReadingOptions, show
from worker.threads import PixelThread
from worker.translation.desk import Desk, DeskOptions
from worker.translation.glossary import Glossary
from worker.translation.session import Translators
from worker.waiting import WaitingPatches

#: A balloon with no room beside its text.
LONG = "무료 배송 및 칠 일 이내 무조건 교환과 반품이 가능한 상품입니다 지금 바로 구매하세요"


class Inpainter:
    """An `Inpainter` that fills with white, or is down."""

    def __init__(self) -> None:
        self.down = False

    async def tile_sizes(self) -> tuple[int, ...]:
        if self.down:
            raise InpainterUnavailable("down")
        return (256,)

    async def inpaint(self, image: Image, mask: Mask) -> Image:
        return np.where(mask > 0, np.uint8(255), image)


class Bench:
    """A pipeline between a directory and a fake translator."""

    def __init__(self, directory: Path, fonts: FontSet, thread: PixelThread) -> None:
        self.translator, self.memory, self.inpainter = FakeTranslator(), FakeMemory(), Inpainter()
        self.desk = Desk(Translators(self.translator), DeskOptions(), memory=self.memory)
        self._directory, self._fonts, self._thread = directory, fonts, thread

    async def run(self, poster: Poster, *, show_picture: bool = False, **glossary: str) -> Result:
        path = self._directory / "poster.png"
        Pillow.fromarray(poster.rgb).save(path)
        spool = DiskSpool(self._directory / "spool")
        pipeline = Pipeline(
            Ports(LocalSource(1 << 26), self.inpainter, LocalStore(self._directory / "store")),
            Means(self._fonts, self._thread, 8, PixelBudget(10**8), WaitingPatches(spool, 10**7), self.desk),
            PipelineOptions(
                ReadingOptions(10**8, 0.5, show_picture),
                "{request_id}/{image_id}.{target_language}.{extension}",
                False,
                Glossary.of({"花西子": "화시쯔"}),
            ),
        )
        lines = tuple(line for block in poster.blocks for line in block.lines)
        try:
            return await pipeline.run(Job("r", "i", str(path), lines, "ko", glossary=glossary))
        finally:
            spool.close()


@pytest.fixture(scope="module")
def fonts() -> FontSet:
    return FontSet.load()


@pytest.fixture
def bench(tmp_path: Path, fonts: FontSet) -> Iterator[Bench]:
    with PixelThread() as thread:
        yield Bench(tmp_path, fonts, thread)


@pytest.fixture
def poster(fonts: FontSet) -> Poster:
    poster = Poster.plain(520, 240, fonts)
    poster.write(["花西子"], 40, 60, 32)
    poster.write(["新品上市"], 40, 130, 32)
    poster.write(["GB/T 22796"], 40, 200, 32)
    return poster


async def test_names_and_codes_keep_their_pixels(bench: Bench, poster: Poster) -> None:
    bench.translator.say = lambda _: "신제품 출시"
    result = await bench.run(poster, 花西子="花西子")
    assert [block.status for block in result.blocks] == [
        BlockStatus.KEPT,
        BlockStatus.TRANSLATED,
        BlockStatus.KEPT,
    ]
    assert bench.translator.asked == [["新品上市"]]
    assert bench.translator.contents[0]["context"] == [{"text": "花西子"}, {"text": "GB/T 22796"}]
    assert bench.translator.prompts[0].picture is None
    without = await bench.run(poster)
    assert without.blocks[0].flags == (Flag.MISSING_TERM,), (
        "the service's own glossary has another name for it"
    )


async def test_what_became_of_the_blocks_is_counted(bench: Bench, poster: Poster) -> None:
    """A picture that lost all its text is a success to every other metric."""

    def counted() -> dict[str, float]:
        blocks = (metrics.BLOCKS.labels(status) for status in BlockStatus)
        return {status: one._value.get() for status, one in zip(BlockStatus, blocks, strict=True)}

    before = counted()
    bench.translator.say = lambda _: None
    result = await bench.run(poster, 花西子="花西子")
    assert result.status is JobStatus.UNCHANGED
    gained = {status: count - before[status] for status, count in counted().items()}
    assert {status: count for status, count in gained.items() if count} == {"kept": 2, "untranslated": 1}


async def test_the_translator_gets_to_see_the_picture_where_wanted(bench: Bench, poster: Poster) -> None:
    await bench.run(poster, show_picture=True)
    seen = bench.translator.prompts[0].picture
    assert seen is not None
    with Pillow.open(io.BytesIO(seen)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (520, 240))
    assert all("box" in block for block in bench.translator.contents[0]["blocks"])


def test_a_long_strip_is_shown_small(fonts: FontSet) -> None:
    strip = Page(np.full((20000, 790, 3), 200, np.uint8), SourceFormat("PNG"))
    with Pillow.open(io.BytesIO(show(strip))) as picture:
        assert picture.width * picture.height <= 1_010_000
        assert picture.height / picture.width == pytest.approx(20000 / 790, rel=0.01)


async def test_what_is_too_long_is_asked_for_once_more(bench: Bench, fonts: FontSet) -> None:
    poster = Poster.plain(150, 60, fonts)
    poster.write(["包邮退换"], 10, 42, 32)
    bench.translator.say = lambda block: "무료 반품" if "translation" in block else LONG
    result = await bench.run(poster)
    first, second = bench.translator.contents
    assert "translation" not in first["blocks"][0]
    (asked,) = second["blocks"]
    assert asked["translation"] == LONG
    assert 0 < asked["max_chars"] < len(LONG)
    assert result.status is JobStatus.COMPLETED
    assert result.blocks[0].translation == "무료 반품"
    assert result.usage is not None
    assert result.usage.input_tokens == 20
    assert "shorten" in result.timings_ms
    again = await bench.run(poster)
    assert again.usage is not None
    assert again.usage.input_tokens == 0
    assert again.blocks[0].translation == "무료 반품"


async def test_a_page_is_decoded_once(bench: Bench, fonts: FontSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is shown to the translator, masked, and typeset twice."""
    decode, decoded = codec.decode, []

    def counted(payload: bytes, *, max_pixels: int) -> Page:
        decoded.append(payload)
        return decode(payload, max_pixels=max_pixels)

    monkeypatch.setattr(codec, "decode", counted)
    poster = Poster.plain(150, 60, fonts)
    poster.write(["包邮退换"], 10, 42, 32)
    bench.translator.say = lambda block: "무료 반품" if "translation" in block else LONG
    result = await bench.run(poster, show_picture=True)
    assert {"decode", "mask", "render", "shorten"} <= result.timings_ms.keys()
    assert len(decoded) == 1


async def test_a_job_that_fails_elsewhere_never_pays_twice(bench: Bench, poster: Poster) -> None:
    """The inpainter fails while the translator is still at it: the answer is remembered all the same."""
    bench.inpainter.down = True
    bench.translator.gate.clear()
    with pytest.raises(InpainterUnavailable):
        await bench.run(poster, 花西子="花西子")
    bench.translator.gate.set()
    bench.inpainter.down = False
    result = await bench.run(poster, 花西子="花西子")
    assert result.status is JobStatus.COMPLETED
    assert len(bench.translator.prompts) == 1
