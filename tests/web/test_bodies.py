"""What a response takes as content that is made while it is sent, and what ends its maker."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import pathlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from aioweb.server.flow import ClientDisconnectedError
from aioweb.web.bodies import Interruption, as_stream_body, close_source
from aioweb.web.response import Response
from tests.server.fake_connection import Stream
from tests.web.fakes import FakeWriter, Source, sent


async def collect(source: object) -> bytes:
    """What a body gives, joined."""
    return b"".join([bytes(piece) async for piece in as_stream_body(source)])  # type: ignore[arg-type]


# -- what may be given -------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """A file of 600,000 bytes, which are three blocks."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(250)) * 2400)
    return path


FILES: dict[str, tuple[Callable[[pathlib.Path], Any], bool]] = {
    "buffered": (lambda path: path.open("rb"), True),
    "raw": (lambda path: path.open("rb", buffering=0), True),
    "to write, too": (lambda path: path.open("r+b"), True),
    "with a name": (lambda path: filled(tempfile.NamedTemporaryFile(), path), True),  # noqa: SIM115
    "unnamed": (lambda path: filled(tempfile.TemporaryFile(), path), True),  # noqa: SIM115
    "spooled, in memory": (lambda path: filled(tempfile.SpooledTemporaryFile(), path), True),  # noqa: SIM115
    "spooled, on disk": (lambda path: filled(tempfile.SpooledTemporaryFile(10), path), True),  # noqa: SIM115
    "decompressing": (lambda path: compressed(path), False),
}


def filled(file: Any, path: pathlib.Path) -> Any:
    """The file with the content of another one; some of it is still in its buffer."""
    file.write(path.read_bytes())
    file.seek(0)
    file.seek(0, io.SEEK_END)
    file.write(b"end")
    file.seek(0)
    path.write_bytes(path.read_bytes() + b"end")
    return file


def compressed(path: pathlib.Path) -> Any:
    """A file whose content is another one than that of the file below it."""
    other = path.with_suffix(".gz")
    other.write_bytes(gzip.compress(path.read_bytes()))
    return gzip.open(other)


@pytest.mark.parametrize(("open_file", "has_size"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("start", [0, 7])
async def test_a_file_is_read_from_where_it_stands(
    open_file: Callable[[pathlib.Path], Any], has_size: bool, start: int, path: pathlib.Path
) -> None:
    file = open_file(path)
    file.seek(start)
    body = as_stream_body(file)
    expected = path.read_bytes()[start:]  # noqa: ASYNC240
    assert body.size == (len(expected) if has_size else None)
    pieces = [piece async for piece in body]
    assert b"".join(pieces) == expected  # type: ignore[arg-type]
    assert all(0 < len(piece) <= 262144 for piece in pieces)
    await body.aclose()
    assert file.closed


async def test_a_file_at_or_behind_its_end_is_empty(path: pathlib.Path) -> None:
    for start in (600_000, 700_000):
        with path.open("rb") as file:
            file.seek(start)
            assert as_stream_body(file).size == 0
            assert await collect(file) == b""


async def test_a_file_that_has_grown_is_sent_as_long_as_it_was(path: pathlib.Path) -> None:
    body = as_stream_body(path.open("rb"))
    with path.open("ab") as file:
        file.write(b"more")
    assert len(b"".join([piece async for piece in body])) == body.size == 600_000  # type: ignore[arg-type]
    await body.aclose()


async def test_a_file_is_read_and_closed_off_the_loop() -> None:
    import threading

    here, threads = threading.get_ident(), []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if size:
                threads.append(threading.get_ident())
            return super().read(size)

        def close(self) -> None:
            threads.append(threading.get_ident())
            super().close()

    class Wrapped:
        def __init__(self) -> None:
            inner = Slow(b"abc")
            self.read, self.close = inner.read, inner.close

    body = as_stream_body(Wrapped())
    assert body.size is None
    assert [piece async for piece in body] == [b"abc"]
    await body.aclose()
    assert len(threads) == 3
    assert here not in threads


async def test_a_pipe_has_no_size() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a process")
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert as_stream_body(file).size is None
        assert await collect(file) == b"from a process"


async def test_an_async_iterable_gives_its_pieces_once() -> None:
    body = as_stream_body(Source(b"a", bytearray(b"b")))
    assert (body.size, dict(body.headers)) == (None, {})
    assert [piece async for piece in body] == [b"a", b"b"]
    with pytest.raises(RuntimeError, match="was sent already"):
        aiter(body)


async def test_the_content_of_a_request_is_passed_on_as_it_comes() -> None:
    stream = Stream(b"no\nlines ", b"of it", eof=True)
    assert await collect(stream) == b"no\nlines of it"
    reader = asyncio.StreamReader(limit=4)
    reader.feed_data(b"a line longer than the limit of its reader\n")
    reader.feed_eof()
    assert await collect(reader) == b"a line longer than the limit of its reader\n"


async def test_a_body_of_ones_own_is_taken_as_it_is() -> None:
    class Own:
        size = 3
        headers = {"Content-Type": "text/own", "X-Own": "1"}

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"own"

        async def aclose(self) -> None:
            pass

    own = Own()
    assert as_stream_body(own) is own
    request = await sent(Response(body=own, headers={"X-Own": "2"}))
    assert request.fields == [("X-Own", "2"), ("Content-Type", "text/own"), ("Content-Length", "3")]
    assert request.content == b"own"


def plain_generator() -> Iterator[bytes]:
    yield b"a"


async def generator() -> AsyncIterator[bytes]:
    yield b"a"


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (pathlib.Path("a"), "use FileResponse .* not PosixPath"),
        (plain_generator(), "an async generator"),
        (generator, r"what generator\(\) returns: call it"),
        ([b"a"], "not list"),
        ({"a": 1}, "not dict"),
        (5, "not int"),
    ],
)
def test_anything_else_is_refused_with_a_hint(body: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        Response(body=body)
    response = Response()
    with pytest.raises(TypeError, match=hint):
        response.body = body
    assert response.body is None


def test_a_text_file_is_refused(path: pathlib.Path) -> None:
    with path.open(encoding="latin-1") as file, pytest.raises(TypeError, match="mode 'rb'"):
        Response(body=file)  # type: ignore[arg-type]
    with tempfile.SpooledTemporaryFile(mode="w+") as file, pytest.raises(TypeError, match="mode 'rb'"):
        Response(body=file)


async def test_whatever_closes_is_closed() -> None:
    closed = []

    class ByCoroutine:
        async def close(self) -> None:
            closed.append("awaited")

    class ByCall:
        def close(self) -> None:
            closed.append("called")

    for source in (ByCoroutine(), ByCall(), object()):
        await close_source(source)
    assert closed == ["awaited", "called"]


# -- Interruption ------------------------------------------------------------------------------------------------------


async def enter(writer: Any, body: Callable[[], Awaitable[object]], **options: Any) -> asyncio.Task[str]:
    """A task that has begun to run `body` in an Interruption, and says how it was left."""

    async def run() -> str:
        with Interruption(writer, **options):
            await body()
            return "ended"
        return "stopped"

    task = asyncio.get_running_loop().create_task(run())
    await asyncio.sleep(0)
    return task


async def test_when_the_client_goes_the_block_ends_where_it_waits() -> None:
    writer = FakeWriter()
    task = await enter(writer, asyncio.Event().wait)
    writer.leave()
    with pytest.raises(ClientDisconnectedError):
        await task
    assert not task.cancelled()
    assert writer.producer is None


async def test_its_cleanup_is_not_cancelled_again() -> None:
    writer = FakeWriter()
    steps = []

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            writer.leave()
            await asyncio.sleep(0)
            writer.producer.server_stops()
            await asyncio.sleep(0)
            steps.append("cleaned up")

    task = await enter(writer, body, stops=True)
    writer.leave()
    with pytest.raises(ClientDisconnectedError):
        await task
    assert steps == ["cleaned up"]


async def test_handler_cancellation_can_be_refused() -> None:
    writer = FakeWriter()
    writer.handler_cancellation = False
    event = asyncio.Event()
    task = await enter(writer, event.wait)
    writer.leave()
    event.set()
    assert await task == "ended"


async def test_a_stop_ends_the_block_and_the_code_behind_it_runs_on() -> None:
    writer = FakeWriter()
    task = await enter(writer, asyncio.Event().wait, stops=True)
    for _ in range(2):
        writer.producer.server_stops()
    assert await task == "stopped"
    assert not writer.stopping


async def test_a_stop_that_has_begun_ends_it_too() -> None:
    writer = FakeWriter()
    writer.stopping = True
    assert await (await enter(writer, asyncio.Event().wait, stops=True)) == "stopped"


async def test_a_stop_is_no_matter_of_what_will_end_by_itself() -> None:
    writer = FakeWriter()
    event = asyncio.Event()
    task = await enter(writer, event.wait)
    writer.producer.server_stops()
    event.set()
    assert await task == "ended"


async def test_a_cancellation_by_others_passes_through() -> None:
    writer = FakeWriter()
    task = await enter(writer, asyncio.Event().wait, stops=True)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert writer.producer is None


async def test_behind_the_block_nothing_is_cancelled() -> None:
    writer = FakeWriter()
    with Interruption(writer, stops=True) as interruption:  # type: ignore[arg-type]
        pass
    interruption.stop()
    interruption.client_gone()
    await asyncio.sleep(0)


async def test_another_error_on_the_way_out_is_kept() -> None:
    writer = FakeWriter()

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("in the cleanup")

    task = await enter(writer, body, stops=True)
    writer.producer.server_stops()
    with pytest.raises(LookupError):
        await task
    if hasattr(task, "cancelling"):
        assert task.cancelling() == 0
