"""FEATURES.md row L6, the WSGI protocol: a PEP 3333 application, `readpayload`, coroutines, SCRIPT_NAME, and Flask.

More in tests/wings/test_wsgi*.py.
"""

from __future__ import annotations

import asyncio
from typing import Any
from wsgiref.simple_server import demo_app
from wsgiref.validate import validator

import flask

from aioweb import web, wsgi


def tell(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}|{environ.get('CONTENT_LENGTH')}|".encode(), content]


async def tell_later(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    await asyncio.sleep(0)
    return tell(environ, start_response)


async def test_l6_flask_says_hello_through_the_bridge(serve) -> None:
    flask_app = flask.Flask("hello")
    flask_app.add_url_rule("/<name>", view_func=lambda name: f"Hello, {name}", endpoint="hello")
    app = web.Application()
    wsgi.mount(app, "/flask", flask_app)
    answer = await (await serve(app)).request("GET", "/flask/Ann")
    assert (answer.status, answer.body) == (200, b"Hello, Ann")


async def test_l6_an_application_of_pep_3333_is_served(serve) -> None:
    app = web.Application()
    wsgi.mount(app, "/", validator(demo_app))
    answer = await (await serve(app)).request("GET", "/a?b", "X-Own: here")
    assert answer.status == 200
    assert answer.body.startswith(b"Hello world!\n\n")
    lines = answer.body.decode().splitlines()
    assert {"HTTP_X_OWN = 'here'", "PATH_INFO = '/a'", "QUERY_STRING = 'b'", "SERVER_PROTOCOL = 'HTTP/1.1'"} <= {*lines}


async def test_l6_script_name_is_the_prefix(serve) -> None:
    app = web.Application()
    wsgi.mount(app, "/at/home", tell, script_name="/outside")
    address = await serve(app)
    assert (await address.request("GET", "/at/home/x")).body == b"/outside/at/home|/x|None|"
    assert (await address.request("GET", "/at")).status == 404


CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"


async def test_l6_readpayload_collects_the_content_before(serve) -> None:
    for readpayload, expected in ((False, b"|/x|None|hi"), (True, b"|/x|2|hi")):
        app = web.Application()
        wsgi.mount(app, "/", tell, readpayload=readpayload)
        peer = await (await serve(app)).connect()
        await peer.send(CHUNKED)
        assert (await peer.response()).body == expected


async def test_l6_an_application_may_be_a_coroutine(serve) -> None:
    app = web.Application()
    wsgi.mount(app, "/", tell_later, readpayload=True)
    answer = await (await serve(app)).request("POST", "/x", body=b"content")
    assert answer.body == b"|/x|7|content"
