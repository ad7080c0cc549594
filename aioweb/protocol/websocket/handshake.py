"""The server's side of the opening handshake, RFC 6455 section 4.2, and nothing of the connection that follows.

    asked = read_handshake(head)                               raises BadHandshake, which carries its answer
    protocol = choose_protocol(asked.protocols, known)         maybe
    deflate = choose_deflate(asked.extensions, PerMessageDeflate())
    fields = response_fields(asked, protocol, deflate)         of the 101, beside Connection
    WebSocketConnection(deflate=deflate)

`origin_allowed` is the one line that keeps other sites' pages from using a visitor's cookies (section 10.2).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha1

import attrs

from aioweb import hdrs
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import HttpVersion11, RequestHead
from aioweb.protocol.grammar import EXTENSION_PARAMETER, TOKEN, WEBSOCKET_KEY
from aioweb.protocol.websocket.deflate import EXTENSION, PerMessageDeflate

# RFC 6455 section 1.3: it shows that the server knows this protocol, and is no secret.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

Fields = tuple[tuple[str, str], ...]
Extension = tuple[str, tuple[tuple[str, str | None], ...]]
"""A name, and parameters with their values; None for a parameter without one."""


class BadHandshake(ProtocolError):
    """A request that opens no WebSocket.

    `status` answers it: 400, 405 for another method than GET, 426 for another version than 13; with `fields`, pairs of
    name and value, beside the content. The connection is as usable as before.
    """

    def __init__(self, reason: str, status: int = 400, fields: Fields = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.fields = fields


@attrs.frozen
class Handshake:
    """What a client asks for that may become a WebSocket."""

    key: str
    """Sec-WebSocket-Key: 16 octets as base64."""
    protocols: tuple[str, ...] = ()
    """Sec-WebSocket-Protocol: the subprotocols that it speaks, the preferred first."""
    extensions: tuple[Extension, ...] = ()
    """Sec-WebSocket-Extensions: what it offers, the preferred first; names may repeat."""
    origin: str | None = None
    """Origin: the site whose page asks; None if no browser does."""


def is_upgrade(head: RequestHead) -> bool:
    """Tell whether a request asks for a WebSocket at all: Connection has the option `upgrade`, Upgrade `websocket`.

    Options are whole words: `Connection: notupgrade` is no upgrade. Upgrade in HTTP/1.0 means nothing (RFC 9110
    section 7.8).
    """
    return (
        head.version >= HttpVersion11
        and "upgrade" in head.fields.options
        and any(name.lower() == "websocket" for name in _members(_joined(head, hdrs.UPGRADE)))
    )


def read_handshake(head: RequestHead) -> Handshake:
    """Read the opening handshake of a client (RFC 6455 section 4.2.1).

    Raises BadHandshake for a request that is none, or that asks for another version.
    """
    if head.method != "GET":
        raise BadHandshake(f"a WebSocket opens by GET, not by {head.method}"[:80], 405, ((hdrs.ALLOW, "GET"),))
    if not is_upgrade(head):
        raise BadHandshake("a WebSocket opens by an HTTP/1.1 request with Connection: Upgrade and Upgrade: websocket")
    if head.has_body:
        # What follows the head would be content to one reader and frames to another.
        raise BadHandshake("a WebSocket opens by a request without content")
    headers = head.fields.headers
    versions = headers.getall(hdrs.SEC_WEBSOCKET_VERSION, [])
    if len(versions) > 1:
        raise BadHandshake(f"Sec-WebSocket-Version is there {len(versions)} times (RFC 6455 section 11.3.5)")
    if versions != ["13"]:
        # Section 4.4: the client may try again with a version that it is told.
        fields = ((hdrs.UPGRADE, "websocket"), (hdrs.SEC_WEBSOCKET_VERSION, "13"))
        raise BadHandshake("the version of WebSocket is 13 (RFC 6455 section 4.4)", 426, fields)
    key = _single(head, hdrs.SEC_WEBSOCKET_KEY)
    if WEBSOCKET_KEY.fullmatch(key) is None or len(b64decode(key)) != 16:
        raise BadHandshake("Sec-WebSocket-Key is not 16 octets as base64 (RFC 6455 section 4.2.1)")
    protocols = tuple(_members(_joined(head, hdrs.SEC_WEBSOCKET_PROTOCOL)))
    if any(TOKEN.fullmatch(name) is None for name in protocols):
        raise BadHandshake("Sec-WebSocket-Protocol is not a list of tokens (RFC 6455 section 4.1)")
    extensions = parse_extensions(_joined(head, hdrs.SEC_WEBSOCKET_EXTENSIONS))
    return Handshake(key, protocols, extensions, headers.get(hdrs.ORIGIN))


def _single(head: RequestHead, name: str) -> str:
    values = head.fields.headers.getall(name, [])
    if len(values) != 1:
        raise BadHandshake(f"{name} is there {len(values)} times, not once (RFC 6455 section 4.2.1)")
    return values[0]


def _joined(head: RequestHead, name: str) -> str:
    """A list field; its lines are one list (RFC 9110 section 5.3)."""
    return ",".join(head.fields.headers.getall(name, []))


def _members(value: str) -> list[str]:
    members = [member.strip(" \t") for member in value.split(",")]
    return [member for member in members if member]


def parse_extensions(value: str) -> tuple[Extension, ...]:
    """Read Sec-WebSocket-Extensions (RFC 6455 section 9.1); raises BadHandshake for what breaks its grammar."""
    extensions: list[Extension] = []
    at, size = 0, len(value)
    while at < size:
        if value[at] in " \t,":
            at += 1
            continue
        name = TOKEN.match(value, at)
        parameters: list[tuple[str, str | None]] = []
        at = name.end() if name is not None else at
        while (found := EXTENSION_PARAMETER.match(value, at)) is not None:
            bare, quoted = found[2], found[3]
            parameters.append((found[1], quoted.replace("\\", "") if quoted else bare))
            at = found.end()
        rest = value[at:].lstrip(" \t") if value[at : at + 1] in {" ", "\t"} else value[at : at + 1]
        if name is None or (rest and rest[0] != ","):
            raise BadHandshake("Sec-WebSocket-Extensions is not a list of extensions (RFC 6455 section 9.1)")
        extensions.append((name[0], tuple(parameters)))
    return tuple(extensions)


def choose_protocol(offered: Iterable[str], known: Sequence[str] | frozenset[str] | set[str]) -> str | None:
    """The first subprotocol of the client's list that the server knows; None if there is none."""
    return next((name for name in offered if name in known), None)


def choose_deflate(offered: Iterable[Extension], wish: PerMessageDeflate) -> PerMessageDeflate | None:
    """What the first offer of permessage-deflate that can be accepted comes to (RFC 7692 section 5.1); None without."""
    for name, parameters in offered:
        if name == EXTENSION and (agreed := wish.accept(parameters)) is not None:
            return agreed
    return None


def accept_key(key: str) -> str:
    """The value of Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455 section 4.2.2, step 5.4)."""
    return b64encode(sha1((key + _GUID).encode()).digest()).decode()


def response_fields(
    asked: Handshake, protocol: str | None = None, deflate: PerMessageDeflate | None = None
) -> list[tuple[str, str]]:
    """The fields of the 101 that accepts a handshake (RFC 6455 section 4.2.2), for `encode.encode_fields`.

    Without Connection, which is written with every 101.
    """
    fields: list[tuple[str, str]] = [
        (hdrs.UPGRADE, "websocket"),
        (hdrs.SEC_WEBSOCKET_ACCEPT, accept_key(asked.key)),
    ]
    if protocol is not None:
        fields.append((hdrs.SEC_WEBSOCKET_PROTOCOL, protocol))
    if deflate is not None:
        fields.append((hdrs.SEC_WEBSOCKET_EXTENSIONS, str(deflate)))
    return fields


def origin_allowed(head: RequestHead, allowed: Iterable[str], host: str | None = None) -> bool:
    """Tell whether the page that asks belongs to an allowed site (RFC 6455 section 10.2).

    Args:
        head: The request. Without Origin no browser asks, and there is nothing to check; so it is allowed.
        allowed: Origins, as `https://example.org` or `http://localhost:8080`; `self` stands for the host that is asked.
        host: The host that is asked, where a proxy tells another one than the head.
    """
    origins = head.fields.headers.getall(hdrs.ORIGIN, [])
    if not origins:
        return True
    if len(origins) > 1:
        return False
    asked = host or head.authority or ""
    scheme, site = _origin(origins[0])
    for other in allowed:
        if other == "self":
            # The scheme that the client used is not known behind a proxy; the host it is, in Host.
            if site and site == _origin(f"{scheme}://{asked}")[1]:
                return True
        elif (scheme, site) == _origin(other):
            return True
    return False


def _origin(text: str) -> tuple[str, str]:
    """Scheme and host with a port that is not the scheme's own, in lower case (RFC 6454 section 4)."""
    scheme, _, host = text.lower().partition("://")
    return scheme, host.removesuffix(_DEFAULT_PORTS.get(scheme, ""))
