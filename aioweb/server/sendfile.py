"""From a file into a socket: by the kernel where it can, which copies nothing through this process, else in blocks.

`loop.sendfile` is not used: uvloop has none; a transport that is aborted meanwhile leaves its future waiting for ever,
and in the selector an entry for a descriptor that the next connection may get; and no deadline sees its progress.
Instead the kernel is asked only while the transport has nothing to send. When the socket takes no more, one small block
goes the usual way, through the transport: that waits for the client, and flow control, deadlines and the end of the
connection hold for it as for any write. On Linux a socket is writable again when a third of its buffer is free, so the
blocks are a few per cent of the octets.

A file that is not in memory makes the kernel read it, and the loop wait, as in nginx without threads: whoever opens a
file asks the kernel to read ahead (`advise`), off the loop.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from typing import Protocol

from aioweb.server.flow import NEXT_TURN, ClientDisconnectedError, Flow

BLOCK = 1 << 18
"""Octets that are read at a time where the kernel cannot send the file."""

_SLICE = 1 << 20  # octets that the kernel is asked to send at a time; then the other connections have their turn
_SMALL_BLOCK = 1 << 14  # octets that go through the transport when the socket is full


class SeekableFile(Protocol):
    """What can be sent: a file that was opened for reading octets, or something like it."""

    def seek(self, offset: int, /) -> object:
        """Go to an offset."""

    def read(self, size: int, /) -> bytes:
        """Read up to so many octets; none at the end."""


class KernelCopy:
    """A run of octets of a file, on its way into a plain socket. Made for one run by `join`."""

    __slots__ = ("_file", "_flow", "_transport", "sent")

    def __init__(self, transport: asyncio.Transport, flow: Flow, file: io.FileIO) -> None:
        self._transport = transport
        self._flow = flow
        self._file = file
        self.sent = 0
        """Octets that are in the socket, or wait in its transport."""

    @classmethod
    def join(cls, transport: asyncio.Transport, flow: Flow, file: object) -> KernelCopy | None:
        """None where the kernel cannot do it: TLS, a platform without sendfile, a file that lives in this process."""
        # Not whatever has a fileno(): that of a GzipFile, say, is a file of other octets than its read() gives.
        raw = file.raw if isinstance(file, io.BufferedReader | io.BufferedRandom) else file
        if not isinstance(raw, io.FileIO) or not hasattr(os, "sendfile"):
            return None
        is_plain = hasattr(transport.get_extra_info("socket"), "fileno")
        if not is_plain or any(map(transport.get_extra_info, ("sslcontext", "ssl_object"))):
            return None
        return cls(transport, flow, raw)

    async def send(self, offset: int, count: int, write: Callable[[bytes], None]) -> None:
        """Send `count` octets from `offset` on; `write` hands octets to the transport.

        Raises EOFError if the file ends before, OSError if it cannot be read, ClientDisconnectedError.
        """
        transport, flow = self._transport, self._flow
        low, high = transport.get_write_buffer_limits()
        # From now on the flow is paused as long as a single octet waits in the transport.
        transport.set_write_buffer_limits(high=0)
        try:
            is_full, is_able = False, True
            while self.sent < count:
                if flow.writing_paused:
                    await flow.wait_drained()
                    is_full = False
                # After the end of a connection its descriptor may be the one of the next.
                if flow.lost or transport.is_closing():
                    raise ClientDisconnectedError("the client is gone")
                at, left = offset + self.sent, count - self.sent
                if is_full or not is_able or transport.get_write_buffer_size():
                    block = read_block(self._file, at, min(left, _SMALL_BLOCK))
                    write(block)
                    size, is_full = len(block), False
                else:
                    try:
                        size = self._send_slice(at, min(left, _SLICE))
                    except BlockingIOError:
                        is_full = True
                        continue
                    except OSError:
                        # A file that cannot be mapped, or a broken connection: the usual way shows which.
                        is_able = False
                        continue
                    is_full = size < min(left, _SLICE)
                if not size:
                    raise EOFError(f"the file ends at {at}, {left} bytes before the announced end")
                self.sent += size
                if self.sent < count:
                    await NEXT_TURN
        finally:
            if not transport.is_closing():
                transport.set_write_buffer_limits(high=high, low=low)

    def _send_slice(self, offset: int, count: int) -> int:
        socket = self._transport.get_extra_info("socket")
        return os.sendfile(socket.fileno(), self._file.fileno(), offset, count)


def read_block(file: SeekableFile, offset: int, count: int) -> bytes:
    """Read up to `count` octets of a file. It blocks."""
    file.seek(offset)
    return file.read(count)


async def read_in_thread(read: Callable[[int, int], bytes], offset: int, left: int) -> bytes:
    """Read a block of the `left` octets that are still owed, from `offset` on: `read(offset, size)`, in a thread.

    Who is cancelled meanwhile goes on when the thread is done: he is about to close the file, and the descriptor that
    the thread reads from could be the one of the next connection by then.

    Raises EOFError if the file ends here, and what `read` raises.
    """
    reading = asyncio.get_running_loop().run_in_executor(None, read, offset, min(left, BLOCK))
    try:
        block = await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait([reading])
        raise
    if not block:
        raise EOFError(f"the file ends at {offset}, {left} bytes before the announced end")
    return block


def advise(file: io.FileIO, offset: int, count: int) -> None:
    """Tell the kernel that this part of a file is about to be sent, so that it is read ahead. It may block a little."""
    if hasattr(os, "posix_fadvise"):
        try:
            os.posix_fadvise(file.fileno(), offset, count, os.POSIX_FADV_WILLNEED)
        except OSError:
            pass  # advice only: a file system may take none
