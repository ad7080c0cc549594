"""The time of a test.

advance_time    minutes that pass at once, for what waits on the event loop's clock
in_real_time    how long the test itself waits: its patience is not what passes there
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_STEP: Final = 0.05  # a server's clock counts no more than this of a stalled loop's time as served
_TURNS: Final = 3  # of the loop in each step: what a timer wakes is to go on, and to wait again
_LAST_TURNS: Final = 20


class _AdvancedClock:
    """The clock of a loop that runs ahead."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._true_time = loop.time
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._true_time() + self.ahead


async def advance_time(seconds: float) -> None:
    """Let time pass for the running loop, at once but in its order.

        async with TestClient(app) as client:
            connection = client.server.connect()
            await advance_time(15)
            assert await connection.read() == b""       # nothing was asked: it was closed after 10 seconds

    What waits by the loop sees it: `asyncio.sleep`, timeouts, `call_later`, all deadlines of the server. What asks the
    machine does not: `time.time()`, dates, sockets, threads. So it is for servers in memory; the timeouts of their
    clients, which are there for tests that hang, do not see it either. Time passes in steps of 0.05 seconds, and what
    wakes more often is late. Between the calls it passes as ever, and the loop stays ahead.

    Raises ValueError for a negative time, RuntimeError where the loop's clock cannot be replaced: uvloop.
    """
    if seconds < 0:
        raise ValueError(f"time does not go back, not even {seconds} seconds")
    loop = asyncio.get_running_loop()
    clock = loop.time
    if not isinstance(clock, _AdvancedClock):
        if not isinstance(loop, asyncio.BaseEventLoop):
            raise RuntimeError(f"the clock of {type(loop).__module__} cannot be put forward: use asyncio's")
        clock = _AdvancedClock(loop)
        loop.time = clock  # type: ignore[method-assign]
    end = clock.ahead + seconds
    while clock.ahead < end:
        clock.ahead = min(clock.ahead + _STEP, end)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
    for _ in range(_LAST_TURNS):
        await asyncio.sleep(0)


async def in_real_time(coro: Coroutine[Any, Any, _T], timeout: float | None) -> _T:
    """Await `coro` for `timeout` seconds at most, whatever `advance_time` does; None is for ever.

    Raises asyncio.TimeoutError; then, and if it is cancelled itself, `coro` was cancelled.
    """
    if timeout is None:
        return await coro
    task = asyncio.ensure_future(coro)
    end = time.monotonic() + timeout
    try:
        while not task.done():
            left = end - time.monotonic()
            if left <= 0:
                raise asyncio.TimeoutError
            await asyncio.wait([task], timeout=left)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
