"""mount() and ASGIHandler: where an ASGI application stands in an aioweb application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from aioweb import web
from aioweb.asgi.answers import Answer, answer_http
from aioweb.asgi.contract import HTTP_SPEC, ASGIApplication, Scope, takes
from aioweb.asgi.lifespan import Lifespan
from aioweb.asgi.sockets import answer_websocket

_NOTHING: Final[Mapping[str, Any]] = {}
# They speak of a coding that was undone: the application would do it once more, by a length that it no longer has.
_OF_ENCODED: Final = frozenset({b"content-encoding", b"content-length"})


class ASGIHandler:
    """A handler that lets an ASGI application answer. `mount` makes and registers one.

    It is a handler as any other. Where a route leads to it, the path of the route is the `root_path`; what follows, if
    the route ends with a part `/{path:.*}`, is the path below it ("path" holds both, as the specification says). The
    scope has the request as "aioweb.request".

    A client that goes does not cancel the application: it is told by `http.disconnect`, and by the OSError of `send`.
    What it does wrong (content before the start, two starts, content beyond Content-Length, no end) is an error that is
    raised in it, logged, and answered with 500, or by cutting the connection if the response has begun.

    Args:
        asgi_app: `await asgi_app(scope, receive, send)`.
        lifespan: run its lifespan with `self.lifespan`; None lets an application do without one, True makes that an
            error, False does not ask.
        websocket: arguments of the `WebSocketResponse`s that it accepts, such as `max_msg_size` and `heartbeat`.

    Raises TypeError for what cannot be called like that, a WSGI application for example.
    """

    def __init__(
        self,
        asgi_app: ASGIApplication,
        *,
        lifespan: bool | None = None,
        websocket: Mapping[str, Any] = _NOTHING,
    ) -> None:
        if not takes(asgi_app, {}, None, None):
            hint = "; add_subapp() mounts one of aioweb" if isinstance(asgi_app, web.Application) else ""
            raise TypeError(
                f"an ASGI application is callable with (scope, receive, send), and {asgi_app!r:.100} is not{hint}"
            )
        web.WebSocketResponse(**websocket)  # wrong ones are a mistake of today, not of the first client
        self._app = asgi_app
        self._websocket = websocket
        self._lifespan = Lifespan(asgi_app, lifespan)

    def __repr__(self) -> str:
        return f"<ASGIHandler {self._app!r}>"

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request by the application. Raises what the application raises."""
        scope = self._make_scope(request)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await answer_websocket(self._app, scope, request, self._websocket)
        scope["type"], scope["method"] = "http", request.method
        if "trailers" in request.headers.get("TE", "").lower() and scope["http_version"] == "1.1":
            scope["extensions"]["http.response.trailers"] = {}
        return await answer_http(self._app, scope, request, Answer(request))

    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """The lifespan of the application, as a cleanup context of ours."""
        await self._lifespan.start()
        try:
            yield
        finally:
            await self._lifespan.stop()

    def _make_scope(self, request: web.BaseRequest) -> Scope:
        head = request.head
        outside = _decode(request.root_path)
        scope: Scope = {
            "asgi": {"version": "3.0", "spec_version": HTTP_SPEC},
            "http_version": f"{head.version.major}.{head.version.minor}",
            "scheme": request.scheme,
            "path": outside + _decode(head.path),
            "raw_path": head.path.encode("utf-8", "surrogateescape"),
            "query_string": head.query.encode("utf-8", "surrogateescape"),
            "root_path": outside + _decode(_place(head.path, web.mount_depth(request))),
            "headers": _fields(request),
            "client": _client(request),
            "server": _server(request),
            "extensions": {},
            "aioweb.request": request,
        }
        if self._lifespan.state is not None:
            scope["state"] = dict(self._lifespan.state)
        return scope


def mount(
    app: web.Application, prefix: str, asgi_app: ASGIApplication, *, name: str | None = None, **options: Any
) -> ASGIHandler:
    """Serve an ASGI application below a path prefix of an application.

    Every method, every path and every WebSocket below is its to answer, also with 404. Its lifespan is a cleanup
    context of `app`: it starts and ends with it.

    Args:
        app: where it is mounted. Routes that were added before come first.
        prefix: such as "/shop"; "/" or "" for all paths.
        asgi_app: the application, of ASGI 3.
        name: `app.url_for(name, path="items/1")` is a URL below the prefix.
        options: those of `ASGIHandler`.

    Returns: the handler.

    Raises what `ASGIHandler` and `UrlDispatcher.add_mount` raise.
    """
    handler = ASGIHandler(asgi_app, **options)
    app.router.add_mount(prefix, handler, name=name)
    app.cleanup_ctx.append(handler.lifespan)
    return handler


def _place(path: str, depth: int) -> str:
    """The first segments of a raw path."""
    return "/".join(path.split("/", depth + 1)[: depth + 1])


def _decode(path: str) -> str:
    return unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def _fields(request: web.BaseRequest) -> list[tuple[bytes, bytes]]:
    is_decoded = request.body_exists and type(request.content) is not web.StreamReader
    fields = [(name.lower(), value) for name, value in request.raw_headers]
    if is_decoded:
        fields = [field for field in fields if field[0] not in _OF_ENCODED]
    # The name that counts: of an absolute target, or what a trusted proxy says.
    host = request.host.encode("utf-8", "surrogateescape")
    return [(name, host if name == b"host" else value) for name, value in fields]


def _client(request: web.BaseRequest) -> tuple[str, int] | None:
    remote, peername = request.remote, request.get_extra_info("peername")
    if remote is None:
        return None
    is_peer = isinstance(peername, (tuple, list)) and peername[0] == remote
    return remote, peername[1] if is_peer else 0  # a proxy tells the address, and no port


def _server(request: web.BaseRequest) -> tuple[str, int | None] | None:
    sockname = request.get_extra_info("sockname")
    if isinstance(sockname, (tuple, list)):
        return str(sockname[0]), int(sockname[1])
    return (str(sockname), None) if sockname else None
