"""What the ground tells the middle: plain values, made by the parser and never changed after.

A message is a `RequestHead`, then, if the head announced content, any number of `Data` and one `EndOfMessage`. A head
without content is its own end (`has_body` is False): most requests are, and an event for nothing has its price.

Nothing here is parsed before somebody asks: `FieldSection.raw` is the truth, `pairs` and `headers` are made from it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

import attrs
from multidict import CIMultiDict, CIMultiDictProxy


class HttpVersion(NamedTuple):
    """An HTTP version as (major, minor)."""

    major: int
    minor: int


HttpVersion10 = HttpVersion(1, 0)
HttpVersion11 = HttpVersion(1, 1)

RawFields = tuple[tuple[bytes, bytes], ...]

_KEPT: Final = 8
"""Single fields that a section remembers."""


def decode_fields(pairs: RawFields) -> CIMultiDictProxy[str]:
    """Fields as text: names are ASCII, values UTF-8, other octets as surrogates (PEP 383), so nothing is lost."""
    return CIMultiDictProxy(
        CIMultiDict((name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in pairs)
    )


@attrs.define(eq=False)
class FieldSection:
    """The validated field lines of a head, and what they say about framing and persistence.

    The facts are read once, when the section is validated; a connection hands the same object to the next request
    that repeats the section octet by octet (clients do), so it is shared and must never be changed.
    """

    raw: bytes
    """The field lines as received, each with its CRLF, and the empty line that ends them."""
    host: str | None = None
    """The value of Host; None without one. Valid by grammar."""
    content_length: int | None = None
    """The value of Content-Length in bytes; None without one."""
    chunked: bool = False
    """Transfer-Encoding is chunked."""
    options: frozenset[str] = frozenset()
    """The connection options (RFC 9110 section 7.6.1), in lower case."""
    expect: str | None = None
    """The value of Expect in lower case (RFC 9110 section 10.1.1); None without one."""
    _pairs: RawFields | None = attrs.field(default=None, init=False)
    _headers: CIMultiDictProxy[str] | None = attrs.field(default=None, init=False)
    _found: dict[str, str | None] | None = attrs.field(default=None, init=False)

    @property
    def pairs(self) -> RawFields:
        """Names and values as received, without the optional white space around a value."""
        if self._pairs is None:
            lines = self.raw[:-4].split(b"\r\n") if len(self.raw) > 4 else []
            partitions = [line.partition(b":") for line in lines]
            self._pairs = tuple((name, value.strip(b" \t")) for name, _, value in partitions)
        return self._pairs

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The same as text; see `decode_fields`."""
        if self._headers is None:
            self._headers = decode_fields(self.pairs)
        return self._headers

    def get(self, name: str) -> str | None:
        """The first value of a field, None without one: what `headers.get(name)` returns.

        It is for those who want to know one or two fields of many, where nobody else has asked for all: a tenth of the
        price. A few answers are kept: who asks asks the same of each request, and connections repeat their sections.
        """
        if self._headers is not None:
            return self._headers.get(name)
        found = self._found
        if found is None:
            found = self._found = {}
        if name in found:
            return found[name]
        value = self._find(name)
        if len(found) < _KEPT:
            found[name] = value
        return value

    def _find(self, name: str) -> str | None:
        raw, key = self.raw, name.lower().encode() + b":"
        lines = raw.lower()
        at = 0 if lines.startswith(key) else lines.find(b"\r\n" + key) + 2
        if at == 1:
            return None
        start = at + len(key)
        return raw[start : raw.index(b"\r\n", start)].strip(b" \t").decode("utf-8", "surrogateescape")


class RequestHead(NamedTuple):
    """The head of a request: request line and field section. A tuple: nothing is made faster, and it cannot change."""

    method: str
    """The method as sent; methods are case-sensitive tokens (RFC 9110 section 9.1)."""
    target: str
    """The request target as sent, in any of its four forms (RFC 9112 section 3.2)."""
    path: str
    """The path of the target, still percent-encoded, never empty; the target itself for `*` and for CONNECT."""
    query: str
    """The query of the target without its question mark, still percent-encoded."""
    authority: str | None
    """Who is asked: the authority of the target if it has one (it wins over Host), else Host; None without either."""
    version: HttpVersion
    """HTTP/1.0 or HTTP/1.1; a higher minor version is treated as 1.1 (RFC 9110 section 2.5)."""
    fields: FieldSection
    """The field section."""
    has_body: bool
    """Content follows: Data events and one EndOfMessage."""
    keep_alive: bool
    """The client lets the connection persist after this exchange (RFC 9112 section 9.3)."""
    line: bytes = b""
    """The request line as received, with its CRLF, by which the next head on the connection is compared."""


@attrs.define(eq=False)
class Data:
    """Some content of the message, any amount above none; where it is cut means nothing."""

    data: bytes


@attrs.define(eq=False)
class EndOfMessage:
    """The end of a message that had content, with the trailer fields that RFC 9110 section 6.5.1 lets pass."""

    trailers: RawFields = ()


class Wait(Enum):
    """Why there is no event now."""

    NEED_DATA = "more bytes of the peer are needed"
    PAUSED = "the exchange is not over; start_next_cycle() goes on"
    BUSY = "much was read that is no event yet; next_event() goes on"


NEED_DATA: Final = Wait.NEED_DATA
PAUSED: Final = Wait.PAUSED
BUSY: Final = Wait.BUSY

Event = RequestHead | Data | EndOfMessage
