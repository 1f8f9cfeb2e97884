"""Pictures on this machine, without Redis: the same pipeline between two directories."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rich.console import Console

from worker import schemas
from worker.bootstrap import local_source, local_store, open_ocr, open_pipeline
from worker.errors import SettingsError, WorkerError
from worker.job import BlockStatus, Failure, JobStatus, Result
from worker.pipeline import Pipeline
from worker.settings import (
    InpaintSettings,
    LimitSettings,
    QueueSettings,
    ServiceSettings,
    Settings,
    StorageSettings,
    TranslateSettings,
    read_group,
)
from worker.submit import build_message, read_ocr

#: The OCR result of a picture that comes without one.
ReadText = Callable[[Path], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class TranslateRequest:
    """What `operate-worker translate` was asked for."""

    images: Sequence[Path]
    #: OCR result of the one picture; None: RapidOCR reads it.
    ocr: Path | None
    glossary: Path | None
    language: str
    out: Path
    plate: bool


async def translate_images(request: TranslateRequest, console: Console) -> int:
    """Translate each picture; returns how many failed.

    Raises:
        SettingsError: A setting is missing, or there is no model.
        OSError: The files cannot be written.
    """
    await asyncio.to_thread(request.out.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="operate-translate-") as scratch:
        settings = _settings(request, Path(scratch))
        read = open_ocr().read_file
        async with open_pipeline(settings, local_source(settings), local_store(settings)) as pipeline:
            statuses = [await _translate(pipeline, read, image, request, console) for image in request.images]
    return statuses.count(JobStatus.FAILED)


async def _translate(
    pipeline: Pipeline, read: ReadText, image: Path, request: TranslateRequest, console: Console
) -> JobStatus:
    message = build_message(str(image), None, "local", "image")
    try:
        message["ocr_result"] = await _ocr_result(read, image, request)
        result = await pipeline.run(schemas.parse_job(json.dumps(message).encode(), request.language))
    except SettingsError:
        raise
    except WorkerError as error:
        failure = Failure(error.code, error.message)
        result = schemas.failed(json.dumps(message).encode(), request.language, failure, attempts=1)
    await asyncio.to_thread(_write, result, image.stem, request)
    detail = result.failure.message if result.failure else count(block.status for block in result.blocks)
    line = f"{image.name}: {result.status}, {detail}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
    return result.status


async def _ocr_result(read: ReadText, image: Path, request: TranslateRequest) -> Any:
    if request.ocr is None:
        return await read(image)
    return await asyncio.to_thread(read_ocr, request.ocr)


def _write(result: Result, name: str, request: TranslateRequest) -> None:
    """Move what the store got to its place, under the picture's own name; the result names its neighbours."""
    named = f"{name}.{request.language}"
    written = replace(
        result,
        image_url=_move(result.image_url, request.out, named),
        plate_url=_move(result.plate_url, request.out, f"{name}.plate"),
        layout_url=_move(result.layout_url, request.out, f"{name}.layout"),
    )
    message = json.dumps(json.loads(schemas.dump_result(written)), ensure_ascii=False, indent=1)
    # What UTF-8 cannot hold, a lone surrogate, becomes the escape that JSON has for it.
    (request.out / f"{named}.json").write_bytes(f"{message}\n".encode(errors="backslashreplace"))


def _move(url: str | None, out: Path, name: str) -> str | None:
    """Move a stored file to `out`; returns its name there."""
    if url is None:
        return None
    stored = path_of(url)
    return Path(shutil.move(stored, out / f"{name}{stored.suffix}")).name


def count(statuses: Iterable[str]) -> str:
    """How many blocks came out in which way: `39 translated, 24 kept`."""
    found = Counter(map(str, statuses))
    return ", ".join(f"{found[status]} {status}" for status in BlockStatus if found[status]) or "no text"


def path_of(url: str) -> Path:
    """The path behind a file:// URL of the local store."""
    return Path(unquote(urlsplit(url).path))


def _settings(request: TranslateRequest, scratch: Path) -> Settings:
    glossary = {"TRANSLATOR": "glossary", "GLOSSARY_PATH": request.glossary} if request.glossary else {}
    return Settings(
        queue=read_group(QueueSettings),
        inpaint=read_group(InpaintSettings, INPAINTER="onnx"),
        translate=read_group(TranslateSettings, TARGET_LANGUAGE=request.language, **glossary),
        storage=read_group(
            StorageSettings, STORAGE="local", LOCAL_STORAGE_DIR=scratch, STORE_LAYOUT=request.plate
        ),
        limits=read_group(LimitSettings),
        service=read_group(ServiceSettings),
    )
