"""A connection in memory does what a socket does: flow control, half-closed ends, aborts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioweb.server.memory import MemoryClient, MemoryTransport


class Heard(asyncio.Protocol):
    """Notes what its transport tells it."""

    transport: MemoryTransport

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, MemoryTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def eof_received(self) -> None:
        self.heard.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append("lost")

    def pause_writing(self) -> None:
        self.heard.append("pause")

    def resume_writing(self) -> None:
        self.heard.append("resume")


@pytest.fixture
async def server() -> Heard:
    return Heard()


@pytest.fixture
async def client(server: Heard) -> MemoryClient:
    return MemoryClient(lambda: server)


async def turns(number: int = 3) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_octets_go_both_ways(server: Heard, client: MemoryClient) -> None:
    await client.write(b"question")
    assert server.heard == [b"question"]
    assert not client.readable
    reading = asyncio.create_task(client.read(100))
    await turns()
    server.transport.writelines([b"ans", memoryview(b"wer")])
    assert await reading == b"answer"
    server.transport.write(b"more")
    assert client.readable
    assert [await client.read(3), await client.read(3)] == [b"mor", b"e"]


async def test_each_client_has_an_address_of_its_own(server: Heard, client: MemoryClient) -> None:
    other = Heard()
    MemoryClient(lambda: other, sockname=("127.0.0.1", 8080))
    names = [end.transport.get_extra_info("peername") for end in (server, other)]
    assert len(set(names)) == 2
    assert other.transport.get_extra_info("sockname") == ("127.0.0.1", 8080)
    assert other.transport.get_extra_info("ssl_object") is None
    mine = Heard()
    MemoryClient(lambda: mine, peername=("192.0.2.1", 1))
    assert mine.transport.get_extra_info("peername") == ("192.0.2.1", 1)
    mine.transport.get_extra_info("socket").setsockopt(1, 2, 3)


async def test_writers_pause_above_one_level_and_resume_below_another(server: Heard, client: MemoryClient) -> None:
    transport = server.transport
    transport.set_write_buffer_limits(high=10)
    assert transport.get_write_buffer_limits() == (2, 10)
    transport.write(bytes(10))
    assert server.heard == []
    transport.write(b"x")
    transport.write(b"x")
    assert (server.heard, transport.get_write_buffer_size()) == (["pause"], 12)
    await client.read(9)
    assert server.heard == ["pause"]
    await client.read(1)
    assert server.heard == ["pause", "resume"]


async def test_the_levels_may_be_set_while_octets_wait(server: Heard, client: MemoryClient) -> None:
    server.transport.write(bytes(10))
    server.transport.set_write_buffer_limits(high=0)
    assert server.heard == ["pause"]
    server.transport.set_write_buffer_limits(low=10)
    assert server.transport.get_write_buffer_limits() == (10, 40)
    assert server.heard == ["pause", "resume"]
    assert await client.read(100) == bytes(10)
    server.transport.set_write_buffer_limits()
    assert server.transport.get_write_buffer_limits() == (16384, 65536)


async def test_a_client_waits_while_the_server_does_not_read(server: Heard, client: MemoryClient) -> None:
    server.transport.pause_reading()
    assert not server.transport.is_reading()
    writing = asyncio.create_task(client.write(b"x"))
    await turns()
    assert server.heard == []
    server.transport.resume_reading()
    await writing
    assert server.heard == [b"x"]


async def test_a_closed_server_gives_what_it_has_written_and_takes_nothing(server: Heard, client: MemoryClient) -> None:
    server.transport.write(b"last")
    server.transport.close()
    server.transport.write(b"dropped")
    server.transport.close()
    assert server.transport.is_closing()
    await turns()
    assert server.heard == []
    with pytest.raises(ConnectionResetError):
        await client.write(b"x")
    assert await client.read() == b"last"
    await turns()
    assert server.heard == ["lost"]
    assert await client.read(10) == b""


async def test_a_server_without_anything_to_give_closes_at_once(server: Heard, client: MemoryClient) -> None:
    reading = asyncio.create_task(client.read())
    await turns()
    server.transport.close()
    assert await reading == b""
    await turns()
    assert server.heard == ["lost"]


async def test_a_writer_that_waits_hears_of_the_close(server: Heard, client: MemoryClient) -> None:
    server.transport.pause_reading()
    writing = asyncio.create_task(client.write(b"x"))
    await turns()
    server.transport.abort()
    with pytest.raises(ConnectionResetError):
        await writing


async def test_an_abort_does_not_wait_for_the_client(server: Heard, client: MemoryClient) -> None:
    server.transport.write(b"begun")
    server.transport.abort()
    server.transport.abort()
    await turns()
    assert server.heard == ["lost"]
    assert await client.read() == b"begun"


async def test_half_of_it_may_be_closed(server: Heard, client: MemoryClient) -> None:
    assert server.transport.can_write_eof()
    server.transport.write(b"answer")
    server.transport.write_eof()
    assert await client.read() == b"answer"
    await client.write(b"still talking")
    assert server.heard == [b"still talking"]
    with pytest.raises(RuntimeError, match="after write_eof"):
        server.transport.write(b"x")


async def test_a_client_that_goes_is_heard(server: Heard, client: MemoryClient) -> None:
    server.transport.write(b"unread")
    client.close()
    client.close()
    assert server.heard == []
    await turns()
    assert server.heard == ["eof", "lost"]
    assert await client.read() == b""


async def test_a_client_that_goes_after_the_close_is_no_news(server: Heard, client: MemoryClient) -> None:
    server.transport.write(b"unread")
    server.transport.close()
    client.close()
    await turns()
    assert server.heard == ["lost"]


async def test_another_protocol_may_take_over(server: Heard, client: MemoryClient) -> None:
    other = Heard()
    assert server.transport.get_protocol() is server
    server.transport.set_protocol(other)
    await client.write(b"x")
    assert (server.heard, other.heard) == ([], [b"x"])
