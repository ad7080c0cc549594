"""A WebSocket that a mounted application accepts, or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aioweb import web
from aioweb.asgi.answers import Answer, decode_headers
from aioweb.asgi.contract import ASGIApplication, Message, Scope

_SCHEMES: Final = {"http": "ws", "https": "wss"}
_DENIAL: Final = "websocket.http.response"
_FORBIDDEN: Final = {"status": 403, "headers": [(b"content-type", b"text/plain; charset=utf-8")]}


class Socket:
    """One WebSocket, message by message.

    Args:
        request: the handshake.
        protocols: the subprotocols that the client offers.
        options: of the WebSocketResponse.
    """

    def __init__(self, request: web.BaseRequest, protocols: list[str], options: Mapping[str, Any]) -> None:
        self._request = request
        self._protocols = protocols
        self._options = options
        self._is_told = False  # websocket.connect was
        self._denial = Answer(request, _DENIAL)
        self._decided = asyncio.Event()
        self._ws: web.WebSocketResponse | None = None
        self.is_gone = False
        """The application was told that the client is gone."""

    @property
    def response(self) -> web.StreamResponse | None:
        """What has become of the handshake: an open WebSocket, or a refusal; None as long as nothing was decided."""
        return self._denial.response if self._denial.complete.is_set() else self._ws

    async def receive(self) -> Message:
        """`websocket.connect`, then a message of the client, then its leaving."""
        if not self._is_told:
            self._is_told = True
            return {"type": "websocket.connect"}
        if self._ws is None:
            gone = asyncio.ensure_future(self._request.disconnected())
            decided = asyncio.ensure_future(self._decided.wait())
            try:
                await asyncio.wait([gone, decided], return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                decided.cancel()
        if self._ws is None:
            self.is_gone = True
            return {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        message = await self._ws.receive()
        if message.type is web.WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": message.data}
        if message.type is web.WSMsgType.BINARY:
            return {"type": "websocket.receive", "bytes": message.data}
        self.is_gone = True
        return {
            "type": "websocket.disconnect",
            "code": self._ws.close_code or 1006,
            "reason": self._ws.close_reason,
        }

    async def send(self, message: Message) -> None:
        """Take a message, and wait as long as the client is slow.

        Raises RuntimeError and ValueError for what may not be sent now, OSError if the client is gone.
        """
        kind = message["type"]
        if self._ws is not None:
            try:
                await self._send_open(self._ws, kind, message)
            except web.WebSocketClosed:
                self.is_gone = True
                raise
        elif kind.startswith(_DENIAL):
            await self._denial.send(message)
            self._decided.set()
        elif kind == "websocket.accept":
            await self._accept(message)
        elif kind == "websocket.close":
            await self._denial.send({"type": f"{_DENIAL}.start", **_FORBIDDEN})
            await self._denial.send({"type": f"{_DENIAL}.body", "body": b"403: Forbidden"})
            self._decided.set()
        else:
            raise RuntimeError(f"{kind!r} cannot be sent before websocket.accept")

    async def _accept(self, message: Message) -> None:
        protocol = message.get("subprotocol")
        if protocol is not None and protocol not in self._protocols:
            raise ValueError(f"the client offers the subprotocols {self._protocols}, not {protocol!r}")
        ws = web.WebSocketResponse(**{**self._options, "protocols": () if protocol is None else (protocol,)})
        ws.headers.extend(decode_headers(message.get("headers", ())))
        await ws.prepare(self._request)
        self._ws = ws
        self._decided.set()

    async def _send_open(self, ws: web.WebSocketResponse, kind: str, message: Message) -> None:
        if kind == "websocket.close":
            await ws.close(code=message.get("code", 1000), message=message.get("reason") or "")
        elif kind != "websocket.send":
            raise RuntimeError(f"{kind!r} cannot be sent on an open WebSocket")
        elif (text := message.get("text")) is not None:
            await ws.send_str(text)
        elif (octets := message.get("bytes")) is not None:
            await ws.send_bytes(octets)
        else:
            raise ValueError("websocket.send has neither text nor bytes")


async def answer_websocket(
    app: ASGIApplication, scope: Scope, request: web.BaseRequest, options: Mapping[str, Any]
) -> web.StreamResponse:
    """Let the application answer a handshake. Raises what it raises, and RuntimeError if it answers nothing."""
    probe = web.WebSocketResponse(**options)
    if not probe.can_prepare(request):
        await probe.prepare(request)  # raises the answer to what is no handshake
    if request.handler_cancellation is None:
        request.handler_cancellation = False
    protocols = [
        name.strip() for value in request.headers.getall("Sec-WebSocket-Protocol", ()) for name in value.split(",")
    ]
    scope["type"], scope["scheme"], scope["subprotocols"] = "websocket", _SCHEMES[scope["scheme"]], protocols
    scope["extensions"][_DENIAL] = {}
    socket = Socket(request, protocols, options)
    try:
        await app(scope, socket.receive, socket.send)
    except Exception as error:
        if socket.is_gone:
            raise web.WebSocketClosed("the client is gone, and the application was told") from error
        raise
    response = socket.response
    if response is None:
        if socket.is_gone:
            raise web.ClientDisconnectedError("the client is gone")
        raise RuntimeError("the ASGI application has returned and neither accepted nor refused the WebSocket")
    return response
