"""The testing kit: serve an application inside of a test, and ask it as a client would.

    async def test_hello():
        async with TestClient(app) as client:
            response = await client.get("/")
            assert response.status == 200
            assert await response.text() == "Hello"

    server.py       TestServer, RawTestServer: an application or a handler, served in memory or on a socket
    client.py       TestClient: asks it, over httpx
    response.py     TestResponse: an answer, as users of aiohttp's test client know it
    websocket.py    TestWebSocket: a WebSocket of that client, over wsproto
    mocked.py       make_mocked_request: a request to call a handler with, without a server
    clock.py        advance_time: minutes that pass at once
    signals.py      record_signals: what was sent and reported
    case.py         AioWebTestCase, for unittest
    plugin.py       the fixtures for pytest, which finds them by itself

By default there is no socket: octets go through the real parser and the real connection in memory. `in_memory=False`
serves on a port of the loopback. Needs httpx and wsproto (the extra `testing`), and says so at the first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aioweb.testing.case import AioHTTPTestCase, AioWebTestCase
    from aioweb.testing.client import TestClient
    from aioweb.testing.clock import advance_time
    from aioweb.testing.mocked import make_mocked_request
    from aioweb.testing.response import TestResponse
    from aioweb.testing.server import BaseTestServer, RawTestServer, TestServer, unused_port
    from aioweb.testing.signals import Emitted, SignalRecord, record_signals
    from aioweb.testing.transport import MemoryHTTPTransport
    from aioweb.testing.websocket import TestWebSocket, WebSocketRefused
    from aioweb.web import MemoryClient

__all__ = (
    "AioHTTPTestCase",
    "AioWebTestCase",
    "BaseTestServer",
    "Emitted",
    "MemoryClient",
    "MemoryHTTPTransport",
    "RawTestServer",
    "SignalRecord",
    "TestClient",
    "TestResponse",
    "TestServer",
    "TestWebSocket",
    "WebSocketRefused",
    "advance_time",
    "make_mocked_request",
    "record_signals",
    "unused_port",
)

_HOMES = {
    "AioHTTPTestCase": "case",
    "AioWebTestCase": "case",
    "BaseTestServer": "server",
    "Emitted": "signals",
    "MemoryClient": "transport",
    "MemoryHTTPTransport": "transport",
    "RawTestServer": "server",
    "SignalRecord": "signals",
    "TestClient": "client",
    "TestResponse": "response",
    "TestServer": "server",
    "TestWebSocket": "websocket",
    "WebSocketRefused": "websocket",
    "advance_time": "clock",
    "make_mocked_request": "mocked",
    "record_signals": "signals",
    "unused_port": "server",
}


def __getattr__(name: str) -> Any:
    # pytest imports this package for its plugin, in every project where aioweb is installed, httpx or not.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("aioweb"):
            raise
        raise ImportError(f"{name} needs {error.name}: pip install 'aioweb[testing]'", name=error.name) from error
    return getattr(home, name)
