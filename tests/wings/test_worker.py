"""The worker with the real gunicorn, as an operator runs it: FEATURES section M, row by row."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.functional.load import load
from tests.functional.processes import Program, is_alive, running, wait_until

PEM = str(Path(__file__).parents[1] / "data" / "localhost.pem")
GUNICORN = str(Path(sys.executable).parent / "gunicorn")  # not -m: it could not start itself anew for USR2
WORKER = "aioweb.worker.GunicornWebWorker"
UVLOOP_WORKER = "aioweb.worker.GunicornUVLoopWebWorker"
CODE = """
from aioweb import web
async def hello(request):
    return web.Response(text="%s")
app = web.Application()
app.router.add_get("/", hello)
"""


@contextmanager
def gunicorn(
    app: str, *options: str, workers: int = 1, worker: str = WORKER, cwd: Path | None = None
) -> Iterator[tuple[Program, int]]:
    """gunicorn on a free port, booted; the program and the port."""
    command = [GUNICORN, "-k", worker, "-w", str(workers), "-b", "127.0.0.1:0", "--no-control-socket"]
    if ":" not in app:
        app = f"tests.wings.served:{app}"
    with running(*command, *options, app, **({"cwd": cwd} if cwd is not None else {})) as program:  # type: ignore[arg-type]
        (port, *_) = program.wait_for(r"https?://127\.0\.0\.1:(\d+)")
        pids_of(program, workers)
        yield program, int(port)


def pids_of(program: Program, count: int) -> list[int]:
    """The processes of the first `count` workers that were booted."""
    return [int(pid) for pid in program.wait_for(r"Booting worker with pid: (\d+)", count)]


def get(port: int, path: str = "/", **options: object) -> bytes:
    """The whole answer to one request; b"" for none."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        return ask(client, path)


def ask(client: socket.socket, path: str = "/") -> bytes:
    client.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
    try:
        with client.makefile("rb") as answer:
            return answer.read()
    except ConnectionResetError:
        return b""


def begin(port: int, path: str) -> socket.socket:
    """Ask, and do not wait for the answer."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
    return client


def pid_in(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
    return int(answer.partition(b"\r\nPid: ")[2].partition(b"\r\n")[0])


# -- M1, M2, M7: what is served, and what settings do ------------------------------------------------------------------


def test_m1_m7_two_workers_on_tcp_and_unix_sockets_and_each_cleans_up(tmp_path: Path) -> None:
    with gunicorn("app", "-b", f"unix:{tmp_path}/s", workers=2) as (program, port):
        pids = pids_of(program, 2)
        assert pid_in(get(port)) in pids
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{tmp_path}/s")
            assert pid_in(ask(client)) in pids
        assert program.end() == 0
    assert sorted(re.findall(r"cleaned up (\d+)", program.output)) == sorted(str(pid) for pid in pids)
    assert not (tmp_path / "s").exists()


def test_m2_keepalive_the_access_log_and_debug() -> None:
    options = ["--access-logfile", "-", "--access-logformat", "%(m)s [%(U)s] %(s)s %({x-y}i)s"]
    with gunicorn("app", *options, "--log-level", "debug", "--keep-alive", "1") as (program, port):
        assert b"ZeroDivisionError: on purpose" in get(port, "/fail")
        program.wait_for(r"GET \[/fail\] 500 -")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n")
            begun = time.monotonic()
            with client.makefile("rb") as answer:
                assert answer.read().endswith(b"hello")  # to the end: the server closes
        assert time.monotonic() - begun >= 0.9
        program.wait_for(r"GET \[/\] 200 z")
        assert program.end() == 0


def test_m2_limits_count_if_they_are_changed() -> None:
    with gunicorn("app", "--limit-request-line", "100", "--limit-request-fields", "0") as (program, port):
        assert get(port, "/" + "a" * 100).startswith(b"HTTP/1.1 414 ")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 150 + b"\r\n")
            assert client.recv(20).startswith(b"HTTP/1.1 431 "), "0 leaves our own limit"
        assert get(port).startswith(b"HTTP/1.1 200 ")
        assert program.end() == 0


# -- M2, M3, M6: time, and signals -------------------------------------------------------------------------------------


def test_m6_a_blocked_loop_is_killed_and_m2_the_graceful_timeout_ends_what_hangs() -> None:
    with gunicorn("app", "--timeout", "1", "--graceful-timeout", "1") as (program, port):
        assert b"200 OK" not in get(port, "/block")
        program.wait_for("WORKER TIMEOUT")
        program.wait_for(r"exited with code 1\b")
        pids_of(program, 2)
        with begin(port, "/hang") as hanging:
            program.wait_for("hanging")
            assert program.end() == 0
            assert hanging.recv(1000) == b""
    assert "no longer hanging" in program.output
    assert program.output.count("cleaned up") == 1


def test_m3_m4_term_finishes_what_is_in_flight_and_quit_does_not() -> None:
    """M4, a request that finishes, is shown by tests/functional/test_stop_processes.py, two hundred times."""
    with gunicorn("app") as (program, port):
        with begin(port, "/hang") as hanging:
            program.wait_for("hanging")
            begun = time.monotonic()
            program.tell(signal.SIGTERM)
            wait_until(lambda: not is_open(port))
            assert program.process.poll() is None
            assert program.end(signal.SIGQUIT) == 0
            assert hanging.recv(1000) == b""
        assert time.monotonic() - begun < 25
    assert "no longer hanging" in program.output
    assert "cleaned up" in program.output


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionError:
        return False
    return True


def test_m3_signals_to_a_worker(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with gunicorn("app", "--access-logfile", str(log)) as (program, port):
        pid = pid_in(get(port))
        wait_until(lambda: log.exists() and log.read_text())
        log.rename(tmp_path / "old.log")
        os.kill(pid, signal.SIGWINCH)
        program.tell(signal.SIGUSR1)  # the master passes it on
        wait_until(log.exists)
        wait_until(lambda: pid_in(get(port)) == pid and log.read_text(), "nothing is written to the new log")

        with begin(port, "/hang") as hanging:
            program.wait_for("hanging")
            os.kill(pid, signal.SIGINT)
            assert hanging.recv(1000) == b""
        second = pids_of(program, 2)[1]
        assert f"cleaned up {pid}\n" in program.output

        assert pid_in(get(port)) == second
        os.kill(second, signal.SIGABRT)
        program.wait_for(rf"pid:\s?{second}\) exited with code 1\b")
        third = pids_of(program, 3)[2]
        assert pid_in(get(port)) == third
        assert program.end(signal.SIGQUIT) == 0


def test_m3_a_worker_ends_with_its_master() -> None:
    with gunicorn("app") as (program, port):
        pid = pid_in(get(port))
        program.process.kill()
        wait_until(lambda: not is_alive(pid))
        program.wait_for("Parent changed, shutting down")
        program.wait_for(f"cleaned up {pid}")


# -- M5 ----------------------------------------------------------------------------------------------------------------


def test_m5_a_change_of_the_code_restarts_the_worker_and_a_syntax_error_is_shown(tmp_path: Path) -> None:
    code = tmp_path / "changing.py"
    code.write_text(CODE % "before")
    options = ("--reload", "--reload-engine", "poll")
    with gunicorn("changing:app", *options, cwd=tmp_path) as (program, port):
        assert get(port).endswith(b"before")
        wait_until(lambda: code.write_text("def broken(:\n") and b"SyntaxError" in get_if_open(port))
        # Saved again until it is noticed: gunicorn's poll engine knows a change only of a file that it has seen before,
        # and a worker serves before the engine has looked for the first time.
        wait_until(lambda: code.write_text(CODE % "after") and get_if_open(port).endswith(b"after"))
        assert program.end() == 0


def get_if_open(port: int) -> bytes:
    time.sleep(0.05)
    try:
        return get(port)
    except ConnectionError:
        return b""


# -- M8 ----------------------------------------------------------------------------------------------------------------


async def test_m8_max_requests_with_jitter_loses_no_request() -> None:
    with gunicorn("app", "--max-requests", "300", "--max-requests-jitter", "100", workers=2) as (program, port):
        async with load(port) as found:
            pids = set(pids_of(program, 2))
            await found.until(lambda: len(found.pids - pids) >= 3)
        assert found.failures == {}
        assert program.end() == 0


def test_m8_a_coroutine_makes_the_application_and_tls() -> None:
    with gunicorn("create_in_loop", "--certfile", PEM, "--keyfile", PEM) as (program, port):
        trusting = ssl.create_default_context(cafile=PEM)
        trusting.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            assert client.selected_alpn_protocol() == "http/1.1"
            assert ask(client).endswith(b"hello")
        assert program.end() == 0


def test_m8_a_runner_of_ones_own_on_uvloop() -> None:
    with gunicorn("create_runner", "--max-requests", "2", worker=UVLOOP_WORKER) as (program, port):
        answer = get(port)
        assert b"\r\nLoop: uvloop\r\n" in answer
        assert b"\r\nServer: by the runner\r\n" in answer
        get(port)
        program.wait_for("Autorestarting worker")
        pids_of(program, 2)
        assert program.end() == 0


@pytest.mark.parametrize(("app", "said"), [("create_broken", "no database"), ("wsgi", "takes an Application")])
def test_m8_what_cannot_start_stops_the_master(app: str, said: str) -> None:
    with gunicorn(app) as (program, _):
        assert program.end(None) == 3
    assert f"RuntimeError: {said}" in program.output or said in program.output


# -- nothing is lost ---------------------------------------------------------------------------------------------------


async def test_hup_under_load_loses_no_request() -> None:
    with gunicorn("app", workers=2) as (program, port):
        async with load(port) as found:
            for count in (2, 4):
                before = set(pids_of(program, count))
                program.tell(signal.SIGHUP)
                await found.replaced(before)
        assert found.failures == {}
        assert program.end() == 0


async def test_usr2_under_load_loses_no_request(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    with gunicorn("app", "--pid", str(pidfile), workers=2) as (program, port):
        async with load(port) as found:
            before = set(pids_of(program, 2))
            program.tell(signal.SIGUSR2)
            await found.until(lambda: found.pids - before)
            assert await asyncio.to_thread(program.end) == 0, "the old master has ended"
            await found.replaced(before)
            new_master = int(pidfile.read_text())
        assert found.failures == {}
        os.kill(new_master, signal.SIGTERM)
        wait_until(lambda: not is_alive(new_master))
        wait_until(lambda: not is_open(port))
