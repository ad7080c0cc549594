"""Clients that others have written, behind one small face: httpx, aiohttp's, and curl as a program.

Each keeps its cookies and its connections as it does for its users; `one_connection` asks several times in a row.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import attrs
import httpx
import pytest
from multidict import CIMultiDict

PATIENCE = 20.0
"""Seconds after which a request of a client has failed."""


def find_program(name: str) -> str:
    """The path of a program. Without it the test is skipped, but in CI it fails: there everything is tested."""
    # Programs that serve are not on the path of everybody.
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        reason = f"there is no {name} on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


async def run(*command: str | Path) -> bytes:
    """Run a program and return its output; one that fails fails the test, with its errors."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=pipe, stderr=pipe)
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, errors.decode("utf-8", "replace")
    return output


@attrs.frozen
class Reply:
    """The answer to a request, as a client understood it."""

    status: int
    headers: CIMultiDict[str]
    body: bytes
    redirects: int = 0


class Client(ABC):
    """What the tests ask of a client.

    Args:
        folder: for files.
        certificate: of the server that is to be trusted.
    """

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder = folder
        self.certificate = certificate

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:  # noqa: B027  # a program holds nothing
        pass

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """Trusts the certificate."""
        return ssl.create_default_context(cafile=str(self.certificate)) if self.certificate else True

    @abstractmethod
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        content: bytes | None = None,
        pieces: Iterable[bytes] | None = None,
        follow: bool = False,
    ) -> Reply:
        """Make a request. `pieces` are content of unknown length, sent in chunks; `follow` redirects."""

    async def one_connection(self, url: str, count: int) -> list[bytes]:
        """GET a URL several times and return the contents; each is a line."""
        return [(await self.request("GET", url)).body for _ in range(count)]

    async def post_form(self, url: str, fields: Mapping[str, str], **options: Any) -> Reply:
        """POST an urlencoded form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.request("POST", url, headers=headers, content=urlencode(fields).encode(), **options)

    async def post_json(self, url: str, data: Any) -> Reply:
        """POST JSON."""
        headers = {"Content-Type": "application/json"}
        return await self.request("POST", url, headers=headers, content=json.dumps(data).encode())


async def _stream(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class Httpx(Client):
    """httpx, whose parser is h11."""

    async def __aenter__(self) -> Client:
        self.client = httpx.AsyncClient(verify=self.tls, trust_env=False, timeout=PATIENCE)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        content: bytes | None = None,
        pieces: Iterable[bytes] | None = None,
        follow: bool = False,
    ) -> Reply:
        body: Any = _stream(pieces) if pieces is not None else content
        answer = await self.client.request(method, url, headers=headers, content=body, follow_redirects=follow)
        return Reply(answer.status_code, CIMultiDict(answer.headers), answer.content, len(answer.history))

    async def post_form(self, url: str, fields: Mapping[str, str], **options: Any) -> Reply:
        answer = await self.client.post(url, data=dict(fields), follow_redirects=options.get("follow", False))
        return Reply(answer.status_code, CIMultiDict(answer.headers), answer.content, len(answer.history))

    async def post_json(self, url: str, data: Any) -> Reply:
        answer = await self.client.post(url, json=data)
        return Reply(answer.status_code, CIMultiDict(answer.headers), answer.content)


class Aiohttp(Client):
    """The client of aiohttp."""

    async def __aenter__(self) -> Client:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        # The jar of the test is for an address; by default aiohttp keeps cookies for names only.
        jar = aiohttp.CookieJar(unsafe=True)
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.tls), timeout=timeout, cookie_jar=jar
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        content: bytes | None = None,
        pieces: Iterable[bytes] | None = None,
        follow: bool = False,
    ) -> Reply:
        body: Any = _stream(pieces) if pieces is not None else content and io.BytesIO(content)
        return await self.send(method, url, headers=headers, data=body, allow_redirects=follow)

    async def send(self, method: str, url: str, **options: Any) -> Reply:
        """A request with options of aiohttp."""
        async with self.session.request(method, url, **options) as answer:
            return Reply(answer.status, CIMultiDict(answer.headers), await answer.read(), len(answer.history))

    async def post_form(self, url: str, fields: Mapping[str, str], **options: Any) -> Reply:
        return await self.send("POST", url, data=dict(fields), allow_redirects=options.get("follow", False))

    async def post_json(self, url: str, data: Any) -> Reply:
        return await self.send("POST", url, json=data)


class Curl(Client):
    """The program."""

    async def __aenter__(self) -> Client:
        self.program = find_program("curl")
        self.jar = self.folder / "cookies"
        self.jar.touch()
        return self

    async def curl(self, url: str, *options: str | Path) -> bytes:
        """Run curl and return what it writes to its output."""
        trust = ["--cacert", self.certificate] if self.certificate else []
        jar = ["--cookie", self.jar, "--cookie-jar", self.jar]
        # -q comes first: no configuration of the user.
        return await run(self.program, "-q", "-sS", "--noproxy", "*", *trust, *jar, *options, *url.split())

    async def fetch(self, url: str, *options: str | Path) -> tuple[Reply, list[bytes]]:
        """Run curl; the reply, and the heads of all responses that came, interim ones too."""
        heads, body = self.folder / "heads", self.folder / "body"
        body.write_bytes(b"")
        dump = ["--dump-header", heads, "--output", body, "--write-out", "%{http_code} %{num_redirects}"]
        status, redirects = (await self.curl(url, *dump, *options)).split()
        content = body.read_bytes()
        if "--head" in options:
            # Then curl writes the heads to its output, too.
            content = content.removeprefix(heads.read_bytes())
        came = heads.read_bytes().strip().split(b"\r\n\r\n")
        lines = came[-1].decode("utf-8", "surrogateescape").split("\r\n")[1:]
        headers = CIMultiDict(line.split(": ", 1) for line in lines)
        return Reply(int(status), headers, content, int(redirects)), came

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        content: bytes | None = None,
        pieces: Iterable[bytes] | None = None,
        follow: bool = False,
    ) -> Reply:
        options: list[str | Path] = ["--head"] if method == "HEAD" else ["--request", method]
        if follow:
            # The method of the first request is not for all of them.
            options = ["--location"]
        for name, value in headers.items():
            options += ["--header", f"{name}: {value}"]
        if pieces is not None:
            options += ["--header", "Transfer-Encoding: chunked"]
            content = b"".join(pieces)
        if content is not None:
            upload = self.folder / "upload"
            upload.write_bytes(content)
            options += ["--data-binary", f"@{upload}"]
        reply, _ = await self.fetch(url, *options)
        return reply

    async def one_connection(self, url: str, count: int) -> list[bytes]:
        return (await self.curl(" ".join([url] * count))).splitlines(keepends=True)
