"""Damage for fuzzing: a good JSON value with something else somewhere in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

#: Numbers that break what takes them for ordinary ones.
NUMBERS = st.sampled_from([10**400, -(10**400), 1e308, -0.0, 2**63, 2**31, float("nan"), float("inf"), True])
TEXTS = st.sampled_from(["", "\x00", "\ud800", "‮", "é" * 300, "../../x", "9" * 500, "{", "𠮷", "-1", "ko\n"])
VALUES = st.recursive(
    st.none() | NUMBERS | TEXTS | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["box", "id", "text"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """The value, with another one at one or two places of it."""
    for _ in range(draw(st.integers(1, 2))):
        value = replaced(value, draw(st.sampled_from(list(places(value)))), draw(VALUES))
    return value


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to every value inside a JSON value."""
    yield path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, entry in entries:
        yield from places(entry, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another one at a path."""
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = replaced(value[path[0]], path[1:], new)
    return copied
