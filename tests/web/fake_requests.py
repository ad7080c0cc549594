"""Requests without a connection: heads that are made by hand, and the least of a StreamWriter that they ask for."""

from __future__ import annotations

import asyncio
from typing import Any

from multidict import CIMultiDict

from aioweb.protocol.events import FieldSection, HttpVersion11, RequestHead
from aioweb.protocol.limits import Limits
from aioweb.server.stream import EMPTY_BODY, StreamReader
from aioweb.web.request import Request


class Wire:
    """The transport of the fake writer."""

    def __init__(self, **extra: Any) -> None:
        self.extra = {"sockname": ("127.0.0.1", 8080), **extra}

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.extra.get(name, default)

    def get_protocol(self) -> str:
        return "the protocol"


class Writer:
    """What a request asks of its StreamWriter."""

    awaits_continue = False

    def __init__(self, transport: Wire | None = None, peername: Any = ("10.0.0.1", 5000), proxy: Any = None) -> None:
        self.transport = transport
        self.peername = peername
        self.secure_proxy_ssl_header = proxy

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default if self.transport is None else self.transport.get_extra_info(name, default)


def make_head(
    method: str = "GET", target: str = "/", *fields: tuple[str, str], authority: str | None = None
) -> RequestHead:
    path, _, query = target.partition("?")
    if target.startswith("http"):
        authority, slash, rest = path.partition("://")[2].partition("/")
        path = slash + rest
    headers = CIMultiDict(fields)
    raw = "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
    length = headers.get("Content-Length")
    section = FieldSection(raw.encode("utf-8", "surrogateescape"), headers.get("Host"), int(length) if length else None)
    return RequestHead(
        method, target, path, query, authority or section.host, HttpVersion11, section, bool(length), True
    )


def make(
    method: str = "GET",
    target: str = "/",
    *fields: tuple[str, str],
    writer: Writer | None = None,
    body: StreamReader = EMPTY_BODY,
    limits: Limits | None = None,
    kind: type[Any] = Request,
) -> Any:
    head = make_head(method, target, *fields)
    return kind(head, body, writer or Writer(Wire()), *([limits] if limits else []))


def content(*pieces: bytes, eof: bool = True) -> StreamReader:
    stream = StreamReader(2**16, None, asyncio.get_running_loop())
    for piece in pieces:
        stream.feed_data(piece)
    if eof:
        stream.feed_eof()
    return stream
