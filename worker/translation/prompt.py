"""The request: one for each image, JSON in, JSON out, with an id for each block."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worker.job import TextBlock, TooLong
from worker.ports import Prompt
from worker.translation.glossary import Glossary
from worker.translation.profiles import Profile, shortening_task, task

REPLY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "translations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "text": {"type": "string"}},
                "required": ["id", "text"],
            },
        }
    },
    "required": ["translations"],
}

#: Width of an average character of running text, spaces included, as a share of the font size. Thai counts
#: its vowel and tone marks, which take no width.
_ADVANCE = {"zh": 1.0, "ja": 1.0, "ko": 0.85, "th": 0.45}
#: Latin, Cyrillic and their like.
_OTHER_ADVANCE = 0.5
#: Characters of other text that a request carries: a page has a few hundred, a long strip may have thousands.
_MAX_CONTEXT = 3000


@dataclass(frozen=True, slots=True)
class Languages:
    """From what into what, as BCP-47 tags."""

    source: str
    target: str


@dataclass(frozen=True, eq=False)
class PageText:
    """The text of one picture, and what is known about it."""

    #: To be translated, in reading order.
    blocks: tuple[TextBlock, ...]
    languages: Languages
    glossary: Glossary = field(default_factory=Glossary)
    #: What stays as it is: context.
    kept: tuple[TextBlock, ...] = ()
    #: Pictures of the same product use the same terms; None: this picture stands alone.
    product: str | None = None
    #: (width, height) in px.
    size: tuple[int, int] | None = None
    #: The picture, small, as JPEG; None where the translator does not get to see it.
    picture: bytes | None = field(default=None, repr=False)

    #: By block id, the glossary's terms that occur in the block; found where the page is read, in a thread.
    terms: Mapping[int, Mapping[str, str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        terms = {block.id: self.glossary.occurring(block.text) for block in self.blocks}
        object.__setattr__(self, "terms", terms)


def build_prompt(
    page: PageText,
    blocks: Sequence[TextBlock],
    *,
    profile: Profile = "ecommerce",
    earlier: Mapping[str, str] | None = None,
    context: Sequence[Mapping[str, str]] = (),
    problems: Mapping[int, str] | None = None,
    with_picture: bool = True,
) -> Prompt:
    """Ask for the translation of some blocks of one picture.

    Args:
        page: The picture's text.
        blocks: Those to be translated, in reading order.
        profile: What kind of picture it is.
        earlier: Terms as other pictures of the product have them; only those that occur are sent.
        context: The picture's other text, see `context_of`.
        problems: By block id, what was wrong with an earlier answer.
        with_picture: Whether to send the page's picture, if it has one.
    """
    picture = page.picture if with_picture else None
    content: dict[str, Any] = {"target_language": page.languages.target, "glossary": _terms(page, blocks)}
    if hints := _occurring(earlier or {}, content["glossary"], blocks):
        content["earlier"] = hints
    if context:
        content["context"] = list(context)
    content["blocks"] = [
        {
            "id": block.id,
            "text": block.text,
            "max_chars": width_budget(block, page.languages.target),
            **({"box": _box(block, page.size)} if picture is not None and page.size else {}),
            **({"problem": problems[block.id]} if problems and block.id in problems else {}),
        }
        for block in blocks
    ]
    system = task(profile, page.languages.source, page.languages.target, with_picture=picture is not None)
    return Prompt(system, json.dumps(content, ensure_ascii=False), REPLY_SCHEMA, picture)


def build_shortening(
    page: PageText, blocks: Sequence[TextBlock], translations: Mapping[int, str], too_long: Sequence[TooLong]
) -> Prompt:
    """Ask for shorter versions of some translations, by block id."""
    capacities = {excess.block_id: excess.capacity for excess in too_long}
    content = {
        "target_language": page.languages.target,
        "glossary": _terms(page, blocks),
        "blocks": [
            {
                "id": block.id,
                "text": block.text,
                "translation": translations[block.id],
                "max_chars": capacities[block.id],
            }
            for block in blocks
        ],
    }
    system = shortening_task(page.languages.source, page.languages.target)
    return Prompt(system, json.dumps(content, ensure_ascii=False), REPLY_SCHEMA)


def context_of(
    page: PageText, asked: Sequence[TextBlock], translations: Mapping[int, str]
) -> list[dict[str, str]]:
    """The picture's text beside what is asked for, in reading order, with the translations there are."""
    texts = {block.text for block in asked}
    context: list[dict[str, str]] = []
    room = _MAX_CONTEXT
    for block in sorted((*page.blocks, *page.kept), key=lambda block: block.id):
        translation = translations.get(block.id)
        room -= len(block.text)
        if block.text not in texts and room >= 0:
            texts.add(block.text)
            context.append({"text": block.text, **({"translation": translation} if translation else {})})
    return context


def width_budget(block: TextBlock, target: str) -> int:
    """About how many characters of a language fit in a block's place at the size of its source."""
    axis = 1 if block.vertical else 0
    length = sum(float(np.linalg.norm(line.polygon[1 + axis] - line.polygon[axis])) for line in block.lines)
    advance = _ADVANCE.get(target.partition("-")[0].lower(), _OTHER_ADVANCE)
    return max(2, round(length / max(block.text_height, 1.0) / advance))


def _terms(page: PageText, blocks: Sequence[TextBlock]) -> dict[str, str]:
    return {source: target for block in blocks for source, target in page.terms[block.id].items()}


def _occurring(
    earlier: Mapping[str, str], glossary: Mapping[str, str], blocks: Sequence[TextBlock]
) -> dict[str, str]:
    """The earlier terms that occur where the glossary has none."""
    known = Glossary.of(earlier).over(glossary)
    found = [term for block in blocks for term in known.occurring(block.text).items()]
    return {source: target for source, target in found if source not in glossary}


def _box(block: TextBlock, size: tuple[int, int]) -> list[int]:
    """Top, left, bottom, right in thousandths."""
    (left, top), (right, bottom) = block.polygon.min(axis=0), block.polygon.max(axis=0)
    width, height = size
    edges = (top / height, left / width, bottom / height, right / width)
    return [min(1000, max(0, round(1000 * float(edge)))) for edge in edges]
