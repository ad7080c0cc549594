"""The peers: started in benchmarks/.venv on one core, checked for the right answer, stopped with what they spawned."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator

from benchmarks import environment
from benchmarks.macro.servers import content
from benchmarks.macro.workloads import Workload

SUBJECT = "aioweb"
PURE = "aioweb_pure"
"""aioweb that was told to use none of its extensions in C."""
LIMIT = "bare"
BASELINE = "aiohttp"
LOOPS = ("asyncio", "uvloop")

_SERVERS = pathlib.Path(__file__).with_name("servers")
FILES = {
    LIMIT: _SERVERS / "bare.py",
    SUBJECT: _SERVERS / "aioweb_.py",
    PURE: _SERVERS / "aioweb_.py",
    BASELINE: _SERVERS / "aiohttp_.py",
    "uvicorn_raw": _SERVERS / "uvicorn_raw.py",
    "uvicorn_zttp": _SERVERS / "uvicorn_zttp.py",
    "starlette": _SERVERS / "starlette_.py",
    "blacksheep": _SERVERS / "blacksheep_.py",
    "granian": _SERVERS / "granian_.py",
    "granian_rsgi": _SERVERS / "granian_rsgi.py",
    "socketify": _SERVERS / "socketify_.py",
}
_RAW = ("uvicorn_raw", "uvicorn_zttp", "granian", "granian_rsgi")
_NO_ROUTER = "has no router"
_MISSING = {
    "form": "has no form parser",
    "item": _NO_ROUTER,
    "routes": _NO_ROUTER,
    "layers": "has no middlewares",
}
UNABLE = {(peer, workload): why for peer in _RAW for workload, why in _MISSING.items()}
UNABLE["socketify", "form"] = _MISSING["form"]
UNABLE["socketify", "closing"] = "closes without saying so"
"""Why a peer cannot serve a workload."""
ASKED = {
    PURE: ("plaintext", "minimal", "browser", "json", "form"),
    "uvicorn_zttp": ("plaintext", "minimal", "browser", "json"),
}
"""Which workloads a peer is asked for, where that is not all of them."""
START_TIMEOUT = 15.0
STOP_TIMEOUT = 5.0


class StartFailed(Exception):
    """A peer does not serve: not installed here, or broken. The message says why."""


class WrongAnswer(Exception):
    """A peer serves something else than what is measured; the message says what."""


@contextlib.contextmanager
def serving(
    peer: str,
    loop: str,
    core: int,
    *,
    python: pathlib.Path,
    tls: bool = False,
    logs: pathlib.Path = environment.RESULTS,
) -> Iterator[tuple[int, int]]:
    """Run `peer` on `loop`, pinned to `core`, in the interpreter `python`, while the context lasts; with TLS if `tls`.

    Yields: process id and port, once the server listens.

    Raises StartFailed with the last line of the server's log, which stays in `logs` as PEER-LOOP.log.
    """
    content.ensure_file()
    command = [str(python), str(FILES[peer]), *(["--tls", str(_certificate())] if tls else [])]
    extra = {"AIOWEB_NO_EXTENSIONS": "1"} if peer == PURE else {}
    with running(command, loop, core, logs / f"{peer}-{loop}.log", extra) as serving_at:
        yield serving_at


def _certificate() -> pathlib.Path:
    """A file with a certificate for this machine, and its key; of the kind that most sites have today."""
    path = environment.RESULTS / "tls.pem"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = pathlib.Path(folder, "key.pem"), pathlib.Path(folder, "certificate.pem")
            kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            files = ["-keyout", str(key), "-out", str(certificate)]
            command = ["openssl", "req", "-x509", *kind, "-days", "3650", "-subj", "/CN=127.0.0.1", *files]
            subprocess.run(command, check=True, capture_output=True)
            unfinished = path.with_suffix(f".{os.getpid()}.pem")
            unfinished.write_bytes(certificate.read_bytes() + key.read_bytes())
        unfinished.replace(path)
    return path


@contextlib.contextmanager
def running(
    command: list[str], loop: str, core: int, log: pathlib.Path, extra: dict[str, str]
) -> Iterator[tuple[int, int]]:
    """Run the server that `command` starts, in the root of the project, while the context lasts; else as `serving`.

    `extra` are variables for its environment.
    """
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--loop", loop],
            cwd=environment.ROOT,
            env={**environment.variables(), **extra},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    try:
        _wait_until_ready(process, log, port)
        yield process.pid, port
    finally:
        _stop(process)


def check_answer(port: int, workload: Workload) -> None:
    """Ask twice on one connection: status, content and persistence must be right before anything is measured.

    Raises WrongAnswer.
    """
    try:
        with _connect(port, workload.tls) as connection, connection.makefile("rb", buffering=0) as octets:
            answers = _Answers(octets)
            for _ in range(2 if workload.persistent else 1):
                connection.sendall(workload.request * workload.pipelined)
                for _ in range(workload.pipelined):
                    _check_one(answers, workload)
    except (OSError, http.client.HTTPException) as exc:
        raise WrongAnswer(f"no answer: {exc!r}") from None


def _check_one(answers: _Answers, workload: Workload) -> None:
    response = http.client.HTTPResponse(answers)  # type: ignore[arg-type]  # all that it asks of a socket
    response.begin()
    body = response.read()
    if response.status != 200 or not workload.is_right(body):
        raise WrongAnswer(f"answered {response.status} {body[:40]!r}")
    if response.will_close is workload.persistent:
        raise WrongAnswer(f"{'does not keep' if workload.persistent else 'keeps'} the connection alive")


def _connect(port: int, tls: bool) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    if not tls:
        return connection
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


class _Answers(io.BufferedReader):
    """The responses of a connection, one behind the other: each of them takes it for its socket, and closes it."""

    def makefile(self, mode: str) -> io.BufferedReader:
        return self

    def close(self) -> None:
        """The next one follows."""


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], log: pathlib.Path, port: int) -> None:
    """Until the server says that it listens, and does: the workers of granian begin their life just before."""
    deadline = time.monotonic() + START_TIMEOUT
    while "READY" not in (lines := log.read_text("utf-8", "replace").splitlines()) or not _accepts(port):
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
        if process.poll() is not None:
            raise StartFailed(f"ended with {process.returncode}: {last}")
        if time.monotonic() > deadline:
            raise StartFailed(f"not ready after {START_TIMEOUT:.0f} s: {last}")
        time.sleep(0.002)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it spawned: politely, then the whole process group, which is ours alone."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
