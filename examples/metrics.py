"""Metrics for Prometheus: an observer that counts, and the page that Prometheus reads.

    import metrics

    metrics.setup(app)          # in front of the start; the page is /metrics

A label is never something that a client has made up: not its path, but the template of the route, and of methods only
those that everybody knows. Else every scanner would add series until the memory is full.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from aioweb import web

METRICS: web.AppKey[Metrics] = web.AppKey("METRICS")

_METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}


def setup(app: web.Application, path: str = "/metrics") -> Metrics:
    """Count what happens in an application, and show it under a path."""
    metrics = app[METRICS] = Metrics()
    app.observers.append(metrics)
    app.router.add_get(path, metrics.show)
    return metrics


class Metrics(web.Observer):
    """Counts requests, connections and WebSockets, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        request, route = ("method", "route"), ("route",)
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "From the head of a request to the last byte of its response; status 000 was cut before its end.",
            (*request, "status"),
            registry=registry,
        )
        self._in_flight = Gauge("http_requests_in_flight", "Requests that are being answered.", registry=registry)
        self._failed = Counter("http_requests_failed", "Handlers that have raised.", request, registry=registry)
        self._refused = Counter("http_requests_refused", "What was no request.", ("status",), registry=registry)
        self._connections = Gauge("http_connections", "Open connections.", registry=registry)
        self._websockets = Gauge("websockets", "Open WebSockets.", route, registry=registry)
        self._messages = Counter("websocket_messages", "Messages of them.", ("route", "direction"), registry=registry)

    async def show(self, request: web.Request) -> web.Response:
        """The handler that Prometheus asks."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.registry), headers={"Content-Type": content_type})

    def request_started(self, request: Any) -> None:
        self._in_flight.inc()

    def request_ended(self, request: Any, response: Any, seconds: float) -> None:
        self._in_flight.dec()
        if request.writer.status == 101:
            return  # how long a WebSocket was open is no duration of a request
        status = "000" if response is None else str(response.status)
        self._seconds.labels(_method(request), route_template(request), status).observe(seconds)

    def request_failed(self, request: Any, exception: BaseException) -> None:
        self._failed.labels(_method(request), route_template(request)).inc()

    def request_refused(self, status: int, reason: str, peername: Any) -> None:
        self._refused.labels(str(status)).inc()

    def connection_opened(self, peername: Any) -> None:
        self._connections.inc()

    def connection_closed(self, peername: Any) -> None:
        self._connections.dec()

    def websocket_opened(self, request: Any, ws: Any) -> None:
        self._websockets.labels(route_template(request)).inc()

    def websocket_closed(self, request: Any, ws: Any) -> None:
        self._websockets.labels(route_template(request)).dec()

    def websocket_message(self, request: Any, ws: Any, message: Any, sent: bool) -> None:
        self._messages.labels(route_template(request), "sent" if sent else "received").inc()


def route_template(request: Any) -> str:
    """The path of the route as it was registered, such as `/users/{id}`; "" if there is none."""
    resource = getattr(getattr(request.match_info, "route", None), "resource", None)
    return "" if resource is None else str(resource.canonical)


def _method(request: Any) -> str:
    return request.method if request.method in _METHODS else "other"
