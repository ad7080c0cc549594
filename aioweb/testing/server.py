"""TestServer: an application, or a handler, that is served for a test, and then leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import ssl
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Final, TypeVar
from weakref import WeakSet

from yarl import URL

from aioweb import web

_S = TypeVar("_S", bound="BaseTestServer")

PATIENCE: Final = 1.0
"""Seconds that handlers, WebSockets and tasks get to end, when a test is over."""

# Tasks of these packages belong to the machinery of a test, which runs on while a server is closed.
_MACHINERY: Final = ("aioweb.testing", "anyio", "pytest_asyncio")

_NOT_STARTED: Final = "the test server does not serve: await start_server(), or use `async with`"


def unused_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class BaseTestServer(ABC):
    """Starts and stops with a test: `async with`, or `start_server()` and `close()`.

    Args:
        in_memory: without a socket; False listens on `host` and `port`.
        host: of the URLs; where to listen.
        port: 0 for one that is free, in memory 80.
        ssl_context: TLS with this context; not in memory.
        shutdown_timeout: seconds that handlers get when it closes, before they are cancelled.
        options: for the server, such as `limits` or `handler_cancellation`.

    Raises ValueError for TLS in memory.
    """

    __test__ = False  # no class of tests, whatever its name says

    def __init__(
        self,
        *,
        in_memory: bool = True,
        host: str = "127.0.0.1",
        port: int | None = 0,
        ssl_context: ssl.SSLContext | None = None,
        shutdown_timeout: float = PATIENCE,
        **options: Any,
    ) -> None:
        if in_memory and ssl_context is not None:
            raise ValueError("TLS needs a socket: say in_memory=False")
        self.in_memory = in_memory
        """There is no socket."""
        self.host = host
        """The host of its URLs."""
        self.port = port or (80 if in_memory else 0)
        """The port; 0, for one that is free, before the start."""
        self.scheme = "http" if ssl_context is None else "https"
        """"http" or "https"."""
        self._asked_port = self.port
        self._ssl_context = ssl_context
        self._shutdown_timeout = shutdown_timeout
        self._options = options
        self._runner: web.BaseRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.Context()
        self._before: set[asyncio.Task[Any]] = set()

    @abstractmethod
    def _make_runner(self, **options: Any) -> web.BaseRunner:
        """The runner of what is served; `shutdown_timeout` is its own, the other options are the server's."""

    @property
    def started(self) -> bool:
        """It serves."""
        return self._runner is not None

    @property
    def runner(self) -> web.BaseRunner:
        """The runner. RuntimeError before the start."""
        if self._runner is None:
            raise RuntimeError(_NOT_STARTED)
        return self._runner

    @property
    def server(self) -> web.Server:
        """The low-level server. RuntimeError before the start."""
        server: Any = self.runner.server
        return server  # type: ignore[no-any-return]

    async def start_server(self, **options: Any) -> None:
        """Start; harmless if it serves already. Further options for the server may be given.

        Raises what the start of the application raises; then what did start is cleaned up.
        """
        if self._runner is not None:
            return
        self._before = asyncio.all_tasks()
        options = {"access_log": None, **self._options, **options}
        runner = self._make_runner(shutdown_timeout=self._shutdown_timeout, **options)
        try:
            await runner.setup()
            if not self.in_memory:
                site = web.TCPSite(runner, self.host, self._asked_port, ssl_context=self._ssl_context)
                await site.start()
                self.port = site.port
        except BaseException:
            await runner.cleanup()
            raise
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._runner = runner
        _serving.add(self)

    def make_url(self, path: str | URL = "/") -> URL:
        """The whole URL of a path. Raises ValueError for a URL of another host, RuntimeError before the start."""
        if self._runner is None:
            raise RuntimeError(_NOT_STARTED)
        origin = URL.build(scheme=self.scheme, host=self.host, port=self.port)
        if isinstance(path, str) and path.startswith("/"):
            return URL(f"{origin}{path}")  # two slashes at its beginning make no host of it
        url = URL(path)
        if url.absolute and url.origin() != origin:
            raise ValueError(f"the test server is {origin}, and {path!r} is not there")
        return origin.join(url)

    def connect(self) -> web.MemoryClient:
        """Open a connection in memory, for octets that no client would send. RuntimeError before the start."""
        if not self.in_memory:
            raise RuntimeError("this server listens on a socket: use asyncio.open_connection()")
        server = self.server
        self._check_loop()
        return self._context.copy().run(web.MemoryClient, server, sockname=("127.0.0.1", self.port))

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "the test server was started on another event loop: a fixture and its test need the same loop_scope"
            )

    async def close(self, *, check_tasks: bool = True) -> None:
        """Stop, as a server does on SIGTERM. Harmless the second time.

        Handlers that have not ended after `shutdown_timeout` are cancelled. Tasks that were started while it served, or
        while another test server did beside it, and are still there a second later, are cancelled too.

        Raises AssertionError, naming them, if there are such tasks and `check_tasks` is set; and what the end of the
        application raises.
        """
        if self._runner is None:
            return
        self._check_loop()
        runner, self._runner = self._runner, None
        _serving.discard(self)
        others = [other for other in _serving if other._loop is self._loop]
        for other in others:  # whoever closes last answers for all
            other._before &= self._before
        await runner.cleanup()
        left = set() if others else await self._end_tasks()
        if left and check_tasks:
            raise AssertionError(f"tasks are left behind: {', '.join(sorted(left))}")

    async def _end_tasks(self) -> set[str]:
        """Wait for what was started meanwhile; cancel what does not end by itself, and tell of it."""
        left = asyncio.all_tasks() - self._before - {asyncio.current_task()}
        left = {task for task in left if not _is_machinery(task)}
        if left:
            _, left = await asyncio.wait(left, timeout=PATIENCE)
        names = {repr(task) for task in left}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=PATIENCE)
        return names

    async def __aenter__(self: _S) -> _S:
        await self.start_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A test that has failed is not to fail of something else.
        await self.close(check_tasks=error is None)


_serving: Final[WeakSet[BaseTestServer]] = WeakSet()


def _is_machinery(task: asyncio.Task[Any]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    module = frame.f_globals.get("__name__", "") if frame is not None else ""
    return f"{module}.".startswith(tuple(f"{name}." for name in _MACHINERY))


class TestServer(BaseTestServer):
    """An application that is served for a test.

    Args:
        app: the application.
        options: as for BaseTestServer.

    Raises TypeError if it is given no application.
    """

    def __init__(self, app: web.Application, **options: Any) -> None:
        if not isinstance(app, web.Application):
            raise TypeError(f"TestServer takes an Application, not {app!r}")
        super().__init__(**options)
        self.app = app
        """The application."""

    def _make_runner(self, **options: Any) -> web.BaseRunner:
        return web.AppRunner(self.app, **options)


class RawTestServer(BaseTestServer):
    """A handler without an application that is served for a test.

    Args:
        handler: `async handler(request)`.
        options: as for BaseTestServer.
    """

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(**options)
        self._handler = handler

    def _make_runner(self, *, shutdown_timeout: float = PATIENCE, **options: Any) -> web.BaseRunner:
        return web.ServerRunner(web.Server(self._handler, **options), shutdown_timeout=shutdown_timeout)
