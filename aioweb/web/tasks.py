"""The tasks that an application runs beside its requests: those in the background, and work that must end.

Both outlive the request that began them. A stop waits a moment for tasks in the background and cancels them then, for
many of them would never end; it waits for work that must end as long as it may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
_Task = asyncio.Task[Any]

_CANCELLED: Final = 1.0
"""Seconds that a task gets to end when it is cancelled."""


class ApplicationTasks:
    """The tasks of one application.

    Args:
        failed: told of each failure that nobody else hears of, once.
        stubborn: told of the tasks that go on although they were cancelled.
    """

    def __init__(
        self, failed: Callable[[_Task, BaseException], None], stubborn: Callable[[Collection[_Task]], None]
    ) -> None:
        self._failed = failed
        self._stubborn = stubborn
        self._background: set[_Task] = set()
        self._shielded: set[_Task] = set()

    def spawn(self, coro: Coroutine[Any, Any, _T], name: str | None) -> asyncio.Task[_T]:
        """Run a coroutine in the background."""
        task = self._begin(coro, name, self._background)
        task.add_done_callback(self._tell_failure)
        return task

    async def shield(self, coro: Coroutine[Any, Any, _T], name: str | None) -> _T:
        """Run a coroutine to its end, whatever becomes of the caller, and return what it returns."""
        task = self._begin(coro, name, self._shielded)
        try:
            await asyncio.wait([task])  # unlike an await of the task, it leaves it alone when the caller is cancelled
        except asyncio.CancelledError:
            task.add_done_callback(self._tell_failure)  # nobody else will hear of it
            raise
        return task.result()

    def _begin(self, coro: Coroutine[Any, Any, _T], name: str | None, tasks: set[_Task]) -> asyncio.Task[_T]:
        task = asyncio.get_running_loop().create_task(coro, name=name)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def _tell_failure(self, task: _Task) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(task, error)

    async def finish_work(self, timeout: float | None) -> None:
        """Wait for what is shielded, and what that begins meanwhile; when the time is up, cancel it. None: no limit."""
        await self._end(timeout, self._shielded)

    async def end(self, timeout: float | None) -> None:
        """Wait for all tasks, and what they begin meanwhile; when the time is up, cancel them. None: no limit."""
        await self._end(timeout, self._shielded, self._background)

    async def _end(self, timeout: float | None, *kinds: set[_Task]) -> None:
        now = asyncio.get_running_loop().time
        end = None if timeout is None else now() + timeout
        while tasks := set[_Task]().union(*kinds):
            _, late = await asyncio.wait(tasks, timeout=None if end is None else max(0.0, end - now()))
            for task in late:
                task.cancel()
            if late and (stubborn := (await asyncio.wait(late, timeout=_CANCELLED))[1]):
                self._stubborn(stubborn)
                return
