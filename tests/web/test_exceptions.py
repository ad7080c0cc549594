"""The HTTPException family: FEATURES.md section G, H6, N18, O7."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref
from typing import Any

import pytest
from yarl import URL

from aioweb.protocol.encode import REASONS
from aioweb.web import exceptions
from aioweb.web.exceptions import (
    HTTPClientError,
    HTTPError,
    HTTPException,
    HTTPFound,
    HTTPMethodNotAllowed,
    HTTPMove,
    HTTPNotFound,
    HTTPOk,
    HTTPRedirection,
    HTTPRequestEntityTooLarge,
    HTTPServerError,
    HTTPSuccessful,
    HTTPUnavailableForLegalReasons,
)
from aioweb.web.response import Response
from tests.web.fakes import FakeRequest, sent

TEXT = ("Content-Type", "text/plain; charset=utf-8")

FAMILY = {
    HTTPSuccessful: {
        200: "HTTPOk",
        201: "HTTPCreated",
        202: "HTTPAccepted",
        203: "HTTPNonAuthoritativeInformation",
        204: "HTTPNoContent",
        205: "HTTPResetContent",
        206: "HTTPPartialContent",
    },
    HTTPMove: {
        300: "HTTPMultipleChoices",
        301: "HTTPMovedPermanently",
        302: "HTTPFound",
        303: "HTTPSeeOther",
        305: "HTTPUseProxy",
        307: "HTTPTemporaryRedirect",
        308: "HTTPPermanentRedirect",
    },
    HTTPRedirection: {304: "HTTPNotModified"},
    HTTPClientError: {
        400: "HTTPBadRequest",
        401: "HTTPUnauthorized",
        402: "HTTPPaymentRequired",
        403: "HTTPForbidden",
        404: "HTTPNotFound",
        405: "HTTPMethodNotAllowed",
        406: "HTTPNotAcceptable",
        407: "HTTPProxyAuthenticationRequired",
        408: "HTTPRequestTimeout",
        409: "HTTPConflict",
        410: "HTTPGone",
        411: "HTTPLengthRequired",
        412: "HTTPPreconditionFailed",
        413: "HTTPRequestEntityTooLarge",
        414: "HTTPRequestURITooLong",
        415: "HTTPUnsupportedMediaType",
        416: "HTTPRequestRangeNotSatisfiable",
        417: "HTTPExpectationFailed",
        421: "HTTPMisdirectedRequest",
        422: "HTTPUnprocessableEntity",
        424: "HTTPFailedDependency",
        426: "HTTPUpgradeRequired",
        428: "HTTPPreconditionRequired",
        429: "HTTPTooManyRequests",
        431: "HTTPRequestHeaderFieldsTooLarge",
        451: "HTTPUnavailableForLegalReasons",
    },
    HTTPServerError: {
        500: "HTTPInternalServerError",
        501: "HTTPNotImplemented",
        502: "HTTPBadGateway",
        503: "HTTPServiceUnavailable",
        504: "HTTPGatewayTimeout",
        505: "HTTPVersionNotSupported",
        506: "HTTPVariantAlsoNegotiates",
        507: "HTTPInsufficientStorage",
        510: "HTTPNotExtended",
        511: "HTTPNetworkAuthenticationRequired",
    },
}
CASES = [
    pytest.param(getattr(exceptions, name), base, status, id=name)
    for base, members in FAMILY.items()
    for status, name in members.items()
]
EMPTY = {204, 205, 304}


def make(kind: type[HTTPException], **arguments: Any) -> HTTPException:
    """An exception of `kind`, with the least that its class wants."""
    positional: tuple[Any, ...] = ()
    if issubclass(kind, HTTPMove):
        positional = ("/x",)
    elif kind is HTTPMethodNotAllowed:
        positional = ("PUT", ["POST", "GET"])
    elif kind is HTTPUnavailableForLegalReasons:
        positional = (None,)
    return kind(*positional, **arguments)


def test_g1_the_hierarchy() -> None:
    assert issubclass(HTTPException, Response)
    assert issubclass(HTTPException, Exception)
    for kind in (HTTPSuccessful, HTTPRedirection, HTTPError):
        assert kind.__bases__ == (HTTPException,)
    for kind in (HTTPClientError, HTTPServerError):
        assert kind.__bases__ == (HTTPError,)
    assert HTTPMove.__bases__ == (HTTPRedirection,)


def test_g2_the_table_names_every_class_of_the_module() -> None:
    abstract = {HTTPException, HTTPSuccessful, HTTPRedirection, HTTPMove, HTTPError, HTTPClientError, HTTPServerError}
    classes = {value for value in vars(exceptions).values() if inspect.isclass(value) and value.__name__ != "Response"}
    family = {value for value in classes if issubclass(value, HTTPException)}
    assert {case.values[0] for case in CASES} == family - abstract


@pytest.mark.parametrize(("kind", "base", "status"), CASES)
async def test_g2_each_class_has_its_status_reason_and_default_content(kind: Any, base: Any, status: int) -> None:
    exception = make(kind)
    assert base in kind.__bases__
    assert (kind.status_code, exception.status, exception.reason) == (status, status, REASONS[status])
    assert kind.empty_body is (status in EMPTY)
    request = await sent(exception)
    assert request.calls == ["send"]
    assert request.status_line == f"HTTP/1.1 {status} {REASONS[status]}"
    content = b"" if status in EMPTY else f"{status}: {REASONS[status]}".encode()
    assert request.content == content
    assert exception.text == (content.decode() or None)
    assert (TEXT in request.fields) is (status not in EMPTY)


@pytest.mark.parametrize(("kind", "base", "status"), CASES)
async def test_g3_every_class_takes_the_arguments_of_a_response(kind: Any, base: Any, status: int) -> None:
    exception = make(kind, headers={"X-A": "b"}, reason="Own", text="é", content_type="text/html")
    request = await sent(exception)
    assert request.status_line == f"HTTP/1.1 {status} Own"
    assert {("X-A", "b"), ("Content-Type", "text/html; charset=utf-8")} <= set(request.fields)
    assert request.content == (b"" if status in EMPTY else "é".encode())
    request = await sent(make(kind, body=b"\x00"))
    assert request.content == (b"" if status in EMPTY else b"\x00")
    assert TEXT not in request.fields
    with pytest.raises(ValueError, match="body and text"):
        make(kind, body=b"a", text="a")
    with pytest.raises(TypeError):
        kind(*("/x", "y", "z"), b"a")


@pytest.mark.parametrize(("kind", "base", "status"), CASES)
async def test_g7_raised_and_returned_are_the_same_on_the_wire(kind: Any, base: Any, status: int) -> None:
    returned = await sent(make(kind))
    with pytest.raises(kind) as caught:
        raise make(kind)
    assert (await sent(caught.value)).wire == returned.wire


def test_the_usual_exception_keeps_nothing_of_its_own() -> None:
    assert vars(HTTPNotFound()) == {}


def test_g4_the_default_text_has_the_reason_that_was_given() -> None:
    assert HTTPNotFound(reason="No such cat").text == "404: No such cat"
    assert HTTPNotFound(content_type="text/html").headers["Content-Type"] == "text/html; charset=utf-8"
    assert HTTPNotFound(body=b"").body == b""
    assert HTTPNotFound(text="").text == ""


async def test_g10_headers_are_added_and_their_content_type_stays() -> None:
    request = await sent(HTTPNotFound(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    assert request.fields[:3] == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), TEXT]
    exception = HTTPNotFound(headers={"Content-Type": "application/json"}, body=b"{}")
    assert (await sent(exception)).fields[0] == ("Content-Type", "application/json")
    with pytest.raises(ValueError, match="the type is in headers"):
        HTTPNotFound(headers={"Content-Type": "application/json"}, content_type="text/html")


async def test_n18_an_exception_sets_cookies() -> None:
    exception = HTTPFound("/login")
    exception.set_cookie("a", "b")
    assert ("Set-Cookie", "a=b; Path=/") in (await sent(exception)).fields


def test_h6_error_does_not_catch_redirections_and_successes() -> None:
    for kind in (HTTPFound, HTTPOk):
        with pytest.raises(kind):
            try:
                raise make(kind)
            except HTTPError:
                pytest.fail("HTTPError caught it")
    with pytest.raises(HTTPError):
        raise HTTPNotFound


async def test_g8_a_success_can_be_raised() -> None:
    with pytest.raises(HTTPOk) as caught:
        raise HTTPOk(text="fine")
    request = await sent(caught.value)
    assert (request.status_line, request.content) == ("HTTP/1.1 200 OK", b"fine")


# -- those with more to say --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ("/x?a=b#c", "/x?a=b#c"),
        (URL("http://example.com/a%2Fb"), "http://example.com/a%2Fb"),
        ("/страница", "/%D1%81%D1%82%D1%80%D0%B0%D0%BD%D0%B8%D1%86%D0%B0"),
        ("next", "next"),
    ],
)
async def test_g5_a_move_says_where_to(location: Any, line: str) -> None:
    exception = HTTPFound(location)
    assert exception.location == URL(location)
    assert ("Location", line) in (await sent(exception)).fields


@pytest.mark.parametrize("location", ["", URL()])
def test_g5_a_move_to_nowhere_is_an_error(location: Any) -> None:
    with pytest.raises(ValueError, match="Location must not be empty"):
        HTTPFound(location)


@pytest.mark.parametrize("location", [None, b"/x", 5])
def test_a_location_is_text_or_a_url(location: Any) -> None:
    with pytest.raises(TypeError, match="Location must be a str or a"):
        HTTPFound(location)


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x1f", "\x7f"])
def test_f18_controls_in_a_location_or_link_are_refused_not_dropped(bad: str) -> None:
    with pytest.raises(ValueError, match="Location"):
        HTTPFound(f"/x{bad}y")
    with pytest.raises(ValueError, match="Link"):
        HTTPUnavailableForLegalReasons(f"/x{bad}y")


async def test_g6_405_names_the_methods_that_would_do_sorted() -> None:
    exception = HTTPMethodNotAllowed("PUT", iter(["POST", "GET", "POST"]))
    assert exception.method == "PUT"
    assert exception.allowed_methods == {"GET", "POST"}
    assert ("Allow", "GET, POST") in (await sent(exception)).fields
    assert ("Allow", "") in (await sent(HTTPMethodNotAllowed("PUT", []))).fields


async def test_405_refuses_a_method_that_is_no_field_value() -> None:
    with pytest.raises(ValueError, match="Allow"):
        await sent(HTTPMethodNotAllowed("GET", ["PO\r\nST"]))


def test_o7_413_takes_no_sizes_one_and_two() -> None:
    assert HTTPRequestEntityTooLarge().text == "413: Content Too Large"
    assert HTTPRequestEntityTooLarge(10).text == "413: at most 10 bytes of content are allowed"
    assert HTTPRequestEntityTooLarge(max_size=10, actual_size=11).text == (
        "413: at most 10 bytes of content are allowed, and 11 came"
    )
    assert HTTPRequestEntityTooLarge(10, 11, text="own").text == "own"


def test_n18_451_names_who_blocks() -> None:
    exception = HTTPUnavailableForLegalReasons("http://example.com/a>b")
    assert exception.link == URL("http://example.com/a>b")
    assert exception.headers["Link"] == '<http://example.com/a%3Eb>; rel="blocked-by"'
    without = HTTPUnavailableForLegalReasons(link=None)
    assert without.link is None
    assert "Link" not in without.headers


# -- own classes -------------------------------------------------------------------------------------------------------


class Teapot(HTTPClientError, status=418):
    """Made with its status."""


class Calm(HTTPClientError):
    """Sets it."""

    status_code = 420
    empty_body = True


class Late(HTTPNotFound):
    """Learns it when it is made."""

    def __init__(self, status: int, text: str | None = None) -> None:
        self.status_code = status
        super().__init__(text=text)


async def test_own_classes_have_their_own_status() -> None:
    assert (await sent(Teapot())).content == b"418: I'm a Teapot"
    assert Teapot().status == 418
    assert (await sent(Calm())).fields == [("Content-Length", "0")]
    assert (await sent(Late(409))).content == b"409: Conflict"
    assert (await sent(Late(404, "own"))).status_line == "HTTP/1.1 404 Not Found"
    assert (await sent(Late(200))).status_line == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("kind", [HTTPException, HTTPError, HTTPClientError, HTTPSuccessful])
def test_a_class_without_a_status_makes_no_response(kind: type[HTTPException]) -> None:
    with pytest.raises(ValueError, match="status must be a number from 100 to 999, not -1"):
        kind()


# -- as an exception (G9) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "base", "status"), CASES)
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda exception: pickle.loads(pickle.dumps(exception))]
)
async def test_g9_an_exception_survives_a_copy(kind: Any, base: Any, status: int, duplicate: Any) -> None:
    exception = make(kind, headers={"X-A": "b"}, reason="Own")
    wire = (await sent(exception)).wire
    twin = duplicate(exception)
    assert type(twin) is kind
    assert (str(twin), twin.args) == ("Own", exception.args)
    assert vars(twin).keys() == vars(exception).keys() - {"_writer"}
    assert (await sent(twin)).wire == wire


def test_g9_printed_it_says_its_reason() -> None:
    assert str(HTTPNotFound()) == "Not Found"
    assert str(HTTPNotFound(reason="Own")) == "Own"
    assert repr(HTTPNotFound()) == "<HTTPNotFound Not Found not started>"
    assert HTTPFound("/x").args == ("/x",)


SHARED = HTTPNotFound()


async def test_g9_one_object_raised_again_and_again_does_not_grow() -> None:
    for _ in range(3):
        try:
            try:
                raise LookupError("first")
            except LookupError:
                raise SHARED  # with a context
        except HTTPNotFound as caught:
            request = await sent(caught)
        assert request.content == b"404: Not Found"
        assert SHARED.__traceback__ is None
        assert SHARED.__context__ is None
        assert SHARED.__cause__ is None


@pytest.mark.parametrize("hooked", [True, False])
async def test_g9_an_exception_does_not_keep_its_request_alive(hooked: bool) -> None:
    async def hook(request: Any, response: Any) -> None:
        pass

    async def handler(request: FakeRequest) -> None:
        try:
            raise SHARED
        except HTTPNotFound as caught:
            await sent(caught, request)

    gc.disable()
    try:
        request = FakeRequest(hooks=[hook] if hooked else [])
        seen = weakref.ref(request)
        await handler(request)
        del request
        assert seen() is None
    finally:
        gc.enable()
