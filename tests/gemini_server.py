"""A local HTTP server that speaks Gemini's REST protocol, faults included, under the real SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[dict[str, Any]], "web.Response"]


def completion(
    text: str, *, finish: str = "STOP", prompt_tokens: int = 100, tokens: int = 40
) -> web.Response:
    """A generateContent response with one candidate."""
    return web.json_response(
        {
            "candidates": [
                {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish, "index": 0}
            ],
            "usageMetadata": {
                "promptTokenCount": prompt_tokens,
                "candidatesTokenCount": tokens,
                "totalTokenCount": prompt_tokens + tokens,
            },
            "modelVersion": "local",
        }
    )


def blocked(reason: str = "SAFETY") -> web.Response:
    """A prompt that was refused."""
    return web.json_response(
        {"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 100}}
    )


def failure(status: int, name: str, message: str, *details: dict[str, Any]) -> web.Response:
    """An error in Google's form."""
    error = {"code": status, "status": name, "message": message, "details": list(details)}
    return web.json_response({"error": error}, status=status)


def quota(retry_delay: str = "17s") -> web.Response:
    """429 with RetryInfo."""
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay}
    return failure(429, "RESOURCE_EXHAUSTED", "quota", detail)


def blocks_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks that a request asks to translate."""
    content = json.loads(request["contents"][0]["parts"][0]["text"])
    blocks: list[dict[str, Any]] = content["blocks"]
    return blocks


def translate_all(request: dict[str, Any]) -> web.Response:
    """The good answer: 번역 and the block's id for each block."""
    translations = [{"id": block["id"], "text": f"번역 {block['id']}"} for block in blocks_of(request)]
    return completion(json.dumps({"translations": translations}))


@dataclass
class GeminiServer:
    """Answers with `script` in turn, then with `otherwise`; keeps what it was asked."""

    otherwise: Answer = translate_all
    script: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/{version}/models/{model}", self._generate)
        application.router.add_get("/{version}/models/{model}", self._model)
        return application

    async def _generate(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("x-goog-api-key"))
        answer = self.script.pop(0) if self.script else self.otherwise
        return answer(body)

    async def _model(self, request: web.Request) -> web.Response:
        return web.json_response({"name": f"models/{request.match_info['model']}", "version": "1"})
