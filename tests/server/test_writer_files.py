"""StreamWriter.send_file over real sockets: by the kernel and in blocks, whole and in parts, and what goes wrong."""

from __future__ import annotations

import asyncio
import errno
import gzip
import io
import os
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from aioweb.protocol.events import RequestHead
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.sendfile import KernelCopy
from aioweb.server.server import Server
from aioweb.server.stream import StreamReader
from aioweb.server.writer import StreamWriter
from tests.conftest import Serve

CONTENT = bytes(range(256)) * 10_000
SIZE = len(CONTENT)

Step = Callable[[StreamWriter], Awaitable[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is larger than any buffer on its way."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["kernel", "buffered", "memory"])
def file(request: pytest.FixtureRequest, path: Path) -> Iterator[BinaryIO]:
    """The same content, once sent by the kernel, once with a buffer that hides the file, once without a file."""
    opened: Any = {
        "kernel": lambda: io.FileIO(path),
        "buffered": lambda: io.BufferedReader(io.FileIO(path)),
        "memory": lambda: io.BytesIO(CONTENT),
    }[request.param]()
    with opened:
        yield opened


class Steps:
    """A handler that does something with its writer, and keeps how that ended."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.error: BaseException | None = None
        self.writer: StreamWriter | None = None
        self.ended = asyncio.Event()

    async def __call__(self, head: RequestHead, body: StreamReader, writer: StreamWriter) -> None:
        self.writer = writer
        try:
            await self.step(writer)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.ended.set()


def sending(file: BinaryIO, offset: int = 0, count: int = SIZE, *, length: int | None = SIZE, **options: Any) -> Step:
    """Announce `length` bytes, and send these of the file."""

    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", length, **options)
        await writer.send_file(file, offset, count)
        await writer.write_eof()

    return step


def serving(step: Step) -> Server:
    return Server(Steps(step))


# -- what arrives ------------------------------------------------------------------------------------------------------


async def test_a_file_arrives_whole_and_the_connection_persists(serve: Serve, file: BinaryIO) -> None:
    peer = await (await serve(serving(sending(file)))).connect()
    for _ in range(2):
        answer = await peer.request("GET", "/")
        assert answer.body == CONTENT
        assert "Connection" not in answer.headers


@pytest.mark.parametrize(("offset", "count"), [(0, 1), (1, 70_000), (SIZE - 1, 1), (123_457, 2_000_003), (5, 0)])
async def test_a_part_of_a_file_arrives(serve: Serve, file: BinaryIO, offset: int, count: int) -> None:
    peer = await (await serve(serving(sending(file, offset, count, length=count)))).connect()
    assert (await peer.request("GET", "/")).body == CONTENT[offset : offset + count]
    assert (await peer.request("GET", "/")).body == CONTENT[offset : offset + count]


async def test_files_and_writes_keep_their_order(serve: Serve, file: BinaryIO) -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", 2 * SIZE + 17)
        writer.write(b"first")
        await writer.send_file(file, 0, SIZE)
        writer.write(b"again")
        await writer.send_file(file, 0, SIZE)
        await writer.write_eof(b"at last")

    answer = await (await serve(serving(step))).request("GET", "/")
    assert answer.body == b"first" + CONTENT + b"again" + CONTENT + b"at last"


async def test_the_bytes_are_counted(serve: Serve, file: BinaryIO) -> None:
    steps = Steps(sending(file))
    await (await serve(Server(steps))).request("GET", "/")
    assert steps.writer is not None
    assert steps.writer.body_size == SIZE


async def test_a_file_in_chunks(serve: Serve, file: BinaryIO) -> None:
    answer = await (await serve(serving(sending(file, length=None)))).request("GET", "/")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.body == CONTENT


async def test_a_file_until_the_connection_closes(serve: Serve, file: BinaryIO) -> None:
    answer = await (await serve(serving(sending(file, length=None)))).request("GET", "/", http="1.0")
    assert "Content-Length" not in answer.headers
    assert answer.body == CONTENT


async def test_head_gets_nothing_of_a_file(serve: Serve, file: BinaryIO) -> None:
    peer = await (await serve(serving(sending(file)))).connect()
    assert (await peer.request("HEAD", "/")).headers["Content-Length"] == str(SIZE)
    assert (await peer.request("GET", "/")).body == CONTENT


async def test_a_file_over_tls(serve: Serve, path: Path) -> None:
    pem = Path(__file__).parents[1] / "data" / "localhost.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    client = ssl.create_default_context(cafile=str(pem))
    with io.FileIO(path) as file:
        address = await serve(serving(sending(file)), ssl_context=context)
        peer = await address.connect(ssl=client, server_hostname="localhost")
        assert (await peer.request("GET", "/")).body == CONTENT
        await peer.close()


# -- who sends ---------------------------------------------------------------------------------------------------------


async def test_the_kernel_sends_files_of_the_system_only(path: Path, serve: Serve) -> None:
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(CONTENT))
    found = []

    async def step(writer: StreamWriter) -> None:
        channel = writer.channel
        assert channel is not None
        assert channel.transport is not None
        with io.FileIO(path) as raw, io.BufferedReader(io.FileIO(path)) as buffered, gzip.open(packed) as unpacking:
            for file in (raw, buffered, unpacking, io.BytesIO(CONTENT)):
                found.append(KernelCopy.join(channel.transport, channel.flow, file) is not None)
        await writer.send(200, "OK", b"", b"")

    await (await serve(serving(step))).request("GET", "/")
    assert found == [True, True, False, False]


async def test_what_a_file_reads_is_sent_and_not_what_its_descriptor_holds(serve: Serve, path: Path) -> None:
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(CONTENT))
    with gzip.open(packed) as file:
        answer = await (await serve(serving(sending(file)))).request("GET", "/")  # type: ignore[arg-type]
    assert answer.body == CONTENT


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
async def test_what_the_kernel_cannot_send_goes_the_usual_way(
    serve: Serve, path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "sendfile", refuse)
    with io.FileIO(path) as file:
        answer = await (await serve(serving(sending(file)))).request("GET", "/")
    assert answer.body == CONTENT


async def test_the_limits_of_the_transport_are_what_they_were(serve: Serve, path: Path) -> None:
    limits = []

    async def step(writer: StreamWriter) -> None:
        assert writer.transport is not None
        limits.append(writer.transport.get_write_buffer_limits())
        with io.FileIO(path) as file:
            await sending(file)(writer)
        limits.append(writer.transport.get_write_buffer_limits())

    await (await serve(serving(step))).request("GET", "/")
    assert limits[0] == limits[1] != (0, 0)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def fail(serve: Serve, step: Step) -> tuple[Steps, bytes]:
    """Serve one request by a step that fails; what was sent."""
    steps = Steps(step)
    address = await serve(Server(steps))
    octets = await address.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return steps, octets


async def test_a_file_that_is_shorter_than_announced_cuts_the_connection(serve: Serve, file: BinaryIO) -> None:
    steps, octets = await fail(serve, sending(file, 0, SIZE + 10, length=SIZE + 10))
    assert isinstance(steps.error, EOFError)
    assert f"{SIZE}, 10 bytes before" in str(steps.error)
    assert len(octets.partition(b"\r\n\r\n")[2]) <= SIZE


async def test_a_file_that_shrinks_meanwhile_cuts_the_connection(serve: Serve, path: Path) -> None:
    with io.FileIO(path) as file:

        async def step(writer: StreamWriter) -> None:
            writer.send_head(200, "OK", b"", SIZE)
            await writer.send_file(file, 0, 1000)
            os.truncate(path, 2000)
            await writer.send_file(file, 1000, SIZE - 1000)

        steps, octets = await fail(serve, step)
    assert isinstance(steps.error, EOFError)
    assert octets.partition(b"\r\n\r\n")[2] == CONTENT[:2000]


async def test_a_cut_cannot_be_overlooked(serve: Serve, file: BinaryIO) -> None:
    async def step(writer: StreamWriter) -> None:
        writer.send_head(200, "OK", b"", SIZE + 10)
        with pytest.raises(EOFError):
            await writer.send_file(file, 0, SIZE + 10)
        writer.write(b"x" * 10)

    steps, _ = await fail(serve, step)
    assert isinstance(steps.error, ClientDisconnectedError)


async def test_more_than_announced_is_refused_and_not_sent(serve: Serve, file: BinaryIO) -> None:
    steps, octets = await fail(serve, sending(file, length=SIZE - 1))
    assert isinstance(steps.error, RuntimeError)
    assert "1 bytes more than the announced" in str(steps.error)
    assert len(octets.partition(b"\r\n\r\n")[2]) < SIZE


async def test_a_file_is_let_go_when_no_thread_reads_it_any_more(serve: Serve) -> None:
    reading, disk, told = threading.Event(), threading.Event(), []

    class SlowFile(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reading.set()
            disk.wait(5.0)
            told.append("read")
            return super().read(size)

    async def step(writer: StreamWriter) -> None:
        try:
            await sending(SlowFile(CONTENT))(writer)
        finally:
            told.append("let go")

    steps = Steps(step)
    peer = await (await serve(Server(steps, handler_cancellation=True))).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.to_thread(reading.wait, 5.0)
    peer.writer.transport.abort()
    assert steps.writer is not None
    while steps.writer.transport is not None:
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)  # the cancellation has been thrown
    disk.set()
    await steps.ended.wait()
    assert isinstance(steps.error, asyncio.CancelledError)
    assert told == ["read", "let go"]


async def test_a_file_before_the_head_is_refused(serve: Serve, file: BinaryIO) -> None:
    async def step(writer: StreamWriter) -> None:
        with pytest.raises(RuntimeError, match="CONTENT of a response that is IDLE"):
            await writer.send_file(file, 0, SIZE)
        await writer.send(200, "OK", b"", b"still fine")

    assert (await (await serve(serving(step))).request("GET", "/")).body == b"still fine"


async def test_a_file_after_the_end_is_refused(serve: Serve, file: BinaryIO) -> None:
    async def step(writer: StreamWriter) -> None:
        await writer.send(200, "OK", b"", b"enough")
        with pytest.raises(RuntimeError, match="CONTENT of a response that is DONE"):
            await writer.send_file(file, 0, SIZE)

    peer = await (await serve(serving(step))).connect()
    for _ in range(2):
        assert (await peer.request("GET", "/")).body == b"enough"


async def test_nobody_gets_a_file_when_the_exchange_is_over(serve: Serve, file: BinaryIO) -> None:
    steps = Steps(sending(file))
    await (await serve(Server(steps))).request("GET", "/")
    assert steps.writer is not None
    with pytest.raises(ClientDisconnectedError):
        await steps.writer.send_file(file, 0, SIZE)


async def test_a_file_that_cannot_be_read_cuts_the_connection(serve: Serve) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "the disk is broken")

    steps, octets = await fail(serve, sending(Broken(CONTENT)))
    assert isinstance(steps.error, OSError)
    assert len(octets.partition(b"\r\n\r\n")[2]) == 0


async def test_a_broken_disk_under_the_kernel_cuts_the_connection(
    serve: Serve, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> int:
        raise OSError(errno.EIO, "the disk is broken")

    class Broken(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "sendfile", refuse)
    with Broken(path) as file:
        steps, octets = await fail(serve, sending(file))  # type: ignore[arg-type]
    assert isinstance(steps.error, OSError)
    assert len(octets.partition(b"\r\n\r\n")[2]) == 0
