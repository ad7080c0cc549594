"""What comes up with an application and ends with it: its cleanup contexts, and what is said when several fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from aioweb.web.signals import FreezableList


class CleanupError(RuntimeError):
    """Several things went wrong while an application was cleaned up; `exceptions` lists them."""

    def __init__(self, message: str, exceptions: list[BaseException]) -> None:
        super().__init__(message, exceptions)
        self.exceptions = exceptions


class CleanupContexts(FreezableList[Callable[[Any], Any]]):
    """The contexts of an application: asynchronous generators with one yield, or context managers."""

    def __init__(self) -> None:
        super().__init__(what="list of cleanup contexts")
        self._open: list[AbstractAsyncContextManager[Any]] = []

    async def enter(self, app: Any) -> None:
        """Open all, in order. Raises what one of them raises; those before it stay open until `leave`."""
        for context in self:
            opened = _as_context(context(app))
            await opened.__aenter__()
            self._open.append(opened)

    async def leave(self) -> list[BaseException]:
        """Close in reverse what is open, all of it; returns what was raised meanwhile."""
        errors: list[BaseException] = []
        while self._open:
            try:
                await self._open.pop().__aexit__(None, None, None)
            except Exception as error:
                errors.append(error)
        return errors


def _as_context(made: Any) -> AbstractAsyncContextManager[Any]:
    """What a cleanup context function returned, as an asynchronous context manager."""
    if isinstance(made, AbstractAsyncContextManager):
        return made
    if inspect.isasyncgen(made):
        return asynccontextmanager(lambda: made)()
    raise TypeError(f"a cleanup context is an asynchronous generator or context manager, not {made!r}")
