"""Runners, and run_app: in this process, where the end is a signal to ourselves, and in another, as users run it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from aioweb import web
from aioweb.log import access_logger

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, world")


def app_of(handler: Any = hello, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_get("/", handler)
    return app


async def get(opening: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> bytes:
    """The whole answer to a GET."""
    reader, writer = await opening
    writer.write(GET)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


# -- runners -----------------------------------------------------------------------------------------------------------


async def test_a_runner_starts_sites_and_stops_them() -> None:
    runner = web.AppRunner(app_of())
    assert runner.server is None
    await runner.setup()
    first, second = web.TCPSite(runner, "127.0.0.1", 0), web.TCPSite(runner, "127.0.0.1", 0)
    assert first.port == 0
    for site in (first, second):
        await site.start()
        assert site.name == f"http://127.0.0.1:{site.port}"
        assert (await get(asyncio.open_connection("127.0.0.1", site.port))).endswith(b"Hello, world")
    assert runner.sites == {first, second}
    assert runner.addresses == [("127.0.0.1", first.port), ("127.0.0.1", second.port)]
    with pytest.raises(RuntimeError, match="already"):
        await first.start()
    await first.stop()
    await first.stop()
    assert runner.sites == {second}
    await runner.cleanup()
    assert (runner.server, runner.sites, runner.addresses) == (None, set(), [])
    await runner.cleanup()


async def test_sites_need_a_runner_that_is_set_up() -> None:
    with pytest.raises(RuntimeError, match="setup"):
        web.TCPSite(web.AppRunner(app_of()))
    with pytest.raises(TypeError, match="runner"):
        web.TCPSite(app_of())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Application"):
        web.AppRunner(hello)  # type: ignore[arg-type]


async def test_a_site_that_outlives_its_runner_is_refused() -> None:
    runner = web.AppRunner(app_of())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await runner.cleanup()
    with pytest.raises(RuntimeError, match="has ended"):
        await site.start()
    assert runner.addresses == []


# -- run_app in this process -------------------------------------------------------------------------------------------

Visit = Callable[[list[str]], Awaitable[None]]


def run(app: Any, visit: Visit, **options: Any) -> list[str]:
    """Run it, visit the addresses that it tells, then end it by SIGTERM. Returns the addresses."""
    names: list[str] = []
    failures: list[BaseException] = []

    async def visit_and_end() -> None:
        try:
            await asyncio.wait_for(visit(names), 5)
        except BaseException as failure:
            failures.append(failure)
        signal.raise_signal(signal.SIGTERM)

    def tell(text: str, flush: bool) -> None:
        assert text.endswith("\n(Press CTRL+C to quit)")
        names.extend(line.strip("= ").removeprefix("Running on ") for line in text.splitlines()[:-1])
        tasks.append(asyncio.get_running_loop().create_task(visit_and_end()))

    tasks: list[asyncio.Task[None]] = []
    web.run_app(app, print=tell, **options)
    if failures:
        raise failures[0]
    return names


async def visit_all(names: list[str]) -> None:
    for name in names:
        host, _, port = name.removeprefix("http://").rpartition(":")
        opening = asyncio.open_connection(host, int(port)) if port else asyncio.open_unix_connection(host[5:])
        assert (await get(opening)).endswith(b"Hello, world")


def test_several_hosts_are_served() -> None:
    names = run(app_of(), visit_all, host=["127.0.0.1", "127.0.0.2"], port=0)
    assert [name.rpartition(":")[0] for name in names] == ["http://127.0.0.1", "http://127.0.0.2"]


def test_all_interfaces_are_the_default() -> None:
    (name,) = run(app_of(), visit_all, port=0)
    assert name.startswith("http://0.0.0.0:")


def test_a_path_alone_opens_no_tcp_port(tmp_path: Path) -> None:
    class Loop(asyncio.SelectorEventLoop):
        async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("a TCP address was looked up")

    loop, path = Loop(), tmp_path / "socket"
    assert run(app_of(), visit_all, path=path, loop=loop) == [f"http://unix:{path}:"]
    assert not path.exists()
    assert not loop.is_closed()
    loop.close()


def test_several_paths_and_a_host_are_served_together(tmp_path: Path) -> None:
    names = run(app_of(), visit_all, path=[tmp_path / "a", str(tmp_path / "b")], host="127.0.0.1", port=0)
    assert [name.startswith("http://unix:") for name in names] == [False, True, True]


def test_sockets_that_are_bound_already_are_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        assert run(app_of(), visit_all, sock=sock) == [f"http://127.0.0.1:{port}"]


def test_tls_is_told_and_served() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)

    async def visit(names: list[str]) -> None:
        port = int(names[0].rpartition(":")[2])
        trusting = ssl.create_default_context(cafile=str(PEM))
        opening = asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
        assert b"Hello, world" in await get(opening)

    (name,) = run(app_of(), visit, host="127.0.0.1", port=0, ssl_context=context)
    assert name.startswith("https://127.0.0.1:")


def test_a_coroutine_may_make_the_application_in_the_loop() -> None:
    loops = []

    async def make() -> web.Application:
        loops.append(asyncio.get_running_loop())
        return app_of()

    run(make(), visit_all, host="127.0.0.1", port=0)
    assert len(loops) == 1
    assert loops[0].is_closed()


def test_n1_every_argument_of_aiohttp_is_taken_and_a_loop_may_be_made() -> None:
    class Log(web.AbstractAccessLogger):
        def log(self, request: Any, response: Any, time: float) -> None:
            lines.append((request.path, response.status, self.log_format))

    async def visit(names: list[str]) -> None:
        await visit_all(names)
        port = int(names[0].rpartition(":")[2])
        with socket.socket() as sharing:
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharing.bind(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET.replace(b"Connection: close\r\n", b""))
        assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"Hello, world"), "it is kept alive for a moment"
        writer.close()

    def make_loop() -> asyncio.AbstractEventLoop:
        loops.append(asyncio.new_event_loop())
        return loops[0]

    lines: list[Any] = []
    loops: list[asyncio.AbstractEventLoop] = []
    listening = {"host": "127.0.0.1", "port": 0, "reuse_address": True, "reuse_port": True, "backlog": 5}
    logging_ = {"access_log_class": Log, "access_log_format": "mine", "access_log": logging.getLogger("test.access")}
    tuning = {"shutdown_timeout": 5.0, "keepalive_timeout": 0.05, "handler_cancellation": True, "handle_signals": True}
    run(app_of(), visit, **listening, **logging_, **tuning, loop=make_loop)
    assert lines == [("/", 200, "mine")] * 2
    assert loops[0].is_closed()


def test_print_none_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    async def once(request: web.Request) -> web.Response:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        return web.Response(text="last words")

    with socket.create_server(("127.0.0.1", 0)) as sock, socket.create_connection(sock.getsockname()) as client:
        client.sendall(GET)
        web.run_app(app_of(once), sock=sock, print=None, access_log=None)
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"last words")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("said_to_app", "said_to_run_app"), [({"debug": True}, {}), ({}, {"debug": True})])
def test_in_debug_mode_the_access_log_is_to_be_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said_to_app: Any, said_to_run_app: Any
) -> None:
    monkeypatch.setattr(access_logger, "propagate", False)
    monkeypatch.setattr(access_logger, "handlers", [])
    monkeypatch.setattr(access_logger, "level", logging.NOTSET)
    run(app_of(**said_to_app), visit_all, host="127.0.0.1", port=0, **said_to_run_app)
    assert '"GET / HTTP/1.1" 200 12' in capsys.readouterr().err


def test_graceful_exit_raised_by_a_handler_ends_it_and_cleans_up() -> None:
    ended = []

    async def stop(request: web.Request) -> web.Response:
        request.app["task"] = request.task
        raise web.GracefulExit

    app = app_of(stop)
    app.on_cleanup.append(lambda app: ended.append(True))
    with socket.create_server(("127.0.0.1", 0)) as sock, socket.create_connection(sock.getsockname()) as client:
        client.sendall(GET)
        web.run_app(app, sock=sock, print=None)
    assert ended == [True]
    assert isinstance(app["task"].exception(), web.GracefulExit)


def test_what_the_start_raises_comes_out_and_what_did_start_is_cleaned_up() -> None:
    ended = []

    async def context(app: web.Application) -> Any:
        yield
        ended.append("context")

    async def fail(app: web.Application) -> None:
        raise RuntimeError("no database")

    app = app_of()
    app.cleanup_ctx.append(context)
    app.on_startup.append(fail)
    with pytest.raises(RuntimeError, match="no database"):
        web.run_app(app, port=0, print=None)
    assert ended == ["context"]


def test_what_the_cleanup_raises_comes_out_and_the_loop_is_closed() -> None:
    async def fail(app: web.Application) -> None:
        app["loop"] = asyncio.get_running_loop()
        raise RuntimeError("it does not end well")

    app = app_of()
    app.on_cleanup.append(fail)
    with pytest.raises(RuntimeError, match="it does not end well"):
        run(app, visit_all, host="127.0.0.1", port=0)
    assert app["loop"].is_closed()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_another_exit_code_comes_out_after_the_cleanup(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    ended = []

    async def give_up(request: web.Request) -> web.Response:
        request.app["task"] = request.task
        raise SystemExit(3)

    app = app_of(give_up)
    app.on_cleanup.append(lambda app: ended.append(asyncio.get_running_loop()))
    with socket.create_server(("127.0.0.1", 0)) as sock, socket.create_connection(sock.getsockname()) as client:
        client.sendall(GET)
        with pytest.raises(SystemExit) as caught:
            web.run_app(app, sock=sock, print=None, loop=new_loop)
    assert caught.value is app["task"].exception()
    assert caught.value.code == 3
    assert ended[0].is_closed()


def test_without_signal_handlers_another_thread_may_run_it() -> None:
    """Python allows signal handlers in the main thread only."""

    async def visit(names: list[str]) -> None:
        await visit_all(names)
        raise web.GracefulExit

    outcome: list[Any] = []

    def serve() -> None:
        def tell(text: str, flush: bool) -> None:
            names = [text.splitlines()[0].strip("= ").removeprefix("Running on ")]
            outcome.append(asyncio.get_running_loop().create_task(visit(names)))

        web.run_app(app_of(), host="127.0.0.1", port=0, print=tell, handle_signals=False)
        outcome.append("ended")

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(10)
    assert outcome[1:] == ["ended"]
    assert isinstance(outcome[0].exception(), web.GracefulExit)


def test_what_the_application_left_running_is_cancelled_and_its_failure_told() -> None:
    reports: list[Any] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("while it was cancelled")

    async def leave(app: web.Application) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))
        app["task"] = loop.create_task(forever())

    app = app_of()
    app.on_startup.append(leave)
    run(app, visit_all, host="127.0.0.1", port=0)
    assert [repr(report) for report in reports] == ["LookupError('while it was cancelled')"]


# -- run_app in another process ----------------------------------------------------------------------------------------

PROGRAM = """
import asyncio
from aioweb import web

async def slow(request):
    print("in flight", flush=True)
    await asyncio.sleep(0.1)
    return web.Response(text="finished")

async def cleanup(app):
    print("cleaned up", flush=True)

app = web.Application()
app.router.add_get("/", slow)
app.on_cleanup.append(cleanup)
web.run_app(app, host="127.0.0.1", port=PORT, access_log=None)
print("after run_app")
"""


def start(port: int, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", *options, "-c", PROGRAM.replace("PORT", str(port))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_gracefully(number: signal.Signals) -> None:
    with start(0, "-X", "dev") as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().strip("= \n").rpartition(":")[2])
        assert process.stdout.readline() == "(Press CTRL+C to quit)\n"
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert process.stdout.readline() == "in flight\n"
            process.send_signal(number)
            with client.makefile("rb") as reading:
                answer = reading.read()
        out, err = process.communicate(timeout=10)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"finished")
    assert (out, err, process.returncode) == ("cleaned up\nafter run_app\n", "", 0)


def test_a_port_in_use_is_an_error_and_a_clean_exit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, start(taken.getsockname()[1]) as process:
        out, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert out == "cleaned up\n"
    assert err.splitlines()[-1].startswith("OSError: ")
    assert "Address already in use" in err
    assert "never retrieved" not in err
    assert "ResourceWarning" not in err


# -- the end -----------------------------------------------------------------------------------------------------------

STUBBORN = """
import asyncio, signal
from aioweb import web

async def handler(request):
    print("in flight", flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("cancelled", flush=True)
            if request.path == "/":
                raise

async def shutdown(app):
    print("shutdown", flush=True)

async def cleanup(app):
    print("cleaning up", flush=True)
    if CLEANUP_HANGS:
        await asyncio.sleep(3600)

app = web.Application()
app.router.add_get("/", handler)
app.router.add_get("/stubborn", handler)
app.on_shutdown.append(shutdown)
app.on_cleanup.append(cleanup)
web.run_app(app, host="127.0.0.1", port=0, access_log=None, shutdown_timeout=TIMEOUT)
print("after run_app")
"""


def start_stubborn(timeout: float, *, cleanup_hangs: bool = False) -> tuple[subprocess.Popen[str], int]:
    program = STUBBORN.replace("TIMEOUT", str(timeout)).replace("CLEANUP_HANGS", str(cleanup_hangs))
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline().strip("= \n").rpartition(":")[2])
    process.stdout.readline()
    return process, port


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(number: signal.Signals) -> None:
    process, port = start_stubborn(3600)
    with process, socket.create_connection(("127.0.0.1", port)) as client:
        assert process.stdout is not None
        client.sendall(GET)
        assert process.stdout.readline() == "in flight\n"
        process.send_signal(number)
        assert process.stdout.readline() == "shutdown\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert client.recv(1000) == b"", "a cut, and no page of an error"
    assert out == "cancelled\ncleaning up\nafter run_app\n"
    assert process.returncode == 0
    assert "Stopping: 1 connections are cut, 1 handlers cancelled\n" in err
    assert "Traceback" not in err


def test_a_third_signal_ends_a_cleanup_that_hangs() -> None:
    process, port = start_stubborn(3600, cleanup_hangs=True)
    with process, socket.create_connection(("127.0.0.1", port)) as client:
        assert process.stdout is not None
        client.sendall(GET)
        for line in ("in flight", "shutdown"):
            assert process.stdout.readline() == f"{line}\n"
            process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "cancelled\n"
        assert process.stdout.readline() == "cleaning up\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
    assert (out, process.returncode) == ("after run_app\n", 0)


def test_a_handler_that_swallows_its_cancellation_does_not_hold_up_the_end() -> None:
    process, port = start_stubborn(0.1)
    with process, socket.create_connection(("127.0.0.1", port)) as client:
        assert process.stdout is not None
        client.sendall(GET.replace(b"/ ", b"/stubborn "))
        assert process.stdout.readline() == "in flight\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (out.splitlines()[-1], process.returncode) == ("after run_app", 0)
    assert "1 handlers do not end when they are cancelled" in err
    assert "does not end when it is cancelled" in err
