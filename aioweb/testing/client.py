"""TestClient: asks a server of the test kit, keeps its cookies, and gives answers as aiohttp's test client does.

Below is an `httpx.AsyncClient`; `client.httpx` is for those who want its API. What goes wrong on the way raises what
httpx raises, in memory and on a socket alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

import httpx
from httpx import Cookies
from multidict import CIMultiDict
from yarl import URL

from aioweb import web
from aioweb.testing.content import encode_data
from aioweb.testing.response import TestResponse
from aioweb.testing.server import PATIENCE, BaseTestServer, TestServer
from aioweb.testing.transport import MemoryHTTPTransport
from aioweb.testing.websocket import TestWebSocket, open_websocket

_C = TypeVar("_C", bound="TestClient")
_T = TypeVar("_T", bound=AbstractAsyncContextManager[Any, Any])

_CLIENTS_OWN: Final[Any] = httpx.USE_CLIENT_DEFAULT

HeadersLike = Mapping[str, str] | Iterable[tuple[str, str]]
"""Header fields, as a mapping or as pairs."""


class Asking(Generic[_T]):
    """Something on its way. Await it, or enter it with `async with`; it is closed at the end of that."""

    def __init__(self, coro: Coroutine[Any, Any, _T]) -> None:
        self._coro = coro

    def __await__(self) -> Generator[Any, Any, _T]:
        return self._coro.__await__()

    async def __aenter__(self) -> _T:
        self._answer = await self._coro
        return self._answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._answer.__aexit__(kind, error, trace)


class TestClient:
    """A client of a test server. `async with`, or `start_server()` and `close()`.

    Args:
        server: a test server, or an application, for which one is made.
        in_memory: for an application: without a socket.
        cookies: to begin with.
        options: for `httpx.AsyncClient`, such as `headers`, `auth`, `timeout` (10 seconds by default) and `verify`.

    Raises TypeError if there is nothing to ask.
    """

    __test__ = False

    def __init__(
        self,
        server: BaseTestServer | web.Application,
        *,
        in_memory: bool = True,
        cookies: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        if isinstance(server, web.Application):
            server = TestServer(server, in_memory=in_memory)
        if not isinstance(server, BaseTestServer):
            raise TypeError(f"TestClient takes a test server or an Application, not {server!r}")
        self.server = server
        """The server that is asked."""
        self._options = options
        self._cookies = dict(cookies or {})
        self._httpx: httpx.AsyncClient | None = None
        self._responses: list[httpx.Response] = []
        self._websockets: list[TestWebSocket] = []

    @property
    def app(self) -> web.Application | None:
        """The application that is served; None for a handler without one."""
        return self.server.app if isinstance(self.server, TestServer) else None

    @property
    def host(self) -> str:
        """The host of the server."""
        return self.server.host

    @property
    def port(self) -> int:
        """The port of the server."""
        return self.server.port

    @property
    def httpx(self) -> httpx.AsyncClient:
        """The client below, for those who want its API. RuntimeError before the start."""
        if self._httpx is None:
            raise RuntimeError("the test client has not started: await start_server(), or use `async with`")
        return self._httpx

    @property
    def cookies(self) -> Cookies:
        """The cookies that are kept; they may be changed."""
        return self.httpx.cookies

    def make_url(self, path: str | URL = "/") -> URL:
        """The whole URL of a path."""
        return self.server.make_url(path)

    async def start_server(self) -> None:
        """Start the client, and the server if it does not serve already."""
        server = self.server
        await server.start_server()
        if self._httpx is None:
            options: dict[str, Any] = {"timeout": 10.0, "trust_env": False, **self._options}
            if server.in_memory:
                options["transport"] = MemoryHTTPTransport(server.connect, server.host, server.port)
            else:
                # See MemoryHTTPTransport.
                options.setdefault("limits", httpx.Limits(max_connections=None, max_keepalive_connections=10))
            self._httpx = httpx.AsyncClient(base_url=str(self.make_url()), cookies=self._cookies, **options)

    def request(
        self,
        method: str,
        path: str | URL,
        *,
        params: Any = None,
        data: Any = None,
        json: Any = None,
        headers: HeadersLike = (),
        cookies: Mapping[str, str] | None = None,
        auth: Any = _CLIENTS_OWN,
        allow_redirects: bool = True,
        **options: Any,
    ) -> Asking[TestResponse]:
        """Ask. Await it, or use it with `async with`: both give a `TestResponse` whose content is still to be read.

        Args:
            method: the method.
            path: or a whole URL of this server.
            params: the query: a mapping, pairs or text.
            data: a form: a mapping, or (name, value) pairs; a value that is a file, or a tuple (file name, content[,
                type]), makes it multipart. Or content: bytes, str, a file, an asynchronous iterable of bytes, a
                `web.MultipartWriter`.
            json: the content, as JSON.
            headers: for this request, beside those of the client.
            cookies: for this request, beside those that are kept.
            auth: user and password, or what else httpx takes.
            allow_redirects: follow them.
            options: for `httpx.AsyncClient.build_request`, such as `timeout` and `files`.
        """
        if isinstance(auth, web.BasicAuth):
            auth = httpx.BasicAuth(auth.login, auth.password)
        encoded, defaults = encode_data(data)
        fields = CIMultiDict(headers)
        for name, value in defaults.items():
            fields.setdefault(name, value)
        if params is not None:
            options["params"] = params
        if json is not None:
            options["json"] = json
        asked = {"headers": list(fields.items()), "cookies": cookies, **encoded, **options}
        return Asking(self._request(method, path, asked, auth, allow_redirects))

    async def _request(
        self, method: str, path: str | URL, asked: dict[str, Any], auth: Any, allow_redirects: bool
    ) -> TestResponse:
        client = self.httpx
        request = client.build_request(method, str(self.make_url(path)), **asked)
        response = await client.send(request, stream=True, auth=auth, follow_redirects=allow_redirects)
        self._responses = [earlier for earlier in self._responses if not earlier.is_closed]
        self._responses.append(response)
        return TestResponse(response)

    def get(self, path: str | URL, **options: Any) -> Asking[TestResponse]:
        """`request` with GET."""
        return self.request("GET", path, **options)

    def post(self, path: str | URL, **options: Any) -> Asking[TestResponse]:
        """`request` with POST."""
        return self.request("POST", path, **options)

    def put(self, path: str | URL, **options: Any) -> Asking[TestResponse]:
        """`request` with PUT."""
        return self.request("PUT", path, **options)

    def patch(self, path: str | URL, **options: Any) -> Asking[TestResponse]:
        """`request` with PATCH."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str | URL, **options: Any) -> Asking[TestResponse]:
        """`request` with DELETE."""
        return self.request("DELETE", path, **options)

    def head(self, path: str | URL, **options: Any) -> Asking[TestResponse]:
        """`request` with HEAD; redirects are not followed if it is not said."""
        return self.request("HEAD", path, **{"allow_redirects": False, **options})

    def options(self, path: str | URL, **options: Any) -> Asking[TestResponse]:
        """`request` with OPTIONS."""
        return self.request("OPTIONS", path, **options)

    def ws_connect(
        self,
        path: str | URL,
        *,
        protocols: Iterable[str] = (),
        headers: HeadersLike = (),
        origin: str | None = None,
        compress: bool = False,
        autoping: bool = True,
        timeout: float | None = 10.0,
    ) -> Asking[TestWebSocket]:
        """Open a WebSocket. Await it, or use it with `async with`: both give a `TestWebSocket`.

        Args:
            path: or a whole URL of this server.
            protocols: subprotocols to offer, the best first.
            headers: for the handshake, beside those of the client; cookies go along.
            origin: the Origin field.
            compress: offer permessage-deflate.
            autoping: answer pings; if False, `receive` gives them, and pongs.
            timeout: seconds that every step may take; None for no limit.

        Raises WebSocketRefused, with the answer, if the server refuses.
        """
        fields = CIMultiDict(headers)
        if origin is not None:
            fields["Origin"] = origin
        return Asking(self._ws_connect(path, list(protocols), list(fields.items()), compress, autoping, timeout))

    async def _ws_connect(
        self,
        path: str | URL,
        protocols: list[str],
        fields: list[tuple[str, str]],
        compress: bool,
        autoping: bool,
        timeout: float | None,
    ) -> TestWebSocket:
        # What httpx would send: cookies for this path, the client's own headers.
        request = self.httpx.build_request("GET", str(self.make_url(path)), headers=fields)
        websocket = await open_websocket(
            self.server,
            request,
            protocols=protocols,
            compress=compress,
            autoping=autoping,
            timeout=timeout,
            verify=self._options.get("verify"),
        )
        self._websockets = [earlier for earlier in self._websockets if not earlier.closed]
        self._websockets.append(websocket)
        return websocket

    async def close(self, *, check_tasks: bool = True) -> None:
        """Close everything: WebSockets, responses, connections, and the server. Harmless the second time.

        Raises what `TestServer.close` raises.
        """
        client, self._httpx = self._httpx, None
        async with AsyncExitStack() as ends:  # in reverse, and all of them, whatever one raises
            ends.push_async_callback(self.server.close, check_tasks=check_tasks)
            if client is not None:
                ends.push_async_callback(client.aclose)
            while self._responses:
                ends.push_async_callback(self._responses.pop().aclose)
            websockets, self._websockets = self._websockets, []
            await asyncio.gather(*(websocket.close(timeout=PATIENCE) for websocket in websockets))

    async def __aenter__(self: _C) -> _C:
        await self.start_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(check_tasks=error is None)
