"""Section G of FEATURES.md, exceptions as responses, and row N18, over real sockets."""

from __future__ import annotations

import copy
import gc
import inspect
import logging
import pickle
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from yarl import URL

from aioweb import web
from tests.conftest import Serve

Make = Callable[[], web.HTTPException]

SEED = {
    200: "Ok",
    201: "Created",
    202: "Accepted",
    203: "NonAuthoritativeInformation",
    204: "NoContent",
    205: "ResetContent",
    206: "PartialContent",
    300: "MultipleChoices",
    301: "MovedPermanently",
    302: "Found",
    303: "SeeOther",
    304: "NotModified",
    305: "UseProxy",
    307: "TemporaryRedirect",
    400: "BadRequest",
    401: "Unauthorized",
    402: "PaymentRequired",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    407: "ProxyAuthenticationRequired",
    408: "RequestTimeout",
    409: "Conflict",
    410: "Gone",
    411: "LengthRequired",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    414: "RequestURITooLong",
    415: "UnsupportedMediaType",
    416: "RequestRangeNotSatisfiable",
    417: "ExpectationFailed",
    500: "InternalServerError",
    501: "NotImplemented",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
    505: "VersionNotSupported",
}
MODERN = {
    308: "PermanentRedirect",
    421: "MisdirectedRequest",
    422: "UnprocessableEntity",
    424: "FailedDependency",
    426: "UpgradeRequired",
    428: "PreconditionRequired",
    429: "TooManyRequests",
    431: "RequestHeaderFieldsTooLarge",
    451: "UnavailableForLegalReasons",
    506: "VariantAlsoNegotiates",
    507: "InsufficientStorage",
    510: "NotExtended",
    511: "NetworkAuthenticationRequired",
}
CLASSES: dict[int, type[Any]] = {status: getattr(web, f"HTTP{name}") for status, name in (SEED | MODERN).items()}
STATUSES = sorted(CLASSES)
ARGUMENTS: dict[type[Any], tuple[Any, ...]] = {
    web.HTTPMethodNotAllowed: ("PUT", ["POST", "GET"]),
    web.HTTPUnavailableForLegalReasons: (None,),
}


def make(status: int, **options: Any) -> web.HTTPException:
    """An exception of that status with the arguments that it needs."""
    kind = CLASSES[status]
    arguments = ("/there",) if issubclass(kind, web.HTTPMove) else ARGUMENTS.get(kind, ())
    exception: web.HTTPException = kind(*arguments, **options)
    return exception


def raising(make_exception: Make) -> web.Application:
    """An application that raises at /raise what it returns at /return."""
    app = web.Application()

    async def raise_it(request: web.Request) -> web.Response:
        raise make_exception()

    async def return_it(request: web.Request) -> web.Response:
        return make_exception()

    app.router.add_get("/raise", raise_it)
    app.router.add_get("/return", return_it)
    return app


# -- G1 and G2: the family ---------------------------------------------------------------------------------------------


def test_g1_the_hierarchy() -> None:
    assert issubclass(web.HTTPException, web.Response)
    assert issubclass(web.HTTPException, Exception)
    for kind in (web.HTTPSuccessful, web.HTTPRedirection, web.HTTPError):
        assert kind.__bases__ == (web.HTTPException,)
    assert web.HTTPClientError.__bases__ == web.HTTPServerError.__bases__ == (web.HTTPError,)
    groups = {2: web.HTTPSuccessful, 3: web.HTTPRedirection, 4: web.HTTPClientError, 5: web.HTTPServerError}
    for status, kind in CLASSES.items():
        assert issubclass(kind, groups[status // 100])


def test_g2_n18_there_is_one_class_for_each_status_and_no_other() -> None:
    assert {status: kind.status_code for status, kind in CLASSES.items()} == {status: status for status in STATUSES}
    exported = {getattr(web, name) for name in web.__all__}
    leaves = {
        kind
        for kind in exported
        if inspect.isclass(kind) and issubclass(kind, web.HTTPException) and kind.status_code != -1
    }
    assert leaves == set(CLASSES.values())


@pytest.mark.parametrize("status", STATUSES)
async def test_g7_raised_or_returned_it_is_the_same_on_the_wire(serve: Serve, status: int) -> None:
    peer = await (await serve(raising(lambda: make(status)))).connect()
    raised = await peer.request("GET", "/raise")
    returned = await peer.request("GET", "/return")
    assert raised.status == status
    assert (raised.raw_head, raised.body) == (returned.raw_head, returned.body)


# -- G3, G4, G10: what it says -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
async def test_g4_the_default_body(serve: Serve, status: int) -> None:
    answer = await (await serve(raising(lambda: make(status)))).request("GET", "/raise")
    if status in (204, 205, 304):
        assert answer.body == b""
        assert "Content-Type" not in answer.headers
    else:
        assert answer.body.decode() == f"{status}: {answer.reason}"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_g4_the_404_of_the_seed(serve: Serve) -> None:
    answer = await (await serve(raising(web.HTTPNotFound))).request("GET", "/raise")
    assert (answer.status, answer.reason, answer.body) == (404, "Not Found", b"404: Not Found")


@pytest.mark.parametrize(
    ("options", "reason", "content_type", "body"),
    [
        ({"reason": "Lost"}, "Lost", "text/plain; charset=utf-8", b"404: Lost"),
        ({"text": "gone"}, "Not Found", "text/plain; charset=utf-8", b"gone"),
        ({"text": "<p>", "content_type": "text/html"}, "Not Found", "text/html; charset=utf-8", b"<p>"),
        ({"body": b"{}", "content_type": "application/json"}, "Not Found", "application/json", b"{}"),
        ({"body": b"ab"}, "Not Found", "application/octet-stream", b"ab"),
        ({"body": "text"}, "Not Found", "text/plain; charset=utf-8", b"text"),
        ({"text": ""}, "Not Found", "text/plain; charset=utf-8", b""),
        ({"content_type": "text/css"}, "Not Found", "text/css; charset=utf-8", b"404: Not Found"),
    ],
)
async def test_g3_the_arguments(
    serve: Serve, options: dict[str, Any], reason: str, content_type: str, body: bytes
) -> None:
    answer = await (await serve(raising(lambda: make(404, **options)))).request("GET", "/raise")
    assert (answer.reason, answer.headers["Content-Type"], answer.body) == (reason, content_type, body)


def test_g3_the_arguments_are_keywords() -> None:
    with pytest.raises(TypeError):
        web.HTTPNotFound("text")  # type: ignore[misc]
    with pytest.raises(ValueError, match="give one of them"):
        web.HTTPNotFound(text="a", body=b"a")


async def test_g10_headers_are_added_and_the_type_stays(serve: Serve) -> None:
    headers = [("X-A", "1"), ("X-A", "2"), ("WWW-Authenticate", 'Basic realm="x"')]
    answer = await (await serve(raising(lambda: make(401, headers=headers)))).request("GET", "/raise")
    assert answer.headers.getall("X-A") == ["1", "2"]
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="x"'
    assert answer.headers.getall("Content-Type") == ["text/plain; charset=utf-8"]
    assert answer.body == b"401: Unauthorized"


async def test_g10_a_type_among_the_headers_is_the_type(serve: Serve) -> None:
    headers = {"Content-Type": "application/problem+json"}
    address = await serve(raising(lambda: make(400, headers=headers, body=b"{}")))
    answer = await address.request("GET", "/raise")
    assert answer.headers.getall("Content-Type") == ["application/problem+json"]


# -- G5 and G6: moves and 405 ------------------------------------------------------------------------------------------

MOVES = [300, 301, 302, 303, 305, 307, 308]


@pytest.mark.parametrize("status", MOVES)
@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("/there?a=b#c", "/there?a=b#c"),
        (URL("http://example.org/x y"), "http://example.org/x%20y"),
        ("/привет", "/%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82"),
    ],
)
async def test_g5_moves_have_a_location(serve: Serve, status: int, location: Any, sent: str) -> None:
    exception = CLASSES[status](location)
    assert exception.location == URL(sent)
    answer = await (await serve(raising(lambda: CLASSES[status](location)))).request("GET", "/raise")
    assert (answer.status, answer.headers["Location"]) == (status, sent)


@pytest.mark.parametrize("status", MOVES)
def test_g5_an_empty_location_is_a_value_error(status: int) -> None:
    for empty in ("", URL("")):
        with pytest.raises(ValueError, match="empty"):
            CLASSES[status](empty)
    with pytest.raises(TypeError):
        CLASSES[status]()
    with pytest.raises(TypeError):
        CLASSES[status](None)


async def test_g6_405_tells_what_is_allowed_sorted(serve: Serve) -> None:
    exception = web.HTTPMethodNotAllowed("PUT", ["POST", "GET"])
    assert (exception.method, exception.allowed_methods) == ("PUT", {"GET", "POST"})
    answer = await (await serve(raising(lambda: make(405)))).request("GET", "/raise")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


async def test_g6_the_405_of_the_router_is_one(serve: Serve) -> None:
    answer = await (await serve(raising(web.HTTPOk))).request("DELETE", "/raise")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.body == b"405: Method Not Allowed"


async def test_g8_success_can_be_raised(serve: Serve) -> None:
    address = await serve(raising(lambda: web.HTTPOk(text="fine", headers={"X-A": "1"})))
    answer = await address.request("GET", "/raise")
    assert (answer.status, answer.body, answer.headers["X-A"]) == (200, b"fine", "1")


async def test_g8_even_from_deep_within(serve: Serve) -> None:
    def deep() -> None:
        try:
            raise KeyError("a cause")
        except KeyError as error:
            raise web.HTTPAccepted(text="deep") from error

    async def handler(request: web.Request) -> web.Response:
        deep()
        raise AssertionError

    app = web.Application()
    app.router.add_get("/", handler)
    answer = await (await serve(app)).request("GET", "/")
    assert (answer.status, answer.body) == (202, b"deep")


# -- G9: raised twice, pickled, printed, forgotten ---------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_g9_printed_it_is_its_reason(status: int) -> None:
    assert str(make(status)) == make(status).reason != ""
    assert str(make(status, reason="Mine")) == "Mine"


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("clone", [copy.copy, lambda made: pickle.loads(pickle.dumps(made))])
async def test_g9_a_copy_answers_like_the_original(serve: Serve, status: int, clone: Any) -> None:
    originals = iter([make(status, headers={"X-A": "1"}), clone(make(status, headers={"X-A": "1"}))])
    peer = await (await serve(raising(lambda: next(originals)))).connect()
    first, second = await peer.request("GET", "/raise"), await peer.request("GET", "/raise")
    assert (first.raw_head, first.body) == (second.raw_head, second.body)
    assert first.headers["X-A"] == "1"


async def test_g9_one_object_is_raised_again_and_again(serve: Serve) -> None:
    shared = web.HTTPForbidden(text="never")
    peer = await (await serve(raising(lambda: shared))).connect()
    for _ in range(5):
        assert (await peer.request("GET", "/raise")).body == b"never"
        assert shared.__traceback__ is None
        assert shared.__context__ is None


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Only references count: what a cycle keeps stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def pass_on(request: web.Request, handler: Any) -> web.StreamResponse:
    response: web.StreamResponse = await handler(request)
    return response


async def render(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPError as error:
        return web.Response(status=error.status, text=f"rendered {error.reason}")
    return response


@pytest.mark.usefixtures("without_gc")
@pytest.mark.parametrize("path", ["/raise", "/fails", "/nowhere", "/only-post"])
@pytest.mark.parametrize("middleware", [None, pass_on, render])
async def test_g9_the_traceback_does_not_keep_the_request_alive(serve: Serve, path: str, middleware: Any) -> None:
    requests: list[weakref.ref[web.Request]] = []

    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        requests.append(weakref.ref(request))
        response: web.StreamResponse = await handler(request)
        return response

    async def fail(request: web.Request) -> web.Response:
        raise ZeroDivisionError

    shared = web.HTTPForbidden()
    app = raising(lambda: shared)
    app.router.add_get("/fails", fail)
    app.router.add_post("/only-post", fail)
    app.middlewares.extend([note, *([middleware] if middleware else [])])
    # The log of pytest keeps each traceback until the test ends.
    logger = logging.Logger("deaf")
    logger.addHandler(logging.NullHandler())
    address = await serve(app, logger=logger)
    for _ in range(3):
        assert (await address.request("GET", path)).status in (403, 404, 405, 500)
    await address.request("GET", "/return")
    assert [request() for request in requests[:3]] == [None, None, None]
    assert len(requests) == 4


# -- N18: the newer ones -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ((), b"413: Content Too Large"),
        ((10,), b"413: at most 10 bytes of content are allowed"),
        ((10, 11), b"413: at most 10 bytes of content are allowed, and 11 came"),
    ],
)
async def test_n18_413_tells_the_sizes_that_it_was_given(serve: Serve, arguments: Any, body: bytes) -> None:
    address = await serve(raising(lambda: web.HTTPRequestEntityTooLarge(*arguments)))
    answer = await address.request("GET", "/raise")
    assert (answer.status, answer.body) == (413, body)


def test_n18_413_takes_its_sizes_by_name_and_a_text_before_them() -> None:
    assert web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2).status == 413
    assert web.HTTPRequestEntityTooLarge(1, 2, text="mine").text == "mine"


@pytest.mark.parametrize("link", ["http://example.org/court", URL("http://example.org/court")])
async def test_n18_451_links_to_who_blocks(serve: Serve, link: Any) -> None:
    assert web.HTTPUnavailableForLegalReasons(link).link == URL("http://example.org/court")
    address = await serve(raising(lambda: web.HTTPUnavailableForLegalReasons(link)))
    answer = await address.request("GET", "/raise")
    assert answer.status == 451
    assert answer.headers["Link"] == '<http://example.org/court>; rel="blocked-by"'


def test_n18_451_without_a_link_is_said_explicitly() -> None:
    exception = web.HTTPUnavailableForLegalReasons(None)
    assert exception.link is None
    assert "Link" not in exception.headers
    with pytest.raises(TypeError):
        web.HTTPUnavailableForLegalReasons()  # type: ignore[call-arg]


async def test_n18_cookies_are_set_by_exceptions_too(serve: Serve) -> None:
    def log_in() -> web.HTTPException:
        exception = web.HTTPSeeOther("/home")
        exception.set_cookie("session", "abc", httponly=True)
        exception.del_cookie("old")
        return exception

    answer = await (await serve(raising(log_in))).request("GET", "/raise")
    assert (answer.status, answer.headers["Location"]) == (303, "/home")
    session, old = answer.headers.getall("Set-Cookie")
    assert session == "session=abc; HttpOnly; Path=/"
    assert old.startswith("old=; ")
    assert "Max-Age=0" in old


async def test_n18_a_class_of_ones_own(serve: Serve) -> None:
    class HTTPTeapot(web.HTTPClientError):
        status_code = 418

    answer = await (await serve(raising(lambda: HTTPTeapot(text="short and stout")))).request("GET", "/raise")
    assert (answer.status, answer.body) == (418, b"short and stout")
