"""permessage-deflate, RFC 7692: what two ends agree on, and the two streams that come of it.

A message is compressed as a piece of one long stream of DEFLATE ("context takeover": earlier messages are its
dictionary), flushed to a whole octet, and sent without the four octets that such a flush ends with.

Memory: a compressor of 12 bits and memLevel 5 takes 32 KiB, one of zlib's defaults 256 KiB; a decompressor 7 KiB and
its window. Neither exists before it is needed, and a compressor may be dropped at any time (`Deflater.reset`): the
window of the peer then holds what nothing refers to.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final

import attrs

from aioweb.protocol.websocket.frames import CloseCode, WebSocketError

EXTENSION: Final = "permessage-deflate"
"""The name of the extension in Sec-WebSocket-Extensions."""

Parameters = Iterable[tuple[str, str | None]]

# The end of a flush: length 0 of an empty block, and its complement (RFC 7692 section 7.2.1).
_TAIL = b"\x00\x00\xff\xff"
_EMPTY = b"\x00"
# A stream may end and begin anew at any octet (BFINAL), and zlib copies what stands behind the end. In slices of this
# size that copying is bounded, however often somebody does it.
_SLICE = 4096

# RFC 7692 section 7.1.2: a decimal integer from 8 to 15 without leading zeros.
_WINDOW_BITS = {str(bits): bits for bits in range(8, 16)}


def _check_bits(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    if value not in _WINDOW_BITS.values() or isinstance(value, bool):
        raise ValueError(f"{attribute.name} is a whole number from 8 to 15, not {value!r}")


@attrs.frozen(kw_only=True)
class PerMessageDeflate:
    """The parameters of the extension: what a server wishes, and what came of it with one client.

    The defaults cost 32 KiB a connection that sends and 4 KiB one that receives, for 2 to 5 % more octets than zlib's
    own. Raises ValueError for window bits that are none.
    """

    server_no_context_takeover: bool = False
    """The server compresses each message by itself: slower and larger, but no memory between two of them."""
    client_no_context_takeover: bool = False
    """The client does."""
    server_max_window_bits: int = attrs.field(default=12, validator=_check_bits)
    """The server refers back at most 2 to the power of so many octets."""
    client_max_window_bits: int = attrs.field(default=12, validator=_check_bits)
    """The client does; it can only be asked of one that offered it."""
    level: int = zlib.Z_DEFAULT_COMPRESSION
    """The server compresses so hard: 1 to 9, as zlib counts. Not negotiated."""
    memory_level: int = 5
    """zlib's memLevel of the server's compressor, 1 to 9. Not negotiated."""
    min_size: int = 64
    """Shorter messages are not compressed, unless the call says so: below that little is gained. Bytes."""

    def accept(self, offer: Parameters) -> PerMessageDeflate | None:
        """What this wish and the parameters of a client's offer come to (RFC 7692 section 7.1); None to decline it.

        An offer is declined for a parameter that is unknown, doubled, or has a value that it may not have.
        """
        given = dict[str, str | None]()
        for name, value in offer:
            if name in given or not _is_parameter(name, value):
                return None
            given[name] = value
        server_bits = given.get("server_max_window_bits") or "15"
        # Without the parameter the client cannot be limited; without a value it accepts any limit.
        can_limit = "client_max_window_bits" in given
        client_bits = given.get("client_max_window_bits") or "15"
        return attrs.evolve(
            self,
            server_no_context_takeover=self.server_no_context_takeover or "server_no_context_takeover" in given,
            client_no_context_takeover=self.client_no_context_takeover or "client_no_context_takeover" in given,
            server_max_window_bits=min(self.server_max_window_bits, _WINDOW_BITS[server_bits]),
            client_max_window_bits=min(self.client_max_window_bits, _WINDOW_BITS[client_bits]) if can_limit else 15,
        )

    def __str__(self) -> str:
        """The element of Sec-WebSocket-Extensions that tells the client what was agreed on."""
        parts = [EXTENSION]
        if self.server_no_context_takeover:
            parts.append("server_no_context_takeover")
        if self.client_no_context_takeover:
            parts.append("client_no_context_takeover")
        # A client that limited the server has to be told so; to one that did not it is news (section 7.1.2.1).
        parts.append(f"server_max_window_bits={self.server_max_window_bits}")
        if self.client_max_window_bits < 15:
            parts.append(f"client_max_window_bits={self.client_max_window_bits}")
        return "; ".join(parts)

    def deflater(self, client: bool = False) -> Deflater:
        """The compressor of one end: the server's, or the client's."""
        if client:
            return Deflater(self.client_max_window_bits, self.client_no_context_takeover, self)
        return Deflater(self.server_max_window_bits, self.server_no_context_takeover, self)

    def inflater(self, client: bool = False) -> Inflater:
        """What undoes the compressor of the other end."""
        if client:
            return Inflater(self.server_max_window_bits, self.server_no_context_takeover)
        return Inflater(self.client_max_window_bits, self.client_no_context_takeover)


def _is_parameter(name: str, value: str | None) -> bool:
    if name in {"server_no_context_takeover", "client_no_context_takeover"}:
        return value is None
    if name == "client_max_window_bits" and value is None:
        return True
    return name in {"server_max_window_bits", "client_max_window_bits"} and value in _WINDOW_BITS


class Deflater:
    """Compresses the messages that one end of a connection sends."""

    __slots__ = ("_bits", "_compressor", "_forgets", "_settings")

    def __init__(self, bits: int, forgets: bool, settings: PerMessageDeflate) -> None:
        self._bits = bits
        self._forgets = forgets
        self._settings = settings
        self._compressor: Any = None

    def deflate(self, data: bytes, final: bool = True) -> bytes:
        """The payload that carries `data`, the message or, with `final` False, a fragment that others follow."""
        compressor = self._compressor
        if compressor is None:
            compressor = self._compressor = self._make()
        # A flush with nothing to flush gives nothing; an empty block without its tail is this one octet (7.2.3.6).
        payload = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH) if data else _EMPTY + _TAIL
        if not final:
            return bytes(payload)
        if self._forgets:
            self._compressor = None
        return bytes(payload[:-4])

    def reset(self) -> None:
        """Forget the messages so far, and give their memory back. Only between two messages."""
        self._compressor = None

    def _make(self) -> Any:
        # zlib has no raw stream of 8 bits: it would look back 512 octets. Repeats of the last octet it may always find.
        bits, strategy = (self._bits, zlib.Z_DEFAULT_STRATEGY) if self._bits > 8 else (9, zlib.Z_RLE)
        settings = self._settings
        return zlib.compressobj(settings.level, zlib.DEFLATED, -bits, settings.memory_level, strategy)


class Inflater:
    """Decompresses the messages that one end of a connection receives, as their octets arrive."""

    __slots__ = ("_bits", "_decompressor", "_forgets", "_open")

    def __init__(self, bits: int, forgets: bool) -> None:
        # Peers that agreed on 8 bits and compress with zlib use 9.
        self._bits = max(bits, 9)
        self._forgets = forgets
        self._decompressor: Any = None
        self._open = False  # octets of the message went in, and the stream has not ended since

    def inflate(self, payload: bytes | bytearray, room: int | None, final: bool) -> bytes:
        """What some more octets of a message come to.

        Args:
            payload: The octets.
            room: The message may still become so much longer; None: as long as it likes.
            final: They are the last of the message.

        Raises:
            WebSocketError: 1009 if it becomes longer (no more than `room` and one octet were made), 1007 if this is not
                DEFLATE.
        """
        pieces = []
        for start in range(0, len(payload), _SLICE):
            pieces.append(self._feed(payload[start : start + _SLICE], room))
            if room is not None:
                room -= len(pieces[-1])
        if final:
            if self._open:
                pieces.append(self._feed(_TAIL, room))
            self._open = False
            if self._forgets:
                self._decompressor = None
        return b"".join(pieces)

    def _feed(self, data: bytes | bytearray, room: int | None) -> bytes:
        pieces = []
        while data:
            decompressor = self._decompressor
            if decompressor is None:
                decompressor = self._decompressor = zlib.decompressobj(-self._bits)
            try:
                piece = decompressor.decompress(data, 0 if room is None else room + 1)
            except zlib.error as error:
                raise WebSocketError(
                    CloseCode.INVALID_TEXT, f"a message cannot be decompressed: {error}"[:120]
                ) from None
            if room is not None:
                room -= len(piece)
                if room < 0:
                    raise WebSocketError(CloseCode.MESSAGE_TOO_BIG, "a message is too big when decompressed")
            pieces.append(piece)
            self._open = True
            if not decompressor.eof:
                break
            # A final block (RFC 7692 section 7.2.3.4): a new stream begins behind it, if anything does.
            data = decompressor.unused_data
            self._decompressor = None
            self._open = False
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
