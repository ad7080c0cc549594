"""Error handlers: which one answers, who sees its answer, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest

from aioweb import web

Answer = Callable[[web.Request, Exception], Awaitable[web.StreamResponse]]


class MissingUser(LookupError):
    """An error of the application."""


class MissingPage(web.HTTPNotFound):
    """A 404 of the application."""


def says(text: str) -> Answer:
    """An error handler that answers 299 and names itself and the exception."""

    async def answer(request: web.Request, exception: Exception) -> web.Response:
        return web.Response(status=299, text=f"{text} {type(exception).__name__}")

    return answer


def failing(exception: BaseException | type[BaseException] = LookupError) -> Callable[[web.Request], Awaitable[Any]]:
    async def fail(request: web.Request) -> web.Response:
        raise exception

    return fail


def app_of(*handlers: tuple[Any, Any], raises: Any = LookupError, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.router.add_route("*", "/", failing(raises))
    for error, handler in handlers:
        app.add_error_handler(error, handler)
    return app


async def said(serve: Any, app: web.Application, *request: str) -> str:
    address = await serve(app, access_log=None)
    answer = await address.request(*(request or ("GET", "/")))
    assert answer.status == 299, answer
    return answer.body.decode()


# -- which one answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "raises", "answers"),
    [
        ([LookupError, Exception, 500], MissingUser, LookupError),
        ([MissingUser, LookupError], MissingUser, MissingUser),
        ([LookupError, MissingUser], KeyError, LookupError),
        ([ValueError, Exception, 500], MissingUser, Exception),
        ([ValueError, 500, range(500, 600)], MissingUser, 500),
        ([404, range(500, 600)], MissingUser, range(500, 600)),
        ([404, range(400, 500)], web.HTTPNotFound, 404),
        ([404, web.HTTPNotFound, web.HTTPError], web.HTTPNotFound, web.HTTPNotFound),
        ([404, MissingPage], MissingPage, MissingPage),
        ([404, web.HTTPNotFound], MissingPage, web.HTTPNotFound),
        ([404, web.HTTPClientError, web.HTTPException], MissingPage, 404),
        ([405, range(400, 420), web.HTTPClientError], web.HTTPNotFound, range(400, 420)),
        ([405, web.HTTPClientError, web.HTTPError], web.HTTPNotFound, web.HTTPClientError),
        ([500, web.HTTPException, Exception], web.HTTPNotFound, web.HTTPException),
        ([HTTPStatus.NOT_FOUND, Exception], web.HTTPNotFound, 404),
        ([500], web.HTTPInternalServerError, 500),
    ],
)
async def test_the_most_specific_one_answers(serve, caplog, errors: list[Any], raises: Any, answers: Any) -> None:
    app = app_of(*[(error, says(repr(error))) for error in errors], raises=raises)
    chosen = next(error for error in errors if error == answers)
    assert await said(serve, app) == f"{chosen!r} {raises.__name__}"


async def test_404_and_405_of_the_router_are_answered(serve) -> None:
    app = web.Application()
    app.router.add_post("/here", failing())
    app.add_error_handler(404, says("nowhere"))
    app.add_error_handler(405, says("not so"))
    assert await said(serve, app, "GET", "/there") == "nowhere HTTPNotFound"
    app = web.Application()
    app.router.add_post("/here", failing())
    app.add_error_handler(405, says("not so"))
    assert await said(serve, app, "GET", "/here") == "not so HTTPMethodNotAllowed"


async def test_an_http_exception_is_not_what_exception_means(serve, caplog) -> None:
    address = await serve(app_of((Exception, says("any")), (500, says("any")), raises=web.HTTPNotFound))
    assert (await address.request("GET", "/")).status == 404


@pytest.mark.parametrize("error", [web.HTTPException, Exception])
async def test_redirects_and_other_answers_that_are_raised_are_no_errors(serve, error: Any) -> None:
    address = await serve(app_of((error, says("no")), raises=web.HTTPFound("/there")))
    assert (await address.request("GET", "/")).headers["Location"] == "/there"


@pytest.mark.parametrize("response", [web.HTTPNotFound, lambda: web.Response(status=404)])
async def test_what_a_handler_returns_is_its_answer(serve, response: Any) -> None:
    async def missing(request: web.Request) -> web.StreamResponse:
        return response()

    app = web.Application()
    app.router.add_get("/", missing)
    app.add_error_handler(404, says("no"))
    assert (await (await serve(app)).request("GET", "/")).status == 404


async def test_a_handler_that_returns_nothing_has_failed(serve, caplog) -> None:
    async def careless(request: web.Request) -> None:
        pass

    app = app_of((500, says("sorry")))
    app.router.add_get("/careless", careless)
    assert await said(serve, app, "GET", "/careless") == "sorry TypeError"
    assert "is a return statement missing?" in caplog.text


async def test_broken_content_is_an_error_with_its_status_and_ends_the_connection(serve, caplog) -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/", read)
    app.add_error_handler(400, says("broken"))
    address = await serve(app)
    answer = await address.raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert answer.startswith(b"HTTP/1.1 299 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert caplog.records == []


async def test_an_expectation_that_is_refused_is_an_error(serve) -> None:
    app = app_of((417, says("unexpected")))
    assert await said(serve, app, "POST", "/", "Expect: miracles") == "unexpected HTTPExpectationFailed"


async def test_a_websocket_that_is_refused_is_an_error(serve) -> None:
    async def open_socket(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        return ws

    app = web.Application()
    app.router.add_get("/", open_socket)
    app.add_error_handler(web.HTTPUpgradeRequired, says("upgrade"))
    app.add_error_handler(web.HTTPBadRequest, says("bad"))
    assert "HTTP" in await said(serve, app)


async def test_a_response_that_has_begun_is_not_answered_again(serve, caplog) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise LookupError("the other half")

    app = web.Application()
    app.router.add_get("/", half)
    app.add_error_handler(LookupError, says("late"))
    wire = await (await serve(app, access_log=None)).raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"late" not in wire
    assert caplog.text.count("LookupError: the other half") == 1


# -- what is logged ----------------------------------------------------------------------------------------------------


class Failures(web.Observer):
    def __init__(self) -> None:
        self.seen: list[type[BaseException]] = []

    def request_failed(self, request: Any, exception: BaseException) -> None:
        self.seen.append(type(exception))


@pytest.mark.parametrize("error", [500, range(500, 600), Exception])
async def test_what_nobody_has_expected_is_logged_once_before_it_is_answered(serve, caplog, error: Any) -> None:
    logged: list[int] = []

    async def sorry(request: web.Request, exception: Exception) -> web.Response:
        logged.append(len(caplog.records))
        return web.Response(status=299)

    failures = Failures()
    app = app_of((error, sorry), raises=MissingUser)
    app.observers.append(failures)
    await said(serve, app)
    assert logged == [1]
    assert [record.getMessage() for record in caplog.records] == ["Error handling GET /"]
    assert caplog.records[0].exc_info[0] is MissingUser
    assert failures.seen == [MissingUser]


@pytest.mark.parametrize(
    ("error", "raises"), [(LookupError, MissingUser), (404, web.HTTPNotFound), (500, web.HTTPInternalServerError)]
)
async def test_what_somebody_has_expected_is_not_logged(serve, caplog, error: Any, raises: Any) -> None:
    failures = Failures()
    app = app_of((error, says("no")), raises=raises)
    app.observers.append(failures)
    await said(serve, app)
    assert (caplog.records, failures.seen) == ([], [])


async def test_in_debug_mode_the_page_with_the_traceback_stands_in_for_the_answer(serve, caplog) -> None:
    app = app_of((500, says("sorry")), (MissingUser, says("missing")), raises=KeyError, debug=True)
    app.router.add_get("/user", failing(MissingUser))
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert (answer.status, b"KeyError" in answer.body) == (500, True)
    assert (await address.request("GET", "/user")).body == b"missing MissingUser"


# -- error handlers that fail ------------------------------------------------------------------------------------------


async def raise_another(request: web.Request, exception: Exception) -> web.Response:
    raise ZeroDivisionError("of the error handler")


async def raise_it_again(request: web.Request, exception: Exception) -> web.Response:
    raise exception


async def return_nothing(request: web.Request, exception: Exception) -> None:
    pass


@pytest.mark.parametrize("handler", [raise_another, raise_it_again, return_nothing])
@pytest.mark.parametrize(("error", "raises"), [(500, MissingUser), (LookupError, MissingUser)])
async def test_one_that_fails_gives_way_to_the_default_page_and_both_are_logged(
    serve, caplog, handler: Any, error: Any, raises: Any
) -> None:
    app = web.Application()
    app.add_subapp("/sub", app_of((error, handler), raises=raises("the first")))
    app.add_error_handler(Exception, says("of the outer application"))
    address = await serve(app)
    answer = await address.request("GET", "/sub/")
    assert (answer.status, answer.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert "the first" in caplog.text
    assert f"the error handler {handler!r} has failed" in caplog.text
    assert ("ZeroDivisionError: of the error handler" in caplog.text) is (handler is raise_another)


async def test_one_that_fails_on_an_http_exception_fails_too(serve, caplog) -> None:
    address = await serve(app_of((404, raise_another)))
    assert (await address.request("GET", "/nowhere")).status == 500
    assert "ZeroDivisionError" in caplog.text


async def test_one_whose_client_goes_has_not_failed(serve, caplog) -> None:
    begun, gone = asyncio.Event(), asyncio.Event()
    ends: list[str] = []

    class Ends(web.Observer):
        def client_gone(self, request: Any) -> None:
            ends.append("gone")

    async def stream(request: web.Request, exception: Exception) -> web.StreamResponse:
        begun.set()
        await gone.wait()
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    app = app_of((LookupError, stream))
    app.observers.append(Ends())
    address = await serve(app, access_log=None)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await begun.wait()
    peer.abort()
    while address.server.connections:
        await asyncio.sleep(0.001)
    gone.set()
    while not ends:
        await asyncio.sleep(0)
    assert (ends, caplog.records) == (["gone"], [])


async def test_an_http_exception_that_it_raises_is_its_answer(serve, caplog) -> None:
    async def login(request: web.Request, exception: web.HTTPException) -> web.Response:
        raise web.HTTPSeeOther("/login")

    async def as_it_was(request: web.Request, exception: web.HTTPException) -> web.Response:
        exception.headers["X-Seen"] = "yes"
        raise exception

    app = app_of((401, login), (404, as_it_was), raises=web.HTTPUnauthorized)
    address = await serve(app)
    assert (await address.request("GET", "/")).headers["Location"] == "/login"
    missing = await address.request("GET", "/missing")
    assert (missing.status, missing.headers["X-Seen"]) == (404, "yes")


# -- middlewares -------------------------------------------------------------------------------------------------------


@web.middleware
async def cors(request: web.Request, handler: web.Handler) -> web.StreamResponse:
    response = await handler(request)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@web.middleware
async def deny(request: web.Request, handler: web.Handler) -> web.StreamResponse:
    raise web.HTTPForbidden


async def old_style(app: web.Application, handler: web.Handler) -> Any:
    async def call(request: web.Request) -> web.StreamResponse:
        if request.path == "/old":
            raise web.HTTPForbidden
        return await handler(request)

    return call


@pytest.mark.parametrize("path", ["/", "/nowhere", "/old"])
async def test_middlewares_see_the_answers_of_error_handlers(serve, caplog, path: str) -> None:
    app = app_of((Exception, says("a")), (web.HTTPError, says("b")), middlewares=[cors, old_style])
    answer = await (await serve(app)).request("GET", path)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (299, "*")


async def test_what_a_middleware_raises_is_answered_behind_those_in_front_of_it(serve) -> None:
    app = app_of((403, says("forbidden")), middlewares=[cors, deny])
    answer = await (await serve(app)).request("GET", "/")
    assert (answer.body, answer.headers["Access-Control-Allow-Origin"]) == (b"forbidden HTTPForbidden", "*")


async def test_a_middleware_of_a_route_sees_the_exception(serve, caplog) -> None:
    seen: list[type[BaseException]] = []

    @web.middleware
    async def transaction(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except BaseException as exception:
            seen.append(type(exception))
            raise

    app = web.Application()
    app.router.add_get("/", failing(MissingUser), middlewares=[transaction])
    app.add_error_handler(MissingUser, says("missing"))
    assert await said(serve, app) == "missing MissingUser"
    assert seen == [MissingUser]


async def test_without_error_handlers_middlewares_see_exceptions_as_ever(serve) -> None:
    app = app_of(raises=web.HTTPForbidden, middlewares=[cors])
    assert "Access-Control-Allow-Origin" not in (await (await serve(app)).request("GET", "/")).headers


# -- sub-applications --------------------------------------------------------------------------------------------------


async def test_a_sub_application_answers_first_and_leaves_the_rest_to_the_one_around_it(serve, caplog) -> None:
    inner = app_of((LookupError, says("inner")), raises=MissingUser)
    inner.router.add_get("/value", failing(ValueError))
    outer = app_of((Exception, says("outer")), (404, says("outer")))
    outer.add_subapp("/sub", inner)
    address = await serve(outer)
    assert (await address.request("GET", "/sub/")).body == b"inner MissingUser"
    assert (await address.request("GET", "/sub/value")).body == b"outer ValueError"
    assert (await address.request("GET", "/sub/nowhere")).body == b"outer HTTPNotFound"
    assert (await address.request("GET", "/")).body == b"outer LookupError"


async def test_the_application_of_an_error_handler_is_that_of_the_request(serve, caplog) -> None:
    apps: list[web.Application] = []

    async def note(request: web.Request, exception: Exception) -> web.Response:
        apps.append(request.app)
        return web.Response(status=299)

    inner = app_of((404, note))
    outer = app_of((LookupError, note))
    outer.add_subapp("/sub", inner)
    address = await serve(outer)
    for path in ("/sub/nowhere", "/sub/"):
        assert (await address.request("GET", path)).status == 299
    assert apps == [inner, outer]


# -- registration ------------------------------------------------------------------------------------------------------


async def plain(request: web.Request, exception: Exception) -> web.Response:
    return web.Response()


class Object:
    """One that can be called."""

    async def __call__(self, request: web.Request, exception: Exception) -> web.Response:
        return web.Response()


@pytest.mark.parametrize("error", ["404", None, True, 404.0, KeyboardInterrupt, BaseException, ValueError(), [404]])
def test_what_is_no_error_is_refused(error: Any) -> None:
    with pytest.raises(TypeError, match="an error is a status, a range of them, or a subclass of Exception"):
        web.Application().add_error_handler(error, plain)


@pytest.mark.parametrize(
    "error",
    [
        200,
        399,
        600,
        0,
        -404,
        range(300, 500),
        range(500, 601),
        range(400, 400),
        range(400, 500, 2),
        web.HTTPFound,
        web.HTTPOk,
    ],
)
def test_statuses_that_are_no_errors_are_refused(error: Any) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        web.Application().add_error_handler(error, plain)


@pytest.mark.parametrize("handler", [None, lambda request, exception: None, web.Response, "plain"])
def test_what_is_no_coroutine_function_is_refused(handler: Any) -> None:
    with pytest.raises(TypeError, match="must be a coroutine function"):
        web.Application().add_error_handler(404, handler)


async def one(request: web.Request) -> None: ...


async def three(request: web.Request, exception: Exception, more: int) -> None: ...


@pytest.mark.parametrize("handler", [one, three])
def test_one_that_cannot_be_called_with_both_is_refused(handler: Any) -> None:
    with pytest.raises(TypeError, match=r"takes \(request, exception\)"):
        web.Application().add_error_handler(404, handler)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (404, 404),
        (404, HTTPStatus.NOT_FOUND),
        (LookupError, LookupError),
        (range(500, 600), range(500, 600)),
        (range(400, 450), range(449, 500)),
    ],
)
def test_a_second_one_for_the_same_error_is_refused(first: Any, second: Any) -> None:
    app = web.Application()
    app.add_error_handler(first, plain)
    with pytest.raises(ValueError, match="already"):
        app.add_error_handler(second, plain)


def test_neighbouring_ranges_and_objects_that_can_be_called_are_taken() -> None:
    app = web.Application()
    app.add_error_handler(range(400, 450), Object())
    app.add_error_handler(range(450, 500), plain)


def test_after_the_start_none_is_taken() -> None:
    app = web.Application()
    app.freeze()
    with pytest.raises(RuntimeError, match="has started"):
        app.add_error_handler(404, plain)
