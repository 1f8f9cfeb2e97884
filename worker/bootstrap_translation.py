"""The translator's part of the composition root: who is asked, at what pace, with what memory."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from redis.asyncio import Redis

from worker.adapters import redis_memory
from worker.adapters.gemini import GeminiOptions, GeminiTranslator
from worker.adapters.glossary import GlossaryTranslator
from worker.adapters.metered import MeteredMemory, MeteredTranslator
from worker.adapters.openai_compatible import OpenAiOptions, OpenAiTranslator
from worker.adapters.paced import PacedTranslator, PaceOptions
from worker.adapters.redis_cooldown import PaceLimits, RedisCooldown
from worker.adapters.redis_memory import RedisMemory, RedisTerms
from worker.errors import DependencyError, SettingsError, WorkerError
from worker.ports import Check, Translator
from worker.settings import TranslateSettings
from worker.translation.desk import Desk, DeskOptions
from worker.translation.glossary import Glossary, parse_glossary
from worker.translation.session import Translators

#: How long the terms of a product are remembered after its last picture.
_TERMS_TTL_SECONDS = 86400
#: With a second translator, the first is left alone for so long after an outage.
_REST_WHEN_DOWN_SECONDS = 15.0


def open_desk(
    settings: TranslateSettings, glossary: Glossary, redis_url: str | None, stack: AsyncExitStack
) -> tuple[Desk, Check]:
    """Build the translators and what stands around them; what to ask whether there is a translator.

    Args:
        settings: From the environment.
        glossary: The service's own.
        redis_url: The queue's; None: without a queue this process is alone and remembers nothing.
        stack: Closes what was opened.
    """
    if settings.translator == "glossary":
        known = GlossaryTranslator(glossary)
        desk = Desk(Translators(MeteredTranslator(known)), DeskOptions())
        stack.push_async_callback(desk.close)
        return desk, known
    gemini = _open_gemini(settings, stack)
    second = _open_second(settings, stack)
    redis = _connect(settings, redis_url, stack)
    translators = Translators(
        _paced(MeteredTranslator(gemini), redis, settings),
        MeteredTranslator(second) if second is not None else None,
    )
    ttl = settings.translation_memory_ttl_seconds
    desk = Desk(
        translators,
        DeskOptions(settings.translate_profile, _models(settings)),
        memory=MeteredMemory(RedisMemory(redis, ttl)) if redis is not None and ttl else None,
        terms=RedisTerms(redis, _TERMS_TTL_SECONDS) if redis is not None else None,
    )
    stack.push_async_callback(desk.close)
    return desk, gemini if second is None else _Either(gemini, second)


def each_translator(settings: TranslateSettings, stack: AsyncExitStack) -> tuple[Check, ...]:
    """The first, and the second where there is one, to be asked each on its own."""
    glossary = read_glossary(settings.glossary_path)
    if settings.translator == "glossary":
        return (GlossaryTranslator(glossary),)
    second = _open_second(settings, stack)
    return (_open_gemini(settings, stack), *((second,) if second is not None else ()))


class _Either:
    """A `Check` that is content while one of two translators answers."""

    def __init__(self, first: Check, second: Check) -> None:
        self._first = first
        self._second = second

    async def check(self) -> str:
        try:
            first = await self._first.check()
        except DependencyError as error:
            return f"{error.message}; {await self._second.check()}"
        try:
            return f"{first}; {await self._second.check()}"
        except WorkerError as error:
            return f"{first}; {error.message}"


def read_glossary(path: Path | None) -> Glossary:
    """The service's glossary, empty where there is none.

    Raises:
        SettingsError: The file cannot be read; the message names the line.
    """
    if path is None:
        return Glossary()
    try:
        return Glossary.of(parse_glossary(path.read_text(encoding="utf-8-sig"), path.name))
    except OSError as error:
        raise SettingsError(f"GLOSSARY_PATH: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"GLOSSARY_PATH: {path}: is not UTF-8") from None


def _connect(settings: TranslateSettings, redis_url: str | None, stack: AsyncExitStack) -> Redis | None:
    """Where workers share memory and pace: a Redis of their own, which may forget, or the queue's."""
    if redis_url is None:
        return None
    redis = redis_memory.connect(settings.translation_memory_url or redis_url)
    stack.push_async_callback(redis.aclose)
    return redis


def _open_gemini(settings: TranslateSettings, stack: AsyncExitStack) -> GeminiTranslator:
    if settings.gemini_api_key is None:
        raise SettingsError("GEMINI_API_KEY is missing")
    gemini = GeminiTranslator(
        GeminiOptions(
            api_key=settings.gemini_api_key.get_secret_value(),
            model=settings.gemini_model,
            base_url=str(settings.gemini_base_url) if settings.gemini_base_url else None,
            price=settings.gemini_price,
        )
    )
    stack.push_async_callback(gemini.close)
    return gemini


def _open_second(settings: TranslateSettings, stack: AsyncExitStack) -> OpenAiTranslator | None:
    if settings.fallback_base_url is None or settings.fallback_model is None:
        return None
    key = settings.fallback_api_key
    second = OpenAiTranslator(
        OpenAiOptions(
            base_url=str(settings.fallback_base_url),
            model=settings.fallback_model,
            api_key=key.get_secret_value() if key is not None else None,
            price=settings.fallback_price,
        )
    )
    stack.push_async_callback(second.close)
    return second


def _paced(translator: Translator, redis: Redis | None, settings: TranslateSettings) -> Translator:
    if redis is None:
        return translator
    cooldown = RedisCooldown(redis, settings.gemini_model, PaceLimits(settings.gemini_requests_per_minute))
    has_second = settings.fallback_base_url is not None
    return PacedTranslator(
        translator, cooldown, PaceOptions(rest_when_down=_REST_WHEN_DOWN_SECONDS if has_second else 0.0)
    )


def _models(settings: TranslateSettings) -> str:
    """Who may have said it: with a second model, some translations are that one's."""
    return "+".join(filter(None, (settings.gemini_model, settings.fallback_model)))
