"""What translating costs beside the model: calls, blocks a second, CPU an image; then with injected faults.

    make bench-translation

200 images of 20 blocks, 16 at a time, as jobs run: desk, memory and pace in a Redis of its own, the real
google-genai SDK, a Gemini that is a process of its own and takes 300 ms for an answer. An image whose run
ends in a 429 or 500 comes again later, as the queue does it. CPU is this process's, without the servers,
after a few images to warm up; the same requests by the bare SDK say what of it is not ours.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import redis
import structlog
from rich.console import Console
from rich.table import Table

from benchmarks.machine import described
from worker.adapters import redis_memory
from worker.adapters.gemini import GeminiOptions, GeminiTranslator
from worker.adapters.paced import PacedTranslator, PaceOptions
from worker.adapters.redis_cooldown import PaceLimits, RedisCooldown
from worker.adapters.redis_memory import RedisMemory, RedisTerms
from worker.embedded import EmbeddedRedis
from worker.errors import DependencyError
from worker.job import BlockStatus, TextBlock, TextLine
from worker.ports import Prompt, Reply, Translator
from worker.translation.desk import Desk, DeskOptions
from worker.translation.glossary import Glossary
from worker.translation.prompt import Languages, PageText, build_prompt
from worker.translation.session import Translators

IMAGES, BLOCKS, AT_ONCE = 200, 20, 16
LATENCY, FAULTS = 0.3, 0.3
#: Pictures of one product.
PRODUCT = 10
_WORDS = "恒温锁鲜大容量不锈钢内胆防烫手柄一键沸腾静音降噪长续航防汗防水加厚保暖柔软亲肤透气速干耐磨抗皱"


@dataclass
class Counted:
    """A `Translator` that counts."""

    translator: Translator
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    async def ask(self, prompt: Prompt) -> Reply:
        """See `ports.Translator`."""
        self.calls += 1
        try:
            reply = await self.translator.ask(prompt)
        except DependencyError as error:
            self.errors[error.code] += 1
            raise
        self.errors[reply.kind.value] += 1
        return reply


@dataclass(frozen=True, slots=True)
class Round:
    """One pass over all images."""

    name: str
    seconds: float
    cpu: float
    calls: int
    runs: int
    #: None: not looked at.
    translated: int | None
    outcomes: Counter[str]


def _pages(images: int, seed: int, terms: int = 500) -> list[PageText]:
    """Every text is another one, but for a footer that all pictures of a product have."""
    chance = random.Random(seed)
    glossary = Glossary.of(
        {"".join(chance.sample(_WORDS, 3)): f"용어{number}" for number in range(terms)}
        | {"不锈钢": "스테인리스"}
    )
    counter = itertools.count()
    pages = []
    for image in range(images):
        texts = [f"{''.join(chance.sample(_WORDS, 10))}第{seed}{next(counter)}款" for _ in range(BLOCKS - 1)]
        texts.append(f"产品{seed}{image // PRODUCT}号售后说明")
        pages.append(
            PageText(
                tuple(_block(number, text) for number, text in enumerate(texts)),
                Languages("zh", "ko"),
                glossary,
                product=f"{seed}-{image // PRODUCT}",
            )
        )
    return pages


def _block(number: int, text: str) -> TextBlock:
    left, top, height = 40.0, 40.0 + 60 * number, 30.0
    right, bottom = left + height * len(text), top + height
    polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return TextBlock(number, (TextLine(polygon, text, 0.99),), text, polygon, 0.0, height)


@contextmanager
def _gemini(faults: float) -> Iterator[str]:
    """The server as a process of its own; its address."""
    command = [
        sys.executable,
        "-m",
        "tests.gemini_server",
        "--latency",
        str(LATENCY),
        "--faults",
        str(faults),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def _desk(redis_url: str, gemini_url: str) -> AsyncIterator[tuple[Desk, Counted]]:
    gemini = GeminiTranslator(GeminiOptions("key", "gemini-bench", gemini_url))
    client = redis_memory.connect(redis_url)
    counted = Counted(gemini)
    # A worker waits through a short rest; the injected 429s ask for 200 ms.
    paced = PacedTranslator(counted, RedisCooldown(client, "gemini-bench", PaceLimits(0)), PaceOptions())
    desk = Desk(
        Translators(paced), DeskOptions(), memory=RedisMemory(client, 3600), terms=RedisTerms(client, 3600)
    )
    yield desk, counted
    await desk.close()
    await gemini.close()
    await client.aclose()


async def _sdk_alone(counted: Counted, pages: list[PageText]) -> Round:
    """The same requests by the bare adapter: what the SDK takes of it."""
    slots = asyncio.Semaphore(AT_ONCE)
    counted.calls, counted.errors = 0, Counter()

    async def one(page: PageText) -> None:
        async with slots:
            await counted.ask(build_prompt(page, page.blocks))

    started, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as jobs:
        for page in pages:
            jobs.create_task(one(page))
    seconds, spent = time.perf_counter() - started, time.process_time() - cpu
    return Round("the SDK alone", seconds, spent, counted.calls, len(pages), None, counted.errors)


async def _round(name: str, desk: Desk, counted: Counted, pages: list[PageText]) -> Round:
    """All images to their end; one whose translator fails comes again."""
    slots = asyncio.Semaphore(AT_ONCE)
    runs = translated = 0
    counted.calls, counted.errors = 0, Counter()

    async def one(page: PageText) -> None:
        nonlocal runs, translated
        for attempt in itertools.count():
            async with slots:
                runs += 1
                try:
                    answer = await desk.translate(page)
                except DependencyError as error:
                    delay = (error.retry_after or 0.0) + random.uniform(0, min(2.0, 0.1 * 2**attempt))
                else:
                    translated += sum(entry.status is BlockStatus.TRANSLATED for entry in answer.translations)
                    return
            await asyncio.sleep(delay)

    started, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as jobs:
        for page in pages:
            jobs.create_task(one(page))
    return Round(
        name,
        time.perf_counter() - started,
        time.process_time() - cpu,
        counted.calls,
        runs,
        translated,
        counted.errors,
    )


async def _measure(redis_url: str, faults: float, pages: list[PageText]) -> list[Round]:
    with _gemini(faults) as url:
        async with _desk(redis_url, url) as (desk, counted):
            await _round("warm-up", desk, counted, _pages(AT_ONCE, 9))
            alone = [] if faults else [await _sdk_alone(counted, pages)]
            name = "no faults" if not faults else f"{faults:.0%} of the calls 429, 500 or blocked"
            rounds = [*alone, await _round(name, desk, counted, pages)]
            if not faults:
                rounds.append(await _round("again, from the memory", desk, counted, pages))
    return rounds


def _table(rounds: list[Round]) -> Table:
    table = Table(
        title=f"{IMAGES} images of {BLOCKS} blocks, {AT_ONCE} at once, {LATENCY * 1000:.0f} ms a call"
    )
    for column in ("", "runs", "calls", "blocks/s", "CPU ms an image", "translated", "outcomes of the calls"):
        table.add_column(column, justify="left" if column in ("", "outcomes of the calls") else "right")
    for done in rounds:
        table.add_row(
            done.name,
            str(done.runs),
            str(done.calls),
            f"{IMAGES * BLOCKS / done.seconds:,.0f}",
            f"{done.cpu * 1000 / IMAGES:.2f}",
            "" if done.translated is None else f"{done.translated:,} of {IMAGES * BLOCKS:,}",
            ", ".join(f"{outcome} {count}" for outcome, count in sorted(done.outcomes.items())),
        )
    return table


def main() -> None:
    """Measure and print; ends with 1 where a block was lost."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(described())
    pages = _pages(IMAGES, 1)
    rounds: list[Round] = []
    with EmbeddedRedis() as server:
        for faults in (0.0, FAULTS):
            with redis.Redis.from_url(server.url) as client:
                client.flushall()
            rounds += asyncio.run(_measure(server.url, faults, pages))
    Console(width=150).print(_table(rounds))
    sys.exit(any(done.translated not in (None, IMAGES * BLOCKS) for done in rounds))


if __name__ == "__main__":
    main()
