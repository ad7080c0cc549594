"""The error handler in the box: the page of aioweb for every error, in the form that the client accepts."""

from __future__ import annotations

import asyncio
import json

import pytest

from aioweb import web


async def fail(request: web.Request) -> web.Response:
    raise LookupError("it")


async def sign_in(request: web.Request) -> web.Response:
    error = web.HTTPUnauthorized(text="Who are you? <b>", headers={"WWW-Authenticate": "Basic", "X-Why": "because"})
    error.del_cookie("sid")
    raise error


def boxed() -> web.Application:
    app = web.Application()
    app.add_error_handler(range(400, 600), web.show_error_page)
    app.router.add_get("/", fail)
    app.router.add_post("/sign-in", sign_in)
    app.router.add_post("/read", lambda request: request.read())
    return app


async def test_the_page_in_the_box_is_in_the_form_that_the_client_accepts(serve, caplog) -> None:
    address = await serve(boxed())
    page = await address.request("GET", "/nowhere", "Accept: text/html")
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"<h1>404 Not Found</h1><p>Nothing matches the given URI</p>" in page.body
    text = await address.request("GET", "/nowhere", "Accept: */*")
    assert (text.status, text.body) == (404, b"404 Not Found\n\nNothing matches the given URI\n")
    problem = await address.request("GET", "/", "Accept: application/json")
    assert (problem.status, json.loads(problem.body)["title"]) == (500, "Internal Server Error")
    assert {page.headers["Vary"], text.headers["Vary"], problem.headers["Vary"]} == {"Accept"}


async def test_the_page_in_the_box_keeps_what_an_http_exception_says(serve) -> None:
    address = await serve(boxed())
    answer = await address.request("POST", "/sign-in", "Accept: application/problem+json")
    assert answer.status == 401
    assert json.loads(answer.body)["detail"] == "Who are you? <b>"
    assert (answer.headers["WWW-Authenticate"], answer.headers["X-Why"]) == ("Basic", "because")
    assert answer.headers["Set-Cookie"].startswith("sid=")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.headers.getall("Content-Type")) == 1
    missing = await address.request("PUT", "/sign-in")
    assert (missing.status, missing.headers["Allow"]) == (405, "POST")


async def test_the_page_in_the_box_says_what_is_wrong_with_content(serve) -> None:
    wire = await (await serve(boxed())).raw(
        b"POST /read HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"
    )
    assert wire.startswith(b"HTTP/1.1 400 ")
    assert b"400 Bad Request\n\n" in wire
    assert b"chunk" in wire


@pytest.mark.parametrize("where", ["application", "route"])
async def test_the_answer_to_a_handler_that_takes_too_long_is_that_of_the_error_handler(serve, caplog, where) -> None:
    async def wait(request: web.Request) -> web.Response:
        await asyncio.get_running_loop().create_future()
        return web.Response()

    app = web.Application(handler_timeout=0.02 if where == "application" else None)
    app.add_error_handler(503, web.show_error_page)
    app.router.add_get("/", wait, timeout=0.02 if where == "route" else None)
    answer = await (await serve(app)).request("GET", "/", "Accept: application/problem+json")
    assert (answer.status, answer.headers["Content-Type"]) == (503, "application/problem+json")
