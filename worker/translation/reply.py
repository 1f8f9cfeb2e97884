"""The answer: raw text from outside, believed only after it was checked here."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection


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
    printable = "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in text
        if unicodedata.category(character) != "Cs"
    )
    return " ".join(printable.split())
