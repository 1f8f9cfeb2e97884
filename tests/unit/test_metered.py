"""What the wrappers around the ports count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from worker import metrics
from worker.adapters.metered import MeteredMemory, MeteredStore, MeteredTranslator
from worker.errors import StoreUnavailable, TranslatorQuota
from worker.job import Usage
from worker.ports import Prompt, Reply, ReplyKind
from worker.report import Stopwatch
from worker.threads import PixelThread, in_thread

PROMPT = Prompt("", "", {})


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


class Growth:
    """How much a sample grows inside the block."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels

    def __enter__(self) -> Growth:
        self._before = value(self._name, **self._labels)
        return self

    def __exit__(self, *_: object) -> None:
        self.value = value(self._name, **self._labels) - self._before


class FakeTranslator:
    async def ask(self, prompt: Prompt) -> Reply:
        if prompt.system:
            raise TranslatorQuota("429")
        return Reply(ReplyKind.TRUNCATED, "", Usage(7, 3, 0.25))


class FakeMemory:
    async def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        return {key: "known" for key in keys if key != "new"}

    async def remember(self, translations: Mapping[str, str]) -> None:
        return


class FakeStore:
    async def put(self, key: str, payload: bytes, content_type: str) -> str:
        if key == "down":
            raise StoreUnavailable("503")
        return key


async def test_a_call_is_counted_with_its_outcome_tokens_and_price() -> None:
    calls = Growth("operate_translator_calls_total", outcome="truncated")
    tokens = Growth("operate_tokens_total", direction="output")
    cost = Growth("operate_cost_usd_total")
    with calls, tokens, cost:
        await MeteredTranslator(FakeTranslator()).ask(PROMPT)
    assert [calls.value, tokens.value, cost.value] == pytest.approx([1, 3, 0.25])


async def test_a_failed_call_is_counted_by_its_code() -> None:
    calls = Growth("operate_translator_calls_total", outcome="translator_quota")
    with calls, pytest.raises(TranslatorQuota):
        await MeteredTranslator(FakeTranslator()).ask(Prompt("fail", "", {}))
    assert calls.value == 1


async def test_hits_and_misses_of_the_memory() -> None:
    hits = Growth("operate_memory_lookups_total", outcome="hit")
    misses = Growth("operate_memory_lookups_total", outcome="miss")
    with hits, misses:
        assert await MeteredMemory(FakeMemory()).recall(["a", "b", "new"]) == {"a": "known", "b": "known"}
    assert (hits.value, misses.value) == (2, 1)


async def test_stored_bytes_and_errors() -> None:
    store = MeteredStore(FakeStore())
    with Growth("operate_store_bytes_total") as stored:
        await store.put("a", b"12345", "image/jpeg")
    errors = Growth("operate_store_errors_total", code="store_unavailable")
    with errors, pytest.raises(StoreUnavailable):
        await store.put("down", b"12345", "image/jpeg")
    assert (stored.value, errors.value) == (5, 1)


async def test_cpu_of_a_thread_is_charged_to_the_stage_that_asked_for_it() -> None:
    def work() -> None:
        started = time.thread_time()
        while time.thread_time() - started < 0.02:
            pass

    async def stage(watch: Stopwatch, name: str) -> None:
        with watch(name):
            await in_thread(thread, work)

    watch, thread = Stopwatch(), PixelThread()
    mask = Growth("operate_stage_cpu_seconds_total", stage="mask")
    render = Growth("operate_stage_cpu_seconds_total", stage="render")
    with mask, render:
        await asyncio.gather(stage(watch, "mask"), stage(watch, "render"), stage(watch, "render"))
    thread.shutdown()
    assert 0.02 <= mask.value < 0.04
    assert 0.04 <= render.value < 0.08
