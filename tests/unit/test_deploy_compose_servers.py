"""The compose files' commands and health checks, run against the real servers."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from typing import Any

import boto3
import pytest
import redis
import yaml
from moto.server import ThreadedMotoServer

from tests.deployment import FILES, load, merge, seen
from tests.documents import ROOT
from tests.faults.outside import ServedRedis
from tests.unit.test_deploy_compose import TRITON_HTTP
from worker.embedded import EmbeddedTriton, free_port, has_triton

#: Flags that servers older than 26.04 do not know.
NEW_FLAGS = {"--allow-client-shm=true"}


def test_redis_understands_its_command() -> None:
    service = load(FILES[0])["services"]["redis"]
    shell, script, *arguments = service["command"]
    assert (shell, seen(service, script)) == ("sh", ROOT / "deploy/redis/start.sh")
    with ServedRedis(*map(str, arguments)) as server, redis.Redis.from_url(server.url) as client:
        kept: dict[str, str] = client.config_get("append*") | client.config_get("maxmemory*")
        assert kept["appendonly"] == "yes"
        assert kept["maxmemory-policy"] == "noeviction"
        assert kept["maxmemory"] == str(2 << 30)
        assert client.config_get("requirepass") == {"requirepass": ""}


def test_a_redis_for_other_hosts_wants_a_password() -> None:
    stack = load(FILES[0], REDIS_BIND="10.0.0.5", REDIS_PASSWORD="secret")
    service = stack["services"]["redis"]
    assert service["ports"] == ["10.0.0.5:6379:6379"]
    *_, script = service["healthcheck"]["test"]
    assert service["environment"]["REDIS_PASSWORD"] == "secret"
    assert service["command"][service["command"].index("--requirepass") + 1] == "secret"
    # Without a password none is given: Redis refuses one that nobody asked for.
    for given, asked in (("secret", "redis-cli -a secret --no-auth-warning ping"), ("", "redis-cli ping")):
        command = script.replace("$$", "$").replace("redis-cli", "echo redis-cli").partition(" | ")[0]
        done = subprocess.run(
            ["sh", "-c", command], env={"REDIS_PASSWORD": given}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == asked


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
def test_triton_understands_its_command() -> None:
    """The flags of compose and Kubernetes, together; and the health check finds it ready."""
    check = load(FILES[0])["services"]["triton"]["healthcheck"]["test"]
    deployment = next(yaml.safe_load_all((ROOT / "deploy/k8s/triton.yaml").read_text()))
    asked: dict[str, str] = {}
    for command in (
        load(FILES[0])["services"]["triton"]["command"],
        deployment["spec"]["template"]["spec"]["containers"][0]["args"],
    ):
        assert command[0] == "tritonserver"
        asked |= {flag.partition("=")[0]: flag for flag in command[1:] if flag not in NEW_FLAGS}
    del asked["--model-repository"]
    with EmbeddedTriton(ROOT / "model_repository", *asked.values()) as server:
        address = check[-1].replace(f":{TRITON_HTTP}/", f":{server.http_port}/")
        assert f":{server.http_port}/" in address
        with urllib.request.urlopen(address, timeout=10) as reply:
            assert reply.status == 200


def test_the_buckets_healthcheck_makes_a_bucket_that_everybody_may_read() -> None:
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    try:
        _, *command = load(FILES[0])["services"]["s3"]["healthcheck"]["test"]
        script = command[-1].replace("5000", str(port))
        worker = merge(load(FILES[0]), load(FILES[1]))["services"]["worker"]["environment"]
        public = worker["R2_PUBLIC_BASE_URL"].replace("5000", str(port))
        client: Any = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=worker["R2_ACCESS_KEY_ID"],
            aws_secret_access_key=worker["R2_SECRET_ACCESS_KEY"],
            region_name="auto",
        )
        for _ in range(2):
            subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
            client.put_object(Bucket=worker["R2_BUCKET"], Key="order/1.ko.jpg", Body=b"picture")
            # As a browser does, that opens a result's image_url.
            with urllib.request.urlopen(f"{public}/order/1.ko.jpg", timeout=10) as reply:
                assert reply.read() == b"picture"
    finally:
        server.stop()
