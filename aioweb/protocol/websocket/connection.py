"""One WebSocket connection after its handshake, without I/O: octets in, events out; messages in, octets out.

    connection.receive_data(data)      what came from the socket
    connection.next_event()            Message, Ping, Pong, Close, or NEED_DATA, or BUSY after many fragments
    connection.receive_eof()           the socket ended
    connection.send_text(...)          octets to write; send_binary, send_fragment, send_prepared, send_ping, send_pong,
                                       send_close likewise

It answers nothing by itself: the caller pongs a Ping, and echoes a Close. Everything is judged as soon as its octets
are there: the length of a message when a frame announces it, a head before its masking key, text in mid-frame.
What next_event() has not taken stays in one buffer; a message that is incomplete is one buffer more, never above its
limit. After the peer's close frame, after an error and after the end, whatever arrives is dropped; after our own close
frame messages are passed over unread, and the peer's close frame is waited for.

Sending and receiving share nothing but the question whether the connection is closed: a large message may be
compressed in a thread, if nothing but pings, pongs and a close is sent meanwhile.
"""

from __future__ import annotations

import os
from typing import Final

from aioweb.protocol.events import BUSY, NEED_DATA, Wait
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.frames import (
    COMPRESSED,
    FINAL,
    MASKED,
    CloseCode,
    Opcode,
    WebSocketError,
    encode_frame,
    read_frame_head,
)
from aioweb.protocol.websocket.mask import mask
from aioweb.protocol.websocket.messages import (
    Close,
    Message,
    Ping,
    Pong,
    PreparedMessage,
    State,
    as_octets,
    count_characters,
    not_text,
    read_close,
    write_close,
)

TEXT: Final = Opcode.TEXT
BINARY: Final = Opcode.BINARY

_CONTINUATION: Final = int(Opcode.CONTINUATION)
_CLOSE: Final = int(Opcode.CLOSE)
_PING: Final = int(Opcode.PING)
_PONG: Final = int(Opcode.PONG)
# The first octets of the frames that are whole messages, not compressed.
_TEXT_FRAME: Final = FINAL | int(Opcode.TEXT)
_BINARY_FRAME: Final = FINAL | int(Opcode.BINARY)
_WHOLE_FRAMES: Final = (_TEXT_FRAME, _BINARY_FRAME)

_FRAGMENTS_AT_ONCE: Final = 500

MAX_MSG_SIZE: Final = 4 * 1024**2
"""A message is at most so long, bytes. aiohttp 4 MiB, websockets 1, tornado 10, uvicorn 16."""

_CLOSING: Final = State.CLOSING
_CLOSED: Final = State.CLOSED


class WebSocketConnection:
    """The state of one connection, made when its handshake is done; lives as long as the socket.

    Args:
        max_msg_size: A message may be so long, in bytes, after decompression; 0: as long as it likes.
        deflate: What the handshake agreed on; None: nothing is compressed.
        decode_text: Text arrives as str; False: as bytes, though checked to be UTF-8.
        client: This is the client's end, which masks what it sends. For tests.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_checked",
        "_client",
        "_compressed",
        "_decode_text",
        "_deflate",
        "_deflater",
        "_error",
        "_final",
        "_frame_left",
        "_inflater",
        "_key",
        "_limit",
        "_masked",
        "_min_compress_size",
        "_opcode",
        "_payload",
        "_sending",
        "close_received",
        "close_sent",
        "state",
    )

    def __init__(
        self,
        *,
        max_msg_size: int = MAX_MSG_SIZE,
        deflate: PerMessageDeflate | None = None,
        decode_text: bool = True,
        client: bool = False,
    ) -> None:
        self.state = State.OPEN
        """OPEN, CLOSING or CLOSED. To read only."""
        self.close_received: Close | None = None
        """The peer's close frame; None if there was none. To read only."""
        self.close_sent: Close | None = None
        """Our own. To read only."""
        self._client = client
        self._masked = not client
        self._limit = max_msg_size or None
        self._decode_text = decode_text
        self._min_compress_size = deflate.min_size if deflate is not None else 0
        self._deflate = deflate
        self._deflater = deflate.deflater(client) if deflate is not None else None
        self._inflater = deflate.inflater(client) if deflate is not None else None
        self._error: WebSocketError | None = None
        self._sending: tuple[Opcode, bool] | None = None  # the message that is sent in fragments, is it compressed
        self._buffer = b""
        self._at = 0  # what stands before is taken
        # The frame whose payload is being received, in as many pieces as arrive.
        self._frame_left: int | None = None
        self._final = False
        self._key = b""
        # The message that it belongs to.
        self._opcode: Opcode | None = None
        self._compressed = False
        self._payload: bytes | bytearray = b""
        self._checked = 0  # so much of the payload is UTF-8

    # -- what came in ----------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take octets from the peer; call `next_event` until it waits."""
        if self.close_received is not None or self._error is not None or self.state is _CLOSED:
            return
        # Mostly nothing is left of what came before, and what came now need not be copied.
        self._buffer = data if self._at == len(self._buffer) else self._buffer[self._at :] + data
        self._at = 0

    def receive_eof(self) -> None:
        """The peer will send nothing more: the connection is CLOSED.

        Without a close frame before it, `close_code` is 1006 (RFC 6455 section 7.1.5). What was received and not yet
        taken by `next_event` is lost.
        """
        self.state = _CLOSED
        self._drop()

    def next_event(self) -> Message | Ping | Pong | Close | Wait:
        """Return the next event; NEED_DATA when more octets are needed, and always when nothing can follow.

        BUSY after hundreds of fragments that are no message yet: call it again when others had their turn.
        Raises WebSocketError, and nothing else, if the peer breaks the protocol; and the same error again ever after.
        Then send `send_close(error.close_code, str(error))`, and close the socket.
        """
        at = self._at
        buffer = self._buffer
        size = len(buffer) - at
        if not size and self._error is None:
            if at:  # an idle connection keeps nothing
                self._buffer = b""
                self._at = 0
            return NEED_DATA
        # Most frames are whole messages, and have arrived: they take the short way.
        if size > 5 and self._frame_left is None and self._opcode is None and self._masked and self.close_sent is None:
            first = buffer[at]
            start, length, least = at + 2, buffer[at + 1] - MASKED, 0
            if length > 125:
                # One that does not need its form takes the long way, as all that is wrong.
                start, least = (at + 4, 126) if length == 126 else (at + 10, 65536)
                length = int.from_bytes(buffer[at + 2 : start], "big")
            end = start + 4 + length
            if (
                first in _WHOLE_FRAMES
                and length >= least
                and end <= len(buffer)
                and (self._limit is None or length <= self._limit)
            ):
                payload = mask(buffer, start, end)
                self._at = end
                if first == _BINARY_FRAME:
                    return Message(BINARY, payload)
                try:
                    text = payload.decode()
                except UnicodeDecodeError as error:
                    raise self._fail(not_text(error)) from None
                return Message(TEXT, text if self._decode_text else payload)
        if self._error is not None:
            raise self._error
        try:
            event = self._next_event()
        except WebSocketError as error:
            raise self._fail(error) from None
        if event is NEED_DATA and self._at:  # what waits is part of a head, not all that it came with
            self._buffer, self._at = self._buffer[self._at :], 0
        return event

    def _next_event(self) -> Message | Ping | Pong | Close | Wait:
        for _ in range(_FRAGMENTS_AT_ONCE):
            if self._frame_left is None:
                head = read_frame_head(self._buffer, self._at, self._masked)
                if head is None:
                    return NEED_DATA
                first, length, end = head
                control = first & 0x08
                if not control:
                    self._check_place(first, length)
                key = 4 if self._masked else 0
                if len(self._buffer) < end + key + (length if control else 0):
                    return NEED_DATA
                if control:
                    return self._control(first & 0x0F, end, end + key + length)
                self._begin(first, length, end)
                event = self._continue(True)
            else:
                event = self._continue(False)
            if event is not None:
                return event
        return BUSY

    def _check_place(self, first: int, length: int) -> None:
        """Does a data frame belong here, and is there room for it? Asked again until its head has arrived."""
        opcode = first & 0x0F
        if (opcode == _CONTINUATION) is (self._opcode is None):
            what = "a message begins before another has ended" if opcode else "nothing to continue"
            raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"{what} (RFC 6455 section 5.4)")
        if first & COMPRESSED and (self._inflater is None or opcode == _CONTINUATION):
            what = "without an agreement" if self._inflater is None else "in a continuation"
            raise WebSocketError(CloseCode.PROTOCOL_ERROR, f"RSV1 {what} (RFC 7692 section 6)")
        # What is compressed is measured as it comes out, and never kept as it came in.
        compressed = self._compressed if opcode == _CONTINUATION else first & COMPRESSED
        if self._limit is not None and not compressed and len(self._payload) + length > self._limit:
            raise WebSocketError(CloseCode.MESSAGE_TOO_BIG, f"a message is over {self._limit} bytes")

    def _begin(self, first: int, length: int, end: int) -> None:
        opcode = first & 0x0F
        if opcode != _CONTINUATION:
            self._opcode = TEXT if opcode == TEXT else BINARY
            self._compressed = bool(first & COMPRESSED)
        self._final = bool(first & FINAL)
        self._frame_left = length
        if self._masked:
            self._key = self._buffer[end : end + 4]
            end += 4
        self._at = end

    def _continue(self, begins: bool) -> Message | Wait | None:
        """Take what there is of the payload of a data frame, whose key stands in front of it if it `begins` here."""
        assert self._frame_left is not None, "a frame has begun"
        if self.close_sent is not None:
            return self._skip(self._frame_left)
        start, end = self._at, min(self._at + self._frame_left, len(self._buffer))
        self._at = end
        self._frame_left -= end - start
        if start == end and self._frame_left:
            return NEED_DATA
        if not self._masked:
            piece = self._buffer[start:end]
        else:
            piece = mask(self._buffer, start - 4, end) if begins else mask(self._key + self._buffer[start:end])
            turn = end - start & 3
            self._key = self._key[turn:] + self._key[:turn]
        whole = not self._frame_left
        final = whole and self._final
        if self._compressed:
            assert self._inflater is not None, "a compressed message needs an agreement: _check_place"
            room = None if self._limit is None else self._limit - len(self._payload)
            piece = self._inflater.inflate(piece, room, final)
        if whole:
            self._frame_left = None
        held = self._payload
        if final:
            return self._finish(b"".join((held, piece)) if held else piece)
        if not held:
            self._payload = piece
        else:
            self._payload = held = bytearray(held) if type(held) is bytes else held
            held += piece
        if self._opcode is TEXT:
            self._checked += count_characters(self._payload[self._checked :])
        return None

    def _skip(self, left: int) -> Wait | None:
        """Pass over the payload: the message was on its way when we closed. It may be a bomb, and costs nothing."""
        size = min(left, len(self._buffer) - self._at)
        self._at += size
        self._frame_left = left - size
        if self._frame_left:
            return NEED_DATA
        self._frame_left = None
        if self._final:
            self._opcode = None
        return None

    def _finish(self, payload: bytes) -> Message:
        opcode = self._opcode
        self._opcode = None
        self._payload = b""
        self._checked = 0
        if opcode is not TEXT:
            return Message(BINARY, payload)
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            raise not_text(error) from None
        return Message(TEXT, text if self._decode_text else payload)

    def _control(self, opcode: int, start: int, end: int) -> Ping | Pong | Close:
        keyed = self._buffer[start:end]
        self._at = end
        payload = mask(keyed) if self._masked else bytes(keyed)
        if opcode == _PING:
            return Ping(payload)
        if opcode == _PONG:
            return Pong(payload)
        close = read_close(payload)
        self.close_received = close
        self.state = _CLOSING if self.close_sent is None else _CLOSED
        self._drop()
        return close

    def _fail(self, error: WebSocketError) -> WebSocketError:
        self._error = error
        self.state = _CLOSING if self.close_sent is None else _CLOSED
        self._drop()
        return error

    def _drop(self) -> None:
        """Nothing more is read: let go of what was received."""
        self._buffer = b""
        self._payload = b""
        self._at = 0
        self._opcode = self._frame_left = None
        self._inflater = None

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """So many octets were received and not yet taken by `next_event`; what pauses reading is measured by it."""
        return len(self._buffer) - self._at

    @property
    def close_code(self) -> int | None:
        """The code of the peer's close frame, 1005 if it had none, 1006 if the connection ended without one.

        None as long as it may still come.
        """
        if self.close_received is not None:
            return self.close_received.code
        return int(CloseCode.ABNORMAL_CLOSURE) if self.state is _CLOSED else None

    @property
    def deflate(self) -> PerMessageDeflate | None:
        """What was agreed on about compression; None if nothing was."""
        return self._deflate

    @property
    def sendable(self) -> bool:
        """Messages may be sent: no close frame of ours is out, and the connection is not lost."""
        return self.close_sent is None and self.state is not _CLOSED

    # -- what goes out ---------------------------------------------------------------------------------------------

    def send_text(self, data: str | bytes, compress: bool | None = None) -> bytes:
        """The octets of a text message.

        Args:
            data: The text; bytes are taken for UTF-8 unseen.
            compress: Compress it; None: if it was agreed on and the message is long enough. True without an agreement
                means nothing.

        Raises:
            RuntimeError: After the close frame, after the end, and among the fragments of another message.
            TypeError: For anything else than text.
            UnicodeEncodeError: For lone surrogates.
        """
        if not isinstance(data, (str, bytes)):
            raise TypeError(f"a text message is str, not {type(data).__name__}")
        return self._send_message(_TEXT_FRAME, data, compress)

    def send_binary(self, data: bytes | bytearray | memoryview, compress: bool | None = None) -> bytes:
        """The octets of a binary message; like `send_text`."""
        return self._send_message(_BINARY_FRAME, as_octets(data), compress)

    def _send_message(self, first: int, payload: bytes | str, compress: bool | None) -> bytes:
        if self.close_sent is not None or self.state is _CLOSED or self._sending is not None:
            raise self._illegal("a message")
        deflater = self._deflater
        if deflater is not None:
            if isinstance(payload, str):
                payload = payload.encode()
            if compress is None:
                compress = len(payload) >= self._min_compress_size
            if compress:
                first |= COMPRESSED
                payload = deflater.deflate(payload)
        return encode_frame(first, payload, os.urandom(4)) if self._client else encode_frame(first, payload)

    def send_fragment(self, data: str | bytes, *, final: bool, compress: bool = False) -> bytes:
        """The octets of one fragment of a message (RFC 6455 section 5.4), the first of them if none is under way.

        Args:
            data: A part of the message: str for text, bytes for a binary message.
            final: It is the last one.
            compress: Compress the message, if that was agreed on; asked at its first fragment.

        Raises:
            RuntimeError: After the close frame and after the end.
            TypeError: For bytes in text, and the other way round.
        """
        if not self.sendable:
            raise self._illegal("a fragment")
        opcode = TEXT if isinstance(data, str) else BINARY
        begun = self._sending
        if begun is None:
            compress = compress and self._deflater is not None
            first = opcode | COMPRESSED if compress else int(opcode)
        else:
            first, compress = _CONTINUATION, begun[1]
            if begun[0] is not opcode:
                raise TypeError(f"the message began as {begun[0].name}, and goes on with {type(data).__name__}")
        payload = data.encode() if isinstance(data, str) else as_octets(data)
        if compress and self._deflater is not None:
            payload = self._deflater.deflate(payload, final)
        self._sending = None if final else (opcode, compress)
        return encode_frame(first | FINAL if final else first, payload, os.urandom(4) if self._client else b"")

    def send_prepared(self, message: PreparedMessage) -> bytes:
        """The octets of a message that goes to many connections; compressed like any other. Raises RuntimeError."""
        if self._client:
            return self._send_message(FINAL | message.opcode, message.payload, None)
        if self.close_sent is not None or self.state is _CLOSED or self._sending is not None:
            raise self._illegal("a message")
        if self._deflater is None or self._deflate is None or len(message.payload) < self._min_compress_size:
            return message.plain
        # The client now has in its window what our compressor has not seen: it starts anew behind it.
        self._deflater.reset()
        return message.compressed(self._deflate)

    def send_ping(self, data: bytes | bytearray | memoryview = b"") -> bytes:
        """The octets of a ping. Raises ValueError for more than 125 bytes; RuntimeError like `send_text`."""
        return self._send_control(_PING, data)

    def send_pong(self, data: bytes | bytearray | memoryview = b"") -> bytes:
        """The octets of a pong; like `send_ping`."""
        return self._send_control(_PONG, data)

    def _send_control(self, opcode: int, data: bytes | bytearray | memoryview) -> bytes:
        if not self.sendable:
            raise self._illegal("a ping or pong")
        payload = as_octets(data)
        if len(payload) > 125:
            raise ValueError(f"a ping or pong holds at most 125 bytes, not {len(payload)}")
        return encode_frame(FINAL | opcode, payload, os.urandom(4) if self._client else b"")

    def send_close(self, code: int = CloseCode.OK, reason: str | bytes = "") -> bytes:
        """The octets of the close frame, ours or the echo of the peer's; none if it was sent, or nobody is there.

        Args:
            code: What `is_close_code` allows; 1005 for a frame without a code, as `Close` has it.
            reason: At most 123 bytes of UTF-8.

        Raises:
            ValueError: For another code, a longer reason, or a reason without a code.
        """
        close, payload = write_close(code, reason)
        if not self.sendable:
            return b""
        self.close_sent = close
        self._payload = b""
        ended = self.close_received is not None or self._error is not None
        self.state = _CLOSED if ended else _CLOSING
        return encode_frame(FINAL | _CLOSE, payload, os.urandom(4) if self._client else b"")

    def forget(self) -> None:
        """Give back the memory of the compressor of a connection that is idle; nothing is lost but some compression.

        Not between the fragments of a message.
        """
        if self._deflater is not None and self._sending is None:
            self._deflater.reset()

    def _illegal(self, what: str) -> RuntimeError:
        if self._sending is not None and self.sendable:
            return RuntimeError(f"{what} among the fragments of another message")
        return RuntimeError(f"{what} cannot be sent: the WebSocket is {self.state.name}")
