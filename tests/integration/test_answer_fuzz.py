"""Whatever Gemini, or the second translator, answers with: a reply or one of our errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp.web import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import gemini_server as server
from tests.damage import damaged
from worker import ports
from worker.adapters.gemini import GeminiOptions, GeminiTranslator
from worker.errors import WorkerError

Gemini = tuple[server.GeminiServer, str]
PROMPT = ports.Prompt(system="s", content='{"blocks": []}', schema={})
GOOD = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "{}", "thought": False}]},
            "finishReason": "STOP",
            "index": 0,
            "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}],
        }
    ],
    "promptFeedback": {"safetyRatings": []},
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
REFUSED = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m", "details": [RETRY]}}


@pytest.fixture
async def translator(gemini: Gemini) -> AsyncIterator[GeminiTranslator]:
    opened = GeminiTranslator(GeminiOptions("secret-key", "gemini-test", gemini[1], timeout_seconds=2.0))
    yield opened
    await opened.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=(damaged(GOOD) | damaged(REFUSED)).map(json.dumps),
    status=st.sampled_from([200, 200, 400, 403, 404, 429, 500, 503]),
)
async def test_any_answer_is_a_reply_or_an_error_of_ours(
    gemini: Gemini, translator: GeminiTranslator, answer: str, status: int
) -> None:
    # Hypothesis prints its arguments: what was asked before is of no interest.
    gemini[0].requests.clear()
    gemini[0].keys.clear()
    gemini[0].script = [lambda _: Response(text=answer, status=status, content_type="application/json")]
    try:
        reply = await translator.ask(PROMPT)
    except WorkerError:
        return
    assert isinstance(reply.text, str)
    assert reply.usage.input_tokens >= 0
