from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.misspelt import COMPOSE_NAMES, names_in, unknown_settings
from worker.settings import known_names

ROOT = Path(__file__).resolve().parents[2]
#: What shells, containers, Kubernetes, Heroku, CI and other programs set.
ORDINARY = re.findall(
    r"\w+",
    """
    PATH HOME LANG LANGUAGE TERM TZ USER SHELL PWD HOSTNAME PYTHONPATH VIRTUAL_ENV COLUMNS EDITOR
    REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_DB REDIS_TLS_URL REDIS_SERVICE_HOST REDIS_PORT_6379_TCP
    REDIS_ADDRESS TRITON_SERVICE_HOST TRITON_SERVICE_PORT TRITON_PORT TRITON_PORT_8001_TCP_ADDR
    WEB_CONCURRENCY DATABASE_URL STORAGE_BUCKET S3_ENDPOINT_URL AWS_ENDPOINT_URL R2_ACCOUNT_ID
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_SERVICE_NAME GOOGLE_API_KEY OPENAI_API_KEY OPENAI_BASE_URL
    FONTCONFIG_PATH METRICS_ENABLED TARGET LOCAL STORE SPOOL INPAINT RELEASE_SECONDS CI MAX_MEMORY
""",
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("REDIS_ULR", "REDIS_URL"),
        ("GEMINI_KEY", "GEMINI_API_KEY"),
        ("CONCURENCY", "CONCURRENCY"),
        ("R2_ENDPOINT", "R2_ENDPOINT_URL"),
        ("FONT_PATH", "FONT_PATHS"),
        ("target_lang", "TARGET_LANGUAGE"),
    ],
)
def test_a_slip_is_named_with_the_nearest_name(name: str, meant: str) -> None:
    assert list(unknown_settings({name: "x", "PATH": "/bin"})) == [f"{name} is not read; is {meant} meant?"]


def test_ordinary_variables_raise_no_alarm() -> None:
    names = [*ORDINARY, *known_names(), *COMPOSE_NAMES]
    assert list(unknown_settings(dict.fromkeys(ORDINARY, "x"))) == []
    assert list(unknown_settings(dict.fromkeys(names, "x"))) == []
    assert list(unknown_settings({name.lower(): "x" for name in names})) == []


def test_a_name_near_one_that_is_set_is_somebody_elses() -> None:
    assert list(unknown_settings({"REDIS_URLS": "x", "REDIS_URL": "x"})) == []


@pytest.mark.parametrize("value", ["", " "])
def test_a_name_that_is_set_to_nothing_is_not_set(value: str) -> None:
    found = list(unknown_settings({"GEMINI_KEY": "x", "GEMINI_API_KEY": value}))
    assert found == ["GEMINI_KEY is not read; is GEMINI_API_KEY meant?"]


def test_everything_in_our_env_file_should_be_known(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("# COMMENT=1\nREDIS_URL=x\nexport GEMINI_KEY=k\nWORKERS=2\nCOLOUR=red\nEMPTY=\n")
    assert names_in(env_file) == ("REDIS_URL", "GEMINI_KEY", "WORKERS", "COLOUR")
    exported = dict.fromkeys(("REDIS_URL", "GEMINI_KEY", "COLOUR"), "x")
    for environment in ({}, exported):
        assert list(unknown_settings(environment, env_file)) == [
            "GEMINI_KEY is not read; is GEMINI_API_KEY meant?",
            "nobody reads these names of .env: COLOUR",
        ]


def test_another_programs_env_file_is_left_alone(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("DATABASE_URL=x\nCOLOUR=red\n")
    assert list(unknown_settings({}, env_file)) == []
    assert list(unknown_settings({}, tmp_path / "absent")) == []


def test_the_example_file_is_all_known(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    filled = [line.removeprefix("# ") + "x" for line in example.splitlines() if "=" in line.split(" ")[-1]]
    env_file = tmp_path / ".env"
    env_file.write_text("\n".join(filled))
    assert set(names_in(env_file)) == known_names() | COMPOSE_NAMES
    assert list(unknown_settings({}, env_file)) == []


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_any_environment_is_read(environment: dict[str, str]) -> None:
    assert all("\n" not in line or "\n" in "".join(environment) for line in unknown_settings(environment))
