"""What safety costs: no-op jobs per second through the queue against plain BLPOP + RPUSH.

    make bench-queue

Workers are processes of their own on one redis-server with AOF everysec. Each row first empties a full list
(jobs per second, CPU per job), then answers single jobs at a steady pace (latency from RPUSH to the result).
Ours parses and validates every job, logs it, holds a lease and records its result; the plain form does
none of that.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from benchmarks.machine import described
from worker import log, schemas
from worker.adapters.redis_queue import QueueOptions, RedisQueue
from worker.attempt import AttemptOptions
from worker.consumer import Consumer, ConsumerOptions
from worker.embedded import EmbeddedRedis
from worker.job import Job, JobStatus, Result
from worker.retry_policy import RetryPolicy

JOBS = 3000
PACED_JOBS = 300
PACE_SECONDS = 0.01
IN_FLIGHT = 16
ROUNDS = 3
_OCR = Path(__file__).resolve().parents[1] / "examples" / "promotion.ocr.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one form."""

    jobs_per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float


async def _plain(url: str, stop: asyncio.Event) -> None:
    """BLPOP, RPUSH: whoever is killed in between has lost the job."""

    async def answer() -> None:
        async with Redis.from_url(url, socket_timeout=6) as client:
            while not stop.is_set():
                if popped := await client.blpop(["processor_tasks"], timeout=1):
                    await client.rpush("hosting_tasks", popped[1])

    await asyncio.gather(*(answer() for _ in range(IN_FLIGHT)))


async def _ours(url: str, stop: asyncio.Event) -> None:
    async def nothing(job: Job) -> Result:
        return Result(JobStatus.UNCHANGED, job.request_id, job.image_id, job.target_language)

    options = QueueOptions("processor_tasks", "hosting_tasks", 30, 86400, 86400)
    queue = RedisQueue(url, options, job_key=functools.partial(schemas.job_key, default_language="ko"))
    limits = ConsumerOptions(
        concurrency=IN_FLIGHT,
        lease_seconds=30,
        reap_seconds=5,
        drain_seconds=25,
        attempt=AttemptOptions(300, "ko", RetryPolicy(max_age_seconds=86400)),
    )
    await Consumer(queue, nothing, limits).run(stop)
    await queue.close()


async def _work(form: str, url: str) -> None:
    """A worker process: says when it is ready, starts at a word, tells its CPU time when it is stopped."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started = time.process_time()
    await {"plain": _plain, "ours": _ours}[form](url, stop)
    print(time.process_time() - started, flush=True)


@contextmanager
def _workers(form: str, url: str, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    with Path(os.devnull).open("w") as nowhere:
        command = [sys.executable, "-m", "benchmarks.bench_queue", form, url]
        workers = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=nowhere, text=True
            )
            for _ in range(count)
        ]
        try:
            for worker in workers:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "ready\n"
            yield workers
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()


def _go(workers: Sequence[subprocess.Popen[str]]) -> None:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()


def _stop(workers: Sequence[subprocess.Popen[str]]) -> float:
    """Stop the workers; returns their CPU seconds."""
    for worker in workers:
        worker.terminate()
    return sum(float(worker.communicate()[0]) for worker in workers)


def _payloads(count: int, name: str) -> list[bytes]:
    job = {"request_id": "r1", "image_url": "http://x/a.jpg", "ocr_result": json.loads(_OCR.read_bytes())}
    return [json.dumps({**job, "image_id": f"{name}{number}"}).encode() for number in range(count)]


def _measure(client: redis.Redis, form: str, url: str, count: int) -> Measured:
    client.flushall()
    with _workers(form, url, count) as workers:
        client.rpush("processor_tasks", *_payloads(JOBS, "full"))
        started = time.perf_counter()
        _go(workers)
        while client.llen("hosting_tasks") < JOBS:
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        cpu = _stop(workers)
    client.flushall()
    with _workers(form, url, count) as workers:
        _go(workers)
        latencies = _paced(client, url)
        _stop(workers)
    return Measured(
        JOBS / seconds,
        cpu * 1000 / JOBS,
        statistics.median(latencies) * 1000,
        statistics.quantiles(latencies, n=100)[98] * 1000,
    )


def _paced(client: redis.Redis, url: str) -> list[float]:
    """Push single jobs at a steady pace; seconds from each push to its result."""
    pushed: dict[str, float] = {}
    latencies: list[float] = []

    def collect() -> None:
        with redis.Redis.from_url(url, socket_timeout=60) as consumer:
            for _ in range(PACED_JOBS):
                popped = consumer.blpop(["hosting_tasks"], timeout=30)
                now = time.perf_counter()
                assert popped is not None
                latencies.append(now - pushed[json.loads(popped[1])["image_id"]])

    collector = threading.Thread(target=collect)
    collector.start()
    for number, payload in enumerate(_payloads(PACED_JOBS, "paced")):
        pushed[f"paced{number}"] = time.perf_counter()
        client.rpush("processor_tasks", payload)
        time.sleep(PACE_SECONDS)
    collector.join()
    return latencies


def _median(rounds: Sequence[Measured]) -> Measured:
    return Measured(
        statistics.median(one.jobs_per_second for one in rounds),
        statistics.median(one.cpu_ms for one in rounds),
        statistics.median(one.p50_ms for one in rounds),
        statistics.median(one.p99_ms for one in rounds),
    )


def main() -> None:
    """Print the table."""
    print(described())
    table = Table(
        title=f"{JOBS} no-op jobs, {IN_FLIGHT} in flight a process, median of {ROUNDS} rounds in turn"
    )
    for column in ("processes", "form", "jobs/s", "CPU ms a job", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    with (
        EmbeddedRedis("--appendonly", "yes", "--appendfsync", "everysec") as server,
        redis.Redis.from_url(server.url) as client,
    ):
        for count in (1, 2, 4):
            rounds: dict[str, list[Measured]] = {"plain": [], "ours": []}
            for _ in range(ROUNDS):
                for form, found in rounds.items():
                    found.append(_measure(client, form, server.url, count))
            for form, found in rounds.items():
                one = _median(found)
                numbers = (one.jobs_per_second, one.cpu_ms, one.p50_ms, one.p99_ms)
                formats = ("{:,.0f}", "{:.2f}", "{:.1f}", "{:.1f}")
                cells = (pattern.format(number) for pattern, number in zip(formats, numbers, strict=True))
                table.add_row(str(count), form, *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        log.configure(json=True)
        asyncio.run(_work(sys.argv[1], sys.argv[2]))
    else:
        main()
