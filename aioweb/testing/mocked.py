"""make_mocked_request: a request to call a handler with, without a server."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from multidict import CIMultiDict

from aioweb import HttpVersion, HttpVersion11, web


class _Nobody:
    """The protocol of a transport on which nobody speaks."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


def make_mocked_request(
    method: str,
    path: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    *,
    match_info: Mapping[str, str] | None = None,
    version: HttpVersion = HttpVersion11,
    closing: bool = False,
    app: web.Application | None = None,
    payload: bytes | str | web.StreamReader = b"",
    transport: Any = None,
    sslcontext: Any = None,
    remote: str = "127.0.0.1",
    client_max_size: int = 1024**2,
) -> web.Request:
    """A request for a handler that is called directly: `response = await handler(request)`.

    The name is aiohttp's; nothing of it is a mock. The real parser reads it, so what no server would accept is refused
    here too. No loop is needed to make it.

    Args:
        method: the method.
        path: with its query, encoded as on the wire.
        headers: Host and what frames the payload are added if they are not there.
        match_info: the parts of the path; None for those that the routes of `app` find in it.
        version: HTTP/1.1 or 1.0.
        closing: the client does not want the connection to persist.
        app: what `request.app` is.
        payload: the content; a StreamReader for content that comes while it is read.
        transport: what is asked for extra information and takes what the handler sends; by default one in memory.
        sslcontext: makes it a request over TLS.
        remote: the address of the client.
        client_max_size: of content that is collected, bytes; 0 is no limit.

    Raises ProtocolError for what the parser refuses, ValueError for a line break where none may be.
    """
    content = payload if isinstance(payload, web.StreamReader) else None
    octets = b"" if isinstance(payload, web.StreamReader) else payload
    if isinstance(octets, str):
        octets = octets.encode()
    fields = CIMultiDict(headers or {})
    fields.setdefault("Host", "localhost")
    if closing:
        fields["Connection"] = "close"
    if content is not None:
        fields["Transfer-Encoding"] = "chunked"
    elif octets and "Transfer-Encoding" not in fields:
        fields["Content-Length"] = str(len(octets))
    lines = [f"{method} {path} HTTP/{version.major}.{version.minor}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    for line in lines:
        if any(character in line for character in "\r\n"):
            raise ValueError(f"a line break ends a line: {line!r}")
    head = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")
    request = web.detached_request(
        head + b"\r\n" + octets,
        transport if transport is not None else _make_transport(remote, sslcontext),
        content=content,
        limits=web.Limits(client_max_size=client_max_size),
    )
    request.match_info = _match(request, match_info, app)
    return request


def _make_transport(remote: str, sslcontext: Any) -> web.MemoryTransport:
    extra = {"peername": (remote, 50000), "sockname": ("127.0.0.1", 80), "sslcontext": sslcontext}
    transport = web.MemoryTransport(_Nobody(), extra)  # type: ignore[arg-type]
    transport.set_write_buffer_limits(sys.maxsize)
    return transport


def _match(request: web.Request, match_info: Mapping[str, str] | None, app: web.Application | None) -> Any:
    found: web.UrlMappingMatchInfo | None = None
    if app is not None and isinstance(app.router, web.UrlDispatcher) and not app.router.needs_resolve:
        found = app.router.match(request.method, request.head.path, request.head.authority)
    if match_info is not None:
        route = found.route if found is not None else web.SystemRoute(web.HTTPNotFound())
        found = web.UrlMappingMatchInfo(match_info, route)
    elif found is None:
        found = web.UrlMappingMatchInfo({}, web.SystemRoute(web.HTTPNotFound()))
    if app is not None:
        found.add_app(app)
    return found
