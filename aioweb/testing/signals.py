"""record_signals: what an application has sent and reported, in its order, for a test to look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aioweb import web

_OF_APPLICATIONS: Final = ("on_startup", "on_response_prepare", "on_shutdown", "on_cleanup")
_OF_OBSERVERS: Final = tuple(name for name in vars(web.Observer) if not name.startswith("_"))


class Emitted(NamedTuple):
    """One signal that was sent, or one event that was reported."""

    name: str
    """Its name, such as "on_startup" or "request_failed"."""
    args: tuple[Any, ...]
    """What its receivers were called with."""


class SignalRecord:
    """What was emitted so far. `record_signals` makes it; it may be looked at when the application has ended, too."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self.emitted: list[Emitted] = []
        """Everything, in its order."""
        self._known = known
        self._arrival = asyncio.Event()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.names) or 'nothing'}>"

    @property
    def names(self) -> list[str]:
        """The names of everything, in its order."""
        return [emitted.name for emitted in self.emitted]

    def __getitem__(self, name: str) -> list[tuple[Any, ...]]:
        """What the receivers of this signal were called with, each time. KeyError for a name that nothing has."""
        if name not in self._known:
            raise KeyError(f"there is no signal {name!r}, but {', '.join(self._known)}")
        return [emitted.args for emitted in self.emitted if emitted.name == name]

    async def wait_for(self, name: str, count: int = 1, *, timeout: float = 5.0) -> tuple[Any, ...]:
        """Wait until a signal has been emitted `count` times, all from the beginning; returns the last one's arguments.

        Raises AssertionError, telling what was emitted, if it is not within `timeout` seconds; KeyError for a name that
        nothing has.
        """
        now = asyncio.get_running_loop().time
        end = now() + timeout
        while len(self[name]) < count:
            self._arrival.clear()
            try:
                await asyncio.wait_for(self._arrival.wait(), end - now())
            except asyncio.TimeoutError:
                text = f"{name} was emitted {len(self[name])} times, not {count}, within {timeout} s: {self!r}"
                raise AssertionError(text) from None
        return self[name][count - 1]

    def clear(self) -> None:
        """Forget what was emitted so far."""
        self.emitted.clear()

    def receiver(self, name: str) -> Callable[..., None]:
        """What takes down a signal by this name: a receiver for `web.Signal`, or for what else calls somebody."""

        def take(*args: Any, **kwargs: Any) -> None:
            self.emitted.append(Emitted(name, (*args, *kwargs.values())))
            self._arrival.set()

        return take


def record_signals(app: web.Application, **own: web.Signal[Any]) -> SignalRecord:
    """Take down every signal that an application sends, and every event that it reports to observers.

    Call it before the application starts. A sub-application has signals of its own; the events of its requests are
    reported to the outermost one.

    Args:
        app: the application: its `on_startup`, `on_response_prepare`, `on_shutdown` and `on_cleanup`, and the events of
            `web.Observer`.
        own: signals of your own, by the names that they get.

    Raises RuntimeError if the application has started.
    """
    known = (*_OF_APPLICATIONS, *_OF_OBSERVERS, *own)
    record = SignalRecord(known)
    for name in _OF_APPLICATIONS:
        getattr(app, name).append(record.receiver(name))
    for name, signal in own.items():
        signal.append(record.receiver(name))
    methods = {name: staticmethod(record.receiver(name)) for name in _OF_OBSERVERS}
    app.observers.append(type("RecordingObserver", (web.Observer,), methods)())
    return record
