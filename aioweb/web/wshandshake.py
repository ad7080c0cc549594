"""The opening handshake of a WebSocket as a handler meets it: what is agreed on, or the exception that refuses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aioweb.protocol.websocket import (
    BadHandshake,
    Handshake,
    PerMessageDeflate,
    choose_deflate,
    choose_protocol,
    origin_allowed,
    read_handshake,
)
from aioweb.web.exceptions import (
    HTTPBadRequest,
    HTTPException,
    HTTPForbidden,
    HTTPMethodNotAllowed,
    HTTPServiceUnavailable,
    HTTPUpgradeRequired,
)

Compression = bool | int | PerMessageDeflate
"""Whether and how messages are compressed: bits of the window, or all parameters."""


Protocols = Sequence[str] | Callable[[Sequence[str]], str | None]
"""The subprotocols that the server speaks, or what chooses one of the client's."""


class _Ready(NamedTuple):
    ok: bool
    protocol: str | None


class WebSocketReady(_Ready):
    """Whether a request can be answered with a WebSocket, and its subprotocol. True or False by itself."""

    reason: str = ""
    """Why not."""

    def __bool__(self) -> bool:
        return self.ok


def read_compress(compress: Compression) -> PerMessageDeflate | None:
    """What `compress=` says. Raises TypeError and ValueError for what says nothing."""
    if isinstance(compress, PerMessageDeflate):
        return compress
    if compress is True or compress is False:
        return PerMessageDeflate() if compress else None
    if isinstance(compress, int):
        return PerMessageDeflate(server_max_window_bits=compress) if compress else None
    raise TypeError(f"compress must be a bool, bits of a window or a PerMessageDeflate, not {compress!r}")


def negotiate(
    request: Any, protocols: Protocols, wish: PerMessageDeflate | None, allowed_origins: Sequence[str] | None
) -> tuple[Handshake, str | None, PerMessageDeflate | None]:
    """What a request asks for, the subprotocol and the compression that are agreed on.

    Raises HTTPBadRequest, HTTPMethodNotAllowed or HTTPUpgradeRequired for a request that opens no WebSocket,
    HTTPForbidden for a page of another site, HTTPServiceUnavailable while the server stops, what `protocols` raises,
    and ValueError for a subprotocol that the client did not offer.
    """
    head = request.head
    try:
        asked = read_handshake(head)
    except BadHandshake as error:
        raise _refusal(head.method, error)
    if allowed_origins is not None and not origin_allowed(head, allowed_origins, request.host):
        raise HTTPForbidden(text="403: pages of this site may not open a WebSocket here")
    if request.writer.stopping:
        raise HTTPServiceUnavailable(text="503: the server stops")
    deflate = None if wish is None else choose_deflate(asked.extensions, wish)
    protocol = protocols(asked.protocols) if callable(protocols) else choose_protocol(asked.protocols, protocols)
    if protocol is not None and protocol not in asked.protocols:
        raise ValueError(f"the client speaks {asked.protocols}, and the subprotocol {protocol!r} was chosen for it")
    return asked, protocol, deflate


def _refusal(method: str, error: BadHandshake) -> HTTPException:
    text = f"{error.status}: {error}"
    if error.status == 405:
        return HTTPMethodNotAllowed(method, ["GET"], text=text)
    kind = HTTPUpgradeRequired if error.status == 426 else HTTPBadRequest
    return kind(text=text, headers=error.fields)
