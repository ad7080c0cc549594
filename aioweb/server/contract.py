"""What stands between a connection and the rest of the house: the handler above it, and the server that made it.

Here, and not beside either of them, so that neither has to know the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from aioweb.protocol.events import RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.channel import ServerFacts
from aioweb.server.clock import Clock
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter

Handler = Callable[[RequestHead, StreamReader, StreamWriter], Awaitable[None]]
"""The whole contract upward: answer this request with this writer."""

ClientGone = Literal["cancel", "finish"]
"""What becomes of a handler whose client goes: it is cancelled, or it finishes for nobody."""


def cancels(client_gone: ClientGone) -> bool:
    """Whether a handler is cancelled when its client goes. Raises ValueError for what is no `ClientGone`."""
    if client_gone not in ("cancel", "finish"):
        raise ValueError(f"client_gone is 'cancel' or 'finish', not {client_gone!r}")
    return client_gone == "cancel"


class ServerView(ServerFacts, Protocol):
    """What a connection needs of the server that made it."""

    handler: Handler
    limits: Limits
    logger: logging.Logger
    debug: bool
    keep_alive_on: bool
    handler_cancellation: bool
    auto_decompress: bool

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that serves."""

    @property
    def clock(self) -> Clock:
        """The clock of all connections."""

    def connection_opened(self, connection: Any) -> None:
        """A client has connected."""

    def connection_closed(self, connection: Any) -> None:
        """Its socket is closed; its handler may still run."""

    def exchange_ended(self, connection: Any) -> None:
        """The handler of a closed connection has ended too."""
