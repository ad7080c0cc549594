"""TLS on a site: who the client is, handshakes that fail or never end, and the stop."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import PATIENCE
from tests.functional.scripts import GET

pytestmark = pytest.mark.on_every_loop

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"


def server_context(verify: ssl.VerifyMode = ssl.CERT_NONE) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=PEM)
    context.load_cert_chain(PEM)
    context.verify_mode = verify
    return context


def client_context(*, certificate: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=PEM)
    if certificate:
        context.load_cert_chain(PEM)
    return context


async def show(request: web.Request) -> web.Response:
    return web.json_response(request.client_certificate)


@asynccontextmanager
async def serving(
    context: ssl.SSLContext | None, handler: Any = show, *, shutdown_timeout: float = 30.0, **limits: float
) -> AsyncIterator[int]:
    app = web.Application(limits=web.Limits(**limits))  # type: ignore[arg-type]
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, shutdown_timeout=shutdown_timeout)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield site.port
    finally:
        await runner.cleanup()


async def connect(port: int, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    opening = asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    return await asyncio.wait_for(opening, PATIENCE)


async def ask(port: int, context: ssl.SSLContext) -> bytes:
    """The content of the answer to one GET."""
    reader, writer = await connect(port, context)
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


def handshake(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A client that has shaken hands, and from now on does nothing: it does not even answer a farewell."""
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")


# -- client certificates -----------------------------------------------------------------------------------------------


async def test_a_request_knows_the_certificate_of_its_client() -> None:
    async with serving(server_context(ssl.CERT_OPTIONAL)) as port:
        assert b'"commonName", "localhost"' in await ask(port, client_context(certificate=True))
        assert await ask(port, client_context()) == b"null"


async def test_a_certificate_that_nobody_asked_for_is_none() -> None:
    async with serving(server_context()) as port:
        assert await ask(port, client_context(certificate=True)) == b"null"


async def test_a_client_without_a_certificate_is_refused_where_one_is_demanded() -> None:
    async with serving(server_context(ssl.CERT_REQUIRED)) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert await ask(port, client_context()) == b"", "TLS 1.3 tells the client after its handshake"
            raise ConnectionError
        assert b"localhost" in await ask(port, client_context(certificate=True))


# -- handshakes --------------------------------------------------------------------------------------------------------


async def closed(client: socket.socket) -> None:
    """Wait until the server has closed."""
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        while await asyncio.wait_for(loop.sock_recv(client, 65536), PATIENCE):
            pass
    except ConnectionError:
        pass


@pytest.mark.parametrize(
    "octets",
    [
        GET,
        b"\0" * 100,
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",  # a hello that is too short to be one
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert
    ],
    ids=["HTTP", "zeros", "short hello", "alert"],
)
async def test_a_handshake_that_fails_does_no_harm(octets: bytes, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    async with serving(server_context()) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(octets)
            await closed(client)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"\x16\x03\x01")  # begins, and leaves
        assert await ask(port, client_context()) == b"null"
    assert told == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_handshake_that_does_not_end_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(server_context(), tls_handshake_timeout=0.1) as port:
        begin = time.perf_counter()
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        clients[1].sendall(b"\x16\x03\x01\x02\x00")
        for client in clients:
            with client:
                await closed(client)
        assert time.perf_counter() - begin >= 0.09
        assert await ask(port, client_context()) == b"null"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_time_of_a_handshake_is_bounded_by_default() -> None:
    assert web.Limits().tls_handshake_timeout == 10.0


async def test_a_handshake_may_have_no_deadline() -> None:
    async with serving(server_context(), tls_handshake_timeout=None) as port:  # type: ignore[arg-type]
        assert await ask(port, client_context()) == b"null"


# -- the stop ----------------------------------------------------------------------------------------------------------


async def test_a_request_in_flight_ends_whole_and_says_farewell() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response(body=b"x" * 500_000)

    async def stop() -> None:
        async with serving(server_context(), wait) as port:
            opened.set_result(await connect(port, client_context()))
            await begun.wait()

    opened: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    opened = asyncio.get_running_loop().create_future()
    stopping = asyncio.ensure_future(stop())
    reader, writer = await opened
    writer.write(GET)
    await begun.wait()
    await asyncio.sleep(0)
    go_on.set()
    # To the end: a connection that was cut would be an error here, not an end.
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answer.endswith(b"\r\n\r\n" + b"x" * 500_000)
    assert b"\r\nConnection: close\r\n" in answer
    writer.close()
    await asyncio.wait_for(stopping, PATIENCE)


@pytest.mark.parametrize("asks", [False, True])
async def test_clients_that_do_not_answer_a_farewell_do_not_hold_up_the_stop(asks: bool) -> None:
    loop = asyncio.get_running_loop()
    async with serving(server_context()) as port:
        client = await loop.run_in_executor(None, handshake, port, client_context())
        if asks:
            client.sendall(GET)
            assert (await loop.run_in_executor(None, client.recv, 1000)).startswith(b"HTTP/1.1 200 ")
        begin = time.perf_counter()
    with client:
        assert time.perf_counter() - begin < PATIENCE


async def test_handshakes_that_do_not_end_do_not_hold_up_the_stop() -> None:
    async with serving(server_context()) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            await asyncio.sleep(0.01)
            begin = time.perf_counter()
            client.sendall(b"\x16\x03\x01")
    assert time.perf_counter() - begin < PATIENCE
