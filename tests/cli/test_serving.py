"""`python -m aioweb` in processes, as users run it: each option by its effect. See test_supervisor.py for several."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.functional.processes import ROOT, Program, activated, children, running, wait_until

PEM = str(Path(__file__).parents[1] / "data" / "localhost.pem")
SITE = "tests.cli.site"


@contextmanager
def aioweb(*words: str, app: str | None = "app", **options: object) -> Iterator[tuple[Program, int]]:
    """The command line on a free port; the program and the port, 0 if it has none."""
    target = [] if app is None else [app if ":" in app else f"{SITE}:{app}"]
    port = [] if {"--fd", "-U"} & set(words) else ["-P", "0"]
    with running("-m", "aioweb", *port, *words, *target, **options) as program:  # type: ignore[arg-type]
        program.wait_for("Press CTRL")
        (found, *_) = [*program.wait_for(r"Running on https?://[^:]+:(\d*)"), "0"]
        if "-w" in words:  # the others start when the first one listens
            wait_until(lambda: len(children(program)) == int(words[words.index("-w") + 1]))
        yield program, int(found or 0)


def ask(client: socket.socket, path: str = "/") -> bytes:
    """The whole answer to one request."""
    client.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
    with client.makefile("rb") as answer:
        return answer.read()


def get(port: int, path: str = "/") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        return ask(client, path)


def fail(*words: str, code: int = 1) -> list[str]:
    """Run it; it must not start. Returns the lines of its output."""
    with running("-m", "aioweb", *words) as program:
        assert program.end(None) == code, program.output
        return program.output.splitlines()


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_it_serves_and_says_where_and_logs_each_request() -> None:
    with aioweb("--loop", "asyncio") as (program, port):
        assert b"\r\nLoop: asyncio\r\n" in get(port)
        program.wait_for('"GET / HTTP/1.1" 200 5')
        assert get(port, "/fail").startswith(b"HTTP/1.1 500 ")
        program.wait_for("ZeroDivisionError: on purpose")
        assert program.end(signal.SIGINT) == 0
    lines = program.output.splitlines()
    assert lines[0] == f"======== Running on http://127.0.0.1:{port} ========"
    assert lines[1] == "(Press CTRL+C to quit)"


def test_access_log_debug_and_limits() -> None:
    words = ["--loop", "uvloop", "--access-log-format", "<%s>", "--debug", "--limit", "line=100"]
    with aioweb(*words, app="create_in_loop") as (program, port):
        assert b"\r\nLoop: uvloop\r\n" in get(port)
        assert b"ZeroDivisionError: on purpose" in get(port, "/fail")
        assert get(port, "/" + "a" * 100).startswith(b"HTTP/1.1 414 ")
        assert program.end() == 0
    assert re.findall("<[0-9]+>", program.output) == ["<200>", "<500>", "<414>"]


def test_connections_over_their_limit_are_refused_if_that_is_asked_for() -> None:
    with aioweb("--limit", "connections=1", "--when-full", "refuse", "--limit", "handler_timeout=5") as (program, port):
        with socket.create_connection(("127.0.0.1", port), 5) as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
            assert get(port).startswith(b"HTTP/1.1 503 ")
            first.sendall(b"\r\n")
            assert first.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert program.end() == 0


def test_the_access_log_may_be_json() -> None:
    with aioweb("--access-log-format", "json") as (program, port):
        get(port)
        assert program.end() == 0
    assert [json.loads(line)["status"] for line in program.output.splitlines() if line.startswith("{")] == [200]


def test_what_is_not_said_is_left_to_the_application() -> None:
    with aioweb(app="create_with_arguments") as (program, port):
        with socket.create_connection(("127.0.0.1", port), 5) as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
            assert get(port).startswith(b"HTTP/1.1 503 ")
        assert program.end() == 0
    assert "<503>" in program.output


def test_silence() -> None:
    with aioweb("--no-access-log", "--log-level", "error") as (program, port):
        get(port)
        assert program.end() == 0
    assert program.output.count("\n") == 2


def test_logging_that_an_application_has_set_up_stays(tmp_path: Path) -> None:
    code = "import logging\nlogging.basicConfig(format='MINE %(message)s', level='INFO')\nfrom aioweb import web\n"
    (tmp_path / "mine.py").write_text(code + "app = web.Application()\n")
    with aioweb("--app-dir", str(tmp_path), app="mine:app") as (program, port):
        get(port)
        program.wait_for("MINE 127.0.0.1")
        assert program.end() == 0


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("the index")
    with aioweb("--static", str(tmp_path), app=None) as (program, port):
        assert get(port).endswith(b"the index")
        assert get(port, "/nothing").startswith(b"HTTP/1.1 404 ")
        assert program.end() == 0


# -- where it listens --------------------------------------------------------------------------------------------------


def test_several_hosts_and_paths(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with aioweb("-H", "127.0.0.1", "-H", "127.0.0.2", "-U", str(path), "--path-mode", "600", "-P", "0") as (program, _):
        first, second = program.wait_for(r"http://127\.0\.0\.[12]:(\d+)", 2)
        assert get(int(first)).endswith(b"hello")
        with socket.create_connection(("127.0.0.2", int(second)), timeout=30) as client:
            assert ask(client).endswith(b"hello")
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            assert ask(client).endswith(b"hello")
        assert program.end() == 0
    assert not path.exists()


def test_a_path_alone_opens_no_port(tmp_path: Path) -> None:
    with aioweb("-U", str(tmp_path / "s")) as (program, _):
        inodes = [
            os.readlink(link)[8:-1] for link in Path(f"/proc/{program.process.pid}/fd").iterdir() if is_socket(link)
        ]
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert not [entry for entry in listening if entry[9] in inodes]
        assert program.end() == 0


def is_socket(link: Path) -> bool:
    try:
        return os.readlink(link).startswith("socket:")
    except FileNotFoundError:
        return False


def test_a_socket_that_is_inherited_as_systemd_passes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        number = listening.fileno()
        command = [sys.executable, "-m", "aioweb", "--fd", str(number), f"{SITE}:app"]
        with subprocess.Popen(command, pass_fds=[number], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"======== Running on http://127.0.0.1:{port} ========\n"
            assert get(port).endswith(b"hello")
            process.terminate()
            assert process.wait(30) == 0


@pytest.mark.parametrize("words", [[], ["-w", "2"]])
def test_a_socket_that_systemd_passes_is_served_and_no_port_is_opened(words: Sequence[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, number = listening.getsockname()[1], listening.fileno()
        command = activated(["-m", "aioweb", *words, f"{SITE}:app"], [number])
        with subprocess.Popen(command, pass_fds=[number], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"======== Running on http://127.0.0.1:{port} ========\n"
            assert process.stdout.readline() == "(Press CTRL+C to quit)\n"
            assert get(port).endswith(b"hello")
            process.terminate()
            assert process.wait(30) == 0


def test_tls_with_client_certificates() -> None:
    with aioweb("--tls-cert", PEM, "--tls-key", PEM, "--tls-ca", PEM) as (program, port):
        context = ssl.create_default_context(cafile=PEM)
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(PEM)
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            answer = ask(client)
            assert client.selected_alpn_protocol() == "http/1.1"
        assert b"\r\nClient: \r\n" not in answer
        assert answer.endswith(b"hello")
        assert f"https://127.0.0.1:{port}" in program.output
        assert program.end() == 0


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["-w", "2"]])
def test_a_port_in_use_is_one_line(words: Sequence[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fail("-P", str(port), *words, f"{SITE}:app") == [
            f"aioweb: cannot listen at 127.0.0.1:{port}: Address already in use"
        ]


def test_a_host_that_is_none_and_a_descriptor_that_is_none_and_a_path_that_is_taken(tmp_path: Path) -> None:
    (line,) = fail("-H", "no.such.host.invalid", f"{SITE}:app")
    assert line.startswith("aioweb: cannot listen at no.such.host.invalid:8080: ")
    (line,) = fail("--fd", "99", f"{SITE}:app", code=2)
    assert line.startswith("aioweb: --fd 99 is no socket: ")
    (tmp_path / "file").write_text("mine")
    (line,) = fail("-U", str(tmp_path / "file"), f"{SITE}:app")
    assert line == f"aioweb: cannot listen at '{tmp_path}/file': Address already in use"


def test_what_the_start_of_the_application_raises_comes_out_as_it_is() -> None:
    """An OSError of the application is not one of the port."""
    lines = fail("-P", "0", f"{SITE}:create_broken")
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ConnectionRefusedError: [Errno 111] no database"


def test_a_second_signal_ends_it_at_once() -> None:
    with aioweb() as (program, port), socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("hanging")
        program.tell(signal.SIGINT)
        wait_until(lambda: not is_open(port))
        assert program.end(signal.SIGINT) == 0
        assert client.recv(1000) == b""
        assert "no longer hanging" in program.output
        assert "Traceback" not in program.output


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionError:
        return False
    return True
