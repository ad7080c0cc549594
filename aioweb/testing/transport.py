"""httpx over a connection in memory: a transport for its AsyncClient, on the connection pool of httpcore."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpcore
import httpx

from aioweb.testing.clock import in_real_time
from aioweb.web import MemoryClient


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, client: MemoryClient) -> None:
        self._client = client

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await in_real_time(self._client.read(max_bytes), timeout)
        except asyncio.TimeoutError:
            raise httpcore.ReadTimeout("the server has not answered in time") from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            await in_real_time(self._client.write(buffer), timeout)
        except asyncio.TimeoutError:
            raise httpcore.WriteTimeout("the server has not read in time") from None
        except ConnectionResetError as error:
            raise httpcore.WriteError(str(error)) from None

    async def aclose(self) -> None:
        self._client.close()

    def get_extra_info(self, info: str) -> Any:
        # The pool asks for it: an idle connection that is readable was closed by the server.
        return self._client.readable if info == "is_readable" else None


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, connect: Callable[[], MemoryClient], host: str, port: int) -> None:
        self._connect = connect
        self._address = (host, port)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if (host, port) != self._address:
            raise httpcore.ConnectError(f"in memory there is only {self._address}, not {(host, port)}")
        return _Stream(self._connect())


class _Content(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except _FAILURES as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


def _translated(error: Exception) -> httpx.HTTPError:
    """The exception of httpx that has the name of httpcore's."""
    kind: type[httpx.HTTPError] = getattr(httpx, type(error).__name__)
    return kind(str(error))


class MemoryHTTPTransport(httpx.AsyncBaseTransport):
    """What `httpx.AsyncClient(transport=...)` takes, to ask a server in memory.

    Args:
        connect: opens a connection; `TestServer.connect` does.
        host, port: of the server; nobody else can be reached.
    """

    def __init__(self, connect: Callable[[], MemoryClient], host: str = "127.0.0.1", port: int = 80) -> None:
        # A response that nobody has read holds its connection, and tests often read no more than the status.
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=None, max_keepalive_connections=10, network_backend=_Backend(connect, host, port)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        url = request.url
        try:
            answer = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except _FAILURES as error:
            raise _translated(error) from error
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Content(answer.stream),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
