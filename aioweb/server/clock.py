"""The time of a server: the Date field, and one coarse timer for all deadlines of all its connections.

A timer for each request would cost more than parsing it. Instead a connection notes in `deadline` when it wants to be
looked at, and a tick, some times a second, looks at those whose time has come. A deadline is never early, and on a loop
that keeps up at most two ticks late. Without connections there is no tick.

When the loop stalls (a handler that computes), what the clients send meanwhile is unread, and the clock is behind. So
it counts served time: a tick is worth its interval at most, and nobody is cut for our own slowness.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from email.utils import formatdate
from typing import Protocol

NEVER = float("inf")
"""The deadline of those who need not be looked at."""

_LONGEST_TICK = 0.5
_SHORTEST_TICK = 0.02


class Watched(Protocol):
    """What a clock looks at."""

    deadline: float
    """Time of the clock at which `deadline_passed` is to be called; 0.0 for each tick, NEVER for none."""

    def deadline_passed(self, now: float) -> None:
        """The time has come; sets a new deadline."""

    def abort(self) -> None:
        """It failed to: close at once."""


class Clock:
    """The clock of one server. `timeouts` are those that it will serve: the shortest decides how often it ticks.

    Args:
        loop: the loop that ticks.
        watched: the live collection of everything with a deadline.
        timeouts: in seconds; None entries are ignored.
        idle_timeout: of a connection without a request, in seconds; None for no deadline.
        server_field: the Server field line that goes with the date, or b"".
    """

    __slots__ = (
        "_idle_timeout",
        "_loop",
        "_second",
        "_server_field",
        "_ticked_at",
        "_timer",
        "_turn",
        "_turn_counted",
        "_watched",
        "date_field",
        "default_fields",
        "idle_deadline",
        "now",
        "tick",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        watched: Collection[Watched],
        timeouts: Collection[float | None],
        idle_timeout: float | None = None,
        server_field: bytes = b"",
    ) -> None:
        self._loop = loop
        self._watched = watched
        self._server_field = server_field
        shortest = min((timeout for timeout in timeouts if timeout is not None), default=4 * _LONGEST_TICK)
        self.tick = max(_SHORTEST_TICK, min(_LONGEST_TICK, shortest / 4))
        self._idle_timeout = idle_timeout
        self.idle_deadline = NEVER
        """The deadline of a connection that falls idle now: every request ends with one, so a tick computes it."""
        self.now = 0.0
        """The time of the last tick, in seconds that were served."""
        self._ticked_at = 0.0
        self.date_field = b""
        self.default_fields = b""
        self._second = 0
        self._timer: asyncio.TimerHandle | None = None
        self._turn = 0
        self._turn_counted = False

    def start(self) -> None:
        """Tick, if it does not tick already; it ends by itself when nothing is watched any more."""
        if self._timer is None:
            self.now = self._ticked_at = self._loop.time()
            self._set()
            self._timer = self._loop.call_later(self.tick, self._tick)

    def stop(self) -> None:
        """End at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def after(self, timeout: float | None) -> float:
        """The time of the clock in `timeout` seconds, never early; NEVER for None."""
        return NEVER if timeout is None else self.now + self.tick + timeout

    def turn(self) -> int:
        """The number of this turn of the loop, for who wants to know whether he was here before."""
        if not self._turn_counted:
            self._turn_counted = True
            self._loop.call_soon(self._next_turn)
        return self._turn

    def _next_turn(self) -> None:
        self._turn += 1
        self._turn_counted = False

    def _set(self) -> None:
        self.idle_deadline = self.after(self._idle_timeout)
        second = int(time.time())
        if second != self._second:
            self._second = second
            self.date_field = b"Date: %b\r\n" % formatdate(second, usegmt=True).encode()
            self.default_fields = self.date_field + self._server_field

    def _tick(self) -> None:
        time_now = self._loop.time()
        self.now += min(time_now - self._ticked_at, self.tick)
        self._ticked_at = time_now
        self._set()
        for item in [item for item in self._watched if item.deadline <= self.now]:
            try:
                item.deadline_passed(self.now)
            except Exception as error:
                # One connection that fails must not take the deadlines of all others with it, nor fail again and again.
                item.deadline = NEVER
                item.abort()
                context = {"message": f"The deadline of {item!r} has failed", "exception": error}
                self._loop.call_exception_handler(context)
        self._timer = self._loop.call_later(self.tick, self._tick) if self._watched else None
