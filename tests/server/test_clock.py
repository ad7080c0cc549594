"""Clock: the Date of a server, and deadlines that are never early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.server import clock as clock_module
from aioweb.server.clock import NEVER, Clock


class FakeHandle:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """A loop whose time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.handle: FakeHandle | None = None
        self.told: list[dict[str, Any]] = []

    def time(self) -> float:
        return self.now

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.told.append(context)

    def call_later(self, delay: float, callback: Callable[[], None]) -> FakeHandle:
        assert self.handle is None, "one timer at a time"
        self.handle = FakeHandle(self.now + delay, callback)
        return self.handle

    def turn(self, seconds: float) -> None:
        """Time passes in one go, as in a handler that computes; then the timer is looked at, once."""
        self.now += seconds
        handle = self.handle
        if handle is not None and (handle.cancelled or handle.when <= self.now):
            self.handle = None
            if not handle.cancelled:
                handle.callback()

    def wait(self, seconds: float) -> None:
        """Time passes as on a loop that has nothing else to do."""
        end = self.now + seconds
        while self.handle is not None and self.handle.when <= end:
            self.turn(max(0.0, self.handle.when - self.now))
        self.now = end

    @property
    def ticking(self) -> bool:
        return self.handle is not None and not self.handle.cancelled


class Item:
    """Something with a deadline; it notes when it was looked at."""

    def __init__(self, loop: FakeLoop, deadline: float = NEVER, error: Exception | None = None) -> None:
        self.loop = loop
        self.deadline = deadline
        self.error = error
        self.passed: list[float] = []
        self.aborted = False

    def deadline_passed(self, now: float) -> None:
        self.passed.append(self.loop.now)
        self.deadline = NEVER
        if self.error is not None:
            raise self.error

    def abort(self) -> None:
        self.aborted = True


def make(*timeouts: float | None, server_field: bytes = b"") -> tuple[FakeLoop, set[Item], Clock]:
    loop = FakeLoop()
    watched: set[Item] = set()
    return loop, watched, Clock(cast(asyncio.AbstractEventLoop, loop), watched, timeouts, server_field=server_field)


# -- the tick ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeouts", "tick"),
    [((), 0.5), ((None,), 0.5), ((60.0, 10.0, None), 0.5), ((60.0, 1.0), 0.25), ((0.1,), 0.025), ((0.01,), 0.02)],
)
def test_the_shortest_timeout_decides_how_often_the_clock_ticks(timeouts: Any, tick: float) -> None:
    _, _, clock = make(*timeouts)
    assert clock.tick == pytest.approx(tick)


def test_without_anybody_to_look_at_there_is_no_tick() -> None:
    loop, watched, clock = make(1.0)
    assert not loop.ticking
    watched.add(Item(loop))
    clock.start()
    clock.start()
    loop.wait(5.0)
    assert loop.ticking
    watched.clear()
    loop.wait(1.0)
    assert not loop.ticking
    loop.wait(1000.0)
    item = Item(loop)
    watched.add(item)
    clock.start()
    item.deadline = clock.after(1.0)
    loop.wait(0.99)
    assert not item.passed
    loop.wait(1.0)
    assert item.passed


def test_a_stopped_clock_ticks_no_more() -> None:
    loop, watched, clock = make(1.0)
    clock.stop()
    watched.add(Item(loop, deadline=0.0))
    clock.start()
    clock.stop()
    clock.stop()
    assert not loop.ticking
    loop.turn(10.0)
    assert not next(iter(watched)).passed


# -- deadlines ---------------------------------------------------------------------------------------------------------


def test_a_deadline_of_none_is_never() -> None:
    loop, watched, clock = make(1.0)
    item = Item(loop, clock.after(None))
    watched.add(item)
    clock.start()
    loop.wait(10000.0)
    assert item.passed == []
    assert item.deadline == NEVER


@given(st.floats(0.01, 100.0), st.floats(0.0, 10.0))
def test_a_deadline_is_never_early_and_at_most_two_ticks_late(timeout: float, begin: float) -> None:
    loop, watched, clock = make(timeout)
    item = Item(loop)
    watched.add(item)
    clock.start()
    loop.wait(begin)
    start, item.deadline = loop.now, clock.after(timeout)
    loop.wait(timeout + 3 * clock.tick)
    (passed,) = item.passed
    assert timeout - 1e-6 <= passed - start <= timeout + 2 * clock.tick + 1e-6


@given(st.lists(st.floats(0.0, 30.0), max_size=6), st.lists(st.floats(0.0, 30.0), min_size=1, max_size=30))
def test_a_deadline_is_never_early_however_the_loop_stalls(before: list[float], after: list[float]) -> None:
    loop, watched, clock = make(10.0)
    item = Item(loop)
    watched.add(item)
    clock.start()
    for seconds in before:
        loop.turn(seconds)
    loop.now += before[0] if before else 0.0  # a handler computes, and the clock has not ticked since
    start, item.deadline = loop.now, clock.after(10.0)
    for seconds in after:
        loop.turn(seconds)
    assert all(passed - start >= 10.0 - 1e-6 for passed in item.passed)


def test_time_in_which_nobody_was_served_counts_against_nobody() -> None:
    loop, watched, clock = make(10.0)
    item = Item(loop)
    watched.add(item)
    clock.start()
    item.deadline = clock.after(10.0)
    loop.wait(5.0)
    loop.turn(60.0)  # a handler computes for a minute
    loop.turn(0.0)
    loop.wait(3.0)
    assert item.passed == []
    loop.wait(5.0)
    assert len(item.passed) == 1


def test_an_item_that_fails_is_aborted_and_stops_neither_the_clock_nor_the_others() -> None:
    loop, watched, clock = make(1.0)
    bad, good = Item(loop, 0.0, ZeroDivisionError("bad")), Item(loop, 0.0)
    watched.update((bad, good))
    clock.start()
    loop.wait(clock.tick)
    assert good.passed
    assert bad.aborted
    assert not good.aborted
    assert [str(context["exception"]) for context in loop.told] == ["bad"]
    loop.wait(clock.tick)
    assert len(bad.passed) == 1
    assert loop.ticking


def test_items_may_leave_while_the_clock_looks_at_them() -> None:
    loop, watched, clock = make(1.0)

    class Leaving(Item):
        def deadline_passed(self, now: float) -> None:
            super().deadline_passed(now)
            watched.discard(self)

    items = [Leaving(loop, 0.0) for _ in range(5)]
    watched.update(items)
    clock.start()
    loop.wait(3 * clock.tick)
    assert all(len(item.passed) == 1 for item in items)
    assert not loop.ticking


# -- the date ----------------------------------------------------------------------------------------------------------


def test_the_date_is_there_from_the_start_and_follows_the_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 784887151.9
    monkeypatch.setattr(clock_module.time, "time", lambda: seconds)
    loop, watched, clock = make(1.0, server_field=b"Server: x\r\n")
    watched.add(Item(loop))
    clock.start()
    assert clock.date_field == b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
    assert clock.default_fields == clock.date_field + b"Server: x\r\n"
    first = clock.default_fields
    seconds += 0.05
    loop.wait(clock.tick)
    assert clock.default_fields is first, "made once a second"
    seconds += 0.1
    loop.wait(clock.tick)
    assert clock.date_field == b"Date: Tue, 15 Nov 1994 08:12:32 GMT\r\n"
