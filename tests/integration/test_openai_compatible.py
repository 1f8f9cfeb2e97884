"""The second translator against a local server that speaks OpenAI's protocol."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer
from aiohttp.web import Response

from tests import gemini_server as first_server
from tests import openai_server as server
from tests.blocks import make_block
from worker.adapters.gemini import GeminiOptions, GeminiTranslator
from worker.adapters.openai_compatible import OpenAiOptions, OpenAiTranslator
from worker.errors import AuthError, TranslatorQuota, TranslatorUnavailable, WorkerError
from worker.job import BlockStatus, TokenPrice, Usage
from worker.ports import ReplyKind
from worker.translation.desk import Desk, DeskOptions
from worker.translation.prompt import Languages, PageText, build_prompt
from worker.translation.session import Translators

PAGE = PageText((make_block(0, "新品上市"), make_block(1, "不可漂白")), Languages("zh", "ko"))
PROMPT = build_prompt(PAGE, PAGE.blocks)
Second = tuple[server.OpenAiServer, OpenAiTranslator]


@pytest.fixture
async def second() -> AsyncIterator[Second]:
    running = server.OpenAiServer()
    async with TestServer(running.application()) as listening:
        translator = OpenAiTranslator(
            OpenAiOptions(
                str(listening.make_url("/v1")), "local-model", "secret-key", 2.0, price=TokenPrice(1.0, 2.0)
            )
        )
        yield running, translator
        await translator.close()


async def test_one_call_carries_the_prompt(second: Second) -> None:
    reply = await second[1].ask(PROMPT)
    assert reply.kind is ReplyKind.OK
    assert reply.usage == Usage(90, 30, 0.00015)
    (request,) = second[0].requests
    assert second[0].keys == ["Bearer secret-key"]
    assert request["model"] == "local-model"
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert json.loads(request["messages"][1]["content"])["blocks"]
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    assert schema["schema"]["properties"]["translations"]["items"]["additionalProperties"] is False


async def test_the_picture_goes_along(second: Second) -> None:
    await second[1].ask(replace(PROMPT, picture=b"jpeg"))
    picture, text = second[0].requests[0]["messages"][1]["content"]
    assert picture["image_url"]["url"] == f"data:image/jpeg;base64,{base64.b64encode(b'jpeg').decode()}"
    assert text["text"] == PROMPT.content


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (server.completion(None, refusal="I cannot"), ReplyKind.BLOCKED),
        (server.completion("", finish="content_filter"), ReplyKind.BLOCKED),
        (server.failure(400, "content_filter"), ReplyKind.BLOCKED),
        (server.completion('{"tr', finish="length"), ReplyKind.TRUNCATED),
        (server.failure(400, "context_length_exceeded"), ReplyKind.REJECTED),
        (server.failure(413), ReplyKind.REJECTED),
    ],
)
async def test_refusals_have_their_kind(second: Second, answer: Response, kind: ReplyKind) -> None:
    second[0].script = [lambda _: answer]
    assert (await second[1].ask(PROMPT)).kind is kind


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (server.failure(401), AuthError),
        (server.failure(403), AuthError),
        (server.failure(404), AuthError),
        (server.failure(429, retry_after="12"), TranslatorQuota),
        (server.failure(500), TranslatorUnavailable),
        (server.failure(503), TranslatorUnavailable),
        (Response(text="<html>proxy</html>"), TranslatorUnavailable),
        (Response(text="[]", content_type="application/json"), TranslatorUnavailable),
        (Response(text='{"choices": []}', content_type="application/json"), TranslatorUnavailable),
    ],
)
async def test_errors_are_ours_and_asked_once(
    second: Second, answer: Response, error: type[WorkerError]
) -> None:
    second[0].script = [lambda _: answer]
    with pytest.raises(error) as caught:
        await second[1].ask(PROMPT)
    assert caught.value.dependency == "translator"
    assert not {"secret-key", "quotes"} & set(caught.value.message.split())
    assert len(second[0].requests) == 1
    if isinstance(caught.value, TranslatorQuota):
        assert caught.value.retry_after == 12.0


async def test_nobody_listens() -> None:
    translator = OpenAiTranslator(OpenAiOptions("http://127.0.0.1:9/v1", "m", timeout_seconds=1.0))
    with pytest.raises(TranslatorUnavailable):
        await translator.ask(PROMPT)
    with pytest.raises(TranslatorUnavailable):
        await translator.check()
    await translator.close()


async def test_check_asks_the_endpoint(second: Second) -> None:
    assert await second[1].check() == "local-model at 127.0.0.1"


async def test_what_gemini_refuses_the_second_translates(
    gemini: tuple[first_server.GeminiServer, str], second: Second
) -> None:
    def refuse_bleach(request: dict[str, object]) -> Response:
        return (
            first_server.blocked()
            if 1 in first_server.ids_of(request)
            else first_server.translate_all(request)
        )

    gemini[0].otherwise = refuse_bleach
    first = GeminiTranslator(GeminiOptions("key", "gemini-test", gemini[1]))
    desk = Desk(Translators(first, second[1]), DeskOptions())
    answer = await desk.translate(PAGE)
    gemini[0].otherwise = lambda _: first_server.failure(503, "UNAVAILABLE", "down")
    while_down = await desk.translate(PAGE)
    await first.close()
    assert [entry.text for entry in answer.translations] == ["번역 0", "둘째 1"]
    assert [entry.text for entry in while_down.translations] == ["둘째 0", "둘째 1"]
    assert {entry.status for entry in answer.translations} == {BlockStatus.TRANSLATED}


@pytest.mark.parametrize(
    ("usage", "charged"),
    [
        ({"prompt_tokens": None, "completion_tokens": None}, Usage(0, 0, 0.0)),
        ({"prompt_tokens": "90", "completion_tokens": -1}, Usage(90, 0, 0.00009)),
        (None, Usage(0, 0, 0.0)),
        ([90, 30], None),
        ({"prompt_tokens": math.inf}, None),
        ({"prompt_tokens": [1]}, None),
    ],
)
async def test_what_a_server_counts_badly_fails_no_job(
    second: Second, usage: object, charged: Usage | None
) -> None:
    parts = [{"type": "text", "text": '{"translations"'}, {"type": "text", "text": ": []}"}]
    answer = {"choices": [{"message": {"content": parts}}], "usage": usage}
    second[0].script = [lambda _: Response(text=json.dumps(answer), content_type="application/json")]
    if charged is None:
        with pytest.raises(TranslatorUnavailable):
            await second[1].ask(PROMPT)
        return
    reply = await second[1].ask(PROMPT)
    assert reply.text == '{"translations": []}'
    assert reply.usage == charged
