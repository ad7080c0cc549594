"""Tasks that begin at once: their first step is taken by whoever makes them, not by the loop a turn later.

Most exchanges are over with their first step: a small request is here whole, and its handler has nothing to wait for.
Python 3.12 has such tasks. On Python 3.11 the first step is taken here, with an `asyncio.current_task()` of its own as
in every task; but that one is only made when it is needed: when its coroutine waits, or as soon as somebody asks it for
anything. An exchange without either pays for no task, no callback and no turn of the loop.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Final, Protocol

CAN_BEGIN: Final = sys.version_info >= (3, 11)
"""Python 3.10 cannot give a task the context in which it has begun."""

# What asyncio has for tasks that are not its own ("Extending" in its documentation).
_enter_task: Final = asyncio._enter_task
_leave_task: Final = asyncio._leave_task
_IN_ASYNCIO: Final = sys.version_info >= (3, 12)
_EAGERLY: Final[dict[str, Any]] = {"eager_start": True}
_NOT_HELD: Final = 3
"""References to a task that nobody holds: by its name here, by its reading, and as the current task of the loop."""


class Owner(Protocol):
    """Whose coroutine it is."""

    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[None] | None


def begin(coroutine: Coroutine[Any, Any, None], owner: Owner, name: str) -> None:
    """Run a coroutine in a task of its own: here up to where it first waits, from there on by the loop.

    What it raises, here too, is the outcome of its task. `owner.task` is set before it runs; from Python 3.12 on the
    coroutine itself has to ask for its task. The owner forgets it when the coroutine is over. For Python 3.11 and
    later: see `CAN_BEGIN`.
    """
    loop = owner.loop
    if _IN_ASYNCIO:
        asyncio.Task(coroutine, loop=loop, name=name, **_EAGERLY)
        return
    owner.task = task = _new(_Unmade)
    context = copy_context()
    task.start = coroutine, loop, name, context
    outer = None
    try:
        _enter_task(loop, task)
    except RuntimeError:
        # It is begun in the middle of another task, as a test does that plays the transport: that one steps aside.
        outer = asyncio.current_task(loop)
        assert outer is not None, "a task is refused only while there is another one"
        _leave_task(loop, outer)
        _enter_task(loop, task)
    try:
        waits_for = context.run(coroutine.send, None)
    except StopIteration as end:
        if type(task) is _Unmade and sys.getrefcount(task) <= _NOT_HELD:
            return
        _make(task).first_step = end
    except BaseException as error:
        _make(task).first_step = error
    else:
        _make(task).first_step = waits_for
    finally:
        _leave_task(loop, task)
        if outer is not None:
            _enter_task(loop, outer)


class _Rest:
    """What is left of a coroutine behind its first step: what the task runs that takes the others."""

    __slots__ = ("_coroutine", "first_step", "send", "throw")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self.first_step: Any = None
        """What the first step has come to: an exception, or what the coroutine waits for."""
        self.send: Callable[[Any], Any] = self._tell
        self.throw: Callable[[Any], Any] = self._tell_cancelled

    def _tell(self, _: None) -> Any:
        """The first step of the task, which has been taken already. From here on it is the coroutine's."""
        self.send, self.throw = self._coroutine.send, self._coroutine.throw
        if isinstance(self.first_step, BaseException):
            raise self.first_step
        return self.first_step

    def _tell_cancelled(self, error: Any) -> Any:
        """The same, if the task was cancelled before."""
        self.send, self.throw = self._coroutine.send, self._coroutine.throw
        first = self.first_step
        if isinstance(first, BaseException):
            raise error if isinstance(first, StopIteration) else first
        if asyncio.isfuture(first) and first.cancel(*error.args):
            return first  # as a task does: what it waits for is cancelled, and tells it
        return self._coroutine.throw(error)


Coroutine.register(_Rest)


class Task(asyncio.Task[None]):
    """A task that has begun at once, and is made."""

    __slots__ = ("rest", "start")

    start: tuple[Coroutine[Any, Any, None], asyncio.AbstractEventLoop, str, Context]
    rest: _Rest

    def get_coro(self) -> Coroutine[Any, Any, None]:
        """The coroutine that has begun; where it is, is to be seen in it."""
        return self.start[0]

    _coro = property(get_coro)  # asyncio asks for it like this: for its frames, and for what a task is called in logs


class _Unmade(Task):
    """One in its first step, as long as nobody has asked it for anything: nothing of it is made."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        _make(self)
        return getattr(self, name)


_new: Final = _Unmade.__new__
_init: Final[Any] = asyncio.Task.__init__


def _make(task: Task) -> _Rest:
    """Make the task, if it is not; what it will run."""
    if type(task) is _Unmade:
        task.__class__ = Task  # type: ignore[assignment]  # both are laid out alike
        coroutine, loop, name, context = task.start
        task.rest = _Rest(coroutine)
        _init(task, task.rest, loop=loop, name=name, context=context)
    return task.rest
