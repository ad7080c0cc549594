"""Where a server listens: TCP addresses, Unix sockets, sockets that somebody else opened. Each may use TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
from abc import ABC, abstractmethod
from typing import Any, Protocol

from aioweb.server.server import Server


class Runner(Protocol):
    """Who owns sites: it has the server, and stops them when it ends."""

    @property
    def server(self) -> Server | None:
        """The server; None while there is none to serve with."""

    def register(self, site: Any) -> None:
        """A site listens."""

    def unregister(self, site: Any) -> None:
        """A site has stopped."""


class Site(ABC):
    """One place where the server of a runner listens. `start()` and `stop()` it; the runner stops it when it ends.

    Args:
        runner: who owns it. Raises RuntimeError if it was not set up, TypeError if it is no runner.
        ssl_context: TLS with this context; None for plain connections.
        backlog: connections that the kernel holds until they are accepted.
    """

    def __init__(self, runner: Runner, *, ssl_context: ssl.SSLContext | None = None, backlog: int = 128) -> None:
        if not hasattr(runner, "register"):
            raise TypeError(f"a site takes a runner, not {runner!r}")
        if runner.server is None:
            raise RuntimeError("await runner.setup() before its sites are made")
        self._runner = runner
        self._server = runner.server
        self._ssl_context = ssl_context
        self._backlog = backlog
        self._listener: asyncio.Server | None = None

    @abstractmethod
    async def _listen(self) -> asyncio.Server:
        """Open the listener."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The address as a person would type it."""

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets; empty before `start` and after `stop`."""
        return tuple(self._listener.sockets) if self._listener is not None else ()

    async def start(self) -> None:
        """Listen. Raises OSError if the address cannot be had, RuntimeError if it listens already or its runner
        has ended."""
        if self._listener is not None:
            raise RuntimeError(f"{self.name} is being served already")
        if self._runner.server is not self._server:
            raise RuntimeError(f"the runner of {self.name} has ended: make a new site after its setup()")
        self._listener = await self._listen()
        self._runner.register(self)

    async def stop(self) -> None:
        """Accept no further connections; those that are open live on. Harmless when it does not listen."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._runner.unregister(self)
            listener.close()

    @property
    def _scheme(self) -> str:
        return "https" if self._ssl_context is not None else "http"


class TCPSite(Site):
    """A TCP address.

    Args:
        host: name or address; None for all interfaces.
        port: 0 for one that is free, which `port` tells after `start`; None for 8080, or 8443 with TLS.
        reuse_address, reuse_port: socket options; None leaves them to asyncio.
    """

    def __init__(
        self,
        runner: Runner,
        host: str | None = None,
        port: int | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        backlog: int = 128,
        reuse_address: bool | None = None,
        reuse_port: bool | None = None,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._host = host
        self._port = port if port is not None else (8443 if ssl_context is not None else 8080)
        self._reuse_address = reuse_address
        self._reuse_port = reuse_port

    @property
    def port(self) -> int:
        """The port that is listened on."""
        # Port 0 on all interfaces is one port for each family: IPv4 comes first, which `name` speaks of.
        for listening in sorted(self.sockets, key=lambda listening: listening.family):
            return int(listening.getsockname()[1])
        return self._port

    @property
    def name(self) -> str:
        """`http://host:port`; 0.0.0.0 for all interfaces."""
        host = self._host or "0.0.0.0"
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            self._server,
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self._backlog,
            reuse_address=self._reuse_address,
            reuse_port=self._reuse_port,
        )


class UnixSite(Site):
    """A Unix socket at `path`. A socket that a dead server left there is replaced; any other file is left alone.

    A path that begins with NUL is the name of an abstract socket (Linux), of which the file system knows nothing.
    """

    def __init__(
        self,
        runner: Runner,
        path: str | os.PathLike[str],
        *,
        ssl_context: ssl.SSLContext | None = None,
        backlog: int = 128,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._path = os.fspath(path)

    @property
    def name(self) -> str:
        """`http://unix:path:`; `@` for the NUL of an abstract socket."""
        return f"{self._scheme}://unix:{self._path.replace(chr(0), '@')}:"

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_unix_server(
            self._server, self._path, ssl=self._ssl_context, backlog=self._backlog
        )

    async def stop(self) -> None:
        """Accept no further connections, and remove the socket from the file system."""
        listening = self._listener is not None
        await super().stop()
        if listening and not self._path.startswith("\0"):
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(self._path).st_mode):
                    os.remove(self._path)


class SockSite(Site):
    """A socket that somebody else has bound: systemd, a parent process, a test."""

    def __init__(
        self,
        runner: Runner,
        sock: socket.socket,
        *,
        ssl_context: ssl.SSLContext | None = None,
        backlog: int = 128,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._sock = sock
        address = sock.getsockname()  # now: the socket is closed when the site stops
        if not isinstance(address, tuple):
            self._name = f"unix:{os.fsdecode(address)}:"
        elif ":" in address[0]:
            self._name = f"[{address[0]}]:{address[1]}"
        else:
            self._name = f"{address[0]}:{address[1]}"

    @property
    def name(self) -> str:
        """The address of the socket."""
        return f"{self._scheme}://{self._name}"

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            self._server, sock=self._sock, ssl=self._ssl_context, backlog=self._backlog
        )
