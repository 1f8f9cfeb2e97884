from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.redis_address import RedisAddress


def test_one_server_is_left_to_redis_py() -> None:
    for url in ("redis://", "redis://h", "redis://h:1/2", "rediss://u:p@[::1]:1/0?ssl_ca_certs=a/b.pem"):
        address = RedisAddress.parse(url)
        assert (address.server_url, address.sentinels) == (url, ())


def test_sentinels_are_taken_apart() -> None:
    url = "rediss+sentinel://u:p%40@h1:1,[::1]:2,h3/jobs/5?sentinel_password=s%40&ssl_ca_certs=/ca.pem"
    address = RedisAddress.parse(url)
    assert address.sentinels == (("h1", 1), ("::1", 2), ("h3", 26379))
    assert (address.service, address.encrypted) == ("jobs", True)
    assert address.server_url == "rediss://u:p%40@master/5?ssl_ca_certs=%2Fca.pem"
    assert address.sentinel_login == (("password", "s@"),)
    assert set(address.secrets) == {"p%40", "p@", "s%40", "s@"}
    assert not any(secret in repr(address) for secret in address.secrets)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("redis://", "localhost:6379"),
        ("redis://user:password@h/0?password=other", "h:6379"),
        ("rediss://:p%40ssword@[::1]:1/0", "[::1]:1"),
        ("redis+sentinel://:password@h1,[::1]:2/jobs/0?sentinel_password=other", "h1:26379,[::1]:2"),
    ],
)
def test_people_are_told_host_and_port_alone(url: str, hosts: str) -> None:
    assert RedisAddress.parse(url).hosts == hosts


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "redis://…"),
        ("http://h/0", "redis://…"),
        ("redis+cluster://h", "redis://…"),
        ("redis://h:port/0", "one host and port"),
        ("redis://h:70000/0", "one host and port"),
        ("redis://h1,h2:1,h3/0", "one host and port"),
        ("redis://h/jobs", "number of a database"),
        ("redis+sentinel://h", "Sentinels and service"),
        ("redis+sentinel://h/", "Sentinels and service"),
        ("redis+sentinel:///jobs", "Sentinels and service"),
        ("redis+sentinel://h,,i/jobs", "Sentinels and service"),
        ("redis+sentinel://h:0/jobs", "Sentinels and service"),
        ("redis+sentinel://h/jobs/first", "number of a database"),
        ("redis+sentinel://h/jobs/0/1", "number of a database"),
    ],
)
def test_what_is_malformed_is_named(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RedisAddress.parse(url)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_without_being_quoted(text: str) -> None:
    complaint = complaint_about(f"redis+sentinel://:secret@{text}")
    assert "secret" not in complaint
    assert len(text) < 12 or text not in complaint


def complaint_about(url: str) -> str:
    try:
        RedisAddress.parse(url)
    except ValueError as error:
        return str(error)
    return ""


@given(st.text(min_size=1))
def test_a_password_survives_its_quoting(password: str) -> None:
    quoted = quote(password, safe="", errors="replace")
    address = RedisAddress.parse(f"redis+sentinel://:{quoted}@h/jobs/0?sentinel_password={quoted}")
    assert quoted in address.secrets
    assert f"redis://:{quoted}@master/0" in address.server_url
