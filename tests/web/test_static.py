"""Folders of files below a prefix: what is found, folders, applications in the browser, caching, and single files."""

from __future__ import annotations

import html
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from aioweb.web.static import FileHandler, cache_policy
from tests.conftest import Address, Answer, Serve

HTML = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"


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


# -- requests ----------------------------------------------------------------------------------------------------------


async def test_files_are_served_to_get_and_head_only(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder)
    assert (await address.request("HEAD", "/static/css/a.css")).headers["Content-Length"] == "3"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        for path in ("/static/css/a.css", "/static/missing", "/static/../secret"):
            answer = await address.request(method, path)
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_escapes_are_undone_once(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder)
    assert (await address.request("GET", "/static/a%20b%25%7B%C3%BC%7D.txt")).body == b"odd"
    assert (await address.request("GET", "/st%61tic/css/%61.css")).body == b"a{}"
    assert (await address.request("GET", "/static/css%2Fa.css")).status == 404
    assert (await address.request("GET", "/static/css/%2561.css")).status == 404


async def test_the_handler_knows_what_was_asked_for(serve: Serve, folder: Path) -> None:
    seen = []

    @web.middleware
    async def look(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        seen.append((dict(request.match_info), request.match_info.route))
        return await handler(request)

    app = web.Application(middlewares=[look])
    resource = app.router.add_static("/static", folder)
    address = await serve(app)
    for path in ("/static/css/a.css", "/static", "/static/"):
        await address.request("GET", path)
    (route,) = resource
    assert seen == [({"filename": name}, route) for name in ("css/a.css", "", "")]


async def test_what_cannot_be_served_is_one_and_the_same_404(serve: Serve, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "out").symlink_to("../secret")
    (folder / "in").symlink_to("index.html")
    (folder / "unreadable").write_text("x")
    (folder / "unreadable").chmod(0)
    address = await start(serve, folder)
    paths = ["missing", "css", "css/", "empty", "", "fifo", "out", "in", ".env", "../secret", "%2e%2e/secret"]
    paths += ["css/a.css/", "css/a.css/x", "NUL", "C:/x", "a%00b", "%5c", "x" * 300, "..%2fsecret", "%ff"]
    paths += ["unreadable"] if os.geteuid() else []
    answers = [await address.request("GET", f"/static/{path}") for path in paths]
    answers.append(await address.request("GET", "/nowhere/at/all"))
    heads = {tuple((name, value) for name, value in answer.headers.items() if name != "Date") for answer in answers}
    assert {(answer.status, answer.body) for answer in answers} == {(404, b"404: Not Found")}
    assert len(heads) == 1


async def test_middlewares_see_the_404(serve: Serve, folder: Path) -> None:
    @web.middleware
    async def page(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return web.Response(text="my own page", status=404)

    app = web.Application(middlewares=[page])
    app.router.add_static("/static", folder)
    assert (await (await serve(app)).request("GET", "/static/missing")).body == b"my own page"


async def test_names_with_a_dot_are_served_if_that_is_wanted(serve: Serve, folder: Path) -> None:
    shy = await start(serve, folder)
    assert (await shy.request("GET", "/static/.env")).status == 404
    assert (await shy.request("GET", "/static/.well-known/security.txt")).body == b"known"
    open_ = await start(serve, folder, hidden=True)
    assert (await open_.request("GET", "/static/.env")).body == b"hidden"
    assert (await open_.request("GET", "/static/../secret")).status == 404


@pytest.mark.parametrize("follow", [False, True])
async def test_links_inside_are_followed_if_that_is_wanted(serve: Serve, folder: Path, follow: bool) -> None:
    (folder / "link.css").symlink_to("css/a.css")
    (folder / "out").symlink_to("..")
    address = await start(serve, folder, follow_symlinks=follow)
    assert (await address.request("GET", "/static/link.css")).status == (200 if follow else 404)
    for path in ("out/secret", "out/public/index.html", "../secret", "out/../secret"):
        expected = 200 if follow and path == "out/public/index.html" else 404
        assert (await address.request("GET", f"/static/{path}")).status == expected


async def test_a_server_without_descriptors_says_so(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = await start(serve, folder, index="index.html", fallback="index.html", show_index=True)

    def refuse(*args: Any, **options: Any) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    for path in ("/static/index.html", "/static/", "/static/../x"):
        assert (await address.request("GET", path, HTML)).status == 500
    assert "Too many open files" in caplog.text


async def test_an_expect_handler_of_a_folder(serve: Serve, folder: Path) -> None:
    calls = []

    async def expect(request: web.Request) -> None:
        calls.append(request.path)

    address = await start(serve, folder, expect_handler=expect)
    answer = await address.request("GET", "/static/css/a.css", "Expect: 100-continue")
    assert (answer.status, calls) == (200, ["/static/css/a.css"])


# -- folders -----------------------------------------------------------------------------------------------------------


async def test_an_index_answers_for_its_folder(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, index="index.html")
    assert (await address.request("GET", "/static/")).body == b"<p>home"
    assert (await address.request("GET", "/static/css/")).body == b"<p>css"
    assert (await address.request("GET", "/static/empty/")).status == 404
    assert (await address.request("GET", "/static/empty")).status == 404


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/static", "/static/"),
        ("/static/css", "/static/css/"),
        ("/static/css?a=b&c=%20//x", "/static/css/?a=b&c=%20//x"),
        ("/st%61tic/c%73s", "/static/css/"),
    ],
)
async def test_a_folder_without_its_slash_is_redirected(serve: Serve, folder: Path, path: str, location: str) -> None:
    for options in ({"index": "index.html"}, {"show_index": True}):
        address = await start(serve, folder, **options)
        for method in ("GET", "HEAD"):
            answer = await address.request(method, path)
            assert (answer.status, answer.headers["Location"]) == (301, location)


@pytest.mark.parametrize(
    "path", ["//example.com", "//css", "//example.com/%2e%2e", "/%2fexample.com", "/\\example.com", "/%5cexample.com"]
)
async def test_no_redirect_leads_to_another_host_cve_2023_28370(serve: Serve, folder: Path, path: str) -> None:
    (folder / "example.com").mkdir()
    (folder / "example.com" / "index.html").write_text("x")
    address = await start(serve, folder, "/", index="index.html", show_index=True)
    assert (await address.request("GET", "/example.com")).headers["Location"] == "/example.com/"
    answer = await address.request("GET", path)
    assert answer.status in (400, 404)
    assert "Location" not in answer.headers


async def test_a_list_of_files_is_escaped_cve_2024_27306(serve: Serve, folder: Path) -> None:
    evil = ["<script>alert(1)<", '"onmouseover="x', "a&b;c", "javascript:alert(1)", "x y#z?.html"]
    for name in evil:
        (folder / "css" / name).write_text(name)
    address = await start(serve, folder, show_index=True)
    answer = await address.request("GET", "/static/css/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = answer.body.decode()
    assert "<script" not in page
    assert '"onmouseover' not in page
    assert 'href="./javascript%3Aalert%281%29"' in page
    assert "a&amp;b;c</a>" in page
    assert '<a href="../">' in page
    for name in evil:
        link = page.partition(f">{html.escape(name)}</a>")[0].rpartition('href="./')[2].rstrip('"')
        assert (await address.request("GET", f"/static/css/{link}")).body == name.encode()


async def test_the_list_of_the_root(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, show_index=True)
    page = (await address.request("GET", "/static/")).body.decode()
    assert "<h1>Index of /static/</h1>" in page
    assert '<a href="./css/">css/</a>' in page
    assert "../" not in page
    assert ".env" not in page
    assert (await address.request("GET", "/static/empty/")).status == 200
    assert (await address.request("GET", "/static/missing/")).status == 404
    assert (await address.request("HEAD", "/static/")).status == 200


async def test_an_index_comes_before_a_list(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, show_index=True, index="index.html")
    assert (await address.request("GET", "/static/")).body == b"<p>home"
    assert b"Index of" in (await address.request("GET", "/static/empty/")).body


# -- applications in the browser ---------------------------------------------------------------------------------------


async def test_a_page_that_is_not_there_is_the_fallback(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, "/", fallback="index.html", index="index.html")
    for path in ("/any/page", "/css/missing", "/../secret", "/.env", "/empty/", "/a%00b"):
        answer = await address.request("GET", path, HTML)
        assert (answer.status, answer.body) == (200, b"<p>home")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Vary"] == "Accept"
        assert (await address.request("HEAD", path, HTML)).headers["Content-Length"] == "7"
    assert (await address.request("GET", "/css/a.css", HTML)).body == b"a{}"
    assert "Vary" not in (await address.request("GET", "/", HTML)).headers


@pytest.mark.parametrize("line", ["Accept: */*", "Accept: image/avif,*/*;q=0.5", "Accept: text/html;q=0", "X: y"])
async def test_what_is_no_page_is_a_404_in_spite_of_the_fallback(serve: Serve, folder: Path, line: str) -> None:
    address = await start(serve, folder, "/", fallback="index.html")
    assert (await address.request("GET", "/app.js", line)).status == 404


async def test_a_fallback_answers_no_other_method(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, "/", fallback="index.html")
    assert (await address.request("POST", "/any/page", HTML)).status == 405


async def test_a_fallback_may_come_later_and_may_be_missing(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, "/", fallback="later/app.html")
    assert (await address.request("GET", "/page", HTML)).status == 404
    (folder / "later").mkdir()
    (folder / "later" / "app.html").write_text("late")
    assert (await address.request("GET", "/page", HTML)).body == b"late"


# -- caching -----------------------------------------------------------------------------------------------------------


async def cache_control(address: Address, path: str, *lines: str) -> str | None:
    return (await address.request("GET", f"/static/{path}", *lines)).headers.get("Cache-Control")


async def test_a_table_tells_how_long_a_file_is_kept(serve: Serve, folder: Path) -> None:
    table = {"*.html": "no-cache", "css/*": 3600, "*.txt": None, "*": 0}
    address = await start(serve, folder, cache=table, index="index.html", fallback="index.html")
    assert await cache_control(address, "index.html") == "no-cache"
    assert await cache_control(address, "css/index.html") == "no-cache"
    assert await cache_control(address, "css/a.css") == "max-age=3600"
    assert await cache_control(address, "css/") == "no-cache"
    assert await cache_control(address, ".well-known/security.txt") is None
    assert await cache_control(address, "any/page", HTML) == "no-cache"
    assert await cache_control(address, "missing") is None


async def test_a_callable_tells_how_long_a_file_is_kept(serve: Serve, folder: Path) -> None:
    asked = []

    def cache(path: str) -> str | int | None:
        asked.append(path)
        return {"css/a.css": "public, max-age=31536000, immutable", "index.html": 5}.get(path)

    address = await start(serve, folder, cache=cache)
    assert await cache_control(address, "css/%61.css") == "public, max-age=31536000, immutable"
    assert await cache_control(address, "index.html") == "max-age=5"
    assert await cache_control(address, ".well-known/security.txt") is None
    assert await cache_control(address, "missing") is None
    assert asked == ["css/a.css", "index.html", ".well-known/security.txt"]


async def test_a_304_and_a_206_tell_it_too(serve: Serve, folder: Path) -> None:
    address = await start(serve, folder, cache={"*": 60})
    assert await cache_control(address, "index.html", "If-None-Match: *") == "max-age=60"
    assert await cache_control(address, "index.html", "Range: bytes=0-1") == "max-age=60"
    assert await cache_control(address, "index.html", "Range: bytes=99-") is None


@pytest.mark.parametrize("cache", [{"*": -1}, {"*": True}, {"*": 1.5}, {"*": b"no-cache"}])
def test_a_bad_value_in_a_table_is_refused_at_once(folder: Path, cache: Any) -> None:
    with pytest.raises(ValueError, match="Cache-Control"):
        web.Application().router.add_static("/static", folder, cache=cache)


def test_what_is_no_policy_is_refused_at_once() -> None:
    for cache in (5, "no-cache", ["*"]):
        with pytest.raises(TypeError, match="cache must be"):
            cache_policy(cache)  # type: ignore[arg-type]


# -- own responses -----------------------------------------------------------------------------------------------------


async def test_a_factory_makes_the_responses(serve: Serve, folder: Path) -> None:
    (folder / "large").write_bytes(b"0123456789" * 20_000)
    made: list[Any] = []

    class Counting(web.StreamResponse):
        def __init__(self) -> None:
            super().__init__()
            self.writes: list[int] = []
            made.append(self)

        def write(self, data: bytes | bytearray | memoryview) -> Awaitable[None]:
            self.writes.append(len(data))
            return super().write(data)

    address = await start(serve, folder, response_factory=Counting, chunk_size=60_000)
    assert (await address.request("GET", "/static/large")).body == b"0123456789" * 20_000
    assert (await address.request("GET", "/static/css/a.css")).body == b"a{}"
    assert (await address.request("HEAD", "/static/large")).headers["Content-Length"] == "200000"
    assert (await address.request("GET", "/static/large", "Range: bytes=0-1,5-5")).status == 206
    assert (await address.request("GET", "/static/large", "If-None-Match: *")).status == 304
    assert (await address.request("GET", "/static/missing")).status == 404
    assert [len(response.writes) for response in made] == [4, 1, 0, 5, 0]
    assert made[0].writes == [60_000, 60_000, 60_000, 20_000]


# -- one file ----------------------------------------------------------------------------------------------------------


async def one_file(serve: Serve, file: Any, *lines: str, method: str = "GET", **options: Any) -> Answer:
    app = web.Application()
    app.router.add_file("/robots.txt", file, **options)
    return await (await serve(app)).request(method, "/robots.txt", *lines)


async def test_one_file_at_one_path(serve: Serve, folder: Path) -> None:
    path = folder / "css" / "a.css"
    answer = await one_file(serve, path, name="robots", cache=60)
    assert (answer.body, answer.headers["Cache-Control"]) == (b"a{}", "max-age=60")
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert (await one_file(serve, str(path), method="HEAD")).headers["Content-Length"] == "3"
    assert (await one_file(serve, path, "Range: bytes=1-1")).body == b"{"
    assert (await one_file(serve, path, method="POST")).headers["Allow"] == "GET, HEAD"
    assert (await one_file(serve, path, method="HEAD", allow_head=False)).status == 405


async def test_a_file_that_goes_is_a_404(serve: Serve, folder: Path) -> None:
    app = web.Application()
    app.router.add_file("/x", folder / "index.html", cache="immutable")
    address = await serve(app)
    (folder / "index.html").unlink()
    answer = await address.request("GET", "/x")
    assert answer.status == 404
    assert "Cache-Control" not in answer.headers


def test_a_file_that_is_none_is_refused_at_once(folder: Path) -> None:
    router = web.Application().router
    for path in (folder, folder / "missing"):
        with pytest.raises(ValueError, match="there is no file"):
            router.add_file("/x", path)
    with pytest.raises(ValueError, match="Cache-Control"):
        router.add_file("/x", folder / "index.html", cache=-1)
    assert len(router.resources()) == 0
    assert repr(FileHandler(folder / "index.html")) == f"<FileHandler {str(folder / 'index.html')!r}>"
