"""Files to clients that read slowly, not at all, or leave; and servers that stop in the middle of one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest

from aioweb import web
from aioweb.protocol.limits import Limits
from tests.conftest import PATIENCE, Address, Serve
from tests.functional.scripts import GET, Gate, bound_kernel, connect_deaf, open_files, said, until

pytestmark = pytest.mark.on_every_loop

CONTENT = os.urandom(1 << 22)
SHORT = 0.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "film"
    path.write_bytes(CONTENT)
    return path


class Film(Gate):
    """Answers with a file, over a kernel that buffers little, and keeps its response."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.responses: list[web.FileResponse] = []

    async def answer(self, request: web.BaseRequest) -> web.FileResponse:
        bound_kernel(request)
        response = web.FileResponse(self.path)
        self.responses.append(response)
        await response.prepare(request)
        return response


async def stall(address: Address) -> socket.socket:
    """A client that asks, and reads no more when the server has to wait for it."""
    client = connect_deaf(address)
    await asyncio.get_running_loop().sock_sendall(client, GET)
    await until(lambda: any(connection.flow.writing_paused for connection in address.server.connections))
    return client


async def read(client: socket.socket, size: int) -> bytes:
    data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, size), PATIENCE)
    assert data, "the connection ended"
    return data


async def test_a_client_that_reads_slowly_gets_everything(serve: Serve, path: Path) -> None:
    film = Film(path)
    address = await serve(web.Server(film))
    with await stall(address) as client:
        received = bytearray()
        while not received.endswith(CONTENT[-32:]):
            received += await read(client, 1 << 16)
    assert received.partition(b"\r\n\r\n")[2] == CONTENT
    assert await film.end() is None
    assert film.responses[0].body_length == len(CONTENT)


async def test_a_client_that_reads_slowly_holds_up_nobody(serve: Serve, path: Path) -> None:
    address = await serve(web.Server(Film(path)))
    clients = [await stall(address) for _ in range(5)]
    other = await address.connect()
    assert (await other.request("GET", "/")).body == CONTENT
    for client in clients:
        client.close()


async def test_a_client_that_does_not_read_is_cut_after_the_write_timeout(serve: Serve, path: Path) -> None:
    film = Film(path)
    address = await serve(web.Server(film, limits=Limits(write_timeout=SHORT)))
    begin = time.perf_counter()
    with await stall(address):
        assert isinstance(await film.end(), ConnectionResetError)
        assert SHORT * 0.5 <= time.perf_counter() - begin <= 2.0
        await until(lambda: not address.server.connections)
    assert open_files(path) == 0


async def test_a_client_that_reads_now_and_then_is_not_cut(serve: Serve, path: Path) -> None:
    film = Film(path)
    address = await serve(web.Server(film, limits=Limits(write_timeout=0.2)))
    with await stall(address) as client:
        end = time.perf_counter() + 1.0
        while time.perf_counter() < end:
            for _ in range(20):
                await read(client, 1 << 16)
            await asyncio.sleep(0.05)
            assert not film.ended.done()


async def test_a_client_that_vanishes_ends_its_handler(
    serve: Serve, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = Film(path)
    address = await serve(web.Server(film))
    client = await stall(address)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    assert isinstance(await film.end(), ConnectionResetError)
    await until(lambda: not address.server.connections)
    assert open_files(path) == 0
    assert said(caplog, 20) == []


async def test_the_descriptor_of_a_lost_connection_can_be_used_again(serve: Serve, path: Path) -> None:
    film = Film(path)
    address = await serve(web.Server(film))
    for _ in range(3):
        client = await stall(address)
        (connection,) = address.server.connections
        connection.abort()
        await until(lambda: not address.server.connections)
        client.close()
        peer = await address.connect()  # both ends of it have numbers that were free
        assert (await peer.request("GET", "/")).body == CONTENT
        peer.abort()
        await until(lambda: not address.server.connections)


async def test_a_server_that_stops_waits_for_a_file_that_is_under_way(serve: Serve, path: Path) -> None:
    film = Film(path)
    address = await serve(web.Server(film))
    with await stall(address) as client:
        stopping = asyncio.ensure_future(address.server.shutdown(30.0))
        received = bytearray()
        while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1 << 20), PATIENCE):
            received += piece
        assert received.endswith(CONTENT)
        await asyncio.wait_for(stopping, PATIENCE)


async def test_a_server_whose_time_is_up_cuts_a_file(serve: Serve, path: Path) -> None:
    film = Film(path)
    address = await serve(web.Server(film))
    with await stall(address):
        begin = time.perf_counter()
        await asyncio.wait_for(address.server.shutdown(SHORT), PATIENCE)
        assert time.perf_counter() - begin < 2.0
        assert isinstance(await film.end(), (asyncio.CancelledError, ConnectionResetError))
        assert address.server.connections == []
    assert open_files(path) == 0


async def test_a_handler_that_is_cancelled_in_a_file_cuts_the_connection(serve: Serve, path: Path) -> None:
    class Impatient(Film):
        async def answer(self, request: web.BaseRequest) -> web.FileResponse:
            bound_kernel(request)
            response = web.FileResponse(self.path)
            await asyncio.wait_for(response.prepare(request), SHORT)
            return response

    film = Impatient(path)
    address = await serve(web.Server(film))
    with await stall(address) as client:
        assert isinstance(await film.end(), TimeoutError | asyncio.TimeoutError)
        await until(lambda: not address.server.connections)
        received = 0
        try:
            while piece := await asyncio.get_running_loop().sock_recv(client, 1 << 20):
                received += len(piece)
        except ConnectionResetError:
            pass
        assert received < len(CONTENT)
    assert open_files(path) == 0


async def test_a_file_that_is_removed_meanwhile_arrives(serve: Serve, path: Path) -> None:
    address = await serve(web.Server(Film(path)))
    with await stall(address) as client:
        os.unlink(path)
        received = bytearray()
        while len(received) < len(CONTENT):
            received += await read(client, 1 << 20)


async def test_a_file_that_shrinks_meanwhile_is_cut_and_said(
    serve: Serve, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = Film(path)
    address = await serve(web.Server(film))
    with await stall(address) as client:
        os.truncate(path, 2 << 20)
        received = bytearray()
        try:
            while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1 << 20), PATIENCE):
                received += piece
        except ConnectionResetError:
            pass
        assert len(received) < len(CONTENT)
    assert isinstance(await film.end(), EOFError)
    assert said(caplog, 40) == ["Error handling GET /"]


async def test_pipelined_requests_for_files_are_answered_in_order(serve: Serve, path: Path) -> None:
    address = await serve(web.Server(Film(path)))
    peer = await address.connect(limit=1 << 20)
    await peer.send(b"".join(b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=%d-\r\n\r\n" % start for start in (9, 70_000)))
    for start in (9, 70_000):
        answer = await peer.response()
        assert answer.status == 206
        assert answer.body == CONTENT[start:]
