"""The content stream: what readers get, when the transport pauses, and what happens to readers in trouble."""

from __future__ import annotations

import asyncio

import pytest

from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.stream import (
    EMPTY_BODY,
    MAX_LINE,
    BodyError,
    BodyInterrupted,
    BodyTimeout,
    BodyTooLarge,
    StreamReader,
)
from tests.server.fake_connection import Stream, start

# -- what readers get --------------------------------------------------------------------------------------------------


async def test_read_takes_up_to_n_bytes_over_the_borders_of_pieces() -> None:
    stream = Stream(b"abc", b"def", eof=True)
    assert [await stream.read(2), await stream.read(3), await stream.read(9), await stream.read(9)] == [
        b"ab",
        b"cde",
        b"f",
        b"",
    ]


async def test_read_without_a_number_waits_for_the_end() -> None:
    stream = Stream(b"abc")
    task = await start(stream, stream.read())
    stream.feed_data(b"def")
    stream.feed_eof()
    assert await task == b"abcdef"
    assert await stream.read() == b""


async def test_read_of_nothing_takes_nothing_and_does_not_wait() -> None:
    assert await Stream().read(0) == b""


async def test_readany_takes_what_is_there() -> None:
    stream = Stream(b"abc", b"def")
    assert await stream.readany() == b"abcdef"
    task = await start(stream, stream.readany())
    stream.feed_data(b"g")
    stream.feed_data(b"h")  # before the reader runs
    assert await task == b"gh"


async def test_a_piece_that_is_read_whole_is_not_copied() -> None:
    piece = bytes(5000)
    assert await Stream(piece).readany() is piece
    assert (await Stream(piece, piece).readchunk())[0] is piece
    assert await Stream(piece, eof=True).read() is piece


async def test_readexactly_waits_for_all_of_it() -> None:
    stream = Stream(b"abc")
    task = await start(stream, stream.readexactly(5))
    stream.feed_data(b"d")
    await asyncio.sleep(0)
    assert not task.done()
    stream.feed_data(b"ef")
    assert await task == b"abcde"
    assert stream.read_nowait() == b"f"


async def test_readexactly_tells_what_there_was_when_the_body_is_too_short() -> None:
    stream = Stream(b"abc", eof=True)
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await stream.readexactly(5)
    assert (caught.value.partial, caught.value.expected) == (b"abc", 5)


@pytest.mark.parametrize("n", [0, -1])
async def test_readexactly_of_no_bytes_is_nothing_and_of_less_an_error(n: int) -> None:
    if n == 0:
        assert await Stream().readexactly(n) == b""
    else:
        with pytest.raises(ValueError, match="-1"):
            await Stream().readexactly(n)


async def test_readline_gives_lines_with_their_ends_and_then_the_rest() -> None:
    stream = Stream(b"one\ntw", b"o", b"\n\nrest", eof=True)
    assert [line async for line in stream] == [b"one\n", b"two\n", b"\n", b"rest"]


async def test_readuntil_finds_a_separator_that_arrives_octet_by_octet() -> None:
    stream = Stream(b"-")
    task = await start(stream, stream.readuntil(b"--end"))
    for octet in (b"-", b"-", b"e", b"n", b"d", b"!"):
        stream.feed_data(octet)
        await asyncio.sleep(0)
    assert await asyncio.wait_for(task, 1) == b"---end"
    assert stream.read_nowait() == b"!"


async def test_the_search_goes_on_where_the_separator_may_have_begun() -> None:
    stream = Stream(b"x" * 3000, b"\r")
    task = await start(stream, stream.readuntil(b"\r\n"))
    stream.feed_data(b"\n")
    assert await asyncio.wait_for(task, 1) == b"x" * 3000 + b"\r\n"


async def test_readuntil_needs_a_separator() -> None:
    with pytest.raises(ValueError, match="separator"):
        await Stream().readuntil(b"")


@pytest.mark.parametrize("pieces", [1, 7, 4096])
@pytest.mark.parametrize(("size", "fits"), [(MAX_LINE - 1, True), (MAX_LINE, False)])
async def test_a_line_is_bounded_with_its_end_counted(size: int, fits: bool, pieces: int) -> None:
    line = b"x" * size + b"\n"
    stream = Stream(*(line[i : i + pieces] for i in range(0, len(line), pieces)), b"next\n", eof=True)
    if fits:
        assert await stream.readline() == line
        assert await stream.readline() == b"next\n"
    else:
        with pytest.raises(ValueError, match="Chunk too big"):
            await stream.readline()
        assert await stream.read() == line + b"next\n"


async def test_a_line_that_never_ends_is_refused_while_it_arrives() -> None:
    stream = Stream(limit=8)
    task = await start(stream, stream.readline(max_line_length=100))
    fed = 0
    while not task.done():
        stream.feed_data(b"x" * 7)
        fed += 7
        await asyncio.sleep(0)
        assert fed < 130
    with pytest.raises(ValueError, match="within 100 bytes"):
        await task


async def test_the_rest_without_a_separator_may_be_as_long_as_the_limit() -> None:
    assert await Stream(b"x" * 10, eof=True).readuntil(b"\n", max_size=10) == b"x" * 10


async def test_readchunk_gives_the_pieces_and_never_an_end_of_chunk() -> None:
    stream = Stream(b"a" * 2000, b"b" * 3000, eof=True)
    assert await stream.read(1) == b"a"
    assert [piece async for piece in stream.iter_chunks()] == [(b"a" * 1999, False), (b"b" * 3000, False)]
    assert await stream.readchunk() == (b"", False)


async def test_iterators_give_all_of_the_body() -> None:
    assert [piece async for piece in Stream(b"abc", b"defg", eof=True).iter_chunked(3)] == [b"abc", b"def", b"g"]
    assert [piece async for piece in Stream(b"abc", b"defg", eof=True).iter_any()] == [b"abcdefg"]
    with pytest.raises(ValueError, match="above 0"):
        Stream().iter_chunked(0)


async def test_read_nowait_never_waits() -> None:
    stream = Stream(b"abc")
    assert [stream.read_nowait(2), stream.read_nowait(), stream.read_nowait()] == [b"ab", b"c", b""]
    task = await start(stream, stream.read())
    with pytest.raises(RuntimeError, match="another task"):
        stream.read_nowait()
    stream.feed_eof()
    assert await task == b""


async def test_unread_data_puts_back_what_was_read() -> None:
    stream = Stream(b"abc", b"def" * 1000, eof=True)
    assert await stream.read(2) == b"ab"
    stream.unread_data(b"ab")
    assert await stream.read(5) == b"abcde"
    stream.unread_data(b"e")
    stream.unread_data(b"")
    assert await stream.readexactly(3) == b"efd"
    stream.unread_data(b"d")
    stream.unread_data(b"ef")
    assert await stream.readexactly(3) == b"efd"
    assert stream.total_bytes == 3003
    with pytest.raises(ValueError, match="8 bytes, and 7 were read"):
        stream.unread_data(b"x" * 8)
    with pytest.raises(ValueError, match="0 were read"):
        EMPTY_BODY.unread_data(b"x")
    EMPTY_BODY.unread_data(b"")


async def test_unread_data_after_an_exception_is_dropped() -> None:
    stream = Stream(b"abc")
    await stream.read(1)
    stream.set_exception(BodyTimeout())
    stream.unread_data(b"a")
    with pytest.raises(BodyTimeout):
        stream.read_nowait()


@pytest.mark.parametrize("limit", [0, -1, 6])
async def test_collect_gives_all_of_a_body_within_the_limit(limit: int) -> None:
    assert await Stream(b"abc", b"def", eof=True).collect(limit) == b"abcdef"


async def test_collect_gives_up_as_soon_as_the_limit_is_passed_and_takes_nothing() -> None:
    stream = Stream(b"abc")
    task = await start(stream, stream.collect(5))
    stream.feed_data(b"de")
    await asyncio.sleep(0)
    assert not task.done()
    stream.feed_data(b"f")  # no end yet
    with pytest.raises(BodyTooLarge) as caught:
        await task
    assert (caught.value.max_size, caught.value.actual_size, caught.value.status) == (5, 6, 413)
    assert stream.read_nowait() == b"abcdef"


async def test_skip_drops_everything() -> None:
    stream = Stream(b"a" * 10, limit=4)
    task = await start(stream, stream.skip())
    stream.feed_eof()
    await task
    assert stream.at_eof()
    assert stream.resumed == 1


async def test_questions_about_the_end() -> None:
    stream = Stream(b"abc")
    assert (stream.is_eof(), stream.at_eof(), stream.total_bytes, stream.trailers) == (False, False, 3, ())
    stream.feed_eof(((b"Digest", b"x"),))
    assert (stream.is_eof(), stream.at_eof(), stream.trailers) == (True, False, ((b"Digest", b"x"),))
    assert stream.read_nowait() == b"abc"
    assert (stream.at_eof(), stream.total_bytes) == (True, 3)
    assert repr(stream) == "<Stream ended, 0 of 3 bytes buffered>"


async def test_wait_eof_waits_beside_a_reader_and_takes_nothing() -> None:
    stream = Stream(b"abc")
    end = await start(stream, stream.wait_eof())
    assert await stream.read(1) == b"a"
    with pytest.raises(RuntimeError, match="end of this body"):
        await stream.wait_eof()
    stream.feed_eof()
    await end
    assert stream.read_nowait() == b"bc"


@pytest.mark.parametrize("reader", ["read", "readany", "readline", "readchunk", "wait_eof", "collect", "skip"])
async def test_the_first_who_has_to_wait_is_told_of_once(reader: str) -> None:
    told: list[str] = []
    stream = Stream()
    stream.on_first_wait = lambda: told.append("waits")
    task = await start(stream, getattr(stream, reader)())
    assert told == ["waits"]
    stream.feed_data(b"a")
    await asyncio.sleep(0)
    stream.feed_eof()
    await task
    await stream.read()
    assert told == ["waits"]


async def test_nobody_is_told_of_who_need_not_wait() -> None:
    told: list[str] = []
    stream = Stream(b"abc\n", b"def" * 1000, eof=True)
    stream.on_first_wait = lambda: told.append("waits")
    assert (await stream.readline(), len(await stream.read())) == (b"abc\n", 3000)
    await stream.wait_eof()
    assert told == []


async def test_data_after_the_end_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(RuntimeError, match="after feed_eof"):
        Stream(eof=True).feed_data(b"x")


# -- the empty body ----------------------------------------------------------------------------------------------------


async def test_the_empty_body_is_at_its_end() -> None:
    body = EMPTY_BODY
    assert await body.read() == await body.read(5) == await body.readany() == await body.readline() == b""
    assert await body.readexactly(0) == await body.collect(1) == body.read_nowait() == b""
    assert await body.readchunk() == (b"", False)
    assert [piece async for piece in body.iter_any()] == []
    await body.wait_eof()
    await body.skip()
    with pytest.raises(asyncio.IncompleteReadError):
        await body.readexactly(1)


async def test_nothing_changes_the_empty_body() -> None:
    EMPTY_BODY.set_exception(BodyTimeout())
    EMPTY_BODY.feed_eof(((b"a", b"b"),))
    with pytest.raises(RuntimeError):
        EMPTY_BODY.feed_data(b"x")
    assert (EMPTY_BODY.exception(), EMPTY_BODY.trailers, EMPTY_BODY.total_bytes) == (None, (), 0)
    assert EMPTY_BODY.at_eof()
    assert repr(EMPTY_BODY) == "<EmptyStreamReader>"


# -- exceptions --------------------------------------------------------------------------------------------------------


async def test_an_exception_wakes_the_reader() -> None:
    stream = Stream(b"abc")
    task = await start(stream, stream.read())
    stream.set_exception(BodyTimeout("slow"))
    with pytest.raises(BodyTimeout, match="slow"):
        await task
    assert isinstance(stream.exception(), BodyTimeout)


@pytest.mark.parametrize("reader", ["read", "readany", "readline", "readchunk", "skip", "wait_eof", "collect"])
async def test_an_exception_wins_over_buffered_data(reader: str) -> None:
    stream = Stream(b"abc\n")
    stream.set_exception(BodyInterrupted("gone"))
    with pytest.raises(BodyInterrupted):
        await getattr(stream, reader)()
    with pytest.raises(BodyInterrupted):
        stream.read_nowait()


async def test_an_exception_wakes_who_waits_for_the_end() -> None:
    stream = Stream()
    end = await start(stream, stream.wait_eof())
    stream.set_exception(BodyInterrupted())
    with pytest.raises(BodyInterrupted):
        await end


async def test_only_the_first_exception_counts_and_what_follows_is_dropped() -> None:
    stream = Stream(b"x" * 10, limit=4)
    stream.set_exception(BodyTimeout("first"))
    stream.set_exception(BodyInterrupted("second"))
    assert stream.feed_data(b"x" * 10) is False, "a connection that drops what comes must not pause"
    stream.feed_eof()
    assert stream.total_bytes == 10
    with pytest.raises(BodyTimeout):
        await stream.read()


async def test_a_complete_body_is_not_spoiled_by_what_happens_later() -> None:
    stream = Stream(b"abc", eof=True)
    stream.set_exception(BodyInterrupted())
    assert await stream.read() == b"abc"
    assert stream.exception() is None


def test_errors_carry_their_answer_and_are_what_callers_expect() -> None:
    assert (BodyTimeout.status, BodyError.status, BodyTooLarge.status) == (408, 400, 413)
    assert issubclass(BodyInterrupted, ClientDisconnectedError)
    assert issubclass(BodyInterrupted, ConnectionResetError)
    assert issubclass(BodyTimeout, TimeoutError)


# -- flow --------------------------------------------------------------------------------------------------------------


async def test_the_stream_is_full_above_its_limit_and_resumes_at_half_of_it() -> None:
    stream = Stream(limit=10)
    assert stream.feed_data(b"x" * 10) is False
    assert stream.feed_data(b"x") is True
    assert stream.full
    stream.read_nowait(5)
    assert (stream.full, stream.resumed) == (True, 0)
    stream.read_nowait(1)
    assert (stream.full, stream.resumed) == (False, 1)
    stream.read_nowait()
    assert stream.resumed == 1


async def test_a_full_stream_stays_full_when_a_little_more_comes_between_limit_and_half() -> None:
    stream = Stream(b"x" * 11, limit=10)
    stream.read_nowait(4)
    assert stream.feed_data(b"x") is True, "the transport is paused, and only resume() ends that"
    stream.read_nowait()
    assert stream.resumed == 1


async def test_a_reader_that_needs_more_than_the_limit_gets_it() -> None:
    stream = Stream(b"x" * 20, limit=10)
    task = await start(stream, stream.readexactly(100))
    assert (stream.full, stream.resumed) == (False, 1)
    assert [stream.feed_data(b"x" * 20) for _ in range(3)] == [False] * 3
    assert stream.feed_data(b"x" * 31) is False, "what was asked for is there, and its reader about to take it"
    assert stream.feed_data(b"x") is True, "the reader did not run in between"
    assert len(await task) == 100
    assert (stream.full, stream.resumed) == (True, 1)
    assert len(stream.read_nowait()) == 12
    assert (stream.full, stream.resumed) == (False, 2)


async def test_a_reader_that_leaves_more_than_the_limit_lets_the_next_arrival_find_the_stream_full() -> None:
    stream = Stream(limit=10)
    task = await start(stream, stream.read(1))
    assert stream.feed_data(b"x" * 50) is False
    assert await task == b"x"
    assert stream.feed_data(b"x") is True


async def test_a_stream_without_resume_can_be_full() -> None:
    stream = StreamReader(1, None, asyncio.get_running_loop())
    assert stream.feed_data(b"abc")
    assert await stream.readany() == b"abc"
    assert not stream.full


async def test_waiting_is_true_only_while_a_reader_waits_for_the_client() -> None:
    stream = Stream(b"x" * 11, limit=10)
    assert not stream.waiting
    end = asyncio.ensure_future(stream.wait_eof())
    await asyncio.sleep(0)
    assert not stream.waiting, "the stream is full: it is not the client who is late"
    stream.read_nowait()
    assert stream.waiting
    stream.feed_eof()
    await end
    assert not stream.waiting


# -- readers in trouble ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["read", "readexactly", "readline", "collect", "readany", "skip"])
async def test_a_cancelled_reader_loses_nothing(reader: str) -> None:
    stream = Stream() if reader in ("readany", "skip") else Stream(b"abc")
    task = await start(stream, getattr(stream, reader)(*[9] * (reader == "readexactly")))
    if reader not in ("readany", "skip"):
        stream.feed_data(b"d")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not stream.waiting
    stream.feed_data(b"ef")
    stream.feed_eof()
    assert await stream.read() == (b"ef" if reader in ("readany", "skip") else b"abcdef")


async def test_a_reader_that_is_cancelled_when_its_data_is_there_leaves_them() -> None:
    stream = Stream()
    task = await start(stream, stream.readany())
    stream.feed_data(b"abc")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.read_nowait() == b"abc"


async def test_a_second_reader_is_refused_and_the_first_one_not_disturbed() -> None:
    stream = Stream()
    task = await start(stream, stream.readany())
    with pytest.raises(RuntimeError, match="another task waits"):
        await stream.read(1)
    stream.feed_data(b"abc")
    assert await task == b"abc"
