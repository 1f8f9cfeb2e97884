"""The command line: run, check, submit, dead, translate, render, demo.

Each command imports what it needs when it is called: the whole worker takes over a second of CPU to import.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from worker import dead
from worker.errors import WorkerError

app = typer.Typer(
    help="Translates the text inside product images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Plain text: what is piped is not drawn in boxes and not wrapped.
    rich_markup_mode=None,
)
app.add_typer(dead.app, name="dead")
_out = Console()
_errors = Console(stderr=True)

OutOption = Annotated[Path, typer.Option("--out", help="Where the files are written.")]


def _print_version(asked: bool) -> None:
    if asked:
        from worker.metrics import release

        _say(f"operate-worker {release()}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Which release this is.")
    ] = False,
) -> None:
    """Translates the text inside product images."""


@app.command()
def run() -> None:
    """Work on jobs from the Redis list until SIGTERM.

    A second one gives everything back at once.
    """
    from worker.serve import serve

    _finish(serve())


@app.command()
def check() -> None:
    """Ask each dependency whether it works.

    One line each, and what to fix.
    """
    from worker.serve import ask_dependencies

    if not _finish(ask_dependencies(_out)):
        raise typer.Exit(1)


@app.command()
def submit(
    image_url: Annotated[str, typer.Argument(help="http(s) address of the picture.")],
    ocr: Annotated[Path, typer.Option("--ocr", help="JSON file with the picture's OCR result.", exists=True)],
    request_id: Annotated[str, typer.Option(help="Yours; jobs of one product share it.")] = "manual",
    image_id: Annotated[
        str | None, typer.Option(help="Unique within the request; default: file name.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Target language, BCP-47.")] = None,
) -> None:
    """Push one job onto the processor list, as any producer does."""
    from worker.submit import build_message, push, read_ocr

    with _errors_in_one_line():
        message = build_message(image_url, read_ocr(ocr), request_id, image_id, to)
    waiting = _finish(push(message))
    _say(f"pushed {message['request_id']}/{message['image_id']}, {waiting} jobs waiting")


@app.command()
def translate(
    images: Annotated[
        list[Path], typer.Argument(help="Pictures on this machine.", exists=True, dir_okay=False)
    ],
    ocr: Annotated[
        Path | None,
        typer.Option("--ocr", help="Its OCR result; else RapidOCR reads it.", exists=True),
    ] = None,
    glossary: Annotated[
        Path | None,
        typer.Option("--glossary", help="TSV; translate from it alone, without Gemini.", exists=True),
    ] = None,
    to: Annotated[str, typer.Option("--to", help="Target language, BCP-47.")] = "ko",
    out: OutOption = Path(),
    plate: Annotated[
        bool, typer.Option("--plate", help="Write the erased page and the layout too (see render).")
    ] = False,
) -> None:
    """Translate pictures without Redis and Triton.

    Writes NAME.ko.EXT and NAME.ko.json.
    """
    from worker import log
    from worker.local import TranslateRequest, translate_images

    if ocr is not None and len(images) > 1:
        raise typer.BadParameter("--ocr belongs to one picture; leave it out for several")
    log.configure(json=False)
    request = TranslateRequest(tuple(images), ocr, glossary, to, out, plate)
    failures = _finish(translate_images(request, _out))
    if failures:
        raise typer.Exit(1)


@app.command()
def render(
    layout: Annotated[
        Path, typer.Argument(help="NAME.layout.json, edited or not.", exists=True, dir_okay=False)
    ],
    plate: Annotated[
        Path | None,
        typer.Option("--plate", help="The erased page; default: NAME.plate.png beside it.", exists=True),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Picture to write; default: NAME.png beside it.")
    ] = None,
) -> None:
    """Draw a page again after its layout was edited.

    Nothing is translated or inpainted again.
    """
    from worker.rerender import rerender

    with _errors_in_one_line():
        written, milliseconds = rerender(layout, plate, out)
    _say(f"{written}: typeset in {milliseconds:.0f} ms")


@app.command()
def demo(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Your own pictures; default: the samples.")
    ] = None,
    out: OutOption = Path("demo-output"),
) -> None:
    """Run the real worker on the samples, and show what came out.

    With a private Redis and a private Triton.
    """
    from worker import log
    from worker.demo import run_demo

    log.configure(json=False)
    try:
        with _errors_in_one_line():
            failures = run_demo(images or [], out, _out)
    except KeyboardInterrupt:
        _errors.print("stopped")
        raise typer.Exit(130) from None
    if failures:
        raise typer.Exit(1)


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; see `_errors_in_one_line`."""
    with _errors_in_one_line():
        return asyncio.run(work)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """An error of ours is one line and exit code 1."""
    try:
        yield
    except WorkerError as error:
        _errors.print(f"[red]{error.code}[/]: {escape(error.message)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _say(line: str) -> None:
    """One line for people, as it is: names and messages may look like markup."""
    _out.print(line, markup=False, highlight=False, soft_wrap=True)
