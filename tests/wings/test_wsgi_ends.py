"""How calls of a WSGI application end when something else ends before: slow and lost clients, full queues, stops."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from aioweb import web, wsgi
from aioweb.testing import TestClient
from aioweb.wsgi.environ import Environ
from aioweb.wsgi.threads import NoRoom, Threads
from tests.wings.wsgi_apps import PLAIN, Result, Start, answering, mounted, until_set

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"


class Gate:
    """An application that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        self.calls = 0
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Start) -> list[bytes]:
        with self._lock:
            self.calls += 1
            self._inside += 1
            self.most = max(self.most, self._inside)
        self.entered.release()
        assert self.opened.wait(10)
        with self._lock:
            self._inside -= 1
        start_response("200 OK", PLAIN)
        return [b"through"]

    async def until_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=5)


# -- the threads -------------------------------------------------------------------------------------------------------


async def test_so_many_are_answered_at_a_time_and_so_many_wait() -> None:
    gate = Gate()
    async with TestClient(mounted(gate, threads=2, waiting=3)) as client:
        asked = [asyncio.ensure_future(_ask(client)) for _ in range(9)]
        while sum(task.done() for task in asked) < 4:
            await asyncio.wait(asked, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        for _ in range(2):
            await gate.until_entered()
        gate.opened.set()
        answers = await asyncio.gather(*asked)
        assert sorted(answers) == [(200, None, b"through")] * 5 + [(503, "1", b"503: Service Unavailable")] * 4
        assert (gate.most, gate.calls) == (2, 5)
        assert await _ask(client) == (200, None, b"through")


async def _ask(client: TestClient) -> tuple[int, str | None, bytes]:
    async with client.get("/") as answer:
        return answer.status, answer.headers.get("Retry-After"), await answer.read()


def test_threads_are_made_when_they_are_needed_and_can_be_made_again() -> None:
    threads, ran = Threads(2, 1), threading.Semaphore(0)
    before, hold = set(threading.enumerate()), threading.Event()
    for _ in range(2):
        for _ in range(3):
            threads.submit(lambda: (hold.wait(5), ran.release()))  # type: ignore[arg-type, return-value]
        assert (len(set(threading.enumerate()) - before), threads.load) == (2, 3)
        with pytest.raises(NoRoom):
            threads.submit(hold.set)
        threads.close()  # what was submitted is done
        hold.set()
        for _ in range(3):
            assert ran.acquire(timeout=5)
        while threads.load:
            pass
        threads.close()
        hold.clear()
        while set(threading.enumerate()) - before:
            pass


async def test_the_threads_end_with_the_application() -> None:
    before = set(threading.enumerate())
    async with TestClient(mounted(answering([b"x"]))) as client:
        assert await (await client.get("/")).read() == b"x"
        assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before


# -- clients -----------------------------------------------------------------------------------------------------------


async def test_a_slow_client_holds_its_thread_and_nothing_piles_up(serve) -> None:
    made = 0

    def much() -> Iterator[bytes]:
        nonlocal made
        for _ in range(200):
            made += 1
            yield bytes(100_000)

    result = Result(much())
    address = await serve(mounted(answering(result)), limits=web.Limits(write_buffer=65536))
    peer = await address.connect(limit=1000)
    await peer.send(GET)
    await peer.head()
    connection = address.server.connections[0]
    while not connection.flow.writing_paused:
        await asyncio.sleep(0.01)
    assert made < 200
    assert connection.transport.get_write_buffer_size() < 1_000_000
    assert (await address.request("HEAD", "/")).status == 200  # another thread serves the others
    while not (await peer.reader.read(1 << 20)).endswith(b"0\r\n\r\n"):
        pass
    await until_set(result.closed)


async def test_a_client_that_never_reads_loses_its_thread_at_the_deadline(serve) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(100_000)

    result = Result(endless())
    address = await serve(mounted(answering(result)), limits=web.Limits(write_timeout=0.2))
    peer = await address.connect(limit=1000)
    await peer.send(GET)
    await until_set(result.closed)
    assert result.closings == 1


async def test_a_client_that_stops_sending_loses_its_thread_at_the_deadline(serve, caplog) -> None:
    errors: list[BaseException] = []

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except Exception as error:
            errors.append(error)
            raise
        return []

    address = await serve(mounted(app), limits=web.Limits(body_timeout=0.2))
    peer = await address.connect()
    await peer.send(POST + b"half")
    assert (await peer.response()).status == 408
    assert [type(error) for error in errors] == [web.BodyTimeout]
    assert isinstance(errors[0], OSError)  # what frameworks expect of a broken read
    assert caplog.records == []


@pytest.mark.parametrize("cancel", [False, True])
async def test_when_the_client_goes_the_result_is_closed(serve, caplog, cancel: bool) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    result = Result(endless())
    address = await serve(mounted(answering(result)), handler_cancellation=cancel)
    peer = await address.connect()
    await peer.send(GET)
    await peer.head()
    peer.abort()
    await until_set(result.closed)
    assert (result.closings, caplog.records) == (1, [])


@pytest.mark.parametrize("cancel", [False, True])
async def test_when_the_client_goes_a_read_raises(serve, caplog, cancel: bool) -> None:
    reading, errors, told = threading.Event(), [], threading.Event()

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        reading.set()
        try:
            environ["wsgi.input"].read()
        except ConnectionError as error:
            errors.append(error)
        with pytest.raises(ConnectionError):
            start_response("200 OK", PLAIN)(b"content")
        told.set()
        return []

    address = await serve(mounted(app), handler_cancellation=cancel)
    peer = await address.connect()
    await peer.send(POST + b"half")
    await until_set(reading)
    peer.abort()
    await until_set(told)
    assert (len(errors), caplog.records) == (1, [])


async def test_who_has_gone_while_waiting_is_not_served(serve) -> None:
    gate = Gate()
    address = await serve(mounted(gate, threads=1), handler_cancellation=True)
    first, second = await address.connect(), await address.connect()
    await first.send(GET)
    await gate.until_entered()
    await second.send(GET)
    while len(address.server.connections) < 2 or not all(one.busy for one in address.server.connections):
        await asyncio.sleep(0.01)
    second.abort()
    while len(address.server.connections) > 1:
        await asyncio.sleep(0.01)
    gate.opened.set()
    assert (await first.response()).body == b"through"
    assert (await first.request("GET", "/")).body == b"through"
    assert gate.calls == 2


async def test_a_route_with_a_timeout_answers_though_the_thread_is_late(serve) -> None:
    gate = Gate()
    app = web.Application()
    with app.router.prefix("/shop", timeout=0.1, timeout_status=504) as group:
        group.add_route("*", "/{path:.*}", wsgi.WSGIHandler(gate))
    address = await serve(app)
    assert (await address.request("GET", "/shop/items")).status == 504
    gate.opened.set()
    assert (await address.request("GET", "/shop/items")).body == b"through"


async def test_a_timeout_of_the_route_bounds_the_whole_answer(serve) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x"

    result = Result(endless())
    app = web.Application()
    app.router.add_route("*", "/", wsgi.WSGIHandler(answering(result)), timeout=0.1)
    peer = await (await serve(app)).connect()
    await peer.send(GET)
    assert not (await peer.until_closed()).endswith(b"0\r\n\r\n")
    await until_set(result.closed)


def failing(environ: Environ, start_response: Start) -> list[bytes]:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("wsgi_app", "body", "status"),
    [(answering([b"x"]), b"", 200), (answering([b"x"]), b"content", 200), (failing, b"content", 500)],
)
async def test_a_call_leaves_no_garbage(serve, wsgi_app: wsgi.WSGIApplication, body: bytes, status: int) -> None:
    app = mounted(wsgi_app)
    app.logger = logging.Logger("nobody", logging.CRITICAL + 1)  # a record that is kept would hold everything
    address = await serve(app)

    def count() -> int:
        return sum(type(found).__name__ in ("Call", "Request") for found in gc.get_objects())

    async def ask_often() -> None:
        for _ in range(10):
            assert (await address.request("POST", "/", body=body)).status == status

    await ask_often()
    gc.collect()
    before = count()
    gc.disable()
    try:
        await ask_often()
        assert count() - before < 10  # a few are still on their way; with a cycle there would be 20
    finally:
        gc.enable()


# -- the stop ----------------------------------------------------------------------------------------------------------


async def stopping(app: web.Application, timeout: float) -> tuple[web.AppRunner, web.TCPSite]:
    runner = web.AppRunner(app, shutdown_timeout=timeout)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, site


async def ask(site: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET)
    return reader, writer


async def test_a_stop_waits_for_a_thread_that_is_at_work() -> None:
    gate, cleaned = Gate(), []

    async def clean(app: web.Application) -> None:
        cleaned.append(gate.opened.is_set())

    app = mounted(gate)
    app.on_cleanup.append(clean)
    runner, site = await stopping(app, 10.0)
    reader, writer = await ask(site)
    await gate.until_entered()
    ending = asyncio.ensure_future(runner.cleanup())
    while not runner.server.closing:  # type: ignore[union-attr]
        await asyncio.sleep(0)
    gate.opened.set()
    assert (await reader.read()).endswith(b"through")
    await ending
    writer.close()
    assert cleaned == [True]


async def test_a_request_that_is_given_up_is_cut_and_its_thread_waited_for(caplog) -> None:
    gate, order = Gate(), []

    async def clean(app: web.Application) -> None:
        order.append("cleaned")

    def slow(environ: Environ, start_response: Start) -> list[bytes]:
        try:
            return gate(environ, start_response)
        finally:
            order.append("thread ended")

    app = mounted(slow)
    app.on_cleanup.append(clean)
    runner, site = await stopping(app, 0.1)
    reader, writer = await ask(site)
    await gate.until_entered()
    ending = asyncio.ensure_future(runner.cleanup())
    assert await reader.read() == b""
    gate.opened.set()
    await ending
    writer.close()
    assert order == ["thread ended", "cleaned"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_read_ends_with_the_server(caplog) -> None:
    errors, reading = [], threading.Event()

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        reading.set()
        try:
            environ["wsgi.input"].read()
        except ConnectionError as error:
            errors.append(str(error))
            raise
        return []

    runner, site = await stopping(mounted(app), 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(POST + b"half")
    await until_set(reading)
    await runner.cleanup()
    assert await reader.read() == b""
    writer.close()
    assert errors == ["the request is over: its client is gone, or the server has given it up"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_stop_does_not_wait_for_ever_and_a_late_failure_is_logged(caplog) -> None:
    gate = Gate()

    def failing(environ: Environ, start_response: Start) -> Iterable[bytes]:
        gate(environ, start_response)
        raise ZeroDivisionError

    app = web.Application(limits=web.Limits(lingering_time=0.1))
    wsgi.mount(app, "/", failing)
    runner, site = await stopping(app, 0.1)
    _, writer = await ask(site)
    await gate.until_entered()
    await runner.cleanup()
    assert not gate.opened.is_set()
    gate.opened.set()
    while not [record for record in caplog.records if "has failed after it was given up" in record.message]:
        await asyncio.sleep(0.01)
    writer.close()


async def test_an_endless_answer_ends_with_the_server(caplog) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(1000)

    result = Result(endless())
    runner, site = await stopping(mounted(answering(result)), 0.1)
    reader, writer = await ask(site)
    await reader.readuntil(b"\r\n\r\n")
    await runner.cleanup()
    await until_set(result.closed)
    writer.close()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_thread_that_outlives_its_loop_is_told_so() -> None:
    gate, errors = Gate(), []
    ended = threading.Event()

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        gate(environ, start_response)
        try:
            start_response("200 OK", PLAIN)
        except RuntimeError:  # called twice
            pass
        try:
            environ["wsgi.input"].read()
        except ConnectionError as error:
            errors.append(error)
        ended.set()
        return []

    async def serve_and_leave() -> None:
        application = web.Application(limits=web.Limits(lingering_time=0.1))
        wsgi.mount(application, "/", app)
        runner, site = await stopping(application, 0.1)
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(POST)
        await gate.until_entered()
        await runner.cleanup()
        writer.close()

    asyncio.run(serve_and_leave())
    gate.opened.set()
    assert ended.wait(5)
    assert len(errors) == 1
