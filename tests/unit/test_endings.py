from __future__ import annotations

import pytest
import typer

from worker.endings import ends_in_words


def test_a_connection_that_breaks_is_an_error_while_somebody_reads(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, ends_in_words():
        raise BrokenPipeError(32, "Broken pipe")
    assert caught.value.exit_code == 1
    assert capfd.readouterr().err == "file: Broken pipe\n"
