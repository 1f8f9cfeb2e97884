"""The desk: what is known, or being asked already, costs nothing; the second translator; shorter versions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.blocks import make_block
from tests.fake_translator import FakeMemory, FakeTerms, FakeTranslator
from worker.adapters.glossary import GlossaryTranslator
from worker.errors import AuthError, TranslatorQuota, TranslatorUnavailable
from worker.job import FREE, BlockStatus, Flag, TooLong, Translation, Usage
from worker.ports import ReplyKind
from worker.translation.desk import Answer, Desk, DeskOptions
from worker.translation.glossary import Glossary
from worker.translation.prompt import Languages, PageText
from worker.translation.session import Translators

KOREAN = Languages("zh", "ko")
TRANSLATED, BLOCKED, UNTRANSLATED = BlockStatus.TRANSLATED, BlockStatus.BLOCKED, BlockStatus.UNTRANSLATED


def page(*texts: str, first: int = 0, **more: Any) -> PageText:
    blocks = tuple(make_block(first + number, text) for number, text in enumerate(texts))
    return replace(PageText(blocks, KOREAN), **more)


def statuses(answer: Answer) -> list[BlockStatus]:
    return [entry.status for entry in answer.translations]


async def test_no_blocks_no_call() -> None:
    translator = FakeTranslator()
    assert await Desk(Translators(translator), DeskOptions()).translate(page()) == Answer((), FREE)
    assert not translator.prompts


async def test_a_text_is_paid_for_once() -> None:
    translator, memory = FakeTranslator(), FakeMemory()
    desk = Desk(Translators(translator), DeskOptions(), memory=memory)
    first = await desk.translate(page("新品", "包邮", "新品"))
    assert [entry.text for entry in first.translations] == ["번역 0", "번역 1", "번역 0"]
    assert [entry.block_id for entry in first.translations] == [0, 1, 2]
    assert first.usage == Usage(10, 5)
    again = await desk.translate(page("包 邮", "包邮", "正品", first=5))
    assert translator.asked == [["新品", "包邮"], ["包 邮", "正品"]]
    assert again.translations[1] == Translation(6, TRANSLATED, "번역 1")
    assert translator.contents[1]["context"] == [{"text": "包邮", "translation": "번역 1"}]
    third = await desk.translate(page("正品", "新品"))
    assert third.usage == FREE
    assert len(translator.prompts) == 2


@pytest.mark.parametrize(
    "other",
    [
        page("新品", languages=Languages("zh", "vi")),
        page("新品", languages=Languages("yue", "ko")),
        page("新品", glossary=Glossary.of({"新品": "번역 0"})),
        page("新品 "),
        page("新品", glossary=Glossary.of({"别的": "x"})),
    ],
)
async def test_what_a_translation_depends_on_makes_it_another(other: PageText) -> None:
    """Terms that do not occur, and spaces around, are no difference."""
    memory = FakeMemory()
    desk = Desk(Translators(FakeTranslator()), DeskOptions(), memory=memory)
    await desk.translate(page("新品"))
    await desk.translate(other)
    same = other.languages == KOREAN and "新品" not in other.glossary.entries
    assert len(memory.texts) == (1 if same else 2)


async def test_models_and_profiles_do_not_share_a_memory() -> None:
    memory = FakeMemory()
    for options in (DeskOptions(), DeskOptions(model="b"), DeskOptions("comics", "b")):
        await Desk(Translators(FakeTranslator()), options, memory=memory).translate(page("新品"))
    assert len(memory.texts) == 3


async def test_a_flawed_translation_is_flagged_from_the_memory_too() -> None:
    translator = FakeTranslator(lambda _: "아무것")
    desk = Desk(Translators(translator), DeskOptions(), memory=FakeMemory())
    named = page("漂白", glossary=Glossary.of({"漂白": "표백"}))
    for _ in range(2):
        (entry,) = (await desk.translate(named)).translations
        assert entry.flags == (Flag.MISSING_TERM,)
    assert len(translator.prompts) == 2, "one retry, then never again"


async def test_calls_in_progress_are_shared() -> None:
    translator = FakeTranslator()
    translator.gate.clear()
    desk = Desk(Translators(translator), DeskOptions())
    jobs = [
        asyncio.create_task(desk.translate(asked))
        for asked in (page("新品", "包邮"), page("包邮", "新品"), page("正品", "包邮"))
    ]
    await asyncio.sleep(0.01)
    translator.gate.set()
    first, second, third = await asyncio.gather(*jobs)
    assert translator.asked == [["新品", "包邮"], ["正品"]]
    assert [entry.text for entry in second.translations] == ["번역 1", "번역 0"]
    assert (first.usage, second.usage, third.usage) == (Usage(10, 5), FREE, Usage(10, 5))


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    translator, memory = FakeTranslator(), FakeMemory()
    translator.gate.clear()
    desk = Desk(Translators(translator), DeskOptions(), memory=memory)
    first = asyncio.create_task(desk.translate(page("新品")))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(desk.translate(page("新品")))
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    translator.gate.set()
    assert statuses(await second) == [TRANSLATED]
    assert len(translator.prompts) == 1


async def test_a_call_whose_job_is_gone_is_still_remembered() -> None:
    translator, memory = FakeTranslator(), FakeMemory()
    translator.gate.clear()
    desk = Desk(Translators(translator), DeskOptions(), memory=memory)
    job = asyncio.create_task(desk.translate(page("新品")))
    await asyncio.sleep(0.01)
    job.cancel()
    await asyncio.wait({job})
    translator.gate.set()
    await asyncio.sleep(0.01)
    assert list(memory.texts.values()) == ["번역 0"]
    assert (await desk.translate(page("新品"))).usage == FREE


async def test_closing_ends_what_is_still_asked() -> None:
    translator = FakeTranslator()
    translator.gate.clear()
    desk = Desk(Translators(translator), DeskOptions())
    job = asyncio.create_task(desk.translate(page("新品")))
    await asyncio.sleep(0.01)
    await desk.close()
    with pytest.raises(asyncio.CancelledError):
        await job


async def test_an_error_reaches_everyone_who_waits_and_nobody_later() -> None:
    translator = FakeTranslator()
    translator.script = [TranslatorQuota("full", retry_after=3)]
    translator.gate.clear()
    desk = Desk(Translators(translator), DeskOptions())
    jobs = [asyncio.create_task(desk.translate(page("新品"))) for _ in range(2)]
    await asyncio.sleep(0.01)
    translator.gate.set()
    errors = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(isinstance(error, TranslatorQuota) for error in errors)
    assert statuses(await desk.translate(page("新品"))) == [TRANSLATED]


@pytest.mark.parametrize("outage", [TranslatorQuota("full"), TranslatorUnavailable("down")])
async def test_the_second_translator_takes_over_from_one_that_is_down(outage: Exception) -> None:
    first, second = FakeTranslator(), FakeTranslator(lambda block: f"둘째 {block['id']}")
    first.script = [outage]
    desk = Desk(Translators(first, second), DeskOptions())
    answer = await desk.translate(page("新品", "包邮"))
    assert [entry.text for entry in answer.translations] == ["둘째 0", "둘째 1"]
    assert second.asked == [["新品", "包邮"]]


async def test_the_second_translator_gets_what_the_first_refuses() -> None:
    first, second = FakeTranslator(), FakeTranslator(lambda block: f"둘째 {block['id']}")
    first.script = [ReplyKind.BLOCKED, ReplyKind.OK, ReplyKind.RECITATION]
    desk = Desk(Translators(first, second), DeskOptions())
    answer = await desk.translate(page("新品", "包邮"))
    assert [entry.text for entry in answer.translations] == ["번역 0", "둘째 1"]
    assert second.asked == [["包邮"]]
    assert not any("context" in content for content in first.contents), "it may be what was refused"
    assert answer.usage == Usage(40, 20)


async def test_a_second_translator_that_fails_changes_nothing() -> None:
    first, second = (
        FakeTranslator(lambda block: None if block["text"] == "秘密" else "번역"),
        FakeTranslator(),
    )
    second.script = [AuthError("FALLBACK_API_KEY: refused"), TranslatorUnavailable("down")]
    desk = Desk(Translators(first, second), DeskOptions())
    assert statuses(await desk.translate(page("秘密", "包邮"))) == [UNTRANSLATED, TRANSLATED]
    first.script = [TranslatorQuota("full", retry_after=7)]
    with pytest.raises(TranslatorQuota, match="full"):
        await desk.translate(page("正品"))


async def test_a_refusal_is_remembered() -> None:
    """A text that nobody takes stands on every picture of a shop: the shop's own slogan."""
    first, second, memory = FakeTranslator(), FakeTranslator(), FakeMemory()
    desk = Desk(Translators(first, second), DeskOptions(), memory=memory)
    first.script, second.script = [ReplyKind.BLOCKED], [TranslatorUnavailable("down")]
    assert statuses(await desk.translate(page("秘密"))) == [BLOCKED]
    assert memory.texts == {}, "the second one may take it when it is back"
    first.script, second.script = [ReplyKind.BLOCKED], [ReplyKind.RECITATION]
    assert statuses(await desk.translate(page("秘密"))) == [BLOCKED]
    again = await desk.translate(page("包邮", "秘密"))
    assert statuses(again) == [TRANSLATED, BLOCKED]
    assert (first.asked, len(second.asked)) == ([["秘密"], ["秘密"], ["包邮"]], 2)
    assert first.contents[-1]["context"] == [{"text": "秘密"}]
    assert (await desk.shorten(page("包邮", "秘密"), again, [TooLong(1, 2)])) == again


async def test_a_refused_key_is_not_papered_over() -> None:
    first, second = FakeTranslator(), FakeTranslator()
    first.script = [AuthError("GEMINI_API_KEY: refused")]
    with pytest.raises(AuthError):
        await Desk(Translators(first, second), DeskOptions()).translate(page("新品"))
    assert not second.prompts


async def test_pictures_of_a_product_see_each_others_terms() -> None:
    translator, terms = (
        FakeTranslator(lambda block: f"{block['text']}의 번역".replace("新品", "신제품")),
        FakeTerms(),
    )
    translator.say = lambda block: {"雾霾绿": "더스티 그린"}.get(block["text"], "색상: 더스티 그린")
    desk = Desk(Translators(translator), DeskOptions(), terms=terms)
    await desk.translate(page("雾霾绿", "首次使用前请注入清水至最高水位线", product="r1"))
    await desk.translate(page("颜色：雾霾绿", product="r1"))
    await desk.translate(page("颜色：雾霾绿", product="r2"))
    await desk.translate(page("颜色：雾霾绿"))
    hints = [content.get("earlier") for content in translator.contents]
    assert hints == [None, {"雾霾绿": "더스티 그린"}, None, None]


async def test_an_earlier_term_within_a_longer_one_is_no_hint() -> None:
    translator, terms = FakeTranslator(), FakeTerms()
    terms.products["r1\0ko"] = {"不锈钢": "스테인리스", "锈钢": "녹", "锅盖": "뚜껑", "锅": "냄비"}
    desk = Desk(Translators(translator), DeskOptions(), terms=terms)
    named = Glossary.of({"不锈钢锅": "스테인리스 냄비"})
    await desk.translate(page("不锈钢锅盖", product="r1"))
    await desk.translate(page("不锈钢锅。锅盖", product="r1", glossary=named))
    hints = [content.get("earlier") for content in translator.contents]
    # The third call is the second's, again, since the mandatory term was missing.
    assert hints == [{"不锈钢": "스테인리스", "锅盖": "뚜껑"}, {"锅盖": "뚜껑"}, {"锅盖": "뚜껑"}]


async def test_shorter_versions_are_asked_once_and_remembered() -> None:
    translator, memory = FakeTranslator(), FakeMemory()
    desk = Desk(Translators(translator), DeskOptions(), memory=memory)
    asked = page("七天无理由退换", "包邮", "正品")
    long = Answer(
        (
            Translation(0, TRANSLATED, "칠 일 이내 무조건 교환 및 반품 가능"),
            Translation(1, TRANSLATED, "무료 배송"),
            Translation(2, BLOCKED),
        ),
        Usage(1, 1),
    )
    translator.say = lambda block: "교환·반품" if block["id"] == 0 else "무료로 배송해 드림"
    too_long = (TooLong(0, 6), TooLong(1, 3))
    shorter = await desk.shorten(asked, long, too_long)
    assert [entry.text for entry in shorter.translations] == ["교환·반품", "무료 배송", None]
    assert statuses(shorter) == [TRANSLATED, TRANSLATED, BLOCKED]
    assert shorter.usage == Usage(11, 6)
    assert [block["max_chars"] for block in translator.contents[0]["blocks"]] == [6, 3]
    assert list(memory.texts.values()) == ["교환·반품"]
    again = await desk.shorten(asked, long, too_long[:1])
    assert (again.translations[0].text, again.usage) == ("교환·반품", Usage(1, 1))
    assert len(translator.prompts) == 1


async def test_a_shorter_version_that_loses_what_matters_is_not_taken() -> None:
    translator = FakeTranslator(lambda _: "할인")
    long = Answer((Translation(0, TRANSLATED, "지금 바로 100위안 할인"),), Usage())
    desk = Desk(Translators(translator), DeskOptions())
    assert (await desk.shorten(page("立省100元"), long, [TooLong(0, 4)])).translations == long.translations


async def test_the_glossary_translator_leaves_what_it_does_not_know() -> None:
    desk = Desk(Translators(GlossaryTranslator(Glossary.of({"新品": "신제품"}))), DeskOptions())
    answer = await desk.translate(page("新品", "秘密", "包邮", glossary=Glossary.of({"包邮": "무료 배송"})))
    assert [(entry.text, entry.status) for entry in answer.translations] == [
        ("신제품", TRANSLATED),
        (None, UNTRANSLATED),
        ("무료 배송", TRANSLATED),
    ]
    assert answer.usage == Usage()
