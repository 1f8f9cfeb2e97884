"""The one error the command line turns into a line on stderr and a non-zero exit code."""

from __future__ import annotations


class ExportError(Exception):
    """Something the user can fix; the message says what, in one line."""
