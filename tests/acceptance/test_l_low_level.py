"""FEATURES L3 to L9 without WSGI: error names, low-level server, access-log atoms, small utilities."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from typing import Any

import pytest

import aioweb
from aioweb import BasicAuth, hdrs, parse_mimetype, reify, web


def reading(handler: Any, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_post("/", handler)
    return app


# -- L3: error names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("HttpProcessingError", "BadHttpMessage", "HttpBadRequest", "TransferEncodingError", "ContentEncodingError"),
        *("LineTooLong", "InvalidHeader", "BadStatusLine", "HttpMethodNotAllowed", "ClientDisconnectedError"),
        "WSClientDisconnectedError",
    ],
)
def test_l3_the_error_names_of_0_17_can_be_imported(name: str) -> None:
    assert name in web.__all__
    assert issubclass(getattr(web, name), Exception)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (web.HttpProcessingError(code=418, message="tea only", headers={"X-Pot": "tea"}), 418, b"tea only"),
        (web.HttpProcessingError(), 500, b"500 Internal Server Error"),
        (web.HttpBadRequest("so <b>not</b>"), 400, b"so &lt;b&gt;not&lt;/b&gt;"),
        (web.HttpMethodNotAllowed(headers={"Allow": "GET"}), 405, b"405 Method Not Allowed"),
    ],
)
async def test_l3_raised_by_a_handler_they_are_an_answer_that_ends_the_connection(
    serve, error: Any, status: int, said: bytes, caplog
) -> None:
    async def fail(request):
        raise error

    address = await serve(reading(fail))
    answer = await address.request("POST", "/")
    assert (answer.status, answer.headers["Connection"]) == (status, "close")
    assert said in answer.body
    assert error.headers is None or answer.headers.items() >= error.headers.items()
    assert (error.code, error.status) == (status, status)
    assert caplog.records == []


def test_l3_what_the_parser_raises_is_caught_under_the_old_names() -> None:
    for caught in (web.BadStatusLine, web.InvalidHeader, web.LineTooLong, web.TransferEncodingError):
        assert issubclass(caught, web.BadHttpMessage)
    assert issubclass(web.HttpProcessingError, web.BadHttpMessage)
    assert issubclass(web.ClientDisconnectedError, ConnectionResetError)


# -- L4, L5: the low-level server --------------------------------------------------------------------------------------


async def test_l4_a_server_without_an_application_serves(serve) -> None:
    async def handler(request):
        assert isinstance(request, web.BaseRequest)
        if request.path == "/missing":
            raise web.HTTPNotFound
        return web.Response(text=f"{request.method} {request.path} {await request.text()}")

    address = await serve(web.Server(handler))
    assert (await address.request("PUT", "/x", body=b"abc")).body == b"PUT /x abc"
    assert (await address.request("GET", "/missing")).status == 404


async def test_l4_a_server_runs_under_a_runner() -> None:
    async def handler(request):
        return web.Response(text="OK")

    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"OK")
    writer.close()
    await writer.wait_closed()
    await runner.cleanup()


def test_l4_what_is_no_handler_is_refused() -> None:
    with pytest.raises(TypeError, match="handler"):
        web.Server(None)  # type: ignore[arg-type]


def own_page(status: int, detail: str, exception: BaseException | None, accept: str | None) -> tuple[str, bytes]:
    return "text/x-mine; charset=utf-8", f"{status}|{detail}|{exception!r}|{accept}".encode()


async def test_l5_the_page_for_refused_requests_can_be_your_own(serve) -> None:
    address = await serve(web.Application(), error_page=own_page)
    answer = await address.raw(b"junk\r\n\r\n")
    assert b"\r\nContent-Type: text/x-mine; charset=utf-8\r\n" in answer
    assert answer.partition(b"\r\n\r\n")[2].startswith(b"400|")
    assert answer.endswith(b"|None|None")


@pytest.mark.parametrize("debug", [True, False])
async def test_l5_the_page_for_failed_handlers_can_be_your_own(serve, debug: bool) -> None:
    async def fail(request):
        raise RuntimeError("broken")

    shown = b"RuntimeError('broken')" if debug else b"None"
    for server in (reading(fail), web.Server(fail, error_page=own_page, debug=debug)):
        options = {"error_page": own_page, "debug": debug} if isinstance(server, web.Application) else {}
        address = await serve(server, **options)
        answer = await address.request("POST", "/", "Accept: text/plain")
        assert (answer.status, answer.headers["Content-Type"]) == (500, "text/x-mine; charset=utf-8")
        assert answer.body == b"500||%b|text/plain" % shown


async def test_l5_a_page_that_fails_is_logged_and_the_default_stands_in(serve, caplog) -> None:
    def fail(*args: Any) -> Any:
        raise RuntimeError("no template")

    address = await serve(web.Application(), error_page=fail)
    assert b"<h1>400 Bad Request</h1>" in await address.raw(b"junk\r\n\r\n")
    assert "The error page for status 400 has failed" in caplog.text
    assert "RuntimeError: no template" in caplog.text


# -- L7: access-log atoms ----------------------------------------------------------------------------------------------

TIME = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]"


@pytest.mark.parametrize(
    ("atom", "expected"),
    [
        ("%(h)s", r"127\.0\.0\.1"),
        ("%(l)s", "-"),
        ("%(u)s", "-"),
        ("%(t)s", TIME),
        ("%(r)s", r"POST /\?a=%22 HTTP/1\.1"),
        ("%(s)s", "201"),
        ("%(b)s", "5"),
        ("%(f)s", r'http://a/\\"'),
        ("%(a)s", r'agent \\"quoted\\"'),
        ("%(T)s", "0"),
        ("%(D)s", r"\d+"),
        ("%(p)s", f"<?{os.getpid()}>?"),
        ("%({X-In}i)s", "in"),
        ("%({x-out}o)s", "out"),
        ("%({X-Missing}i)s", "-"),
        ("%({X-Missing}o)s", "-"),
        ("%a %s %b %%", r"127\.0\.0\.1 201 5 %"),
        ("%t", TIME),
        ("%r", r"POST /\?a=%22 HTTP/1\.1"),
        ("%Tf", r"0\.\d{6}"),
        ("%D", r"\d+"),
        ("%P", f"<?{os.getpid()}>?"),
        ("%{X-In}i %{X-Out}o %{X-Missing}i", "in out -"),
    ],
)
async def test_l7_each_atom(serve, caplog, atom: str, expected: str) -> None:
    async def created(request):
        return web.Response(status=201, text="12345", headers={"X-Out": "out"})

    caplog.set_level(logging.INFO, logger="aioweb.access")
    address = await serve(reading(created), access_log_format=f"<{atom}>")
    fields = ["X-In: in", 'User-Agent: agent "quoted"', 'Referer: http://a/"']
    await address.request("POST", "/?a=%22", *fields)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "aioweb.access"]
    assert re.fullmatch(f"<{expected}>", line), line


async def test_l7_an_unknown_atom_is_named() -> None:
    with pytest.raises(ValueError, match=r"%\(Z\)s"):
        web.Application().make_handler(access_log_format="%(Z)s")


# -- L8, L9: small utilities -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("text/html; charset=utf-8", ("text", "html", "", {"charset": "utf-8"})),
        ("application/rss+xml", ("application", "rss", "xml", {})),
        ("*", ("*", "*", "", {})),
        ("", ("", "", "", {})),
    ],
)
def test_l8_parse_mimetype(value: str, parts: tuple[Any, ...]) -> None:
    assert tuple(parse_mimetype(value)) == parts


def test_l8_basic_auth_encodes_and_decodes() -> None:
    auth = BasicAuth("nköln", "p:w", "utf-8")
    assert tuple(auth) == ("nköln", "p:w", "utf-8")
    assert auth.encode() == "Basic bmvDtmxuOnA6dw=="
    assert BasicAuth.decode(auth.encode(), "utf-8") == auth
    with pytest.raises(ValueError):
        BasicAuth.decode("Bearer x")
    assert web.BasicAuth is BasicAuth


def test_l8_reify_computes_once() -> None:
    class Page:
        computed = 0

        @reify
        def title(self) -> str:
            """The title."""
            self.computed += 1
            return "title"

    page = Page()
    assert (page.title, page.title, page.computed) == ("title", "title", 1)
    assert Page.title.__doc__ == "The title."


def test_l8_hdrs_are_the_names_of_fields_and_methods() -> None:
    assert (hdrs.CONTENT_TYPE, hdrs.METH_GET, hdrs.SET_COOKIE) == ("Content-Type", "GET", "Set-Cookie")
    assert isinstance(hdrs.CONTENT_TYPE, str)


def test_l9_versions_are_named_tuples_at_the_root_and_in_web() -> None:
    assert aioweb.HttpVersion(1, 1) == aioweb.HttpVersion11 == (1, 1)
    assert aioweb.HttpVersion10 == (1, 0)
    assert (aioweb.HttpVersion11.major, aioweb.HttpVersion11.minor) == (1, 1)
    assert aioweb.HttpVersion10 < aioweb.HttpVersion11
    for name in ("HttpVersion", "HttpVersion10", "HttpVersion11"):
        assert getattr(web, name) is getattr(aioweb, name)


@pytest.mark.parametrize(("version", "expected"), [("1.0", (1, 0)), ("1.1", (1, 1)), ("1.7", (1, 1))])
async def test_l9_requests_know_theirs(serve, version: str, expected: tuple[int, int]) -> None:
    async def tell(request):
        assert isinstance(request.version, aioweb.HttpVersion)
        return web.json_response(request.version == expected)

    address = await serve(reading(tell))
    assert (await address.request("POST", "/", http=version)).body == b"true"
