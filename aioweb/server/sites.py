"""Where a server listens: TCP addresses, Unix sockets, sockets that somebody else opened, pipes of Windows.

A site that stops accepts who waits in the kernel's backlog before it closes the socket: they believe to be connected,
and have perhaps sent their request already.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final, Protocol

from aioweb.server.server import Server

_ARRIVAL: Final = 0.5
"""Seconds that a site which stops waits for the TLS handshakes of those whom it accepted last."""


class Runner(Protocol):
    """Who owns sites: it has the server, and stops them when it ends."""

    @property
    def server(self) -> Server | None:
        """The server; None while there is none to serve with."""

    def register(self, site: Any) -> None:
        """A site listens."""

    def unregister(self, site: Any) -> None:
        """A site has stopped."""


class BaseSite(ABC):
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
        """Accept those who wait already and nobody else; connections live on. Harmless when it does not listen."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._runner.unregister(self)
            # A second descriptor keeps the backlog alive while the loop closes its own.
            backlogs = [_again(listening) for listening in listener.sockets] if os.name == "posix" else []
            listener.close()
            waiting = [client for backlog in backlogs for client in self._take(backlog)]
            if waiting:
                await asyncio.wait([asyncio.ensure_future(self._serve(client)) for client in waiting], timeout=_ARRIVAL)

    def _take(self, listening: socket.socket) -> list[socket.socket]:
        """Accept all that wait, at once: without a turn of the loop hardly anybody comes between this and the close."""
        waiting: list[socket.socket] = []
        with listening:
            while len(waiting) < self._backlog:
                try:
                    waiting.append(listening.accept()[0])
                except ConnectionAbortedError:
                    continue  # it has left again
                except OSError:
                    break  # nobody is left, or there are no descriptors
        return waiting

    async def _serve(self, client: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._server, client, ssl=self._ssl_context)
        except OSError:
            client.close()  # a failed handshake, or the client is gone; the loop would say no more about it

    @property
    def _scheme(self) -> str:
        return "https" if self._ssl_context is not None else "http"


def _again(listening: Any) -> socket.socket:
    """The same socket under a second descriptor."""
    again = socket.socket(fileno=os.dup(listening.fileno()))
    again.setblocking(False)
    return again


class TCPSite(BaseSite):
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


class UnixSite(BaseSite):
    """A Unix socket at `path`.

    A socket that a dead server left there is replaced; one that somebody listens on, and any other file, are left
    alone. A path that begins with NUL is the name of an abstract socket (Linux): the file system does not know it.

    Args:
        mode: the permissions of the socket, such as 0o660, before anybody can connect; None leaves them to the umask.
    """

    def __init__(
        self,
        runner: Runner,
        path: str | os.PathLike[str],
        *,
        ssl_context: ssl.SSLContext | None = None,
        backlog: int = 128,
        mode: int | None = None,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        self._path = os.fspath(path)
        self._mode = mode
        self._file: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """`http://unix:path:`; `@` for the NUL of an abstract socket."""
        return f"{self._scheme}://unix:{self._path.replace(chr(0), '@')}:"

    async def _listen(self) -> asyncio.Server:
        sock = _bind(self._path, self._mode)
        try:
            self._file = _identify(self._path)
            return await asyncio.get_running_loop().create_unix_server(
                self._server, sock=sock, ssl=self._ssl_context, backlog=self._backlog
            )
        except BaseException:
            sock.close()
            _remove(self._path, self._file)
            raise

    async def stop(self) -> None:
        """Remove the socket from the file system if it is still the same, then stop as every site does."""
        if self._listener is not None:
            _remove(self._path, self._file)
        await super().stop()


@contextlib.contextmanager
def unix_socket(path: str | os.PathLike[str], mode: int | None = None) -> Iterator[socket.socket]:
    """A Unix socket as UnixSite makes it, for several processes that are to share it: bind, and remove at the end.

    Args:
        path: where; see UnixSite.
        mode: its permissions; None leaves them to the umask.

    Yields: the socket, which does not listen yet. Raises OSError if somebody listens there.
    """
    path = os.fspath(path)
    with _bind(path, mode) as sock:
        file = _identify(path)
        try:
            yield sock
        finally:
            _remove(path, file)


def _bind(path: str, mode: int | None) -> socket.socket:
    # Looked at first, for a bind that fails does not say whether the other one lives.
    _remove_dead(path)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
        if mode is not None and not path.startswith("\0"):
            os.chmod(path, mode)  # nobody can connect before it listens
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen at {path!r}: {error.strerror or error}") from None
    return sock


def _remove(path: str, file: tuple[int, int] | None) -> None:
    """Remove a socket from the file system if it is still `file`, and not one of a successor."""
    if file is not None and _identify(path) == file:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def _identify(path: str) -> tuple[int, int] | None:
    """Device and inode of a socket in the file system; None if there is none."""
    if path.startswith("\0"):
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None


def _remove_dead(path: str) -> None:
    file = _identify(path)
    if file is None:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            _remove(path, file)
        except OSError:
            pass  # its backlog is full, or it is not ours to know: `bind` will tell


class NamedPipeSite(BaseSite):
    """A named pipe of Windows, such as `\\\\.\\pipe\\aioweb`. Raises RuntimeError on a loop that has none."""

    def __init__(self, runner: Runner, path: str) -> None:
        if not hasattr(asyncio.get_running_loop(), "start_serving_pipe"):
            raise RuntimeError("named pipes need the proactor loop of Windows")
        super().__init__(runner)
        self._path = path

    @property
    def name(self) -> str:
        """The path."""
        return self._path

    async def _listen(self) -> Any:
        loop: Any = asyncio.get_running_loop()
        return _Pipes(await loop.start_serving_pipe(self._server, self._path))


class _Pipes:
    """The listening pipes of a loop, in the shape of an `asyncio.Server`."""

    sockets = ()

    def __init__(self, pipes: list[Any]) -> None:
        self._pipes = pipes

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()


class SockSite(BaseSite):
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
