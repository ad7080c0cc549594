"""The connection's side of a stream, without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aioweb.server.stream import StreamReader


class Stream(StreamReader):
    """A stream that counts how often it asked for more."""

    def __init__(self, *pieces: bytes, limit: int = 2**16, eof: bool = False) -> None:
        super().__init__(limit, self.count, asyncio.get_running_loop())
        self.resumed = 0
        for piece in pieces:
            self.feed_data(piece)
        if eof:
            self.feed_eof()

    def count(self) -> None:
        self.resumed += 1


async def start(stream: StreamReader, reading: Awaitable[bytes]) -> asyncio.Future[bytes]:
    """A task that waits for the stream."""
    task = asyncio.ensure_future(reading)
    while not stream.waiting:
        assert not task.done(), "it did not have to wait"
        await asyncio.sleep(0)
    return task
