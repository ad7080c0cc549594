"""Which content follows a response head, and does the connection persist: RFC 9112 sections 6.3 and 9.3.

The one place that decides. Neither the roof nor the middle looks at methods or statuses to find out how a message
ends, and the writer of a head and the writer of its content cannot disagree. The requests' side of the same rules
(is there content, does the client let the connection persist) is read off the head in head.py.
"""

from __future__ import annotations

from enum import Enum

import attrs

from aioweb.protocol.events import HttpVersion, HttpVersion10


class BodyKind(Enum):
    """How the content of a message is delimited."""

    NONE = "no content, whatever the fields say"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "the end of the connection"


@attrs.frozen(eq=False)
class Framing:
    """How a response ends and whether the connection survives it. All there can be are made once, below."""

    kind: BodyKind
    """How the content on the wire is delimited."""
    keep_alive: bool
    """The connection persists after this exchange."""
    announces_length: bool
    """The length of the content goes into the head, though maybe no content follows (HEAD, 304)."""
    fields: bytes
    """The other field lines of the framing: Transfer-Encoding and Connection; the Content-Length of what has none."""
    switches: bool = False
    """After the head the connection speaks another protocol."""

    @property
    def chunked(self) -> bool:
        """The content goes out in chunks."""
        return self.kind is BodyKind.CHUNKED


_CHUNKED_FIELD = b"Transfer-Encoding: chunked\r\n"
# RFC 9112 section 9.3: silence means close to HTTP/1.0 and keep-alive to HTTP/1.1; section 9.6: say so before closing.
_CLOSE, _PERSIST, _PERSIST_10 = range(3)
_CONNECTION_FIELDS = (b"Connection: close\r\n", b"", b"Connection: keep-alive\r\n")


def _make(kind: BodyKind, *, length: bool = False, fields: bytes = b"") -> tuple[Framing, ...]:
    """The three framings of one kind, by what the Connection field has to say."""
    return tuple(
        Framing(kind, index != _CLOSE, length, fields + field) for index, field in enumerate(_CONNECTION_FIELDS)
    )


_BARE = _make(BodyKind.NONE)
_NO_CONTENT_WITH_LENGTH = _make(BodyKind.NONE, length=True)
_NO_CONTENT_CHUNKED = _make(BodyKind.NONE, fields=_CHUNKED_FIELD)
_LENGTH = _make(BodyKind.LENGTH, length=True)
_CHUNKED = _make(BodyKind.CHUNKED, fields=_CHUNKED_FIELD)
_UNTIL_CLOSE = _make(BodyKind.UNTIL_CLOSE)[_CLOSE]
# RFC 9110 section 15.3.6: a 205 has no content, and says so.
_RESET = _make(BodyKind.NONE, fields=b"Content-Length: 0\r\n")
_UPGRADE = Framing(BodyKind.NONE, False, False, b"Connection: upgrade\r\n", switches=True)
_TUNNEL = Framing(BodyKind.NONE, False, False, b"", switches=True)

SPECIAL_METHODS = frozenset({"HEAD", "CONNECT"})
"""The methods whose responses may have no content though their status has."""
WITHOUT_CONTENT = frozenset({*range(100, 200), 204, 205, 304})
"""The statuses that never have content."""


def frame_response(
    method: str,
    version: HttpVersion,
    status: int,
    length: int | None,
    keep_alive: bool,
    chunked: bool = False,
) -> Framing:
    """Decide the framing of a response.

    Args:
        method, version: of the request.
        status: of the response, final or 101.
        length: of the content in bytes; None if it is not known yet. For HEAD and 304 the one that GET would have.
        keep_alive: both sides want the connection to persist.
        chunked: the chunked coding is wanted though the length may be known.
    """
    if keep_alive:
        connection = _PERSIST if version is not HttpVersion10 else _PERSIST_10
    else:
        connection = _CLOSE
    # The usual case first: a status that has content, to a method that asks for it, of a length that is known.
    if length is not None and not chunked and method not in SPECIAL_METHODS and status not in WITHOUT_CONTENT:
        return _LENGTH[connection]
    # Step 2, RFC 9110 section 9.3.6: a 2xx to CONNECT opens a tunnel, its head ends the message.
    if method == "CONNECT" and 200 <= status < 300:
        return _TUNNEL
    # Step 1: 1xx, 204 and 304 have no content. RFC 9110 section 8.6: no Content-Length in 1xx and 204, and
    # RFC 9112 section 6.1: no Transfer-Encoding either; a 304 may tell the length that the 200 would have had.
    if status == 101:
        return _UPGRADE
    if status < 200 or status == 204:
        return _BARE[connection]
    if status == 304:
        return _NO_CONTENT_WITH_LENGTH[connection] if length else _BARE[connection]
    if status == 205:
        return _RESET[connection]
    chunked = (chunked or length is None) and version is not HttpVersion10
    # Step 1: no response to HEAD has content, but its fields are those of GET (RFC 9110 section 9.3.2).
    if method == "HEAD":
        if chunked:
            return _NO_CONTENT_CHUNKED[connection]
        return _BARE[connection] if length is None else _NO_CONTENT_WITH_LENGTH[connection]
    # Steps 4 and 6.
    if chunked:
        return _CHUNKED[connection]
    if length is not None:
        return _LENGTH[connection]
    # Step 8: to HTTP/1.0 without a length only the end of the connection ends the content.
    return _UNTIL_CLOSE
