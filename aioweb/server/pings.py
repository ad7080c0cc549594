"""Pings (RFC 6455 section 5.5.2): when a heartbeat sends one and when it gives up, and pongs that somebody awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any
from weakref import WeakKeyDictionary


class Heartbeat:
    """When to ping a peer that is silent, and when to give it up. It only counts; times are those of a server's clock.

    Args:
        interval: seconds of silence, of either side, after which a ping is due.
        timeout: seconds that the peer gets to answer it; None for as long as `interval`.
    """

    __slots__ = ("_pinged_at", "_timeout", "interval")

    def __init__(self, interval: float, timeout: float | None = None) -> None:
        self.interval = interval
        self._timeout = interval if timeout is None else timeout
        self._pinged_at: float | None = None

    def wait(self, now: float, heard_at: float, said_at: float) -> float | None:
        """Seconds until the next look; 0 if a ping is due now, None if the last one was not answered in time."""
        if self._pinged_at is not None and heard_at < self._pinged_at:
            left = self._pinged_at + self._timeout - now
            return left if left > 0 else None
        self._pinged_at = None
        # Proxies count the silence of each direction, so either is a reason.
        return max(0.0, self.interval - (now - min(heard_at, said_at)))

    def pinged(self, now: float) -> float:
        """A ping leaves; what arrives from now on answers it. Returns the seconds until the next look."""
        self._pinged_at = now
        return min(self.interval, self._timeout)


class SentPing:
    """A ping that was sent. Await it to wait for a slow peer, or drop it, as with everything that is sent.

    What awaiting it gives may be awaited in its turn: for the pong, and that gives the seconds between them.

        pong = await ws.ping()
        seconds = await pong
    """

    __slots__ = ("_pong", "_sent")

    def __init__(self, sent: Awaitable[None], pong: asyncio.Future[float]) -> None:
        self._sent = sent
        self._pong = pong

    def __await__(self) -> Generator[Any, Any, asyncio.Future[float]]:
        yield from self._sent.__await__()
        return self._pong


class Pings:
    """The pings of one connection that are on their way. What nobody waits for any more is forgotten by itself."""

    __slots__ = ("_loop", "_pending")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: WeakKeyDictionary[asyncio.Future[float], tuple[bytes, float]] = WeakKeyDictionary()

    def add(self, data: bytes) -> asyncio.Future[float]:
        """A ping with this data leaves now; returns what waits for its pong."""
        pong = self._loop.create_future()
        self._pending[pong] = (data, self._loop.time())
        return pong

    def answered(self, data: bytes) -> None:
        """A pong has come: it answers the pings with the same data."""
        now = self._loop.time()
        for pong, (sent, at) in list(self._pending.items()):
            if sent == data:
                del self._pending[pong]
                if not pong.done():
                    pong.set_result(now - at)

    def fail(self, error: Exception) -> None:
        """No pong will come: who waits for one gets the error."""
        for pong in list(self._pending):
            if not pong.done():
                pong.set_exception(error)
                pong.exception()  # who does not wait does not want to know
        self._pending.clear()
