"""`operate-worker dead`: look at the jobs that failed, push them again, or forget them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from worker.endings import ends_in_words, warn_of_slips
from worker.errors import ContentError, ImageNotFound, WorkerError

if TYPE_CHECKING:
    from worker.adapters.dead_letters import DeadLetters
    from worker.schemas import DeadLetter

app = typer.Typer(help="Look at jobs that failed, push them again, forget them.", no_args_is_help=True)

#: Ids may have 256 characters; `show` has them whole.
_SHOWN_ID = 60
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids, as `list` shows them.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Only this error code, as model_error.")]
RequestOption = Annotated[str | None, typer.Option("--request-id", help="Only jobs of this request.")]
AgeOption = Annotated[
    str | None, typer.Option("--older-than", help="Only letters older than 90s, 30m, 2h, 7d.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All letters that the other options leave.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, one object a line.")]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; None: any."""

    ids: frozenset[str] | None = None
    reason: str | None = None
    request_id: str | None = None
    older_than: float | None = None

    @classmethod
    def read(
        cls, ids: list[str] | None, reason: str | None, request_id: str | None, older_than: str | None
    ) -> Filter:
        """From the command line."""
        age = None if older_than is None else _seconds(older_than)
        if reason is not None and reason not in (known := _codes(WorkerError)):
            raise typer.BadParameter(f"must be one of {', '.join(sorted(known))}", param_hint="--reason")
        return cls(frozenset(ids) if ids else None, reason, request_id, age)

    def matches(self, letter: DeadLetter, now: float) -> bool:
        """Whether a letter is meant.

        Args:
            letter: The letter.
            now: Seconds since the epoch by Redis's clock.
        """
        return (
            (self.ids is None or letter.id in self.ids)
            and self.reason in (None, letter.reason)
            and self.request_id in (None, letter.request_id)
            and (self.older_than is None or now - letter.time > self.older_than)
        )


@app.command(epilog="Example: operate-worker dead list --reason model_error --older-than 1h", name="list")
def list_letters(
    reason: ReasonOption = None,
    request_id: RequestOption = None,
    older_than: AgeOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 20,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """List letters, newest first."""
    chosen = Filter.read(None, reason, request_id, older_than)
    _run(_list(chosen, None if every else limit, as_json))


@app.command(epilog="Example: operate-worker dead show ID --raw > job.json")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    as_json: JsonOption = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="The job's bytes as they were pushed, nothing else.")
    ] = False,
) -> None:
    """Show one letter with its job's payload."""
    _run(_show(letter_id, as_json, raw))


@app.command(epilog="Example: operate-worker dead retry --reason model_error")
def retry(
    ids: IdsArgument = None,
    reason: ReasonOption = None,
    request_id: RequestOption = None,
    older_than: AgeOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Push jobs again, as new submissions: each ends in one more result."""
    chosen = Filter.read(ids, reason, request_id, older_than)
    _require(chosen, every)
    _run(_each(chosen, "retried", as_json))


@app.command(epilog="Example: operate-worker dead drop --older-than 30d")
def drop(
    ids: IdsArgument = None,
    reason: ReasonOption = None,
    request_id: RequestOption = None,
    older_than: AgeOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Forget letters, and the bytes of their jobs with them."""
    chosen = Filter.read(ids, reason, request_id, older_than)
    _require(chosen, every)
    _run(_each(chosen, "dropped", as_json))


async def _list(chosen: Filter, limit: int | None, as_json: bool) -> None:
    async with _open() as letters:
        shown = 0
        async for letter in _matching(letters, chosen):
            if shown == limit:
                typer.echo(f"… more: --limit {2 * shown}, --all", err=True)
                return
            typer.echo(json.dumps(_as_object(letter)) if as_json else _as_line(letter))
            shown += 1
        if not shown:
            typer.echo("no dead letters", err=True)


async def _show(letter_id: str, as_json: bool, raw: bool) -> None:
    async with _open() as letters:
        async for letter in _matching(letters, Filter(ids=frozenset({letter_id}))):
            if raw:
                sys.stdout.buffer.write(letter.payload)
                sys.stdout.buffer.flush()
                return
            payload = letter.payload.decode("utf-8", "backslashreplace")
            if as_json:
                typer.echo(json.dumps({**_as_object(letter), "payload": payload}))
                return
            for name, value in _as_object(letter).items():
                typer.echo(f"{name:<16}{_printable(value)}")
            typer.echo(f"{'payload':<16}{_printable(payload)}")
            typer.echo(f"{'what to do':<16}{_advice(letter)}")
            return
    _fail(f"no dead letter {letter_id}")


async def _each(
    chosen: Filter,
    done: Literal["retried", "dropped"],
    as_json: bool,
) -> None:
    """Retry or drop every letter that is meant; one that is gone meanwhile was somebody else's."""
    changed, gone, missing = 0, 0, set(chosen.ids or ())
    async with _open() as letters:
        change = letters.retry if done == "retried" else letters.drop
        async for letter in _matching(letters, chosen):
            missing.discard(letter.id)
            if await change(letter):
                changed += 1
            else:
                gone += 1
            if chosen.ids and not missing:
                break
    if as_json:
        typer.echo(json.dumps({done: changed, "gone": gone, "missing": sorted(missing)}))
    else:
        typer.echo(f"{changed} {done}" + (f", {gone} gone meanwhile" if gone else ""))
    if missing:
        _fail(f"no dead letter {', '.join(sorted(missing))}")


@asynccontextmanager
async def _open() -> AsyncIterator[DeadLetters]:
    # Imported when it is needed: `--help` does without Redis.
    from worker.bootstrap_queue import open_dead_letters

    async with open_dead_letters() as letters:
        yield letters


async def _matching(letters: DeadLetters, chosen: Filter) -> AsyncIterator[DeadLetter]:
    now = await letters.now()
    async for letter in letters.walk():
        if chosen.matches(letter, now):
            yield letter


def _as_object(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "time": datetime.fromtimestamp(letter.time, UTC).isoformat(timespec="seconds"),
        "reason": letter.reason,
        "message": letter.message,
        "request_id": letter.request_id,
        "image_id": letter.image_id,
        "target_language": letter.target_language,
        "attempts": letter.attempts,
        "crashes": letter.crashes,
        "failures": dict(letter.failures),
        "retryable": _may_succeed(letter.reason),
        "bytes": len(letter.payload),
    }


def _as_line(letter: DeadLetter) -> str:
    time = datetime.fromtimestamp(letter.time, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    job = "/".join((part or "?")[:_SHOWN_ID] for part in (letter.request_id, letter.image_id))
    return _printable(f"{letter.id}  {time}  {letter.reason}  {job}  {letter.message}")


def _codes(error: type[WorkerError]) -> set[str]:
    """What `reason` may be: the codes of an error and of all below it."""
    return {error.code}.union(*(_codes(below) for below in error.__subclasses__()))


def _may_succeed(reason: str) -> bool:
    """Whether the same job may come through when it is tried again: the job itself is not at fault."""
    return reason not in {error.code for error in ContentError.__subclasses__()}


def _advice(letter: DeadLetter) -> str:
    if _may_succeed(letter.reason):
        return f"once the cause is mended: operate-worker dead retry {letter.id}"
    if letter.reason == ImageNotFound.code:
        return f"once the picture is there: operate-worker dead retry {letter.id}"
    return f"the job itself is wrong: operate-worker dead drop {letter.id}, then push it corrected"


def _printable(value: object) -> str:
    """Ids come from strangers: no control characters onto a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise typer.BadParameter("a number and s, m, h or d, such as 30m", param_hint="--older-than")
    return float(int(found[1]) * _UNITS[found[2]])


def _require(chosen: Filter, every: bool) -> None:
    if chosen == Filter() and not every:
        raise typer.BadParameter("name ids, give a filter, or say --all")


def _run(work: Coroutine[Any, Any, None]) -> None:
    warn_of_slips()
    with ends_in_words():
        asyncio.run(work)


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
