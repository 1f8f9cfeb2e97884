"""Which text is Chinese, which of it is left alone, and how texts are compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

import regex

#: By Unicode property, so the extension planes count too; the iteration mark 々 and 〇 are script Han.
_HAN = regex.compile(r"\p{Han}")
#: Without ・ and ー, which Chinese posters use as dot and dash.
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}--[\u30fb\u30fc]]", regex.V1)
#: In running text an address ends where ASCII ends; one that stands alone may have a Han host.
_URL = regex.compile(r"(?:https?://|www\.)[\x21-\x7e]+", regex.I)
_WHOLE_URL = regex.compile(r"(?:https?://|www\.)\S+", regex.I)
#: Model and standard numbers, sizes with Latin units: GB/T 22796, HY-K1728, IPX5, 42dB, 1.7L, 316L.
_CODE = regex.compile(
    r"(?<![\p{Latin}\d])\p{Latin}++(?:[-/. ]\p{Latin}++)?+[-/. ]?\d[\p{Latin}\d]*+(?:[-./]\p{Latin}*+\d++)*+"
    r"|(?<!\d)\d++(?:[.,]\d++){0,6}+-?\p{Latin}++\d*+"
)
#: Numbers of two digits and more, but not those that languages write in ways of their own: months, discounts
#: (8.5折 is 15 % off), amounts in 万 and 亿, the shopping festival 双11.
_NUMBER = regex.compile(r"(?<![双\d.,])\d++(?:[.,]\d++){0,6}+(?!\s*[月折万亿千百])")
#: Scripts that divide words by spaces.
_LETTER = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Greek}]")
_DIGIT = regex.compile(r"\d")
_INESSENTIAL = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def is_chinese(text: str) -> bool:
    """Whether a text has Han characters and is not Japanese (kana) already."""
    return _HAN.search(text) is not None and _KANA.search(text) is None


def needs_translation(text: str, names: Collection[str] = (), source: str = "zh") -> bool:
    """Whether a text is Chinese beside what is left alone; of a Japanese page, Japanese.

    Numbers, prices, units, model and standard numbers, Latin brands have no Han character and so never were
    Chinese; addresses and kept names may have some. A unit or currency that is written in Han (500克, 199元)
    is a word that the reader cannot read: it is translated, its number stays (see `fixed_pieces`).

    Args:
        text: A block's text.
        names: Names to be kept as they are, folded.
        source: BCP-47 tag of the page's language. Without kana, Japanese looks like Chinese: who says that
            a page is Japanese gets all of it translated.
    """
    is_foreign = is_east_asian if source.partition("-")[0].lower() == "ja" else is_chinese
    if not is_foreign(text):
        return False
    folded = fold(text)
    if _WHOLE_URL.fullmatch(folded):
        return False
    rest = _URL.sub("", folded)
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(name, " ")
    return is_foreign(rest)


def is_east_asian(text: str) -> bool:
    """Whether a text is Chinese or Japanese."""
    return count_east_asian(text) > 0


def count_han(text: str) -> int:
    """How many Han characters a text has."""
    return len(_HAN.findall(text))


def count_east_asian(text: str) -> int:
    """How many characters of Chinese and Japanese a text has."""
    return count_han(text) + len(_KANA.findall(text))


def fixed_pieces(text: str) -> tuple[str, ...]:
    """What a translation must hold unchanged: addresses, model and standard numbers, sizes, long numbers."""
    text = unicodedata.normalize("NFKC", text)
    pieces: list[str] = []
    for pattern in (_URL, _CODE, _NUMBER):
        pieces += pattern.findall(text)
        text = pattern.sub("\n", text)
    return tuple(piece for piece in pieces if len(essence(piece)) > 1)


def fold(text: str) -> str:
    """A text without what OCR engines disagree on: full-width forms, compatibility forms, spaces."""
    return "".join(fold_words(text))


def fold_words(text: str) -> list[str]:
    """The same, in the pieces that spaces divide it into."""
    return unicodedata.normalize("NFKC", text).split()


def joins(left: str, right: str) -> bool:
    """Whether two neighbours in a text belong to one word: letters of an alphabet, or digits."""
    return any(kind.fullmatch(left) and kind.fullmatch(right) for kind in (_LETTER, _DIGIT))


def essence(text: str) -> str:
    """Letters and digits alone, in lower case: 1,000 and 1000 are the same, GB/T and GB-T too."""
    return str(_INESSENTIAL.sub("", unicodedata.normalize("NFKC", text))).casefold()
