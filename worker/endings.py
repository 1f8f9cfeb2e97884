"""How a command ends: 0 done, 1 failed, 2 wrong usage or settings, 130 Ctrl-C; and in what words."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from worker.errors import SettingsError, WorkerError

_ENV_FILE = Path(".env")


@contextmanager
def ends_in_words() -> Iterator[None]:
    """An error is a line on stderr and exit code 1, wrong settings are a line each and 2.

    Where nobody reads on, as behind `| head -1`, it is done.
    """
    try:
        yield
    except SettingsError as error:
        lines = error.message.splitlines()
        if _in_env_file({line.partition(":")[0] for line in lines}):
            lines.append(".env is read by docker compose alone; for this shell: set -a; . ./.env; set +a")
        for line in lines:
            complain("settings", line)
        raise typer.Exit(2) from None
    except WorkerError as error:
        complain(error.code, error.message)
        raise typer.Exit(1) from None
    except OSError as error:
        # A connection that broke is an error all the same.
        if isinstance(error, BrokenPipeError) and _is_unread():
            raise typer.Exit(0) from None
        complain("file", ": ".join(filter(None, (error.filename, error.strerror))))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise typer.Exit(130) from None


def complain(code: str, message: str) -> None:
    """One line on stderr."""
    typer.echo(f"{typer.style(code, fg='red')}: {message}", err=True)


def warn_of_slips(*, with_env_file: bool = False) -> None:
    """Say which variables look like settings with a wrong name."""
    for hint in slips(with_env_file=with_env_file):
        typer.echo(f"{typer.style('settings.unknown', fg='yellow')}: {hint}", err=True)


def slips(*, with_env_file: bool = False) -> list[str]:
    """The lines of `unknown_settings` for this process."""
    # Imported when it is needed: `--help` does without pydantic.
    from worker.misspelt import unknown_settings

    return list(unknown_settings(os.environ, _ENV_FILE if with_env_file else None))


def _is_unread() -> bool:
    """Whether stdout's reader is gone; what is left for it then goes nowhere, also when Python ends."""
    stdout = sys.stdout.fileno()
    poll = select.poll()
    # Asked for nothing, it still tells of the other end.
    poll.register(stdout, 0)
    if not poll.poll(0):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stdout)
    os.close(nowhere)
    return True


def _in_env_file(names: set[str]) -> bool:
    from worker.misspelt import names_in

    return not names.isdisjoint(names_in(_ENV_FILE))
