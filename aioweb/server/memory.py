"""A connection without a socket: a transport for the server's protocol, and the client's end of it.

Octets take the whole way through parser, connection and writer. Only the kernel is left out, and with it everything
that can be slow or refused. Flow control is real, both ways: a client that does not read makes the server's writers
wait, a handler that does not read makes the client wait. The server's side runs in its own context, as it does when a
loop calls it, and never sees the context variables of whoever asks.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any, Final, cast

_HIGH: Final = 65536
_ports: Final = count(50000)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class MemoryTransport(asyncio.Transport):
    """The server's end: what its protocol writes lies here until the client takes it.

    Args:
        protocol: who hears the client.
        extra: what `get_extra_info` knows.
    """

    def __init__(self, protocol: asyncio.BaseProtocol, extra: Mapping[str, Any]) -> None:
        super().__init__(dict(extra))
        self._protocol = cast(asyncio.Protocol, protocol)
        self._context = contextvars.copy_context()
        self._high = _HIGH
        self._low = _HIGH // 4
        self._outgoing = bytearray()
        self._writing_paused = False
        self._ended = False  # nothing will be added to what is outgoing
        self._closing = False
        self._lost = False
        self._arrival = asyncio.Event()  # there is something for the client to take, or nothing more will come
        self._reading = asyncio.Event()
        self._reading.set()

    # -- what the server calls -------------------------------------------------------------------------------------

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who hears the client."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let somebody else hear the client."""
        self._protocol = cast(asyncio.Protocol, protocol)

    def write(self, data: Any) -> None:
        """Keep octets for the client. Dropped after `close`; RuntimeError after `write_eof`."""
        if self._closing:
            return
        if self._ended:
            raise RuntimeError("write() after write_eof()")
        self._outgoing += data
        self._arrival.set()
        self._look_at_level()

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """Nothing more will be written, but octets of the client are still taken."""
        self._ended = True
        self._arrival.set()

    def is_closing(self) -> bool:
        """It is closed, or will be when the client has taken the rest."""
        return self._closing

    def close(self) -> None:
        """Close when the client has taken the rest."""
        if not self._closing:
            self._end()
            if not self._outgoing:
                self._soon(self._lose)

    def abort(self) -> None:
        """Close at once. The client still gets what was written, as if it were in its kernel, and no more."""
        self._end()
        self._soon(self._lose)

    def pause_reading(self) -> None:
        """Take nothing of the client."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """Take octets of the client again."""
        self._reading.set()

    def is_reading(self) -> bool:
        """Octets of the client are taken."""
        return self._reading.is_set() and not self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Above `high` bytes writers wait, until `low` are left."""
        if high is None:
            high = _HIGH if low is None else 4 * low
        self._high = high
        self._low = high // 4 if low is None else low
        self._look_at_level()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The limits, (low, high)."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken."""
        return len(self._outgoing)

    # -- what the client's end calls -------------------------------------------------------------------------------

    @property
    def readable(self) -> bool:
        """`take` returns at once."""
        return bool(self._outgoing) or self._ended

    async def take(self, size: int) -> bytes:
        """Octets for the client, as soon as there are some; b"" when there will be no more."""
        while not self.readable:
            self._arrival.clear()
            await self._arrival.wait()
        data = bytes(self._outgoing[:size])
        del self._outgoing[:size]
        self._look_at_level(self._context.run)
        if self._closing and not self._outgoing:
            self._soon(self._lose)
        return data

    async def give(self, data: bytes) -> None:
        """Octets of the client, as soon as they are taken. Raises ConnectionResetError if nobody will."""
        await asyncio.sleep(0)  # a client that has much to send lets the server, and others, have their turn
        while not self._reading.is_set() and not self._closing:
            await self._reading.wait()
        if self._closing:
            raise ConnectionResetError("the server has closed the connection")
        self._context.run(self._protocol.data_received, data)

    def leave(self) -> None:
        """The client goes."""
        self._soon(self._hear_leaving)

    # -- within ----------------------------------------------------------------------------------------------------

    def _look_at_level(self, run: Callable[[Callable[[], None]], None] | None = None) -> None:
        """Pause or resume writers; `run` calls the protocol where a loop would."""
        if not self._writing_paused and len(self._outgoing) > self._high:
            self._writing_paused = True
            self._protocol.pause_writing()
        elif self._writing_paused and len(self._outgoing) <= self._low:
            self._writing_paused = False
            if run is None:
                self._protocol.resume_writing()
            else:
                run(self._protocol.resume_writing)

    def _end(self) -> None:
        self._closing = self._ended = True
        self._arrival.set()
        self._reading.set()

    def _hear_leaving(self) -> None:
        self._outgoing.clear()
        if not self._closing:
            self._protocol.eof_received()
        self._lose()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self._end()
            self._protocol.connection_lost(None)

    def _soon(self, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(callback, context=self._context)


class MemoryClient:
    """The client's end of a connection in memory, octet by octet. `TestServer.connect` makes it, and `aioweb.asgi`.

    Args:
        factory: makes the server's protocol.
        peername, sockname: the addresses that the server is told; by default each client has a port of its own.
        extra: what else the transport knows (`get_extra_info`), or knows better.
    """

    def __init__(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        *,
        peername: tuple[str, int] | None = None,
        sockname: tuple[str, int] = ("127.0.0.1", 80),
        extra: Mapping[str, Any] = _NOTHING,
    ) -> None:
        protocol = factory()
        addresses = {"peername": peername or ("127.0.0.1", next(_ports)), "sockname": sockname}
        self._transport = MemoryTransport(protocol, {**addresses, "socket": _NoSocket(), **extra})
        protocol.connection_made(self._transport)

    @property
    def readable(self) -> bool:
        """There is something to read, or the server has closed."""
        return self._transport.readable

    async def read(self, size: int = -1) -> bytes:
        """At most `size` octets of the server, as soon as there are some; all until it closes, if `size` is negative.

        b"" when there will be no more.
        """
        if size >= 0:
            return await self._transport.take(size)
        data = bytearray()
        while piece := await self._transport.take(_HIGH):
            data += piece
        return bytes(data)

    async def write(self, data: bytes) -> None:
        """Send octets; waits while the server does not read. Raises ConnectionResetError if it has closed."""
        await self._transport.give(data)

    def close(self) -> None:
        """Go. What was not read is lost."""
        self._transport.leave()


class _NoSocket:
    """What a protocol that sets socket options gets."""

    def setsockopt(self, *args: object) -> None:
        """Does nothing."""
