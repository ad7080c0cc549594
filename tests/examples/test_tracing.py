"""examples/tracing.py with the real SDK of OpenTelemetry: spans, their parents, and what is current in a handler."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from aioweb import web
from examples.tracing import Tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Traced:
    """An application with tracing, and the spans that have ended."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.app = web.Application()
        self.app.observers.append(Tracing(self.provider))
        self.app.add_routes(
            [web.get("/users/{id}", self.query), web.get("/fail", self.fail), web.get("/ws", self.chat)]
        )

    async def query(self, request: web.Request) -> web.Response:
        with self.provider.get_tracer("app").start_as_current_span("query"):
            await asyncio.sleep(0)
        return web.Response(text=format(trace.get_current_span().get_span_context().span_id, "016x"))

    async def fail(self, request: web.Request) -> web.Response:
        raise LookupError("it")

    async def chat(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.close()
        return ws

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is SpanKind.SERVER]


@pytest.fixture
def traced() -> Traced:
    return Traced()


def identity(span: ReadableSpan) -> str:
    assert span.context is not None
    return format(span.context.span_id, "016x")


async def test_a_request_is_a_span_named_by_its_route(serve: Any, traced: Traced) -> None:
    address = await serve(traced.app)
    await address.request("GET", "/users/7?a=b", "User-Agent: test")
    (span,) = traced.spans
    assert span.name == "GET /users/{id}"
    expected = {
        "http.request.method": "GET",
        "http.route": "/users/{id}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "url.path": "/users/7",
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.1",
        "user_agent.original": "test",
    }
    assert expected.items() <= dict(span.attributes or {}).items()
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent is None


async def test_the_trace_of_the_client_goes_on(serve: Any, traced: Traced) -> None:
    address = await serve(traced.app)
    await address.request("GET", "/users/7", f"TraceParent: 00-{TRACE}-{PARENT}-01")
    (span,) = traced.spans
    assert span.context is not None
    assert span.parent is not None
    assert format(span.context.trace_id, "032x") == TRACE
    assert format(span.parent.span_id, "016x") == PARENT


async def test_the_span_is_current_in_the_handler_and_parent_of_what_it_begins(serve: Any, traced: Traced) -> None:
    address = await serve(traced.app)
    answers = await asyncio.gather(*(address.request("GET", f"/users/{number}") for number in range(5)))
    assert {answer.body.decode() for answer in answers} == {identity(span) for span in traced.spans}
    queries = [span for span in traced.exporter.get_finished_spans() if span.name == "query"]
    assert {format(query.parent.span_id, "016x") for query in queries if query.parent} == {
        identity(span) for span in traced.spans
    }
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_failure_is_recorded(serve: Any, traced: Traced, caplog: Any) -> None:
    await (await serve(traced.app)).request("GET", "/fail")
    (span,) = traced.spans
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["http.response.status_code"] == 500
    assert (span.attributes or {})["error.type"] == "LookupError"
    assert [event.name for event in span.events] == ["exception"]


async def test_what_no_route_is_for_is_named_by_its_method(serve: Any, traced: Traced) -> None:
    address = await serve(traced.app)
    await address.request("GET", "/nowhere")
    await address.request("BREW", "/nowhere")
    assert [span.name for span in traced.spans] == ["GET", "HTTP"]
    assert "http.route" not in (traced.spans[0].attributes or {})
    assert (traced.spans[1].attributes or {})["http.request.method"] == "_OTHER"


async def test_a_websocket_is_a_span_as_long_as_it_is_open(serve: Any, traced: Traced) -> None:
    address = await serve(traced.app)
    peer = await address.connect()
    await peer.send("\r\n".join(["GET /ws HTTP/1.1", "Host: a", *HANDSHAKE, "", ""]).encode())
    await peer.head()
    peer.abort()
    while not traced.spans:
        await asyncio.sleep(0.001)
    (span,) = traced.spans
    assert [event.name for event in span.events][:2] == ["WebSocket opened", "WebSocket closed"]
    assert (span.attributes or {})["http.response.status_code"] == 101
