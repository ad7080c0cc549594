"""What the writer of a response, and who speaks through it, needs of the connection and the server below.

Here, and not beside either of them, so that neither has to know the other.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from aioweb.protocol.connection import Connection
from aioweb.server.clock import Clock
from aioweb.server.debugpage import Facts
from aioweb.server.flow import Flow
from aioweb.server.observe import Observers
from aioweb.server.tunnel import Tunnel


class ServerFacts(Protocol):
    """What a response, and who writes it, may ask of the server."""

    closing: bool
    """The server stops."""
    debug: bool
    """Error pages show what has failed."""
    logger: logging.Logger
    """Where its errors go, and what clients did wrong."""
    observers: Observers
    """Who is told of events."""
    secure_proxy_ssl_header: tuple[str, str] | None
    """The field that tells, behind a trusted proxy, that the client used TLS."""
    server_field: bytes
    """The Server field line, or b""."""

    def error_page(
        self, status: int, detail: str, exception: BaseException | None, accept: str | None, facts: Facts
    ) -> tuple[str, bytes]:
        """Render the page of an error: content type and content."""


class Channel(Protocol):
    """What a writer needs of the connection that carries its response."""

    ground: Connection
    flow: Flow
    clock: Clock
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport | None
    peername: Any
    persistent: bool
    """This side wants the connection to persist after the exchange that is under way."""
    deadline: float
    """When the clock is to look at the connection."""
    task: asyncio.Task[None] | None
    """Runs the handler."""

    @property
    def server(self) -> ServerFacts:
        """The server of this connection."""

    def abort(self) -> None:
        """Close the connection at once."""

    def close(self) -> None:
        """Close the connection when everything that was written has left."""

    def fail(self) -> None:
        """The handler has failed in mid-response: close the connection so that the client sees it."""

    def cancel(self) -> None:
        """Cancel the handler, if it still runs."""

    def leave(self, *, answered: bool) -> None:
        """The tunnel has said its last: our half closes, and the client may close the other.

        `answered`: the client has said its last too. Then a transport without halves, as TLS, closes at once.
        """

    def switch(self, tunnel: Tunnel) -> bytes:
        """Give what arrives from now on to `tunnel`; returns what is here already."""


class Producer(Protocol):
    """Who makes a response while it is sent, and wants to know when that has lost its sense. See `Interruption`."""

    def client_gone(self) -> None:
        """Nobody reads the response any more. Called in place of what `handler_cancellation` says."""

    def server_stops(self) -> None:
        """The server stops, and an endless response would hold that up. It may be called again."""
