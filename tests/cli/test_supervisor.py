"""Several processes, and one that follows the code: `--workers`, `--reload`, and the signals to their supervisor."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from aioweb.cli.channel import environment
from aioweb.cli.supervisor import pause_before
from tests.cli.test_serving import SITE, aioweb, fail, get, is_open
from tests.functional.load import load
from tests.functional.processes import DEADLINE, ROOT, children, is_alive, running, wait_until

CODE = """
import os
from aioweb import web
async def hello(request):
    return web.Response(text="hello", headers={"Pid": str(os.getpid()), "Version": "%s"})
app = web.Application()
app.router.add_get("/", hello)
"""


def pid_in(answer: bytes) -> int:
    return int(answer.partition(b"\r\nPid: ")[2].partition(b"\r\n")[0])


def pids(port: int, count: int) -> set[int]:
    """Ask until so many processes have answered."""
    found: set[int] = set()

    def all_are_there() -> bool:
        found.add(pid_in(get(port)))
        return len(found) >= count

    wait_until(all_are_there)
    return found


# -- workers -----------------------------------------------------------------------------------------------------------


def test_wishes_26_workers_serve_one_port_and_end_together() -> None:
    with aioweb("-w", "3") as (program, port):
        found = pids(port, 2)
        workers = children(program)
        assert len(workers) == 3
        assert found < workers
        assert program.end() == 0
        assert program.output.count("Running on") == 1
        assert not any(map(is_alive, workers))
        assert not is_open(port)


def test_a_worker_that_dies_is_replaced() -> None:
    with aioweb("-w", "2") as (program, port):
        before = children(program)
        assert get(port, "/die") == b""
        program.wait_for(r"worker \d+ ended with exit code 7; another one starts")
        os.kill(min(children(program) & before), signal.SIGKILL)
        program.wait_for(r"worker \d+ was killed by SIGKILL; another one starts")
        wait_until(lambda: len(children(program)) == 2 and not children(program) & before)
        assert pid_in(get(port)) not in before
        assert program.end() == 0


@pytest.mark.parametrize(
    ("last", "lived", "now"), [(0.0, 60.0, 0.0), (0.0, 0.5, 0.1), (0.1, 0.5, 0.2), (20.0, 0.5, 30.0), (30.0, 60.0, 0.0)]
)
def test_who_dies_soon_waits_longer_each_time(last: float, lived: float, now: float) -> None:
    assert pause_before(last, lived) == now


def test_what_never_starts_ends_the_supervisor() -> None:
    lines = fail("-P", "0", "-w", "2", f"{SITE}:create_broken")
    assert "ConnectionRefusedError: [Errno 111] no database" in lines
    assert any(re.match(r"aioweb: worker \d+ could not start \(exit code 1\)", line) for line in lines)


def test_what_starts_no_longer_is_tried_again(tmp_path: Path) -> None:
    """The first start has shown that it can: perhaps a database is away for a moment."""
    code = tmp_path / "sometimes.py"
    code.write_text(CODE % "one")
    with aioweb("-w", "2", "--app-dir", str(tmp_path), app="sometimes:app") as (program, port):
        code.write_text("raise SystemExit(5)")
        for pid in children(program):
            os.kill(pid, signal.SIGKILL)
        program.wait_for(r"ended with exit code 5; another one starts in 0\.[1248] s")
        code.write_text(CODE % "two")
        wait_until(lambda: len(children(program)) == 2 and b"\r\nVersion: two\r\n" in get(port))
        assert program.end() == 0


def test_it_goes_on_although_nobody_reads_what_it_says() -> None:
    words = [sys.executable, "-m", "aioweb", "-P", "0", "-w", "2", f"{SITE}:app"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as supervisor:
        try:
            assert supervisor.stdout is not None
            port = int(supervisor.stdout.readline().split("//127.0.0.1:")[1].split()[0])
            supervisor.stdout.close()
            before = pids(port, 2)
            assert get(port, "/die") == b""
            wait_until(lambda: pid_in(get(port)) not in before)
            supervisor.terminate()
            assert supervisor.wait(DEADLINE) == 0
        finally:
            supervisor.kill()


def test_workers_end_when_their_supervisor_is_killed() -> None:
    with aioweb("-w", "2") as (program, port):
        workers = children(program)
        program.process.kill()
        wait_until(lambda: not any(map(is_alive, workers)))
        assert not is_open(port)


def test_a_blocked_worker_ends_too_when_its_supervisor_is_killed() -> None:
    """It hears no signal; so a thread of its own ends it when its time is up."""
    ours, theirs = socket.socketpair()
    with theirs, socket.create_server(("127.0.0.1", 0)) as listening:
        for sock in (theirs, listening):
            sock.set_inheritable(True)
        program = (
            "import os, time; from aioweb.cli.channel import find_supervisor; import signal;"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN); found = find_supervisor(0.1);"
            "assert len(found.sockets) == 1; assert find_supervisor(0.1) is None; found.tell('here'); time.sleep(60)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program], env=environment(theirs, [listening]), close_fds=False
        )
    with process, ours:
        assert ours.recv(10) == b"here"
        ours.close()
        assert process.wait(30) == 1


# -- signals -----------------------------------------------------------------------------------------------------------


async def test_hup_under_load_loses_no_request() -> None:
    with aioweb("-w", "2", "--no-access-log") as (program, port):
        async with load(port) as found:
            for _ in range(2):
                before = children(program)
                program.tell(signal.SIGHUP)
                await found.replaced(before)
        assert found.failures == {}
        assert len(children(program)) == 2
        assert program.end() == 0


async def test_a_worker_that_is_told_to_go_loses_no_request() -> None:
    with aioweb("-w", "2", "--no-access-log") as (program, port):
        async with load(port) as found:
            before = children(program)
            for pid in before:
                os.kill(pid, signal.SIGTERM)
                await found.replaced({pid})
        assert found.failures == {}
        assert program.end() == 0


def test_a_group_of_processes_that_is_stopped_as_a_whole_ends_gracefully() -> None:
    """systemd tells each process of a unit, and then the supervisor tells its workers once more."""
    with (
        aioweb("-w", "2", app="create_slow") as (program, port),
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.settimeout(30)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("slow")
        for pid in (*children(program), program.process.pid):
            os.kill(pid, signal.SIGTERM)
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"slow but sure")
        assert program.end(None) == 0


def test_a_second_signal_ends_all_at_once_and_a_third_one_by_force() -> None:
    with aioweb("-w", "2") as (program, port), socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(30)
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("hanging")
        program.tell(signal.SIGINT)
        wait_until(lambda: not is_open(port))
        assert program.end(signal.SIGINT) == 0
        assert client.recv(1000) == b""
        assert "no longer hanging" in program.output
    with aioweb("-w", "2") as (program, port), socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(30)
        client.sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("blocking")
        for words in ("stopping\n", "stopping at once\n", "stopping by force\n"):
            program.tell(signal.SIGTERM)
            program.wait_for(words)
        assert program.end(None) == 1


# -- reload ------------------------------------------------------------------------------------------------------------


async def test_a_change_of_the_code_under_load_loses_no_request(tmp_path: Path) -> None:
    code = tmp_path / "changing.py"
    code.write_text(CODE % "one")
    with aioweb("--reload", "--no-access-log", app="changing:app", cwd=tmp_path) as (program, port):
        async with load(port, clients=4) as found:
            before = children(program)
            await asyncio.to_thread(code.write_text, CODE % "two")
            await found.until(lambda: "changing.py changed" in program.output)
            await found.replaced(before)

            before = children(program)
            await asyncio.to_thread(code.write_text, "def broken(:\n")
            await found.until(lambda: "could not start; the others go on" in program.output)
            await found.until(lambda: children(program) == before)
            await found.more()
            assert b"\r\nVersion: two\r\n" in await asyncio.to_thread(get, port)

            await asyncio.to_thread(code.write_text, CODE % "three")
            await found.replaced(before)
            assert b"\r\nVersion: three\r\n" in await asyncio.to_thread(get, port)
        assert found.failures == {}
        assert program.end() == 0


def test_code_that_is_broken_from_the_start_may_be_mended(tmp_path: Path) -> None:
    code = tmp_path / "changing.py"
    code.write_text("def broken(:\n")
    words = ("-m", "aioweb", "-P", "0", "--reload", "changing:app")
    with running(*words, cwd=tmp_path) as program:
        program.wait_for("waiting for a change of the code")
        code.write_text(CODE % "mended")
        (port,) = program.wait_for(r"Running on http://127\.0\.0\.1:(\d+)")
        assert b"\r\nVersion: mended\r\n" in get(int(port))
        assert program.end() == 0
