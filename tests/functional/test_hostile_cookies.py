"""Hostile cookies through real sockets: the good ones beside them survive, nothing is logged, and time is bounded."""

from __future__ import annotations

import logging
import time

import pytest

from aioweb import web
from tests.conftest import Serve
from tests.functional.scripts import said

GOOD = {"session": "abc123", "theme": "dark"}

BAD = {
    "no equals sign, CVE-2025-69230": "nonsense; more nonsense",
    "no name": "=value; ==; =",
    "a name that is no name, CVE-2023-23934": 'na me=1; "a"=1; (a)=1; \u00e4=1; \xa0session=2',
    "an octet that is no text, CVE-2025-69230": "x=\udcff\udcfe; \udcff=1",
    "a tab in a value": "x=1\t2",
    "an open quote, RFC 6265 section 4.2": 'x="; y="\\',
    "a quote around others": 'x="a; z=b"; y=c',
    "empty pairs": ";" * 4000,
    "pairs without equals signs": "x;" * 3900,
    "one name a thousand times": "x=1;" * 1000,
    "backslashes, CVE-2024-7592 and CVE-2024-52804": 'x="' + "\\" * 7900 + '"',
    "octal escapes, CVE-2024-7592": 'x="' + "\\123" * 1900 + '"',
    "quotes": "x=" + '"' * 7900,
    "equals signs": "x" + "=" * 7900,
    "white space": "x=" + " \t" * 3900 + ";",
}


async def tell(request: web.Request) -> web.Response:
    return web.json_response({name: request.cookies[name] for name in GOOD})


async def ask(serve: Serve, *fields: str) -> None:
    """The good cookies survive these fields."""
    app = web.Application()
    app.router.add_get("/", tell)
    peer = await (await serve(app, access_log=None)).connect()
    begin = time.process_time()
    answer = await peer.request("GET", "/", *fields)
    assert time.process_time() - begin < 1.0
    assert answer.status == 200
    assert answer.body == b'{"session": "abc123", "theme": "dark"}'


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_good_cookies_beside_bad_ones_survive_and_nothing_is_logged(
    bad: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(serve, f"Cookie: session=abc123; theme=dark; {bad}")
    assert said(caplog) == []


@pytest.mark.parametrize("bad", [bad for bad in BAD.values() if len(bad) < 100])
async def test_good_cookies_behind_bad_ones_survive(bad: str, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(serve, f"Cookie: {bad}; session=abc123; theme=dark")
    await ask(serve, f"Cookie: {bad}", "Cookie: session=abc123", "Cookie: theme=dark")
    assert said(caplog) == []


async def test_a_flood_of_cookies_ends_at_the_limits_of_heads(serve: Serve) -> None:
    app = web.Application()
    app.router.add_get("/", tell)
    address = await serve(app)
    assert (await address.request("GET", "/", "Cookie: " + "x=1;" * 2100)).status == 431, "one field"
    assert (await address.request("GET", "/", *["Cookie: " + "x=1;" * 2000] * 5)).status == 431, "all fields"
    assert (await address.request("GET", "/", *["Cookie: x=1"] * 130)).status == 431, "their number"


async def test_only_so_many_cookies_are_looked_at(serve: Serve) -> None:
    async def count(request: web.Request) -> web.Response:
        return web.Response(text=str(len(request.cookies)))

    app = web.Application()
    app.router.add_get("/", count)
    cookies = "; ".join(f"c{i}=1" for i in range(800))
    assert (await (await serve(app)).request("GET", "/", f"Cookie: {cookies}")).body == b"512"
