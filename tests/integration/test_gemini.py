"""The real google-genai SDK against a local server that speaks Gemini's protocol."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.web import Response, json_response

from tests import gemini_server as server
from tests.blocks import make_block
from worker.adapters.gemini import GeminiOptions, GeminiTranslator
from worker.errors import AuthError, TranslatorQuota, TranslatorUnavailable, WorkerError
from worker.job import TokenPrice, Usage
from worker.ports import ReplyKind
from worker.translation.glossary import Glossary
from worker.translation.prompt import REPLY_SCHEMA, Languages, PageText, build_prompt

Gemini = tuple[server.GeminiServer, str]
BLOCKS = tuple(
    make_block(number, text) for number, text in enumerate(["新品上市", "不可漂白", "净含量：220ml"])
)
GLOSSARY = Glossary.of({"新品": "신제품", "漂白剂": "표백제"})
PROMPT = build_prompt(PageText(BLOCKS, Languages("zh", "ko"), GLOSSARY), BLOCKS)


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
        (server.failure(400, "INVALID_ARGUMENT", "too large"), ReplyKind.REJECTED),
        (server.failure(413, "INVALID_ARGUMENT", "too large"), ReplyKind.REJECTED),
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
        (server.failure(400, "FAILED_PRECONDITION", "not in your country"), AuthError),
        (server.failure(402, "RESOURCE_EXHAUSTED", "credit"), AuthError),
        (server.failure(404, "NOT_FOUND", "no such model"), AuthError),
        (Response(text="<html>proxy</html>"), TranslatorUnavailable),
    ],
)
async def test_errors_are_ours_and_asked_once(
    gemini: Gemini, translator: GeminiTranslator, answer: Response, error: type[WorkerError]
) -> None:
    gemini[0].script = [lambda _: answer]
    with pytest.raises(error) as caught:
        await translator.ask(PROMPT)
    assert caught.value.dependency == "translator"
    assert "secret-key" not in caught.value.message
    assert len(gemini[0].requests) == 1, "the SDK must not retry on its own"


async def test_the_wait_that_a_429_asks_for_is_read(gemini: Gemini, translator: GeminiTranslator) -> None:
    gemini[0].script = [lambda _: server.quota("17.5s")]
    with pytest.raises(TranslatorQuota) as caught:
        await translator.ask(PROMPT)
    assert caught.value.retry_after == 17.5


async def test_what_calls_cost_is_known_where_the_price_is(gemini: Gemini) -> None:
    priced = GeminiTranslator(GeminiOptions("key", "gemini-test", gemini[1], price=TokenPrice(0.3, 2.5)))
    reply = await priced.ask(PROMPT)
    await priced.close()
    assert reply.usage.cost_usd == pytest.approx((100 * 0.3 + 40 * 2.5) / 1e6)


async def test_the_picture_goes_along(gemini: Gemini, translator: GeminiTranslator) -> None:
    await translator.ask(replace(PROMPT, picture=b"\xff\xd8picture"))
    picture, text = gemini[0].requests[0]["contents"][0]["parts"]
    assert base64.urlsafe_b64decode(picture["inlineData"]["data"]) == b"\xff\xd8picture"
    assert "image/jpeg" in picture["inlineData"].values()
    assert json.loads(text["text"])["blocks"]


async def test_check_asks_for_the_model(translator: GeminiTranslator) -> None:
    assert await translator.check() == "Gemini has gemini-test"


async def test_a_proxys_page_is_no_reason_to_stop(gemini: Gemini, translator: GeminiTranslator) -> None:
    """The breaker asks `check`: an error that is not ours would end the worker."""
    gemini[0].model = Response(text="<html>proxy</html>", content_type="application/json")
    with pytest.raises(TranslatorUnavailable, match="cannot be read"):
        await translator.check()


async def test_no_answer_without_a_reason_is_no_refusal(gemini: Gemini, translator: GeminiTranslator) -> None:
    """A refusal is remembered for a day; a mishap is asked about again."""
    gemini[0].script = [lambda _: json_response({"usageMetadata": {"promptTokenCount": 7}})]
    reply = await translator.ask(PROMPT)
    assert (reply.kind, reply.text, reply.usage) == (ReplyKind.OK, "", Usage(7, 0))
