"""`operate-worker run`, with a mishap at a named point: the product itself knows nothing of this.

    CRASH_POINT=stored CRASH_ACTION=kill CRASH_NTH=2 python -m tests.faults.crash run

Points name a function of the worker's; the mishap strikes once, after its n-th call (before it, where the
point is called before_…). With CRASH_BAIT set, a picture whose URL holds `bait` kills the worker each time,
and so does a job that holds `UNREADABLE`, as soon as it is read.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

#: Point → module and attribute that is wrapped.
POINTS = {
    "moved": "redis.asyncio:Redis.blmove",
    "before_identified": "worker.adapters.redis_queue:RedisQueue._identify",
    "claimed": "worker.adapters.redis_queue:RedisQueue.fetch",
    "fetched": "worker.adapters.http_source:HttpSource.fetch",
    "decoded": "worker.stages:open_page",
    "before_inpainted": "worker.adapters.triton:TritonInpainter.inpaint",
    "inpainted": "worker.adapters.triton:TritonInpainter.inpaint",
    "translated": "worker.adapters.gemini:GeminiTranslator.ask",
    "rendered": "worker.stages:render",
    "before_stored": "worker.adapters.r2:R2Store.put",
    "stored": "worker.adapters.r2:R2Store.put",
    "before_acked": "worker.adapters.redis_queue:RedisQueue.ack",
    "acked": "worker.adapters.redis_queue:RedisQueue.ack",
    "renewed": "worker.adapters.redis_queue:RedisQueue.renew",
    "reaped": "worker.adapters.redis_queue:RedisQueue.reap",
}
UNREADABLE = b"deadly to read"
_SECRETS = ("GEMINI_API_KEY", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "FALLBACK_API_KEY")
_BLOCK_SECONDS = float(os.environ.get("CRASH_BLOCK_SECONDS", "0"))


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _terminate_twice() -> None:
    _terminate()
    threading.Timer(0.05, _terminate).start()


def _block() -> None:
    time.sleep(_BLOCK_SECONDS)


def _bug() -> None:
    """The worst that a bug of ours could say."""
    spoken = [os.environ[name] for name in ("REDIS_URL", *_SECRETS) if name in os.environ]
    raise RuntimeError(" ".join([*spoken, unquote(urlsplit(os.environ["REDIS_URL"]).password or "")]))


ACTIONS: dict[str, Callable[[], None]] = {
    "kill": _kill,
    "stop": _stop,
    "term": _terminate,
    "term_twice": _terminate_twice,
    "block": _block,
    "bug": _bug,
}


class _Mishap:
    """Strikes at the n-th call that has a result."""

    def __init__(self, action: Callable[[], None], nth: int) -> None:
        self._action, self._left = action, nth

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._action()


def _is_nothing(result: object) -> bool:
    """A fetch that found no job is no step of a job."""
    return result is None or (isinstance(result, list) and not result)


def _wrap(place: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    module_name, _, path = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, wrapper(getattr(owner, name)))


def _plan(point: str, mishap: _Mishap) -> None:
    before = point.startswith("before_")

    def wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            if before:
                mishap()
            result = await function(*args, **kwargs)
            if not before and not _is_nothing(result):
                mishap()
            return result

        @functools.wraps(function)
        def computing(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if inspect.isawaitable(result):
                return waiting_for(result)
            mishap()
            return result

        async def waiting_for(result: Awaitable[Any]) -> Any:
            found = await result
            if not _is_nothing(found):
                mishap()
            return found

        return waiting if inspect.iscoroutinefunction(function) else computing

    _wrap(POINTS[point], wrapper)


def _set_bait() -> None:
    def wrapper(fetch: Callable[..., Awaitable[bytes]]) -> Callable[..., Awaitable[bytes]]:
        async def biting(source: Any, url: str) -> bytes:
            if "bait" in url:
                _kill()
            return await fetch(source, url)

        return biting

    _wrap(POINTS["fetched"], wrapper)

    def reader(job_key: Callable[..., str]) -> Callable[..., str]:
        def biting(payload: bytes, default_language: str) -> str:
            if UNREADABLE in payload:
                _kill()
            return job_key(payload, default_language)

        return biting

    _wrap("worker.schemas:job_key", reader)


def main() -> None:
    from worker.cli import app

    if point := os.environ.get("CRASH_POINT"):
        nth = int(os.environ.get("CRASH_NTH", "1"))
        _plan(point, _Mishap(ACTIONS[os.environ.get("CRASH_ACTION", "kill")], nth))
    if os.environ.get("CRASH_BAIT"):
        _set_bait()
    app()


if __name__ == "__main__":
    main()
