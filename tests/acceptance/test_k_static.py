"""Section K of FEATURES.md: static files of aiohttp 0.17, with C17, C20, I2 and U11, as far as they speak of them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "css").mkdir(parents=True)
    (folder / "css" / "main.css").write_text("body {}")
    (folder / "data.unknown_mime_type").write_text("data")
    (folder / "hello.txt.gz").write_bytes(gzip.compress(b"hello"))
    (tmp_path / "secret").write_text("secret")
    return folder


def serving(folder: Path, prefix: str = "/static", **options: Any) -> web.Application:
    app = web.Application()
    app.router.add_static(prefix, folder, **options)
    return app


# -- K1 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/static", "/static/"])
async def test_k1_the_prefix_gets_a_slash(serve: Serve, folder: Path, prefix: str) -> None:
    address = await serve(serving(folder, prefix))
    assert (await address.request("GET", "/static/css/main.css")).body == b"body {}"
    assert (await address.request("GET", "/staticcss/main.css")).status == 404


def test_k1_a_missing_folder_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        serving(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="there is no folder"):
        serving(tmp_path / "file")


async def test_k1_all_arguments_of_0_17(serve: Serve, folder: Path) -> None:
    expected = []

    async def expect(request: web.Request) -> None:
        expected.append(request.path)

    app = serving(
        folder,
        name="static",
        expect_handler=expect,
        chunk_size=256 * 1024,
        response_factory=web.StreamResponse,
    )
    address = await serve(app)
    answer = await address.request("GET", "/static/css/main.css", "Expect: 100-continue")
    assert answer.body == b"body {}"
    assert expected == ["/static/css/main.css"]  # I2 on a static route
    assert "static" in app.router


# -- K2, K3 ------------------------------------------------------------------------------------------------------------


async def test_k2_type_and_coding_are_told_by_the_name(serve: Serve, folder: Path) -> None:
    address = await serve(serving(folder))
    css = await address.request("GET", "/static/css/main.css")
    assert css.headers["Content-Type"].startswith("text/css")
    assert "Content-Encoding" not in css.headers
    packed = await address.request("GET", "/static/hello.txt.gz")
    assert packed.headers["Content-Type"].startswith("text/plain")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == b"hello"
    unknown = await address.request("GET", "/static/data.unknown_mime_type")
    assert unknown.headers["Content-Type"] == "application/octet-stream"


async def test_k3_last_modified_and_if_modified_since(serve: Serve, folder: Path) -> None:
    address = await serve(serving(folder))
    path = "/static/css/main.css"
    changed = (await address.request("GET", path)).headers["Last-Modified"]
    answer = await address.request("GET", path, f"If-Modified-Since: {changed}")
    assert (answer.status, answer.body) == (304, b"")
    for date in ("Mon, 1 Jan 1990 01:01:01 GMT", "Mon, 01 Jan 1990 01:01:01 GMT", "not a date", "", "784111777"):
        assert (await address.request("GET", path, f"If-Modified-Since: {date}")).status == 200
    future = "Fri, 31 Dec 9999 23:59:59 GMT"
    assert (await address.request("GET", path, f"If-Modified-Since: {future}")).status == 304


# -- K4, K5 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["../secret", "%2e%2e/secret", "..%2fsecret", "%2fetc%2fpasswd", "/etc/passwd", "link", "css%00", "\\etc\\passwd"],
)
async def test_k4_there_is_no_way_out(serve: Serve, folder: Path, path: str) -> None:
    (folder / "link").symlink_to("../secret")
    address = await serve(serving(folder))
    answer = await address.request("GET", f"/static/{path}")
    assert answer.status in (400, 404)
    assert b"secret" not in answer.body


@pytest.mark.parametrize("path", ["/static/css", "/static/css/", "/static/", "/static"])
async def test_k5_a_folder_is_a_404_or_its_index(serve: Serve, folder: Path, path: str) -> None:
    (folder / "index.html").write_text("home")
    (folder / "css" / "index.html").write_text("css")
    assert (await (await serve(serving(folder))).request("GET", path)).status == 404
    answer = await (await serve(serving(folder, index="index.html"))).request("GET", path)
    if path.endswith("/"):
        assert answer.body == (b"css" if "css" in path else b"home")
    else:
        assert answer.headers["Location"] == f"{path}/"


# -- K6, K7 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 262143, 262144, 262145, 3_000_000])
async def test_k6_any_size(serve: Serve, folder: Path, size: int) -> None:
    content = os.urandom(size)
    (folder / "file").write_bytes(content)
    for options in ({}, {"chunk_size": 1024 * 64, "response_factory": web.StreamResponse}):
        answer = await (await serve(serving(folder, **options))).request("GET", "/static/file")
        assert answer.body == content
        assert answer.headers["Content-Length"] == str(size)


async def test_k7_a_response_factory_is_called_once_for_each_file(serve: Serve, folder: Path) -> None:
    calls: list[web.StreamResponse] = []

    def factory() -> web.StreamResponse:
        calls.append(web.StreamResponse())
        return calls[-1]

    address = await serve(serving(folder, response_factory=factory))
    for path in ("css/main.css", "missing", "data.unknown_mime_type"):
        await address.request("GET", f"/static/{path}")
    assert len(calls) == 2
    assert all(response.prepared for response in calls)


# -- K8, C17, C20, U11 -------------------------------------------------------------------------------------------------


def test_k8_u11_a_template_reaches_the_url(folder: Path) -> None:
    """Jinja asks for an attribute first, and then for an item: `app.router.static.url(filename=...)`."""
    app = serving(folder, name="static")
    assert not hasattr(app.router, "static")
    assert app.router["static"].url(filename="css/main.css") == "/static/css/main.css"


async def test_u11_static_files_by_name(serve: Serve, folder: Path) -> None:
    app = serving(folder, name="static")

    async def page(request: web.Request) -> web.Response:
        url = request.app.router["static"].url(filename="css/main.css")
        return web.Response(text=f'<link rel="stylesheet" href="{url}">', content_type="text/html")

    app.router.add_route("GET", "/", page)
    address = await serve(app)
    html = (await address.request("GET", "/")).body.decode()
    assert (await address.request("GET", html.split('"')[3])).body == b"body {}"


@pytest.mark.parametrize("filename", ["css/main.css", "/css/main.css", "///css/main.css"])
def test_c17_leading_slashes_of_a_filename_are_dropped(folder: Path, filename: str) -> None:
    static = serving(folder, name="static").router["static"]
    assert static.url(filename=filename) == "/static/css/main.css"
    assert static.url(filename=filename, query={"v": "1"}) == "/static/css/main.css?v=1"
    assert static.url(filename=filename, query="?v=1") == "/static/css/main.css?v=1"


async def test_c20_a_static_route_is_one(serve: Serve, folder: Path) -> None:
    seen = []

    @web.middleware
    async def look(request: web.Request, handler: Any) -> Any:
        seen.append(request.match_info.route)
        return await handler(request)

    app = web.Application(middlewares=[look])
    app.router.add_static("/first", folder, name="first")
    route = web.StaticRoute("second", "/second", folder)
    app.router.register_route(route)
    address = await serve(app)
    for prefix in ("first", "second"):
        assert (await address.request("GET", f"/{prefix}/css/main.css")).body == b"body {}"
    assert all(isinstance(route, web.StaticRoute) and isinstance(route, web.Route) for route in seen)
    assert seen[1] is route
    assert (route.name, route.method) == ("second", "GET")
    assert route.match("/second/css/a") == {"filename": "css/a"}
    assert route.match("/third/css/a") is None
    assert route.url(filename="a b") == app.router["second"].url(filename="a b") == "/second/a%20b"
    assert "second" in repr(route)
    with pytest.raises(TypeError):
        app.router.register_route("no route")  # type: ignore[arg-type]
