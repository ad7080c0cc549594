"""nginx and haproxy in front of a server of ours, with the configurations of docs/howto/behind-a-proxy.md.

They run as they stand on the page; only addresses are others: the port that they listen at, and those of ours.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aioweb import web
from tests.conftest import Address
from tests.interop.clients import find_program

PAGE = Path(__file__).parents[2] / "docs/howto/behind-a-proxy.md"
PATIENCE = 20.0
NAMES = ("nginx", "haproxy")


def block(begin: str) -> str:
    """The block of the page that begins with these words."""
    (found,) = re.findall(rf"^```\w+\n({re.escape(begin)}.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def replaced(text: str, addresses: Mapping[str, str]) -> str:
    """The text with other addresses; each has to be there."""
    for one, other in addresses.items():
        assert one in text, f"the page does not say {one}"
        text = text.replace(one, other)
    return text


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Proxy(Address):
    """A proxy that runs."""

    def __init__(self, name: str, port: int, process: asyncio.subprocess.Process) -> None:
        super().__init__(None, "127.0.0.1", port)
        self.name = name
        self.process = process


@asynccontextmanager
async def _running(port: int, program: str, *words: str | Path) -> AsyncIterator[Proxy]:
    process = await asyncio.create_subprocess_exec(
        program, *map(str, words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    proxy = Proxy(Path(program).name, port, process)
    try:
        await asyncio.wait_for(_listens(proxy), PATIENCE)
        yield proxy
    finally:
        for peer in proxy.peers:
            peer.abort()
            await peer.close()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.communicate(), PATIENCE)
        except asyncio.TimeoutError:
            process.kill()
            await process.communicate()


async def _listens(proxy: Proxy) -> None:
    assert proxy.process.stdout is not None
    while True:
        if proxy.process.returncode is not None:
            raise AssertionError((await proxy.process.stdout.read()).decode())
        try:
            _, writer = await asyncio.open_connection(proxy.host, proxy.port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


@asynccontextmanager
async def nginx(folder: Path, upstream: str, *, certificate: Path | None = None) -> AsyncIterator[Proxy]:
    """nginx with the site of the page; `folder/files` is what it may send. With a certificate clients speak TLS."""
    port, program = free_port(), find_program("nginx")
    addresses = {
        "unix:/run/app/http.sock": upstream,
        "listen 80;": f"listen 127.0.0.1:{port}{' ssl' if certificate else ''};",
        "/srv/app/files/": f"{folder}/files/",
    }
    (folder / "site.conf").write_text(replaced(block("map "), addresses))
    places = "".join(f"{name}_temp_path {folder};\n" for name in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi"))
    tls = f"ssl_certificate {certificate};\nssl_certificate_key {certificate};\n" if certificate else ""
    around = f"access_log off;\n{tls}{places}include {folder}/site.conf;\n"
    (folder / "nginx.conf").write_text(f"events {{}}\nhttp {{\n{around}}}\n")
    options = f"daemon off; master_process off; error_log stderr; pid {folder}/nginx.pid;"
    async with _running(port, program, "-p", folder, "-c", folder / "nginx.conf", "-g", options) as proxy:
        yield proxy


@asynccontextmanager
async def haproxy(
    folder: Path, upstream: str, *, frontend: str = "", backend: str = "", certificate: Path | None = None
) -> AsyncIterator[Proxy]:
    """haproxy with the file of the page; another frontend or backend of the page by choice. See `nginx`."""
    port = free_port()
    first, own_frontend, own_backend = block("defaults").split("\n\n")
    own_backend = backend or own_backend
    text = "\n\n".join([first, frontend or own_frontend, own_backend])
    tls = f" ssl crt {certificate}" if certificate else ""
    address = "127.0.0.1:8080" if "127.0.0.1:8080" in own_backend else "unix@/run/app/http.sock"
    addresses = {address: upstream.replace("unix:", "unix@"), "bind :80": f"bind 127.0.0.1:{port}{tls}"}
    (folder / "haproxy.cfg").write_text(replaced(text, addresses) + "\n")
    async with _running(port, find_program("haproxy"), "-db", "-f", folder / "haproxy.cfg") as proxy:
        yield proxy


@asynccontextmanager
async def listening(app: web.Application, site: str, **options: Any) -> AsyncIterator[tuple[web.AppRunner, str]]:
    """Serve at a Unix socket, or a TCP address for ""; gives the address as nginx writes it."""
    demands = {"proxy_protocol": options.pop("proxy_protocol")} if "proxy_protocol" in options else {}
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, **options)
    await runner.setup()
    try:
        if site:
            await web.UnixSite(runner, site, **demands).start()
            yield runner, f"unix:{site}"
        else:
            await web.TCPSite(runner, "127.0.0.1", 0, **demands).start()
            yield runner, f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
