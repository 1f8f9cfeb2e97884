"""A local HTTP server that speaks Gemini's REST protocol, faults included, under the real SDK.

In a test it runs in the test's own loop; for benchmarks it is a process of its own:

    python -m tests.gemini_server --latency 0.3 --faults 0.3      prints its port, serves until it is killed
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[dict[str, Any]], "web.Response"]

#: An answer that never comes (until the client's patience ends), and one that breaks off.
HANG, RESET = web.Response(status=598), web.Response(status=599)


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


def content_of(request: dict[str, Any]) -> dict[str, Any]:
    """The JSON that a request carries."""
    text = next(part["text"] for part in request["contents"][0]["parts"] if "text" in part)
    content: dict[str, Any] = json.loads(text)
    return content


def blocks_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks that a request asks to translate."""
    blocks: list[dict[str, Any]] = content_of(request)["blocks"]
    return blocks


def ids_of(request: dict[str, Any]) -> list[int]:
    return [block["id"] for block in blocks_of(request)]


def translation_of(request: dict[str, Any], block: dict[str, Any]) -> str:
    """번역 and the block's id, with the glossary's terms and the codes that have to be there."""
    terms = [target for source, target in content_of(request)["glossary"].items() if source in block["text"]]
    codes = re.findall(r"[A-Za-z0-9./%-]{2,}", block["text"])
    return " ".join(["번역", str(block["id"]), *terms, *codes])


def reply_of(request: dict[str, Any], **changes: str | None) -> str:
    """The text of a good answer; `changes`, by `b` and block id, replace a translation or leave it out."""
    texts = {block["id"]: translation_of(request, block) for block in blocks_of(request)}
    changed = {number: changes.get(f"b{number}", text) for number, text in texts.items()}
    entries = [{"id": number, "text": text} for number, text in changed.items() if text is not None]
    return json.dumps({"translations": entries}, ensure_ascii=False)


def translate_all(request: dict[str, Any]) -> web.Response:
    """The good answer."""
    return completion(reply_of(request))


def with_faults(share: float, seed: int = 0) -> Answer:
    """The good answer, but 429, 500 or a refusal of requests that can be halved for a share of the calls."""
    chance = random.Random(seed)

    def answer(request: dict[str, Any]) -> web.Response:
        if chance.random() >= share:
            return translate_all(request)
        fault = chance.choice(["quota", "failure", "blocked"])
        if fault == "quota":
            return quota("0.2s")
        if fault == "failure" or len(blocks_of(request)) == 1:
            return failure(500, "INTERNAL", "injected")
        return blocked()

    return answer


@dataclass
class GeminiServer:
    """Answers with `script` in turn, then with `otherwise`; keeps what it was asked."""

    otherwise: Answer = translate_all
    script: list[Answer] = field(default_factory=list)
    #: Seconds that each answer takes.
    latency: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    #: Instead of what it says about its model.
    model: web.Response | None = None

    @property
    def asked(self) -> list[list[int]]:
        """The block ids of each request."""
        return [ids_of(request) for request in self.requests]

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_post("/{version}/models/{model}", self._generate)
        application.router.add_get("/{version}/models/{model}", self._model)
        application.router.add_get("/calls", self._calls)
        return application

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("x-goog-api-key"))
        answer = (self.script.pop(0) if self.script else self.otherwise)(body)
        await asyncio.sleep(self.latency)
        while answer is HANG and request.transport is not None:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0.02)
        if answer is RESET and request.transport is not None:
            request.transport.abort()
        return answer

    async def _model(self, request: web.Request) -> web.Response:
        good = {"name": f"models/{request.match_info['model']}", "version": "1"}
        return self.model or web.json_response(good)

    async def _calls(self, _: web.Request) -> web.Response:
        return web.json_response(len(self.requests))


async def _serve(latency: float, share: float, seed: int) -> None:
    server = GeminiServer(otherwise=with_faults(share, seed), latency=latency)
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - whoever started it reads its port
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    asyncio.run(_serve(chosen.latency, chosen.faults, chosen.seed))
