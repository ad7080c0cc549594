"""What a request says with its head, and what its connection says about it: the reading half of `Request`.

Everything is read from the head when somebody asks. What is asked often and costs something is kept (`_Lazy`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Generic, NoReturn, TypeVar, cast, overload

from multidict import CIMultiDictProxy, MultiDict, MultiDictProxy
from yarl import URL

from aioweb.protocol.cookies import parse_cookie
from aioweb.protocol.events import HttpVersion, RawFields, RequestHead
from aioweb.protocol.fields import ETag, parse_etags, parse_forwarded, parse_http_date, parse_range
from aioweb.protocol.limits import Limits
from aioweb.server.proxied import ProxiedPeer
from aioweb.server.writer import StreamWriter
from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestURITooLong
from aioweb.web.fieldview import FieldView
from aioweb.web.forwarded import NOBODY, Behind, TrustedProxies, with_port
from aioweb.web.text import parse_urlencoded

_T = TypeVar("_T")

_UNKNOWN: Final = object()


class _Lazy(Generic[_T]):
    """A read-only attribute of a request, computed at the first question and kept."""

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, request: None, owner: type) -> _Lazy[_T]: ...

    @overload
    def __get__(self, request: RequestHeadView, owner: type) -> _T: ...

    def __get__(self, request: RequestHeadView | None, owner: type) -> _Lazy[_T] | _T:
        if request is None:
            return self
        known = request._known
        if known is None:
            known = request._known = {}
        value = known.get(self._name, _UNKNOWN)
        if value is _UNKNOWN:
            value = known[self._name] = self._compute(request)
        return cast(_T, value)

    def __set__(self, request: RequestHeadView, value: object) -> NoReturn:
        raise AttributeError(f"request.{self._name} cannot be set; clone() makes a request that differs")


class RequestHeadView(FieldView):
    """What can be asked about the request line, the connection and the fields. Only made as a `Request`."""

    __slots__ = ("_given", "_known", "head", "limits", "proxies", "writer")

    head: RequestHead
    """The parsed head; shared, not to be changed."""
    writer: StreamWriter
    """Where the response goes. Handlers use the methods of their response instead."""
    limits: Limits
    """The limits of the server or the application."""
    proxies: TrustedProxies | None
    """What says which fields are believed, if a trusted proxy has connected; None if none has, see `TrustedProxies`."""
    _given: Mapping[str, Any]  # what clone() was told, and the limits that were set
    _known: dict[str, Any] | None  # what _Lazy has computed

    # -- the request line ------------------------------------------------------------------------------------------

    @property
    def method(self) -> str:
        """The method as sent, for example "GET"."""
        return self.head.method

    @property
    def version(self) -> HttpVersion:
        """HTTP/1.0 or HTTP/1.1."""
        return self.head.version

    @property
    def raw_path(self) -> str:
        """Path and query as sent, without a scheme and an authority before them."""
        head = self.head
        if head.target.startswith("/"):
            return head.target
        return f"{head.path}?{head.query}" if head.query else head.path

    @property
    def path_qs(self) -> str:
        """The same as `raw_path`."""
        return self.raw_path

    @_Lazy
    def path(self: RequestHeadView) -> str:
        """The path, decoded. Octets that are not UTF-8, and percent signs without two digits, stay as sent."""
        path = self.head.path
        return self.rel_url.path if "%" in path else path

    @_Lazy
    def rel_url(self: RequestHeadView) -> URL:
        """Path and query as a relative URL: nothing of them is requoted, and none of them is ever a host."""
        return URL.build(path=self.head.path, query_string=self.head.query, encoded=True)

    @_Lazy
    def url(self: RequestHeadView) -> URL:
        """The absolute URL, as the client knows it: with `root_path`.

        What the client called the host must be one, HTTPBadRequest if not.
        """
        # RFC 9110 section 7.1: the URI of `OPTIONS *` has no path, and CONNECT has only an authority.
        path = self.root_path + self.head.path if self.head.path.startswith("/") else ""
        try:
            url = URL.build(
                scheme=self.scheme, authority=self.host, path=path, query_string=self.head.query, encoded=True
            )
            is_usable = url.host is not None and url.port is not None  # yarl looks at them when they are asked for
        except ValueError:
            is_usable = False
        if not is_usable:
            raise HTTPBadRequest(text="400: the host is not host[:port]")
        return url

    @_Lazy
    def query(self: RequestHeadView) -> MultiDictProxy[str]:
        """The fields of the query in their order, blank ones too; what is not UTF-8 has become U+FFFD.

        Raises HTTPRequestURITooLong for more than `client_max_fields` of them.
        """
        query = self.head.query
        if not query:
            return MultiDictProxy(MultiDict())
        limit = self.client_max_fields
        if 0 < limit <= query.count("&"):
            raise HTTPRequestURITooLong(text=f"414: more than {limit} fields in the query")
        return MultiDictProxy(parse_urlencoded(query))

    @property
    def query_string(self) -> str:
        """The query, decoded; `head.query` is the query as sent."""
        return self.rel_url.query_string

    # -- the connection --------------------------------------------------------------------------------------------

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport; None when the client is gone."""
        return self.writer.transport

    @property
    def protocol(self) -> asyncio.BaseProtocol | None:
        """The protocol of the connection; None when the client is gone."""
        transport = self.writer.transport
        return None if transport is None else transport.get_protocol()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that serves this request."""
        return self.writer.loop

    @property
    def task(self) -> asyncio.Task[Any]:
        """The task that asks; in a handler or middleware that is the task of this request."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("request.task was asked outside of a task")
        return task

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows, such as "peername" or "ssl_object"; the default when the client is gone."""
        return self.writer.get_extra_info(name, default)

    @property
    def keep_alive(self) -> bool:
        """The client lets the connection persist."""
        return self.head.keep_alive

    @property
    def scheme(self) -> str:
        """The scheme that the client uses, "https" or "http".

        What a trusted proxy tells comes first (`TrustedProxies`), then TLS on this connection or, by a PROXY header, on
        that to the proxy, then `secure_proxy_ssl_header`. The scheme of an absolute target is the client's word, and
        does not count.
        """
        if "scheme" in self._given:
            return str(self._given["scheme"])
        if self.proxies is not None and self._behind.scheme is not None:
            return self._behind.scheme
        if isinstance(self.writer.peername, ProxiedPeer) and self.writer.peername.secure:
            return "https"
        if self.get_extra_info("sslcontext") is not None or self.get_extra_info("ssl_object") is not None:
            return "https"
        proxy_field = self.writer.secure_proxy_ssl_header
        if proxy_field is not None and self._field(proxy_field[0]) == proxy_field[1]:
            return "https"
        return "http"

    @property
    def secure(self) -> bool:
        """The scheme is "https"."""
        return self.scheme == "https"

    @property
    def client_certificate(self) -> dict[str, Any] | None:
        """The certificate that a TLS client has proved to own, as `ssl.SSLSocket.getpeercert()` tells it.

        None if it has shown none: the `verify_mode` of the server's context decides whether it must. For the octets of
        the certificate see `request.get_extra_info("ssl_object").getpeercert(binary_form=True)`.
        """
        return self.get_extra_info("peercert") or None

    @property
    def host(self) -> str:
        """Who was asked, with a port if the client named one; the name of the socket if the client named nobody.

        What a trusted proxy tells comes first (`TrustedProxies`).
        """
        if "host" in self._given:
            return str(self._given["host"])
        host = self.head.authority or _format_socket_name(self.get_extra_info("sockname"))
        if self.proxies is not None:
            return with_port(self._behind.host or host, self._behind.port, self.scheme)
        return host

    @property
    def remote(self) -> str | None:
        """The address of the client, without its port; None for a Unix socket.

        What a trusted proxy tells comes first (`TrustedProxies`), then the PROXY protocol. The address of the socket is
        `get_extra_info("peername")`.
        """
        if "remote" in self._given:
            return str(self._given["remote"])
        if self.proxies is not None and self._behind.remote is not None:
            return self._behind.remote
        peername = self.writer.peername
        return str(peername[0]) if isinstance(peername, (tuple, list)) else None

    @property
    def root_path(self) -> str:
        """What was cut off the front of the path, "" for nothing: by a trusted proxy (X-Forwarded-Prefix), or by the
        server that runs this application with ASGI.

        `url` and `url_for` have it in front; `path` and `rel_url` are what was received and routed.
        """
        served = self.get_extra_info("root_path", "")
        root = served if isinstance(served, str) else ""  # a mocked transport knows everything
        return root if self.proxies is None else self._behind.root_path + root

    @_Lazy
    def _behind(self: RequestHeadView) -> Behind:
        return NOBODY if self.proxies is None else self.proxies.read(self.headers)

    # -- the fields ------------------------------------------------------------------------------------------------

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The fields, read-only, by name in any case."""
        return self.head.fields.headers

    @property
    def raw_headers(self) -> RawFields:
        """Names and values as octets, in their order."""
        return self.head.fields.pairs

    @_Lazy
    def cookies(self: RequestHeadView) -> Mapping[str, str]:
        """Names and values of the cookies, read-only. What is malformed is left out."""
        return MappingProxyType(parse_cookie("; ".join(self.headers.getall("Cookie", ()))))

    @_Lazy
    def forwarded(self: RequestHeadView) -> tuple[Mapping[str, str], ...]:
        """What proxies added to Forwarded (RFC 7239), one mapping for each. Any client can write it: see `remote`."""
        return parse_forwarded(self.headers.getall("Forwarded", ()))

    @property
    def if_modified_since(self) -> datetime | None:
        """The date in If-Modified-Since, in UTC; None without one, or if it is no date."""
        return self._read_date("If-Modified-Since")

    @property
    def if_unmodified_since(self) -> datetime | None:
        """The date in If-Unmodified-Since, in UTC; None without one, or if it is no date."""
        return self._read_date("If-Unmodified-Since")

    @property
    def if_range(self) -> datetime | None:
        """The date in If-Range, in UTC; None without one, or if it is no date (it may be an entity tag)."""
        return self._read_date("If-Range")

    @property
    def if_match(self) -> tuple[ETag, ...] | None:
        """The tags in If-Match; None without the field."""
        return self._read_etags("If-Match")

    @property
    def if_none_match(self) -> tuple[ETag, ...] | None:
        """The tags in If-None-Match; None without the field."""
        return self._read_etags("If-None-Match")

    @property
    def http_range(self) -> slice[int | None, int | None, int]:
        """The slice of the content that Range asks for; all of it without the field.

        Raises ValueError for anything but one range of bytes; a server may then ignore the field.
        """
        return parse_range(self._field("Range"))

    def _field(self, name: str) -> str | None:
        # Who asks for a field or two of many spares the rest of them being decoded.
        return self.head.fields.get(name)

    def _read_date(self, name: str) -> datetime | None:
        value = self._field(name)
        return None if value is None else parse_http_date(value)

    def _read_etags(self, name: str) -> tuple[ETag, ...] | None:
        values = self.headers.getall(name, None)
        return None if values is None else parse_etags(", ".join(values))

    # -- its limits ------------------------------------------------------------------------------------------------

    @property
    def client_max_size(self) -> int:
        """Bytes that `read()` and its kin take at most; 0 or less is no limit. May be set before they are called."""
        return int(self._given.get("client_max_size", self.limits.client_max_size))

    @client_max_size.setter
    def client_max_size(self, size: int) -> None:
        self._given = {**self._given, "client_max_size": size}

    @property
    def client_max_fields(self) -> int:
        """Fields that a form or a query has at most; 0 or less is no limit. May be set before they are read."""
        return int(self._given.get("client_max_fields", self.limits.client_max_fields))

    @client_max_fields.setter
    def client_max_fields(self, number: int) -> None:
        self._given = {**self._given, "client_max_fields": number}


def _format_socket_name(name: object) -> str:
    """host:port of a socket's own address, a zone left out; "localhost" for a Unix socket, or when it is closed."""
    if not isinstance(name, (tuple, list)):
        return "localhost"
    host, port = str(name[0]).partition("%")[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
