"""What `loop.create_server()` calls: the factory of connections, which knows all of them and ends them.

server = Server(handler)
listener = await loop.create_server(server, "127.0.0.1", 8080)
...
listener.close()
await server.shutdown(60)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Final

from aioweb.log import server_logger
from aioweb.protocol.encode import encode_fields
from aioweb.protocol.limits import Limits
from aioweb.server.access import AccessLogObserver
from aioweb.server.admission import Admission, Arrivals, Listener, WhenFull, check_when_full
from aioweb.server.clock import Clock
from aioweb.server.connection import HTTPConnection
from aioweb.server.contract import ClientGone, Handler, cancels
from aioweb.server.debugpage import Facts
from aioweb.server.errorpage import ErrorPage
from aioweb.server.errorpage import error_page as default_error_page
from aioweb.server.heap import keep_freed_blocks
from aioweb.server.observe import NO_OBSERVERS, Observers
from aioweb.server.phase import Phase

_DEFAULT_LIMITS = Limits()
_LAST_ARRIVAL: Final = 60.0
"""Seconds for which somebody is believed to be on the way in, where handshakes have no deadline."""
_ARRIVAL: Final = 0.5
"""Seconds that a stop waits for the TLS handshakes that are going on."""
_CLEANUP: Final = 0.1
"""Seconds that cancelled handlers get at least: for closing files and the like."""


class _ProbedConnection(HTTPConnection):
    """A connection of a listener that is not ours: what our listeners hand down costs it several system calls."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        super().connection_made(transport)
        if isinstance(transport.get_extra_info("peername"), tuple) and not transport.is_closing():
            with contextlib.suppress(OSError):  # the client may have gone
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Server:
    """Serves any number of listeners with one handler. It must be made where a loop is running or `loop` is given.

    Args:
        handler: `async handler(head, body, writer)`, the whole contract upward.
        loop: the loop that serves; by default the running one, looked up when the first client connects.
        limits: sizes and deadlines.
        observers: who is told of events.
        keep_alive_on: False answers every request with `Connection: close`.
        tcp_keepalive: let the kernel probe silent TCP peers (SO_KEEPALIVE).
        client_gone: what becomes of a handler whose client goes: "cancel" or "finish", which is the default. A request
            may say otherwise.
        handler_cancellation: the same as True or False, as aiohttp names it; `client_gone` wins.
        when_full: what becomes of connections beyond `Limits.connections`: they "wait", in the backlog as far as the
            server can tell its listeners, or it is "refuse", with 503.
        auto_decompress: undo the Content-Encoding of requests as their content is read; if False, it is left to the
            handler.
        debug: show tracebacks in error pages. Never in production: they hold secrets.
        logger: where failures of handlers go.
        secure_proxy_ssl_header: name and value of a request field by which a proxy tells that the client used TLS. The
            proxy must remove that field from what clients send.
        server_header: the value of the Server field; "" for none.
        error_page: renders the pages of refused requests and failed handlers; see `aioweb.server.errorpage.error_page`.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        limits: Limits = _DEFAULT_LIMITS,
        observers: Observers = NO_OBSERVERS,
        keep_alive_on: bool = True,
        tcp_keepalive: bool = True,
        client_gone: ClientGone | None = None,
        handler_cancellation: bool = False,
        when_full: WhenFull = "wait",
        auto_decompress: bool = True,
        debug: bool = False,
        logger: logging.Logger = server_logger,
        secure_proxy_ssl_header: tuple[str, str] | None = None,
        server_header: str = "aioweb",
        error_page: ErrorPage = default_error_page,
    ) -> None:
        keep_freed_blocks()
        self.handler = handler
        self.limits = limits
        self.observers = observers
        self.keep_alive_on = keep_alive_on
        self.tcp_keepalive = tcp_keepalive and keep_alive_on
        self.handler_cancellation = handler_cancellation if client_gone is None else cancels(client_gone)
        self.auto_decompress = auto_decompress
        self.debug = debug
        self.logger = logger
        self.secure_proxy_ssl_header = secure_proxy_ssl_header
        self.server_field = encode_fields([("Server", server_header)]) if server_header else b""
        self.closing = False
        self._error_page = error_page
        self._loop = loop
        self._clock: Clock | None = None
        self._arriving = Arrivals(
            _LAST_ARRIVAL if limits.tls_handshake_timeout is None else limits.tls_handshake_timeout
        )
        self._connections: set[HTTPConnection] = set()
        self._abandoned: set[HTTPConnection] = set()
        self._empty: asyncio.Future[None] | None = None
        self.listeners: set[Listener] = set()
        """What can be told to accept nobody for a while; sites enter themselves."""
        self._admission: Admission | None = None
        check_when_full(when_full)
        if limits.connections:
            self._admission = Admission(
                limits.connections,
                when_full,
                present=self._connections,
                arriving=self._arriving,
                listeners=self.listeners,
                logger=logger,
            )

    def __call__(self) -> HTTPConnection:
        """The protocol of a new connection: what `loop.create_server` calls."""
        return self._expect(_ProbedConnection(self) if self.tcp_keepalive else HTTPConnection(self))

    def accept(self) -> HTTPConnection:
        """The same for a listener whose sockets have the option of `tcp_keepalive`: those it accepts inherit that."""
        return self._expect(HTTPConnection(self))

    def _expect(self, connection: HTTPConnection) -> HTTPConnection:
        """Expect this connection, whose client is on the way in."""
        now = connection.loop.time()
        self._arriving.add(connection, now)
        if self._admission is not None:
            self._admission.knock(now)
        return connection

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._connections)} connections{' closing' if self.closing else ''}>"

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that serves."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    @property
    def clock(self) -> Clock:
        """The clock of all connections."""
        if self._clock is None:
            limits = self.limits
            timeouts = (
                limits.head_timeout,
                limits.body_timeout,
                limits.keepalive_timeout,
                limits.write_timeout,
                limits.lingering_time,
            )
            self._clock = Clock(self.loop, self._connections, timeouts, limits.keepalive_timeout, self.server_field)
        return self._clock

    @property
    def connections(self) -> list[HTTPConnection]:
        """The open connections."""
        return list(self._connections)

    # -- what connections tell (ServerView) ------------------------------------------------------------------------

    def connection_opened(self, connection: HTTPConnection) -> None:
        """A client has connected."""
        self._arriving.discard(connection)
        self._connections.add(connection)
        connection.clock.start()
        for notify in self.observers.connection_opened:
            notify(connection.peername)
        if self._admission is None:
            connection.admit()
        else:
            self._admission.enter(connection)

    def connection_closed(self, connection: HTTPConnection) -> None:
        """A socket is closed; its handler may still run."""
        self._connections.discard(connection)
        if connection.busy:
            self._abandoned.add(connection)
        for notify in self.observers.connection_closed:
            notify(connection.peername)
        if self._admission is not None:
            self._admission.leave(connection)
        if self._empty is not None:
            self._check_empty()

    def exchange_ended(self, connection: HTTPConnection) -> None:
        """The handler of a closed connection has ended too."""
        self._abandoned.discard(connection)
        self._check_empty()

    def _check_empty(self) -> None:
        if self._empty is not None and not self._connections and not self._abandoned:
            self._empty.set_result(None)
            self._empty = None

    def error_page(
        self,
        status: int,
        detail: str = "",
        exception: BaseException | None = None,
        accept: str | None = None,
        facts: Facts = (),
    ) -> tuple[str, bytes]:
        """Render the page of an error; the default one if that of the user fails. Only that one takes `facts`."""
        if self._error_page is default_error_page:
            return default_error_page(status, detail, exception, accept, facts)
        try:
            content_type, content = self._error_page(status, detail, exception, accept)
            encode_fields([("Content-Type", content_type)])
            if not isinstance(content, bytes):
                raise TypeError(f"an error page is (content type, bytes), not {content!r:.100}")
            return content_type, content
        except Exception:
            self.logger.exception("The error page for status %d has failed", status)
            return default_error_page(status, detail, exception, accept, facts)

    # -- the end ---------------------------------------------------------------------------------------------------

    def close_idle(self) -> None:
        """Begin to end: from now on each response is the last of its connection. `shutdown` waits for all of them.

        Idle connections close after a second at most: what a client is sending at this moment is answered still.
        """
        self.closing = True
        self.keep_alive_on = False
        if self._admission is not None:
            self._admission.open_wide()
            self._admission = None
        for connection in self.connections:
            connection.stop()

    async def shutdown(self, timeout: float | None = 60.0) -> None:
        """End all connections; close the listeners first.

        Busy connections close after their response, which says `Connection: close`, idle ones within a second. When
        90 % of `timeout` (seconds; None is 60) are over, handlers that still run are cancelled and their connections
        cut.
        """
        timeout = 60.0 if timeout is None else timeout
        self.close_idle()
        try:
            await self._wait_arrived(min(_ARRIVAL, timeout * 0.9))
            if not await self._wait_empty(timeout * 0.9):
                self._kill()
                # A handler may clean up, but not for ever; and sockets need one turn of the loop to close.
                if not await self._wait_empty(max(timeout * 0.1, _CLEANUP)):
                    self.logger.error("Stopping: %d handlers do not end when they are cancelled", len(self._abandoned))
            await self._finish_access_log(max(timeout * 0.1, _CLEANUP))
        finally:
            if self._clock is not None:
                self._clock.stop()

    async def finish_connections(self, timeout: float | None = None) -> None:
        """The name of `shutdown` in aiohttp 0.17."""
        await self.shutdown(timeout)

    async def _wait_arrived(self, timeout: float) -> None:
        end = self.loop.time() + timeout
        while (now := self.loop.time()) < end and self._arriving.count(now):
            await asyncio.sleep(0.01)

    async def _wait_empty(self, timeout: float) -> bool:
        if not self._connections and not self._abandoned:
            return True
        if self._empty is None:  # else somebody waits already
            self._empty = self.loop.create_future()
        done, _ = await asyncio.wait([self._empty], timeout=timeout)
        return bool(done)

    def _kill(self) -> None:
        """Cancel all handlers and cut their connections; close those that are idle."""
        rest = self._connections | self._abandoned
        cut = sum(connection.phase is not Phase.HEAD for connection in rest)
        if cut:
            busy = sum(connection.busy for connection in rest)
            self.logger.warning("Stopping: %d connections are cut, %d handlers cancelled", cut, busy)
        for connection in rest:
            if connection.phase is Phase.HEAD:
                connection.close()
            else:
                connection.kill()

    async def _finish_access_log(self, timeout: float) -> None:
        """The last lines may still be on their way to where a logger writes them."""
        logs = [observer for observer in self.observers.attached if isinstance(observer, AccessLogObserver)]
        await asyncio.gather(*[log.finish(timeout) for log in logs])
