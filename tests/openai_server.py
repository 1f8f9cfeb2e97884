"""A local HTTP server that speaks OpenAI's chat completions, as a second translator."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[dict[str, Any]], "web.Response"]


def completion(text: str | None, *, finish: str = "stop", refusal: str | None = None) -> web.Response:
    """A chat completion with one choice."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return web.json_response(
        {
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 90, "completion_tokens": 30},
        }
    )


def failure(status: int, code: str = "", **headers: str) -> web.Response:
    """An error in OpenAI's form."""
    return web.json_response(
        {"error": {"message": "quotes the request", "code": code}},
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def translate_all(request: dict[str, Any]) -> web.Response:
    """The good answer: 둘째 and the block's id."""
    content = request["messages"][1]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    entries = [{"id": block["id"], "text": f"둘째 {block['id']}"} for block in json.loads(text)["blocks"]]
    return completion(json.dumps({"translations": entries}, ensure_ascii=False))


@dataclass
class OpenAiServer:
    """Answers with `script` in turn, then with the good answer; keeps what it was asked."""

    script: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._complete)
        application.router.add_get("/v1/models", self._models)
        return application

    async def _complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization"))
        return (self.script.pop(0) if self.script else translate_all)(body)

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": []})
