"""Where the lines of the access log go: to a `logging.Logger`, gathered into blocks where nobody can tell.

`logging` makes a record of a line, hands it to every handler, which formats, writes and flushes it: 6 us, and a system
call. So lines that come in quick succession are gathered and written in one piece. A line that comes after a pause is
there at the end of the turn of the loop, and none waits for longer than an eye would notice: who watches a file or a
terminal sees it at once.

That is done only if all that INFO reaches are plain handlers: a StreamHandler, FileHandler or WatchedFileHandler (not a
class of somebody's own), no filters, and a format that has the same text around every message. Anything else gets
ordinary records, one for each line, at once. What is there is looked at when a block begins, so it may change while
serving.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Iterator
from functools import lru_cache
from logging import INFO, FileHandler, Formatter, Handler, LogRecord, StreamHandler
from time import monotonic
from typing import Any, Final, NamedTuple

from aioweb.log import server_logger

_MUCH: Final = 65536
"""Characters of lines that are held at most; one line more, to be exact."""
_PAUSE: Final = 0.02
"""Seconds between two blocks, and so what a line waits at most."""


class _Outlet(NamedTuple):
    """A plain handler, and what its format puts around each message."""

    handler: Any
    before: str
    after: str


class Lines:
    """The way of lines to a logger. An access logger makes one; any thread may write.

    Lines are held for 20 ms and 64 KiB at most, and written before the process forks or exits; where no loop runs they
    are written at once. What cannot be written is lost, and told once: it hurts no request.

    Args:
        logger: decides, as ever, where they go.
    """

    __slots__ = ("_flushed", "_flushers", "_held", "_logger", "_lost", "_outlets", "_size")

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._outlets: list[_Outlet] = []
        self._held: list[str] = []
        self._flushers: set[asyncio.AbstractEventLoop] = set()  # which have been told to; the first may have stopped
        self._size = 0
        self._flushed = -_PAUSE
        self._lost: dict[Handler, int] = {}

    def write(self, line: str) -> None:
        """Write a line, which has no end of line, with level INFO."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with _lock:
            if loop not in self._flushers and not self._begin(loop):
                self.flush()  # what came before
                self._record(line)
                return
            self._held.append(line)
            self._size += len(line)
            if self._size > _MUCH:
                self.flush()

    def flush(self) -> None:
        """Write what is held."""
        with _lock:
            _holding.discard(self)
            self._flushers.clear()
            lines, self._held, self._size = self._held, [], 0
            if lines:
                self._flushed = monotonic()
                for outlet in self._outlets:
                    self._write_block(outlet, lines)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> bool:
        """Begin a block, or this loop's part in it; False if this line has to be a record."""
        outlets = None if loop is None else _plain_outlets(self._logger)
        if loop is None or not outlets:
            return False
        self._outlets = outlets
        self._flushers.add(loop)
        _holding.add(self)
        rest = self._flushed + _PAUSE - monotonic()
        if rest > 0:
            loop.call_later(rest, self.flush)
        else:
            loop.call_soon(self.flush)
        return True

    def _record(self, line: str) -> None:
        """Do what `logger.info` does, but for its search for the caller, who is always the same: 2 of its 7 us."""
        logger = self._logger
        if type(logger) is not logging.Logger:
            logger.info(line)  # it may have its own idea of that
        elif logger.isEnabledFor(INFO):
            logger.handle(self._make_record(line))

    def _make_record(self, message: str) -> LogRecord:
        return self._logger.makeRecord(self._logger.name, *_ORIGIN, message, (), None, _FUNCTION)

    def _write_block(self, outlet: _Outlet, lines: list[str]) -> None:
        handler, before, after = outlet
        between = f"{after}{handler.terminator}{before}"
        handler.acquire()
        try:
            if type(handler) not in _UNWATCHED:
                handler.reopenIfNeeded()
            if handler.stream is None:  # closed, or to be opened late: the handler knows how
                handler.handle(self._make_record(between.join(lines)))
            else:
                _write_text(handler.stream, f"{before}{between.join(lines)}{after}{handler.terminator}")
                handler.flush()
        except Exception as error:
            self._tell_failure(handler, error, len(lines))
        else:
            self._tell_success(handler)
        finally:
            handler.release()

    def _tell_failure(self, handler: Handler, error: Exception, count: int) -> None:
        if handler not in self._lost:
            server_logger.error("The access log cannot be written to %r, its lines are lost: %s", handler, error)
        self._lost[handler] = self._lost.get(handler, 0) + count

    def _tell_success(self, handler: Handler) -> None:
        if lost := self._lost.pop(handler, 0):
            server_logger.warning("The access log is written to %r again, %d lines were lost", handler, lost)


_holding: Final[set[Lines]] = set()
"""Those that hold lines at the moment."""
_lock: Final = threading.RLock()
"""Of all lines: whoever forks holds it, or the child might get the lock of a thread that it does not have."""


def _flush_all() -> None:
    with _lock:
        for lines in list(_holding):
            lines.flush()


def _before_fork() -> None:
    _lock.acquire()
    _flush_all()  # or the child would write them, too


atexit.register(_flush_all)  # before `logging` closes its handlers, which has registered itself before
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_lock.release, after_in_child=_lock.release)


_UNWATCHED: Final = (StreamHandler, FileHandler)
_ORIGIN: Final = (INFO, __file__, 0)
_LONG: Final = "\2" * 4096  # what a format with a precision would cut
_FUNCTION: Final = "write"


def _plain_outlets(logger: logging.Logger) -> list[_Outlet] | None:
    """All handlers that INFO reaches; None if one of them, or the logger, has to see records."""
    if (
        type(logger) is not logging.Logger
        or logger.filters
        or logging.getLogRecordFactory() is not LogRecord
        or not logger.isEnabledFor(INFO)
    ):
        return None
    outlets = []
    for handler in _handlers(logger):
        if handler.level <= INFO:
            frame = _frame(handler.formatter, logger.name) if _is_plain(handler) else None
            if frame is None:
                return None
            outlets.append(_Outlet(handler, *frame))
    return outlets


def _handlers(logger: logging.Logger) -> Iterator[Handler]:
    at: logging.Logger | None = logger
    while at is not None:
        yield from at.handlers
        at = at.parent if at.propagate else None


def _is_plain(handler: Handler) -> bool:
    kind = type(handler)
    # Not imported for its name: nobody who has none needs logging.handlers.
    watched = kind.__name__ == "WatchedFileHandler" and kind.__module__ == "logging.handlers"
    return (kind in _UNWATCHED or watched) and not handler.filters


@lru_cache(maxsize=8)
def _frame(formatter: Formatter | None, name: str) -> tuple[str, str] | None:
    """What a formatter puts before and after each message; None if that is not always the same, as a time is not."""
    if formatter is None:
        return "", ""
    if type(formatter) is not Formatter:
        return None
    short, long = (LogRecord(name, *_ORIGIN, text, (), None, _FUNCTION) for text in ("\1", _LONG))
    for attribute in ("created", "msecs", "relativeCreated", "thread", "threadName", "process", "processName"):
        setattr(long, attribute, 0)
    long.taskName = "another task"
    try:
        before, _, after = formatter.format(short).partition("\1")
        return (before, after) if formatter.format(long) == f"{before}{_LONG}{after}" else None
    except Exception:  # it asks for what others put into records
        return None


def _write_text(stream: Any, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # a format, or an access logger of somebody's own, in more than the stream has
        stream.write(text.encode("ascii", "backslashreplace").decode())
