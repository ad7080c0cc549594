"""The decoded stream: it reads as any other does, decodes only for somebody who reads, and breaks when it must."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aioweb.protocol.coding import STEP, BadCoding, DecodedTooLarge, UnknownCoding, make_decoder
from aioweb.protocol.events import FieldSection
from aioweb.protocol.limits import Limits
from aioweb.server.decoding import DecodedStream, undo_codings
from aioweb.server.stream import BodyInterrupted, BodyTooLarge, StreamReader
from tests.server.fake_connection import Stream

LINES = b"".join(b"line %d of the content\n" % number for number in range(20_000))
NOISE = random.Random(1).randbytes(300_000)
MIB = 1024**2


def decoded(stream: StreamReader, coding: str = "gzip", limits: Limits = Limits()) -> DecodedStream:  # noqa: B008
    return DecodedStream(stream, make_decoder(coding, limits))


def whole(content: bytes, size: int = 10_000) -> DecodedStream:
    """The stream of a content that has arrived in pieces of this size."""
    encoded = gzip.compress(content)
    return decoded(Stream(*(encoded[at : at + size] for at in range(0, len(encoded), size)), eof=True))


async def gather(iterator: Any) -> list[Any]:
    return [piece async for piece in iterator]


# -- reading -----------------------------------------------------------------------------------------------------------


async def read_by_any(stream: StreamReader) -> bytes:
    return b"".join(await gather(stream.iter_any()))


async def read_by_chunked(stream: StreamReader) -> bytes:
    pieces = await gather(stream.iter_chunked(1000))
    assert max(map(len, pieces)) == 1000
    return b"".join(pieces)


async def read_by_chunks(stream: StreamReader) -> bytes:
    return b"".join(piece for piece, _ in await gather(stream.iter_chunks()))


async def read_by_lines(stream: StreamReader) -> bytes:
    return b"".join(await gather(stream))


async def read_by_exactly(stream: StreamReader) -> bytes:
    first = await stream.readexactly(100_000)
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await stream.readexactly(10 * MIB)
    return first + caught.value.partial


async def read_by_until(stream: StreamReader) -> bytes:
    return await stream.readuntil(b"19999", max_size=MIB) + await stream.readline()


async def read_nowait(stream: StreamReader) -> bytes:
    pieces = []
    while piece := stream.read_nowait(1000):
        pieces.append(piece)
    return b"".join(pieces)


READERS: list[Callable[[StreamReader], Awaitable[bytes]]] = [
    StreamReader.read,
    StreamReader.collect,
    read_by_any,
    read_by_chunked,
    read_by_chunks,
    read_by_lines,
    read_by_exactly,
    read_by_until,
    read_nowait,
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("size", [1, 1000, MIB])
async def test_every_reader_gives_the_content(read: Callable[[StreamReader], Awaitable[bytes]], size: int) -> None:
    stream = whole(LINES, size)
    assert await read(stream) == LINES
    assert await stream.read() == b""
    assert stream.at_eof()
    assert stream.total_bytes == len(LINES)


async def test_readers_wait_for_the_client() -> None:
    encoded = gzip.compress(LINES)
    raw = Stream(encoded[:100])
    stream = decoded(raw)
    task = asyncio.ensure_future(stream.read())
    while not stream.waiting:
        await asyncio.sleep(0)
    assert raw.waiting
    assert not stream.is_eof()
    raw.feed_data(encoded[100:])
    raw.feed_eof(((b"Checksum", b"1"),))
    assert await task == LINES
    assert stream.trailers == ((b"Checksum", b"1"),)


async def test_the_end_is_known_with_the_last_byte() -> None:
    stream = whole(b"abc")
    assert stream.is_eof()
    assert not stream.at_eof()
    assert await stream.readexactly(3) == b"abc"
    assert stream.at_eof()


async def test_wait_eof_waits_for_the_client_and_takes_nothing() -> None:
    raw = Stream(gzip.compress(b"abc"))
    stream = decoded(raw)
    task = asyncio.ensure_future(stream.wait_eof())
    while not raw.waiting:
        await asyncio.sleep(0)
    raw.feed_eof()
    await task
    assert await stream.read() == b"abc"


async def test_no_content_at_all_is_none() -> None:
    assert await decoded(Stream(eof=True)).read() == b""


async def test_content_is_invited_when_a_reader_waits() -> None:
    raw, told = Stream(), []
    raw.on_first_wait = lambda: told.append(True)
    task = asyncio.ensure_future(decoded(raw).read(1))
    while not raw.waiting:
        await asyncio.sleep(0)
    assert told == [True]
    raw.feed_data(gzip.compress(b"abc"))
    assert await task == b"a"


async def test_one_task_reads_at_a_time() -> None:
    raw = Stream()
    stream = decoded(raw)
    task = asyncio.ensure_future(stream.read())
    while not raw.waiting:
        await asyncio.sleep(0)
    for read in (stream.readany, stream.skip):
        with pytest.raises(RuntimeError, match="another task waits"):
            await read()
    with pytest.raises(RuntimeError, match="another task waits"):
        stream.read_nowait()
    raw.feed_data(gzip.compress(b"abc"))
    raw.feed_eof()
    assert await task == b"abc"


async def test_a_reader_that_is_cancelled_has_taken_nothing() -> None:
    encoded = gzip.compress(LINES)
    raw = Stream()
    stream = decoded(raw)
    for at in range(0, len(encoded), 5000):
        task = asyncio.ensure_future(stream.read())
        raw.feed_data(encoded[at : at + 5000])
        for _ in range(at % 7):  # now in its waiting for the client, now between two steps
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    raw.feed_eof()
    assert await stream.read() == LINES


async def test_read_nowait_gives_nothing_where_it_had_to_wait() -> None:
    raw = Stream()
    stream = decoded(raw)
    assert stream.read_nowait() == b""
    encoded = gzip.compress(LINES)
    raw.feed_data(encoded[:20_000])
    assert LINES.startswith(first := stream.read_nowait())
    raw.feed_data(encoded[20_000:])
    raw.feed_eof()
    assert first + await stream.read() == LINES


# -- back-pressure and bounds ------------------------------------------------------------------------------------------


async def test_nothing_is_decoded_before_somebody_reads() -> None:
    raw = Stream(gzip.compress(NOISE), limit=1000, eof=True)
    stream = decoded(raw)
    await asyncio.sleep(0)
    assert (stream.total_bytes, raw.full, raw.resumed) == (0, True, 0)
    await stream.read(1)
    assert 0 < stream.total_bytes <= STEP
    assert raw.resumed == 1


async def test_a_slow_reader_pauses_the_client() -> None:
    encoded = gzip.compress(NOISE)
    raw = Stream(limit=10_000)
    stream = decoded(raw)
    raw.feed_data(encoded[:50_000])
    await stream.read(1)
    assert raw.feed_data(encoded[50_000:60_000]) is False
    assert raw.feed_data(encoded[60_000:90_000]) is True
    while stream.total_bytes < 50_000 - 100:
        await stream.readany()
    assert raw.full, "what is decoded already comes first"


async def test_decoding_much_from_little_lets_the_others_have_their_turn() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(others())
    assert len(await decoded(Stream(gzip.compress(bytes(MIB)), eof=True)).read()) == MIB
    task.cancel()
    assert turns >= MIB // STEP - 1


async def test_collect_takes_no_more_than_a_step_beyond_its_measure() -> None:
    stream = decoded(Stream(gzip.compress(bytes(10 * MIB)), eof=True), limits=Limits(decoding_ratio=0))
    with pytest.raises(BodyTooLarge) as caught:
        await stream.collect(MIB)
    assert MIB < caught.value.actual_size <= MIB + STEP
    stream = whole(bytes(MIB))
    assert await stream.collect(MIB) == bytes(MIB)


async def test_a_bomb_breaks_the_stream() -> None:
    stream = decoded(Stream(gzip.compress(bytes(10 * MIB)), eof=True))
    seen = 0
    with pytest.raises(DecodedTooLarge):
        while piece := await stream.readany():
            seen += len(piece)
    assert seen < 3 * MIB


async def test_what_is_skipped_is_not_decoded() -> None:
    stream = decoded(Stream(gzip.compress(LINES), eof=True))
    assert await stream.read(10) == LINES[:10]
    before = stream.total_bytes
    await stream.skip()
    assert stream.at_eof()
    assert await stream.read() == b""
    assert stream.total_bytes == before


async def test_broken_content_can_be_skipped() -> None:
    stream = decoded(Stream(b"this is not gzip", eof=True))
    await stream.skip()


# -- trouble -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [gzip.compress(LINES)[:-1], gzip.compress(LINES) + b"more", b"no gzip"])
async def test_broken_content_breaks_every_reader_for_ever(content: bytes) -> None:
    stream = decoded(Stream(content, eof=True))
    for read in (stream.read, stream.readany, stream.readline):
        with pytest.raises(BadCoding):
            await read()
    with pytest.raises(BadCoding):
        stream.read_nowait()
    assert isinstance(stream.exception(), BadCoding)
    assert not stream.at_eof()


async def test_a_client_that_goes_breaks_the_stream() -> None:
    raw = Stream(gzip.compress(LINES)[:50])
    stream = decoded(raw)
    assert stream.exception() is None
    raw.set_exception(gone := BodyInterrupted("gone"))
    assert stream.exception() is gone
    for read in (stream.read, stream.readany, stream.wait_eof, stream.skip):
        with pytest.raises(BodyInterrupted):
            await read()
    with pytest.raises(BodyInterrupted):
        stream.read_nowait()


async def test_a_client_that_goes_wakes_who_waits() -> None:
    raw = Stream()
    stream = decoded(raw)
    task = asyncio.ensure_future(stream.read())
    while not raw.waiting:
        await asyncio.sleep(0)
    raw.set_exception(BodyInterrupted("gone"))
    with pytest.raises(BodyInterrupted):
        await task


# -- the choice --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"Host: a\r\n",
        b"Content-Encoding: identity\r\n",
        b"Content-Encoding:\r\n",
        b"X-Content-Encoding: gzip\r\n",
        b"X-Note: content-encoding: gzip\r\n",
    ],
)
async def test_plain_content_stays_as_it_is(fields: bytes) -> None:
    stream = Stream()
    assert undo_codings(stream, FieldSection(raw=fields + b"\r\n"), Limits()) is stream


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        (b"Content-Encoding: gzip\r\n", gzip.compress(LINES)),
        (b"Host: a\r\ncontent-encoding:GZIP\r\n", gzip.compress(LINES)),
        (b"Content-Encoding: gzip, gzip\r\n", gzip.compress(gzip.compress(LINES))),
        (b"Content-Encoding: gzip\r\nHost: a\r\nContent-Encoding: x-gzip\r\n", gzip.compress(gzip.compress(LINES))),
    ],
)
async def test_encoded_content_is_decoded(fields: bytes, content: bytes) -> None:
    stream = undo_codings(Stream(content, eof=True), FieldSection(raw=fields + b"\r\n"), Limits())
    assert await stream.read() == LINES


async def test_an_unknown_coding_breaks_the_stream_before_the_client_is_invited() -> None:
    raw = Stream()
    raw.on_first_wait = lambda: pytest.fail("nobody can read it")
    stream = undo_codings(raw, FieldSection(raw=b"Content-Encoding: quux\r\n\r\n"), Limits())
    with pytest.raises(UnknownCoding):
        await stream.read()
    with pytest.raises(UnknownCoding):
        stream.read_nowait()
    raw.feed_data(b"whatever")
    raw.feed_eof()
    await stream.skip()
