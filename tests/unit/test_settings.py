from __future__ import annotations

import re

import pytest

from worker.errors import SettingsError
from worker.job import TokenPrice
from worker.settings import Settings, known_names

COMPLETE = {
    "GEMINI_API_KEY": "secret-gemini",
    "R2_ENDPOINT_URL": "https://account.r2.cloudflarestorage.com",
    "R2_BUCKET": "pictures",
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "secret-r2",
    "R2_PUBLIC_BASE_URL": "https://cdn.example",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = Settings.from_environment()
    assert settings.queue.processor_queue == "processor_tasks"
    assert settings.queue.concurrency == 16
    assert settings.translate.target_language == "ko"
    assert settings.limits.spool_dir.as_posix() == "/app/output/temp_inpainted"


def test_no_secret_is_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REDIS_URL", "redis://user:secret-redis@localhost:6379/0")
    assert "secret-" not in repr(Settings.from_environment())


@pytest.mark.parametrize("name", COMPLETE)
def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.from_environment()
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://user:secret-x@localhost"),
        ("REDIS_URL", "redis+sentinel://user:secret-x@sentinel-1,sentinel-2"),
        ("TRANSLATION_MEMORY_URL", "redis://user:secret-x@localhost:6379/memory"),
        ("CONCURRENCY", "many"),
        ("CONCURRENCY", "0"),
        ("INPAINTER", "magic"),
        ("TRITON_URL", "http://localhost:8001"),
        ("TARGET_LANGUAGE", "Korean!"),
        ("R2_KEY_TEMPLATE", "{image_id}.{extension}"),
        ("R2_KEY_TEMPLATE", "{request_id}/{image_id}.{target_language}.{extension}{0.__class__}"),
        ("LEASE_SECONDS", "-1"),
        ("HOSTING_QUEUE", "processor_tasks"),
        ("HOSTING_QUEUE", "processor_tasks:dead"),
    ],
)
def test_a_malformed_setting_is_named_without_its_value(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()
    assert caught.value.message.startswith(name)
    assert "secret-x" not in caught.value.message


def test_everything_that_is_wrong_is_said_at_once_in_plain_words(environment: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CONCURRENCY": "many",
        "LEASE_SECONDS": "1e300",
        "RESULT_TTL_SECONDS": "1.5",
        "INPAINTER": "magic",
        "TARGET_LANGUAGE": "Korean!",
        "OCR_MIN_SCORE": "nan",
        "R2_BUCKET": "",
        "R2_PUBLIC_BASE_URL": "cdn.example",
        "STORE_LAYOUT": "perhaps",
        "GEMINI_API_KEY": " ",
    }.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()
    assert caught.value.message.splitlines() == [
        "CONCURRENCY: must be a whole number",
        "LEASE_SECONDS: must be at most 315360000",
        "RESULT_TTL_SECONDS: must be a whole number",
        "INPAINTER: must be triton or onnx",
        "GEMINI_API_KEY: missing (or set TRANSLATOR=glossary)",
        "TARGET_LANGUAGE: must be a language tag (BCP-47), such as ko, ja or zh-Hant",
        "OCR_MIN_SCORE: must be at most 1",
        "R2_BUCKET: missing (or set STORAGE=local)",
        "R2_PUBLIC_BASE_URL: must be an address that begins with http:// or https://",
        "STORE_LAYOUT: must be true or false",
    ]


@pytest.mark.parametrize("name", sorted(known_names()))
@pytest.mark.parametrize("value", ["?", "9" * 5000, "-1", "\u00e9 {0} %s", "secret-x://u:secret-x@h"])
def test_any_nonsense_is_taken_or_named_in_words_of_ours(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    try:
        Settings.from_environment()
    except SettingsError as error:
        for line in error.message.splitlines():
            assert re.match(r"[A-Z0-9_]+: (must |missing |only |FALLBACK_)", line)
            assert not re.search("secret-x|Input|pydantic|pattern|9999", line)


def test_a_key_may_bring_its_line_end_along(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GEMINI_API_KEY", " key\n")
    key = Settings.from_environment().translate.gemini_api_key
    assert key is not None
    assert key.get_secret_value() == "key"


def test_the_glossary_translator_and_local_storage_need_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COMPLETE:
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "TRANSLATOR": "glossary",
        "GLOSSARY_PATH": "terms.tsv",
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": "out",
        "FONT_PATHS": "a.otf:b.ttc",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    assert [path.name for path in settings.service.font_paths] == ["a.otf", "b.ttc"]


def test_prices_are_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GEMINI_PRICE", "0.30/2.50")
    translate = Settings.from_environment().translate
    assert translate.gemini_price == TokenPrice(0.3, 2.5)
    assert translate.fallback_price is None


@pytest.mark.parametrize("price", ["0.3", "a/b", "-1/2", "/", "1/2/3", "nan/1", "1/inf"])
def test_a_price_that_is_none_is_named(environment: pytest.MonkeyPatch, price: str) -> None:
    environment.setenv("GEMINI_PRICE", price)
    with pytest.raises(SettingsError, match="GEMINI_PRICE: must be input/output"):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("given", "missing"), [("FALLBACK_MODEL", "BASE_URL"), ("FALLBACK_BASE_URL", "MODEL")]
)
def test_a_second_translator_needs_address_and_model(
    environment: pytest.MonkeyPatch, given: str, missing: str
) -> None:
    environment.setenv(given, "http://localhost:8080/v1")
    with pytest.raises(SettingsError, match=f"FALLBACK_{missing}:? (is )?missing"):
        Settings.from_environment()
