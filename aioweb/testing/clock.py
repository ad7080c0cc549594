"""advance_time: minutes that pass at once, for what waits on the event loop's clock."""

from __future__ import annotations

import asyncio
from typing import Final

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
    machine does not: `time.time()`, dates, sockets, threads. So it is for servers in memory. Time passes in steps of
    0.05 seconds, and what wakes more often is late. Between the calls it passes as ever, and the loop stays ahead.

    Raises ValueError for a negative time, RuntimeError where the loop's clock cannot be replaced: uvloop.
    """
    if seconds < 0:
        raise ValueError(f"time does not go back, not even {seconds} seconds")
    loop = asyncio.get_running_loop()
    clock = loop.time
    if not isinstance(clock, _AdvancedClock):
        clock = _AdvancedClock(loop)
        try:
            loop.time = clock  # type: ignore[method-assign]
        except AttributeError:
            raise RuntimeError(f"the clock of {type(loop).__module__} cannot be put forward: use asyncio's") from None
    end = clock.ahead + seconds
    while clock.ahead < end:
        clock.ahead = min(clock.ahead + _STEP, end)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
    for _ in range(_LAST_TURNS):
        await asyncio.sleep(0)
