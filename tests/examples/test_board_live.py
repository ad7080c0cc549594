"""What is live on the board: new messages by server-sent events, and the chat on WebSockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.conftest import PATIENCE, Address

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def address(serve: Any, app: Any) -> Address:
    address: Address = await serve(app)
    return address


@pytest.fixture
async def client(address: Address) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, timeout=PATIENCE) as client:
        yield client


async def post(client: httpx.AsyncClient, text: str, author: str = "Ann") -> None:
    assert (await client.post("/api/messages", json={"author": author, "text": text})).status_code == 201


# -- news ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Event:
    id: str
    card: str
    count: str


class News:
    """The messages in a stream of events, taken apart as a browser does it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Event:
        fields: dict[str, str] = {}
        while True:
            line = (await asyncio.wait_for(self.response.content.readline(), PATIENCE)).decode()
            assert line.endswith("\n"), "the stream has ended"
            name, _, value = line.strip().partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                return Event(fields["id"], **json.loads(fields["data"]))


Listen = Callable[..., Awaitable[News]]


@pytest.fixture
async def listen(address: Address) -> AsyncIterator[Listen]:
    """`await listen(...)`: news, with options of aiohttp."""
    async with aiohttp.ClientSession(address.url) as session, AsyncExitStack() as stack:

        async def start(**options: Any) -> News:
            return News(await stack.enter_async_context(session.get("/news", **options)))

        yield start


async def test_a_new_message_is_told_as_it_stands_in_the_list(client: httpx.AsyncClient, listen: Listen) -> None:
    news = await listen()
    assert news.response.headers["Content-Type"] == "text/event-stream"
    await post(client, "<b>Hello</b>")
    event = await news.next()
    assert (event.id, event.count) == ("2", "2 messages")
    assert "&lt;b&gt;Hello&lt;/b&gt;" in event.card
    assert event.card.strip() in (await client.get("/")).text


async def test_a_page_says_from_where_on_it_wants_news(client: httpx.AsyncClient, listen: Listen) -> None:
    await post(client, "two")
    page = (await client.get("/")).text
    assert 'data-news="/news" data-newest="2"' in page
    await post(client, "three")  # between the page and its script
    news = await listen(params={"after": "2"})
    assert (await news.next()).id == "3"


async def test_whoever_comes_back_gets_all_that_was_missed_in_order(client: httpx.AsyncClient, listen: Listen) -> None:
    for number in range(2, 125):  # more than are read at once
        await post(client, f"note {number}")
    news = await listen(params={"after": "120"}, headers={"Last-Event-ID": "3"})
    got = [int((await news.next()).id) for _ in range(4, 125)]
    await post(client, "and on")
    got.append(int((await news.next()).id))
    assert got == list(range(4, 126))


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "9" * 19])
async def test_a_number_that_is_none_means_from_now_on(client: httpx.AsyncClient, listen: Listen, number: str) -> None:
    news = await listen(params={"after": number}, headers={"Last-Event-ID": number})
    await post(client, "new")
    assert (await news.next()).id == "2"


async def test_only_the_first_page_is_told_news(client: httpx.AsyncClient) -> None:
    for number in range(10):
        await post(client, f"note {number}")
    assert "data-news" in (await client.get("/")).text
    second = (await client.get("/?page=2")).text
    assert "data-news" not in second
    assert "live.js" not in second


# -- chat ----------------------------------------------------------------------------------------------------------


class Guest:
    """Somebody in the chat."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, author: str, text: str) -> None:
        await self.socket.send(json.dumps({"author": author, "text": text}))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next news of a kind; others are passed by."""
        while True:
            news: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            if news["kind"] == kind:
                return news


Enter = Callable[..., Awaitable[Guest]]


@pytest.fixture
async def enter(address: Address) -> AsyncIterator[Enter]:
    """`await enter()`: one more guest."""
    async with AsyncExitStack() as stack:

        async def come(**options: Any) -> Guest:
            url = f"ws://{address.host}:{address.port}/chat/socket"
            return Guest(await stack.enter_async_context(connect(url, proxy=None, **options)))

        yield come


async def test_what_one_says_all_hear(enter: Enter) -> None:
    ann, bob = await enter(), await enter()
    await ann.say(" Ann ", "Hello <b>")
    for guest in (ann, bob):
        line = (await guest.hear("line"))["line"]
        assert (line["author"], line["text"]) == ("Ann", "Hello <b>")
    await bob.say("Bob", "مرحبا 🎉")
    assert (await ann.hear("line"))["line"]["text"] == "مرحبا 🎉"


async def test_who_comes_and_goes_is_counted(enter: Enter) -> None:
    ann = await enter()
    assert (await ann.hear("people"))["count"] == 1
    bob = await enter()
    assert (await ann.hear("people"))["count"] == 2
    bob.socket.transport.abort()
    assert (await ann.hear("people"))["count"] == 1


async def test_who_comes_later_gets_the_last_lines(enter: Enter) -> None:
    ann = await enter()
    assert (await ann.hear("history"))["lines"] == []
    for number in range(60):
        await ann.say("Ann", f"line {number}")
        await ann.hear("line")
    bob = await enter()
    lines = (await bob.hear("history"))["lines"]
    assert [line["text"] for line in lines] == [f"line {number}" for number in range(10, 60)]


@pytest.mark.parametrize(
    ("author", "text", "problem"),
    [
        ("", "Hello", "Please enter a name."),
        ("Ann", "", "Please write something."),
        ("Ann", "a" * 2001, "At most 2000 characters, please; these are 2001."),
        ("a" * 41, "a\0", "At most 40 characters, please; these are 41. It holds characters that are not text."),
    ],
)
async def test_what_is_wrong_is_told_to_who_said_it_alone(enter: Enter, author: str, text: str, problem: str) -> None:
    ann, bob = await enter(), await enter()
    await ann.say(author, text)
    assert (await ann.hear("problem"))["text"] == problem
    await ann.say("Ann", "again")
    assert (await bob.hear("line"))["line"]["text"] == "again"  # the first that bob hears


@pytest.mark.parametrize("data", ["", "no JSON", "[]", "1", b"\xff", "[" * 10_000], ids=repr)
async def test_what_is_no_object_closes_the_socket_of_its_sender(enter: Enter, data: str | bytes) -> None:
    ann, bob = await enter(), await enter()
    await ann.socket.send(data)
    with pytest.raises(ConnectionClosed) as caught:
        await ann.hear("never")
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1003, "a JSON object is expected")
    await bob.say("Bob", "I am still here")
    assert (await bob.hear("line"))["line"]["author"] == "Bob"


async def test_too_much_at_once_closes_the_socket(enter: Enter) -> None:
    ann = await enter()
    await ann.say("Ann", "a" * 20_000)
    with pytest.raises(ConnectionClosed) as caught:
        await ann.hear("never")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


async def test_a_page_of_another_site_gets_no_socket(enter: Enter, address: Address) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await enter(origin="https://evil.example")
    assert caught.value.response.status_code == 403
    assert await enter(origin=address.url)


async def test_the_page_knows_who_posted_last_and_where_the_socket_is(client: httpx.AsyncClient) -> None:
    await client.post("/new", data={"author": 'A "B"', "text": "Hello"})
    page = (await client.get("/chat")).text
    assert 'value="A &quot;B&quot;"' in page
    assert 'data-socket="/chat/socket"' in page
    assert (await client.get("/chat/socket")).status_code == 400


# -- the program ---------------------------------------------------------------------------------------------------


async def test_ctrl_c_ends_the_program_while_pages_listen_and_chat(tmp_path: Path) -> None:
    environment = {**os.environ, "BOARD_DATABASE": str(tmp_path / "board.sqlite3"), "BOARD_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "examples.board"),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        first = await asyncio.wait_for(process.stdout.readline(), 2 * PATIENCE)
        url = first.split()[-2].decode()
        async with (
            aiohttp.ClientSession(url) as session,
            session.get("/news") as response,
            connect(f"{url.replace('http', 'ws')}/chat/socket", proxy=None) as socket,
        ):
            process.send_signal(signal.SIGINT)
            assert "retry: 2000" in await response.text()  # it ends in order
            await asyncio.wait_for(socket.wait_closed(), PATIENCE)
            assert socket.close_code == 1001
        _, log = await asyncio.wait_for(process.communicate(), 2 * PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert "Traceback" not in log.decode()
