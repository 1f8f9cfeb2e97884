"""The demo: private Redis and Triton, the real worker process, the samples, and pictures to look at."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from worker.bootstrap import open_ocr
from worker.bootstrap_checks import translator
from worker.contact_sheet import contact_sheet, side_by_side
from worker.demo_folder import DemoFolder
from worker.demo_site import EXAMPLES, QUEUE, RESULTS, DemoError, Site, servers
from worker.errors import ContentError, WorkerError
from worker.local import count, path_of
from worker.settings import TranslateSettings, read_group
from worker.submit import build_message

#: The stages that take time where nothing comes from afar, as the result's timings name them.
_STAGES = ("translate", "mask", "inpaint", "render")
_CHECK_SECONDS = 15.0
#: Between one result and the next.
_PATIENCE_SECONDS = 300.0
_NO_TRANSLATOR = (
    "Nothing was translated: the samples' glossary has none of it. Set GEMINI_API_KEY and try again."
)


@dataclass(frozen=True, slots=True)
class _Sample:
    """A picture with its OCR result."""

    image: Path
    ocr_result: Any


def run_demo(images: Sequence[Path], out: Path, console: Console) -> int:
    """Translate the samples, or the user's own pictures; returns how many failed.

    Raises:
        SettingsError, DemoError: In one line, what is missing or went wrong.
    """
    samples = _own_samples(images, console) if images else _shipped_samples()
    console.print(_translator_line(bool(images)), highlight=False, soft_wrap=True)
    if os.environ.get("GEMINI_API_KEY"):
        _try_translator()
    with (
        DemoFolder(out) as folder,
        tempfile.TemporaryDirectory(prefix="operate-demo-") as scratch,
    ):
        pictures = [sample.image for sample in samples]
        with servers(Path(scratch), pictures, folder.file("worker.log"), console) as site:
            results = _follow(site, _push(site, samples), console)
        rows = [_collect(sample, results[sample.image.stem], folder) for sample in samples]
        first = _compare(samples, results, folder)
    console.print(_table(rows))
    for line in _closing_lines(results, out, first):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return sum(result["status"] == "failed" for result in results.values())


def _shipped_samples() -> list[_Sample]:
    found = sorted(EXAMPLES.glob("*.ocr.json"))
    if not found:
        raise DemoError(f"no samples in {EXAMPLES}")
    pictures = [next(EXAMPLES.glob(f"{path.name.removesuffix('.ocr.json')}.[jp][pn]g")) for path in found]
    return [
        _Sample(picture, json.loads(ocr.read_bytes())) for picture, ocr in zip(pictures, found, strict=True)
    ]


def _own_samples(images: Sequence[Path], console: Console) -> list[_Sample]:
    stems = [image.stem for image in images]
    if len(set(stems)) < len(stems):
        raise DemoError("two pictures have the same name")
    engine = open_ocr()
    samples = []
    for image in images:
        console.print(f"reading the text of {image.name} …", markup=False, highlight=False)
        try:
            samples.append(_Sample(image.resolve(), asyncio.run(engine.read_file(image))))
        except ContentError as error:
            raise DemoError(f"{image}: {error.message}") from None
    return samples


def _try_translator() -> None:
    """A key that is refused is better said at once than after the worker's patience."""
    part = translator(read_group(TranslateSettings, TRANSLATOR="gemini"))
    try:
        asyncio.run(part.check(_CHECK_SECONDS))
    except WorkerError as error:
        raise DemoError(f"{error.message}; without GEMINI_API_KEY the samples' glossary translates") from None


def _translator_line(own: bool) -> str:
    if os.environ.get("GEMINI_API_KEY"):
        return "GEMINI_API_KEY is set: Gemini translates."
    line = "No GEMINI_API_KEY: the translations come from the samples' glossary"
    return f"{line}; text that is not in it stays as it is." if own else f"{line}."


def _push(site: Site, samples: Sequence[_Sample]) -> int:
    for sample in samples:
        url = f"{site.pictures_url}/{quote(sample.image.name)}"
        message = build_message(url, sample.ocr_result, "demo", sample.image.stem)
        site.queue.rpush(QUEUE, json.dumps(message))
    return len(samples)


def _follow(site: Site, jobs: int, console: Console) -> dict[str, dict[str, Any]]:
    """Pop the results as they come; by image id."""
    results: dict[str, dict[str, Any]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("translating", total=jobs)
        while len(results) < jobs:
            if time.monotonic() > deadline:
                raise DemoError(f"{jobs - len(results)} of {jobs} results are missing; see {site.worker.log}")
            popped = site.queue.blpop([RESULTS], timeout=1)
            if popped is None:
                for trouble in site.worker.troubles():
                    console.print(f"waiting: {trouble}", markup=False, highlight=False, soft_wrap=True)
                continue
            result = json.loads(popped[1])
            results[result["image_id"]] = result
            progress.update(task, completed=len(results), description=result["image_id"])
            deadline = time.monotonic() + _PATIENCE_SECONDS
        progress.update(task, description="done")
    return results


def _collect(sample: _Sample, result: dict[str, Any], folder: DemoFolder) -> list[str]:
    """Copy the result's files to `folder`, where its message finds them; returns its row of the table."""
    name = sample.image.stem
    named = f"{name}.{result['target_language']}"
    for kind, base in (("image", named), ("layout", f"{name}.layout"), ("plate", f"{name}.plate")):
        if (url := result[f"{kind}_url"]) is not None:
            copied = folder.file(f"{base}{path_of(url).suffix}")
            shutil.copyfile(path_of(url), copied)
            result[f"{kind}_url"] = copied.name
    message = json.dumps(result, ensure_ascii=False, indent=1)
    folder.file(f"{named}.json").write_text(f"{message}\n", encoding="utf-8")
    if result["image_url"] is None:
        failure = escape(f"{sample.image.name}: {result['error']['code']}")
        return [f"[red]{failure}[/]", "", *[""] * len(_STAGES)]
    blocks = count(block["status"] for block in result["blocks"])
    timings = [f"{result['timings_ms'].get(stage, 0):.0f}" for stage in _STAGES]
    return [escape(result["image_url"]), blocks, *timings]


def _compare(
    samples: Sequence[_Sample], results: dict[str, dict[str, Any]], folder: DemoFolder
) -> Path | None:
    """Write original, plate and translation side by side: each page for itself, and all on one sheet.

    Returns:
        The file to look at first; None where nothing was erased.
    """
    pages, first = [], None
    for sample in samples:
        name, result = sample.image.stem, results[sample.image.stem]
        if result["plate_url"] is not None:
            erased, translated = (folder.path / result[f"{kind}_url"] for kind in ("plate", "image"))
            pages.append([sample.image, erased, translated])
            first = folder.file(f"{name}.side-by-side.jpg")
            side_by_side(pages[-1], first)
    if len(pages) > 1:
        first = folder.file("contact-sheet.jpg")
        contact_sheet(pages, first)
    return first


def _closing_lines(results: dict[str, dict[str, Any]], out: Path, first: Path | None) -> Iterator[str]:
    """What went wrong, what lies in the folder, and what to do with it."""
    yield f"kept: no Chinese in it; stages in milliseconds; all files in {out}/"
    for name, result in results.items():
        if result["error"] is not None:
            yield f"{name}: {result['error']['message']}; see {out / 'worker.log'}"
    if first is None:
        yield "Nothing was translated." if os.environ.get("GEMINI_API_KEY") else _NO_TRANSLATOR
        return
    layout = next(result["layout_url"] for result in results.values() if result["layout_url"] is not None)
    yield "Beside each picture: .json, its result message; .plate.png, the erased page; .layout.json,"
    yield "where you can change a translation and set it again in milliseconds:"
    yield f"    {_command()} render {out / layout}"
    yield f"Open {first} first: original, erased, translated."


def _command() -> str:
    """How this program was called."""
    called = Path(sys.argv[0])
    return f"{sys.executable} -m worker" if called.name == "__main__.py" else str(called)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    """One row for each picture; narrow enough for 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("output file", no_wrap=True)
    table.add_column("blocks")
    for name in _STAGES:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
