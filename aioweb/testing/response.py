"""TestResponse: an answer as the test client gives it, in the shape of aiohttp's, over one of httpx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any

import httpx
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aioweb import web
from aioweb.testing.eventstream import read_events, read_lines


class TestResponse:
    """An answer. Its head is here; its content comes as it is asked for.

    `httpx` is the response as httpx knows it.
    """

    __test__ = False

    def __init__(self, response: httpx.Response) -> None:
        self.httpx = response
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        self.headers = CIMultiDictProxy(CIMultiDict(pairs))
        """The headers."""

    def __repr__(self) -> str:
        return f"<TestResponse {self.method} {self.url} {self.status} {self.reason}>"

    @property
    def status(self) -> int:
        """The status code."""
        return self.httpx.status_code

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self.httpx.reason_phrase

    @property
    def ok(self) -> bool:
        """The status is below 400."""
        return self.status < 400

    @property
    def method(self) -> str:
        """The method of the request that was answered."""
        return self.httpx.request.method

    @property
    def url(self) -> URL:
        """The URL that has answered, after redirects."""
        return URL(str(self.httpx.url))

    @property
    def history(self) -> tuple[TestResponse, ...]:
        """The answers that redirected here, the first one first."""
        return tuple(TestResponse(response) for response in self.httpx.history)

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The charset of Content-Type; None without one."""
        return self.httpx.charset_encoding

    @property
    def content_length(self) -> int | None:
        """Content-Length; None without one."""
        length = self.headers.get("Content-Length")
        return None if length is None else int(length)

    @property
    def cookies(self) -> SimpleCookie:
        """The cookies that this answer sets, with their attributes."""
        cookies = SimpleCookie()
        for value in self.headers.getall("Set-Cookie", ()):
            cookies.load(value)
        return cookies

    async def read(self) -> bytes:
        """The whole content, with its Content-Encoding undone; kept for the next call."""
        return await self.httpx.aread()

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """The content as text, in the charset of Content-Type or UTF-8."""
        return (await self.read()).decode(encoding or self.charset or "utf-8", errors)

    async def json(self, *, loads: Callable[[str], Any] = json.loads) -> Any:
        """The content read as JSON, whatever its Content-Type says."""
        return loads(await self.text())

    def iter_any(self) -> AsyncIterator[bytes]:
        """The content piece by piece, as it comes."""
        return self.httpx.aiter_bytes()

    def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The content in pieces of `size` bytes, as it comes; the last one may be shorter."""
        return self.httpx.aiter_bytes(size)

    def iter_lines(self) -> AsyncIterator[str]:
        """The lines of the content, as they come, without their ends; UTF-8."""
        return read_lines(self.httpx.aiter_bytes())

    def events(self, *, comments: bool = False) -> AsyncIterator[web.ServerSentEvent]:
        """The events of an event stream, as they come. With `comments`, heartbeats too."""
        return read_events(self.httpx.aiter_bytes(), comments=comments)

    def raise_for_status(self) -> None:
        """Raise httpx.HTTPStatusError for a status of 400 or more."""
        if not self.ok:
            self.httpx.raise_for_status()

    async def release(self) -> None:
        """Let go: what was not read is lost, and its connection closes."""
        await self.httpx.aclose()

    async def close(self) -> None:
        """The same as `release`."""
        await self.httpx.aclose()

    async def __aenter__(self) -> TestResponse:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.release()
