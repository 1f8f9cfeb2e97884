"""What was translated before, in Redis. It only saves calls: where Redis fails, it knows nothing.

Keys, under a prefix of their own, shared by all deployments on one Redis (a key names all that its
translation depends on, see `translation.desk`):
    translation:memory:<hash>   string   a translation, or '' for a text that was refused; expiring
    translation:terms:<hash>    hash     source → target of a product's short texts, expiring
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.adapters import redis_connect

_log = structlog.get_logger(__name__)

_PREFIX = "translation"
_LUA = Path(__file__).parent / "lua"
#: A memory that is slower than this is no help.
_TIMEOUT_SECONDS = 1.0
#: A provider's filters change more often than what a text means.
_REFUSAL_SECONDS = 86400
#: A product's pictures have a few hundred short texts; an id that a producer gives to everything has no end.
_MAX_TERMS = 1000
_DOWN = (RedisError, OSError, TimeoutError)


def connect(url: str) -> Redis:
    """A client that gives up soon, for what can be done without."""
    return redis_connect.connect(url, timeout_seconds=_TIMEOUT_SECONDS)


class RedisMemory:
    """`TranslationMemory`, one command for each call.

    Args:
        redis: See `connect`.
        ttl_seconds: How long a translation is kept.
    """

    def __init__(self, redis: Redis, ttl_seconds: int) -> None:
        self._redis = redis
        self._ttl = ttl_seconds
        # A third of a pipeline's CPU: it was the dearest part of a picture beside the SDK.
        self._remember = redis.register_script((_LUA / "remember.lua").read_text())

    async def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `ports.TranslationMemory`."""
        if not keys:
            return {}
        try:
            found = await self._redis.mget([_key("memory", key) for key in keys])
        except _DOWN as error:
            _log.warning("memory.unavailable", error=type(error).__name__)
            return {}
        return {key: _text(text) for key, text in zip(keys, found, strict=True) if text is not None}

    async def remember(self, translations: Mapping[str, str]) -> None:
        """See `ports.TranslationMemory`."""
        keys = [_key("memory", key) for key in translations]
        refused = min(self._ttl, _REFUSAL_SECONDS)
        try:
            await self._remember(keys=keys, args=[self._ttl, refused, *translations.values()])
        except _DOWN as error:
            _log.warning("memory.unavailable", error=type(error).__name__)


class RedisTerms:
    """`ProductTerms` in one hash for each product.

    Args:
        redis: See `connect`.
        ttl_seconds: How long a product is remembered after its last picture.
    """

    def __init__(self, redis: Redis, ttl_seconds: int) -> None:
        self._redis = redis
        self._ttl = ttl_seconds
        self._add = redis.register_script((_LUA / "terms.lua").read_text())

    async def recall(self, product: str) -> Mapping[str, str]:
        """See `ports.ProductTerms`."""
        try:
            found = await self._redis.hgetall(_product_key(product))
        except _DOWN as error:
            _log.warning("terms.unavailable", error=type(error).__name__)
            return {}
        return {_text(source): _text(target) for source, target in found.items()}

    async def add(self, product: str, terms: Mapping[str, str]) -> None:
        """See `ports.ProductTerms`."""
        flat = [text for term in islice(terms.items(), _MAX_TERMS) for text in term]
        try:
            await self._add(keys=[_product_key(product)], args=[self._ttl, _MAX_TERMS, *flat])
        except _DOWN as error:
            _log.warning("terms.unavailable", error=type(error).__name__)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _key(*parts: str) -> str:
    return ":".join((_PREFIX, *parts))


def _product_key(product: str) -> str:
    """Request ids are hostile: any length, any character."""
    name = hashlib.blake2b(product.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return _key("terms", name)
