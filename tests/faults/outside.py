"""The services around the worker, each a process of its own: Redis, an S3 API, a Gemini that can fail."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import redis
from aiohttp import web

from tests import gemini_server as gemini
from worker.embedded import EmbeddedRedis, EmbeddedServer, free_port

_PROJECT = Path(__file__).resolve().parents[2]
BUCKET = "pictures"


class ServedRedis(EmbeddedRedis):
    """A Redis that starts as in the compose file."""

    @property
    def append_only_file(self) -> Path:
        """Where it logs its writes (Redis 7 has a folder of them)."""
        return max(self._directory.rglob("*.aof"), key=lambda path: path.stat().st_size)

    def _command(self, directory: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        (server, *options), environment = super()._command(directory)
        tools = directory / "bin"
        tools.mkdir(exist_ok=True)
        for name in ("redis-server", "redis-check-aof"):  # one binary, whatever it is called
            if not (tools / name).exists():
                (tools / name).symlink_to(server)
        path = f"{tools}:{os.environ['PATH']}"
        return ["sh", _PROJECT / "deploy/redis/start.sh", *options], {**environment, "PATH": path}


class LockedRedis(ServedRedis):
    """A Redis that wants a password and forgets nothing it has answered for (everysec may, two seconds)."""

    def __init__(self, password: str) -> None:
        super().__init__("--appendonly", "yes", "--appendfsync", "always", "--requirepass", password)
        self._password = password

    def client(self) -> redis.Redis:
        """To the server itself, past any proxy."""
        return redis.Redis(port=self.port, password=self._password, socket_timeout=10)

    def _is_ready(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


class _PythonServer(EmbeddedServer):
    """A Python process that listens on one port."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class S3Server(_PythonServer):
    """moto's S3 API."""

    name = "s3"

    def _command(self, _: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        script = "from moto.server import main; main()"
        return [sys.executable, "-c", script, "-H", "127.0.0.1", "-p", str(self.port)], {}

    def start(self) -> None:
        super().start()
        self.client().create_bucket(Bucket=BUCKET)

    def client(self) -> Any:
        """The plain SDK, to look at the store from the other side."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="id",
            aws_secret_access_key="key",
            region_name="us-east-1",
        )

    def keys(self, prefix: str = "") -> set[str]:
        """The objects whose keys begin so."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


class PageServer(_PythonServer):
    """The host of the pictures."""

    name = "pages"

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._pages = directory

    def _command(self, _: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        options = ["--bind", "127.0.0.1", "--directory", str(self._pages), str(self.port)]
        return [sys.executable, "-m", "http.server", *options], {}


class GeminiProcess(_PythonServer):
    """The tests' Gemini server, with an address to change what it answers."""

    name = "gemini"

    def _command(self, _: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        module = "tests.faults.outside"
        return [sys.executable, "-m", module, str(self.port)], {"PYTHONPATH": str(_PROJECT)}

    def answer(self, name: str, times: int = -1, delay: float = 0.0) -> None:
        """Answer the next `times` requests (-1: all) as `ANSWERS` names it, each after `delay` seconds."""
        body = json.dumps({"name": name, "times": times, "delay": delay}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/answer", body)
        with urllib.request.urlopen(request, timeout=5):
            return


def _truncated(_: dict[str, Any]) -> web.Response:
    return gemini.completion('{"translations": [{"id": 0, "te', finish="MAX_TOKENS")


def _wordy(request: dict[str, Any]) -> web.Response:
    """Far more than fits; a little less when asked for less."""
    asked = gemini.blocks_of(request)
    words = " 아주 길다" * (9 if "translation" in asked[0] else 10)
    return gemini.completion(
        gemini.reply_of(request, **{f"b{each['id']}": f"{each['id']}{words}" for each in asked})
    )


#: What the server can be told to answer.
ANSWERS: dict[str, gemini.Answer] = {
    "well": gemini.translate_all,
    "wordy": _wordy,
    "quota": lambda _: gemini.quota("1s"),
    "error": lambda _: gemini.failure(500, "INTERNAL", "oops"),
    "refused": lambda _: gemini.failure(403, "PERMISSION_DENIED", "no"),
    "truncated": _truncated,
    "nonsense": lambda _: gemini.completion("no JSON"),
    "blocked": lambda _: gemini.blocked(),
}


class _Gemini(gemini.GeminiServer):
    delay = 0.0
    times = -1
    name = "well"

    def application(self) -> web.Application:
        application = super().application()
        application.router.add_post("/answer", self._set)
        application.router.add_route("*", "/fallback/{path:.*}", self._echo)
        return application

    async def _echo(self, request: web.Request) -> web.Response:
        """Refuse, and say so with all that was sent: what an API must not do, and some do."""
        return gemini.failure(403, "PERMISSION_DENIED", str(dict(request.headers)))

    async def _set(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self.name, self.times, self.delay = wanted["name"], wanted["times"], wanted["delay"]
        return web.Response()

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.delay)
        name = self.name if self.times else "well"
        self.times -= self.times > 0
        if name == "refused":
            return await self._echo(request)
        self.otherwise = ANSWERS[name]
        self.requests.clear()
        return await super()._generate(request)


if __name__ == "__main__":
    web.run_app(_Gemini().application(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
