"""The queue's transitions on a real redis-server; test_queue_faults.py has what goes wrong on the way."""

from __future__ import annotations

import asyncio
import json

from redis.asyncio import Redis

from tests.integration.queues import Connect, claim, internal_keys
from worker.schemas import parse_dead_letter


async def test_a_job_is_claimed_acked_and_leaves_nothing(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one", "two")
    first = await claim(queue)
    assert (first.payload, first.deliveries, first.crashes, first.recorded) == (b"one", 1, 0, None)
    assert await queue.ack(first, b"result")
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result"]
    assert await queue.ack(await claim(queue), b"second")
    assert await internal_keys(client) == set()
    assert await client.get("processor_tasks:taken") == b"2"


async def test_many_are_claimed_in_order_up_to_the_limit(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", *(f"j{number}" for number in range(6)))
    claims = await queue.fetch(4)
    assert [found.payload for found in claims] == [b"j0", b"j1", b"j2", b"j3"]
    assert len(await queue.fetch(4)) == 2
    assert len({found.id for found in claims}) == 4


async def test_a_burst_is_shared_out_among_the_living(connect: Connect, client: Redis) -> None:
    first, second = connect("a"), connect("b")
    await first.renew()
    await second.renew()
    await client.rpush("processor_tasks", *(f"j{number}" for number in range(9)))
    assert len(await first.fetch(16)) == 5
    assert len(await second.fetch(16)) == 2, "of the four that are left"


async def test_an_ack_repeated_after_a_lost_reply_pushes_once(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one")
    held = await claim(queue)
    assert await queue.ack(held, b"result")
    assert not await queue.ack(held, b"result")
    assert await client.llen("hosting_tasks") == 1


async def test_an_empty_queue_answers_within_its_second(connect: Connect) -> None:
    assert await asyncio.wait_for(connect("a").fetch(1), 3) == []


async def test_an_idle_worker_is_woken_by_the_first_job(connect: Connect, client: Redis) -> None:
    waiting = asyncio.create_task(connect("a").fetch(4))
    await asyncio.sleep(0.2)
    await client.rpush("processor_tasks", "one", "two")
    found = [claim.payload for claim in await waiting]
    assert found[0] == b"one"


async def test_a_finished_job_pushed_again_brings_its_record(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one-first")
    await queue.ack(await claim(queue), b"result")
    await client.rpush("processor_tasks", "one-second")
    again = await claim(queue)
    assert again.recorded == b"result"
    await queue.ack(again, again.recorded)
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result", b"result"]
    assert 0 < await client.ttl("processor_tasks:done:one") <= 60
    assert await internal_keys(client) == set()


async def test_a_job_pushed_again_while_it_runs_waits_for_the_record(connect: Connect, client: Redis) -> None:
    queue, other = connect("a"), connect("b")
    await client.rpush("processor_tasks", "one-first", "one-second")
    await other.renew()
    running = await claim(queue)
    assert await other.fetch(1) == []
    assert await client.hlen("processor_tasks:claims") == 1
    assert await queue.ack(running, b"result")
    await asyncio.sleep(1.1)
    await other.renew()
    assert await other.reap() == 1
    twin = await claim(other)
    assert (twin.payload, twin.recorded, twin.deliveries) == (b"one-second", b"result", 1)


async def test_twins_in_one_batch_run_once_too(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one-a", "two", "one-b")
    claims = await queue.fetch(8)
    assert [found.payload for found in claims] == [b"one-a", b"two"]
    assert await client.zcard("processor_tasks:delayed") == 1


async def test_a_dead_workers_claim_and_inbox_come_back(connect: Connect, client: Redis) -> None:
    dead, alive = connect("dead"), connect("alive")
    await client.rpush("processor_tasks", "claimed", "inbox")
    await claim(dead)
    # As after a crash between BLMOVE and the claim.
    await client.blmove("processor_tasks", "processor_tasks:inbox:dead", timeout=1, src="LEFT", dest="RIGHT")
    await alive.renew()
    assert await alive.reap() == 0, "a live worker's jobs stay its own"
    await asyncio.sleep(1.2)
    await alive.renew()
    assert await alive.reap() == 2
    returned = {(found.payload, found.crashes) for found in await alive.fetch(2)}
    assert returned == {(b"claimed", 1), (b"inbox", 0)}


async def test_a_fenced_worker_cannot_answer(connect: Connect, client: Redis) -> None:
    slow, quick = connect("slow"), connect("quick")
    await client.rpush("processor_tasks", "one")
    stale = await claim(slow)
    await asyncio.sleep(1.2)
    await quick.renew()
    await quick.reap()
    fresh = await claim(quick)
    assert not await slow.ack(stale, b"stale")
    assert not await slow.retry(stale, 0, "stale")
    assert await slow.renew() == frozenset()
    assert await quick.ack(fresh, b"fresh")
    assert await client.lrange("hosting_tasks", 0, -1) == [b"fresh"]


async def test_renew_tells_what_was_lost_and_keeps_the_rest(connect: Connect, client: Redis) -> None:
    queue, other = connect("a"), connect("b")
    await client.rpush("processor_tasks", "one", "two")
    first, second = await queue.fetch(2)
    await client.zadd("processor_tasks:lease", {first.id: 1})
    await other.renew()
    await other.reap()
    assert await queue.renew() == {first.id}
    for _ in range(3):
        await asyncio.sleep(0.6)
        assert await queue.renew() == frozenset()
        await other.renew()
        await other.reap()
    assert await queue.ack(second, b"result")


async def test_a_claim_lost_before_a_fetch_is_still_reported(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one")
    held = await claim(queue)
    await client.zrem("processor_tasks:lease", held.id)
    await asyncio.sleep(0.6)
    await queue.fetch(1)  # its heartbeat was old, so this renewed
    assert await queue.renew() == {held.id}


async def test_who_has_not_renewed_does_not_reap(connect: Connect, client: Redis) -> None:
    slept = connect("a")
    await client.rpush("processor_tasks", "one")
    held = await claim(slept)
    await asyncio.sleep(1.2)  # as a process that was stopped, and continues with its reaper
    assert await slept.reap() == 0
    assert await slept.renew() == frozenset(), "nobody has taken the job"
    assert await slept.ack(held, b"result")


async def test_a_retry_waits_and_equal_payloads_stay_two(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "same", "same")
    (held,) = await queue.fetch(2)  # the second waits for the first
    assert await queue.retry(held, 0.3, "inpainter_unavailable")
    assert await client.zcard("processor_tasks:delayed") == 2
    assert await queue.reap() == 0
    await asyncio.sleep(1.1)
    await queue.renew()
    assert await queue.reap() == 2
    (again,) = await queue.fetch(2)
    assert (again.payload, again.deliveries) == (b"same", 2)
    assert await queue.ack(again, b"r")


async def test_failures_and_crashes_are_counted_apart(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one")
    for code in ("source_unavailable", "store_unavailable", "source_unavailable"):
        await queue.retry(await claim(queue), 0, code)
        await queue.reap()
    crashed = await claim(queue)
    assert crashed.failures == {"source_unavailable": 2, "store_unavailable": 1}
    await client.zadd("processor_tasks:lease", {crashed.id: 1})
    await queue.reap()
    again = await claim(queue)
    assert (again.deliveries, again.crashes, again.failures) == (5, 1, crashed.failures)


async def test_a_crash_is_not_held_against_a_job_that_had_not_begun(connect: Connect, client: Redis) -> None:
    """Jobs that were in hand at a crash come back together; the next crash may find them waiting again."""
    queue = connect("a")
    await client.rpush("processor_tasks", "first", "waits", "runs")
    for _ in range(3):
        claims = await queue.fetch(3)
        for held in claims:
            if held.payload == b"runs" or not held.crashes:
                assert await queue.begin(held)
            await client.zadd("processor_tasks:lease", {held.id: 1})
        await queue.reap()
        assert not await queue.begin(claims[0]), "it was lost"
    last = await queue.fetch(3)
    assert {found.payload: found.crashes for found in last} == {b"first": 1, b"waits": 1, b"runs": 3}


async def test_a_due_retry_goes_before_what_came_later(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "early", "late")
    await queue.retry(await claim(queue), 0, "store_unavailable")
    await queue.reap()
    assert (await claim(queue)).payload == b"early"


async def test_one_reap_promotes_all_that_is_due(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", *(f"j{number}" for number in range(250)))
    for held in await queue.fetch(250):
        await queue.retry(held, 0, "store_unavailable")
    await queue.renew()
    assert await queue.reap() == 250
    assert await client.llen("processor_tasks") == 250


async def test_what_is_known_of_a_job_outlives_its_delay_but_not_for_ever(
    connect: Connect, client: Redis
) -> None:
    queue, week = connect("a"), 7 * 86400
    await client.rpush("processor_tasks", "one")
    held = await claim(queue)
    await queue.retry(held, 300, "store_unavailable")
    assert week - 10 < await client.ttl("processor_tasks:meta:one") <= week
    await client.rpush("processor_tasks", "two")
    held = await claim(queue)
    await client.delete("processor_tasks:meta:two")
    await client.zadd("processor_tasks:lease", {held.id: 1})
    await queue.reap()
    assert week - 10 < await client.ttl("processor_tasks:meta:two") <= week
    held = await claim(queue)
    await client.delete("processor_tasks:meta:two")
    await queue.release(held)
    assert not await client.exists("processor_tasks:meta:two")


async def test_a_released_job_is_next_and_uncounted(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one", "two")
    await queue.release(await claim(queue))
    again = await claim(queue)
    assert (again.payload, again.deliveries) == (b"one", 1)


async def test_a_worker_that_leaves_gives_everything_back(connect: Connect, client: Redis) -> None:
    leaving, staying = connect("leaving"), connect("staying")
    await client.rpush("processor_tasks", "held", "inbox")
    await claim(leaving)
    await client.lmove("processor_tasks", "processor_tasks:inbox:leaving", "LEFT", "RIGHT")
    await leaving.close()
    assert set(await client.lrange("processor_tasks", 0, -1)) == {b"held", b"inbox"}
    # A BLMOVE that was still in the server brings one more when the worker is gone.
    await client.rpush("processor_tasks:inbox:leaving", "late")
    await staying.renew()
    await staying.reap()
    assert {found.payload for found in await staying.fetch(3)} == {b"held", b"inbox", b"late"}


async def test_a_buried_job_has_its_result_and_its_letter(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one")
    envelope: dict[str, object] = {
        "id": "x", "request_id": "r", "image_id": "i", "target_language": "ko", "reason": "bad_image",
        "error": None, "attempts": 1, "crashes": 0, "failures": {}, "payload": "b25l",
    }  # fmt: skip
    assert await queue.bury(await claim(queue), b"failed", json.dumps(envelope).encode())
    assert await client.lrange("hosting_tasks", 0, -1) == [b"failed"]
    (entry,) = await client.lrange("processor_tasks:dead", 0, -1)
    assert isinstance(entry, bytes)
    letter = parse_dead_letter(entry)
    seconds, _ = await client.time()
    assert abs(letter.time - seconds) < 5
    assert letter.payload == b"one"
    assert await internal_keys(client) == set()


async def test_ten_thousand_bytes_of_anything_come_through(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    raw = json.dumps({"text": "洗涤说明" * 2000}, ensure_ascii=False).encode()
    await client.rpush("processor_tasks", raw)
    assert (await claim(queue)).payload == raw


async def test_check_names_the_version_and_what_endangers_jobs(connect: Connect) -> None:
    line = await connect("a").check()
    assert line.startswith("Redis ")
    assert "appendonly is off" in line
