"""Sites: where a server listens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import ssl
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aioweb.server.server import Server
from aioweb.server.sites import BaseSite, NamedPipeSite, SockSite, TCPSite, UnixSite
from aioweb.server.unixsocket import unix_socket
from tests.server.fake_transport import GET, hello

PEM = Path(__file__).parents[1] / "data" / "localhost.pem"


class FakeRunner:
    """Owns sites."""

    def __init__(self, server: Server | None) -> None:
        self.server = server
        self.sites: list[Any] = []

    def register(self, site: Any) -> None:
        self.sites.append(site)

    def unregister(self, site: Any) -> None:
        self.sites.remove(site)


@pytest.fixture
async def runner() -> AsyncIterator[FakeRunner]:
    server = Server(hello)
    runner = FakeRunner(server)
    yield runner
    for site in list(runner.sites):
        await site.stop()
    await server.shutdown(1.0)
    assert server.connections == []


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(GET)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\nhello"), 5.0)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_site_needs_a_runner_that_is_set_up() -> None:
    with pytest.raises(RuntimeError, match="setup"):
        TCPSite(FakeRunner(None))
    with pytest.raises(TypeError, match="a site takes a runner, not 'a'"):
        TCPSite("a")  # type: ignore[arg-type]


async def test_n2_a_tcp_site_serves_from_start_to_stop(runner: FakeRunner) -> None:
    site = TCPSite(runner, "127.0.0.1", 0)
    assert site.sockets == ()
    assert site.port == 0
    await site.start()
    assert runner.sites == [site]
    assert site.port > 0
    assert site.name == f"http://127.0.0.1:{site.port}"
    assert len(site.sockets) == 1
    assert b"200 OK" in await ask(*await asyncio.open_connection("127.0.0.1", site.port))
    with pytest.raises(RuntimeError, match="being served already"):
        await site.start()
    port = site.port
    await site.stop()
    await site.stop()
    assert runner.sites == []
    assert site.sockets == ()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_connections_outlive_their_site(runner: FakeRunner) -> None:
    site = TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET)
    await reader.readuntil(b"\r\n\r\nhello")
    await site.stop()
    assert b"200 OK" in await ask(reader, writer)


async def test_a_site_may_start_again(runner: FakeRunner) -> None:
    site = TCPSite(runner, "127.0.0.1", 0)
    for _ in range(2):
        await site.start()
        assert b"200 OK" in await ask(*await asyncio.open_connection("127.0.0.1", site.port))
        await site.stop()


@pytest.mark.parametrize(
    ("host", "said"),
    [("127.0.0.1", "Address already in use"), ("203.0.113.1", "Cannot assign requested address")],
)
async def test_an_address_that_cannot_be_had_is_an_os_error(runner: FakeRunner, host: str, said: str) -> None:
    first = TCPSite(runner, "127.0.0.1", 0)
    await first.start()
    second = TCPSite(runner, host, first.port)
    with pytest.raises(OSError, match=rf"cannot listen at http://{host}:{first.port}: {said}"):
        await second.start()
    assert runner.sites == [first]


@pytest.mark.parametrize("port", [-1, 65536])
async def test_a_number_that_is_no_port_is_refused(runner: FakeRunner, port: int) -> None:
    with pytest.raises(ValueError, match=f"from 0 to 65535, not {port}"):
        TCPSite(runner, "127.0.0.1", port)


async def test_a_host_that_has_no_address_is_an_os_error(runner: FakeRunner) -> None:
    with pytest.raises(OSError):
        await TCPSite(runner, "no.such.host.invalid", 0).start()
    assert runner.sites == []


async def test_n2_all_interfaces_are_ipv4_and_ipv6_if_there_is_one(runner: FakeRunner) -> None:
    site = TCPSite(runner, None, 0)
    await site.start()
    for listening in site.sockets:
        host, port = ("127.0.0.1", "::1")[listening.family == socket.AF_INET6], listening.getsockname()[1]
        assert b"200 OK" in await ask(*await asyncio.open_connection(host, port))
    assert socket.AF_INET in {listening.family for listening in site.sockets}


async def test_an_address_of_a_family_that_is_missing_is_left_out(
    runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(*args: Any, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, 0)) for host in ("203.0.113.1", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    site = TCPSite(runner, "localhost", 0)
    await site.start()
    assert [listening.getsockname()[0] for listening in site.sockets] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("host", "port", "tls", "name"),
    [
        (None, None, False, "http://0.0.0.0:8080"),
        (None, None, True, "https://0.0.0.0:8443"),
        ("::1", 80, False, "http://[::1]:80"),
        ("localhost", 80, True, "https://localhost:80"),
    ],
)
async def test_the_name_of_a_site_is_what_one_types(
    runner: FakeRunner, host: str | None, port: int | None, tls: bool, name: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
    assert TCPSite(runner, host, port, ssl_context=context).name == name


async def test_n2_a_unix_site_makes_its_socket_and_removes_it(runner: FakeRunner, tmp_path: Path) -> None:
    path = tmp_path / "s"
    for argument in (str(path), path):
        site = UnixSite(runner, argument)
        assert site.name == f"http://unix:{path}:"
        await site.start()
        assert b"200 OK" in await ask(*await asyncio.open_unix_connection(path))
        await site.stop()
        await site.stop()
        assert not path.exists()


async def test_a_socket_that_a_dead_server_left_is_replaced(runner: FakeRunner, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    site = UnixSite(runner, path)
    await site.start()
    assert b"200 OK" in await ask(*await asyncio.open_unix_connection(path))
    os.unlink(path)
    await site.stop()


async def test_a_file_that_is_no_socket_is_left_alone(runner: FakeRunner, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    site = UnixSite(runner, path)
    with pytest.raises(OSError):
        await site.start()
    assert path.read_text() == "mine"
    path.unlink()
    await site.start()
    path.unlink()
    path.write_text("mine")
    await site.stop()
    assert path.read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
async def test_a_unix_site_may_be_abstract(runner: FakeRunner) -> None:
    path = f"\0aioweb-{uuid.uuid4()}"
    site = UnixSite(runner, path)
    assert site.name == f"http://unix:@{path[1:]}:"
    await site.start()
    assert b"200 OK" in await ask(*await asyncio.open_unix_connection(path))
    await site.stop()


async def test_n2_a_sock_site_listens_on_what_others_have_bound(runner: FakeRunner) -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    site: BaseSite = SockSite(runner, listening)
    assert site.name == f"http://127.0.0.1:{port}"
    await site.start()
    assert b"200 OK" in await ask(*await asyncio.open_connection("127.0.0.1", port))
    await site.stop()
    assert site.name == f"http://127.0.0.1:{port}", "a site that has stopped has a name for the log"


async def test_a_sock_site_takes_unix_and_ipv6_sockets(runner: FakeRunner, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        assert SockSite(runner, listening).name == f"http://unix:{path}:"
    if socket.has_ipv6:
        with socket.socket(socket.AF_INET6) as listening:
            try:
                listening.bind(("::1", 0))
            except OSError:
                pytest.skip("no IPv6 on this machine")
            assert SockSite(runner, listening).name == f"http://[::1]:{listening.getsockname()[1]}"


async def test_who_waits_in_the_backlog_is_served_when_a_site_stops(runner: FakeRunner) -> None:
    """The loop has not looked since they connected: a listener that is just closed would answer them with a reset."""
    site = TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    clients = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(20)]
    for client in clients[:10]:
        client.sendall(GET)
    await site.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", site.port))
    for client in clients:
        assert b"200 OK" in await ask(*await asyncio.open_connection(sock=client))


@pytest.mark.parametrize("turns", range(4))
async def test_who_is_being_accepted_when_a_site_stops_is_served(runner: FakeRunner, turns: int) -> None:
    """asyncio accepts in one turn and makes the transport in the next one; a listener that is closed makes none."""
    site = TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    clients = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(10)]
    for client in clients:
        client.sendall(GET)
    for _ in range(turns):
        await asyncio.sleep(0)
    await site.stop()
    for client in clients:
        assert b"200 OK" in await ask(*await asyncio.open_connection(sock=client))


async def test_a_site_that_stops_accepts_no_more_than_its_backlog(runner: FakeRunner) -> None:
    site = TCPSite(runner, "127.0.0.1", 0, backlog=2)
    await site.start()
    clients = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(3)]  # Linux holds one more
    await site.stop()
    assert runner.server is not None
    assert len(runner.server.connections) == 2
    for client in clients:
        client.close()


async def test_a_tls_client_that_waits_in_the_backlog_is_served_and_another_does_no_harm(runner: FakeRunner) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    site = TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    good, bad, silent = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(3)]
    bad.sendall(b"GET / HTTP/1.1\r\n\r\n")
    trusting = ssl.create_default_context(cafile=str(PEM))
    opening = asyncio.ensure_future(asyncio.open_connection(sock=good, ssl=trusting, server_hostname="localhost"))
    await site.stop()
    assert b"200 OK" in await ask(*await asyncio.wait_for(opening, 5.0))
    bad.close()
    silent.close()


# -- descriptors -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Nothing can be opened in this block, by the kernel's word; what is open stays so."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.001)


async def test_without_descriptors_clients_wait_and_one_line_says_so(
    runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aioweb.server.sites._PAUSE", 0.05)
    site = TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    clients = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(3)]
    with no_descriptors():
        await until(lambda: caplog.records)
        for _ in range(3):
            await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records] == [
        f"http://127.0.0.1:{site.port}: Too many open files at 0 connections; new clients wait"
    ]
    for client in clients:
        assert b"200 OK" in await ask(*await asyncio.open_connection(sock=client))


async def test_a_site_that_waits_for_descriptors_may_stop(
    runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aioweb.server.sites._PAUSE", 0.01)
    for turns in range(4):
        site = TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        client = socket.create_connection(("127.0.0.1", site.port))
        caplog.clear()
        with no_descriptors():
            await until(lambda: caplog.records)
            await asyncio.sleep(0.01)
            for _ in range(turns):
                await asyncio.sleep(0)
        await site.stop()
        assert b"200 OK" in await ask(*await asyncio.open_connection(sock=client))
        assert site.sockets == ()


# -- Unix sockets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o666])
async def test_wishes_38_the_permissions_of_a_unix_socket(runner: FakeRunner, tmp_path: Path, mode: int) -> None:
    site = UnixSite(runner, tmp_path / "s", mode=mode)
    await site.start()
    assert (tmp_path / "s").stat().st_mode & 0o777 == mode
    await site.stop()


async def test_a_socket_that_somebody_listens_on_is_left_alone(runner: FakeRunner, tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = UnixSite(runner, path)
    await first.start()
    with pytest.raises(OSError, match=r"cannot listen at '.*s': Address already in use"):
        await UnixSite(runner, path).start()
    assert b"200 OK" in await ask(*await asyncio.open_unix_connection(path))


async def test_the_socket_of_a_successor_is_not_removed(runner: FakeRunner, tmp_path: Path) -> None:
    path = tmp_path / "s"
    site = UnixSite(runner, path)
    await site.start()
    path.unlink()
    with unix_socket(path) as successor:
        successor.listen()
        await site.stop()
        assert path.exists()
    assert not path.exists()


async def test_a_unix_client_that_waits_in_the_backlog_is_served(runner: FakeRunner, tmp_path: Path) -> None:
    site = UnixSite(runner, tmp_path / "s")
    await site.start()
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(tmp_path / "s"))
    await site.stop()
    assert b"200 OK" in await ask(*await asyncio.open_unix_connection(sock=client))


async def test_a_unix_socket_that_cannot_be_had_leaves_nothing_behind(runner: FakeRunner, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        await UnixSite(runner, tmp_path / "nowhere" / "s").start()
    with pytest.raises(OSError, match="the path is empty"):
        await UnixSite(runner, "").start()
    site = UnixSite(runner, tmp_path / "s", backlog="many")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await site.start()
    assert not (tmp_path / "s").exists()


# -- pipes -------------------------------------------------------------------------------------------------------------


async def test_n2_named_pipes_are_for_windows(runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="proactor"):
        NamedPipeSite(runner, r"\\.\pipe\aioweb")


async def test_n2_a_loop_with_pipes_serves_them(runner: FakeRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract of the proactor loop, which is not to be had here."""
    told: list[object] = []

    class Pipe:
        def close(self) -> None:
            told.append("closed")

    async def start_serving_pipe(factory: object, address: str) -> list[Pipe]:
        told.extend((factory, address))
        return [Pipe()]

    monkeypatch.setattr(type(asyncio.get_running_loop()), "start_serving_pipe", staticmethod(start_serving_pipe), False)
    site = NamedPipeSite(runner, r"\\.\pipe\aioweb")
    await site.start()
    assert (site.name, site.sockets, runner.sites) == (r"\\.\pipe\aioweb", (), [site])
    await site.stop()
    assert told == [runner.server, r"\\.\pipe\aioweb", "closed"]


# -- probes of the kernel ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("ours", [True, False])
async def test_n24_connections_have_their_probes_from_the_listener_or_get_them(ours: bool, on: bool) -> None:
    server = Server(hello, tcp_keepalive=on)
    runner = FakeRunner(server)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if ours:
            await SockSite(runner, listening).start()
        else:
            listener = await asyncio.get_running_loop().create_server(server, sock=listening)
        option = listening.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert bool(option) is (ours and on)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(GET)
        await asyncio.wait_for(reader.readuntil(b"hello"), 5.0)
        for connection in server.connections:
            assert connection.transport is not None
            accepted = connection.transport.get_extra_info("socket")
            assert bool(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is on
            assert connection.peername == writer.get_extra_info("sockname")
        assert len(server.connections) == 1
        writer.close()
        await writer.wait_closed()
        if ours:
            await runner.sites[0].stop()
        else:
            listener.close()
        await server.shutdown(1.0)


async def test_n24_a_unix_site_knows_no_probes(runner: FakeRunner, tmp_path: Path) -> None:
    site = UnixSite(runner, tmp_path / "site.sock")
    await site.start()
    assert not site.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert b"200 OK" in await ask(*await asyncio.open_unix_connection(tmp_path / "site.sock"))
