"""Responses that can be raised: one class for each status code, named as in aiohttp.

    HTTPException(Response, Exception)
    ├── HTTPSuccessful       200-206
    ├── HTTPRedirection      304
    │   └── HTTPMove         300-303, 305, 307, 308    (location, ...)
    └── HTTPError
        ├── HTTPClientError  400-417, 421, 422, 424, 426, 428, 429, 431, 451
        └── HTTPServerError  500-507, 510, 511

Whether one is raised or returned, the client sees the same. Clients choose how many 404s are made, so the usual one
costs as little as an object can: what it says stands in its class, made when the class was.
"""

from __future__ import annotations

import copyreg
from collections.abc import Awaitable, Iterable
from typing import Any

from yarl import URL

from aioweb import hdrs
from aioweb.protocol.encode import REASONS, encode_fields
from aioweb.web.response import Response
from aioweb.web.responsehead import HeadersLike
from aioweb.web.streamresponse import BytesLike, RequestLike


class HTTPException(Response, Exception):
    """A response that can be raised; the base of all of them. It is made by its subclasses, which have a status.

    Args:
        headers: added to the headers of the response.
        reason: the reason phrase; None is the usual one of the status.
        body, text, content_type: the content, as for `Response`; by default text like `404: Not Found`.

    An own class sets `status_code`, or says it with its bases: `class Teapot(HTTPClientError, status=418)`. `str()` of
    the exception is its reason. One object may be raised again and again, unless it sets cookies; that it was raised is
    forgotten when it has been sent.
    """

    status_code: int = -1
    """The status of the response."""
    empty_body: bool = False
    """The status allows no content, so there is none by default."""

    def __init_subclass__(cls, *, status: int | None = None, **kwargs: Any) -> None:
        """Make the response of a class with a status once, for all of its objects."""
        super().__init_subclass__(**kwargs)
        if status is not None:
            cls.status_code = status
            cls.empty_body = status in (204, 205, 304)
        if cls.status_code != -1:
            cls._status = cls.status_code
            cls._body = None if cls.empty_body else _default_text(cls.status_code, None).encode()
            cls._content_type = None if cls.empty_body else "text/plain; charset=utf-8"

    def __init__(
        self,
        *,
        headers: HeadersLike | None = None,
        reason: str | None = None,
        body: BytesLike | str | None = None,
        text: str | None = None,
        content_type: str | None = None,
    ) -> None:
        status = self.status_code
        if (
            headers is None
            and reason is None
            and body is None
            and text is None
            and content_type is None
            and status == self._status
        ):
            return
        if body is None and text is None and not self.empty_body:
            text = _default_text(status, reason)
        # Back to where Response starts from; what the class prepared is for the case above.
        self._status, self._body, self._content_type = 200, None, None
        super().__init__(headers=headers, status=status, reason=reason, body=body, text=text, content_type=content_type)

    def finish(self, request: RequestLike) -> Awaitable[None]:
        """Send the response, and let go of where it was raised: an object that is raised again would keep all of it."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return super().finish(request)

    def __str__(self) -> str:
        return self.reason

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self), *self.args), self.__getstate__()  # type: ignore[attr-defined]


def _default_text(status: int, reason: str | None) -> str:
    return f"{status}: {REASONS.get(status, '') if reason is None else reason}"


class HTTPError(HTTPException):
    """4xx and 5xx: something went wrong. Redirections are not among them."""


class HTTPRedirection(HTTPException):
    """3xx: look elsewhere (RFC 9110 section 15.4)."""


class HTTPSuccessful(HTTPException):
    """2xx: all went well, and the handler is left by `raise` all the same (RFC 9110 section 15.3)."""


# -- 2xx ---------------------------------------------------------------------------------------------------------------


class HTTPOk(HTTPSuccessful, status=200):
    """200 OK."""


class HTTPCreated(HTTPSuccessful, status=201):
    """201 Created."""


class HTTPAccepted(HTTPSuccessful, status=202):
    """202 Accepted."""


class HTTPNonAuthoritativeInformation(HTTPSuccessful, status=203):
    """203 Non-Authoritative Information."""


class HTTPNoContent(HTTPSuccessful, status=204):
    """204 No Content."""


class HTTPResetContent(HTTPSuccessful, status=205):
    """205 Reset Content."""


class HTTPPartialContent(HTTPSuccessful, status=206):
    """206 Partial Content."""


# -- 3xx ---------------------------------------------------------------------------------------------------------------


class HTTPMove(HTTPRedirection):
    """A redirection that says where to: the base of those with a `location`.

    Args:
        location: the value of Location, absolute or relative to the request; text is quoted as a URL needs it.
        headers, reason, body, text, content_type: as for `HTTPException`.

    Raises ValueError for an empty location and for control characters in it.
    """

    def __init__(
        self,
        location: str | URL,
        *,
        headers: HeadersLike | None = None,
        reason: str | None = None,
        body: BytesLike | str | None = None,
        text: str | None = None,
        content_type: str | None = None,
    ) -> None:
        super().__init__(headers=headers, reason=reason, body=body, text=text, content_type=content_type)
        self._location = _to_url(hdrs.LOCATION, location)
        self.headers[hdrs.LOCATION] = str(self._location)

    @property
    def location(self) -> URL:
        """Where to."""
        return self._location


def _to_url(field: str, value: str | URL) -> URL:
    """The URL of a field. yarl would drop CR and LF without a word; we refuse them like any field does."""
    if not isinstance(value, str | URL):
        raise TypeError(f"{field} must be a str or a yarl.URL, not {value!r}")
    if not str(value):
        raise ValueError(f"{field} must not be empty")
    encode_fields([(field, str(value))])
    return URL(value)


class HTTPMultipleChoices(HTTPMove, status=300):
    """300 Multiple Choices."""


class HTTPMovedPermanently(HTTPMove, status=301):
    """301 Moved Permanently; clients may turn POST into GET."""


class HTTPFound(HTTPMove, status=302):
    """302 Found; clients may turn POST into GET."""


class HTTPSeeOther(HTTPMove, status=303):
    """303 See Other: GET the result there, the answer to a form that was posted."""


class HTTPNotModified(HTTPRedirection, status=304):
    """304 Not Modified."""


class HTTPUseProxy(HTTPMove, status=305):
    """305 Use Proxy; deprecated (RFC 9110 section 15.4.6)."""


class HTTPTemporaryRedirect(HTTPMove, status=307):
    """307 Temporary Redirect; the method stays."""


class HTTPPermanentRedirect(HTTPMove, status=308):
    """308 Permanent Redirect; the method stays."""


# -- 4xx ---------------------------------------------------------------------------------------------------------------


class HTTPClientError(HTTPError):
    """4xx: the client's fault (RFC 9110 section 15.5)."""


class HTTPBadRequest(HTTPClientError, status=400):
    """400 Bad Request."""


class HTTPUnauthorized(HTTPClientError, status=401):
    """401 Unauthorized; should come with WWW-Authenticate."""


class HTTPPaymentRequired(HTTPClientError, status=402):
    """402 Payment Required."""


class HTTPForbidden(HTTPClientError, status=403):
    """403 Forbidden."""


class HTTPNotFound(HTTPClientError, status=404):
    """404 Not Found."""


class HTTPMethodNotAllowed(HTTPClientError, status=405):
    """405 Method Not Allowed.

    Args:
        method: the one that was tried.
        allowed_methods: those that would do; they become the Allow field, sorted.
        headers, reason, body, text, content_type: as for `HTTPException`.
    """

    def __init__(
        self,
        method: str,
        allowed_methods: Iterable[str],
        *,
        headers: HeadersLike | None = None,
        reason: str | None = None,
        body: BytesLike | str | None = None,
        text: str | None = None,
        content_type: str | None = None,
    ) -> None:
        super().__init__(headers=headers, reason=reason, body=body, text=text, content_type=content_type)
        self._method = method
        self._allowed_methods = frozenset(allowed_methods)
        self.headers[hdrs.ALLOW] = ", ".join(sorted(self._allowed_methods))

    @property
    def method(self) -> str:
        """The method that was tried."""
        return self._method

    @property
    def allowed_methods(self) -> frozenset[str]:
        """The methods that would do."""
        return self._allowed_methods


class HTTPNotAcceptable(HTTPClientError, status=406):
    """406 Not Acceptable."""


class HTTPProxyAuthenticationRequired(HTTPClientError, status=407):
    """407 Proxy Authentication Required."""


class HTTPRequestTimeout(HTTPClientError, status=408):
    """408 Request Timeout."""


class HTTPConflict(HTTPClientError, status=409):
    """409 Conflict."""


class HTTPGone(HTTPClientError, status=410):
    """410 Gone."""


class HTTPLengthRequired(HTTPClientError, status=411):
    """411 Length Required."""


class HTTPPreconditionFailed(HTTPClientError, status=412):
    """412 Precondition Failed."""


class HTTPRequestEntityTooLarge(HTTPClientError, status=413):
    """413 Content Too Large.

    Args:
        max_size, actual_size: bytes that are allowed, and that came; the text tells what is given.
        headers, reason, body, text, content_type: as for `HTTPException`.
    """

    def __init__(
        self,
        max_size: float | None = None,
        actual_size: float | None = None,
        *,
        headers: HeadersLike | None = None,
        reason: str | None = None,
        body: BytesLike | str | None = None,
        text: str | None = None,
        content_type: str | None = None,
    ) -> None:
        if max_size is not None and text is None and body is None:
            came = "" if actual_size is None else f", and {actual_size} came"
            text = f"413: at most {max_size} bytes of content are allowed{came}"
        super().__init__(headers=headers, reason=reason, body=body, text=text, content_type=content_type)


class HTTPRequestURITooLong(HTTPClientError, status=414):
    """414 URI Too Long."""


class HTTPUnsupportedMediaType(HTTPClientError, status=415):
    """415 Unsupported Media Type."""


class HTTPRequestRangeNotSatisfiable(HTTPClientError, status=416):
    """416 Range Not Satisfiable."""


class HTTPExpectationFailed(HTTPClientError, status=417):
    """417 Expectation Failed."""


class HTTPMisdirectedRequest(HTTPClientError, status=421):
    """421 Misdirected Request."""


class HTTPUnprocessableEntity(HTTPClientError, status=422):
    """422 Unprocessable Content."""


class HTTPFailedDependency(HTTPClientError, status=424):
    """424 Failed Dependency (RFC 4918)."""


class HTTPUpgradeRequired(HTTPClientError, status=426):
    """426 Upgrade Required."""


class HTTPPreconditionRequired(HTTPClientError, status=428):
    """428 Precondition Required (RFC 6585)."""


class HTTPTooManyRequests(HTTPClientError, status=429):
    """429 Too Many Requests (RFC 6585)."""


class HTTPRequestHeaderFieldsTooLarge(HTTPClientError, status=431):
    """431 Request Header Fields Too Large (RFC 6585)."""


class HTTPUnavailableForLegalReasons(HTTPClientError, status=451):
    """451 Unavailable For Legal Reasons (RFC 7725).

    Args:
        link: who blocks it, for the Link field; None to leave it out.
        headers, reason, body, text, content_type: as for `HTTPException`.

    Raises ValueError for an empty link and for control characters in it.
    """

    def __init__(
        self,
        link: str | URL | None,
        *,
        headers: HeadersLike | None = None,
        reason: str | None = None,
        body: BytesLike | str | None = None,
        text: str | None = None,
        content_type: str | None = None,
    ) -> None:
        super().__init__(headers=headers, reason=reason, body=body, text=text, content_type=content_type)
        self._link = None if link is None else _to_url(hdrs.LINK, link)
        if self._link is not None:
            self.headers[hdrs.LINK] = f'<{self._link}>; rel="blocked-by"'

    @property
    def link(self) -> URL | None:
        """Who blocks it."""
        return self._link


# -- 5xx ---------------------------------------------------------------------------------------------------------------


class HTTPServerError(HTTPError):
    """5xx: the server's fault (RFC 9110 section 15.6)."""


class HTTPInternalServerError(HTTPServerError, status=500):
    """500 Internal Server Error."""


class HTTPNotImplemented(HTTPServerError, status=501):
    """501 Not Implemented."""


class HTTPBadGateway(HTTPServerError, status=502):
    """502 Bad Gateway."""


class HTTPServiceUnavailable(HTTPServerError, status=503):
    """503 Service Unavailable."""


class HTTPGatewayTimeout(HTTPServerError, status=504):
    """504 Gateway Timeout."""


class HTTPVersionNotSupported(HTTPServerError, status=505):
    """505 HTTP Version Not Supported."""


class HTTPVariantAlsoNegotiates(HTTPServerError, status=506):
    """506 Variant Also Negotiates (RFC 2295)."""


class HTTPInsufficientStorage(HTTPServerError, status=507):
    """507 Insufficient Storage (RFC 4918)."""


class HTTPNotExtended(HTTPServerError, status=510):
    """510 Not Extended (RFC 2774)."""


class HTTPNetworkAuthenticationRequired(HTTPServerError, status=511):
    """511 Network Authentication Required (RFC 6585)."""
