"""An exchange as the access log reads it, and how it is shown."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from multidict import CIMultiDict

from aioweb.protocol.events import HttpVersion11
from aioweb.server.access import AccessLogger

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)"
EVIL = 'a"b\\c\r\nd\x00\x1b[31mä\udcff'
EVIL_ESCAPED = r"a\"b\\c\x0d\x0ad\x00\x1b[31m\xc3\xa4\xff"
# Any str, with as many lone surrogates and controls as letters.
ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs"]) | st.characters(max_codepoint=0x7F), max_size=40)


class Request:
    def __init__(self, **changes: Any) -> None:
        self.remote: str | None = "203.0.113.7"
        self.method = "GET"
        self.raw_path = "/messages?page=2"
        self.version = HttpVersion11
        self.headers = CIMultiDict({"Referer": "http://example.org/", "User-Agent": AGENT})
        vars(self).update(changes)
        self.match_info = SimpleNamespace(route=SimpleNamespace(name="messages"))
        self.head = SimpleNamespace(fields=self.headers)


class Response:
    def __init__(self, **changes: Any) -> None:
        self.status = 200
        self.body_length = 1234
        self.headers = CIMultiDict({"ETag": '"1"'})
        vars(self).update(changes)


def line(log_format: str, request: Any = None, response: Any = None, seconds: float = 1.5004) -> str:
    logger = AccessLogger(logging.Logger("unused"), log_format)
    return logger.format_line(request or Request(), response or Response(), seconds)


def refusal(log_format: str, peername: Any = ("203.0.113.7", 4711)) -> str:
    return AccessLogger(logging.Logger("unused"), log_format).format_refusal(400, "bad", peername)
