"""The content stream and the pieces that it arrives in: they cost little, and mean nothing."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioweb.server.stream import StreamReader
from tests.server.fake_connection import Stream

# -- cost --------------------------------------------------------------------------------------------------------------


async def test_small_pieces_are_gathered() -> None:
    stream = Stream(*(b"ab" for _ in range(10_000)), eof=True)
    pieces = [piece async for piece, _ in stream.iter_chunks()]
    assert b"".join(pieces) == b"ab" * 10_000
    assert len(pieces) < 10


WHOLE = 10**6


def seconds(size: int, piece: int, reader: str) -> float:
    """CPU time to feed a body of that size in pieces, the reader awake after each, and to read it."""

    async def run() -> float:
        stream = Stream(limit=size)
        begin = time.process_time()
        task = asyncio.ensure_future(consume(stream))
        for place in range(0, size, piece):
            stream.feed_data(b"x" * min(piece, size - place))
            await asyncio.sleep(0)
        stream.feed_eof()
        assert await task == size
        return time.process_time() - begin

    async def consume(stream: StreamReader) -> int:
        if reader == "line":
            return len(await stream.readuntil(b"\r\n", max_size=size))
        if reader == "small reads":
            await stream.wait_eof()
            return sum([len(data) async for data in stream.iter_chunked(16)])
        return len(await stream.collect(size))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("piece", "reader"), [(16, "line"), (16, "small reads"), (WHOLE, "small reads"), (16, "everything")]
)
def test_the_cost_is_linear(piece: int, reader: str) -> None:
    small = min(seconds(40_000, piece, reader) for _ in range(3))
    large = min(seconds(320_000, piece, reader) for _ in range(2))
    assert large < 8 * 2.5 * small + 0.02, "quadratic would be 64 times as long"


# -- properties --------------------------------------------------------------------------------------------------------


def split(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for begin, end in itertools.pairwise(places):
        yield data[begin:end]


@settings(deadline=None, max_examples=150)
@given(
    data=st.binary(max_size=60).map(lambda data: data.replace(b"\x00", b"\n")) | st.binary(max_size=4000),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
    limit=st.integers(0, 50),
    orders=st.lists(st.sampled_from(["read", "any", "line", "until", "exactly", "chunk", "cancel"]), max_size=12),
)
def test_any_readers_over_any_pieces_give_the_same_bytes(
    data: bytes, cuts: list[int], limit: int, orders: list[str]
) -> None:
    async def run() -> bytes:
        stream = Stream(limit=limit)

        async def feed() -> None:
            for piece in split(data, cuts):
                while stream.full:
                    await asyncio.sleep(0)
                stream.feed_data(piece)
                await asyncio.sleep(0)
            stream.feed_eof()

        feeder = asyncio.ensure_future(feed())
        got = [await order(stream, name) for name in orders]
        got.append(await stream.read())
        await feeder
        assert stream.at_eof()
        return b"".join(got)

    async def order(stream: StreamReader, name: str) -> bytes:
        if name == "exactly":
            try:
                return await stream.readexactly(7)
            except asyncio.IncompleteReadError as error:
                return error.partial
        if name == "chunk":
            return (await stream.readchunk())[0]
        if name == "cancel":
            task = asyncio.ensure_future(stream.readexactly(9000))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, asyncio.IncompleteReadError)) as caught:
                await task
            return getattr(caught.value, "partial", b"")
        if name == "until":
            return await stream.readuntil(b"\n\n")
        return await {"read": lambda: stream.read(5), "any": stream.readany, "line": stream.readline}[name]()

    assert asyncio.run(run()) == data


@settings(deadline=None)
@given(data=st.text("ab\r\n", max_size=60).map(str.encode), cuts=st.lists(st.integers(0, 60), max_size=12))
def test_lines_do_not_depend_on_the_pieces(data: bytes, cuts: list[int]) -> None:
    async def run() -> list[bytes]:
        stream = Stream(*split(data, cuts), eof=True)
        lines = []
        while line := await stream.readuntil(b"\r\n"):
            lines.append(line)
        return lines

    expected = [line + b"\r\n" for line in data.split(b"\r\n")]
    expected[-1] = expected[-1].removesuffix(b"\r\n")
    assert asyncio.run(run()) == [line for line in expected if line]
