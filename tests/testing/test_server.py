"""TestServer: how it starts, where it is, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from aioweb import web
from aioweb.testing import RawTestServer, TestClient, TestServer, unused_port
from tests.testing.served import create_app

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
USER = contextvars.ContextVar("USER", default="nobody")


async def nothing(request: web.BaseRequest) -> web.Response:
    return web.Response()


def app_of(handler: Any) -> web.Application:
    app = web.Application()
    app.router.add_get("/", handler)
    return app


def test_no_server_is_a_class_of_tests() -> None:
    assert not TestServer.__test__
    assert not RawTestServer.__test__
    assert not TestClient.__test__


@pytest.mark.parametrize("port", [0, unused_port()])
async def test_it_listens_where_it_is_told(port: int) -> None:
    async with TestServer(create_app(), in_memory=False, port=port) as server:
        assert server.port == port or (port == 0 and server.port)
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(REQUEST)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()
        with pytest.raises(RuntimeError, match=r"asyncio\.open_connection"):
            server.connect()
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(server.host, server.port)


async def test_octets_may_be_sent_in_memory() -> None:
    async with TestServer(create_app()) as server:
        connection = server.connect()
        await connection.write(REQUEST)
        assert (await connection.read()).startswith(b"HTTP/1.1 200 ")


async def test_before_the_start_there_is_nothing() -> None:
    server = TestServer(create_app())
    assert not server.started
    for ask in (server.make_url, server.connect, lambda: server.server, lambda: server.runner):
        with pytest.raises(RuntimeError, match="start_server"):
            ask()


async def test_its_urls_are_those_of_its_host() -> None:
    async with TestServer(create_app(), host="example.org", port=8000) as server:
        assert server.make_url() == URL("http://example.org:8000/")
        assert server.make_url("/a?b=c") == URL("http://example.org:8000/a?b=c")
        assert server.make_url("a") == URL("http://example.org:8000/a")
        assert server.make_url("//x/y").host == "example.org"
        with pytest.raises(ValueError, match="not there"):
            server.make_url("http://example.org/")


def test_tls_needs_a_socket() -> None:
    with pytest.raises(ValueError, match="in_memory=False"):
        TestServer(create_app(), ssl_context=ssl.create_default_context())


def test_only_an_application_is_served() -> None:
    with pytest.raises(TypeError, match="takes an Application"):
        TestServer(nothing)  # type: ignore[arg-type]


async def test_options_go_to_the_server() -> None:
    async with TestServer(create_app(), server_header="x", client_max_size=5) as server:
        assert server.server.server_field == b"Server: x\r\n"
        assert server.server.limits.client_max_size == 5
    server = RawTestServer(nothing, handler_cancellation=True)
    await server.start_server(debug=True)
    assert server.server.handler_cancellation
    assert server.server.debug
    await server.close()


async def test_a_failed_start_is_cleaned_up() -> None:
    said: list[str] = []

    async def database(_: web.Application) -> AsyncIterator[None]:
        yield
        said.append("closed")

    async def fail(_: web.Application) -> None:
        raise RuntimeError("no queue")

    app = create_app()
    app.cleanup_ctx.append(database)
    app.on_startup.append(fail)
    server = TestServer(app)
    with pytest.raises(RuntimeError, match="no queue"):
        await server.start_server()
    assert said == ["closed"]
    assert not server.started
    await server.close()


async def test_handlers_have_the_context_of_the_start_not_that_of_the_test() -> None:
    async def who(request: web.Request) -> web.Response:
        said = USER.get()
        USER.set("the handler")
        return web.Response(text=said)

    USER.set("the start")
    async with TestClient(app_of(who)) as client:
        USER.set("the test")
        for _ in range(2):
            assert await (await client.get("/")).text() == "the start"
        assert USER.get() == "the test"


# -- nothing is left -----------------------------------------------------------------------------------------------


def leaving(made: list[asyncio.Task[Any]]) -> web.Application:
    async def forget(request: web.Request) -> web.Response:
        async def forgotten() -> None:
            await asyncio.sleep(3600)

        made.append(asyncio.create_task(forgotten(), name="lost"))
        return web.Response()

    return app_of(forget)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of what does not end need not wait for a second."""
    monkeypatch.setattr("aioweb.testing.server.PATIENCE", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_task_that_stays_is_named_and_cancelled() -> None:
    made: list[asyncio.Task[Any]] = []
    client = TestClient(leaving(made))
    await client.start_server()
    await client.get("/")
    with pytest.raises(AssertionError, match=r"tasks are left behind: <Task pending name='lost' coro=.*forgotten"):
        await client.close()
    assert made[0].cancelled()
    await client.close()


@pytest.mark.usefixtures("impatient")
async def test_a_task_that_is_not_to_be_told_of_is_cancelled_all_the_same() -> None:
    made: list[asyncio.Task[Any]] = []
    server = TestServer(leaving(made))
    client = TestClient(server)
    await client.start_server()
    await client.get("/")
    await client.close(check_tasks=False)
    assert made[0].cancelled()


@pytest.mark.usefixtures("impatient")
async def test_a_failing_test_fails_of_its_own_failure() -> None:
    made: list[asyncio.Task[Any]] = []
    with pytest.raises(ZeroDivisionError):
        async with TestClient(leaving(made)) as client:
            await client.get("/")
            raise ZeroDivisionError
    assert made[0].cancelled()


@pytest.mark.usefixtures("impatient")
async def test_a_task_that_cannot_be_cancelled_is_named_too() -> None:
    async def stubborn(request: web.Request) -> web.Response:
        async def stay() -> None:
            while not done.is_set():
                try:
                    await done.wait()
                except asyncio.CancelledError:
                    pass

        asyncio.create_task(stay())  # noqa: RUF006
        return web.Response()

    done = asyncio.Event()
    with pytest.raises(AssertionError, match="stay"):
        async with TestClient(app_of(stubborn)) as client:
            await client.get("/")
    done.set()


async def test_a_task_that_ends_by_itself_is_waited_for() -> None:
    async def later(request: web.Request) -> web.Response:
        asyncio.create_task(asyncio.sleep(0.05))  # noqa: RUF006
        return web.Response()

    async with TestClient(app_of(later)) as client:
        await client.get("/")


async def test_tasks_of_the_test_from_before_are_its_own() -> None:
    mine = asyncio.create_task(asyncio.sleep(3600))
    async with TestClient(create_app()) as client:
        await client.get("/")
    assert not mine.done()
    mine.cancel()


async def test_a_client_may_be_closed_from_another_task() -> None:
    client = TestClient(create_app())
    await client.start_server()
    await asyncio.wait_for(client.close(), 5)


@pytest.mark.usefixtures("impatient")
async def test_the_last_of_several_servers_answers_for_the_tasks_of_all() -> None:
    made: list[asyncio.Task[Any]] = []
    backend = TestClient(leaving(made))
    await backend.start_server()
    front = TestClient(create_app())
    await front.start_server()
    await backend.get("/")
    await front.close()
    assert not made[0].done()
    with pytest.raises(AssertionError, match="lost"):
        await backend.close()
    # The same if the one that has made them closes first.
    await backend.start_server()
    await front.start_server()
    await backend.get("/")
    await backend.close()
    with pytest.raises(AssertionError, match="lost"):
        await front.close()


async def test_a_slow_handler_is_cancelled_when_its_time_is_up() -> None:
    said: list[str] = []

    async def slow(request: web.Request) -> web.Response:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            said.append("cancelled")
            raise
        return web.Response()

    started = asyncio.get_running_loop().time()
    async with TestServer(app_of(slow), shutdown_timeout=0.1) as server:
        connection = server.connect()
        await connection.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0)
    assert said == ["cancelled"]
    assert await connection.read() == b""
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_handler_that_ends_in_time_is_answered() -> None:
    async def short(request: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.Response(text="done")

    async with TestServer(app_of(short)) as server:
        connection = server.connect()
        await connection.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0)
        reading = asyncio.create_task(connection.read())
    assert (await reading).endswith(b"done")


def test_another_loop_is_noticed() -> None:
    server = TestServer(create_app())
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    first.run_until_complete(server.start_server())

    async def connect() -> None:
        server.connect()

    for ask in (server.close, connect):
        with pytest.raises(RuntimeError, match="loop_scope"):
            second.run_until_complete(ask())
    first.run_until_complete(server.close())
    first.close()
    second.close()


def test_an_unused_port_can_be_bound() -> None:
    assert 0 < unused_port() < 65536
