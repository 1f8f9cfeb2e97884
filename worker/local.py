"""Pictures on this machine, without Redis: the same pipeline between two directories."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rich.console import Console

from worker import schemas
from worker.bootstrap import local_source, local_store, open_ocr, open_pipeline
from worker.embedded import MODEL_REPOSITORY
from worker.errors import WorkerError
from worker.job import Failure, JobStatus, Result
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
from worker.submit import build_message


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
    """
    with tempfile.TemporaryDirectory(prefix="operate-translate-") as scratch:
        settings = _settings(request, Path(scratch))
        async with open_pipeline(settings, local_source(settings), local_store(settings)) as pipeline:
            statuses = [await _translate(pipeline, image, request, console) for image in request.images]
    return statuses.count(JobStatus.FAILED)


async def _translate(
    pipeline: Pipeline, image: Path, request: TranslateRequest, console: Console
) -> JobStatus:
    payload = json.dumps(
        build_message(str(image), await _ocr_result(image, request), "local", "image")
    ).encode()
    try:
        result = await pipeline.run(schemas.parse_job(payload, request.language))
    except WorkerError as error:
        result = schemas.failed(payload, request.language, Failure(error.code, error.message), attempts=1)
    await asyncio.to_thread(_write, result, image.stem, request)
    detail = result.failure.message if result.failure else f"{len(result.blocks)} blocks"
    console.print(f"{image.name}: {result.status}, {detail}", highlight=False)
    return result.status


async def _ocr_result(image: Path, request: TranslateRequest) -> Any:
    if request.ocr is None:
        return await open_ocr().read_file(image)
    return json.loads(await asyncio.to_thread(request.ocr.read_bytes))


def _write(result: Result, name: str, request: TranslateRequest) -> None:
    """Move what the store got to its place, under the picture's own name."""
    request.out.mkdir(parents=True, exist_ok=True)
    named = f"{name}.{request.language}"
    (request.out / f"{named}.json").write_bytes(schemas.dump_result(result))
    if result.image_url is not None:
        stored = path_of(result.image_url)
        shutil.move(stored, request.out / f"{named}{stored.suffix}")
    if result.plate_url is not None:
        shutil.move(path_of(result.plate_url), request.out / f"{name}.plate.png")
    if result.layout_url is not None:
        shutil.move(path_of(result.layout_url), request.out / f"{name}.layout.json")


def path_of(url: str) -> Path:
    """The path behind a file:// URL of the local store."""
    return Path(unquote(urlsplit(url).path))


def _settings(request: TranslateRequest, scratch: Path) -> Settings:
    models = os.environ.get("ONNX_MODEL_DIR", MODEL_REPOSITORY)
    glossary = {"TRANSLATOR": "glossary", "GLOSSARY_PATH": request.glossary} if request.glossary else {}
    return Settings(
        queue=read_group(QueueSettings),
        inpaint=read_group(InpaintSettings, INPAINTER="onnx", ONNX_MODEL_DIR=models),
        translate=read_group(TranslateSettings, TARGET_LANGUAGE=request.language, **glossary),
        storage=read_group(
            StorageSettings, STORAGE="local", LOCAL_STORAGE_DIR=scratch, STORE_LAYOUT=request.plate
        ),
        limits=read_group(LimitSettings),
        service=read_group(ServiceSettings),
    )
