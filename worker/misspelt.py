"""Settings whose name was mistyped: they would pass in silence, and a default would stand in for them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from worker.settings import known_names

#: What `.env` may hold for docker-compose.yml alone.
COMPOSE_NAMES = frozenset(
    {
        "TAG",
        "WORKERS",
        "REDIS_MAXMEMORY",
        "REDIS_BIND",
        "REDIS_PASSWORD",
        "EXPORT_WEIGHTS",
        "EXPORT_TARGET",
        "MODEL_RELEASE",
        "GRAFANA_PASSWORD",
    }
)
#: Read by SDKs that we use.
_SDKS = ("OTEL_", "AWS_", "COMPOSE_")
#: REDIS_ULR is at 0.89 of REDIS_URL, GEMINI_KEY at 0.83 of GEMINI_API_KEY; Heroku's REDIS_TLS_URL, no slip,
#: is at 0.82 of REDIS_URL. A single word (STORE, INPAINT) is likelier to be somebody else's.
_NEAR, _NEAR_WORD = 0.83, 0.9
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*\S")


def unknown_settings(environment: Mapping[str, str], env_file: Path | None = None) -> Iterator[str]:
    """A line for each variable that was probably meant for the worker and is not read.

    Args:
        environment: The process's. Everybody has variables of their own there: one is taken for a slip where
            it comes near to one of ours that is not set.
        env_file: A `.env`. Where it sets one of ours, everything in it is meant for us, or for compose.
    """
    known = known_names()
    missing = known - {name.upper() for name, value in environment.items() if value.strip()}
    listed = [] if env_file is None else names_in(env_file)
    strange = [name for name in (*environment, *listed) if name.upper() not in known | COMPOSE_NAMES]
    slips = {name: meant for name in strange if (meant := _nearest(name, missing))}
    for name, meant in slips.items():
        yield f"{name} is not read; is {meant} meant?"
    rest = [name for name in listed if name in strange and name not in slips and not name.startswith(_SDKS)]
    if rest and known & set(listed):
        yield f"nobody reads these names of .env: {', '.join(rest)}"


def names_in(env_file: Path) -> tuple[str, ...]:
    """The variables that a `.env` gives a value; none where it cannot be read."""
    try:
        lines = env_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(found[1] for line in lines if (found := _ASSIGNMENT.match(line)))


def _nearest(name: str, known: Collection[str]) -> str | None:
    """The name of ours that is almost the same."""
    name = name.upper()
    if name.startswith(_SDKS):
        return None
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_NEAR if "_" in name else _NEAR_WORD)
    # WEB_CONCURRENCY and the like are somebody else's: slips seldom change a name's beginning.
    return near[0] if near and near[0][:2] == name[:2] else None
