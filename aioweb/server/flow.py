"""The flow of one transport, both ways: what is written, who may write on, whether the peer's octets are read, and
whether it is there.

Writing acts at once and hands out an awaitable; awaiting it waits until the transport's buffer has drained, dropping it
warns nobody. So `resp.write(data)` serves old code that calls it and new code that awaits it (contract 3).

Answers to pipelined requests leave together, in one write for many: each write costs a system call. An answer waits
only while the next one is being made at once; as soon as a turn of the loop brings none, all leave.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Generator
from typing import Any, Final, cast

_MUCH: Final = 16384
"""Bytes of answers that are held at most: for more, a write of their own costs little."""


class ClientDisconnectedError(ConnectionResetError):
    """The client is gone: what is written can reach nobody, and what is awaited will not come."""


class _Drained(tuple[()]):
    """An awaitable that is done. It awaits over an empty tuple, in C: awaiting it enters no frame of ours."""

    __slots__ = ()
    __await__ = tuple.__iter__


DRAINED = cast(Awaitable[None], _Drained())
"""The awaitable of a write that nobody has to wait for; it is never spent."""


class _NextTurn:
    """Waits, if it is awaited, for the next turn of the loop."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        yield


NEXT_TURN = _NextTurn()
"""The awaitable of a write of which much has left at once: the other connections come first."""


class _Drain:
    """Waits, when and if it is awaited, until the flow lets writers go on."""

    __slots__ = ("_flow",)

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def __await__(self) -> Generator[Any, Any, None]:
        return self._flow.wait_drained().__await__()


class Flow:
    """The flow of one connection. Made by HTTPConnection, which passes on what the transport calls.

    `context` is that of the connection: asyncio calls it in a copy of the context in which reading was resumed, which
    must not be that of a handler. Its variables would be those of the next request, that may be somebody else's.
    """

    __slots__ = (
        "_context",
        "_departure",
        "_held",
        "_loop",
        "_transport",
        "_waiters",
        "cut",
        "lost",
        "reading_paused",
        "writing_paused",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, context: contextvars.Context
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._context = context
        self._waiters: list[asyncio.Future[None]] | None = None
        self._departure: list[asyncio.Future[bool]] | None = None
        self._held: bytearray | None = None
        self.writing_paused = False
        self.reading_paused = False
        self.lost = False
        self.cut = False
        """It was closed at once, by our side, while the peer was there."""

    # -- what is written -------------------------------------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        """Hand octets to the transport. Raises ClientDisconnectedError."""
        if self.lost:
            raise ClientDisconnectedError("the client is gone")
        if self._held is not None:
            octets, self._held = bytes(self._held) + octets, None
        try:
            self._transport.write(octets)
        except (OSError, RuntimeError) as error:
            # A transport of asyncio never does that; one of uvloop may, when its handle is closed already.
            self.lost = True
            self._transport.abort()
            raise ClientDisconnectedError("the transport takes no more") from error

    def hold(self, answer: bytes) -> None:
        """Take a whole answer that has a further request behind it. Raises ClientDisconnectedError."""
        if len(answer) + (0 if self._held is None else len(self._held)) > _MUCH:
            self.write(answer)
            return
        if self.lost:
            raise ClientDisconnectedError("the client is gone")
        if self._held is None:
            self._held = bytearray()
            self._loop.call_soon(self._look, self._held, 0)
        self._held += answer

    def _look(self, held: bytearray, seen: int) -> None:
        """A turn has passed: those that are held wait on if it has brought another."""
        if held is self._held:
            if len(held) > seen:
                self._loop.call_soon(self._look, held, len(held))
            else:
                self.release()

    def release(self) -> None:
        """Let the answers leave that wait for another one."""
        if self._held is not None:
            try:
                self.write(b"")
            except ClientDisconnectedError:
                self._held = None  # whoever is concerned hears of it by connection_lost

    def close(self) -> None:
        """Write nothing more, and close the transport when everything has left."""
        self.release()
        self.lost = True
        self._transport.close()

    def abort(self) -> None:
        """Close the transport at once."""
        self.release()
        self.cut = self.lost = True
        self._transport.abort()

    # -- who waits, and for what -----------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The transport's buffer is over its high-water mark."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """The transport's buffer has drained."""
        self.writing_paused = False
        self._wake()

    def connection_lost(self) -> None:
        """The transport is closed: every waiting writer gets ClientDisconnectedError."""
        if not self.lost:
            self.lost = True
            # On Python 3.10 a TLS transport that its peer has closed warns that we did not.
            self._transport.close()
        if self._waiters is not None:
            self._wake()
        for waiter in self._departure or ():
            _tell(waiter, True)

    def pause_reading(self) -> None:
        """Read no more from the socket; harmless when it is paused or closing."""
        if not self.reading_paused and not self.lost and not self._transport.is_closing():
            self.reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read from the socket again; harmless when it is not paused, or closing."""
        if self.reading_paused:
            self.reading_paused = False
            if not self.lost and not self._transport.is_closing():
                self._context.copy().run(self._transport.resume_reading)

    def drain(self) -> Awaitable[None]:
        """An awaitable that ends when writers may go on; it raises ClientDisconnectedError if the client goes."""
        return _Drain(self) if self.writing_paused else DRAINED

    async def wait_drained(self) -> None:
        """Wait until writers may go on."""
        while self.writing_paused and not self.lost:
            waiter = self._loop.create_future()
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            await waiter
        if self.lost:
            raise ClientDisconnectedError("the client is gone")

    async def wait_lost(self, exchange: asyncio.Future[Any] | None) -> bool:
        """Wait until the peer is gone: True, or until `exchange` is over without that: False."""
        if self.lost:
            return True
        if self._departure is None:
            self._departure = []
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._departure.append(waiter)

        def over(_: object) -> None:
            _tell(waiter, False)

        if exchange is not None:
            exchange.add_done_callback(over)
        try:
            return await waiter
        finally:
            self._departure.remove(waiter)
            if exchange is not None:
                exchange.remove_done_callback(over)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)


def _tell(waiter: asyncio.Future[bool], gone: bool) -> None:
    if not waiter.done():
        waiter.set_result(gone)
