"""Folders of files as they are registered, and the URLs and versions of their files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from aioweb.web.static import StaticResource, StaticRoute
from tests.conftest import Address, Serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "public"
    (folder / "css").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "index.html").write_text("<p>home")
    (folder / "css" / "a.css").write_text("a{}")
    (folder / "css" / "index.html").write_text("<p>css")
    (folder / "a b%{ü}.txt").write_text("odd")
    (folder / ".env").write_text("hidden")
    (folder / ".well-known").mkdir()
    (folder / ".well-known" / "security.txt").write_text("known")
    return folder


async def start(serve: Serve, folder: Path, prefix: str = "/static", **options: Any) -> Address:
    app = web.Application()
    app.router.add_static(prefix, folder, **options)
    return await serve(app)


# -- registration ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/static", "/static/"])
async def test_a_prefix_may_end_with_a_slash(serve: Serve, folder: Path, prefix: str) -> None:
    address = await start(serve, folder, prefix)
    assert (await address.request("GET", "/static/css/a.css")).body == b"a{}"
    assert (await address.request("GET", "/staticcss/a.css")).status == 404


async def test_the_prefix_may_be_everything(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, "/", index="index.html")
    assert (await address.request("GET", "/css/a.css")).body == b"a{}"
    assert (await address.request("GET", "/")).body == b"<p>home"


@pytest.mark.parametrize("prefix", ["static", "", "/{name}", "/a//"])
def test_a_prefix_that_is_none_is_refused_at_once(folder: Path, prefix: str) -> None:
    with pytest.raises(ValueError):
        web.Application().router.add_static(prefix, folder)


def test_a_folder_that_is_none_is_refused_at_once(folder: Path) -> None:
    router = web.Application().router
    for path in (folder / "missing", folder / "index.html"):
        with pytest.raises(ValueError, match="there is no folder"):
            router.add_static("/static", path)
    assert len(router.resources()) == 0


@pytest.mark.parametrize("option", ["index", "fallback"])
@pytest.mark.parametrize("value", ["../secret", "", "/", "a/../b", "a\\b", 5])
def test_an_index_or_fallback_outside_is_refused_at_once(folder: Path, option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=option):
        web.Application().router.add_static("/static", folder, **{option: value})


def test_a_taken_name_is_refused(folder: Path) -> None:
    router = web.Application().router
    router.add_static("/a", folder, name="static")
    with pytest.raises(ValueError, match="taken"):
        router.add_static("/b", folder, name="static")


def test_it_shows_itself(folder: Path) -> None:
    resource = web.Application().router.add_static("/static/", folder, name="files")
    assert isinstance(resource, StaticResource)
    assert repr(resource) == f"<StaticResource 'files' /static -> {str(folder)!r}>"
    assert resource.directory == folder
    assert resource.canonical == "/static"
    assert len(resource) == 1
    (route,) = resource
    assert isinstance(route, StaticRoute)
    info = resource.get_info()
    assert (info["directory"], info["prefix"], info["routes"]) == (folder, "/static/", {"GET": route, "HEAD": route})


async def test_the_first_that_is_registered_wins(serve: Serve, folder: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="handler")

    app = web.Application()
    app.router.add_get("/static/first", page)
    app.router.add_static("/static", folder)
    app.router.add_get("/static/second", page)
    address = await serve(app)
    assert (await address.request("GET", "/static/first")).body == b"handler"
    assert (await address.request("GET", "/static/second")).status == 404


async def test_in_a_group_a_table_and_a_sub_application(serve: Serve, folder: Path) -> None:
    calls = []

    @web.middleware
    async def count(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        calls.append(request.match_info["filename"])
        return await handler(request)

    app, sub = web.Application(), web.Application()
    with app.router.prefix("/group", name="group", middlewares=[count]) as group:
        group.add_static("/files", folder, name="files")
        group.add_file("/file", folder / "index.html", name="file", middlewares=[])
    routes = web.RouteTableDef(prefix="/table", name="table", middlewares=[count])
    routes.static("/files", folder, name="files")
    sub.add_routes([web.static("/files", folder, name="files")])
    added = app.add_routes(routes)
    app.add_subapp("/sub", sub, name="sub")
    address = await serve(app)
    for prefix in ("group", "table", "sub"):
        assert (await address.request("GET", f"/{prefix}/files/css/a.css")).body == b"a{}"
    assert calls == ["css/a.css", "css/a.css"]
    assert [type(route) for route in added] == [StaticRoute]
    assert app.router["group.files"].url(filename="a") == "/group/files/a"
    assert app.router["table.files"].url(filename="a") == "/table/files/a"
    assert app.router.find_named("sub:files").url(filename="a") == "/sub/files/a"
    assert str(app.router["group.file"].url_for()) == "/group/file"


def test_a_definition_shows_itself(folder: Path) -> None:
    definition = web.static("/static", folder, name="files", index="index.html")
    assert repr(definition) == f"<StaticDef /static -> {folder}, index='index.html', name='files'>"
    assert isinstance(definition, web.StaticDef)


# -- URLs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "url"),
    [
        ("css/a.css", "/static/css/a.css"),
        ("/css/a.css", "/static/css/a.css"),
        ("//css/a.css", "/static/css/a.css"),
        (Path("css/a.css"), "/static/css/a.css"),
        ("a b%{ü}.txt", "/static/a%20b%25%7B%C3%BC%7D.txt"),
        ("%2e%2e", "/static/%252e%252e"),
        ("a?b#c", "/static/a%3Fb%23c"),
        ("", "/static/"),
    ],
)
def test_the_url_of_a_file(folder: Path, filename: Any, url: str) -> None:
    resource = web.Application().router.add_static("/static", folder)
    assert str(resource.url_for(filename=filename)) == url
    assert resource.url(filename=filename) == url
    (route,) = resource
    assert route.url(filename=filename) == url
    assert str(route.url_for(filename=filename)) == url


async def test_the_url_of_an_odd_name_leads_to_it(serve: Serve, folder: Path) -> None:
    app = web.Application()
    resource = app.router.add_static("/ст", folder)
    address = await serve(app)
    assert (await address.request("GET", resource.url(filename="a b%{ü}.txt"))).body == b"odd"


def test_no_url_names_a_host(folder: Path) -> None:
    resource = web.Application().router.add_static("/", folder)
    for filename in ("//example.com/x", "///example.com", "\\\\example.com"):
        assert not resource.url(filename=filename).startswith(("//", "/\\"))


@pytest.mark.parametrize("query", [{"a": "b c"}, [("a", "b c")], "a=b+c", "?a=b+c"])
def test_the_url_of_a_file_with_a_query(folder: Path, query: Any) -> None:
    resource = web.Application().router.add_static("/static", folder)
    assert resource.url(filename="x", query=query) == "/static/x?a=b+c"
    assert resource.url(filename="x", query=None) == "/static/x"


def test_a_version_is_the_hash_of_the_content(folder: Path) -> None:
    resource = web.Application().router.add_static("/static", folder, append_version=True)
    first = resource.url_for(filename="css/a.css")
    assert first.query == {"v": StaticResource.get_file_hash(b"a{}")}
    assert resource.url_for(filename="/css/a.css") == first
    assert resource.url_for(filename="css/a.css", append_version=False).query == {}
    (folder / "css" / "a.css").write_text("b{}")
    assert resource.url_for(filename="css/a.css").query == {"v": StaticResource.get_file_hash(b"b{}")}
    assert resource.url(filename="css/a.css", query={"x": "1"}).startswith("/static/css/a.css?v=")
    assert resource.url(filename="css/a.css", query={"x": "1"}).endswith("&x=1")


def test_what_cannot_be_served_has_no_version(folder: Path) -> None:
    (folder / "link").symlink_to("../secret")
    resource = web.Application().router.add_static("/static", folder)
    for filename in ("missing", "css", "../secret", "link", ".env", "a\0b", "", "a//b"):
        assert "?" not in resource.url(filename=filename, append_version=True)


def test_a_version_is_computed_once_for_each_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    compute = StaticResource.get_file_hash

    def count(content: bytes) -> str:
        hashed.append(content)
        return compute(content)

    monkeypatch.setattr(StaticResource, "get_file_hash", staticmethod(count))
    resource = web.Application().router.add_static("/static", folder, append_version=True)
    for _ in range(3):
        resource.url_for(filename="css/a.css")
    assert hashed == [b"a{}"]
