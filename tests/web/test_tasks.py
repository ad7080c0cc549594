"""The tasks of an application beside its requests: what is spawned, and what must end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from aioweb.web.tasks import ApplicationTasks


class Told(ApplicationTasks):
    """Tasks, and what was told of them."""

    def __init__(self) -> None:
        super().__init__(self.fail, self.stay)
        self.failures: list[str] = []
        self.stubborn = 0

    def fail(self, task: asyncio.Task[Any], error: BaseException) -> None:
        self.failures.append(f"{task.get_name()}: {error}")

    def stay(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        self.stubborn += len(tasks)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("as asked")


async def give() -> str:
    await asyncio.sleep(0)
    return "given"


async def test_shielded_work_gives_its_result_and_raises_its_failure_which_nobody_else_is_told() -> None:
    tasks = Told()
    assert await tasks.shield(give(), None) == "given"
    with pytest.raises(LookupError):
        await tasks.shield(fail(), None)
    await turns()
    assert tasks.failures == []


async def test_shielded_work_goes_on_when_its_caller_is_cancelled_and_its_failure_is_told() -> None:
    tasks, go_on, done = Told(), asyncio.Event(), []

    async def work() -> None:
        await go_on.wait()
        done.append(True)
        raise LookupError("late")

    caller = asyncio.create_task(tasks.shield(work(), "payment"))
    await turns()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert done == []
    go_on.set()
    await tasks.finish_work(None)
    await turns()
    assert done == [True]
    assert tasks.failures == ["payment: late"]


async def test_finishing_work_leaves_the_background_alone() -> None:
    tasks = Told()
    background = tasks.spawn(asyncio.Event().wait(), None)
    callers = [asyncio.ensure_future(tasks.shield(give(), None)) for _ in range(3)]
    await turns(1)
    await tasks.finish_work(5.0)
    assert await asyncio.gather(*callers) == ["given"] * 3
    assert not background.done()
    await tasks.end(0.0)
    assert background.cancelled()
    assert tasks.failures == []


async def test_work_that_does_not_end_in_time_is_cancelled() -> None:
    tasks = Told()
    caller = asyncio.ensure_future(tasks.shield(asyncio.Event().wait(), None))
    await turns(1)
    await tasks.finish_work(0.01)
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert tasks.stubborn == 0


async def test_what_work_begins_at_the_end_is_waited_for_too() -> None:
    tasks, done = Told(), []

    async def nested(depth: int) -> None:
        await asyncio.sleep(0)
        if depth:
            tasks.spawn(tasks.shield(nested(depth - 1), None), None)
        done.append(depth)

    tasks.spawn(nested(3), None)
    await tasks.end(5.0)
    assert sorted(done) == [0, 1, 2, 3]


async def test_a_task_that_swallows_its_cancellation_is_told() -> None:
    tasks, release = Told(), asyncio.Event()

    async def swallow() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                pass

    task = tasks.spawn(swallow(), None)
    await turns(1)
    await tasks.end(0.0)
    assert tasks.stubborn == 1
    release.set()
    await task


async def test_a_failure_in_the_background_is_told_once() -> None:
    tasks = Told()
    task = tasks.spawn(fail(), "job")
    await asyncio.wait([task])
    await tasks.end(1.0)
    assert tasks.failures == ["job: as asked"]
