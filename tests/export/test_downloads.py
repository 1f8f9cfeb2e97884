from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from export.downloads import PUBLISHED, Published, fetch
from export.errors import ExportError

CONTENT = bytes(range(256)) * 20_000


class _Server(ThreadingHTTPServer):
    """Serves CONTENT; may cut the first connections short, ignore ranges, or fail."""

    cuts = 0
    ranges = True
    status = 200
    asked: list[str | None]

    def published(self, checksum: str | None = None, size: int | None = len(CONTENT)) -> Published:
        digest = checksum or hashlib.sha256(CONTENT).hexdigest()
        return Published(f"http://127.0.0.1:{self.server_port}/weights.pt", size, "sha256", digest)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        match = re.fullmatch(r"bytes=(\d+)-", asked or "")
        start = int(match[1]) if match and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT)
        if self.server.cuts:
            self.server.cuts -= 1
            end = start + (end - start) // 2
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_download_with_progress(server: _Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = fetch(server.published(), tmp_path / "new" / "cache")
    assert path.read_bytes() == CONTENT
    assert "100.0 % of 5.1 MB" in capsys.readouterr().err


def test_what_is_there_is_not_downloaded_again(server: _Server, tmp_path: Path) -> None:
    first = fetch(server.published(), tmp_path)
    assert fetch(server.published(), tmp_path) == first
    assert len(server.asked) == 1


def test_cut_connections_are_resumed(server: _Server, tmp_path: Path) -> None:
    server.cuts = 2
    assert fetch(server.published(), tmp_path).read_bytes() == CONTENT
    half, quarter = len(CONTENT) // 2, len(CONTENT) // 4
    assert server.asked == [None, f"bytes={half}-", f"bytes={half + quarter}-"]


def test_a_later_run_goes_on_where_an_earlier_one_died(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "weights.pt.part").write_bytes(CONTENT[:1000])
    assert fetch(server.published(), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_a_server_without_ranges(server: _Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, 1
    assert fetch(server.published(), tmp_path).read_bytes() == CONTENT


def test_all_there_but_the_last_rename(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "weights.pt.part").write_bytes(CONTENT)
    assert fetch(server.published(size=None), tmp_path).read_bytes() == CONTENT


def test_a_truncated_download_is_an_error_and_can_be_resumed(server: _Server, tmp_path: Path) -> None:
    server.cuts = 99
    with pytest.raises(ExportError, match=r"download failed 4 times .* run again to resume"):
        fetch(server.published(), tmp_path)
    assert not (tmp_path / "weights.pt").exists()
    server.cuts = 0
    assert fetch(server.published(), tmp_path).read_bytes() == CONTENT


def test_a_checksum_that_differs(server: _Server, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"weights\.pt\.part: sha256 is .* published is 00") as error:
        fetch(server.published(checksum="00" * 32), tmp_path)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [], "a wrong file must not be resumed"


def test_a_file_in_the_cache_that_is_not_the_published_one(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"something else")
    with pytest.raises(ExportError, match=r"delete .* and download again"):
        fetch(server.published(), tmp_path)


@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_is_final(server: _Server, status: int, tmp_path: Path) -> None:
    server.status = status
    with pytest.raises(ExportError, match=f"the server answers {status}"):
        fetch(server.published(), tmp_path)
    assert len(server.asked) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="download failed"):
        fetch(Published("http://127.0.0.1:9/weights.pt", None, "md5", "0" * 32), tmp_path)


def test_the_published_weights_are_the_known_ones() -> None:
    assert PUBLISHED["big-lama"].url.endswith("add_big_lama/big-lama.pt")
    assert {published.algorithm for published in PUBLISHED.values()} == {"sha256", "md5"}
