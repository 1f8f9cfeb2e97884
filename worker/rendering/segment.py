"""Where a line may break: Unicode line breaking (UAX #14) with the tailoring a typesetter adds.

The character classes are the Unicode database's (package `regex`); the pair rules below are UAX #14's, each
marked with its number. Tailored: Korean words are kept whole and break inside only as the last resort, never
before a particle; numbers stay with their units; small kana are strict (kinsoku); Latin words are never cut
unless nothing else is left.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import regex


class Strength(IntEnum):
    """How good a place for a break is, best first."""

    #: The text itself ends the line.
    FORCED = 0
    #: A space, or between two Han characters or kana.
    FREE = 1
    #: After a hyphen, slash or bracket inside a token; inside a katakana word.
    WEAK = 2
    #: Inside a word.
    LAST_RESORT = 3


@dataclass(frozen=True, slots=True)
class Break:
    """A line may end before character `index`."""

    index: int
    strength: Strength


#: UAX #14 classes; AI, SG and XX count as AL, as LB1 says, and CJ as NS (strict kinsoku).
_CLASSES = (
    "BK CR LF NL SP ZW WJ GL CM ZWJ OP CL CP QU BA BB HY B2 NS CJ EX IS SY IN PO PR NU "
    "H2 H3 JL JV JT ID EB EM RI HL AL AI SG XX SA CB"
)
_CLASS = regex.compile("|".join(rf"(?P<{name}>\p{{Line_Break={name}}})" for name in _CLASSES.split()))
_ALIAS = {"AI": "AL", "SG": "AL", "XX": "AL", "SA": "AL", "CJ": "NS", "CR": "BK", "LF": "BK", "NL": "BK"}
_HANGUL = {"H2", "H3", "JL", "JV", "JT"}
_WORD = _HANGUL | {"AL", "HL", "NU"}
_LETTER = {"AL", "HL"}
_IDEOGRAPHS = {"ID", "EB", "EM", "NS", "IN"}

#: Particles and endings that must not open a line when a Korean word has to be cut.
_PARTICLE = regex.compile(
    r"(?:은|는|이|가|을|를|의|에|와|과|도|로|만|나|요|다|며|고|께|에서|에게|으로|까지|부터|처럼|보다|하고|이나|"
    r"마다|밖에|면서|지만|는데|으며|입니다|합니다|습니다|니다|니까|세요|어요|아요|해요|네요|지요|까요|에요|예요|려요|들|적|씩|쯤|째|뿐)"
    r"(?=[^\p{Hangul}]|$)"
)
_COUNTERS = (
    "개|병|원|위안|달러|엔|매|장|세트|회|분|초|일|년|월|주|시간|인치|명|인용|인분|종|쪽|봉|포|정|캡슐|알|환|켤레|벌|대|단|층|배|"
    "점|위|등급|급|호|번|차|구|중|통|캔|팩|박스|묶음|줄|조각|가지|그램|킬로|리터|미터|밀리|센티|퍼센트"
)
_UNITS = "[kmcµnMG]?(?:g|m|l|L|W|V|A|Hz|Pa|J|B|Ω)|mAh|Wh|kWh|ml|mL|oz|lb|ft|in|inch|dB|rpm|℃|kcal|GHz|MHz"
#: Places behind a space where a line ends as the last resort only.
_BOUND = tuple(
    regex.compile(pattern)
    for pattern in (
        # A number and, behind it, what it counts or measures; a word that only introduces a number.
        r"\p{Nd}\s+(?=(?:%|‰|°[CF]|[℃℉°$€£¥₩㎖㎎㎏㎝㎜㎡]"
        rf"|(?:{_UNITS})(?!\p{{L}})|(?:{_COUNTERS}))(?!\p{{Latin}}))",
        r"(?:(?<!\S)(?:제|약|각|총|단)|\b(?:No\.|SPF|PA|Vol\.|Ver\.|Type))\s+(?=\p{Nd})",
        # An operator between two numbers; a sign that stands alone opens no line.
        r"[\p{Nd}%℃]\p{L}{0,3}\s+[-+×*xX~–—/=]\s+(?=\p{Nd})",
        r"\s(?=[-·・ㆍ/|&:：~+×=–—]\s)",
        # What marks an item of a list ends no line.
        r"(?:(?:^|\n)[^\s\p{L}\p{Nd}]{1,2}|[①-⑳])\s+(?=\S)",
    )
)
#: Model numbers, URLs: tokens whose inner hyphens and slashes are no place to break while any other is left.
_CODE = regex.compile(r"(?<!\S)(?=\S*\d)(?=\S*[A-Za-z])[A-Za-z0-9][A-Za-z0-9./_-]*")
#: A/S, Type-C, 남/여: one letter is no line's whole share of a token.
_SHORT = regex.compile(r"(?<!\p{L})\p{L}[-/]\p{L}|\p{L}[-/]\p{L}(?!\p{L})")

_LETTERS, _LETTERS_BEFORE = regex.compile(r"\p{L}*"), regex.compile(r"\p{L}*$")
_LINE_ENDS, _AROUND_LINE_ENDS = regex.compile(r"\r\n?|[\u2028\u2029\v\f\u0085]"), regex.compile(r" *\n\s*")
_SPACES, _UNDRAWABLE = regex.compile(r" +"), regex.compile(r"[^\P{C}\n\u200b\u200d]|\p{Cn}|\p{Co}")
#: No cut word leaves fewer letters on a line.
_SHORTEST_PIECE = 2


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """The text as it can be drawn: NFC, one kind of line end, no control characters, no lone surrogates.

    Bidirectional controls go too: they have no width and would only confuse breaking.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    text = _LINE_ENDS.sub("\n", text).replace("\t", " ").replace("\u3000", " ")
    text = unicodedata.normalize("NFC", _UNDRAWABLE.sub("", text))
    return str(_AROUND_LINE_ENDS.sub("\n", _SPACES.sub(" ", text))).strip()


@lru_cache(maxsize=8192)
def _line_break_class(char: str) -> str:
    match = _CLASS.match(char)
    name = str(match.lastgroup) if match else "AL"
    if name == "QU" and unicodedata.category(char) in ("Pi", "Pf"):
        # CJK text has no spaces beside its quotes, so their direction must tell what they cling to.
        return "OP" if unicodedata.category(char) == "Pi" else "CL"
    return _ALIAS.get(name, name)


@lru_cache(maxsize=1024)
def find_breaks(text: str, language: str) -> tuple[Break, ...]:
    """All places where a line may end, in order; the text's end is not among them.

    Args:
        text: Cleaned text (see `clean`).
        language: BCP-47 of the text.
    """
    starts = [match.start() for match in regex.finditer(r"\X", text)]
    classes = [_line_break_class(text[start]) for start in starts]
    bound = {match.end() for pattern in _BOUND for match in pattern.finditer(text, overlapped=True)}
    codes = [match.span() for match in _CODE.finditer(text)]
    short = [match.span() for match in _SHORT.finditer(text, overlapped=True)]
    breaks = []
    for at in range(1, len(starts)):
        index = starts[at]
        strength = _strength(text, classes, at, index, language)
        if strength is None:
            continue
        if index in bound and strength is Strength.FREE:
            strength = Strength.LAST_RESORT
        if strength is Strength.WEAK and any(low < index < high for low, high in codes + short):
            strength = Strength.LAST_RESORT
        breaks.append(Break(index, strength))
    return tuple(breaks)


def _strength(text: str, classes: list[str], at: int, index: int, language: str) -> Strength | None:
    """How good the place before grapheme `at` is; None where a break is forbidden."""
    before, after = classes[at - 1], classes[at]
    if before == "BK":  # LB4
        return Strength.FORCED
    if after in ("BK", "SP", "ZW"):  # LB6, LB7
        return None
    spaced = before == "SP"
    behind = at - 1
    while behind > 0 and classes[behind] == "SP":
        behind -= 1
    before = classes[behind]
    if before == "ZW":  # LB8
        return Strength.FREE
    if _is_forbidden(before, after, spaced):
        return None
    if spaced:  # LB18
        return Strength.FREE
    if _is_inside_word(before, after, language):
        return _inside_word(text, index, before, after)
    if before in ("HY", "BA", "SY", "CL", "CP", "EX", "IS", "PO") or after == "OP":
        return Strength.WEAK if language.startswith("ko") or before in ("HY", "SY") else Strength.FREE
    if language.startswith("ko") and not {before, after} & _IDEOGRAPHS:
        return Strength.LAST_RESORT  # between two signs
    katakana = after == "ID" and _is_katakana(text[index - 1]) and _is_katakana(text[index])
    return Strength.WEAK if katakana else Strength.FREE


def _is_forbidden(before: str, after: str, spaced: bool) -> bool:
    """The prohibitions of UAX #14 between two classes, with or without spaces between them."""
    if after in ("CL", "CP", "EX", "IS", "SY") or before == "OP":  # LB13, LB14: even across spaces
        return not (spaced and after in ("IS", "SY"))
    if (after == "NS" and before in ("CL", "CP")) or before == after == "B2":  # LB16, LB17
        return True
    if spaced:
        return False
    return (
        "WJ" in (before, after)  # LB11
        or before == "GL"  # LB12
        or (after == "GL" and before not in ("BA", "HY"))  # LB12a
        or after in ("CM", "ZWJ")  # LB9
        or "QU" in (before, after)  # LB19
        or after in ("BA", "HY", "NS", "IN")  # LB21, LB22
        or before == "BB"  # LB21
        or _is_number_pair(before, after)
        or before == after == "RI"  # LB30a
        or (before == "EB" and after == "EM")  # LB30b
    )


def _is_number_pair(before: str, after: str) -> bool:
    """LB23 to LB25 and LB29, LB30: numbers, their signs and units."""
    return (
        (before in ("PR", "PO") and after in _LETTER | {"NU", "OP"})
        or (before == "PR" and after in _HANGUL | {"ID", "EB", "EM"})
        or (after == "PO" and before in _WORD | {"ID", "EB", "EM", "CL", "CP", "PR"})
        or (after == "PR" and before in _LETTER | {"NU", "CL", "CP"})
        or (before in ("HY", "IS", "SY", "NU") and after == "NU")
        or (before == "IS" and after in _LETTER)
    )


def _is_inside_word(before: str, after: str, language: str) -> bool:
    """Whether both sides belong to one word, which only the last resort may cut."""
    if before in _WORD and after in _WORD:
        return True
    korean = language.startswith("ko")
    wordlike = _WORD | {"CP", "CL", "PO"}
    return korean and before in wordlike and (after in _HANGUL or (after == "OP" and before in _WORD))


def _inside_word(text: str, index: int, before: str, after: str) -> Strength | None:
    """A cut inside a word: never before a particle, inside a number or off a single letter."""
    if before == after == "NU":
        return None
    if after in _HANGUL and _PARTICLE.match(text, index):
        return None
    if "OP" in (before, after) or before in ("CP", "CL", "PO"):
        return Strength.LAST_RESORT
    head, tail = _LETTERS_BEFORE.search(text, 0, index)[0], _LETTERS.match(text, index)[0]
    if before != "NU" and after != "NU" and min(len(head), len(tail)) < _SHORTEST_PIECE:
        return None
    return Strength.LAST_RESORT


def _is_katakana(char: str) -> bool:
    return "\u30a0" <= char <= "\u30ff"
