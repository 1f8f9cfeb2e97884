from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.job import Job
from worker.object_key import object_key

TEMPLATE = "{request_id}/{image_id}.{target_language}.{extension}"


def key(request_id: str, image_id: str) -> str:
    return object_key(TEMPLATE, Job(request_id, image_id, "http://x", (), "ko"), "jpg")


def test_harmless_ids_stay_readable() -> None:
    assert key("order-17", "main_1.v2") == "order-17/main_1.v2.ko.jpg"


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "..", "a/b", "产品", "x" * 300, "a\x00b", "\ud800"])
def test_hostile_ids_stay_in_their_place(hostile: str) -> None:
    assert re.fullmatch(r"r/[A-Za-z0-9_=][A-Za-z0-9._=-]{0,95}~[0-9a-f]{12}\.ko\.jpg", key("r", hostile))


def test_no_id_can_be_chosen_to_become_the_key_of_another() -> None:
    _, _, name = key("r", "a/b").partition("/")
    assert key("r", name.removesuffix(".ko.jpg")) != key("r", "a/b")


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_key_is_short_and_made_of_harmless_characters(request_id: str, image_id: str) -> None:
    found = key(request_id, image_id)
    assert re.fullmatch(r"[A-Za-z0-9._=~-]+/[A-Za-z0-9._=~-]+", found)
    assert len(found) < 300, "S3 allows 1024 bytes"
    assert not {".", ".."} & set(found.split("/"))
    assert not found.startswith(".")


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_ids_never_share_a_key(one: str, other: str) -> None:
    assert (key("r", one) == key("r", other)) is (one == other)
