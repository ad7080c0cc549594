"""TestResponse: content all at once and as it comes; each test in memory and on a socket."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb import web
from aioweb.testing import TestClient
from aioweb.testing.eventstream import read_events, read_lines
from tests.testing.served import Room


async def test_a_stream_is_read_while_it_comes(client: TestClient, room: Room) -> None:
    async with client.get("/stream") as answer:
        pieces = answer.iter_any()
        assert await anext(pieces) == "one ä\n".encode()
        room.gate.set()
        assert [piece async for piece in pieces] == [b"two\n"]


async def test_lines_are_read_while_they_come(client: TestClient, room: Room) -> None:
    async with client.get("/stream") as answer:
        lines = answer.iter_lines()
        assert await anext(lines) == "one ä"
        room.gate.set()
        assert [line async for line in lines] == ["two"]


async def test_content_is_cut_into_chunks(client: TestClient, room: Room) -> None:
    room.gate.set()
    async with client.get("/stream") as answer:
        assert [piece async for piece in answer.iter_chunked(4)] == [b"one ", b"\xc3\xa4\nt", b"wo\n"]


async def test_content_is_kept(client: TestClient, room: Room) -> None:
    room.gate.set()
    answer = await client.get("/stream")
    assert await answer.text() == await answer.text() == "one ä\ntwo\n"


async def test_who_does_not_read_makes_the_server_wait(client: TestClient, room: Room) -> None:
    async with client.get("/flood") as answer:
        pieces = answer.iter_chunked(65536)
        await anext(pieces)
        assert room.sent < 12 * 2**20
        assert sum([len(piece) async for piece in pieces]) == 255 * 65536
        assert room.sent == 2**24


async def test_events_are_read_while_they_come(client: TestClient, room: Room) -> None:
    async with client.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        events = answer.events()
        assert await anext(events) == web.ServerSentEvent("first\nlines", event="news", id="1", retry=500)
        room.gate.set()
        assert [event async for event in events] == [web.ServerSentEvent("last")]


async def test_comments_are_given_if_they_are_wanted(client: TestClient, room: Room) -> None:
    room.gate.set()
    async with client.get("/events") as answer:
        comments = [event.comment async for event in answer.events(comments=True)]
    assert comments == [None, "still here", None]


async def test_a_client_that_goes_ends_the_events(client: TestClient) -> None:
    async with client.get("/events") as answer:
        await anext(answer.events())
    assert answer.httpx.is_closed


async def test_an_answer_is_released_by_with(client: TestClient) -> None:
    async with await client.get("/stream") as answer:
        assert not answer.httpx.is_closed
    assert answer.httpx.is_closed


@pytest.mark.parametrize("release", ["release", "close"])
async def test_what_was_released_cannot_be_read(release: str, client: TestClient) -> None:
    answer = await client.get("/stream")
    await getattr(answer, release)()
    with pytest.raises(httpx.StreamError):
        await answer.read()


async def answer_of(aioweb_client: Any, response: web.Response) -> Any:
    async def handler(request: web.BaseRequest) -> web.Response:
        return response

    from aioweb.testing import RawTestServer

    return await (await aioweb_client(RawTestServer(handler))).get("/")


async def test_what_a_head_says_is_read(aioweb_client: Any) -> None:
    answer = await answer_of(aioweb_client, web.Response(text="ä", charset="latin-1", content_type="text/x-a"))
    assert (answer.content_type, answer.charset, answer.content_length) == ("text/x-a", "latin-1", 1)
    assert await answer.text() == "ä"
    assert await answer.text("utf-8", "replace") == "\ufffd"
    assert answer.raise_for_status() is None


async def test_a_head_may_say_nothing(aioweb_client: Any) -> None:
    answer = await answer_of(aioweb_client, web.Response(status=404))
    assert (answer.content_type, answer.charset, answer.ok) == ("application/octet-stream", None, False)
    with pytest.raises(httpx.HTTPStatusError):
        answer.raise_for_status()


async def test_a_content_coding_is_undone(aioweb_client: Any) -> None:
    coded = web.Response(body=gzip.compress(b"text"), headers={"Content-Encoding": "gzip"})
    answer = await answer_of(aioweb_client, coded)
    assert await answer.read() == b"text"


async def test_json_is_read_by_what_is_given(aioweb_client: Any) -> None:
    answer = await answer_of(aioweb_client, web.Response(text="[1]"))
    assert await answer.json() == [1]
    assert await answer.json(loads=len) == 3


# -- event streams -------------------------------------------------------------------------------------------------


async def cut(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        ("data: a\n\n", [web.ServerSentEvent("a")]),
        ("\ufeffdata: a\r\n\r\ndata:b\r\rdata: c\n\n", [web.ServerSentEvent(text) for text in "abc"]),
        ("data\n\n", [web.ServerSentEvent("")]),
        ("data: a\u2028b\x85\x0b\n\n", [web.ServerSentEvent("a\u2028b\x85\x0b")]),
        ("data:  a\ndata\ndata: b\n\n", [web.ServerSentEvent(" a\n\nb")]),
        ("id: 7\nretry: 5\nretry: x\nid: \0\nother: z\n\n", [web.ServerSentEvent(id="7", retry=5)]),
        ("other: z\n\n: comment\n\n\n\n", []),
        ("data: not complete\n", []),
        ("data: nor this", []),
        ("", []),
    ],
)
async def test_a_stream_of_events_is_read(stream: str, events: list[web.ServerSentEvent], size: int) -> None:
    assert [event async for event in read_events(cut(stream.encode(), size))] == events


@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))),
    end=st.sampled_from(["\n", "\r", "\r\n"]),
    size=st.integers(1, 20),
)
async def test_lines_are_the_same_however_they_are_cut(lines: list[str], end: str, size: int) -> None:
    content = "".join(line + end for line in lines).encode()
    assert [line async for line in read_lines(cut(content, size))] == lines
