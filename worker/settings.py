"""Settings from the environment: one frozen tree, read once at start, handed down as small option objects."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.errors import SettingsError
from worker.job import TokenPrice
from worker.redis_address import RedisAddress

_MEGABYTE = 1 << 20

G = TypeVar("G", bound=BaseSettings)


class _Group(BaseSettings):
    """Settings that belong together; each field reads the variable that its alias names."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, extra="ignore", populate_by_name=True
    )


def _check_redis_url(url: str) -> str:
    RedisAddress.parse(url)
    return url


_RedisUrl = Annotated[str, AfterValidator(_check_redis_url)]


class QueueSettings(_Group):
    """Redis and how jobs are held."""

    redis_url: _RedisUrl = Field("redis://localhost:6379/0", alias="REDIS_URL", repr=False)
    processor_queue: str = Field("processor_tasks", alias="PROCESSOR_QUEUE", min_length=1)
    hosting_queue: str = Field("hosting_tasks", alias="HOSTING_QUEUE", min_length=1)
    concurrency: int = Field(16, alias="CONCURRENCY", ge=1, le=1024)
    lease_seconds: float = Field(30, alias="LEASE_SECONDS", ge=0.5)
    reap_seconds: float = Field(5, alias="REAP_SECONDS", gt=0)
    job_max_age_seconds: float = Field(86400, alias="JOB_MAX_AGE_SECONDS", gt=0)
    job_deadline_seconds: float = Field(300, alias="JOB_DEADLINE_SECONDS", gt=0)
    drain_seconds: float = Field(25, alias="DRAIN_SECONDS", ge=0)
    result_ttl_seconds: int = Field(86400, alias="RESULT_TTL_SECONDS", ge=1)


class InpaintSettings(_Group):
    """The model server, or the model in process."""

    inpainter: Literal["triton", "onnx"] = Field("triton", alias="INPAINTER")
    triton_url: str = Field("localhost:8001", alias="TRITON_URL", pattern=r"^[^\s,/]+:\d+(,[^\s,/]+:\d+)*$")
    triton_shared_memory: Literal["auto", "on", "off"] = Field("auto", alias="TRITON_SHARED_MEMORY")
    triton_max_inflight: int = Field(32, alias="TRITON_MAX_INFLIGHT", ge=1)
    onnx_model_dir: Path = Field(Path("model_repository"), alias="ONNX_MODEL_DIR")


def _read_price(price: object) -> object:
    """`input/output` in USD for a million tokens, such as 0.30/2.50."""
    if not isinstance(price, str):
        return price
    asked, slash, answered = price.partition("/")
    try:
        read = TokenPrice(float(asked), float(answered))
    except ValueError:
        read = None
    if not slash or read is None or not all(0 <= usd < math.inf for usd in (read.input, read.output)):
        raise ValueError("must be input/output in USD for a million tokens, such as 0.30/2.50")
    return read


_Price = Annotated[TokenPrice | None, NoDecode, BeforeValidator(_read_price)]


class TranslateSettings(_Group):
    """Gemini, the glossary, and what is translated."""

    translator: Literal["gemini", "glossary"] = Field("gemini", alias="TRANSLATOR")
    gemini_api_key: SecretStr | None = Field(None, alias="GEMINI_API_KEY")
    gemini_model: str = Field("gemini-3.8-flash", alias="GEMINI_MODEL", min_length=1)
    gemini_base_url: AnyHttpUrl | None = Field(None, alias="GEMINI_BASE_URL")
    gemini_requests_per_minute: int = Field(0, alias="GEMINI_REQUESTS_PER_MINUTE", ge=0)
    gemini_price: _Price = Field(None, alias="GEMINI_PRICE")
    glossary_path: Path | None = Field(None, alias="GLOSSARY_PATH")
    target_language: str = Field(
        "ko", alias="TARGET_LANGUAGE", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
    )
    translate_profile: Literal["ecommerce", "comics"] = Field("ecommerce", alias="TRANSLATE_PROFILE")
    translate_with_image: bool = Field(False, alias="TRANSLATE_WITH_IMAGE")
    ocr_min_score: float = Field(0.5, alias="OCR_MIN_SCORE", ge=0, le=1)
    translation_memory_url: _RedisUrl | None = Field(None, alias="TRANSLATION_MEMORY_URL", repr=False)
    translation_memory_ttl_seconds: int = Field(604800, alias="TRANSLATION_MEMORY_TTL_SECONDS", ge=0)
    fallback_base_url: AnyHttpUrl | None = Field(None, alias="FALLBACK_BASE_URL")
    fallback_api_key: SecretStr | None = Field(None, alias="FALLBACK_API_KEY")
    fallback_model: str | None = Field(None, alias="FALLBACK_MODEL")
    fallback_price: _Price = Field(None, alias="FALLBACK_PRICE")

    @model_validator(mode="after")
    def _complete(self) -> TranslateSettings:
        if self.translator == "gemini" and self.gemini_api_key is None:
            raise ValueError("GEMINI_API_KEY is missing (or set TRANSLATOR=glossary)")
        if self.translator == "glossary" and self.glossary_path is None:
            raise ValueError("GLOSSARY_PATH is missing, TRANSLATOR=glossary needs it")
        if (self.fallback_base_url is None) != (self.fallback_model is None):
            missing = "FALLBACK_MODEL" if self.fallback_model is None else "FALLBACK_BASE_URL"
            raise ValueError(f"{missing} is missing, a second translator needs both")
        return self


class StorageSettings(_Group):
    """Where results are hosted."""

    storage: Literal["r2", "local"] = Field("r2", alias="STORAGE")
    r2_endpoint_url: AnyHttpUrl | None = Field(None, alias="R2_ENDPOINT_URL")
    r2_bucket: str | None = Field(None, alias="R2_BUCKET")
    r2_access_key_id: SecretStr | None = Field(None, alias="R2_ACCESS_KEY_ID")
    r2_secret_access_key: SecretStr | None = Field(None, alias="R2_SECRET_ACCESS_KEY")
    r2_public_base_url: AnyHttpUrl | None = Field(None, alias="R2_PUBLIC_BASE_URL")
    r2_key_template: str = Field(
        "{request_id}/{image_id}.{target_language}.{extension}", alias="R2_KEY_TEMPLATE"
    )
    local_storage_dir: Path | None = Field(None, alias="LOCAL_STORAGE_DIR")
    store_layout: bool = Field(False, alias="STORE_LAYOUT")

    @field_validator("r2_key_template")
    @classmethod
    def _names_the_job(cls, template: str) -> str:
        needed = ("request_id", "image_id", "target_language", "extension")
        try:
            template.format(**dict.fromkeys(needed, "x"))
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"only the fields {', '.join(needed)} can be used") from error
        if missing := [name for name in needed if f"{{{name}}}" not in template]:
            raise ValueError(f"must hold {{{missing[0]}}}, or results overwrite one another")
        return template

    @model_validator(mode="after")
    def _complete(self) -> StorageSettings:
        if self.storage == "local" and self.local_storage_dir is None:
            raise ValueError("LOCAL_STORAGE_DIR is missing, STORAGE=local needs it")
        names = ("endpoint_url", "bucket", "access_key_id", "secret_access_key", "public_base_url")
        for name in names if self.storage == "r2" else ():
            if getattr(self, f"r2_{name}") is None:
                raise ValueError(f"R2_{name.upper()} is missing (or set STORAGE=local)")
        return self


class LimitSettings(_Group):
    """What one job may cost, and where its leftovers go."""

    fetch_allow_private: bool = Field(False, alias="FETCH_ALLOW_PRIVATE")
    fetch_max_bytes: int = Field(64 * _MEGABYTE, alias="FETCH_MAX_BYTES", ge=1)
    max_pixels: int = Field(100_000_000, alias="MAX_PIXELS", ge=1)
    pixel_budget: int = Field(200_000_000, alias="PIXEL_BUDGET", ge=1)
    spool_dir: Path = Field(Path("/app/output/temp_inpainted"), alias="SPOOL_DIR")


class ServiceSettings(_Group):
    """Fonts and the operator's port."""

    font_paths: Annotated[tuple[Path, ...], NoDecode] = Field((), alias="FONT_PATHS")
    metrics_host: str = Field("127.0.0.1", alias="METRICS_HOST", min_length=1)
    metrics_port: int = Field(9100, alias="METRICS_PORT", ge=0, le=65535)
    otlp_endpoint: AnyHttpUrl | None = Field(None, alias="OTEL_EXPORTER_OTLP_ENDPOINT")

    @field_validator("font_paths", mode="before")
    @classmethod
    def _split(cls, paths: object) -> object:
        return tuple(part for part in paths.split(":") if part) if isinstance(paths, str) else paths


class Settings(BaseModel):
    """All settings of the service."""

    model_config = ConfigDict(frozen=True)

    queue: QueueSettings
    inpaint: InpaintSettings
    translate: TranslateSettings
    storage: StorageSettings
    limits: LimitSettings
    service: ServiceSettings

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the process environment.

        Raises:
            SettingsError: In one line, with the variable's name and never its value.
        """
        return cls(
            queue=read_group(QueueSettings),
            inpaint=read_group(InpaintSettings),
            translate=read_group(TranslateSettings),
            storage=read_group(StorageSettings),
            limits=read_group(LimitSettings),
            service=read_group(ServiceSettings),
        )


def read_group(group: type[G], **overrides: Any) -> G:
    """Read one group of settings from the environment; `overrides`, by variable name, win.

    Raises:
        SettingsError: In one line, with the variable's name and never its value.
    """
    try:
        return group(**overrides)
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    name = ".".join(str(part) for part in first["loc"])
    return f"{name}: {message}" if name else message
