"""Contracts 6 and 10 of the design: errors speak, to the right ones; and one seam to look through.

With the "Errors and logs" of production: pages by Accept, error handlers, request ids, handlers that block.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from aioweb import web
from tests.wsclient import TEXT, frame, handshake

SECRET = "hunter2"
FORMS = {
    "text/html": "text/html; charset=utf-8",
    "application/json": "application/json",
    "*/*": "text/plain; charset=utf-8",
}


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello")


async def fail(request: web.Request) -> web.Response:
    password = SECRET
    raise LookupError(f"it is {len(password)} letters long")


async def read(request: web.Request) -> web.Response:
    return web.json_response(await request.json())


def app_of(**options: Any) -> web.Application:
    app = web.Application(**options)
    app.add_routes([web.get("/", hello), web.get("/fail", fail), web.post("/json", read)])
    return app


# -- contract 6: a mistake of the user of the library raises at once ---------------------------------------------------


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda app: app.add_error_handler("404", fail), "'404'"),
        (lambda app: app.add_error_handler(404, hello), "takes (request, exception)"),
        (lambda app: app.observers.append(hello) or app.make_handler(), "must be an instance of Observer"),
        (lambda app: app.make_handler(access_log_format="%Z"), "unknown atom '%Z'"),
        (lambda app: app.middlewares.append(web.request_id_middleware), "must be a coroutine function"),
    ],
)
def test_contract_6_a_mistake_raises_where_it_is_made_and_says_what_was_expected(mistake: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        mistake(app_of())
    assert said in str(caught.value)


# -- contract 6: the client's fault --------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{", b"\xff", b"NaNs"])
async def test_contract_6_what_a_client_does_wrong_is_a_4xx_without_a_traceback(serve, caplog, content: bytes) -> None:
    caplog.set_level(logging.DEBUG)
    address = await serve(app_of(debug=True), access_log=None)
    answer = await address.request("POST", "/json", "Content-Type: application/json", body=content)
    assert answer.status == 400
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


async def test_contract_6_what_a_websocket_sends_is_json_or_a_value_error(serve, caplog) -> None:
    async def talk(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        for _ in range(2):
            try:
                await ws.receive_json()
            except ValueError as error:
                await ws.send_str(type(error).__name__)
        return ws

    app = app_of()
    app.router.add_get("/ws", talk)
    peer = await (await serve(app, access_log=None)).connect()
    await peer.send(handshake("/ws") + frame(TEXT, b"[" * 100_000) + frame(TEXT, b"{"))
    await peer.head()
    assert await peer.reader.readexactly(34) == b"\x81\x0fJSONDecodeError" * 2
    assert caplog.records == []


# -- contract 6: the handler's fault -----------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", FORMS)
@pytest.mark.parametrize("debug", [False, True])
async def test_contract_6_a_failure_is_logged_once_and_told_in_debug_mode_only(serve, caplog, accept, debug) -> None:
    address = await serve(app_of(debug=debug), access_log=None)
    answer = await address.request("GET", "/fail", f"Accept: {accept}", f"Authorization: Bearer {SECRET}")
    assert (answer.status, answer.headers["Content-Type"]) == (500, FORMS[accept])
    page = answer.body.decode()
    assert [record.getMessage() for record in caplog.records] == ["Error handling GET /fail"]
    assert caplog.text.count("LookupError: it is 7 letters long") == 1
    for told in ("LookupError", "7 letters", "test_contracts_errors.py", "GET /fail", "Authorization"):
        assert (told in page) is debug
    assert SECRET not in page
    if accept == "application/json":
        problem = json.loads(page)
        assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Internal Server Error", 500)


async def test_contract_6_error_handlers_give_all_errors_one_face(serve, caplog) -> None:
    async def face(request: web.Request, exception: Exception) -> web.Response:
        status = exception.status if isinstance(exception, web.HTTPException) else 500
        return web.json_response({"error": status, "id": request[web.REQUEST_ID]}, status=status)

    app = app_of(middlewares=[web.request_id_middleware()])
    app.add_error_handler(range(400, 600), face)
    address = await serve(app, access_log=None)
    for method, path, status in (("GET", "/nowhere", 404), ("PUT", "/", 405), ("GET", "/fail", 500)):
        answer = await address.request(method, path, "X-Request-ID: 7")
        assert (answer.status, json.loads(answer.body)) == (status, {"error": status, "id": "7"})
        assert answer.headers["X-Request-ID"] == "7"
    assert [record.getMessage() for record in caplog.records] == ["Error handling GET /fail"]


async def test_contract_6_a_handler_that_blocks_the_loop_is_named(serve, caplog) -> None:
    async def block(request: web.Request) -> web.Response:
        time.sleep(0.1)  # noqa: ASYNC251  # the mistake that is shown
        return web.Response()

    asyncio.get_running_loop().slow_callback_duration = 0.1
    app = app_of(debug=True)
    app.router.add_get("/slow/{id}", block)
    await (await serve(app, access_log=None)).request("GET", "/slow/7")
    (warning,) = [record for record in caplog.records if "/slow/7" in record.getMessage()]
    assert warning.levelno == logging.WARNING
    assert "block of the route /slow/{id} has blocked the loop for 0." in warning.getMessage()


# -- contract 10: one seam to look through -----------------------------------------------------------------------------


class Everything(web.Observer):
    """Notes each event of requests, by name."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def request_started(self, request: Any) -> None:
        self.notes.append(f"started {request.path}")

    def request_routed(self, request: Any) -> None:
        resource = request.match_info.route.resource
        self.notes.append(f"routed {resource and resource.canonical}")

    def response_started(self, request: Any, response: Any) -> None:
        self.notes.append(f"head {response.status}")

    def request_failed(self, request: Any, exception: BaseException) -> None:
        self.notes.append(f"failed {type(exception).__name__}")

    def response_sent(self, request: Any, response: Any, seconds: float) -> None:
        self.notes.append(f"sent {response.status}")

    def request_ended(self, request: Any, response: Any, seconds: float) -> None:
        self.notes.append(f"ended {response and response.status}")


@pytest.mark.parametrize(
    ("path", "notes"),
    [
        ("/", ["started /", "routed /", "head 200", "sent 200", "ended 200"]),
        ("/no", ["started /no", "routed None", "head 404", "sent 404", "ended 404"]),
        ("/fail", ["started /fail", "routed /fail", "failed LookupError", "head 500", "sent 500", "ended 500"]),
    ],
)
async def test_contract_10_the_life_of_a_request_is_told_in_order(serve, caplog, path: str, notes: list[str]) -> None:
    app, everything = app_of(), Everything()
    app.observers.append(everything)
    await (await serve(app, access_log=None)).request("GET", path)
    assert everything.notes == notes


async def test_contract_10_what_an_observer_sets_in_the_context_is_seen_by_the_handler_and_nobody_else(serve) -> None:
    from contextvars import ContextVar

    current: ContextVar[str] = ContextVar("current", default="nobody")

    class Sets(web.Observer):
        def request_started(self, request: Any) -> None:
            current.set(request.query["who"])

    async def ask(request: web.Request) -> web.Response:
        await asyncio.sleep(0)
        return web.Response(text=current.get())

    app = web.Application()
    app.router.add_get("/", ask)
    app.observers.append(Sets())
    address = await serve(app)
    answers = await asyncio.gather(*(address.request("GET", f"/?who={name}") for name in "abc"))
    assert [answer.body for answer in answers] == [b"a", b"b", b"c"]
    assert current.get() == "nobody"


async def test_contract_10_an_observer_that_fails_spoils_nothing(serve, caplog) -> None:
    class Broken(web.Observer):
        def request_ended(self, request: Any, response: Any, seconds: float) -> None:
            raise ZeroDivisionError

    app, everything = app_of(), Everything()
    app.observers.extend([Broken(), everything])
    address = await serve(app, access_log=None)
    assert (await address.request("GET", "/")).status == 200
    assert everything.notes[-1] == "ended 200"
    (record,) = caplog.records
    assert record.getMessage().endswith("Broken.request_ended has failed")


async def test_contract_10_without_observers_nothing_is_told_or_timed() -> None:
    observers = web.Application().make_handler(access_log=None).observers
    assert not observers.timed
    assert not any(getattr(observers, event) for event in ("request_started", "request_routed", "request_ended"))
