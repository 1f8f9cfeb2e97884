"""Whatever workers do, and whenever they die: each submission has one result in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from tests.integration.queues import internal_keys, open_queue
from worker.adapters.redis_queue import RedisQueue
from worker.ports import Claim

WORKERS = 3
Step = tuple[str, int]
#: What happens, and to whom.
STEPS = st.tuples(
    st.sampled_from(
        ["push"] * 3
        + ["fetch"] * 4
        + ["answer", "retry", "release", "bury", "die", "stall", "reap", "forget"]
    ),
    st.integers(0, 11),
)


class Fleet:
    """Workers without work, on one queue."""

    def __init__(self, url: str, client: Redis) -> None:
        self.url, self.client = url, client
        self.pushed: Counter[bytes] = Counter()
        self.opened: list[RedisQueue] = []
        self.queues = [self.open() for _ in range(WORKERS)]
        self.hands: list[list[Claim]] = [[] for _ in range(WORKERS)]

    def open(self) -> RedisQueue:
        queue = open_queue(self.url, f"w{len(self.opened)}")
        self.opened.append(queue)
        return queue

    async def do(self, what: str, number: int) -> None:
        who = number % WORKERS
        match what:
            case "push":
                # Few jobs, so that many submissions are twins, some of them equal to the byte.
                payload = f"j{number % 4}-{number % 3}".encode()
                self.pushed[payload.partition(b"-")[0]] += 1
                await self.client.rpush("processor_tasks", payload)
            case "fetch":
                # An empty queue would only be waited for.
                if await self.client.llen("processor_tasks"):
                    self.hands[who] += await self.queues[who].fetch(1 + number % 3)
            case "die":
                self.queues[who], self.hands[who] = self.open(), []
            case "stall":
                await self.make_due("lease")
            case "reap":
                await self.queues[who].renew()
                await self.queues[who].reap()
            case "forget":
                await self.client.delete("processor_tasks:jobs")
            case _:
                await self.answer(what, who)

    async def answer(self, what: str, who: int) -> None:
        if not self.hands[who]:
            return
        queue, claim = self.queues[who], self.hands[who].pop(0)
        job = claim.payload.partition(b"-")[0]
        if claim.crashes:
            await queue.begin(claim)
        # Each call twice, as after a lost reply.
        for _ in range(2):
            if what == "retry":
                await queue.retry(claim, 0.0, "store_unavailable")
            elif what == "release":
                await queue.release(claim)
            elif what == "bury" and claim.recorded is None:
                await queue.bury(claim, job, b'{"x": 1}')
            else:
                await queue.ack(claim, claim.recorded or job)

    async def make_due(self, name: str) -> None:
        key = f"processor_tasks:{name}"
        entries = [entry for entry in await self.client.zrange(key, 0, -1) if isinstance(entry, bytes)]
        if entries:
            await self.client.zadd(key, dict.fromkeys(entries, 1))

    async def come_to_rest(self) -> None:
        """All are gone; one worker does what is left."""
        self.queues[0], self.hands[0] = self.open(), []
        for _ in range(20 * (1 + self.pushed.total())):
            for name in ("lease", "delayed", "workers"):
                await self.make_due(name)
            await self.do("reap", 0)
            await self.do("fetch", 3)
            if not self.hands[0] and not await self.client.llen("processor_tasks"):
                break
            while self.hands[0]:
                await self.answer("answer", 0)


async def live_through(url: str, steps: Sequence[Step]) -> None:
    async with Redis.from_url(url) as client:
        await client.flushall()
        fleet = Fleet(url, client)
        try:
            for what, number in steps:
                await fleet.do(what, number)
            await fleet.come_to_rest()
            results = Counter(await client.lrange("hosting_tasks", 0, -1))
            assert results == fleet.pushed
            assert await internal_keys(client) == set()
        finally:
            for queue in fleet.opened:
                await queue.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=10, max_size=40))
def test_each_submission_has_one_result(redis_url: str, steps: list[Step]) -> None:
    asyncio.run(live_through(redis_url, steps))
