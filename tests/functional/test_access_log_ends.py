"""The access log in a file, to the last line: whatever ends the process, each answer has one line, in order."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.functional.processes import Program, running, wait_until

COUNT = 300

SERVER = """
import asyncio, atexit, logging, os, signal, sys
from aioweb import web

logging.basicConfig(level=logging.INFO, filename=sys.argv[1], format="%(message)s")

async def answer(request):
    return web.Response(text=request.path)

async def end(request):
    how = request.match_info["how"]
    if how == "raise":
        raise RuntimeError("on purpose")
    if how == "fork":
        child = os.fork()
        if not child:
            atexit._run_exitfuncs()
            os._exit(0)
        os.waitpid(child, 0)
    elif how == "exit":
        sys.exit(3)
    elif how == "interrupt":
        raise KeyboardInterrupt
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGTERM)
    elif how == "loop":
        asyncio.get_running_loop().stop()
    return web.Response(text=how)

app = web.Application()
app.router.add_get("/end/{how}", end)
app.router.add_get("/{number}", answer)
"""

RUN_APP = (
    SERVER
    + """
web.run_app(app, host="127.0.0.1", port=0, access_log_format="%r %s")
"""
)

# As somebody may do it who does not know how to stop: nobody tells the server that it ends.
OWN_LOOP = (
    SERVER
    + """
async def start():
    runner = web.AppRunner(app, access_log_format="%r %s")
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"======== Running on http://127.0.0.1:{runner.addresses[0][1]} ========", flush=True)

loop = asyncio.new_event_loop()
loop.create_task(start())
loop.run_forever()
loop.close()
"""
)


def port_of(program: Program) -> int:
    return int(program.wait_for(r"Running on http://127\.0\.0\.1:(\d+)")[0])


def ask_many(port: int, last: str | None = None) -> None:
    """Many requests on one connection, one after another, then the last one, whose answer need not come."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client, client.makefile("rb") as answers:
        for number in range(COUNT):
            client.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            while answers.readline() != b"\r\n":
                pass
            assert answers.read(1 + len(str(number))) == b"/%d" % number
        if last is not None:
            client.sendall(b"GET /end/%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % last.encode())
            try:
                answers.read()
            except ConnectionResetError:
                pass


def lines_of(*logs: Path) -> list[str]:
    return [line for log in logs for line in log.read_text().splitlines() if line.startswith("GET ")]


EXPECTED = [f"GET /{number} HTTP/1.1 200" for number in range(COUNT)]


@pytest.mark.parametrize(("last", "code"), [("exit", 3), ("interrupt", 0), ("kill", 0)])
def test_no_line_is_lost_when_a_handler_ends_run_app(tmp_path: Path, last: str, code: int) -> None:
    log = tmp_path / "log"
    with running("-c", RUN_APP, str(log)) as program:
        ask_many(port_of(program), last)
        assert program.end(None) == code, program.output
    shown = lines_of(log)
    assert shown[:COUNT] == EXPECTED
    assert [line.partition(" HTTP")[0] for line in shown[COUNT:]] == [f"GET /end/{last}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_line_is_lost_when_a_signal_ends_run_app(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    with running("-c", RUN_APP, str(log)) as program:
        ask_many(port_of(program))
        assert program.end(number) == 0
    assert lines_of(log) == EXPECTED


def test_no_line_is_lost_when_a_loop_is_stopped_and_nobody_tells_the_server(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("-W", "ignore", "-c", OWN_LOOP, str(log)) as program:
        ask_many(port_of(program), "loop")
        program.end(None)
    assert lines_of(log)[:COUNT] == EXPECTED


def test_a_child_that_is_forked_writes_no_line_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("-W", "ignore", "-c", RUN_APP, str(log)) as program:
        ask_many(port_of(program), "fork")
        program.end()
    assert lines_of(log) == [*EXPECTED, "GET /end/fork HTTP/1.1 200"]


def test_a_failing_handler_has_its_line_and_those_before_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("-c", RUN_APP, str(log)) as program:
        ask_many(port_of(program), "raise")
        assert program.end() == 0
    assert lines_of(log) == [*EXPECTED, "GET /end/raise HTTP/1.1 500"]


def test_a_line_is_there_at_once_while_it_serves(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running("-c", RUN_APP, str(log)) as program:
        ask_many(port_of(program))
        wait_until(lambda: lines_of(log) == EXPECTED)
        assert program.end() == 0


def test_the_workers_of_the_command_line_lose_no_line(tmp_path: Path) -> None:
    words = ["-P", "0", "-w", "2", "--access-log-format", "%r %s", "tests.cli.site:app"]
    with running("-m", "aioweb", *words) as program:
        program.wait_for("Press CTRL")
        port = port_of(program)
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                for _ in range(20):
                    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert b"200 OK" in client.recv(4096)
        assert program.end() == 0
    assert program.output.count("GET / HTTP/1.1 200\n") == 80


def test_a_worker_of_gunicorn_loses_no_line_at_stop_and_reload(tmp_path: Path) -> None:
    (tmp_path / "site_with_log.py").write_text(SERVER.replace("sys.argv[1]", "'unused'"))
    log = tmp_path / "log"
    gunicorn = str(Path(sys.executable).parent / "gunicorn")
    words = ["-k", "aioweb.worker.GunicornWebWorker", "-b", "127.0.0.1:0", "--no-control-socket"]
    words += ["--access-logfile", str(log), "--access-logformat", "%(r)s %(s)s", "site_with_log:app"]
    with running(gunicorn, *words, cwd=tmp_path) as program:
        (port, *_) = program.wait_for(r"http://127\.0\.0\.1:(\d+)")
        program.wait_for("Booting worker")
        ask_many(int(port))
        program.tell(signal.SIGHUP)
        program.wait_for("Booting worker", 2)
        program.wait_for("Worker exiting")
        ask_many(int(port))
        moved = tmp_path / "log.1"
        os.rename(log, moved)
        program.tell(signal.SIGUSR1)
        wait_until(log.exists)
        assert program.end() == 0
    assert lines_of(moved, log) == EXPECTED * 2
