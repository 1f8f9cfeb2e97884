"""Where the demo writes: what one run wrote is gone when the next begins, and nothing else is."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_LIST = ".demo-wrote.json"


class DemoFolder:
    """A folder that remembers what was written into it; a context manager, the next of which tidies up.

    A file that somebody changed after the run is theirs and stays.

    Args:
        path: The folder; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: set[str] = set()

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        for name, written_at in self._remembered().items():
            file = self.path / name
            # A name with a folder in it is none of ours.
            if file.name == name and file.is_file() and file.stat().st_mtime_ns == written_at:
                file.unlink()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        written = {name: self.path / name for name in sorted(self._names)}
        stamps = {name: file.stat().st_mtime_ns for name, file in written.items() if file.is_file()}
        (self.path / _LIST).write_text(json.dumps(stamps, indent=0), encoding="utf-8")

    def file(self, name: str) -> Path:
        """Where to write a file of this run."""
        self._names.add(name)
        return self.path / name

    def _remembered(self) -> dict[str, int]:
        with suppress(OSError, ValueError):
            found = json.loads((self.path / _LIST).read_bytes())
            if isinstance(found, dict):
                return found
        return {}
