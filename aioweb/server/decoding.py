"""DecodedStream: the content of a request with its Content-Encoding undone, read like any other.

It stands between a handler and the stream that the connection feeds, and takes from that only while somebody reads: so
a slow handler pauses the client as ever, and no more than the steps that were asked for is decoded ahead
(CVE-2025-69223). The connection does not know of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aioweb.protocol.coding import STEP, ContentDecoder, UnknownCoding, make_decoder
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import FieldSection
from aioweb.protocol.limits import Limits
from aioweb.server.stream import BodyError, StreamReader


def undo_codings(content: StreamReader, fields: FieldSection, limits: Limits) -> StreamReader:
    """The content as a handler is to read it: decoded, or as it is if the fields name no coding."""
    # Few requests have the field. Who has it pays for a mapping of the headers, which most handlers make anyway.
    if fields.get("Content-Encoding") is None:
        return content
    try:
        decoder = make_decoder(",".join(fields.headers.getall("Content-Encoding", ())), limits)
    except UnknownCoding as error:
        unreadable = DecodedStream(content, None)
        unreadable.set_exception(error)
        return unreadable
    return content if decoder is None else DecodedStream(content, decoder)


class DecodedStream(StreamReader):
    """The content of one request, decoded as it is read. Made for a request whose content is encoded.

    It reads as a `StreamReader` does. Beside the exceptions of that, every reader raises `BadCoding` for content that
    is not what its Content-Encoding says, `DecodedTooLarge` beyond `Limits.decoding_ratio`, and `UnknownCoding` for a
    coding that cannot be undone: the latter before the client is invited to send any content. What was decoded before
    is dropped: half a message is no message.

    `total_bytes` counts what was decoded so far, `is_eof` and `wait_eof` ask for what the client has to send.

    Args:
        encoded: the content as the client sends it.
        decoder: what undoes its codings; None if nothing does, then `set_exception` is to say why.
    """

    __slots__ = ("_decoder", "_encoded", "_reading")

    def __init__(self, encoded: StreamReader, decoder: ContentDecoder | None) -> None:
        no_loop: Any = None  # whoever has to wait waits in `encoded`
        super().__init__(STEP, None, no_loop)
        self._encoded = encoded
        self._decoder = decoder
        self._reading = False

    @property
    def waiting(self) -> bool:
        """Somebody waits for the client."""
        return self._encoded.waiting

    def exception(self) -> BaseException | None:
        """The exception that readers raise, or None."""
        return self._exception or self._encoded.exception()

    def is_eof(self) -> bool:
        """The last byte of the encoded content has arrived; some may still wait to be decoded and read."""
        return self._encoded.is_eof()

    async def wait_eof(self) -> None:
        """Wait until the last byte of the encoded content has arrived. Takes nothing."""
        await self._encoded.wait_eof()

    def read_nowait(self, n: int = -1) -> bytes:
        """Up to `n` bytes of what can be had without waiting, a step of decoding at most; `b""` if there is nothing.

        Raises RuntimeError while another task waits for data.
        """
        self._check_free()
        while not self._size and not self._eof and self._exception is None:
            data = b"" if self._pending else self._encoded.read_nowait()
            if not data and not self._pending and not self._encoded.at_eof():
                break
            self._decode(data)
        return super().read_nowait(n)

    async def skip(self) -> None:
        """Read the body to its end and drop it. It is not decoded for that."""
        self._check_free()
        await self._encoded.skip()
        self._take(self._size)
        self.feed_eof(self._encoded.trailers)

    async def _fill(self, need: float) -> None:
        while self._size < need and not self._eof and self._exception is None:
            self._check_free()
            self._reading = True
            try:
                self._decode(await self._next_data())
            finally:
                self._reading = False
        if self._exception is not None:
            raise self._exception

    async def _next_data(self) -> bytes:
        """What the next step of decoding needs of the encoded content. Nothing is taken if that is cancelled."""
        if self._pending:
            # A little content may become much, and nothing has to wait for that: the other connections come first.
            await asyncio.sleep(0)
            return b""
        try:
            return await self._encoded.readany()
        except (BodyError, ProtocolError) as error:
            self.set_exception(error)
            return b""

    @property
    def _pending(self) -> bool:
        return self._decoder is not None and self._decoder.pending

    def _decode(self, data: bytes) -> None:
        """Make a step, unless there is an exception already."""
        decoder = self._decoder
        if self._exception is not None or decoder is None:
            return
        try:
            self.feed_data(decoder.decode(data))
            if not decoder.pending and self._encoded.at_eof():
                decoder.finish()
                self.feed_eof(self._encoded.trailers)
        except ProtocolError as error:
            self.set_exception(error)

    def _check_free(self) -> None:
        if self._reading:
            raise RuntimeError("another task waits for data of this body")
