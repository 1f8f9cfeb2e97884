from __future__ import annotations

import pytest

from worker.rendering.fonts import FontSet


@pytest.fixture(scope="session")
def fonts() -> FontSet:
    """The packaged Noto Sans CJK."""
    return FontSet.load()
