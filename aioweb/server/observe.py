"""The one seam to look through: what the middle and the roof report of a request's life, and to whom.

Access log, metrics, tracing, toolbar and named signals are subscribers of this; none of them patches anything. A
subscriber is an `Observer` that overrides the events it wants. `Observers` turns all of them, before the start, into
one tuple of callables per event, so an emitting site is these lines, and one truth test when nobody listens:

    if observers.request_started:
        for notify in observers.request_started:
            notify(request)

Requests, responses and WebSockets are opaque here: the middle knows no Application. Observers are called and never
awaited, on the loop's thread, so everybody waits for what they do. Whatever they raise is logged and spoils nothing.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

from aioweb.log import server_logger

Notify = Callable[..., None]
"""One observer's method for one event, guarded; it takes what the method of `Observer` takes and raises nothing."""


class Observer:
    """Somebody who is told of events: a base class whose methods do nothing. Override what you want to hear of.

    An event that nobody overrides costs nothing, so override no more than you need. Methods are plain functions;
    whoever has to await starts a task. One observer may be attached to several servers.

    The order for one request: `request_started`, `request_routed`, `response_started`, `response_sent`;
    `request_failed` comes between them if the handler raised, `client_gone` in the place of those that did not happen.
    The last one is `request_ended`, whatever happened.

    All of them are called in the task of the request: what one sets in a context variable is seen by its handler.
    """

    __slots__ = ()

    def request_started(self, request: Any) -> None:
        """The head of a request is complete; its handler is about to run."""

    def request_routed(self, request: Any) -> None:
        """The router has answered: `request.match_info` is there and knows the route's template (or is a 404, 405)."""

    def response_started(self, request: Any, response: Any) -> None:
        """The head of the final response has been given to the transport; 1xx are not reported."""

    def response_sent(self, request: Any, response: Any, seconds: float) -> None:
        """The last byte of the response has been given to the transport.

        Args:
            request: what was asked.
            response: what was answered; its status, body_length and headers are final.
            seconds: since `request_started`, on the loop's clock.
        """

    def request_ended(self, request: Any, response: Any, seconds: float) -> None:
        """The exchange is over, well or not: comes once, and last, for each `request_started`.

        Args:
            request: what was asked; `request.writer.status` is the status that was sent, 0 if none was.
            response: what was answered; None if the response was not sent to its end, or there was none.
            seconds: since `request_started`, on the loop's clock.
        """

    def request_failed(self, request: Any, exception: BaseException) -> None:
        """The handler raised something that is no response; a 500 follows if no head was sent yet."""

    def client_gone(self, request: Any) -> None:
        """The connection was lost before the response was complete; there will be no `response_sent`."""

    def request_refused(self, status: int, reason: str, peername: Any) -> None:
        """Bytes were refused before they became a request: a protocol error, or the deadline of the head passed.

        Args:
            status: the 4xx or 5xx that answers.
            reason: one sentence, without the client's control characters.
            peername: (host, port); for Unix sockets a path, mostly ""; or None.
        """

    def connection_opened(self, peername: Any) -> None:
        """A client has connected (after the TLS handshake)."""

    def connection_closed(self, peername: Any) -> None:
        """The connection is over, whoever ended it."""

    def websocket_opened(self, request: Any, ws: Any) -> None:
        """The handshake of RFC 6455 section 4.2.2 has been answered with 101."""

    def websocket_message(self, request: Any, ws: Any, message: Any, sent: bool) -> None:
        """A whole message has passed; `sent` is True for one of ours, False for the client's."""

    def websocket_closed(self, request: Any, ws: Any) -> None:
        """The WebSocket is over; `ws.close_code` says how."""

    def task_failed(self, task: asyncio.Task[Any], exception: BaseException) -> None:
        """A background task that the application spawned has raised."""


EVENTS: Final = tuple(name for name in vars(Observer) if not name.startswith("_"))
"""The names of all events, in the order in which `Observer` tells them."""


class Observers:
    """Everybody who was attached, sorted by event: what a server holds from its start to its end.

    Each event is a tuple of callables, in the order of attachment, with only those observers that override its method.

    Args:
        observers: who is to be told; the first hears first.

    Raises:
        TypeError: something is no `Observer`, or would have to be awaited.
    """

    __slots__ = (*EVENTS, "attached", "timed")

    attached: tuple[Observer, ...]
    """The observers as given."""
    timed: bool
    """Somebody wants the seconds of `response_sent` or `request_ended`; nobody else needs to look at the clock."""

    request_started: tuple[Notify, ...]
    request_routed: tuple[Notify, ...]
    response_started: tuple[Notify, ...]
    response_sent: tuple[Notify, ...]
    request_ended: tuple[Notify, ...]
    request_failed: tuple[Notify, ...]
    client_gone: tuple[Notify, ...]
    request_refused: tuple[Notify, ...]
    connection_opened: tuple[Notify, ...]
    connection_closed: tuple[Notify, ...]
    websocket_opened: tuple[Notify, ...]
    websocket_message: tuple[Notify, ...]
    websocket_closed: tuple[Notify, ...]
    task_failed: tuple[Notify, ...]

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self.attached = tuple(observers)
        for observer in self.attached:
            if not isinstance(observer, Observer):
                hint = "; attach an instance of it" if isinstance(observer, type) else ""
                raise TypeError(f"an observer must be an instance of Observer, not {observer!r}{hint}")
        for event in EVENTS:
            listeners = [observer for observer in self.attached if _overrides(observer, event)]
            setattr(self, event, tuple(_guarded(observer, event) for observer in listeners))
        self.timed = bool(self.response_sent or self.request_ended)

    def __repr__(self) -> str:
        return f"<Observers {', '.join(type(observer).__qualname__ for observer in self.attached) or 'none'}>"


def _overrides(observer: Observer, event: str) -> bool:
    method = getattr(observer, event)
    return getattr(method, "__func__", method) is not getattr(Observer, event)


def _guarded(observer: Observer, event: str) -> Notify:
    """The method with a net below it, made once: an emitting site needs no try, and an unheard event has no price."""
    method = getattr(observer, event)
    name = f"{type(observer).__qualname__}.{event}"
    if inspect.iscoroutinefunction(method):
        raise TypeError(f"{name} is a coroutine function; observers are called and not awaited, start a task in it")

    def notify(*args: Any) -> None:
        try:
            method(*args)
        except Exception:
            # A subscriber's fault is not the client's: the request goes on, and so do the other observers.
            server_logger.exception("Observer %s has failed", name)

    return notify


NO_OBSERVERS: Final = Observers()
"""Nobody listens."""
