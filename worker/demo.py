"""The demo: private Redis and Triton, the real worker process, the samples, and pictures to look at."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from worker.bootstrap import open_ocr
from worker.contact_sheet import contact_sheet, side_by_side
from worker.embedded import (
    MODEL_REPOSITORY,
    TRITON_ENVIRONMENT,
    EmbeddedRedis,
    EmbeddedTriton,
    die_with_parent,
    has_triton,
    picture_server,
)
from worker.errors import WorkerError
from worker.local import count, path_of
from worker.submit import build_message

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
_QUEUE, _RESULTS = "processor_tasks", "hosting_tasks"
#: The stages that take time where nothing comes from afar, as the result's timings name them.
_STAGES = ("translate", "mask", "inpaint", "render")
_PATIENCE_SECONDS = 300.0


class DemoError(WorkerError):
    """The demo cannot go on."""

    code = "demo"


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
    out.mkdir(parents=True, exist_ok=True)
    console.print(_translator_line(bool(images)), highlight=False)
    with tempfile.TemporaryDirectory(prefix="operate-demo-") as scratch:
        with _servers(Path(scratch), samples, out, console) as (queue, base_url):
            results = _follow(queue, _push(queue, samples, base_url), console)
        rows = [_collect(sample, results[sample.image.stem], out) for sample in samples]
    first = _compare(samples, results, out)
    console.print(_table(rows, out))
    if first is not None:
        console.print(f"Open {first} first.", markup=False, highlight=False, soft_wrap=True)
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
        if not image.is_file():
            raise DemoError(f"{image}: no such file")
        console.print(f"reading the text of {image.name} …", markup=False, highlight=False)
        samples.append(_Sample(image.resolve(), asyncio.run(engine.read_file(image))))
    return samples


def _translator_line(own: bool) -> str:
    if os.environ.get("GEMINI_API_KEY"):
        return "GEMINI_API_KEY is set: Gemini translates."
    line = "No GEMINI_API_KEY: the translations come from the samples' glossary"
    return f"{line}; text that is not in it stays as it is." if own else f"{line}."


@contextmanager
def _servers(
    scratch: Path, samples: Sequence[_Sample], out: Path, console: Console
) -> Iterator[tuple[redis.Redis, str]]:
    """Redis, Triton, the worker and a picture server, all private, all gone afterwards."""
    pictures = scratch / "pictures"
    pictures.mkdir()
    for sample in samples:
        shutil.copy(sample.image, pictures / sample.image.name)
    with ExitStack() as stack:
        with console.status("starting Redis, Triton and the worker …"):
            database = stack.enter_context(EmbeddedRedis())
            inpainting = {"INPAINTER": "onnx", "ONNX_MODEL_DIR": str(MODEL_REPOSITORY)}
            if has_triton():
                inpainting = {"INPAINTER": "triton", "TRITON_URL": stack.enter_context(EmbeddedTriton()).url}
            else:
                console.print(f"No tritonserver in {TRITON_ENVIRONMENT.name}: the models run in process.")
            base_url = stack.enter_context(picture_server(pictures))
            environment = _worker_environment(scratch, database.url) | inpainting
            stack.enter_context(_worker(environment, out / "worker.log"))
        yield stack.enter_context(redis.Redis.from_url(database.url)), base_url


def _worker_environment(scratch: Path, redis_url: str) -> dict[str, str]:
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "PROCESSOR_QUEUE": _QUEUE,
        "HOSTING_QUEUE": _RESULTS,
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": str(scratch / "store"),
        "SPOOL_DIR": str(scratch / "spool"),
        "STORE_LAYOUT": "true",
        "FETCH_ALLOW_PRIVATE": "true",
        "METRICS_PORT": "0",
    }
    if not environment.get("GEMINI_API_KEY"):
        glossary = scratch / "glossary.tsv"
        terms = (path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.tsv")))
        glossary.write_text("".join(terms), encoding="utf-8")
        environment |= {"TRANSLATOR": "glossary", "GLOSSARY_PATH": str(glossary)}
    return environment


@contextmanager
def _worker(environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "run"],
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A Ctrl-C at this very moment leaves us without a handle on it.
            preexec_fn=die_with_parent,
        )
    try:
        yield
        if process.poll() is not None:
            raise DemoError(f"the worker ended with {process.returncode}, see {log}")
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _push(queue: redis.Redis, samples: Sequence[_Sample], base_url: str) -> int:
    for sample in samples:
        url = f"{base_url}/{quote(sample.image.name)}"
        queue.rpush(_QUEUE, json.dumps(build_message(url, sample.ocr_result, "demo", sample.image.stem)))
    return len(samples)


def _follow(queue: redis.Redis, jobs: int, console: Console) -> dict[str, dict[str, Any]]:
    """Pop the results as they come; by image id."""
    results: dict[str, dict[str, Any]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("translating", total=jobs)
        while len(results) < jobs:
            if time.monotonic() > deadline:
                raise DemoError(f"{jobs - len(results)} of {jobs} results are missing, see worker.log")
            popped = queue.blpop([_RESULTS], timeout=1)
            if popped is not None:
                result = json.loads(popped[1])
                results[result["image_id"]] = result
                progress.update(task, completed=len(results), description=result["image_id"])
        progress.update(task, description="done")
    return results


def _collect(sample: _Sample, result: dict[str, Any], out: Path) -> list[str]:
    """Copy the result's pictures to `out`; returns the sample's row of the table."""
    name = sample.image.stem
    (out / f"{name}.{result['target_language']}.json").write_text(
        json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    if result["image_url"] is None:
        failure = escape(f"{sample.image.name}: {result['error']['code']}")
        return [f"[red]{failure}[/]", "", *[""] * len(_STAGES)]
    stored = path_of(result["image_url"])
    target = out / f"{name}.{result['target_language']}{stored.suffix}"
    shutil.copy(stored, target)
    if result["layout_url"] is not None:
        shutil.copy(path_of(result["layout_url"]), out / f"{name}.layout.json")
    if result["plate_url"] is not None:
        plate = out / f"{name}.plate.png"
        shutil.copy(path_of(result["plate_url"]), plate)
    blocks = count(block["status"] for block in result["blocks"])
    timings = [f"{result['timings_ms'].get(stage, 0):.0f}" for stage in _STAGES]
    return [escape(target.name), blocks, *timings]


def _compare(samples: Sequence[_Sample], results: dict[str, dict[str, Any]], out: Path) -> Path | None:
    """Write original, plate and translation side by side: each page for itself, and all on one sheet.

    Returns:
        The file to look at first; None where nothing was erased.
    """
    pages, first = [], None
    for sample in samples:
        name, result = sample.image.stem, results[sample.image.stem]
        if result["plate_url"] is not None:
            translated = out / f"{name}.{result['target_language']}{path_of(result['image_url']).suffix}"
            pages.append([sample.image, out / f"{name}.plate.png", translated])
            first = out / f"{name}.side-by-side.jpg"
            side_by_side(pages[-1], first)
    if len(pages) > 1:
        first = out / "contact-sheet.jpg"
        contact_sheet(pages, first)
    return first


def _table(rows: Sequence[Sequence[str]], out: Path) -> Table:
    """One row for each picture; narrow enough for 80 columns."""
    caption = escape(f"stages: milliseconds; pictures in {out}/")
    table = Table(
        box=None, padding=(0, 1, 0, 0), header_style="bold", caption=caption, caption_justify="left"
    )
    table.add_column("output file", no_wrap=True)
    table.add_column("blocks")
    for name in _STAGES:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
