"""The command line: run, check, submit, dead, translate, render, demo; see `endings.py` for the exit codes.

Each command imports what it needs when it is called: the whole worker takes over a second of CPU to import.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from worker import dead
from worker.endings import ends_in_words, warn_of_slips

app = typer.Typer(
    help="Translates the text inside product images.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or settings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Plain text: what is piped is not drawn in boxes and not wrapped.
    rich_markup_mode=None,
)
app.add_typer(dead.app, name="dead")
_out = Console()

OutOption = Annotated[Path, typer.Option("--out", help="Where the files are written.")]


def _print_version(asked: bool) -> None:
    if asked:
        from worker.metrics import release

        _say(f"operate-worker {release()}")
        raise typer.Exit


def _check_language(tag: str | None) -> str | None:
    from worker.setting_values import check_language

    try:
        return tag if tag is None else check_language(tag)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Which release this is.")
    ] = False,
) -> None:
    """Translates the text inside product images."""


@app.command(epilog="Example: REDIS_URL=redis://host:6379/0 GEMINI_API_KEY=… operate-worker run")
def run() -> None:
    """Work on jobs from the Redis list until SIGTERM.

    It then finishes what is in flight; a second SIGTERM gives everything back at once.
    """
    from worker.serve import serve

    _finish(serve())


@app.command(epilog="Example: set -a; . ./.env; set +a; operate-worker check")
def check() -> None:
    """Try all that `run` needs, and say what to fix.

    One line each: Redis, memory, models, translator, fallback, store, fonts, spool, traces.
    """
    from worker.serve import check_everything

    if not _finish(check_everything(_out)):
        raise typer.Exit(1)


@app.command(
    epilog="Example: operate-worker submit https://example.com/a.jpg --ocr a.ocr.json --request-id order-1"
)
def submit(
    image_url: Annotated[str, typer.Argument(help="http(s) address of the picture, as the worker sees it.")],
    ocr: Annotated[
        Path,
        typer.Option("--ocr", help="JSON file with the picture's OCR result.", exists=True, dir_okay=False),
    ],
    request_id: Annotated[str, typer.Option(help="Yours; jobs of one product share it.")] = "manual",
    image_id: Annotated[
        str | None, typer.Option(help="Unique within the request; default: file name.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", callback=_check_language, help="Target language, BCP-47.")
    ] = None,
) -> None:
    """Push one job onto the processor list, as any producer does."""
    from worker.submit import build_message, check_message, push, read_ocr

    warn_of_slips()
    if not image_url.startswith(("http://", "https://")):
        raise typer.BadParameter("must begin with http:// or https://", param_hint="image_url")
    with ends_in_words():
        message = build_message(image_url, read_ocr(ocr), request_id, image_id, to)
        lines = check_message(message)
    queue, results, waiting = _finish(push(message))
    job = f"{message['request_id']}/{message['image_id']}"
    _say(f"pushed {job} ({lines} lines) onto {queue}, {waiting} waiting there; the result comes on {results}")


@app.command(
    epilog="Example: operate-worker translate a.jpg --ocr a.ocr.json --glossary terms.tsv --out out --plate"
)
def translate(
    images: Annotated[
        list[Path], typer.Argument(help="Pictures on this machine.", exists=True, dir_okay=False)
    ],
    ocr: Annotated[
        Path | None,
        typer.Option("--ocr", help="Its OCR result; else RapidOCR reads it.", exists=True, dir_okay=False),
    ] = None,
    glossary: Annotated[
        Path | None,
        typer.Option(
            "--glossary", help="TSV; translate from it alone, without Gemini.", exists=True, dir_okay=False
        ),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", callback=_check_language, help="Target language, BCP-47.")
    ] = "ko",
    out: OutOption = Path(),
    plate: Annotated[
        bool, typer.Option("--plate", help="Write the erased page and the layout too (see render).")
    ] = False,
) -> None:
    """Translate pictures without Redis and Triton.

    Writes NAME.ko.EXT and NAME.ko.json.
    """
    import logging

    from worker import log
    from worker.local import TranslateRequest, translate_images

    if ocr is not None and len(images) > 1:
        raise typer.BadParameter("--ocr belongs to one picture; leave it out for several")
    log.configure(json=False, level=logging.WARNING)
    warn_of_slips()
    request = TranslateRequest(tuple(images), ocr, glossary, to, out, plate)
    failures = _finish(translate_images(request, _out))
    if failures:
        raise typer.Exit(1)


@app.command(epilog="Example: operate-worker render out/a.layout.json --out out/edited.png")
def render(
    layout: Annotated[
        Path, typer.Argument(help="NAME.layout.json, edited or not.", exists=True, dir_okay=False)
    ],
    plate: Annotated[
        Path | None,
        typer.Option(
            "--plate", help="The erased page; default: NAME.plate.png beside it.", exists=True, dir_okay=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Picture to write; default: NAME.png beside it.")
    ] = None,
) -> None:
    """Draw a page again after its layout was edited.

    Nothing is translated or inpainted again.
    """
    from worker.rerender import rerender

    with ends_in_words():
        drawn = rerender(layout, plate, out)
    blocks = "1 block" if drawn.smaller == 1 else f"{drawn.smaller} blocks"
    smaller = f", {blocks} set smaller" if drawn.smaller else ""
    _say(f"{drawn.path}: typeset in {drawn.milliseconds:.0f} ms{smaller}")


@app.command(epilog="Example: operate-worker demo a.jpg b.png")
def demo(
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Your own pictures; default: the samples.", exists=True, dir_okay=False),
    ] = None,
    out: OutOption = Path("demo-output"),
) -> None:
    """Run the real worker on the samples, and show what came out.

    With a private Redis and a private Triton.
    """
    from worker import log
    from worker.demo import run_demo

    log.configure(json=False)
    warn_of_slips()
    with ends_in_words():
        failures = run_demo(images or [], out, _out)
    if failures:
        raise typer.Exit(1)


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; see `ends_in_words`."""
    with ends_in_words():
        return asyncio.run(work)


def _say(line: str) -> None:
    """One line for people, as it is: names and messages may look like markup."""
    _out.print(line, markup=False, highlight=False, soft_wrap=True)
