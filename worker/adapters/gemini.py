"""Gemini through google-genai: carries a prompt there and a raw reply back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import httpx2
from google import genai
from google.genai import errors, types

from worker.errors import AuthError, TranslatorQuota, TranslatorUnavailable, WorkerError
from worker.job import TokenPrice, Usage
from worker.ports import Prompt, Reply, ReplyKind

_FINISH = types.FinishReason
_BLOCKED = frozenset(
    {_FINISH.SAFETY, _FINISH.BLOCKLIST, _FINISH.PROHIBITED_CONTENT, _FINISH.SPII, _FINISH.MODEL_ARMOR}
)
#: What to translate is the user's business; refusals of Google's own remain, and are told apart.
_SAFETY = [
    types.SafetySetting(category=category, threshold=types.HarmBlockThreshold.BLOCK_NONE)
    for category in (
        types.HarmCategory.HARM_CATEGORY_HARASSMENT,
        types.HarmCategory.HARM_CATEGORY_HATE_SPEECH,
        types.HarmCategory.HARM_CATEGORY_SEXUALLY_EXPLICIT,
        types.HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT,
    )
]
#: Models of the SDK that each call needs, with what they hold.
_SPOKEN = (
    types.Part,
    types.Content,
    types.GenerateContentConfig,
    types.Candidate,
    types.GenerateContentResponse,
)
_AWAY = (httpx2.HTTPError, OSError, TimeoutError)
#: A body that is no JSON, or of no known shape: the SDK stumbles over it in the last four ways.
_STUMBLES = (errors.APIError, *_AWAY, ValueError, TypeError, AttributeError, KeyError)
#: Replies are of the size of their prompts; this only stops a model that runs away.
_MAX_OUTPUT_TOKENS = 16384


@dataclass(frozen=True, slots=True)
class GeminiOptions:
    """Which model, where, and how patient."""

    api_key: str = field(repr=False)
    model: str
    #: None for Google's own address.
    base_url: str | None = None
    timeout_seconds: float = 60.0
    connections: int = 64
    #: None: what calls cost is not known.
    price: TokenPrice | None = None


class GeminiTranslator:
    """`Translator` on the Gemini API. Create it inside the running event loop."""

    def __init__(self, options: GeminiOptions) -> None:
        self._options = options
        # Or the SDK would do it in the first call, 25 ms at a stretch on the event loop.
        for model in _SPOKEN:
            model.model_rebuild()
        # An own client: with aiohttp installed the SDK would use that, and retry behind our back.
        self._http = httpx2.AsyncClient(
            timeout=options.timeout_seconds,
            limits=httpx2.Limits(max_connections=options.connections),
            trust_env=True,
        )
        self._client = genai.Client(
            api_key=options.api_key,
            http_options=types.HttpOptions(
                base_url=options.base_url,
                timeout=round(options.timeout_seconds * 1000),
                retry_options=types.HttpRetryOptions(attempts=1),
                httpx_async_client=self._http,
            ),
        )

    async def ask(self, prompt: Prompt) -> Reply:
        """One call of generateContent.

        Raises:
            AuthError: The key was refused, the credit is used up, or there is no such model.
            TranslatorQuota: 429; `retry_after` from RetryInfo where given.
            TranslatorUnavailable: 5xx, reset, timeout.
        """
        try:
            response = await self._client.aio.models.generate_content(
                model=self._options.model,
                contents=_contents(prompt),
                config=types.GenerateContentConfig(
                    system_instruction=prompt.system,
                    response_mime_type="application/json",
                    response_json_schema=prompt.schema,
                    temperature=0.2,
                    max_output_tokens=_MAX_OUTPUT_TOKENS,
                    safety_settings=_SAFETY,
                ),
            )
        except _STUMBLES as error:
            if _is_rejection(error):
                return Reply(ReplyKind.REJECTED, "", Usage())
            raise self._translate_error(error) from None
        return self._reply(response)

    async def check(self) -> str:
        """The key is accepted and the model is there."""
        try:
            await self._client.aio.models.get(model=self._options.model)
        except _STUMBLES as error:
            raise self._translate_error(error) from None
        return f"Gemini has {self._options.model}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _reply(self, response: types.GenerateContentResponse) -> Reply:
        usage = self._usage(response.usage_metadata)
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason is not None:
            return Reply(ReplyKind.BLOCKED, "", usage)
        if not response.candidates:
            # No answer and no reason for it: a mishap, not a refusal that would be remembered.
            return Reply(ReplyKind.OK, "", usage)
        candidate = response.candidates[0]
        parts = (candidate.content.parts if candidate.content else None) or []
        text = "".join(part.text for part in parts if part.text and not part.thought)
        return Reply(_kind(candidate.finish_reason), text, usage)

    def _usage(self, metadata: types.GenerateContentResponseUsageMetadata | None) -> Usage:
        if metadata is None:
            return Usage()
        asked = metadata.prompt_token_count or 0
        answered = (metadata.candidates_token_count or 0) + (metadata.thoughts_token_count or 0)
        price = self._options.price
        return Usage(asked, answered, price.cost(asked, answered) if price is not None else None)

    def _translate_error(self, error: Exception) -> WorkerError:
        """The vendor's error as ours; its text may quote the request, so only code and status pass."""
        if isinstance(error, _AWAY):
            return TranslatorUnavailable(f"Gemini: {type(error).__name__}")
        if not isinstance(error, errors.APIError):
            return TranslatorUnavailable("Gemini: the answer cannot be read")
        public = f"Gemini: {error.code} {error.status or ''}".strip()
        if error.code == 429:
            return TranslatorQuota(public, retry_after=_retry_delay(error.details))
        if error.code == 404:
            return AuthError(
                f"GEMINI_MODEL: {self._options.model} is not there ({public})", dependency="translator"
            )
        # 400 FAILED_PRECONDITION: not sold in this country; 402: the credit is used up.
        if error.code in (400, 401, 402, 403):
            return AuthError(f"GEMINI_API_KEY: refused ({public})", dependency="translator")
        return TranslatorUnavailable(public)


def _contents(prompt: Prompt) -> types.Content:
    parts = [types.Part(text=prompt.content)]
    if prompt.picture is not None:
        parts.insert(0, types.Part.from_bytes(data=prompt.picture, mime_type="image/jpeg"))
    return types.Content(role="user", parts=parts)


def _kind(reason: types.FinishReason | None) -> ReplyKind:
    if reason in _BLOCKED:
        return ReplyKind.BLOCKED
    if reason is _FINISH.RECITATION:
        return ReplyKind.RECITATION
    if reason is _FINISH.MAX_TOKENS:
        return ReplyKind.TRUNCATED
    return ReplyKind.OK


def _is_rejection(error: Exception) -> bool:
    """Whether Gemini understood who asks, but not what: also what it says to a request that is too large."""
    if not isinstance(error, errors.APIError):
        return False
    invalid = error.code == 400 and error.status == "INVALID_ARGUMENT"
    return error.code == 413 or (invalid and "API_KEY" not in str(error.details))


def _retry_delay(details: object) -> float | None:
    """Seconds from a 429's RetryInfo, such as {"@type": "…RetryInfo", "retryDelay": "17s"}."""
    found = re.search(r"'retryDelay': '(\d+(?:\.\d+)?)s'", str(details))
    return float(found[1]) if found else None
