"""The ASGI specification as a table: every message and every key of it, so that no test of it is forgotten.

A test says which rows it is about (`@spec("http.response.start", "status", "headers")`), and the last test of a file
asks whether all of them were named. Versions: ASGI 3.0, HTTP and WebSocket 2.5, lifespan 2.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T", bound=Callable[..., Any])

SPECIFICATION: dict[str, str] = {
    "http": """type asgi http_version method scheme path raw_path query_string root_path headers client server
        state extensions""",
    "http.request": "body more_body",
    "http.response.start": "status headers trailers",
    "http.response.body": "body more_body",
    "http.response.trailers": "headers more_trailers",
    "http.disconnect": "",
    "websocket": """type asgi http_version scheme path raw_path query_string root_path headers client server
        subprotocols state extensions""",
    "websocket.connect": "",
    "websocket.accept": "subprotocol headers",
    "websocket.receive": "bytes text",
    "websocket.send": "bytes text",
    "websocket.disconnect": "code reason",
    "websocket.close": "code reason",
    "websocket.http.response.start": "status headers",
    "websocket.http.response.body": "body more_body",
    "lifespan": "type asgi state",
    "lifespan.startup": "",
    "lifespan.startup.complete": "",
    "lifespan.startup.failed": "message",
    "lifespan.shutdown": "",
    "lifespan.shutdown.complete": "",
    "lifespan.shutdown.failed": "message",
}


class Table:
    """The rows that the tests of one file have named.

    Args:
        parts: of the specification, that the file is about.
    """

    def __init__(self, *parts: str) -> None:
        rows = [(what, key) for what, keys in SPECIFICATION.items() for key in (*keys.split(), "")]
        self.left = {(what, key) for what, key in rows if what.partition(".")[0] in parts}
        """Those that no test is about."""

    def __call__(self, what: str, *keys: str) -> Callable[[_T], _T]:
        """Marks a test that is about a message, or a scope, and about some of its keys."""

        def mark(test: _T) -> _T:
            for key in (*keys, ""):
                assert (what, key) in self.left or key in SPECIFICATION[what].split() or not key, (what, key)
                self.left.discard((what, key))
            return test

        return mark
