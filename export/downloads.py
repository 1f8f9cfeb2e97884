"""Published weights: where they are, what they weigh, and a download that resumes and is checked."""

from __future__ import annotations

import hashlib
import http.client
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError

_CHUNK = 1 << 20
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Published:
    """A weights file on the network.

    Attributes:
        url: Where it is.
        size: Its length in bytes, None when the publisher states none.
        algorithm: hashlib's name of the checksum.
        checksum: Hexadecimal digest.
    """

    url: str
    size: int | None
    algorithm: str
    checksum: str


_RELEASES = "https://github.com/Sanster/models/releases/download"
#: Apache-2.0, as published by LaMa's authors and packed by Sanster.
PUBLISHED = {
    "big-lama": Published(
        f"{_RELEASES}/add_big_lama/big-lama.pt",
        205_669_692,
        "sha256",
        "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9",
    ),
    "anime-manga": Published(
        f"{_RELEASES}/AnimeMangaInpainting/anime-manga-big-lama.pt",
        None,
        "md5",
        "29f284f36a0a510bcacf39ecf4c4d54f",
    ),
}


def fetch(published: Published, folder: Path) -> Path:
    """The file in `folder`, downloaded unless it is there; an interrupted download goes on where it stopped.

    Raises:
        ExportError: The server fails for good, or the file is not the published one.
    """
    target = folder / published.url.rsplit("/", 1)[-1]
    if target.exists():
        _verify(target, published)
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(target.suffix + ".part")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _download(published, part)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise ExportError(
                    f"{published.url}: the server answers {error.code} {error.reason}"
                ) from error
            failure: Exception = error
        except (OSError, http.client.HTTPException) as error:
            failure = error
        if attempt == _ATTEMPTS:
            raise ExportError(
                f"{published.url}: download failed {_ATTEMPTS} times ({failure}); run again to resume"
            ) from failure
    try:
        _verify(part, published)
    except ExportError:
        # What is wrong cannot be resumed; the next run starts over.
        part.unlink()
        raise
    part.rename(target)
    return target


def _download(published: Published, part: Path) -> None:
    done = part.stat().st_size if part.exists() else 0
    if published.size is not None and done >= published.size:
        return
    request = urllib.request.Request(published.url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        reply = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        # 416: there is nothing behind what we have; the checksum decides.
        if error.code == 416 and done:
            return
        raise
    with reply, part.open("ab" if reply.status == 206 else "wb") as out:
        done = done if reply.status == 206 else 0
        length = reply.headers.get("Content-Length")
        total = done + int(length) if length else None
        while chunk := reply.read(_CHUNK):
            out.write(chunk)
            done += len(chunk)
            _progress(part.name.removesuffix(".part"), done, total)
    print(file=sys.stderr)
    # A connection that closes early raises nothing while reading in chunks.
    if total is not None and done < total:
        raise ConnectionError(f"the connection closed after {done:,} of {total:,} bytes")


def _progress(name: str, done: int, total: int | None) -> None:
    share = f"{100 * done / total:5.1f} % of {total / 1e6:,.1f} MB" if total else f"{done / 1e6:,.1f} MB"
    print(f"\r{name}: {share}", end="", file=sys.stderr, flush=True)


def _verify(path: Path, published: Published) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, published.algorithm).hexdigest()
    if found != published.checksum:
        raise ExportError(
            f"{path.name}: {published.algorithm} is {found}, published is {published.checksum}; "
            f"delete {path} and download again"
        )
