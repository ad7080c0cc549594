"""Multipart content (RFC 2046 section 5.1, RFC 7578) without I/O: octets in, parts out, and the octets of parts.

    decoder = MultipartDecoder(read_boundary("multipart/form-data; boundary=x"))
    decoder.receive_data(b'--x\\r\\nContent-Disposition: form-data; name="a"\\r\\n\\r\\n1\\r\\n--x--\\r\\n')
    decoder.next_event()  # PartBegin, then Data(b"1"), PartEnd, EndOfMultipart, and NEED_DATA where more is needed

Content is never looked at by lines. A delimiter is CRLF "--" boundary, and no boundary holds a CR: so `bytes.find` for
the whole delimiter is linear whatever the content is made of, and the only octets whose meaning is open are those from
the last CR on, if they begin a delimiter. Everything before them leaves as one Data; what is kept is never longer than
a delimiter, or than `Limits.part_head` in the head of a part.

Where readers of multipart disagree, an attacker shows a file to one and another to the next. So this one is strict:
lines end in CRLF, a boundary is followed by the end of its line and nothing else, no line of a head is folded, and what
MIME lets stand once stands once. What is inside of a nested multipart is decoded by a decoder of its own; see `nested`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

import attrs
from multidict import CIMultiDictProxy

from aioweb.protocol.encode import encode_fields
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import NEED_DATA, Data, Wait, decode_fields
from aioweb.protocol.grammar import FIELD_SECTION
from aioweb.protocol.limits import Limits
from aioweb.protocol.mediatypes import read_content_type

PART_END = b"\r\n"
"""What is written behind the content of each part; it belongs to the delimiter that follows."""

MAX_DEPTH = 4
"""How deep multiparts may be nested, for each level reads all octets again. RFC 7578 knows one level of nesting."""

_DEFAULTS = Limits()

# RFC 2046 section 5.1.1
#   boundary      = 0*69<bchars> bcharsnospace
#   bcharsnospace = DIGIT / ALPHA / "'" / "(" / ")" / "+" / "_" / "," / "-" / "." / "/" / ":" / "=" / "?"
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
# What is read: any visible ASCII but quote and backslash. Thousands of programs for Android send boundary=*****.
_READABLE_BOUNDARY = re.compile(r"[ !#-\[\]-~]{0,69}[!#-\[\]-~]")
# transport-padding = *LWSP-char, which only transports may add and which means nothing.
_PADDING = re.compile(rb"[ \t]*")
# RFC 2045 section 3: each of the fields of MIME at most once. With two of them two readers see two parts.
_ONCE = {b"content-disposition", b"content-type", b"content-transfer-encoding", b"content-encoding", b"content-length"}


class MultipartError(ProtocolError):
    """The content is not the multipart that its Content-Type announced."""


class MultipartTooLarge(MultipartError):
    """Parts, or the head of one, are over their limit, which the message names."""

    status = 413


@attrs.define(eq=False)
class PartBegin:
    """The head of a part."""

    headers: CIMultiDictProxy[str]
    """Its fields; names are ASCII, values UTF-8 with other octets as surrogates (PEP 383)."""


@attrs.define(eq=False)
class PartEnd:
    """The content of the part is complete: the delimiter behind it has come."""


@attrs.define(eq=False)
class EndOfMultipart:
    """The closing delimiter has come; nothing behind it means anything."""


MultipartEvent = PartBegin | Data | PartEnd | EndOfMultipart
"""What a decoder tells, beside NEED_DATA: per part one PartBegin, any number of Data, one PartEnd."""


class _State(Enum):
    PREAMBLE = "before the first delimiter"
    DELIMITER = "behind a boundary"
    PADDING = "in the rest of a delimiter line"
    LAST_PADDING = "in the rest of the closing delimiter line"
    HEAD = "in the head of a part"
    CONTENT_START = "at the empty line between head and content"
    CONTENT = "in the content of a part"
    END = "behind the closing delimiter"


# Each by a name of its own: reading a member off its enum costs as much as a call on Python 3.11.
_PREAMBLE, _DELIMITER, _PADDED, _LAST_PADDED, _HEAD, _CONTENT_START, _CONTENT, _END = _State


def read_boundary(content_type: str) -> str:
    """The boundary that a Content-Type names, quoted or not.

    Raises MultipartError if it names none or two, or one with more than 70 characters, a space at its end, a quote, a
    backslash or what is not visible ASCII.
    """
    boundary = read_content_type(content_type).parameters.get("boundary")
    if not boundary:
        raise MultipartError("multipart content without a boundary in its Content-Type")
    if content_type.lower().count("boundary=") > 1:
        # A first reader takes the first, a second one the last.
        raise MultipartError("multipart content with two boundaries in its Content-Type")
    if len(boundary) > 70:
        raise MultipartError("a multipart boundary has at most 70 characters (RFC 2046 section 5.1.1)")
    if _READABLE_BOUNDARY.fullmatch(boundary) is None:
        raise MultipartError("an illegal character in a multipart boundary (RFC 2046 section 5.1.1)")
    return boundary


class MultipartDecoder:
    """Takes the octets of multipart content apart. Call `receive_data`, then `next_event` until it is NEED_DATA.

    Args:
        boundary: as `read_boundary` gives it.
        limits: `parts`, `part_fields` and `part_head` are obeyed here.

    Raises ValueError for what can be no boundary.
    """

    __slots__ = (
        "_arrived",
        "_buffer",
        "_checked",
        "_count",
        "_delimiter",
        "_depth",
        "_error",
        "_in_part",
        "_is_complete",
        "_limits",
        "_position",
        "_state",
    )

    def __init__(self, boundary: str | bytes, limits: Limits = _DEFAULTS) -> None:
        name = boundary if isinstance(boundary, str) else boundary.decode("latin-1")
        if _READABLE_BOUNDARY.fullmatch(name) is None:
            raise ValueError(f"a multipart boundary is 1 to 70 visible characters of ASCII, not {name!r:.80}")
        self._limits = limits
        self._delimiter = b"\r\n--" + name.encode()
        self._state = _PREAMBLE
        # The CRLF of the first delimiter may be missing, for nothing has to stand before it.
        self._buffer = b"\r\n"
        self._position = 0
        self._arrived: list[bytes] = []
        self._checked = 0
        self._in_part = False
        self._is_complete = False
        self._error: MultipartError | None = None
        self._count = [0]
        self._depth = 1

    def nested(self, boundary: str | bytes) -> MultipartDecoder:
        """A decoder for the content of a part that is multipart itself. Its parts count together with those here.

        Raises MultipartTooLarge for more than `MAX_DEPTH` levels.
        """
        decoder = MultipartDecoder(boundary, self._limits)
        decoder._count = self._count
        decoder._depth = self._depth + 1
        if decoder._depth > MAX_DEPTH:
            raise MultipartTooLarge(f"multipart content is nested more than {MAX_DEPTH} levels deep")
        return decoder

    def receive_data(self, data: bytes) -> None:
        """Take octets of the content, cut anywhere. Raises RuntimeError after `receive_eof`."""
        if self._is_complete:
            raise RuntimeError("receive_data() after receive_eof()")
        if data and self._state is not _END and self._error is None:
            self._arrived.append(bytes(data))

    def receive_eof(self) -> None:
        """The content ends here. Without a closing delimiter in it, `next_event` will raise MultipartError."""
        self._is_complete = True

    def next_event(self) -> MultipartEvent | Wait:
        """The next event, or NEED_DATA; EndOfMultipart again and again after the end.

        Raises MultipartError for content that is no multipart, or ended too early, and the same one ever after.
        """
        if self._error is not None:
            raise type(self._error)(*self._error.args)
        if self._arrived:
            self._join()
        try:
            event = self._step()
            if event is NEED_DATA and self._is_complete:
                raise MultipartError("the content ended in the middle of a multipart message")
        except MultipartError as error:
            # Kept without its traceback, whose frames hold on to the octets.
            self._error = type(error)(*error.args)
            self._buffer = b""
            raise
        if event is NEED_DATA:
            self._buffer = self._buffer[self._position :]
            self._position = 0
        return event

    def _join(self) -> None:
        # Content that arrives in the middle of a file, with nothing kept before it, is not copied here.
        self._arrived.insert(0, self._buffer[self._position :])
        self._buffer = self._arrived[1] if len(self._arrived) == 2 and not self._arrived[0] else b"".join(self._arrived)
        self._position = 0
        self._arrived = []

    def _step(self) -> MultipartEvent | Wait:
        while True:
            event: MultipartEvent | Wait | None
            state = self._state
            if state is _CONTENT or state is _PREAMBLE:
                event = self._read_content()
            elif state is _DELIMITER:
                event = self._read_delimiter()
            elif state is _PADDED or state is _LAST_PADDED:
                event = self._read_padding()
            elif state is _HEAD:
                event = self._read_head()
            elif state is _CONTENT_START:
                event = self._read_content_start()
            else:
                event = EndOfMultipart()
            if event is not None:
                return event

    def _read_content(self) -> Data | Wait | None:
        """All that is certain to stand before the next delimiter."""
        start = self._position
        end = self._buffer.find(self._delimiter, start)
        is_preamble = self._state is _PREAMBLE
        if end >= 0:
            self._position = end + len(self._delimiter)
            self._state = _DELIMITER
        else:
            end = self._position = self._certain_end(start)
        if end > start and not is_preamble:
            return Data(self._buffer[start:end])
        return None if self._state is _DELIMITER else NEED_DATA

    def _certain_end(self, start: int) -> int:
        """Where the buffer, which holds no delimiter, may begin one."""
        last = self._buffer.rfind(b"\r", max(start, len(self._buffer) - len(self._delimiter) + 1))
        return last if last >= 0 and self._delimiter.startswith(self._buffer[last:]) else len(self._buffer)

    def _read_delimiter(self) -> PartEnd | Wait | None:
        """Two hyphens right behind a boundary make it the last one."""
        two = self._buffer[self._position : self._position + 2]
        if two == b"\r\n":
            return self._begin_head()
        if two == b"--":
            self._position += 2
            self._state = _LAST_PADDED
        elif b"--".startswith(two):
            return NEED_DATA
        else:
            self._state = _PADDED
        return None

    def _read_padding(self) -> PartEnd | Wait | None:
        """Transport padding and CRLF, in place of which the content may end behind the last boundary.

        RFC 2046 says that a line which merely begins with a boundary is a delimiter, most readers that it is content.
        """
        padding = _PADDING.match(self._buffer, self._position)
        self._position = padding.end() if padding is not None else self._position
        line_end = self._buffer[self._position : self._position + 2]
        is_last = self._state is _LAST_PADDED
        if line_end != b"\r\n":
            if not b"\r\n".startswith(line_end):
                raise MultipartError("a multipart boundary is not followed by CRLF")
            if not (is_last and self._is_complete):
                return NEED_DATA
        if not is_last:
            return self._begin_head()
        self._state = _END
        return self._end_part()

    def _begin_head(self) -> PartEnd | None:
        # The CRLF is left: a head without fields is the empty line that it begins.
        self._state = _HEAD
        self._checked = 0
        return self._end_part()

    def _end_part(self) -> PartEnd | None:
        if not self._in_part:
            return None
        self._in_part = False
        return PartEnd()

    def _read_head(self) -> PartBegin | Wait:
        """Field lines and the empty line behind them; the CRLF of the delimiter line stands before them."""
        start, limit = self._position, self._limits.part_head
        end = self._buffer.find(b"\r\n\r\n", start + self._checked)
        size = end + 2 - start if end >= 0 else len(self._buffer) - start - 1
        if size > limit:
            raise MultipartTooLarge(f"the head of a part is longer than {limit} bytes")
        if end < 0:
            self._checked = max(0, len(self._buffer) - start - 3)
            return NEED_DATA
        self._count[0] += 1
        if self._count[0] > self._limits.parts:
            raise MultipartTooLarge(f"more than {self._limits.parts} parts")
        headers = self._read_fields(start, end)
        self._position = end + 2
        self._state = _CONTENT_START
        self._in_part = True
        return PartBegin(headers)

    def _read_fields(self, start: int, end: int) -> CIMultiDictProxy[str]:
        section = self._buffer[start + 2 : end + 4]
        if section.count(b"\r\n") - 1 > self._limits.part_fields:
            raise MultipartTooLarge(f"more than {self._limits.part_fields} fields in the head of a part")
        if self._buffer.find(self._delimiter, start, end) >= 0:
            # A boundary may look like a field: "--a:b".
            raise MultipartError("a multipart boundary in the head of a part")
        return _parse_fields(section)

    def _read_content_start(self) -> Wait | None:
        """A delimiter may follow the head at once: the empty line is then its CRLF (RFC 2046, `body-part`)."""
        first = self._buffer[self._position : self._position + len(self._delimiter)]
        if first == self._delimiter:
            self._position += len(self._delimiter)
            self._state = _DELIMITER
        elif self._delimiter.startswith(first):
            return NEED_DATA
        else:
            self._position += 2
            self._state = _CONTENT
        return None


@lru_cache(maxsize=256)
def _parse_fields(section: bytes) -> CIMultiDictProxy[str]:
    """The fields of a part. Those of the last 256 different heads are remembered: a form is sent again and again."""
    if FIELD_SECTION.fullmatch(section) is None:
        raise MultipartError("the head of a part has a line that is no field, is folded or holds a control")
    partitions = [line.partition(b":") for line in section.split(b"\r\n")[:-2]]
    names = [name.lower() for name, _, _ in partitions]
    if len(set(names)) < len(names) and any(names.count(name) > 1 for name in _ONCE):
        raise MultipartError("the head of a part repeats a field that may stand once")
    return decode_fields(tuple((name, value.strip(b" \t")) for name, _, value in partitions))


def make_boundary() -> str:
    """A boundary that nobody can foresee, so that no content can be made to hold it: 128 bits, 32 characters."""
    return secrets.token_hex(16)


def check_boundary(boundary: str) -> str:
    """Return `boundary`, which is to be written; raise ValueError if it breaks RFC 2046 section 5.1.1."""
    if _BOUNDARY.fullmatch(boundary) is None:
        raise ValueError(f"a multipart boundary is 1 to 70 letters, digits or '()+_,-./:=? , not {boundary!r:.80}")
    return boundary


def encode_part_head(boundary: str, pairs: Iterable[tuple[str, str]]) -> bytes:
    """The delimiter line and the head of a part. Its content follows, and then `PART_END`.

    Args:
        boundary: checked by `check_boundary`, or made by `make_boundary`.
        pairs: names and values of the fields.

    Raises ValueError for a field with CR, LF, NUL or another control; see `encode_fields`.
    """
    return b"--%b\r\n%b\r\n" % (boundary.encode(), encode_fields(pairs))


def encode_last_boundary(boundary: str) -> bytes:
    """The closing delimiter line, which stands behind the `PART_END` of the last part."""
    return b"--%b--\r\n" % boundary.encode()
