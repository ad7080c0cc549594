"""From an application to a running server: AppRunner starts and stops it, run_app does that until a signal comes.

run_app(app)                     blocks; Ctrl-C and SIGTERM stop it gracefully
runner = AppRunner(app)          inside a loop that is yours
await runner.setup()
await TCPSite(runner, "127.0.0.1", 8080).start()
...
await runner.cleanup()
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import signal
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from aioweb.log import access_logger, server_logger
from aioweb.server.activation import systemd_sockets
from aioweb.server.proxied import ProxyProtocol
from aioweb.server.server import Server
from aioweb.server.sites import BaseSite, SockSite, TCPSite, UnixSite
from aioweb.web.application import Application

_LAST_WAIT: Final = 5.0
"""Seconds that tasks get, at the very end, for noticing that they are cancelled."""


class GracefulExit(SystemExit):
    """Raised in the loop by SIGINT and SIGTERM: stop, and lose nothing."""

    code = 0


def _exit() -> None:
    raise GracefulExit


class BaseRunner(ABC):
    """Starts a server, knows its sites, and ends all of it in the right order.

    Args:
        handle_signals: SIGINT and SIGTERM raise GracefulExit.
        shutdown_timeout: seconds that requests in flight get, when it ends. Raises ValueError for what is no time.
        options: passed to whatever makes the server.
    """

    def __init__(self, *, handle_signals: bool = False, shutdown_timeout: float = 60.0, **options: Any) -> None:
        if not isinstance(shutdown_timeout, (int, float)) or not 0 <= shutdown_timeout < float("inf"):
            raise ValueError(f"shutdown_timeout is a number of seconds, 0 or more, not {shutdown_timeout!r}")
        self._handle_signals = handle_signals
        self.shutdown_timeout = shutdown_timeout
        """Seconds that requests in flight get when the runner ends."""
        self._options = options
        self._server: Server | None = None
        self._sites: list[BaseSite] = []
        self._signals: list[int] = []

    @property
    def server(self) -> Server | None:
        """The server; None before `setup` and after `cleanup`."""
        return self._server

    @property
    def sites(self) -> set[BaseSite]:
        """The sites that listen."""
        return set(self._sites)

    @property
    def addresses(self) -> list[Any]:
        """The addresses of all listening sockets."""
        return [sock.getsockname() for site in self._sites for sock in site.sockets]

    async def setup(self) -> None:
        """Start the application and make the server; then sites may start. Raises RuntimeError the second time."""
        if self._server is not None:
            raise RuntimeError("the runner is set up already")
        if self._handle_signals:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in a loop
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, _exit)
                    self._signals.append(number)
        self._server = await self._make_server()

    async def cleanup(self) -> None:
        """Stop listening, let the application know, finish what is in flight, clean up.

        If it is cancelled, it cuts short what it is waiting for: requests in flight are cancelled at once, and the
        application is cleaned up all the same.
        """
        try:
            for site in list(self._sites):
                await site.stop()
            await asyncio.sleep(0)  # a client that the loop has just accepted is known to the server after one turn
            if self._server is not None:
                await self._finish(self._server)
        finally:
            self._server = None
            await self._cleanup()
            loop = asyncio.get_running_loop()
            for number in self._signals:
                loop.remove_signal_handler(number)
            self._signals.clear()

    async def _finish(self, server: Server) -> None:
        server.close_idle()
        timeout = self.shutdown_timeout
        now = asyncio.get_running_loop().time
        end = now() + timeout
        try:
            await self.shutdown()
        except asyncio.CancelledError:
            timeout = 0.0
            raise
        finally:
            try:
                await server.shutdown(timeout)
            except asyncio.CancelledError:
                await server.shutdown(0.0)
                raise
        # Handlers get 90 % of the time: whatever they do, some is left for the work that they began.
        await self._finish_work(max(end - now(), timeout * 0.1))

    async def _finish_work(self, timeout: float) -> None:  # noqa: B027
        """Wait for what must end although no request needs it any more."""

    @abstractmethod
    async def shutdown(self) -> None:
        """What happens between the end of listening and the end of the last request."""

    @abstractmethod
    async def _make_server(self) -> Server:
        """Make the server."""

    @abstractmethod
    async def _cleanup(self) -> None:
        """What happens after everything else."""

    def register(self, site: BaseSite) -> None:
        """A site has started; `cleanup` will stop it. Raises RuntimeError before `setup`."""
        if self._server is None:
            raise RuntimeError("await runner.setup() before its sites start")
        self._sites.append(site)

    def unregister(self, site: BaseSite) -> None:
        """A site was stopped."""
        if site in self._sites:
            self._sites.remove(site)


class ServerRunner(BaseRunner):
    """Runs a server without an application, such as `web.Server`. Raises TypeError if it is given none."""

    def __init__(self, web_server: Server, **options: Any) -> None:
        if not isinstance(web_server, Server):
            raise TypeError(f"ServerRunner takes a web.Server, not {web_server!r}; an Application has AppRunner")
        super().__init__(**options)
        self._web_server = web_server

    async def _make_server(self) -> Server:
        return self._web_server

    async def shutdown(self) -> None:
        """There is no application to tell."""

    async def _cleanup(self) -> None:
        pass


class AppRunner(BaseRunner):
    """Runs an application. Further options go to `app.make_handler`.

    Raises TypeError if it is given no application.
    """

    def __init__(self, app: Application, **options: Any) -> None:
        if not isinstance(app, Application):
            hint = ": call it" if inspect.iscoroutinefunction(app) else ""
            raise TypeError(f"AppRunner takes an Application, not {app!r}{hint}")
        super().__init__(**options)
        self._app = app

    @property
    def app(self) -> Application:
        """The application."""
        return self._app

    async def _make_server(self) -> Server:
        await self._app.startup()
        server: Server = self._app.make_handler(**{**self._app.handler_args, **self._options})
        return server

    async def shutdown(self) -> None:
        """Send `on_shutdown`."""
        await self._app.shutdown()

    async def _finish_work(self, timeout: float) -> None:
        await self._app.finish_work(timeout)

    async def _cleanup(self) -> None:
        await self._app.cleanup()


def run_app(
    app: Application | Awaitable[Application],
    *,
    host: str | Iterable[str] | None = None,
    port: int | None = None,
    path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
    sock: socket.socket | Iterable[socket.socket] | None = None,
    shutdown_timeout: float = 60.0,
    ssl_context: ssl.SSLContext | None = None,
    print: Callable[..., None] | None = print,
    backlog: int = 128,
    handle_signals: bool = True,
    reuse_address: bool | None = None,
    reuse_port: bool | None = None,
    loop: asyncio.AbstractEventLoop | Callable[[], asyncio.AbstractEventLoop] | None = None,
    proxy_protocol: ProxyProtocol = False,
    **options: Any,
) -> None:
    """Serve an application until Ctrl-C or SIGTERM, then stop gracefully. Blocks.

    Args:
        app: the application, or a coroutine that makes it in the loop.
        host, port: TCP addresses; several hosts may be given. Without any of host, port, path and sock: the sockets
            that systemd passes; if there are none, all interfaces, port 8080 (8443 with TLS). A path or sock alone
            opens no TCP port.
        path: Unix sockets.
        sock: sockets that are bound already.
        shutdown_timeout: seconds that requests in flight get when it stops.
        ssl_context: TLS.
        print: where the addresses are told; None for nowhere.
        backlog: connections that the kernel holds until they are accepted.
        handle_signals: stop gracefully on SIGINT and SIGTERM.
        reuse_address, reuse_port: socket options; None leaves them to asyncio.
        loop: the loop to run, which stays open; or what makes one (`uvloop.new_event_loop`), which is closed at the
            end; by default asyncio does.
        proxy_protocol: every listener demands a header of the PROXY protocol, from everybody or from a list of
            networks; see TCPSite.
        options: for `app.make_handler`: keepalive_timeout, limits, handler_cancellation, access_log (a logger, None for
            no log), access_log_format ... What is not said is what the application has in its `handler_args`. In debug
            mode the access log goes to stderr without further configuration.

    Raises OSError if an address cannot be had, and what the start of the application raises; then everything that did
    start is cleaned up. ValueError if empty lists leave nowhere to listen, RuntimeError where a loop runs already:
    there AppRunner is what serves.
    """
    _check_no_loop_runs()
    common = {"ssl_context": ssl_context, "backlog": backlog, "proxy_protocol": proxy_protocol}
    listeners = _Listeners(host, port, path, sock, common, reuse_address, reuse_port)
    own_loop = not isinstance(loop, asyncio.AbstractEventLoop)
    if not isinstance(loop, asyncio.AbstractEventLoop):
        loop = loop() if loop is not None else asyncio.new_event_loop()
    runner_options = {"shutdown_timeout": shutdown_timeout, "handle_signals": handle_signals}
    main = loop.create_task(_run(app, listeners, {**runner_options, **options}, print))
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(main)
    except (GracefulExit, KeyboardInterrupt):
        pass
    finally:
        try:
            _stop(loop, main)
        finally:
            if own_loop:
                _close(loop)


def _check_no_loop_runs() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("run_app blocks, and a loop runs here already: use web.AppRunner and its sites")


class _Listeners:
    """The sites that were asked for in the arguments of run_app."""

    def __init__(
        self,
        host: str | Iterable[str] | None,
        port: int | None,
        path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None,
        sock: socket.socket | Iterable[socket.socket] | None,
        common: dict[str, Any],
        reuse_address: bool | None,
        reuse_port: bool | None,
    ) -> None:
        self._paths = [path] if isinstance(path, (str, os.PathLike)) else list(path or ())
        self._socks = [sock] if isinstance(sock, socket.socket) else list(sock or ())
        self._hosts: list[str | None]
        if host is not None:
            self._hosts = [host] if isinstance(host, str) else list(host)
        elif port is None and path is None and sock is None:
            self._socks = systemd_sockets()
            self._hosts = [] if self._socks else [None]
        else:  # not all interfaces because a list of paths is empty by mistake
            self._hosts = [None] if port is not None else []
        if not (self._hosts or self._paths or self._socks):
            raise ValueError(f"there is nowhere to listen: host={host!r}, path={path!r}, sock={sock!r}")
        self._port = port
        self._common = common
        self._reuse: dict[str, Any] = {"reuse_address": reuse_address, "reuse_port": reuse_port}

    def make(self, runner: BaseRunner) -> list[BaseSite]:
        """Make the sites, not yet started."""
        made: list[BaseSite] = [
            TCPSite(runner, host, self._port, **self._common, **self._reuse) for host in self._hosts
        ]
        made += [UnixSite(runner, path, **self._common) for path in self._paths]
        made += [SockSite(runner, sock, **self._common) for sock in self._socks]
        return made


async def _run(
    app: Application | Awaitable[Application],
    listeners: _Listeners,
    options: dict[str, Any],
    tell: Callable[..., None] | None,
) -> None:
    if inspect.isawaitable(app):
        app = await app
    runner = AppRunner(app, **options)
    said = {**app.handler_args, **options}
    if said.get("debug", app.debug):
        _show(said.get("access_log", access_logger))
    try:
        await runner.setup()
        made = listeners.make(runner)
        for site in made:
            await site.start()
        if tell is not None:
            names = "\n".join(f"======== Running on {site.name} ========" for site in made)
            tell(f"{names}\n(Press CTRL+C to quit)", flush=True)
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


def _show(logger: logging.Logger | None) -> None:
    """In debug mode the access log is to be seen without further configuration."""
    if logger is not None and logger is access_logger and not logger.hasHandlers():
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.DEBUG)
        logger.addHandler(logging.StreamHandler())


def _stop(loop: asyncio.AbstractEventLoop, main: asyncio.Task[None]) -> None:
    """Stop gracefully. Each further signal cuts short what is waited for: the requests, then the cleanup, then all."""
    for _ in range(3):
        if main.done():
            return
        main.cancel()
        with contextlib.suppress(asyncio.CancelledError, GracefulExit, KeyboardInterrupt):
            loop.run_until_complete(main)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End our loop: cancel what the application left running, and tell of what failed while it ended."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            _, stubborn = loop.run_until_complete(asyncio.wait(tasks, timeout=_LAST_WAIT))
            for task in stubborn:
                server_logger.error("Stopping: %r does not end when it is cancelled", task)
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                context = {"message": "Unhandled exception at the end of run_app", "exception": task.exception()}
                loop.call_exception_handler({**context, "task": task})
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
