"""Settings from the environment: one frozen tree, read once at start, handed down as small option objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.errors import SettingsError
from worker.setting_values import (
    MOST_SECONDS,
    KeyTemplate,
    LanguageTag,
    Price,
    RedisUrl,
    ResultsList,
    SecondModel,
    TritonUrl,
    explain,
    needed_when,
)

_MEGABYTE = 1 << 20

G = TypeVar("G", bound=BaseSettings)


class _Group(BaseSettings):
    """Settings that belong together; each field reads the variable that its alias names."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        # A key read from a file often brings its line end along.
        str_strip_whitespace=True,
    )


class QueueSettings(_Group):
    """Redis and how jobs are held."""

    redis_url: RedisUrl = Field("redis://localhost:6379/0", alias="REDIS_URL", repr=False)
    processor_queue: str = Field("processor_tasks", alias="PROCESSOR_QUEUE", min_length=1)
    hosting_queue: ResultsList = Field("hosting_tasks", alias="HOSTING_QUEUE", min_length=1)
    concurrency: int = Field(16, alias="CONCURRENCY", ge=1, le=1024)
    lease_seconds: float = Field(30, alias="LEASE_SECONDS", ge=0.5, le=MOST_SECONDS)
    reap_seconds: float = Field(5, alias="REAP_SECONDS", gt=0, le=MOST_SECONDS)
    job_max_age_seconds: float = Field(86400, alias="JOB_MAX_AGE_SECONDS", gt=0, le=MOST_SECONDS)
    job_deadline_seconds: float = Field(300, alias="JOB_DEADLINE_SECONDS", gt=0, le=MOST_SECONDS)
    drain_seconds: float = Field(25, alias="DRAIN_SECONDS", ge=0, le=MOST_SECONDS)
    result_ttl_seconds: int = Field(86400, alias="RESULT_TTL_SECONDS", ge=1, le=MOST_SECONDS)


class InpaintSettings(_Group):
    """The model server, or the model in process."""

    inpainter: Literal["triton", "onnx"] = Field("triton", alias="INPAINTER")
    triton_url: TritonUrl = Field("localhost:8001", alias="TRITON_URL")
    triton_shared_memory: Literal["auto", "on", "off"] = Field("auto", alias="TRITON_SHARED_MEMORY")
    triton_max_inflight: int = Field(32, alias="TRITON_MAX_INFLIGHT", ge=1)
    onnx_model_dir: Path = Field(Path("model_repository"), alias="ONNX_MODEL_DIR")


_IF_GEMINI = needed_when("translator", "gemini", "or set TRANSLATOR=glossary")
_IF_GLOSSARY = needed_when("translator", "glossary", "TRANSLATOR=glossary needs it")
_IF_R2 = needed_when("storage", "r2", "or set STORAGE=local")
_IF_LOCAL = needed_when("storage", "local", "STORAGE=local needs it")


class TranslateSettings(_Group):
    """Gemini, the glossary, and what is translated."""

    translator: Literal["gemini", "glossary"] = Field("gemini", alias="TRANSLATOR")
    gemini_api_key: Annotated[SecretStr | None, _IF_GEMINI] = Field(None, alias="GEMINI_API_KEY")
    gemini_model: str = Field("gemini-3.8-flash", alias="GEMINI_MODEL", min_length=1)
    gemini_base_url: AnyHttpUrl | None = Field(None, alias="GEMINI_BASE_URL")
    gemini_requests_per_minute: int = Field(0, alias="GEMINI_REQUESTS_PER_MINUTE", ge=0)
    gemini_price: Price = Field(None, alias="GEMINI_PRICE")
    glossary_path: Annotated[Path | None, _IF_GLOSSARY] = Field(None, alias="GLOSSARY_PATH")
    target_language: LanguageTag = Field("ko", alias="TARGET_LANGUAGE")
    translate_profile: Literal["ecommerce", "comics"] = Field("ecommerce", alias="TRANSLATE_PROFILE")
    translate_with_image: bool = Field(False, alias="TRANSLATE_WITH_IMAGE")
    ocr_min_score: float = Field(0.5, alias="OCR_MIN_SCORE", ge=0, le=1)
    translation_memory_url: RedisUrl | None = Field(None, alias="TRANSLATION_MEMORY_URL", repr=False)
    translation_memory_ttl_seconds: int = Field(
        604800, alias="TRANSLATION_MEMORY_TTL_SECONDS", ge=0, le=MOST_SECONDS
    )
    fallback_base_url: AnyHttpUrl | None = Field(None, alias="FALLBACK_BASE_URL")
    fallback_api_key: SecretStr | None = Field(None, alias="FALLBACK_API_KEY")
    fallback_model: SecondModel = Field(None, alias="FALLBACK_MODEL")
    fallback_price: Price = Field(None, alias="FALLBACK_PRICE")


class StorageSettings(_Group):
    """Where results are hosted."""

    storage: Literal["r2", "local"] = Field("r2", alias="STORAGE")
    r2_endpoint_url: Annotated[AnyHttpUrl | None, _IF_R2] = Field(None, alias="R2_ENDPOINT_URL")
    r2_bucket: Annotated[str | None, _IF_R2] = Field(None, alias="R2_BUCKET")
    r2_access_key_id: Annotated[SecretStr | None, _IF_R2] = Field(None, alias="R2_ACCESS_KEY_ID")
    r2_secret_access_key: Annotated[SecretStr | None, _IF_R2] = Field(None, alias="R2_SECRET_ACCESS_KEY")
    r2_public_base_url: Annotated[AnyHttpUrl | None, _IF_R2] = Field(None, alias="R2_PUBLIC_BASE_URL")
    r2_key_template: KeyTemplate = Field(
        "{request_id}/{image_id}.{target_language}.{extension}", alias="R2_KEY_TEMPLATE"
    )
    local_storage_dir: Annotated[Path | None, _IF_LOCAL] = Field(None, alias="LOCAL_STORAGE_DIR")
    store_layout: bool = Field(False, alias="STORE_LAYOUT")


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
            SettingsError: A line for each that is missing or wrong, with its name and never its value.
        """
        groups: dict[str, _Group] = {}
        wrong = []
        for name, group in _groups().items():
            try:
                groups[name] = read_group(group)
            except SettingsError as error:
                wrong.append(error.message)
        if wrong:
            raise SettingsError("\n".join(wrong))
        return cls.model_validate(groups)


def read_group(group: type[G], **overrides: Any) -> G:
    """Read one group of settings from the environment; `overrides`, by variable name, win.

    Raises:
        SettingsError: A line for each that is missing or wrong, with its name and never its value.
    """
    try:
        return group(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(explain(error))) from None


def known_names() -> frozenset[str]:
    """The variables that the worker reads."""
    return frozenset(
        str(field.alias) for group in _groups().values() for field in group.model_fields.values()
    )


def _groups() -> dict[str, type[_Group]]:
    """By field of `Settings`."""
    annotations = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: group
        for name, group in annotations.items()
        if isinstance(group, type) and issubclass(group, _Group)
    }
