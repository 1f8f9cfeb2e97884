"""The operator's commands on a real dead-letter list."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from tests.integration.consumers import QUEUE, Bench, message, succeed
from tests.integration.queues import claim
from worker import schemas
from worker.adapters.dead_letters import DeadLetters
from worker.adapters.redis_queue import RedisQueue
from worker.cli import app
from worker.job import Failure
from worker.ports import Claim

HOSTILE = b"\xff\xfe\x00 not even \x1b[31mtext"


@pytest.fixture
async def letters(redis_url: str) -> AsyncIterator[DeadLetters]:
    letters = DeadLetters(redis_url, "processor_tasks")
    yield letters
    await letters.close()


async def bury(redis_url: str, client: Redis, *payloads: bytes, reason: str = "bad_image") -> None:
    """Push jobs and let each fail."""
    queue = RedisQueue(redis_url, QUEUE, job_key=partial(schemas.job_key, default_language="ko"))
    await client.rpush("processor_tasks", *payloads)
    for _ in payloads:
        held: Claim = await claim(queue)
        failure = Failure(reason, f"because of {reason}")
        result = schemas.failed(held.payload, "ko", failure, held.deliveries)
        await queue.bury(held, schemas.dump_result(result), schemas.dump_dead_letter(held, result))
    await queue.close()
    await client.delete("hosting_tasks")


async def run(redis_url: str, *arguments: str) -> Result:
    """Run `operate-worker dead`."""
    environment = {"REDIS_URL": redis_url, "COLUMNS": "200"}
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["dead", *arguments], env=environment))


async def dead(redis_url: str, *arguments: str, code: int = 0) -> str:
    """What `operate-worker dead` prints, on stderr where it has nothing for stdout."""
    ran = await run(redis_url, *arguments)
    assert ran.exit_code == code, ran.output
    return ran.stdout or ran.stderr


def objects(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


async def test_letters_are_listed_newest_first_and_bounded(redis_url: str, client: Redis) -> None:
    await bury(redis_url, client, *(message(f"i{number}") for number in range(25)))
    listed = objects(await dead(redis_url, "list", "--json"))
    assert [letter["image_id"] for letter in listed] == [f"i{number}" for number in range(24, 4, -1)]
    assert listed[0]["reason"] == "bad_image"
    assert listed[0]["message"] == "because of bad_image"
    assert (listed[0]["attempts"], listed[0]["crashes"], listed[0]["failures"]) == (1, 0, {})
    assert len(objects(await dead(redis_url, "list", "--json", "--all"))) == 25


async def test_filters_choose(redis_url: str, client: Redis) -> None:
    await bury(redis_url, client, message("i1"), message("i2", request_id="r2"))
    await bury(redis_url, client, message("i3"), reason="model_error")
    assert "r2/i2" in await dead(redis_url, "list", "--request-id", "r2")
    line = await dead(redis_url, "list", "--reason", "model_error")
    assert re.search(r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  model_error  r1/i3  .*\n$", line)
    assert line.count("\n") == 1
    assert await dead(redis_url, "list", "--older-than", "1h") == "no dead letters\n"
    assert "such as 30m" in await dead(redis_url, "list", "--older-than", "soon", code=2)
    for command in ("list", "retry", "drop"):
        refused = await dead(redis_url, command, "--reason", "nosuch", code=2)
        assert re.search(r"--reason.*auth, .*bad_ocr, .*model_error, ", " ".join(refused.split()))


async def test_a_letter_shows_any_bytes_safely_and_gives_them_back(redis_url: str, client: Redis) -> None:
    await bury(redis_url, client, HOSTILE, reason="bad_message")
    (letter,) = objects(await dead(redis_url, "list", "--json"))
    shown = await dead(redis_url, "show", letter["id"])
    assert "\\xff\\xfe" in shown
    assert "\x1b" not in shown
    assert (await run(redis_url, "show", letter["id"], "--raw")).stdout_bytes == HOSTILE
    assert await dead(redis_url, "show", "nobody", code=1) == "no dead letter nobody\n"


async def test_a_letter_says_whether_trying_again_may_help(redis_url: str, client: Redis) -> None:
    for reason, retryable in (("bad_ocr", False), ("source_unavailable", True), ("internal", True)):
        await bury(redis_url, client, message(reason, request_id="r" * 200), reason=reason)
        (letter,) = objects(await dead(redis_url, "list", "--json", "--reason", reason))
        assert letter["retryable"] is retryable
        advice = (await dead(redis_url, "show", letter["id"])).splitlines()[-1]
        assert advice.startswith("what to do")
        assert f"operate-worker dead {'retry' if retryable else 'drop'} {letter['id']}" in advice
        assert retryable or advice.endswith(", then push it corrected")
        line = await dead(redis_url, "list", "--reason", reason)
        assert "r" * 60 + "/" in line
        assert "r" * 61 not in line


async def test_a_retried_job_is_a_new_submission_with_a_result_of_its_own(
    redis_url: str, client: Redis, bench: Bench
) -> None:
    await bury(redis_url, client, message("i1"), HOSTILE, message("i2"))
    (chosen,) = [
        letter["id"]
        for letter in objects(await dead(redis_url, "list", "--json"))
        if letter["image_id"] == "i1"
    ]
    assert await dead(redis_url, "retry", chosen) == "1 retried\n"
    assert await client.lrange("processor_tasks", 0, -1) == [message("i1")]
    async with bench.consuming(succeed):
        result = await bench.result()
    assert (result["image_id"], result["status"], result["attempts"]) == ("i1", "completed", 1)
    assert len(await bench.letters()) == 2
    assert await dead(redis_url, "retry", chosen, code=1) == "0 retried\n"


async def test_nothing_is_changed_without_saying_which(redis_url: str, client: Redis) -> None:
    await bury(redis_url, client, message("i1"), HOSTILE)
    assert "--all" in await dead(redis_url, "drop", code=2)
    assert objects(await dead(redis_url, "drop", "--reason", "model_error", "--json"))[0]["dropped"] == 0
    assert await client.llen("processor_tasks:dead") == 2
    assert objects(await dead(redis_url, "drop", "--all", "--json"))[0] == {
        "dropped": 2,
        "gone": 0,
        "missing": [],
    }
    assert not await client.exists("processor_tasks:dead")
    assert not await client.exists("processor_tasks")


async def test_a_missing_picture_is_tried_again_once_it_is_there(redis_url: str, client: Redis) -> None:
    await bury(redis_url, client, message(), reason="image_not_found")
    (letter,) = objects(await dead(redis_url, "list", "--json"))
    advice = (await dead(redis_url, "show", letter["id"])).splitlines()[-1]
    assert advice.endswith(f"once the picture is there: operate-worker dead retry {letter['id']}")


async def test_a_dropped_job_runs_when_it_is_pushed_again(
    redis_url: str, client: Redis, bench: Bench
) -> None:
    await bury(redis_url, client, message("i1"), HOSTILE, message("i2"))
    assert await dead(redis_url, "drop", "--all") == "3 dropped\n"
    assert await client.keys("processor_tasks:done:*") == []
    async with bench.consuming(succeed):
        await bench.push(message("i1"))
        assert (await bench.result())["status"] == "completed"


async def test_a_dropped_letter_leaves_the_corrected_jobs_record(
    redis_url: str, client: Redis, bench: Bench, letters: DeadLetters
) -> None:
    await bury(redis_url, client, message())
    async with bench.consuming(succeed):
        await bench.push(message(glossary={}))
        assert (await bench.result())["status"] == "completed"
    (letter,) = [letter async for letter in letters.walk()]
    assert await letters.drop(letter)
    assert not await letters.drop(letter)
    assert len(await client.keys("processor_tasks:done:*")) == 1


@pytest.mark.parametrize("arguments", [["list", "--json"], ["show", "LETTER", "--raw"], ["show", "LETTER"]])
async def test_a_reader_that_leaves_is_no_error(redis_url: str, client: Redis, arguments: list[str]) -> None:
    await bury(redis_url, client, message())
    (letter,) = objects(await dead(redis_url, "list", "--json"))
    words = [letter["id"] if word == "LETTER" else word for word in arguments]
    end, pipe = os.pipe()
    os.close(end)
    command = [sys.executable, "-m", "worker", "dead", *words]
    environment = {**os.environ, "REDIS_URL": redis_url}
    try:
        finished = await asyncio.to_thread(
            subprocess.run, command, stdout=pipe, stderr=subprocess.PIPE, env=environment, timeout=60
        )
    finally:
        os.close(pipe)
    assert (finished.returncode, finished.stderr) == (0, b"")


async def test_two_operators_push_each_job_once(redis_url: str, client: Redis, letters: DeadLetters) -> None:
    payloads = [message(f"i{number}") for number in range(120)]
    await bury(redis_url, client, *payloads)
    await client.rpush("processor_tasks:dead", b"\x00 no envelope")
    other = DeadLetters(redis_url, "processor_tasks")

    async def retry_all(operator: DeadLetters) -> int:
        return sum([await operator.retry(letter) async for letter in operator.walk()])

    counts = await asyncio.gather(retry_all(letters), retry_all(other))
    await other.close()
    assert sum(counts) == 120
    assert sorted(await client.lrange("processor_tasks", 0, -1)) == sorted(payloads)
    assert await client.lrange("processor_tasks:dead", 0, -1) == [b"\x00 no envelope"]


async def test_a_job_that_fails_again_at_once_is_not_met_again(
    redis_url: str, client: Redis, letters: DeadLetters
) -> None:
    await bury(redis_url, client, *(message(f"i{number}") for number in range(60)))
    retried = 0
    async for letter in letters.walk():
        assert await letters.retry(letter)
        retried += 1
        await client.delete("processor_tasks")
        await client.rpush("processor_tasks:dead", letter.envelope.replace(b'"attempts":1', b'"attempts":2'))
    assert retried == 60
    assert await client.llen("processor_tasks:dead") == 60


async def test_a_retry_leaves_a_running_twin_alone(
    redis_url: str, client: Redis, letters: DeadLetters
) -> None:
    await bury(redis_url, client, message())
    queue = RedisQueue(redis_url, QUEUE, job_key=partial(schemas.job_key, default_language="ko"))
    key = schemas.job_key(message(), "ko")
    await client.delete(f"processor_tasks:done:{key}")
    await client.rpush("processor_tasks", message())
    running = await claim(queue)
    (letter,) = [letter async for letter in letters.walk()]
    assert await letters.retry(letter)
    assert await queue.fetch(1) == [], "the twin waits"
    assert await queue.ack(running, b"result")
    await queue.close()
