"""The real aioboto3 against a real S3 API: moto's server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.tls import tls_front
from worker.adapters.r2 import R2Options, R2Store
from worker.embedded import free_port
from worker.errors import StoreUnavailable

BUCKET = "pictures"


def admin(endpoint: str) -> Any:
    """The plain SDK, to look at the store from the other side."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="id",
        aws_secret_access_key="key",
        region_name="us-east-1",
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    admin(url).create_bucket(Bucket=BUCKET)
    yield url
    server.stop()


def options(endpoint: str, bucket: str = BUCKET) -> R2Options:
    return R2Options(
        endpoint_url=endpoint,
        bucket=bucket,
        public_base_url=f"{endpoint}/{bucket}",
        access_key_id="id",
        secret_access_key="secret-r2",
        timeout_seconds=5.0,
        attempts=1,
    )


async def test_an_object_is_served_as_it_was_put(endpoint: str) -> None:
    async with R2Store(options(endpoint)) as store:
        url = await store.put("product 1/图.ko.jpg", b"\xff\xd8picture", "image/jpeg")
    assert url == f"{endpoint}/{BUCKET}/product%201/%E5%9B%BE.ko.jpg"
    stored = admin(endpoint).get_object(Bucket=BUCKET, Key="product 1/图.ko.jpg")
    assert stored["Body"].read() == b"\xff\xd8picture"
    assert (stored["ContentType"], stored["CacheControl"]) == ("image/jpeg", "public, max-age=3600")


@pytest.mark.parametrize(("scheme", "signed"), [("https", False), ("http", True)])
async def test_a_picture_is_hashed_only_where_nothing_else_protects_it(
    endpoint: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, signed: bool
) -> None:
    """On the event loop, 20 MB take 10 to 50 ms."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    seen, picture = bytearray(), b"picture" * 100_000
    async with AsyncExitStack() as stack:
        port = int(endpoint.rpartition(":")[2])
        front = tls_front(None if signed else certificate, port, seen)
        address = f"{scheme}://127.0.0.1:{await stack.enter_async_context(front)}"
        store = await stack.enter_async_context(R2Store(options(address)))
        await store.put("large.png", picture, "image/png")
    assert admin(endpoint).get_object(Bucket=BUCKET, Key="large.png")["Body"].read() == picture
    assert (hashlib.sha256(picture).hexdigest().encode() in seen) is signed
    assert (b"UNSIGNED-PAYLOAD" in seen) is not signed


async def test_the_same_key_is_one_object(endpoint: str) -> None:
    async with R2Store(options(endpoint)) as store:
        assert await store.put("a.jpg", b"1", "image/jpeg") == await store.put("a.jpg", b"2", "image/jpeg")
        assert await store.check() == "bucket pictures answers"


async def test_a_missing_bucket_is_named(endpoint: str) -> None:
    async with R2Store(options(endpoint, "nowhere")) as store:
        with pytest.raises(StoreUnavailable, match="R2_BUCKET: there is no bucket nowhere"):
            await store.put("a.jpg", b"1", "image/jpeg")


async def test_a_store_that_is_away_can_be_tried_again() -> None:
    async with R2Store(options(f"http://127.0.0.1:{free_port()}")) as store:
        with pytest.raises(StoreUnavailable) as caught:
            await store.put("a.jpg", b"1", "image/jpeg")
    assert caught.value.retryable
    assert "secret-r2" not in caught.value.message


CUT = b"HTTP/1.1 %d Fault\r\nContent-Type: application/xml\r\nContent-Length: 10000\r\n\r\n<Error>"


@pytest.mark.parametrize("answer", [CUT % 503, CUT % 200, b"HTTP/1.1 200 OK\r\n\r\n<html>", b"nonsense"])
async def test_an_answer_that_is_none_can_be_tried_again(answer: bytes) -> None:
    """A proxy's page, a connection that breaks off within the answer: nothing of it is the job's fault."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await asyncio.sleep(0.05)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, R2Store(options(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")) as store:
        with pytest.raises(StoreUnavailable):
            await store.put("a.jpg", b"1", "image/jpeg")
