"""Request: what a client asks, as a handler sees it.

A request is made for every message, so making one stores a few references and computes nothing. Everything else is
read when somebody asks: from the head in requesthead.py, from the content here. Nothing here points back to the
request, so that it dies with its last reference.

What a client gets wrong (a body over the limit, bad JSON, bytes that are no UTF-8) is an HTTPException of the 400s.
"""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from types import MappingProxyType
from typing import Any, Final, NoReturn, Protocol, TypeVar, overload

import attrs
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from aioweb.protocol.encode import encode_fields
from aioweb.protocol.events import RequestHead, decode_fields
from aioweb.protocol.limits import Limits
from aioweb.server.decoding import DecodedStream
from aioweb.server.stream import EMPTY_BODY, BodyTooLarge, StreamReader
from aioweb.server.writer import StreamWriter
from aioweb.web.compat import RequestAliases
from aioweb.web.exceptions import (
    HTTPBadRequest,
    HTTPRequestEntityTooLarge,
    HTTPUnsupportedMediaType,
)
from aioweb.web.forms import MULTIPART, URLENCODED, FormField, FormFiles, LimitedContent, read_form
from aioweb.web.parts import MultipartReader
from aioweb.web.requesthead import RequestHeadView
from aioweb.web.responsehead import HeadersLike
from aioweb.web.state import NO_STATE, StateKey, StateMapping
from aioweb.web.text import decode_text, parse_form

_T = TypeVar("_T")
_D = TypeVar("_D")
_R = TypeVar("_R", bound="BaseRequest")

_DEFAULT_LIMITS: Final = Limits()
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_SAME: Any = object()


class RequestKey(StateKey[_T]):
    """A typed key of the state of a request: `USER = RequestKey("user", User)`, then `request[USER]`."""

    __slots__ = ()


class MatchInfo(Protocol):
    """What a request knows of the router's answer: the decoded parts of the path, and where they lead."""

    @property
    def apps(self) -> Sequence[Any]:
        """The applications that lead to the route, the outermost first."""

    @property
    def current_app(self) -> Any:
        """The application that acts now: the one of the running middleware, or of the handler."""

    @property
    def route(self) -> Any:
        """The route that matched."""

    @property
    def handler(self) -> Any:
        """Its handler."""

    @property
    def expect_handler(self) -> Any:
        """What answers an expectation; None for the default."""

    @property
    def http_exception(self) -> Any:
        """The 404 or 405 that the handler raises if nothing was found; None if something was."""

    def __getitem__(self, key: str) -> str: ...

    def __contains__(self, key: object) -> bool: ...

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...

    @overload
    def get(self, key: str, default: None = None, /) -> str | None: ...

    @overload
    def get(self, key: str, default: _D, /) -> str | _D: ...

    def get(self, key: str, default: object = None, /) -> object:
        """The part of that name, or the default."""

    def keys(self) -> Iterable[str]:
        """The names of the parts."""

    def values(self) -> Iterable[str]:
        """The parts."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Names and parts."""


class _Unrouted(dict[str, str]):
    """The match info of a request that no application has routed: no parts, no application."""

    apps = ()
    route = handler = expect_handler = http_exception = None

    @property
    def current_app(self) -> NoReturn:
        raise RuntimeError("this request was not routed, it has no application")


_UNROUTED: Final[Any] = _Unrouted()


class BaseRequest(RequestHeadView, RequestAliases, StateMapping):
    """A request without an application; see `Request`.

    As a mapping it holds the state of this request, for middlewares and handlers, under str or `RequestKey`. Requests
    are equal only to themselves, and true even without state.

    Args:
        head: the parsed head.
        body: the content; `EMPTY_BODY` without one.
        writer: where the response goes; it knows the connection.
        limits: `client_max_size` and `client_max_fields` are taken from here.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_form",
        "_state",
        "_taken_by",
        "content",
        "form_files",
        "match_info",
        "response_prepare_hooks",
    )

    POST_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE", "TRACE"})
    """The methods whose content `post()` reads."""

    def __init__(
        self, head: RequestHead, body: StreamReader, writer: StreamWriter, limits: Limits = _DEFAULT_LIMITS
    ) -> None:
        self.head = head
        self.content = body
        """The content as a stream, with its Content-Encoding undone (see `auto_decompress` of `Server`)."""
        self.writer = writer
        self.limits = limits
        self.match_info: MatchInfo = _UNROUTED
        """The parts of the path and the route; set once the request was routed."""
        self.response_prepare_hooks: Sequence[Callable[[Any, Any], Awaitable[object]]] = ()
        """Called with request and response before the head of the response is sent."""
        self.proxies = None
        self._given = _NOTHING
        self._known = None
        self._state = NO_STATE
        self._body: bytes | None = None
        self._form: MultiDictProxy[FormField] | None = None
        self._taken_by: str | None = None  # whose reading has left nothing of the content
        self.form_files: FormFiles | None = None
        """The files of the form; None as long as there are none. Closed when the request is over."""

    def __repr__(self) -> str:
        # The path as it came: once decoded it may hold a line break, and a log a line that nobody wrote.
        return f"<{type(self).__name__} {self.head.method} {self.head.path}>"

    @property
    def handler_cancellation(self) -> bool | None:
        """Cancel the handler of this request when its client goes; None leaves it to the server.

        `client_gone` of its route, or of what is around that, has set it; a middleware or the handler may change it:
        True for what nobody will read, False for writes.
        """
        return self.writer.handler_cancellation

    @handler_cancellation.setter
    def handler_cancellation(self, wanted: bool | None) -> None:
        self.writer.handler_cancellation = wanted

    async def disconnected(self) -> bool:
        """Wait until the client has gone: True. It costs nothing where nobody asks.

        For a handler that finishes without its client, or work beside it. If the request ends while the client is still
        there, it is False, so nobody is left waiting. For a WebSocket, the client has gone when the connection closes.

        A client that closes or breaks its connection is noticed at once, unless the server has stopped reading: more
        than `Limits.read_buffer` bytes of content, or of further requests, wait unread. One that vanishes without a
        word (its cable is cut) is noticed when something that is sent to it makes no progress (`Limits.write_timeout`).
        """
        return await self.writer.disconnected()

    # -- the content -----------------------------------------------------------------------------------------------

    @property
    def body_exists(self) -> bool:
        """The client announced content."""
        return self.content is not EMPTY_BODY

    @property
    def can_read_body(self) -> bool:
        """There is content that was not read from the stream yet, or it may still come."""
        return not self.content.at_eof()

    @property
    def has_body(self) -> bool:
        """The same as `can_read_body`."""
        return not self.content.at_eof()

    async def read(self) -> bytes:
        """The content, kept for the next call.

        Raises HTTPRequestEntityTooLarge when it passes `client_max_size`, at once if it is announced to; RuntimeError
        if `post()` has read a multipart form from it, or `multipart()` reads it.
        """
        if self._body is None:
            self._check_not_taken()
            limit = self._check_announced_size()
            try:
                self._body = await self.content.collect(limit)
            except BodyTooLarge as error:
                raise HTTPRequestEntityTooLarge(error.max_size, error.actual_size)
        return self._body

    async def text(self) -> str:
        """The content as text, in the charset of Content-Type or UTF-8. Raises HTTPBadRequest if it is not of it."""
        return decode_text(await self.read(), self.charset)

    async def json(
        self, *, loads: Callable[[str], Any] = json.loads, loader: Callable[[str], Any] | None = None
    ) -> Any:
        """The content read as JSON by `loads`; `loader` is its name in aiohttp 0.17.

        Raises HTTPBadRequest for what `loads` refuses with a ValueError, and for what is nested too deeply.
        """
        text = await self.text()
        try:
            return (loader or loads)(text)
        except (ValueError, RecursionError):
            raise HTTPBadRequest(text="400: the content is not valid JSON")

    @property
    def form(self) -> MultiDictProxy[FormField] | None:
        """What `post()` has returned; None before."""
        return self._form

    async def post(self) -> MultiDictProxy[FormField]:
        """The fields of the form in the content, kept for the next call: str, and `FileField` for files.

        Empty for a method without a form, and for another content type than that of a form.

        Raises HTTPRequestEntityTooLarge for too much content, too many fields or one that is too large, see `Limits`;
        HTTPBadRequest for what is no form, ended too early, or is not of its charset; HTTPInsufficientStorage when
        there is no room for the files; RuntimeError if `multipart()` has begun to read the content.
        """
        if self._form is None:
            self._form = MultiDictProxy(await self._read_form())
        return self._form

    async def _read_form(self) -> MultiDict[FormField]:
        if self.method not in self.POST_METHODS:
            return MultiDict()
        content_type = self.content_type
        if content_type == MULTIPART:
            return await self._read_multipart_form()
        # An empty Content-Type, as opposed to none, has been taken for a form since aiohttp 0.17.
        if content_type == URLENCODED or self._field("Content-Type") == "":
            return MultiDict(parse_form(await self.read(), self.charset, self.client_max_fields))
        return MultiDict()

    async def _read_multipart_form(self) -> MultiDict[FormField]:
        content = LimitedContent(self._take_content("post()"), self._check_announced_size())
        reader = MultipartReader(self.headers, content, limits=self._own_limits())
        if self.form_files is None:
            self.form_files = FormFiles()
        fields = await read_form(reader, self.form_files)
        while await content.readany():  # the epilogue is content too, and the next request stands behind it
            pass
        return fields

    async def multipart(self) -> MultipartReader:
        """A reader of the parts of multipart content, at any size: it takes from the stream what the handler asks for.

        Raises HTTPUnsupportedMediaType for content that is not multipart, HTTPBadRequest if it does not say by which
        boundary, RuntimeError if `post()` or `multipart()` has taken the content.
        """
        if not self.content_type.startswith("multipart/"):
            raise HTTPUnsupportedMediaType(text="415: the content is not multipart")
        return MultipartReader(self.headers, self._take_content("multipart()"), limits=self._own_limits())

    def _take_content(self, taker: str) -> StreamReader:
        """The content for somebody who keeps nothing of it for others."""
        self._check_not_taken()
        if self._body is not None:
            stream = StreamReader(len(self._body), None, self.loop)
            stream.feed_data(self._body)
            stream.feed_eof()
            return stream
        if self.content.at_eof() and self.content.total_bytes:
            raise RuntimeError(f"request.{taker} finds no content: it was read from request.content")
        self._taken_by = taker
        return self.content

    def _check_not_taken(self) -> None:
        if self._taken_by is not None:
            raise RuntimeError(f"the content was taken by request.{self._taken_by}, which keeps nothing of it")

    def _check_announced_size(self) -> int:
        """`client_max_size`, when Content-Length does not say already that more is to come."""
        limit = self.client_max_size
        length = self.head.fields.content_length
        # Of encoded content it says how much is sent, which may be more than what it is decoded to.
        if length is not None and 0 < limit < length and not isinstance(self.content, DecodedStream):
            raise HTTPRequestEntityTooLarge(limit, length)
        return limit

    def _own_limits(self) -> Limits:
        if not self._given:
            return self.limits
        sizes = {"client_max_size": self.client_max_size, "client_max_fields": self.client_max_fields}
        return attrs.evolve(self.limits, **{name: max(0, size) for name, size in sizes.items()})

    async def release(self) -> None:
        """Read what is left of the content, and drop it. Content that awaits its invitation is not invited for that."""
        if not self.writer.awaits_continue:
            await self.content.skip()

    def send_continue(self) -> None:
        """Invite the content now: `100 Continue` (RFC 9110 section 10.1.1).

        Does nothing where no invitation is needed: the client does not wait for one or has begun to send, another was
        sent, or the response has begun. Without this call the content is invited when it is first read, see
        `continue_on_read`. Raises ClientDisconnectedError if the client is gone.
        """
        self.writer.send_continue()

    def send_early_hints(self, *links: str, headers: HeadersLike = ()) -> Awaitable[None]:
        """Let the client fetch what it is going to need, before the response: `103 Early Hints` (RFC 8297).

        It acts at once, and may be awaited. Nothing is sent to HTTP/1.0, which does not know interim responses. The
        response repeats these fields, if it means them. Some clients, such as Python's http.client, take a 103 for the
        response: send it to browsers (they say `Sec-Fetch-Mode: navigate`), or behind a proxy that knows it.

        Args:
            links: values of Link, such as `</style.css>; rel=preload; as=style`.
            headers: other fields.

        Raises ValueError for what no field may hold, RuntimeError when the response has begun, ClientDisconnectedError
        if the client is gone.
        """
        fields = [("Link", link) for link in links]
        fields += headers.items() if isinstance(headers, Mapping) else headers
        self.writer.send_informational(103, encode_fields(fields))
        return self.writer.drain()

    @property
    def trailers(self) -> CIMultiDictProxy[str]:
        """The fields behind chunked content (RFC 9110 section 6.5); empty until all content has arrived.

        They are no headers and never become any. Those that concern framing, routing, authentication or the kind of
        the content are dropped (RFC 9110 section 6.5.1).
        """
        return decode_fields(self.content.trailers)

    # -- a request that differs ------------------------------------------------------------------------------------

    def clone(
        self: _R,
        *,
        method: str = _SAME,
        rel_url: str | URL = _SAME,
        headers: HeadersLike = _SAME,
        scheme: str = _SAME,
        host: str = _SAME,
        remote: str = _SAME,
        client_max_size: int = _SAME,
        client_max_fields: int = _SAME,
    ) -> _R:
        """A request that differs in what is given, for middlewares to hand on.

        It shares the content, the writer and the route, and has a copy of the state. An absolute `rel_url` brings its
        host along. New `headers` do not change how the content is framed.

        Raises RuntimeError when the content was read already, ValueError for headers that cannot be sent.
        """
        if self._body or self._taken_by:
            raise RuntimeError("Cannot clone request after reading its content")
        if self.form_files is None:
            self.form_files = FormFiles()  # whatever the clone opens, the end of this request closes
        head = self.head
        if headers is not _SAME:
            head = _with_headers(head, CIMultiDict(headers))
        if rel_url is not _SAME:
            head = _with_url(head, rel_url)
        if method is not _SAME:
            head = head._replace(method=method)
        given = {
            "scheme": scheme,
            "host": host,
            "remote": remote,
            "client_max_size": client_max_size,
            "client_max_fields": client_max_fields,
        }
        told = {name: value for name, value in given.items() if value is not _SAME}
        if head.authority and head.authority != self.head.authority:
            told.setdefault("host", head.authority)
        clone = copy(self)
        clone.head = head
        clone._given = {**self._given, **told}
        # What trusted proxies have told stays, whatever becomes of their fields.
        clone._known = None if self.proxies is None else {"_behind": self._behind}
        clone._form = None
        clone._state = None if self._state is None else dict(self._state)
        return clone


class Request(BaseRequest):
    """What a handler gets. Made for each message of a client; lives until its response was sent."""

    __slots__ = ()

    @property
    def app(self) -> Any:
        """The application that acts now: in a middleware of an outer application, the outer one."""
        return self.match_info.current_app

    @property
    def config_dict(self) -> Mapping[Any, Any]:
        """The state of `app`, and behind it the state of the applications around it, read-only."""
        return MappingProxyType(ChainMap(*self._apps_outward()))

    def url_for(self, name: str, /, **parts: object) -> URL:
        """The URL of the route with that name: of `app`, else of the applications around it, the innermost first.

        So the routes of a sister application are found as "sister:route". With `root_path` in front. See
        `Application.url_for` for names and what it raises.
        """
        for app in self._apps_outward():
            try:
                resource = app.router.find_named(name)
            except KeyError:
                continue
            url: URL = resource.url_for(**parts)
            return url if not self.root_path else URL(f"{self.root_path}{url}", encoded=True)
        raise KeyError(name)

    def _apps_outward(self) -> list[Any]:
        """`app`, and the applications around it, the innermost first."""
        apps = list(self.match_info.apps)
        while apps[-1] is not self.app:
            apps.pop()
        return apps[::-1]


def _with_headers(head: RequestHead, headers: CIMultiDict[str]) -> RequestHead:
    """The head with other fields; what they say of framing and persistence stays, for the message stays."""
    raw = encode_fields(headers.items()) + b"\r\n"
    host = headers.get("Host")
    authority = host if head.authority == head.fields.host else head.authority
    return head._replace(fields=attrs.evolve(head.fields, raw=raw, host=host), authority=authority)


def _with_url(head: RequestHead, url: str | URL) -> RequestHead:
    """The head with another target."""
    if isinstance(url, str):
        # A path that begins with two slashes is a path; URL() would take it for a host.
        url = URL(f"http://relative{url}").relative() if url.startswith("/") else URL(url)
    path, query = url.raw_path, url.raw_query_string
    return head._replace(
        target=f"{path}?{query}" if query else path,
        path=path,
        query=query,
        authority=url.raw_authority if url.absolute else head.authority,
    )
