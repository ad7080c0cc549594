"""Files as foreign clients ask for them: curl's ranges and resumption, aiohttp's and httpx's codings and caches."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Address, Serve
from tests.interop.clients import Aiohttp, Client, Curl, Httpx

CLIENTS = {"httpx": Httpx, "aiohttp": Aiohttp, "curl": Curl}

FILM = bytes(index * 7 % 251 for index in range(1_000_000))
SCRIPT = b"console.log('hello');\n" * 5000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "docs").mkdir(parents=True)
    (folder / "film.mp4").write_bytes(FILM)
    (folder / "app.js").write_bytes(SCRIPT)
    (folder / "app.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "docs" / "index.html").write_text("<p>docs")
    (folder / "empty").touch()
    return folder


@pytest.fixture
async def address(serve: Serve, folder: Path) -> Address:
    async def export(request: web.Request) -> web.FileResponse:
        return web.FileResponse(io.BytesIO(SCRIPT), filename='Größe "1".js')

    app = web.Application()
    app.router.add_static("/files", folder, index="index.html")
    app.router.add_get("/export", export)
    return await serve(app)


@pytest.fixture(params=CLIENTS)
async def client(request: Any, tmp_path: Path) -> AsyncIterator[Client]:
    async with CLIENTS[request.param](tmp_path) as client:
        yield client


@pytest.fixture
async def curl(tmp_path: Path) -> AsyncIterator[Curl]:
    async with Curl(tmp_path) as client:
        assert isinstance(client, Curl)
        yield client


async def test_a_large_file_arrives(address: Address, client: Client) -> None:
    reply = await client.request("GET", f"{address.url}/files/film.mp4")
    assert (reply.status, reply.body) == (200, FILM)
    assert reply.headers["Content-Type"] == "video/mp4"


async def test_an_empty_file_arrives(address: Address, client: Client) -> None:
    reply = await client.request("GET", f"{address.url}/files/empty")
    assert (reply.status, reply.body) == (200, b"")


async def test_head_tells_the_size(address: Address, client: Client) -> None:
    reply = await client.request("HEAD", f"{address.url}/files/film.mp4")
    assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", str(len(FILM)))


@pytest.mark.parametrize(
    ("value", "part"),
    [("0-0", slice(0, 1)), ("500000-", slice(500_000, None)), ("-1", slice(-1, None)), ("10-99", slice(10, 100))],
)
async def test_a_range(address: Address, client: Client, value: str, part: slice) -> None:
    reply = await client.request("GET", f"{address.url}/files/film.mp4", headers={"Range": f"bytes={value}"})
    assert (reply.status, reply.body) == (206, FILM[part])


async def test_a_range_that_cannot_be_had(address: Address, client: Client) -> None:
    headers = {"Range": "bytes=1000000-"}
    reply = await client.request("GET", f"{address.url}/files/film.mp4", headers=headers)
    assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */1000000")


async def test_a_file_that_did_not_change(address: Address, client: Client) -> None:
    first = await client.request("GET", f"{address.url}/files/app.js")
    for name, value in (
        ("If-None-Match", first.headers["ETag"]),
        ("If-Modified-Since", first.headers["Last-Modified"]),
    ):
        reply = await client.request("GET", f"{address.url}/files/app.js", headers={name: value})
        assert (reply.status, reply.body) == (304, b"")


async def test_a_packed_sibling_is_unpacked_by_the_client(address: Address, client: Client, folder: Path) -> None:
    if isinstance(client, Curl):
        reply, _ = await client.fetch(f"{address.url}/files/app.js", "--compressed")
    else:
        reply = await client.request("GET", f"{address.url}/files/app.js")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.body == SCRIPT


async def test_a_folder_leads_to_its_index(address: Address, client: Client) -> None:
    reply = await client.request("GET", f"{address.url}/files/docs", follow=True)
    assert (reply.status, reply.body, reply.redirects) == (200, b"<p>docs", 1)


# -- curl --------------------------------------------------------------------------------------------------------------


async def test_curl_asks_for_several_ranges(address: Address, curl: Curl) -> None:
    reply, _ = await curl.fetch(f"{address.url}/files/film.mp4", "-r", "0-1,100-101,-2")
    assert reply.status == 206
    boundary = reply.headers["Content-Type"].partition("boundary=")[2].encode()
    parts = reply.body.split(b"--" + boundary)
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [
        content + b"\r\n" for content in (FILM[:2], FILM[100:102], FILM[-2:])
    ]
    assert parts[-1] == b"--\r\n"


async def test_curl_resumes_a_download(address: Address, curl: Curl, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(FILM[:700_000])
    await curl.curl(f"{address.url}/files/film.mp4", "-C", "-", "-o", part)
    assert part.read_bytes() == FILM


async def test_curl_asks_only_for_what_is_newer(address: Address, curl: Curl, folder: Path, tmp_path: Path) -> None:
    os.utime(folder / "app.js", (10**9, 10**9))
    copy = tmp_path / "copy"
    copy.write_bytes(b"old")
    os.utime(copy, (10**9, 10**9))
    reply, _ = await curl.fetch(f"{address.url}/files/app.js", "--time-cond", str(copy))
    assert (reply.status, reply.body) == (304, b"")
    os.utime(copy, (10**8, 10**8))
    reply, _ = await curl.fetch(f"{address.url}/files/app.js", "--time-cond", str(copy))
    assert (reply.status, reply.body) == (200, SCRIPT)


async def test_curl_keeps_a_tag(address: Address, curl: Curl, tmp_path: Path) -> None:
    tag = tmp_path / "tag"
    reply, _ = await curl.fetch(f"{address.url}/files/app.js", "--etag-save", tag)
    assert reply.status == 200
    reply, _ = await curl.fetch(f"{address.url}/files/app.js", "--etag-compare", tag)
    assert (reply.status, reply.body) == (304, b"")


async def test_curl_saves_a_download_under_its_name(address: Address, curl: Curl, tmp_path: Path) -> None:
    target = tmp_path / "downloads"
    target.mkdir()
    await curl.curl(f"{address.url}/export", "-O", "-J", "--output-dir", str(target))
    (saved,) = target.iterdir()
    assert saved.suffix == ".js"
    assert saved.read_bytes() == SCRIPT


async def test_curl_goes_no_way_out(address: Address, curl: Curl, folder: Path) -> None:
    (folder.parent / "secret").write_text("secret")
    for path in ("/files/../secret", "/files/docs/../../secret", "/files/..%2fsecret", "/files//etc/passwd"):
        reply, _ = await curl.fetch(f"{address.url}{path}", "--path-as-is")
        assert reply.status == 404


async def test_curl_over_http_1_0(address: Address, curl: Curl) -> None:
    reply, _ = await curl.fetch(f"{address.url}/files/film.mp4", "--http1.0")
    assert reply.body == FILM
