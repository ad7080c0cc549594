"""In debug mode, a handler that blocks the loop is named, with its route: whoever blocks it holds up everybody.

asyncio says of a slow step which task has run it, and all tasks of a server look alike; uvloop says nothing. So the
steps of a request, from where it goes on to where it waits again, are timed here, each by the clock of the machine.
"""

from __future__ import annotations

import asyncio
import logging
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, TypeVar

from aioweb.web.request import BaseRequest

_R = TypeVar("_R", bound=BaseRequest)

_SLOW: Final = 0.1
"""Seconds, for a loop that has no `slow_callback_duration`."""


def name_blockers(respond: Callable[[_R], Awaitable[Any]], logger: logging.Logger) -> Callable[[_R], Awaitable[Any]]:
    """Warn of every step of `respond(request)` that takes longer than `loop.slow_callback_duration` (0.1 seconds)."""

    async def run(request: _R) -> Any:
        return await respond(request)

    async def watched(request: _R) -> Any:
        def warn(seconds: float) -> None:
            said = "%s %s: %s has blocked the loop for %.3f seconds"
            logger.warning(said, request.head.method, request.head.path, _name(request, respond), seconds)

        return await _step_by_step(run(request), warn)

    return watched


def _name(request: BaseRequest, respond: Callable[..., Any]) -> str:
    route = getattr(request.match_info, "route", None)
    handler = getattr(route, "handler", respond)
    name = f"{getattr(handler, '__module__', '')}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
    path = getattr(getattr(route, "resource", None), "canonical", None)
    return f"the handler {name}" + (f" of the route {path}" if path else "")


@types.coroutine
def _step_by_step(steps: Coroutine[Any, Any, Any], warn: Callable[[float], None]) -> Generator[Any, Any, Any]:
    """Run a coroutine as `await` does, and tell of the slow ones of its steps."""
    slow = getattr(asyncio.get_running_loop(), "slow_callback_duration", _SLOW)
    resume: Callable[[Any], Any] = steps.send
    argument: Any = None
    while True:
        started = time.perf_counter()
        try:
            waits_for = resume(argument)
        except StopIteration as done:
            return done.value
        finally:
            seconds = time.perf_counter() - started
            if seconds >= slow:
                warn(seconds)
        try:
            argument = yield waits_for
            resume = steps.send
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as exception:
            resume, argument = steps.throw, exception
