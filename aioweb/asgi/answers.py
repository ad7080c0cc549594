"""What a mounted application sends, as a response of aioweb; and what it receives of the request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from aioweb import web
from aioweb.asgi.contract import ASGIApplication, Message, Scope

_IGNORED: Final = frozenset({"transfer-encoding"})  # the specification: framing is the server's


def decode_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """The fields of a message, for a response. What a field may not hold is refused when it is sent."""
    pairs = [
        (bytes(name).decode("latin-1"), bytes(value).decode("utf-8", "surrogateescape")) for name, value in headers
    ]
    return [pair for pair in pairs if pair[0].lower() not in _IGNORED]


class Answer:
    """The response to one request, message by message. The head goes out with the first content.

    Args:
        request: what is answered.
        prefix: of the types of messages.
    """

    def __init__(self, request: web.BaseRequest, prefix: str = "http.response") -> None:
        self._request = request
        self._prefix = prefix
        self._head: Message | None = None
        self._wants_trailers = False
        self.response: web.StreamResponse | None = None
        """The response; None before its head was sent."""
        self.complete = asyncio.Event()
        """Set when all of it was sent."""
        self.is_gone = False
        """The application was told, by an exception, that the client is gone."""

    async def send(self, message: Message) -> None:
        """Take a message, and wait as long as the client is slow. What comes after the end is ignored.

        Raises RuntimeError and ValueError for what may not be sent, ClientDisconnectedError if the client is gone.
        """
        if self.complete.is_set():
            return
        kind = message["type"]
        if kind == f"{self._prefix}.start":
            self._begin(message)
        elif self._head is None:
            raise RuntimeError(f"{self._prefix}.start must come before {kind!r}")
        elif kind == f"{self._prefix}.body":
            try:
                await self._write(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))
            except web.ClientDisconnectedError:
                self.is_gone = True
                raise
        elif kind == f"{self._prefix}.trailers" and self._wants_trailers and self.response is not None:
            self.response.trailers.extend(decode_headers(message["headers"]))
            if not message.get("more_trailers", False):
                await self._end(self.response)
        else:
            raise ValueError(f"{kind!r} is no message that can be sent here")

    def _begin(self, message: Message) -> None:
        if self._head is not None:
            raise RuntimeError(f"{self._prefix}.start was sent twice")
        self._head = message
        self._wants_trailers = bool(message.get("trailers", False))

    async def _write(self, content: bytes, *, more: bool) -> None:
        response = self.response or await self._prepare(None if more or self._wants_trailers else len(content))
        if content:
            await response.write(content)
        if not more and not self._wants_trailers:
            await self._end(response)

    async def _prepare(self, length: int | None) -> web.StreamResponse:
        assert self._head is not None, "content comes after the start"
        response = web.StreamResponse(
            status=self._head["status"], headers=decode_headers(self._head.get("headers", ()))
        )
        if self._wants_trailers:
            response.enable_chunked_encoding()
        elif length is not None and "Content-Length" not in response.headers and response.status not in (204, 304):
            response.content_length = length
        await response.prepare(self._request)
        self.response = response
        return response

    async def _end(self, response: web.StreamResponse) -> None:
        await response.write_eof()
        self.complete.set()


class Asked:
    """The request, message by message."""

    def __init__(self, request: web.BaseRequest, answered: asyncio.Event) -> None:
        self._request = request
        self._answered = answered
        self._is_read = False
        self.is_gone = False
        """The application was told that the client is gone."""
        self.failure: web.BodyError | web.ProtocolError | None = None
        """What the client did wrong with its content. An application cannot be told that: the client is gone for it."""

    async def receive(self) -> Message:
        """The next piece of content; after the last one wait for the client's leaving, or the end of the response."""
        if not self._is_read:
            content = self._request.content
            try:
                data = await content.readany()
            except (web.BodyError, web.ProtocolError) as error:
                self._is_read = self.is_gone = True
                self.failure = error
                return {"type": "http.disconnect"}
            self._is_read = content.at_eof()
            return {"type": "http.request", "body": data, "more_body": not self._is_read}
        waiting = [asyncio.ensure_future(each) for each in (self._request.disconnected(), self._answered.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        self.is_gone = self.is_gone or not self._answered.is_set()
        return {"type": "http.disconnect"}


async def answer_http(
    app: ASGIApplication, scope: Scope, request: web.BaseRequest, answer: Answer
) -> web.StreamResponse:
    """Let the application answer. Raises what it raises, and RuntimeError if it returns without a whole response."""
    if request.handler_cancellation is None:
        request.handler_cancellation = False
    asked = Asked(request, answer.complete)
    try:
        await app(scope, asked.receive, answer.send)
    except Exception as error:
        if asked.failure is not None:
            raise asked.failure from error
        if asked.is_gone or answer.is_gone:
            raise web.ClientDisconnectedError("the client is gone, and the application was told") from error
        raise
    if answer.response is not None and answer.complete.is_set():
        return answer.response
    if asked.failure is not None:
        raise asked.failure
    if asked.is_gone or request.transport is None:
        raise web.ClientDisconnectedError("the client is gone")
    how = "the end of its response" if answer.response is not None else "a response"
    raise RuntimeError(f"the ASGI application has returned without {how}")
