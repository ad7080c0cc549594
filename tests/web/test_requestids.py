"""Request ids: where they come from, and everywhere that they are found again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from aioweb import web

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def app_of(handler: Any, **options: Any) -> web.Application:
    app = web.Application(middlewares=[web.request_id_middleware(**options)])
    app.router.add_get("/", handler)
    return app


async def tell(request: web.Request) -> web.Response:
    assert web.request_id() == request[web.REQUEST_ID]
    return web.Response(text=request[web.REQUEST_ID])


async def fail(request: web.Request) -> web.Response:
    raise LookupError("it")


class Lines(logging.Handler):
    """Keeps what a format makes of records."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(request_id)s %(name)s %(message)s"))
        self.addFilter(web.RequestIdFilter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record).partition("\n")[0])


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Lines of all loggers, with their ids."""
    handler, root = Lines(), logging.getLogger()
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)


async def test_a_request_without_an_id_gets_one_of_its_own(serve) -> None:
    address = await serve(app_of(tell))
    first, second = [await address.request("GET", "/") for _ in range(2)]
    assert first.headers["X-Request-ID"] == first.body.decode()
    assert first.body != second.body
    assert len(first.body) == 32


@pytest.mark.parametrize("sent", ["7", "a" * 128, "0af7651916cd43dd-8448eb21", "Root=1-678912", "a.b~c+d/e=:f@g"])
async def test_a_sane_id_of_the_client_is_taken(serve, sent: str) -> None:
    answer = await (await serve(app_of(tell))).request("GET", "/", f"X-Request-ID: {sent}")
    assert (answer.headers["X-Request-ID"], answer.body.decode()) == (sent, sent)


@pytest.mark.parametrize("sent", ["", "a" * 129, "a b", "a;b", 'a"b', "<b>", "%0a", "é", "a\tb", "a,b", "${a}"])
async def test_any_other_is_not(serve, sent: str) -> None:
    answer = await (await serve(app_of(tell))).request("GET", "/", f"X-Request-ID: {sent}")
    assert len(answer.body) == 32


async def test_two_ids_are_none(serve) -> None:
    answer = await (await serve(app_of(tell))).request("GET", "/", "X-Request-ID: 7", "X-Request-ID: 8")
    assert len(answer.body) == 32


async def test_ids_are_taken_from_nobody_or_from_trusted_proxies_by_choice(serve) -> None:
    nobody = await serve(app_of(tell, accept=False))
    assert len((await nobody.request("GET", "/", "X-Request-ID: 7")).body) == 32

    def is_proxy(request: web.Request) -> bool:
        return request.proxies is not None

    for trusted, length in (("127.0.0.0/8", 1), ("10.0.0.0/8", 32)):
        address = await serve(app_of(tell, accept=is_proxy), forwarded=web.TrustedProxies(trusted))
        assert len((await address.request("GET", "/", "X-Request-ID: 7")).body) == length


async def test_the_field_and_the_maker_are_choices(serve) -> None:
    address = await serve(app_of(tell, header="Trace", make=lambda: "made"))
    assert (await address.request("GET", "/")).headers["Trace"] == "made"
    assert (await address.request("GET", "/", "trace: sent")).headers["Trace"] == "sent"
    with pytest.raises(ValueError, match="'X Id' is not a name of a field"):
        web.request_id_middleware(header="X Id")


async def test_error_pages_have_the_id(serve, caplog) -> None:
    address = await serve(app_of(fail))
    for path, status in (("/", 500), ("/nowhere", 404)):
        answer = await address.request("GET", path, "X-Request-ID: 7")
        assert (answer.status, answer.headers["X-Request-ID"]) == (status, "7")


async def test_a_websocket_has_the_id(serve) -> None:
    async def open_socket(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        return ws

    peer = await (await serve(app_of(open_socket))).connect()
    await peer.send("\r\n".join(["GET / HTTP/1.1", "Host: a", "X-Request-ID: 7", *HANDSHAKE, "", ""]).encode())
    assert (await peer.head()).headers["X-Request-ID"] == "7"


async def test_every_line_that_is_logged_for_a_request_has_its_id(serve, caplog, lines) -> None:
    caplog.set_level(logging.INFO, logger="aioweb.access")

    async def work() -> None:
        logging.getLogger("work").warning("spawned")

    async def both(request: web.Request) -> web.Response:
        await request.app.spawn(work())
        logging.getLogger("mine").warning("handling")
        raise LookupError("it")

    address = await serve(app_of(both), access_log_format="%s %{X-Request-ID}o")
    logging.getLogger("mine").warning("outside")
    await asyncio.gather(*(address.request("GET", "/", f"X-Request-ID: {number}") for number in "78"))
    assert lines[0] == "- mine outside"
    for number in "78":
        assert [line.removeprefix(f"{number} ") for line in lines if line.startswith(number)] == [
            "work spawned",
            "mine handling",
            "aioweb.web Error handling GET /",
            f"aioweb.access 500 {number}",
        ]
    assert web.request_id() is None


async def test_the_json_access_log_has_the_id_as_a_field_of_the_response(serve, caplog) -> None:
    caplog.set_level(logging.INFO, logger="aioweb.access")
    log = partial(web.JSONAccessLogger, response_headers=["X-Request-ID"])
    address = await serve(app_of(tell), access_log_class=log)
    answer = await address.request("GET", "/")
    assert json.loads(caplog.messages[0])["x_request_id"] == answer.body.decode()


def test_records_of_no_request_have_what_one_likes() -> None:
    record = logging.makeLogRecord({})
    assert web.RequestIdFilter(missing="none").filter(record)
    assert record.request_id == "none"
