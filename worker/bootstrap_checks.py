"""Everything that the worker needs, each on its own: what `operate-worker check` goes through."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from worker import tracing
from worker.adapters.disk_spool import try_out
from worker.adapters.redis_server import RedisServer
from worker.bootstrap import open_inpainter, open_queue, open_store
from worker.bootstrap_translation import each_translator, open_desk, read_glossary
from worker.errors import QueueUnavailable, SettingsError, SpoolUnavailable, WorkerError
from worker.rendering.fonts import FontOptions, FontSet
from worker.settings import Settings, TranslateSettings

#: Letters that a font for the language must have; Latin ones otherwise.
_LETTERS = {
    "ko": "가힣",
    "ja": "あアー語",
    "zh": "中文",
    "ru": "ЖЯ",
    "uk": "ЇЄ",
    "el": "ΩΛ",
    "vi": "ếợ",
    "th": "กษ",
    "ar": "عش",
    "fa": "گپ",
    "he": "אש",
    "hi": "अक",
    "bn": "অক",
    "ta": "அக",
}
#: Patches of eight long strips that wait; see PIXEL_BUDGET.
_ROOM_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Part:
    """One thing the worker needs.

    Attributes:
        name: As the output has it.
        ask: Says in a line what answered; raises a `WorkerError` that says what to do.
    """

    name: str
    ask: Callable[[AsyncExitStack], Awaitable[str]]

    async def check(self, seconds: float) -> str:
        """Open it, ask it, close it again."""
        try:
            async with asyncio.timeout(seconds), AsyncExitStack() as stack:
                return await self.ask(stack)
        except TimeoutError:
            raise WorkerError(f"no answer in {seconds:g} s") from None


def parts(settings: Settings) -> Iterator[Part]:
    """What these settings need, in the order of a job's way."""

    async def redis(stack: AsyncExitStack) -> str:
        queue, _ = open_queue(settings.queue, settings.translate.target_language, stack)
        return await queue.check()

    async def inpainter(stack: AsyncExitStack) -> str:
        return await (await open_inpainter(settings.inpaint, stack))[1].check()

    async def store(stack: AsyncExitStack) -> str:
        return await (await open_store(settings.storage, stack))[1].check()

    yield Part("redis", redis)
    if settings.translate.translator == "gemini" and settings.translate.translation_memory_url:
        yield Part("memory", lambda stack: _ask_memory(str(settings.translate.translation_memory_url), stack))
    yield Part("inpainter", inpainter)
    yield from translators(settings.translate)
    yield Part("store", store)
    yield Part("fonts", lambda _: asyncio.to_thread(_look_for_fonts, settings))
    yield Part("spool", lambda _: asyncio.to_thread(_look_at_spool, settings.limits.spool_dir))
    if settings.service.otlp_endpoint is not None:
        yield Part("traces", lambda _: asyncio.to_thread(_trace, settings))


def translators(settings: TranslateSettings) -> Iterator[Part]:
    """A worker is ready while one of two answers; who asks wants to know of each."""

    def ask(place: int) -> Callable[[AsyncExitStack], Awaitable[str]]:
        return lambda stack: each_translator(settings, stack)[place].check()

    yield Part("translator", ask(0))
    if settings.translator == "gemini" and settings.fallback_base_url is not None:
        yield Part("fallback", ask(1))


def translator(settings: TranslateSettings) -> Part:
    """Whoever translates: one of two is enough."""

    async def ask(stack: AsyncExitStack) -> str:
        _, check = open_desk(settings, read_glossary(settings.glossary_path), None, stack)
        return await check.check()

    return Part("translator", ask)


async def _ask_memory(url: str, stack: AsyncExitStack) -> str:
    try:
        server = RedisServer(url)
        stack.push_async_callback(server.close)
        line, _ = await server.inspect()
    except WorkerError as error:
        # The server speaks of the variable that it is usually named by.
        message = error.message.replace("REDIS_URL", "TRANSLATION_MEMORY_URL")
        raise QueueUnavailable(f"{message}; translations are not remembered") from None
    # What endangers jobs, a Redis that evicts, is welcome here.
    return line.partition(", ")[0]


def _look_for_fonts(settings: Settings) -> str:
    language = settings.translate.target_language
    fonts = FontSet.load(FontOptions(settings.service.font_paths))
    letters = _LETTERS.get(language.partition("-")[0].lower(), "Aa")
    shaped = fonts.shape(letters, language, 400)
    if shaped.missing:
        raise SettingsError(
            f"FONT_PATHS: no font has {shaped.missing}, TARGET_LANGUAGE is {language}; name a file that has"
        )
    return f"{', '.join(shaped.families)} for {language}"


def _trace(settings: Settings) -> str:
    tracing.configure()
    address = settings.service.otlp_endpoint
    return f"spans go to {address.host if address else None}"


def _look_at_spool(directory: Path) -> str:
    try_out(directory)
    free = shutil.disk_usage(directory).free
    room = f"{free / (1 << 30):.1f} GiB free"
    if free < _ROOM_BYTES:
        raise SpoolUnavailable(f"SPOOL_DIR: {directory}: only {room}; 1 GiB should be")
    return f"{directory} can be written, {room}"
