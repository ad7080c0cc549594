"""FEATURES.md rows N13 (FileResponse), N19 (flags of static) and what N8 says of hashes; WISHES 10, 11 and 37."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Serve

CONTENT = b"0123456789" * 10
TAG = "ETag of the file"
N13: list[tuple[str, list[str], int, bytes, dict[str, str | None]]] = [
    ("GET", [], 200, CONTENT, {"Accept-Ranges": "bytes", "Content-Length": "100"}),
    ("HEAD", [], 200, b"", {"Content-Length": "100", "Content-Type": "text/plain; charset=utf-8"}),
    ("GET", ["Range: bytes=0-9"], 206, CONTENT[:10], {"Content-Range": "bytes 0-9/100"}),
    ("GET", ["Range: bytes=90-"], 206, CONTENT[90:], {"Content-Range": "bytes 90-99/100"}),
    ("GET", ["Range: bytes=-5"], 206, CONTENT[-5:], {"Content-Range": "bytes 95-99/100"}),
    ("GET", ["Range: bytes=100-"], 416, b"", {"Content-Range": "bytes */100"}),
    ("GET", ["Range: bytes=0-9", f"If-Range: {TAG}"], 206, CONTENT[:10], {}),
    ("GET", ["Range: bytes=0-9", 'If-Range: "other"'], 200, CONTENT, {}),
    ("GET", [f"If-Match: {TAG}"], 200, CONTENT, {}),
    ("GET", ['If-Match: "other"'], 412, b"", {"ETag": None}),
    ("GET", ["If-Match: *"], 200, CONTENT, {}),
    ("GET", [f"If-None-Match: {TAG}"], 304, b"", {"Content-Length": None}),
    ("GET", ['If-None-Match: "other"'], 200, CONTENT, {}),
    ("GET", ["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"], 304, b"", {}),
    ("GET", ["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"], 412, b"", {}),
    ("GET", ["Accept-Encoding: br"], 200, b"by br", {"Content-Encoding": "br", "Vary": "Accept-Encoding"}),
    ("GET", ["Accept-Encoding: gzip"], 200, b"by gzip", {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}),
    ("GET", ["Accept-Encoding: br;q=0"], 200, CONTENT, {"Content-Encoding": None, "Vary": "Accept-Encoding"}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in [("a.txt", CONTENT), ("a.txt.br", b"by br"), ("a.txt.gz", b"by gzip"), ("empty.txt", b"")]:
        (folder / name).write_bytes(content)
        os.utime(folder / name, (784111777, 784111777))
    (tmp_path / "secret").write_text("secret")
    return folder


# -- N13 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "lines", "status", "body", "headers"), N13)
async def test_n13_a_file_as_response(
    serve: Serve,
    folder: Path,
    method: str,
    lines: list[str],
    status: int,
    body: bytes,
    headers: dict[str, str | None],
) -> None:
    async def handler(request: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / "a.txt")

    app = web.Application()
    app.router.add_get("/", handler)
    address = await serve(app)
    tag = (await address.request("GET", "/")).headers["ETag"]
    answer = await address.request(method, "/", *(line.replace(TAG, tag) for line in lines))
    assert answer.status == status
    if status < 400:
        assert answer.body == body
    for name, value in headers.items():
        assert answer.headers.get(name) == value


async def test_n13_an_empty_file_and_one_that_may_not_be_read(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(request: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / request.match_info["name"], chunk_size=1024)

    app = web.Application()
    app.router.add_get("/{name}", handler)
    address = await serve(app)
    answer = await address.request("GET", "/empty.txt")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")
    assert (await address.request("GET", "/missing")).status == 404
    (folder / "a.txt").chmod(0)
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "open", lambda *args, **options: (_ for _ in ()).throw(PermissionError(13, "no")))
    assert (await address.request("GET", "/a.txt")).status == 403


# -- N19, N8 -----------------------------------------------------------------------------------------------------------


async def start(serve: Serve, folder: Path, **options: Any) -> tuple[Any, Any]:
    app = web.Application()
    resource = app.router.add_static("/static", folder, **options)
    return await serve(app), resource


async def test_n19_show_index_on_and_off(serve: Serve, folder: Path) -> None:
    (folder / "<b>&.txt").write_text("x")
    off, _ = await start(serve, folder)
    assert (await off.request("GET", "/static/")).status == 404
    on, _ = await start(serve, folder, show_index=True)
    page = (await on.request("GET", "/static/")).body.decode()
    assert "a.txt" in page
    assert "<b>&amp;" not in page
    assert "&lt;b&gt;&amp;.txt" in page


async def test_n19_follow_symlinks_on_and_off(serve: Serve, folder: Path) -> None:
    (folder / "inside").symlink_to("a.txt")
    (folder / "outside").symlink_to("../secret")
    off, _ = await start(serve, folder)
    on, _ = await start(serve, folder, follow_symlinks=True)
    assert (await off.request("GET", "/static/inside")).status == 404
    assert (await on.request("GET", "/static/inside")).body == CONTENT
    for address in (off, on):
        assert (await address.request("GET", "/static/outside")).status == 404
        assert (await address.request("GET", "/static/../secret")).status == 404


async def test_n19_n8_append_version_on_and_off(serve: Serve, folder: Path) -> None:
    expected = base64.urlsafe_b64encode(hashlib.sha256(CONTENT).digest()).decode()
    _, off = await start(serve, folder)
    address, on = await start(serve, folder, append_version=True)
    assert web.StaticResource.get_file_hash(CONTENT) == expected
    assert str(off.url_for(filename="a.txt")) == "/static/a.txt"
    assert off.url_for(filename="a.txt", append_version=True).query == {"v": expected}
    assert on.url_for(filename="a.txt").query == {"v": expected}
    assert str(on.url_for(filename="a.txt", append_version=False)) == "/static/a.txt"
    assert str(on.url_for(filename="missing.txt")) == "/static/missing.txt"
    assert (await address.request("GET", str(on.url_for(filename="a.txt")))).body == CONTENT


# -- wishes ------------------------------------------------------------------------------------------------------------


async def test_wish_10_an_application_in_the_browser_and_a_single_file(serve: Serve, folder: Path) -> None:
    (folder / "index.html").write_text("app")
    app = web.Application()
    app.router.add_file("/favicon.ico", folder / "a.txt", name="favicon")
    app.router.add_static("/", folder, index="index.html", fallback="index.html")
    address = await serve(app)
    page = "Accept: text/html"
    for path in ("/", "/users/5", "/index.html"):
        answer = await address.request("GET", path, page)
        assert (answer.status, answer.body) == (200, b"app")
    assert (await address.request("GET", "/favicon.ico")).body == CONTENT
    assert (await address.request("GET", "/missing.js", "Accept: */*")).status == 404
    assert (await address.request("POST", "/users/5", page)).status == 405


async def test_wish_11_caching_by_name(serve: Serve, folder: Path) -> None:
    (folder / "index.html").write_text("app")
    forever = "public, max-age=31536000, immutable"
    table = {"*.html": "no-cache", "*.txt": forever}
    for cache in (table, lambda path: forever if path.endswith(".txt") else "no-cache"):
        address, _ = await start(serve, folder, cache=cache)
        assert (await address.request("GET", "/static/a.txt")).headers["Cache-Control"] == forever
        assert (await address.request("GET", "/static/index.html")).headers["Cache-Control"] == "no-cache"


async def test_wish_37_a_temporary_file_as_response(serve: Serve) -> None:
    async def report(request: web.Request) -> web.FileResponse:
        file = tempfile.TemporaryFile()  # noqa: SIM115  # the response closes it
        file.write(CONTENT)
        return web.FileResponse(file, filename="Отчёт.csv")

    app = web.Application()
    app.router.add_get("/", report)
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert answer.body == CONTENT
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename")
    assert (await address.request("GET", "/", "Range: bytes=5-6")).body == b"56"
