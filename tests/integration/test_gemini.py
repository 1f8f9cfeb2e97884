"""The real google-genai SDK against a local server that speaks Gemini's protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp.web import Response

from tests import gemini_server as server
from tests.blocks import make_block
from worker.adapters.gemini import GeminiOptions, GeminiTranslator
from worker.errors import AuthError, TranslatorQuota, TranslatorUnavailable, WorkerError
from worker.job import BlockStatus, Usage
from worker.ports import ReplyKind
from worker.translation.prompt import REPLY_SCHEMA, build_prompt
from worker.translation.session import Languages, translate_blocks

Gemini = tuple[server.GeminiServer, str]
BLOCKS = tuple(
    make_block(number, text) for number, text in enumerate(["新品上市", "不可漂白", "净含量：220ml"])
)
PROMPT = build_prompt(BLOCKS, source="zh", target="ko", glossary={"新品": "신제품", "漂白剂": "표백제"})
KOREAN = Languages("zh", "ko")


@pytest.fixture
async def translator(gemini: Gemini) -> AsyncIterator[GeminiTranslator]:
    opened = GeminiTranslator(GeminiOptions("secret-key", "gemini-test", gemini[1], timeout_seconds=2.0))
    yield opened
    await opened.close()


async def test_one_call_carries_the_prompt(gemini: Gemini, translator: GeminiTranslator) -> None:
    reply = await translator.ask(PROMPT)
    assert reply.kind is ReplyKind.OK
    assert reply.usage == Usage(100, 40)
    (request,) = gemini[0].requests
    assert gemini[0].keys == ["secret-key"]
    assert "Korean" in request["systemInstruction"]["parts"][0]["text"]
    config = request["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == REPLY_SCHEMA
    content = json.loads(request["contents"][0]["parts"][0]["text"])
    assert [block["id"] for block in content["blocks"]] == [0, 1, 2]
    assert content["glossary"] == {"新品": "신제품"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (server.blocked(), ReplyKind.BLOCKED),
        (server.completion("", finish="SAFETY"), ReplyKind.BLOCKED),
        (server.completion("", finish="PROHIBITED_CONTENT"), ReplyKind.BLOCKED),
        (server.completion("", finish="RECITATION"), ReplyKind.RECITATION),
        (server.completion('{"transl', finish="MAX_TOKENS"), ReplyKind.TRUNCATED),
    ],
)
async def test_refusals_have_their_kind(
    gemini: Gemini, translator: GeminiTranslator, answer: Response, kind: ReplyKind
) -> None:
    gemini[0].script = [lambda _: answer]
    assert (await translator.ask(PROMPT)).kind is kind


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (server.quota(), TranslatorQuota),
        (server.failure(500, "INTERNAL", "oops"), TranslatorUnavailable),
        (server.failure(503, "UNAVAILABLE", "overloaded"), TranslatorUnavailable),
        (server.failure(403, "PERMISSION_DENIED", "key secret-key"), AuthError),
        (server.failure(400, "INVALID_ARGUMENT", "bad", {"reason": "API_KEY_INVALID"}), AuthError),
        (Response(text="<html>proxy</html>"), TranslatorUnavailable),
    ],
)
async def test_errors_are_ours_and_asked_once(
    gemini: Gemini, translator: GeminiTranslator, answer: Response, error: type[WorkerError]
) -> None:
    gemini[0].script = [lambda _: answer]
    with pytest.raises(error) as caught:
        await translator.ask(PROMPT)
    assert "secret-key" not in caught.value.message
    assert len(gemini[0].requests) == 1, "the SDK must not retry on its own"


async def test_the_wait_that_a_429_asks_for_is_read(gemini: Gemini, translator: GeminiTranslator) -> None:
    gemini[0].script = [lambda _: server.quota("17.5s")]
    with pytest.raises(TranslatorQuota) as caught:
        await translator.ask(PROMPT)
    assert caught.value.retry_after == 17.5


async def test_a_page_is_one_call(gemini: Gemini, translator: GeminiTranslator) -> None:
    translations, usage = await translate_blocks(translator, BLOCKS, KOREAN, {})
    assert [entry.text for entry in translations] == ["번역 0", "번역 1", "번역 2"]
    assert usage == Usage(100, 40)
    assert len(gemini[0].requests) == 1


async def test_a_blocked_block_is_found_and_the_rest_proceeds(
    gemini: Gemini, translator: GeminiTranslator
) -> None:
    def refuse_bleach(request: dict[str, object]) -> Response:
        texts = [block["text"] for block in server.blocks_of(request)]
        return server.blocked() if "不可漂白" in texts else server.translate_all(request)

    gemini[0].otherwise = refuse_bleach
    translations, _ = await translate_blocks(translator, BLOCKS, KOREAN, {})
    statuses = [entry.status for entry in translations]
    assert statuses == [BlockStatus.TRANSLATED, BlockStatus.BLOCKED, BlockStatus.TRANSLATED]


async def test_missing_ids_are_asked_for_again(gemini: Gemini, translator: GeminiTranslator) -> None:
    partial = json.dumps({"translations": [{"id": 0, "text": "신제품"}, {"id": 77, "text": "extra"}]})
    gemini[0].script = [lambda _: server.completion(partial)]
    translations, usage = await translate_blocks(translator, BLOCKS, KOREAN, {})
    assert [entry.text for entry in translations] == ["신제품", "번역 1", "번역 2"]
    assert [block["id"] for block in server.blocks_of(gemini[0].requests[1])] == [1, 2]
    assert usage == Usage(200, 80)


async def test_what_stays_chinese_is_not_taken(gemini: Gemini, translator: GeminiTranslator) -> None:
    def echo(request: dict[str, object]) -> Response:
        entries = [{"id": block["id"], "text": block["text"]} for block in server.blocks_of(request)]
        return server.completion(json.dumps({"translations": entries}))

    gemini[0].otherwise = echo
    translations, _ = await translate_blocks(translator, BLOCKS, KOREAN, {})
    assert {entry.status for entry in translations} == {BlockStatus.UNTRANSLATED}
    assert len(gemini[0].requests) == 2


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"translations": 5}', '{"translations": [{"id": "0"}]}'])
async def test_malformed_replies_are_halved_to_the_end(
    gemini: Gemini, translator: GeminiTranslator, text: str
) -> None:
    gemini[0].otherwise = lambda _: server.completion(text)
    translations, _ = await translate_blocks(translator, BLOCKS, KOREAN, {})
    assert {entry.status for entry in translations} == {BlockStatus.UNTRANSLATED}
    assert len(gemini[0].requests) == 5, "3, then 1 and 2, then 1 and 1"


async def test_check_asks_for_the_model(translator: GeminiTranslator) -> None:
    assert await translator.check() == "Gemini has gemini-test"
