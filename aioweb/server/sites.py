"""Where a server listens: TCP addresses, Unix sockets, sockets that somebody else opened, pipes of Windows.

A site that stops accepts who waits in the kernel's backlog before it closes the socket: they believe to be connected,
and have perhaps sent their request already.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

from aioweb.server.proxied import ProxiedServer, ProxyProtocol
from aioweb.server.server import Server
from aioweb.server.unixsocket import bind_unix, identify, remove

_ARRIVAL: Final = 0.5
"""Seconds that a site which stops waits for the TLS handshakes of those whom it accepted last."""
_FOR_EVER: Final = 365 * 86400.0
"""Seconds that stand for no deadline: to a loop, None is a deadline of its own."""
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE: Final = 1.0
"""Seconds that a site without descriptors for new clients looks away."""
_QUIET: Final = 60.0
"""Seconds between two lines about that in the log."""
_TCP: Final = (socket.AF_INET, socket.AF_INET6)
_NO_FAMILY: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""What a machine says that has no IPv6, although the name has an address of it."""


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
        ssl_context: TLS with this context; None for plain connections. Raises TypeError if it is none.
        backlog: connections that the kernel holds until they are accepted.
    """

    def __init__(self, runner: Runner, *, ssl_context: ssl.SSLContext | None = None, backlog: int = 128) -> None:
        if not hasattr(runner, "register"):
            raise TypeError(f"a site takes a runner, not {runner!r}")
        if runner.server is None:
            raise RuntimeError("await runner.setup() before its sites are made")
        if ssl_context is not None and not isinstance(ssl_context, ssl.SSLContext):
            raise TypeError(f"ssl_context is an ssl.SSLContext or None, not {ssl_context!r}")
        self._runner = runner
        self._server = runner.server
        self._ssl_context = ssl_context
        self._backlog = backlog
        self._listeners: list[Any] = []

    @abstractmethod
    async def _listen(self) -> list[Any]:
        """Open the listeners, which have a `close()`."""

    @abstractmethod
    async def _finish(self) -> None:
        """The listeners are closed: serve who waits still."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The address as a person would type it."""

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets; empty before `start` and after `stop`."""
        return ()

    async def start(self) -> None:
        """Listen. Raises OSError if the address cannot be had, RuntimeError if it listens already or its runner
        has ended."""
        if self._listeners:
            raise RuntimeError(f"{self.name} is being served already")
        if self._runner.server is not self._server:
            raise RuntimeError(f"the runner of {self.name} has ended: make a new site after its setup()")
        self._listeners = await self._listen()
        self._runner.register(self)

    async def stop(self) -> None:
        """Accept those who wait already and nobody else; connections live on. Harmless when it does not listen."""
        listeners, self._listeners = self._listeners, []
        if listeners:
            self._runner.unregister(self)
            for listener in listeners:
                listener.close()
            await self._finish()

    @property
    def _scheme(self) -> str:
        return "https" if self._ssl_context is not None else "http"


class _PatientSocket(socket.socket):
    """A listening socket that tells its site when there are no descriptors for those who want in.

    asyncio would put a traceback for each of `backlog` attempts into the log, every second.
    """

    on_exhausted: Callable[[OSError], None]

    def accept(self) -> tuple[socket.socket, Any]:
        """The next client. Raises BlockingIOError if there is none, or no descriptor for one; other OSErrors."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self.on_exhausted(error)
            raise BlockingIOError from None


class _SocketSite(BaseSite):
    """A site on sockets of its own. The loop listens on a second descriptor of each, so the backlog outlives it.

    When there are no descriptors for new clients, the loop stops listening for a second at a time: they wait in the
    backlog. uvloop, which accepts by itself, closes their connections instead.
    """

    def __init__(
        self, runner: Runner, *, ssl_context: ssl.SSLContext | None, backlog: int, proxy_protocol: ProxyProtocol
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog)
        if proxy_protocol is not False and ssl_context is not None:
            raise ValueError("proxy_protocol and ssl_context exclude each other: the proxy has to end TLS")
        server = self._server
        self._factory: Callable[[], asyncio.BaseProtocol]
        self._factory = server.accept if proxy_protocol is False else ProxiedServer(server, proxy_protocol)
        self._sockets: list[socket.socket] = []
        self._is_full = False
        self._pause: asyncio.TimerHandle | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._told_at = -_QUIET

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets; empty before `start` and after `stop`."""
        return tuple(self._sockets)

    @abstractmethod
    async def _bind(self) -> list[socket.socket]:
        """Make the sockets, bound and not yet listening."""

    async def _listen(self) -> list[Any]:
        self._sockets = await self._bind()
        try:
            listeners = await self._listen_at_all()
        except BaseException:
            self._close_sockets()
            raise
        self._server.listeners.add(self)
        return listeners

    async def _listen_at_all(self) -> list[Any]:
        listeners: list[asyncio.Server] = []
        try:
            for bound in self._sockets:
                listeners.append(await self._listen_at(bound))
        except BaseException:
            for listener in listeners:
                listener.close()
            raise
        return listeners

    async def _listen_at(self, bound: socket.socket) -> asyncio.Server:
        sock = _PatientSocket(bound.family, bound.type, bound.proto, fileno=bound.dup().detach())
        sock.on_exhausted = self._wait_for_descriptors
        try:
            if self._server.tcp_keepalive and sock.family in _TCP:
                # On all systems an accepted socket has this option of the one that listens, at no cost.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return await asyncio.get_running_loop().create_server(
                self._factory, sock=sock, backlog=self._backlog, **self._tls
            )
        except BaseException:
            sock.close()
            raise

    def _look_away(self) -> None:
        """Accept nobody more. Who is accepted already gets his transport in the next turn, if the listener is open."""
        loop = asyncio.get_running_loop()
        if isinstance(loop, asyncio.SelectorEventLoop):
            for listener in self._listeners:
                for listening in listener.sockets:
                    loop.remove_reader(listening.fileno())

    def _wait_for_descriptors(self, error: OSError) -> None:
        self._look_away()
        loop = asyncio.get_running_loop()
        self._pause = loop.call_later(_PAUSE, self._look_again)
        if loop.time() - self._told_at >= _QUIET:
            self._told_at = loop.time()
            count = len(self._server.connections)
            self._server.logger.error("%s: %s at %d connections; new clients wait", self.name, error.strerror, count)

    def pause(self) -> None:
        """Accept nobody until `resume`: who comes waits in the backlog. The server says it when it is full."""
        self._is_full = True
        self._look_away()
        if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
            for listener in self._listeners:
                listener.close()

    def resume(self) -> None:
        """Accept again."""
        was_full, self._is_full = self._is_full, False
        if was_full and self._pause is None and (self._resuming is None or self._resuming.done()):
            self._look_again()

    def _look_again(self) -> None:
        self._pause = None
        if not self._is_full:
            self._resuming = asyncio.get_running_loop().create_task(self._resume())

    async def _resume(self) -> None:
        await asyncio.sleep(0)  # who was accepted just before has his transport then
        for listener in self._listeners:
            listener.close()
        try:
            self._listeners = await self._listen_at_all()
        except OSError as error:
            self._wait_for_descriptors(error)
        if self._is_full:
            self.pause()

    async def _finish(self) -> None:
        waiting = [client for sock in self._sockets for client in self._take(sock)] if os.name == "posix" else []
        self._close_sockets()
        if waiting:
            await asyncio.wait([asyncio.ensure_future(self._serve(client)) for client in waiting], timeout=_ARRIVAL)

    async def stop(self) -> None:
        """Accept those who wait already and nobody else; connections live on. Harmless when it does not listen."""
        self._server.listeners.discard(self)
        if self._resuming is not None:
            await asyncio.wait([self._resuming])
        if self._pause is not None:
            self._pause.cancel()
        self._look_away()
        await asyncio.sleep(0)
        await super().stop()

    def _close_sockets(self) -> None:
        sockets, self._sockets = self._sockets, []
        for sock in sockets:
            sock.close()

    @property
    def _tls(self) -> dict[str, Any]:
        """What the loop has to know of TLS."""
        if self._ssl_context is None:
            return {}
        timeout = self._server.limits.tls_handshake_timeout
        return {"ssl": self._ssl_context, "ssl_handshake_timeout": timeout if timeout is not None else _FOR_EVER}

    def _take(self, listening: socket.socket) -> list[socket.socket]:
        """Accept all that wait, at once: without a turn of the loop hardly anybody comes between this and the close."""
        waiting: list[socket.socket] = []
        listening.setblocking(False)
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
            await asyncio.get_running_loop().connect_accepted_socket(self._factory, client, **self._tls)
        except OSError:
            client.close()  # a failed handshake, or the client is gone; the loop would say no more about it


class TCPSite(_SocketSite):
    """A TCP address.

    Args:
        host: name or address; None for all interfaces.
        port: 0 for one that is free, which `port` tells after `start`; None for 8080, or 8443 with TLS. Raises
            ValueError for a number beyond 65535.
        reuse_address, reuse_port: socket options; None is True for the first one on Unix, else False.
        proxy_protocol: each connection has to begin with a header of the PROXY protocol, version 1 or 2. True takes it
            from everybody, a list of networks ("10.0.0.0/8", "::1", "unix") only from these. Other connections are cut.
            Raises ValueError beside ssl_context: the header comes before TLS, so the proxy has to end that.
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
        proxy_protocol: ProxyProtocol = False,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog, proxy_protocol=proxy_protocol)
        if isinstance(port, int) and not 0 <= port <= 65535:  # the system would take what its lowest 16 bits say
            raise ValueError(f"a port is a number from 0 to 65535, not {port!r}")
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

    async def _bind(self) -> list[socket.socket]:
        """One socket for each address of the host."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host or None, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        bound: list[socket.socket] = []
        missing: OSError | None = None
        try:
            for family, _, proto, _, address in dict.fromkeys(found):
                try:
                    bound.append(self._bind_at(family, proto, address))
                except OSError as error:
                    if error.errno not in _NO_FAMILY:
                        raise
                    missing = error
            if missing is not None and not bound:
                raise missing
        except OSError as error:
            for sock in bound:
                sock.close()
            raise OSError(error.errno, f"cannot listen at {self.name}: {os.strerror(error.errno or 0)}") from None
        return bound

    def _bind_at(self, family: int, proto: int, address: Any) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM, proto)
        try:
            if self._reuse_address or (self._reuse_address is None and os.name == "posix"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                # IPv4 has a socket of its own: what one socket for both does differs among systems.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
        except BaseException:
            sock.close()
            raise
        return sock


class UnixSite(_SocketSite):
    """A Unix socket at `path`.

    A socket that a dead server left there is replaced; one that somebody listens on, and any other file, are left
    alone. A path that begins with NUL is the name of an abstract socket (Linux): the file system does not know it.

    Args:
        mode: the permissions of the socket, such as 0o660, before anybody can connect; None leaves them to the umask.
        proxy_protocol: as for TCPSite.
    """

    def __init__(
        self,
        runner: Runner,
        path: str | os.PathLike[str],
        *,
        ssl_context: ssl.SSLContext | None = None,
        backlog: int = 128,
        mode: int | None = None,
        proxy_protocol: ProxyProtocol = False,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog, proxy_protocol=proxy_protocol)
        self._path = os.fspath(path)
        self._mode = mode
        self._file: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """`http://unix:path:`; `@` for the NUL of an abstract socket."""
        return f"{self._scheme}://unix:{self._path.replace(chr(0), '@')}:"

    async def _bind(self) -> list[socket.socket]:
        bound = bind_unix(self._path, self._mode)
        self._file = identify(self._path)
        return [bound]

    async def _finish(self) -> None:
        remove(self._path, self._file)  # first: whoever comes now goes to a successor, or nowhere
        await super()._finish()

    def _close_sockets(self) -> None:
        remove(self._path, self._file)
        super()._close_sockets()


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

    async def _listen(self) -> list[Any]:
        loop: Any = asyncio.get_running_loop()
        pipes: list[Any] = await loop.start_serving_pipe(self._server, self._path)
        return pipes

    async def _finish(self) -> None:
        pass


class SockSite(_SocketSite):
    """A socket that somebody else has bound: systemd, a parent process, a test. See TCPSite for `proxy_protocol`."""

    def __init__(
        self,
        runner: Runner,
        sock: socket.socket,
        *,
        ssl_context: ssl.SSLContext | None = None,
        backlog: int = 128,
        proxy_protocol: ProxyProtocol = False,
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=backlog, proxy_protocol=proxy_protocol)
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

    async def _bind(self) -> list[socket.socket]:
        return [self._sock]
