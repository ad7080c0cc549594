"""Traces for OpenTelemetry: a span for each request, as part of the trace that the client has begun.

    import tracing

    app.observers.append(tracing.Tracing())

The span is the current one while the handler runs: what the handler begins (a query, a call to another service) is its
child. Names and attributes are those of OpenTelemetry's conventions for HTTP servers.
"""

from __future__ import annotations

from contextvars import Token
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider

from aioweb import web

_METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
_SPAN: web.RequestKey[tuple[Span, Token[Context]]] = web.RequestKey("span")


class Tracing(web.Observer):
    """Begins a span when a request has come, and ends it when its response has left.

    Args:
        provider: where spans go; by default the global one.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("aioweb", tracer_provider=provider)

    def request_started(self, request: Any) -> None:
        # The fields traceparent and tracestate (W3C Trace Context), unless the propagators are set otherwise.
        parent = propagate.extract(request.headers)
        method = request.method if request.method in _METHODS else "_OTHER"
        span = self._tracer.start_span(
            method if method != "_OTHER" else "HTTP",
            parent,
            SpanKind.SERVER,
            {
                "http.request.method": method,
                "url.scheme": request.scheme,
                "url.path": request.head.path,
                "server.address": request.host,
                "client.address": request.remote or "",
                "network.protocol.version": f"{request.version[0]}.{request.version[1]}",
                "user_agent.original": request.headers.get("User-Agent", ""),
            },
        )
        # Observers are called in the task of the request, so the span is current for all that runs there.
        request[_SPAN] = span, attach(trace.set_span_in_context(span, parent))

    def request_routed(self, request: Any) -> None:
        resource = getattr(getattr(request.match_info, "route", None), "resource", None)
        if resource is not None:
            span, _ = request[_SPAN]
            span.update_name(f"{request.method} {resource.canonical}")
            span.set_attribute("http.route", resource.canonical)

    def request_failed(self, request: Any, exception: BaseException) -> None:
        span, _ = request[_SPAN]
        span.record_exception(exception)
        span.set_attribute("error.type", type(exception).__qualname__)
        span.set_status(StatusCode.ERROR)

    def client_gone(self, request: Any) -> None:
        request[_SPAN][0].add_event("the client has gone")

    def websocket_opened(self, request: Any, ws: Any) -> None:
        request[_SPAN][0].add_event("WebSocket opened")

    def websocket_closed(self, request: Any, ws: Any) -> None:
        request[_SPAN][0].add_event("WebSocket closed", {"code": ws.close_code or 0})

    def request_ended(self, request: Any, response: Any, seconds: float) -> None:
        span, token = request.pop(_SPAN)
        if status := request.writer.status:
            span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()
        detach(token)
