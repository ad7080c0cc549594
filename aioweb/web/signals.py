"""Lists of callables that an application fills before it starts: signals and, on the same base, middlewares.

A `Signal` is a list; `await signal.send(...)` calls its receivers in order and awaits those that return an awaitable.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Generic, SupportsIndex, TypeVar, overload

_T = TypeVar("_T")
_R = TypeVar("_R", bound=Callable[..., Any])


class FreezableList(list[_T], Generic[_T]):
    """A list that checks what comes in and accepts no change once it is frozen.

    Every change raises RuntimeError after `freeze()`, and TypeError for an item that `check` refuses.
    """

    def __init__(self, items: Iterable[_T] = (), what: str = "list") -> None:
        super().__init__()
        self._what = what
        self.frozen = False
        self.extend(items)

    def check(self, item: _T) -> None:
        """Raise TypeError for an item that does not belong here. Subclasses override it."""

    def freeze(self) -> None:
        """Accept no further change."""
        self.frozen = True

    def _check_open(self) -> None:
        if self.frozen:
            raise RuntimeError(f"the {self._what} cannot be changed: the application has started")

    def append(self, item: _T) -> None:
        """Like `list.append`."""
        self.insert(len(self), item)

    def insert(self, index: SupportsIndex, item: _T) -> None:
        """Like `list.insert`."""
        self._check_open()
        self.check(item)
        super().insert(index, item)

    def extend(self, items: Iterable[_T]) -> None:
        """Like `list.extend`."""
        for item in list(items):
            self.append(item)

    def __iadd__(self, items: Iterable[_T]) -> FreezableList[_T]:  # type: ignore[misc,override]
        self.extend(items)
        return self

    def __imul__(self, times: SupportsIndex) -> FreezableList[_T]:
        self._check_open()
        super().__imul__(times)
        return self

    @overload
    def __setitem__(self, index: SupportsIndex, value: _T) -> None: ...

    @overload
    def __setitem__(self, index: slice, value: Iterable[_T]) -> None: ...

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check_open()
        if isinstance(index, slice):
            value = list(value)
            for item in value:
                self.check(item)
        else:
            self.check(value)
        super().__setitem__(index, value)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        self._check_open()
        super().__delitem__(index)

    def pop(self, index: SupportsIndex = -1) -> _T:
        """Like `list.pop`."""
        self._check_open()
        return super().pop(index)

    def remove(self, item: _T) -> None:
        """Like `list.remove`."""
        self._check_open()
        super().remove(item)

    def clear(self) -> None:
        """Like `list.clear`."""
        self._check_open()
        super().clear()

    def reverse(self) -> None:
        """Like `list.reverse`."""
        self._check_open()
        super().reverse()

    def sort(self, **kwargs: Any) -> None:
        """Like `list.sort`."""
        self._check_open()
        super().sort(**kwargs)


class Signal(FreezableList[_R]):
    """Receivers of one event of an application, in the order in which they are called."""

    def __init__(self, owner: object, name: str) -> None:
        super().__init__(what=f"signal {name}")
        self._owner = owner
        self._name = name

    def __repr__(self) -> str:
        return f"<Signal {self._name} of {type(self._owner).__name__}: {list(self)!r}>"

    def __call__(self, receiver: _R) -> _R:
        """Append a receiver; for use as a decorator: `@app.on_startup`."""
        self.append(receiver)
        return receiver

    def check(self, item: _R) -> None:
        """A receiver is callable."""
        if not callable(item):
            raise TypeError(f"a receiver of {self._name} must be callable, not {item!r}")

    async def send(self, *args: Any, **kwargs: Any) -> None:
        """Call every receiver with these arguments and await it if it can be awaited. The first error ends it."""
        for receiver in self:
            result = receiver(*args, **kwargs)
            if inspect.isawaitable(result):
                await result

    async def send_to_all(self, *args: Any, **kwargs: Any) -> list[BaseException]:
        """Like `send`, but an error keeps no receiver from being called. Returns the errors."""
        errors: list[BaseException] = []
        for receiver in self:
            try:
                result = receiver(*args, **kwargs)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                errors.append(error)
        return errors
