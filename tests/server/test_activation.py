"""Sockets that systemd passes: the protocol of its variables, in processes that are started as systemd starts them."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from aioweb import web
from tests.functional.processes import activated

SHOW = """
import os
from aioweb import web
for sock in web.systemd_sockets():
    print(sock.getsockname()[1], os.get_inheritable(sock.fileno()), end=" ")
print([name for name in os.environ if name.startswith("LISTEN_")], web.systemd_sockets())
"""


def start(program: str, *socks: socket.socket, pid: str = "") -> str:
    """The output of a program that gets these sockets from descriptor 3 on."""
    numbers = [sock.fileno() for sock in socks]
    command = activated(["-c", program], numbers, pid)
    done = subprocess.run(command, pass_fds=numbers, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_they_are_taken_in_their_order_once_and_not_passed_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = [sock.getsockname()[1] for sock in (first, second)]
        assert start(SHOW, first, second) == f"{ports[0]} False {ports[1]} False [] []"


def test_what_was_meant_for_another_process_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert start(SHOW, listening, pid="1") == "[] []"


def test_without_systemd_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    assert web.systemd_sockets() == []


def test_a_number_of_sockets_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "many")
    with pytest.raises(ValueError, match="many"):
        web.systemd_sockets()


RUN_APP = """
import asyncio
from aioweb import web

async def stop(app):
    asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(end))

def end():
    raise web.GracefulExit

app = web.Application()
app.on_startup.append(stop)
web.run_app(app{arguments})
"""


@pytest.mark.parametrize(("arguments", "is_taken"), [("", True), (", port=0", False)])
def test_run_app_serves_them_unless_it_is_told_where_to_listen(arguments: str, is_taken: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        output = start(RUN_APP.replace("{arguments}", arguments), listening)
    assert output.count("Running on") <= 1
    assert (f"Running on http://127.0.0.1:{port} " in output) is is_taken
