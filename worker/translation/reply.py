"""The answer: raw text from outside, believed only after it was checked here."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

import regex

_CONTROL = regex.compile(r"[\p{Cc}\p{Zl}\p{Zp}]")
_SURROGATE = regex.compile(r"\p{Cs}")


class MalformedReply(ValueError):
    """The reply is not what was asked for."""


def parse_reply(text: str, wanted: Collection[int]) -> dict[int, str]:
    """The translations by block id; ids that were not asked for, and empty texts, are left out.

    Raises:
        MalformedReply: Not JSON, or not of the schema.
    """
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedReply("not JSON") from None
    entries = reply.get("translations") if isinstance(reply, dict) else None
    if not isinstance(entries, list):
        raise MalformedReply("no list of translations")
    return _read(entries, wanted)


def parse_beginning(text: str, wanted: Collection[int]) -> dict[int, str]:
    """The same from a reply that was cut short: the entries that are whole."""
    entries: list[Any] = []
    decoder = json.JSONDecoder()
    start = text.find("{", text.find("["))
    while start > 0:
        try:
            entry, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        entries.append(entry)
        start = text.find("{", end)
    try:
        return _read(entries, wanted)
    except MalformedReply:
        return {}


def _read(entries: Iterable[Any], wanted: Collection[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise MalformedReply("a translation is not an object")
        block_id, translation = entry.get("id"), entry.get("text")
        if type(block_id) is not int or not isinstance(translation, str):
            raise MalformedReply("a translation lacks its id or text")
        if block_id in wanted and (cleaned := _clean(translation)):
            found.setdefault(block_id, cleaned)
    return found


def _clean(text: str) -> str:
    """One line without control characters, lone surrogates and doubled spaces."""
    return " ".join(_SURROGATE.sub("", _CONTROL.sub(" ", text)).split())
