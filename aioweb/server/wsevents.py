"""What a WebSocket's receiver and senders meet beside the events of the ground: the end."""

from __future__ import annotations

from typing import Final

from aioweb.protocol.websocket import Close, Message, Ping, Pong, WebSocketError
from aioweb.server.flow import ClientDisconnectedError


class WebSocketClosed(ClientDisconnectedError, RuntimeError):
    """The WebSocket is closed, or closing: what is sent can reach nobody. A handler need not catch it."""


class Closing:
    """An event for the receiver: this side has begun to close, and no message will follow."""


class Closed:
    """An event for the receiver: it is over."""


Received = Message | Ping | Pong | Close | Closing | Closed | WebSocketError
"""What a receiver gets."""

CLOSING: Final = Closing()
CLOSED: Final = Closed()
