"""Any endpoint that speaks OpenAI's chat completions, a local model's server too, in plain HTTP."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from worker.errors import AuthError, TranslatorQuota, TranslatorUnavailable, WorkerError
from worker.job import TokenPrice, Usage
from worker.ports import Prompt, Reply, ReplyKind

_KINDS = {"content_filter": ReplyKind.BLOCKED, "length": ReplyKind.TRUNCATED}
_MAX_OUTPUT_TOKENS = 16384


@dataclass(frozen=True, slots=True)
class OpenAiOptions:
    """Which model, where, and how patient."""

    #: Up to and with the version, such as https://host/v1.
    base_url: str
    model: str
    #: None for servers that ask for none.
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 120.0
    connections: int = 16
    #: None: what calls cost is not known.
    price: TokenPrice | None = None


class OpenAiTranslator:
    """`Translator` on chat completions. Create it inside the running event loop."""

    def __init__(self, options: OpenAiOptions) -> None:
        self._options = options
        headers = {"Authorization": f"Bearer {options.api_key}"} if options.api_key else {}
        self._http = httpx2.AsyncClient(
            base_url=options.base_url.rstrip("/") + "/",
            headers=headers,
            timeout=options.timeout_seconds,
            limits=httpx2.Limits(max_connections=options.connections),
        )

    async def ask(self, prompt: Prompt) -> Reply:
        """One chat completion with a JSON schema for its answer.

        Raises:
            AuthError: The key was refused, or there is no such model.
            TranslatorQuota: 429; `retry_after` from the header where given.
            TranslatorUnavailable: 5xx, reset, timeout, an answer that is none.
        """
        response = await self._call("POST", "chat/completions", _body(prompt, self._options.model))
        if response.status_code in (400, 413, 422):
            blocked = "content_filter" in response.text
            return Reply(ReplyKind.BLOCKED if blocked else ReplyKind.REJECTED, "", Usage())
        _raise_for_status(response)
        try:
            return self._reply(response.json())
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            raise TranslatorUnavailable("second translator: the answer cannot be read") from None

    async def check(self) -> str:
        """The endpoint answers and takes the key."""
        _raise_for_status(await self._call("GET", "models"))
        return f"{self._options.model} at {self._http.base_url.host}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        try:
            return await self._http.request(method, path, json=body)
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            raise TranslatorUnavailable(f"second translator: {type(error).__name__}") from None

    def _reply(self, answer: Any) -> Reply:
        choice = answer["choices"][0]
        message = choice["message"]
        kind = _KINDS.get(choice.get("finish_reason"), ReplyKind.OK)
        if message.get("refusal"):
            kind = ReplyKind.BLOCKED
        return Reply(kind, _text(message.get("content")), self._usage(answer.get("usage") or {}))

    def _usage(self, usage: Mapping[str, int | None]) -> Usage:
        # Local servers count only in part: null, or nothing.
        asked, answered = (
            max(0, int(usage.get(name) or 0)) for name in ("prompt_tokens", "completion_tokens")
        )
        price = self._options.price
        return Usage(asked, answered, price.cost(asked, answered) if price is not None else None)


def _text(content: str | list[Mapping[str, str]] | None) -> str:
    """What was said: as one text, or in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content)
    return str(content or "")


def _body(prompt: Prompt, model: str) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = prompt.content
    if prompt.picture is not None:
        url = f"data:image/jpeg;base64,{base64.b64encode(prompt.picture).decode()}"
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": prompt.content},
        ]
    schema = {"name": "translations", "strict": True, "schema": _strict(prompt.schema)}
    return {
        "model": model,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": content}],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "temperature": 0.2,
        "max_tokens": _MAX_OUTPUT_TOKENS,
    }


def _strict(schema: Any) -> Any:
    """The schema as `strict` wants it: no object may hold more than is named."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if schema.get("type") == "object" else {}
    return {name: _strict(part) for name, part in schema.items()} | closed


def _raise_for_status(response: httpx2.Response) -> None:
    if response.is_success:
        return
    raise _error(response.status_code, response.headers.get("retry-after"))


def _error(status: int, retry_after: str | None) -> WorkerError:
    """The vendor's error as ours; its text may quote the request, so only the code passes."""
    public = f"second translator: {status}"
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
        return TranslatorQuota(public, retry_after=seconds)
    if status == 404:
        return AuthError(
            f"FALLBACK_MODEL or FALLBACK_BASE_URL: not there ({public})", dependency="translator"
        )
    if status in (401, 402, 403):
        return AuthError(f"FALLBACK_API_KEY: refused ({public})", dependency="translator")
    return TranslatorUnavailable(public)
