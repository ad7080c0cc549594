"""One HTTP/1.1 connection as a server sees it, without I/O: octets in, events out; answers in, octets out.

It holds the one receive buffer and the only state of an exchange. Whether a response has started, whether it is
finished, whether the connection can be used again: these are questions to this object, nobody keeps a flag of his own.

    connection.receive_data(data)        what came from the socket
    connection.next_event()              RequestHead, Data, EndOfMessage, NEED_DATA or PAUSED
    connection.send_response(...)        a whole response as octets; or send_head, send_data, send_end
    connection.start_next_cycle()        both sides are done: on to the next request

A pipelined request waits, unparsed, in the buffer until start_next_cycle(): responses keep the order of requests, and
nothing behind a request that closes the connection is ever looked at (CVE-2024-49768, CVE-2026-54273).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NoReturn

from aioweb.protocol.body import BodyReader, make_reader
from aioweb.protocol.encode import (
    LAST_CHUNK,
    encode_chunk,
    encode_informational,
    encode_last_chunk,
    encode_response,
    encode_response_head,
)
from aioweb.protocol.errors import IncompleteMessage, ProtocolError
from aioweb.protocol.events import (
    NEED_DATA,
    PAUSED,
    Data,
    EndOfMessage,
    FieldSection,
    HttpVersion10,
    HttpVersion11,
    RequestHead,
    Wait,
)
from aioweb.protocol.framing import BodyKind, Framing, frame_response
from aioweb.protocol.head import LineScan, check_lines, parse_request_head
from aioweb.protocol.limits import Limits
from aioweb.protocol.state import RECEIVING_MOVES, SENDING_MOVES, Move, Receiving, Sending

_DEFAULT_LIMITS: Final = Limits()

# The states of every request by names of their own: reading a member off its enum costs a call on Python 3.11. Those
# that it moves to, out of the tables once.
_AWAITED: Final = Receiving.IDLE
_RECEIVED: Final = RECEIVING_MOVES[_AWAITED, Move.WHOLE]
_UNSENT: Final = Sending.IDLE
_SENT: Final = SENDING_MOVES[_UNSENT, Move.WHOLE]
_SWITCHED: Final = SENDING_MOVES[_UNSENT, Move.SWITCH]
_UNDER_WAY: Final = Sending.CONTENT
_LENGTH: Final = BodyKind.LENGTH
_CHUNKED: Final = BodyKind.CHUNKED
_NONE: Final = BodyKind.NONE
_LITTLE: Final = 4096

# What a request counts for that was never understood: it is answered, and the connection closes (RFC 9112 section 9.6).
_NO_HEAD: Final = RequestHead("GET", "/", "/", "", None, HttpVersion11, FieldSection(b"\r\n"), False, False)


class Connection:
    """The state of one connection and its receive buffer.

    Made by the middle for each socket; lives as long as the socket. `limits` bounds what a peer may send.
    """

    __slots__ = (
        "_error",
        "_head",
        "_limits",
        "_previous",
        "_reader",
        "_receiving",
        "_scan",
        "_sending",
        "_to_send",
        "_uninvited",
        "buffer",
        "framing",
    )

    def __init__(self, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self.buffer: bytes | bytearray = b""
        """What was received and not yet taken: for those who bound it. Only this class changes it.

        What arrives when nothing waits is taken as it is, so content passes through without a copy; if much of it is
        left over, that becomes a bytearray, which grows at its end and shrinks at its front without another one.
        """
        self._receiving = _AWAITED
        self._sending = _UNSENT
        self._head = _NO_HEAD
        self._previous: RequestHead | None = None
        self._reader: BodyReader | None = None
        self._scan: LineScan | None = None
        self.framing: Framing | None = None
        """How the response ends, and what becomes of the connection; None before its head. To read only."""
        self._to_send = 0
        # The content was neither invited nor begun: nobody knows whether it will come after a final response, so the
        # octets behind this request would have two readings, and the connection may not persist (CVE-2024-24791).
        self._uninvited = False
        self._error: ProtocolError | None = None

    # -- what came in ----------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take octets from the peer; call `next_event` until it waits. After an error they are dropped."""
        if self._error is not None:
            return
        if not self.buffer:
            self.buffer = data
            return
        if not isinstance(self.buffer, bytearray):
            self.buffer = bytearray(self.buffer)
        self.buffer += data

    def receive_eof(self) -> None:
        """The peer will send nothing more.

        Raises IncompleteMessage if it stopped in the middle of a message; then `next_event` raises the same.
        """
        if self._receiving is Receiving.CONTENT or (self._receiving is Receiving.IDLE and self.buffer):
            self._fail(IncompleteMessage("the connection ended in the middle of a message"))

    def next_event(self) -> RequestHead | Data | EndOfMessage | Wait:
        """Return the next event; NEED_DATA when more octets are needed, PAUSED until start_next_cycle().

        Raises ProtocolError, and nothing else, if the peer breaks the protocol; and the same error again ever after.
        """
        state = self._receiving
        if state is _RECEIVED:
            return PAUSED
        try:
            return self._next_head() if state is _AWAITED else self._next_content()
        except ProtocolError as error:
            self._fail(error)

    def _next_head(self) -> RequestHead | Wait:
        buffer = self.buffer
        if not buffer:
            return NEED_DATA
        if self._scan is not None:
            check_lines(buffer, self._scan, self._limits, self._limits.head)
            if not self._scan.complete:
                return NEED_DATA
            self._scan = None
        parsed = parse_request_head(buffer, self._limits, self._previous)
        if parsed is None:
            self._scan = LineScan()
            check_lines(buffer, self._scan, self._limits, self._limits.head)
            return NEED_DATA
        head, size = parsed
        if size == len(buffer):
            self.buffer = b""
        else:
            self._drop(size)
        self._head = self._previous = head
        if head.has_body:
            self._reader = make_reader(head, self._limits)
            # RFC 9110 section 10.1.1: a server MUST ignore the expectation in an HTTP/1.0 request.
            self._uninvited = head.fields.expect is not None and head.version is not HttpVersion10
            self._receiving = RECEIVING_MOVES[self._receiving, Move.HEAD]
        else:
            self._receiving = _RECEIVED
        return head

    def _next_content(self) -> Data | EndOfMessage | Wait:
        if self._error is not None:
            raise self._error
        assert self._reader is not None, "content is awaited: its reader was made with the head"
        event, size = self._reader.read(self.buffer)
        if size:
            self._drop(size)
        if event is not NEED_DATA:
            self._uninvited = False
        if isinstance(event, EndOfMessage):
            self._receiving = RECEIVING_MOVES[self._receiving, Move.END]
            self._reader = None
        return event

    def _drop(self, size: int) -> None:
        """Remove octets that were taken from the front of the buffer."""
        buffer = self.buffer
        if size == len(buffer):
            self.buffer = b""
        elif isinstance(buffer, bytearray):
            del buffer[:size]
        else:
            rest = buffer[size:]
            # Little may be copied each time: the usual rest is the content of a small request.
            self.buffer = rest if len(rest) <= _LITTLE else bytearray(rest)

    def _fail(self, error: ProtocolError) -> NoReturn:
        if self._receiving is not Receiving.FAILED:
            self._receiving = RECEIVING_MOVES[self._receiving, Move.FAIL]
            self._error = error
            self._reader = None
            self.buffer = b""
        raise error

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """No exchange is going on, and not one octet of the next has arrived."""
        return self._receiving is Receiving.IDLE and not self.buffer

    @property
    def request_complete(self) -> bool:
        """The whole request has been received."""
        return self._receiving is Receiving.DONE

    @property
    def awaits_continue(self) -> bool:
        """The client has announced content and may wait for `100 Continue` before it sends it: nothing has come."""
        return (
            self._uninvited
            and not self.buffer
            and self._receiving is Receiving.CONTENT
            and self._sending is Sending.IDLE
        )

    @property
    def leaves_much(self) -> bool:
        """More of the request is still to come than anybody reads to save the connection: `Limits.lingering_bytes`.

        Who is not told that the connection closes might send the next request into it.
        """
        return self._reader is not None and self._reader.remaining - len(self.buffer) > self._limits.lingering_bytes

    @property
    def response_started(self) -> bool:
        """The head of the final response was sent."""
        return self._sending is not Sending.IDLE

    @property
    def response_complete(self) -> bool:
        """The whole response was sent; that of a switch to another protocol is its head."""
        return self._sending >= _SENT

    @property
    def persists(self) -> bool:
        """The response says that the connection persists, and nothing that came in forbids it."""
        return self.framing is not None and self.framing.keep_alive and self._receiving is not Receiving.FAILED

    # -- what goes out ---------------------------------------------------------------------------------------------

    def send_informational(self, status: int, fields: bytes = b"") -> bytes:
        """The octets of an interim response (1xx other than 101); none to HTTP/1.0, which does not know them."""
        self._send(Move.INFORMATIONAL)
        octets = encode_informational(status, fields)
        if status == 100:
            self._uninvited = False
        return b"" if self._head.version is HttpVersion10 else octets

    def send_response(self, status: int, reason: str, fields: bytes, content: bytes, keep_alive: bool = True) -> bytes:
        """The octets of a whole response. Content that may not be sent (HEAD, 204, 304 ...) is left out.

        Raises RuntimeError after the response has started.
        """
        if self._sending is not _UNSENT:
            raise self._illegal_move(Move.WHOLE)
        persists = (
            keep_alive
            and self._error is None
            and not self._uninvited
            and (self._reader is None or not self.leaves_much)
        )
        octets, framing = encode_response(self._head, status, reason, fields, content, persists)
        self._sending = _SWITCHED if framing.switches else _SENT
        self.framing = framing
        return octets

    def send_head(
        self,
        status: int,
        reason: str,
        fields: bytes,
        length: int | None,
        *,
        chunked: bool = False,
        keep_alive: bool = True,
    ) -> tuple[bytes, Framing]:
        """The octets of a response head, and how its content will be framed.

        `length` is the length of the content in bytes, None if it is not known. Raises RuntimeError after the
        response has started.
        """
        head = self._head
        persists = keep_alive and head.keep_alive and self._error is None and not self._uninvited
        framing = frame_response(head.method, head.version, status, length, persists, chunked)
        octets = encode_response_head(status, reason, fields, framing, length)
        self._send(Move.SWITCH if framing.switches else Move.HEAD)
        self.framing = framing
        self._to_send = length or 0
        return octets, framing

    def send_data(self, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
        """The octets that carry `data`: a chunk, `data` itself, or nothing where no content may be sent.

        Raises RuntimeError before the head, after the end, and for content beyond the announced length.
        """
        if self._sending is not _UNDER_WAY:
            self._send(Move.CONTENT)
        assert self.framing is not None, "Move.CONTENT is only legal after a head"
        kind = self.framing.kind
        if kind is _CHUNKED:
            return encode_chunk(data)
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if kind is _NONE or not size:
            return b""
        if kind is _LENGTH:
            self._count(size)
        return data

    def count_data(self, size: int) -> None:
        """Note that `size` octets of content are sent by another way: by the kernel, out of a file.

        Raises RuntimeError as `send_data` does, and in chunked content.
        """
        self._send(Move.CONTENT)
        kind = self.framing.kind if self.framing is not None else None
        if kind is BodyKind.CHUNKED:
            raise RuntimeError("chunked content cannot be sent without its framing")
        if kind is BodyKind.LENGTH:
            self._count(size)

    def _count(self, size: int) -> None:
        if size > self._to_send:
            raise RuntimeError(f"{size - self._to_send} bytes more than the announced Content-Length")
        self._to_send -= size

    def send_end(self, trailers: Iterable[tuple[str, str]] = ()) -> bytes:
        """The octets that end the content. Trailers are sent in chunked content only.

        Raises RuntimeError if the response is not under way, or if content is missing from the announced length: then
        the message can never be completed and the connection must be cut.
        """
        framing = self.framing
        if framing is not None and framing.kind is BodyKind.LENGTH and self._to_send:
            raise RuntimeError(f"{self._to_send} bytes less than the announced Content-Length")
        octets = b""
        if framing is not None and framing.kind is BodyKind.CHUNKED:
            octets = encode_last_chunk(trailers) if trailers else LAST_CHUNK
        self._send(Move.END)
        return octets

    def take_rest(self) -> bytes:
        """What the peer has sent behind a request that has switched to another protocol; it is no HTTP any more."""
        rest, self.buffer = bytes(self.buffer), b""
        return rest

    def start_next_cycle(self) -> bool:
        """Go on to the next request, if both messages are complete and the connection persists; tell whether."""
        if (
            self._receiving is not _RECEIVED
            or self._sending is not _SENT
            or self.framing is None
            or not self.framing.keep_alive
        ):
            return False
        self._receiving = _AWAITED
        self._sending = _UNSENT
        self._head = _NO_HEAD
        self.framing = None
        return True

    def _send(self, move: Move) -> None:
        try:
            self._sending = SENDING_MOVES[self._sending, move]
        except KeyError:
            raise self._illegal_move(move) from None

    def _illegal_move(self, move: Move) -> RuntimeError:
        why = ""
        if move in (Move.HEAD, Move.WHOLE, Move.SWITCH):
            why = "; no other can replace it: the handler is to return the response that it has begun"
        return RuntimeError(f"{move.name} of a response that is {self._sending.name}{why}")
