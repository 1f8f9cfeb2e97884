"""A power failure may cut Redis's log anywhere, in the middle of a transaction too."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import redis

from tests.faults.outside import ServedRedis

#: Moves the first job, as the queue's scripts do: one transaction in the log.
MOVE = "return redis.call('HSET', KEYS[2], ARGV[1], redis.call('LPOP', KEYS[1]))"
JOBS = [f"job {number}" for number in range(6)]


@pytest.fixture
def server() -> Iterator[ServedRedis]:
    with ServedRedis("--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


def kill(server: ServedRedis, lost: int = 0) -> None:
    """SIGKILL, and so many bytes of the log's end are gone."""
    server.stop(signal.SIGKILL)
    with server.append_only_file.open("r+b") as log:
        log.truncate(server.append_only_file.stat().st_size - lost)


def move(client: redis.Redis, claim: str) -> None:
    client.eval(MOVE, 2, "queue", "claims", claim)


@pytest.mark.parametrize("lost", range(1, 92, 9))
def test_no_job_is_lost_wherever_the_log_was_cut(server: ServedRedis, lost: int) -> None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.rpush("queue", *JOBS)
        move(client, "a")
        kill(server, lost)
        server.start()
        moved: set[str] = set(client.hvals("claims"))
        move(client, "b")
        move(client, "c")
        kill(server)
        server.start()
        claims: dict[str, str] = client.hgetall("claims")
        assert {"b", "c"} <= claims.keys()
        assert moved <= set(claims.values())
        assert sorted([*claims.values(), *client.lrange("queue", 0, -1)]) == JOBS
