"""Lines of the access log on their way to a logger: in blocks where nobody can tell, else as records."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import logging
import logging.handlers
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from aioweb.server.accesslines import Lines

PATIENCE = 10.0
_numbers = itertools.count()


class Writes(io.StringIO):
    """A stream that knows how often it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def write(self, text: str) -> int:
        self.count += 1
        return super().write(text)


class Own(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler of somebody's own."""


class Full(io.StringIO):
    """A stream on a disk that may be full."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def logger_to(*handlers: logging.Handler) -> logging.Logger:
    """A logger that nobody else knows: those of the tests' own machinery are no plain ones."""
    logger = logging.getLogger(f"tests.accesslines.{next(_numbers)}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = list(handlers)
    return logger


def handler_to(stream: Any, log_format: str | None = None, kind: Any = logging.StreamHandler) -> logging.Handler:
    handler: logging.Handler = kind(stream)
    if log_format is not None:
        handler.setFormatter(logging.Formatter(log_format))
    return handler


async def until(condition: Callable[[], object]) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.001)


# When they are written


async def test_a_line_after_a_pause_is_there_at_the_end_of_the_turn_and_more_come_in_one_piece() -> None:
    stream = Writes()
    lines = Lines(logger_to(handler_to(stream)))
    lines.write("first")
    lines.write("second")
    assert stream.getvalue() == ""
    await asyncio.sleep(0)
    assert (stream.getvalue(), stream.count) == ("first\nsecond\n", 1)
    start = time.monotonic()  # of the pause, or later
    for number in range(5):
        lines.write(str(number))
        await asyncio.sleep(0)
    await until(lambda: stream.count > 1)
    await until(lambda: stream.getvalue().endswith("4\n"))
    assert stream.count <= 2 + (time.monotonic() - start) / 0.02
    assert stream.getvalue() == "first\nsecond\n0\n1\n2\n3\n4\n"


async def test_flush_writes_what_is_held_and_only_that() -> None:
    stream = Writes()
    lines = Lines(logger_to(handler_to(stream)))
    lines.flush()
    assert stream.count == 0
    lines.write("a")
    lines.flush()
    lines.flush()
    assert (stream.getvalue(), stream.count) == ("a\n", 1)
    await asyncio.sleep(0)
    assert stream.count == 1


@pytest.mark.parametrize(("size", "is_written"), [(65536, False), (65537, True)])
async def test_what_is_held_is_bounded(size: int, is_written: bool) -> None:
    stream = Writes()
    lines = Lines(logger_to(handler_to(stream)))
    lines.write("x" * 65000)
    lines.write("y" * (size - 65000))
    assert (stream.getvalue() != "") is is_written


def test_where_no_loop_runs_a_line_is_written_at_once() -> None:
    stream = Writes()
    Lines(logger_to(handler_to(stream, "<%(message)s>"))).write("a")
    assert stream.getvalue() == "<a>\n"


def test_the_end_of_a_loop_does_not_lose_lines_that_it_held() -> None:
    stream = Writes()
    lines = Lines(logger_to(handler_to(stream)))

    async def serve() -> None:
        for line in "abc":
            lines.write(line)
            await asyncio.sleep(0)

    asyncio.run(serve())
    lines.flush()
    assert stream.getvalue() == "a\nb\nc\n"


@pytest.mark.parametrize("next_has_a_loop", [True, False])
def test_what_a_loop_that_has_stopped_held_leaves_with_the_next_line(next_has_a_loop: bool) -> None:
    stream = Writes()
    lines = Lines(logger_to(handler_to(stream)))

    async def write(text: str) -> None:
        for line in text:
            lines.write(line)
            await asyncio.sleep(0)

    async def write_and_see() -> None:
        lines.write("d")
        await until(lambda: stream.getvalue().endswith("d\n"))

    asyncio.run(write("abc"))
    if next_has_a_loop:
        asyncio.run(write_and_see())
    else:
        lines.write("d")
    assert stream.getvalue() == "a\nb\nc\nd\n"


# To whom


@pytest.mark.parametrize(
    ("log_format", "blocks"),
    [
        (None, 1),
        ("%(message)s", 1),
        ("%(levelname)s:%(name)s:%(message)s", 1),
        ("%(levelname)s %(filename)s %(funcName)s [%(message)s]\n", 1),
        ("message%(message)s", 1),
        ("%(asctime)s %(message)s", 2),
        ("%(process)d %(message)s", 2),
        ("%(threadName)s %(message)s", 2),
        ("%(message)-20s|", 2),
        ("%(message).500s", 2),
        ("%(message)s %(message)s", 2),
        ("%(levelname)s", 2),
    ],
)
async def test_a_block_reads_as_records_would(log_format: str | None, blocks: int) -> None:
    stream, records = Writes(), io.StringIO()
    plain, own = handler_to(stream, log_format), handler_to(records, log_format, Own)
    for handler in (plain, own):
        lines = Lines(logger_to(handler))
        lines.write("a line")
        lines.write("another")
        lines.flush()
    drop_times = str.maketrans("", "", "0123456789")
    assert stream.getvalue().translate(drop_times) == records.getvalue().translate(drop_times)
    assert stream.count == blocks


async def test_a_format_of_another_style_and_another_end_of_line_are_kept() -> None:
    stream = Writes()
    handler: Any = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("{levelname}|{message}", style="{"))
    handler.terminator = "\r\n"
    lines = Lines(logger_to(handler))
    lines.write("a")
    lines.write("b")
    lines.flush()
    assert (stream.getvalue(), stream.count) == ("INFO|a\r\nINFO|b\r\n", 1)


def _filter(record: logging.LogRecord) -> bool:
    return "/health" not in record.getMessage()


def _number(record: logging.LogRecord) -> bool:
    record.id = 7
    return True


@contextlib.contextmanager
def _record_factory() -> Iterator[None]:
    class Marked(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Marked)
    try:
        yield
    finally:
        logging.setLogRecordFactory(logging.LogRecord)


class Shouting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).upper()


@pytest.mark.parametrize("whose", ["handler", "filter", "formatter", "beside", "above", "needs more"])
async def test_who_brings_something_of_his_own_gets_a_record_for_each_line_at_once(whose: str) -> None:
    stream, beside = Writes(), queue.SimpleQueue[logging.LogRecord]()
    handler = handler_to(stream, kind=Own if whose == "handler" else logging.StreamHandler)
    logger = logger_to(handler)
    if whose == "filter":
        handler.addFilter(_filter)
    elif whose == "formatter":
        handler.setFormatter(Shouting())
    elif whose == "beside":
        logger.addHandler(logging.handlers.QueueHandler(beside))
    elif whose == "above":
        logger.parent, logger.propagate = logger_to(Own(io.StringIO())), True
    elif whose == "needs more":
        handler.setFormatter(logging.Formatter("%(id)s %(message)s", defaults={"id": "-"}))
        handler.addFilter(_number)
    lines = Lines(logger)
    for line in ("a", "GET /health", "b"):
        lines.write(line)
    shown = {
        "filter": ["a", "b"],
        "formatter": ["A", "GET /HEALTH", "B"],
        "needs more": ["7 a", "7 GET /health", "7 b"],
    }.get(whose, ["a", "GET /health", "b"])
    assert stream.getvalue().splitlines() == shown
    if whose == "beside":
        records = [beside.get_nowait() for _ in range(3)]
        assert [(record.getMessage(), record.levelno) for record in records] == [
            (line, logging.INFO) for line in ("a", "GET /health", "b")
        ]


async def test_a_filter_of_the_logger_and_a_factory_of_records_are_asked() -> None:
    stream = Writes()
    logger = logger_to(handler_to(stream))
    lines = Lines(logger)
    with _record_factory():
        lines.write("a")
        assert stream.getvalue() == "a\n"
    logger.addFilter(_filter)
    lines.write("GET /health")
    lines.write("b")
    assert stream.getvalue() == "a\nb\n"


async def test_levels_and_propagation_are_obeyed() -> None:
    below, above, silent = Writes(), Writes(), Writes()
    logger = logger_to(handler_to(below, "<%(message)s>"), handler_to(silent))
    logger.handlers[1].setLevel(logging.WARNING)
    logger.parent, logger.propagate = logger_to(handler_to(above)), True
    lines = Lines(logger)
    for change in ({}, {"propagate": False}, {"disabled": True}):
        vars(logger).update(change)
        lines.write(str(change))
        lines.flush()
    assert below.getvalue() == "<{}>\n<{'propagate': False}>\n"
    assert above.getvalue() == "{}\n"
    assert silent.getvalue() == ""
    logger.disabled = False
    logger.setLevel(logging.WARNING)
    lines.write("not said")
    lines.flush()
    assert "not said" not in below.getvalue()


async def test_what_changes_while_serving_counts_from_the_next_block_on() -> None:
    first, second = Writes(), Writes()
    logger = logger_to(handler_to(first))
    lines = Lines(logger)
    lines.write("a")
    lines.flush()
    logger.addHandler(Own(second))
    lines.write("b")
    assert (first.getvalue(), second.getvalue()) == ("a\nb\n", "b\n")
    logger.handlers.pop()
    lines.write("c")
    lines.flush()
    assert (first.getvalue(), second.getvalue()) == ("a\nb\nc\n", "b\n")


async def test_a_stream_that_cannot_show_a_character_gets_it_escaped() -> None:
    octets = io.BytesIO()
    lines = Lines(logger_to(handler_to(io.TextIOWrapper(octets, "ascii", newline=""))))
    lines.write("a")
    lines.write("\xe4\udcff")
    lines.flush()
    assert octets.getvalue() == b"a\n\\xe4\\udcff\n"


def test_many_threads_may_write_and_no_line_is_lost_or_doubled() -> None:
    stream = Writes()
    lines = Lines(logger_to(handler_to(stream)))

    async def serve(name: str) -> None:
        for number in range(500):
            lines.write(f"{name} {number}")
            if number % 7 == 0:
                await asyncio.sleep(0)

    threads = [threading.Thread(target=asyncio.run, args=(serve(name),)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.flush()
    shown = stream.getvalue().splitlines()
    for name in "abcd":
        assert [line for line in shown if line.startswith(name)] == [f"{name} {number}" for number in range(500)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_beside_a_thread_that_writes_leaves_a_child_that_can_write() -> None:
    inside = threading.Event()

    class Slow(Writes):
        def write(self, text: str) -> int:
            inside.set()
            time.sleep(0.1)  # so that the fork falls into it
            return super().write(text)

    lines = Lines(logger_to(handler_to(Slow())))
    thread = threading.Thread(target=lines.write, args=("a",))
    thread.start()
    assert inside.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # the end of a child that waits for the thread it does not have
        lines.write("b")
        os._exit(0)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


# Files


async def test_a_file_that_was_moved_away_is_followed_by_a_watching_handler(tmp_path: Path) -> None:
    handler = logging.handlers.WatchedFileHandler(tmp_path / "log")
    lines = Lines(logger_to(handler))
    lines.write("a")
    lines.flush()
    os.rename(tmp_path / "log", tmp_path / "log.1")
    lines.write("b")
    lines.write("c")
    lines.flush()
    handler.close()
    assert ((tmp_path / "log.1").read_text(), (tmp_path / "log").read_text()) == ("a\n", "b\nc\n")


async def test_a_rotating_handler_rotates_at_the_line_that_is_too_much(tmp_path: Path) -> None:
    handler = logging.handlers.RotatingFileHandler(tmp_path / "log", maxBytes=10, backupCount=5)
    lines = Lines(logger_to(handler))
    for number in range(4):
        lines.write(f"line{number}")
    handler.close()
    files = {name: (tmp_path / name).read_text() for name in os.listdir(tmp_path)}
    assert files == {"log": "line3\n", "log.1": "line2\n", "log.2": "line1\n", "log.3": "line0\n"}


@pytest.mark.parametrize("closed", [False, True])
async def test_a_file_that_is_opened_late_or_was_closed_gets_the_block(tmp_path: Path, closed: bool) -> None:
    handler = logging.FileHandler(tmp_path / "log", delay=True)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    lines = Lines(logger_to(handler))
    if closed:
        lines.write("a")
        lines.flush()
        lines.write("b")
        handler.close()
    lines.write("c")
    lines.write("d")
    lines.flush()
    handler.close()
    assert (tmp_path / "log").read_text() == ("<a>\n<b>\n<c>\n<d>\n" if closed else "<c>\n<d>\n")


# What goes wrong


async def test_a_file_that_cannot_be_written_is_told_once_and_again_when_it_can(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, whole = Full(), Writes()
    lines = Lines(logger_to(handler_to(broken), handler_to(whole)))
    for line in "abc":
        lines.write(line)
        lines.flush()
    broken.full = False
    lines.write("d")
    lines.flush()
    assert (broken.getvalue(), whole.getvalue()) == ("d\n", "a\nb\nc\nd\n")
    failed, again = [record for record in caplog.records if record.name == "aioweb.server"]
    assert failed.levelno == logging.ERROR
    assert "No space left on device" in failed.getMessage()
    assert again.getMessage().endswith("again, 3 lines were lost")
    assert capsys.readouterr() == ("", "")


def _full_disk() -> TextIO:
    return open("/dev/full", "w")


def _closed_pipe() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w")


def _closed_file() -> TextIO:
    with open(os.devnull, "w") as file:
        return file


@pytest.mark.parametrize("make", [_full_disk, _closed_pipe, _closed_file])
async def test_real_files_that_fail_hurt_nobody(make: Callable[[], TextIO], caplog: pytest.LogCaptureFixture) -> None:
    stream = make()
    lines = Lines(logger_to(handler_to(stream)))
    for _ in range(100):
        lines.write("x" * 1000)
        lines.flush()
    assert len([record for record in caplog.records if record.name == "aioweb.server"]) == 1
    with contextlib.suppress(OSError):  # what it holds itself
        stream.close()
