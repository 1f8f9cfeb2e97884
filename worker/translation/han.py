"""Which text is Chinese, and how texts are compared."""

from __future__ import annotations

import unicodedata

import regex

#: By Unicode property, so the extension planes count too; the iteration mark 々 and 〇 are script Han.
_HAN = regex.compile(r"\p{Han}")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}--[\u30fb\u30fc]]", regex.V1)


def is_chinese(text: str) -> bool:
    """Whether a text has Han characters and is not Japanese (kana) already."""
    return _HAN.search(text) is not None and _KANA.search(text) is None


def count_han(text: str) -> int:
    """How many Han characters a text has."""
    return len(_HAN.findall(text))


def fold(text: str) -> str:
    """A text without what OCR engines disagree on: full-width forms, compatibility forms, spaces."""
    return "".join(unicodedata.normalize("NFKC", text).split())
