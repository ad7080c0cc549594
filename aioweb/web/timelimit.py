"""A bound on the time of a handler: of one route, or of every request.

When the time is up the handler is cancelled, and the answer is 503 or 504; if a response has begun, the connection is
cut, so that half a response is not taken for a whole one. A handler that swallows its cancellation and returns a
response all the same has answered. One that goes on is not waited for: a moment later its client gets its answer.

One timer, made for those requests only that have a bound. It cancels the very task that runs the handler: another one
around it (as `asyncio.wait_for` makes) would have another context, and nobody else could tell whose task it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, TypeVar

from aioweb.protocol.encode import REASONS, encode_fields
from aioweb.server.flow import ClientDisconnectedError
from aioweb.web.exceptions import HTTPException, HTTPGatewayTimeout, HTTPServiceUnavailable
from aioweb.web.request import BaseRequest

_R = TypeVar("_R", bound=BaseRequest)

_GRACE: Final = 1.0
"""Seconds that a cancelled handler gets to clean up before its client is answered without it."""
_ANSWERS: Final[dict[int, type[HTTPException]]] = {503: HTTPServiceUnavailable, 504: HTTPGatewayTimeout}

_running: ContextVar[TimeLimit | None] = ContextVar("running", default=None)


def limit_time(
    call: Callable[[_R], Awaitable[Any]], seconds: float, logger: logging.Logger, *, status: int = 503
) -> Callable[[_R], Awaitable[Any]]:
    """Put a bound on the time that `call` takes for a request. 0 seconds lift the bound that is around it."""

    async def call_limited(request: _R) -> Any:
        with TimeLimit(request, seconds, logger, status):
            return await call(request)

    return call_limited


class TimeLimit:
    """The bound of one request; of several, one within the other, the innermost counts while it is entered.

    Raises at its end, when the time was up, the HTTPException that answers, or asyncio.TimeoutError if a response has
    begun. An open WebSocket has no bound: it has deadlines of its own.
    """

    __slots__ = (
        "_answered",
        "_expired",
        "_left",
        "_logger",
        "_outer",
        "_request",
        "_seconds",
        "_status",
        "_task",
        "_timer",
    )

    def __init__(self, request: BaseRequest, seconds: float, logger: logging.Logger, status: int) -> None:
        self._request: BaseRequest | None = request
        self._seconds = seconds
        self._left = seconds
        self._logger = logger
        self._status = status
        self._outer: TimeLimit | None = None
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._expired = self._answered = False

    def __enter__(self) -> TimeLimit:
        self._task = asyncio.current_task()
        self._outer = _running.get()
        if self._outer is not None:
            self._outer.pause()
        _running.set(self)
        self.go_on()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        request, task, outer = self._request, self._task, self._outer
        assert request is not None, "it is entered once"
        assert task is not None, "it is entered in a task"
        # A task that the handler has begun has this context, too, and may live on: it is not to hold the request.
        self._request = self._task = self._outer = None
        _running.set(outer)
        self._stop()
        if outer is not None:
            outer.go_on()
        if not self._expired:
            return
        # Python 3.10 does not count cancellations.
        others = task.uncancel() if hasattr(task, "uncancel") else 0
        if self._answered:
            raise ClientDisconnectedError("the handler was answered for") from error
        if others or kind is None or not issubclass(kind, asyncio.CancelledError):
            return
        if request.writer.started:
            request.writer.abort()
            raise asyncio.TimeoutError(f"the handler did not end within {self._seconds:g} seconds") from error
        text = "%s %s: the handler did not end within %g seconds and was cancelled"
        self._logger.warning(text, request.head.method, request.head.path, self._seconds)
        raise _ANSWERS[self._status]() from None

    def pause(self) -> None:
        """Another one counts, for the time being."""
        if self._timer is not None and not self._expired:
            self._left = max(0.0, self._timer.when() - asyncio.get_running_loop().time())
            self._stop()

    def go_on(self) -> None:
        """This one counts."""
        if self._seconds and self._request is not None and not self._expired:
            self._timer = asyncio.get_running_loop().call_later(self._left, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        if self._request is None or self._task is None or self._request.writer.status == 101:
            return
        self._expired = True
        self._task.cancel()
        self._timer = asyncio.get_running_loop().call_later(_GRACE, self._answer)

    def _answer(self) -> None:
        """The handler goes on although it was cancelled: its client does not have to wait for it."""
        assert self._request is not None, "its end stops the timer"
        self._answered = True
        head, writer = self._request.head, self._request.writer
        text = "%s %s: the handler did not end within %g seconds, nor when it was cancelled"
        self._logger.error(text, head.method, head.path, self._seconds)
        if writer.started:
            writer.abort()
            return
        content_type, page = writer.error_page(self._status)
        fields = encode_fields([("Content-Type", content_type)]) + writer.default_fields
        try:
            writer.send(self._status, REASONS[self._status], fields, page, close=True)
            writer.close()
        except ClientDisconnectedError:
            pass  # it did not wait either
