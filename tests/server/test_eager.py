"""Tasks that begin at once: what a coroutine sees and does is what it would be in a task of asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.server.eager import CAN_BEGIN, begin

pytestmark = pytest.mark.skipif(not CAN_BEGIN, reason="on Python 3.10 tasks are left to the loop")

Step = Coroutine[Any, Any, None]
color: contextvars.ContextVar[str] = contextvars.ContextVar("color", default="none")


class Owner:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.task: asyncio.Task[None] | None = None


def start(coroutine: Step) -> None:
    """Begin it for somebody who forgets its task when it is over, as he should."""
    owner = Owner(asyncio.get_running_loop())

    async def run() -> None:
        assert owner.task is None or owner.task is asyncio.current_task()
        try:
            await coroutine
        finally:
            owner.task = None

    begin(run(), owner, "test")


def begin_outside(*coroutines: Step) -> None:
    """Begin them where no task is running, as a transport does."""
    for coroutine in coroutines:
        asyncio.get_running_loop().call_soon(start, coroutine)


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def turn() -> None:
    await asyncio.sleep(0)


# -- the first step ----------------------------------------------------------------------------------------------------


async def test_the_first_step_is_taken_at_once_and_the_others_by_the_loop() -> None:
    said = []

    async def speak() -> None:
        said.append("first")
        await turn()
        said.append("second")

    def make() -> None:
        start(speak())
        said.append("begun")

    asyncio.get_running_loop().call_soon(make)
    while "second" not in said:
        await turn()
    assert said == ["first", "begun", "second"]


async def test_a_coroutine_has_one_task_of_its_own_that_is_known_by_its_name() -> None:
    seen: dict[str, list[asyncio.Task[Any]]] = {"a": [], "b": []}
    ended = asyncio.Event()

    async def look(name: str) -> None:
        seen[name].append(current())
        await turn()
        seen[name].append(current())
        assert current() in asyncio.all_tasks()
        ended.set()

    begin_outside(look("a"), look("b"))
    await ended.wait()
    await turn()
    (first, second), (third, fourth) = seen.values()
    assert first is second is not third is fourth
    assert isinstance(first, asyncio.Task)
    assert first.get_name() == "test"
    assert asyncio.current_task() not in (first, third)


async def test_nothing_passes_from_one_task_to_the_next_by_a_weak_key() -> None:
    kept: weakref.WeakKeyDictionary[asyncio.Task[Any], str] = weakref.WeakKeyDictionary()
    found = []

    async def look() -> None:
        found.append(kept.get(current()))
        kept[current()] = "mine"

    begin_outside(look(), look())
    while len(found) < 2:
        await turn()
    await turn()
    assert found == [None, None]
    assert not kept


async def test_a_context_of_its_own_stays_through_all_steps() -> None:
    seen = []

    async def paint() -> None:
        color.set("red")
        asyncio.get_running_loop().call_soon(lambda: seen.append(color.get()))
        await turn()
        await turn()
        seen.append(color.get())
        color.set("green")
        await turn()
        seen.append(color.get())

    begin_outside(paint())
    while len(seen) < 3:
        await turn()
    assert seen == ["red", "red", "green"]
    assert color.get() == "none"


async def test_in_the_middle_of_another_task_it_begins_at_once_as_well() -> None:
    seen = []

    async def look() -> None:
        seen.append(current())
        await turn()
        seen.append(current())

    outer = current()
    start(look())
    assert len(seen) == 1
    assert current() is outer
    while len(seen) < 2:
        await turn()
    assert seen[0] is seen[1] is not outer


# -- who asks for the task ---------------------------------------------------------------------------------------------


async def test_who_keeps_the_task_of_what_has_ended_at_once_can_wait_for_it() -> None:
    kept = []

    async def keep() -> None:
        kept.append(current())

    begin_outside(keep())
    while not kept:
        await turn()
    assert await kept[0] is None
    assert kept[0].done()


async def test_the_task_calls_back_when_it_is_done() -> None:
    done: list[asyncio.Task[Any]] = []

    async def ask() -> None:
        current().add_done_callback(done.append)

    async def ask_and_wait() -> None:
        current().add_done_callback(done.append)
        await turn()

    begin_outside(ask(), ask_and_wait())
    while len(done) < 2:
        await turn()
    assert [task.result() for task in done] == [None, None]


async def test_the_task_tells_where_its_coroutine_is() -> None:
    kept = []
    go_on = asyncio.Event()

    async def wait_here() -> None:
        kept.append(current())
        await go_on.wait()

    begin_outside(wait_here())
    while not kept:
        await turn()
    assert "run() running" in repr(kept[0])
    assert [frame.f_code.co_name for frame in kept[0].get_stack()] == ["run"]
    assert inspect.getcoroutinestate(kept[0].get_coro()) == inspect.CORO_SUSPENDED  # type: ignore[arg-type]
    go_on.set()
    await kept[0]


# -- cancellation ------------------------------------------------------------------------------------------------------


async def test_a_timeout_that_begins_in_the_first_step_holds() -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def hurry() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            ended.set_result("in time")

    begin_outside(hurry())
    assert await ended == "in time"


async def test_a_group_of_tasks_that_begins_in_the_first_step_cancels_what_is_around_it() -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def fail() -> None:
        raise ValueError("spoilt")

    async def group() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail())
                await asyncio.sleep(60)
        except Exception as error:
            ended.set_result(repr(error))

    begin_outside(group())
    assert await ended == "ExceptionGroup('unhandled errors in a TaskGroup', [ValueError('spoilt')])"


@pytest.mark.parametrize("by_itself", [True, False], ids=["in its first step", "before its second"])
async def test_a_cancelled_task_cancels_what_it_waits_for(by_itself: bool) -> None:
    told = []
    children = []

    async def child() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            told.append("child")
            raise

    async def wait() -> None:
        children.append(asyncio.ensure_future(child()))
        task = current()
        if by_itself:
            task.cancel("why")
        else:
            asyncio.get_running_loop().call_soon(task.cancel, "why")
        try:
            await children[0]
        except asyncio.CancelledError:
            told.append("parent")

    await turn()
    begin_outside(wait())
    while "parent" not in told:
        await turn()
    assert children[0].cancelled()
    # A child that has not begun has nothing to tell.
    assert told in (["parent"], ["child", "parent"])


async def test_a_thousand_failures_in_a_row_are_no_deeper_than_one() -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def try_again() -> None:
        failures = 0
        for _ in range(5000):
            failing = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(failing.set_exception, OSError("again"))
            try:
                await failing
            except OSError:
                failures += 1
        ended.set_result(failures)

    begin_outside(try_again())
    assert await ended == 5000


# -- how it ends -------------------------------------------------------------------------------------------------------


async def test_a_failure_that_nobody_asks_for_is_told_to_the_loop() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def fail() -> None:
        raise ValueError("spoilt")

    async def fail_later() -> None:
        await turn()
        raise ValueError("spoilt later")

    begin_outside(fail(), fail_later())
    while len(told) < 2:
        await turn()
        gc.collect()
    assert {str(context["exception"]) for context in told} == {"spoilt", "spoilt later"}
    assert {context["message"] for context in told} == {"Task exception was never retrieved"}


async def test_who_keeps_the_task_gets_its_failure() -> None:
    kept = []

    async def fail() -> None:
        kept.append(current())
        raise ValueError("spoilt")

    begin_outside(fail())
    while not kept:
        await turn()
    with pytest.raises(ValueError, match="spoilt"):
        await kept[0]


@pytest.mark.parametrize("asked", [True, False])
def test_what_stops_the_loop_stops_it_at_once_and_once(asked: bool) -> None:
    loop = asyncio.new_event_loop()
    kept = []

    async def stop() -> None:
        if asked:
            kept.append(current())
        raise KeyboardInterrupt

    async def rest() -> str:
        for _ in range(3):
            await turn()
        return "ran on"

    loop.call_soon(begin, stop(), Owner(loop), "test")
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert loop.run_until_complete(rest()) == "ran on"
    for task in kept:
        assert task.done()
        if not task.cancelled():
            assert isinstance(task.exception(), KeyboardInterrupt)
    loop.close()


async def test_nothing_is_left_for_the_collector() -> None:
    tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
    count = 0

    async def end() -> None:
        nonlocal count
        tasks.add(current())
        count += 1

    async def end_later() -> None:
        nonlocal count
        tasks.add(current())
        await turn()
        count += 1

    gc.collect()
    gc.disable()
    try:
        begin_outside(end(), end_later())
        while count < 2:
            await turn()
        for _ in range(3):
            await turn()
        assert not tasks
    finally:
        gc.enable()


# -- against asyncio ---------------------------------------------------------------------------------------------------

ACTS = ["turn", "result", "failure", "cancelled", "cancel", "cancel twice", "uncancel", "child", "ask", "end", "raise"]


def settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


class Actor:
    """Does what it is told, step by step, and notes what becomes of it."""

    def __init__(self, acts: list[str]) -> None:
        self.acts = acts
        self.seen: list[object] = []
        self.task: asyncio.Task[Any] | None = None

    async def run(self) -> None:
        self.task = current()
        for act in self.acts:
            try:
                if act == "end":
                    return
                await self.do(act)
            except (OSError, asyncio.CancelledError) as error:
                self.seen.append((act, type(error), error.args))
            else:
                self.seen.append(act)
            assert current() is self.task
        if self.acts[-1:] == ["cancelled"]:
            raise asyncio.CancelledError

    async def do(self, act: str) -> None:
        loop, task = asyncio.get_running_loop(), current()
        future: asyncio.Future[None] = loop.create_future()
        if act == "turn":
            await turn()
        elif act == "result":
            loop.call_soon(settle, future, None)
            await future
        elif act == "failure":
            loop.call_soon(settle, future, OSError(1, "no"))
            await future
        elif act == "cancelled":
            loop.call_soon(future.cancel)
            await future
        elif act in ("cancel", "cancel twice"):
            self.seen.append([task.cancel(act) for _ in act.split()])
        elif act == "uncancel":
            self.seen.append(task.uncancel() if hasattr(task, "uncancel") else 0)
        elif act == "child":
            child = loop.create_task(asyncio.sleep(0))
            try:
                await child
            finally:
                self.seen.append((child.done(), child.cancelled()))
        elif act == "ask":
            self.seen.append((task.done(), task.cancelled(), task.get_name(), task.cancelling()))
        elif act == "raise":
            raise OSError(2, "never")


def outcome(make: Callable[[Step, asyncio.AbstractEventLoop], object], acts: list[str]) -> tuple[object, ...]:
    actor = Actor(acts)

    async def main() -> object:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: make(actor.run(), loop) and None)
        while actor.task is None:
            await turn()
        await asyncio.wait([actor.task])
        return "cancelled" if actor.task.cancelled() else repr(actor.task.exception())

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main()), actor.seen
    finally:
        loop.close()


@given(st.lists(st.sampled_from(ACTS), max_size=8))
def test_whatever_it_does_is_what_a_task_of_asyncio_would_see(acts: list[str]) -> None:
    begun = outcome(lambda coroutine, loop: begin(coroutine, Owner(loop), "test"), acts)
    assert begun == outcome(lambda coroutine, loop: [asyncio.Task(coroutine, loop=loop, name="test")], acts)
