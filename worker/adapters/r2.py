"""Cloudflare R2, or any S3-compatible store, through aioboto3."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import aioboto3
from aiobotocore.config import AioConfig
from aiohttp import ClientError as TransferError
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from worker.errors import AuthError, StoreUnavailable

#: Keys are deterministic and a job may be redone, so caches must ask again, cheaply, by ETag.
_CACHE_CONTROL = "public, max-age=3600"
_REFUSED = frozenset({401, 403})
#: An answer that breaks off, or that is none of S3's, leaves the SDK as its parts threw it.
_BROKEN = (BotoCoreError, TransferError, ResponseParserError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class R2Options:
    """Bucket, keys and public address."""

    endpoint_url: str
    bucket: str
    public_base_url: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    timeout_seconds: float = 30.0
    attempts: int = 3
    connections: int = 32


class R2Store:
    """`ObjectStore` in one bucket; one client for the process, opened once.

    Use it as an asynchronous context manager.
    """

    def __init__(self, options: R2Options) -> None:
        self._options = options
        self._named = f"R2_ENDPOINT_URL {urlsplit(options.endpoint_url).netloc.rpartition('@')[2]}"
        self._exit = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> R2Store:
        options = self._options
        session = aioboto3.Session(
            aws_access_key_id=options.access_key_id,
            aws_secret_access_key=options.secret_access_key,
            region_name="auto",
        )
        config = AioConfig(
            connect_timeout=10,
            read_timeout=options.timeout_seconds,
            retries={"max_attempts": options.attempts, "mode": "standard"},
            max_pool_connections=options.connections,
            # R2 refuses the checksums that newer SDKs add on their own.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Under TLS nobody changes the body; to hash 20 MB holds up the event loop.
            s3={
                "addressing_style": "path",
                "payload_signing_enabled": urlsplit(options.endpoint_url).scheme != "https",
            },
        )
        client = session.client("s3", endpoint_url=options.endpoint_url, config=config)
        self._client = await self._exit.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit.aclose()

    async def put(self, key: str, payload: bytes, content_type: str) -> str:
        """Upload one object in a single request and return its public URL.

        Raises:
            AuthError: The keys were refused.
            StoreUnavailable: Anything else; the same put may succeed later.
        """
        await self._call(
            self._client.put_object(
                Bucket=self._options.bucket,
                Key=key,
                Body=payload,
                ContentType=content_type,
                CacheControl=_CACHE_CONTROL,
            )
        )
        return f"{self._options.public_base_url.rstrip('/')}/{quote(key)}"

    async def check(self) -> str:
        """The bucket is there and the keys open it."""
        await self._call(self._client.head_bucket(Bucket=self._options.bucket))
        return f"bucket {self._options.bucket} answers"

    async def _call(self, request: Any) -> Any:
        try:
            return await request
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = error.response.get("Error", {}).get("Code", "unknown")
            if status in _REFUSED:
                message = f"R2_ACCESS_KEY_ID / R2_SECRET_ACCESS_KEY: refused ({code})"
                raise AuthError(message, dependency="store") from None
            if status == 404:
                raise StoreUnavailable(f"R2_BUCKET: there is no bucket {self._options.bucket}") from None
            raise StoreUnavailable(f"{self._named}: {code} ({status})") from None
        except _BROKEN as error:
            raise StoreUnavailable(f"{self._named}: {type(error).__name__}") from None
