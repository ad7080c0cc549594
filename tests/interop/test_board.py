"""The board as programs use it: what a browser does, done by curl, aiohttp and httpx."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from websockets.asyncio.client import connect

from examples.board.application import create_app
from examples.board.settings import Settings
from tests.conftest import PATIENCE, Address, Serve
from tests.interop.clients import Aiohttp, Client, Curl, Httpx, find_program
from tests.interop.media import make_webm

VIDEO = make_webm(12, 100_000)
"""Above 1 MiB, where curl asks before it sends."""
TEXT = {"author": "Ann Lee", "text": "Look: Привет"}


@pytest.fixture
async def address(serve: Serve) -> Address:
    return await serve(create_app(Settings(database=":memory:")))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.webm"
    path.write_bytes(VIDEO)
    return path


async def curl_posts(url: str, video: Path) -> int:
    async with Curl(video.parent) as curl:
        assert isinstance(curl, Curl)
        options = ("-F", f"author={TEXT['author']}", "-F", f"text={TEXT['text']}", "-F", f"picture=@{video}")
        reply, heads = await curl.fetch(f"{url}/new", *options, "--expect100-timeout", "60")
        assert heads[0] == b"HTTP/1.1 100 Continue"
        return reply.status


async def aiohttp_posts(url: str, video: Path) -> int:
    form = aiohttp.FormData(TEXT)
    form.add_field("picture", io.BytesIO(VIDEO), filename=video.name)
    async with Aiohttp(video.parent) as client:
        assert isinstance(client, Aiohttp)
        return (await client.send("POST", f"{url}/new", data=form, allow_redirects=False)).status


async def httpx_posts(url: str, video: Path) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{url}/new", data=TEXT, files={"picture": (video.name, VIDEO)})
        return answer.status_code


Posts = Callable[[str, Path], Awaitable[int]]


@pytest.mark.parametrize("posts", [curl_posts, aiohttp_posts, httpx_posts])
async def test_a_video_is_posted_and_fetched_in_ranges(address: Address, video: Path, posts: Posts) -> None:
    assert await posts(address.url, video) == 303
    fetching: list[type[Client]] = [Curl, Aiohttp, Httpx]
    for kind in fetching:
        async with kind(video.parent) as client:
            message = json.loads((await client.request("GET", f"{address.url}/api/messages/2")).body)
            assert {name: message[name] for name in TEXT} == TEXT
            url = address.url + message["picture"]
            whole = await client.request("GET", url)
            assert (whole.status, whole.headers["Content-Type"]) == (200, "video/webm")
            assert whole.body == VIDEO
            part = await client.request(
                "GET", url, headers={"Range": "bytes=100000-", "If-Range": whole.headers["ETag"]}
            )
            assert (part.status, part.body) == (206, VIDEO[100_000:])


async def test_curl_goes_on_with_a_download_that_was_broken_off(address: Address, video: Path, tmp_path: Path) -> None:
    await httpx_posts(address.url, video)
    async with Curl(tmp_path) as curl:
        assert isinstance(curl, Curl)
        message = json.loads(await curl.curl(f"{address.url}/api/messages/2"))
        begun = tmp_path / "begun"
        begun.write_bytes(VIDEO[:5000])
        await curl.curl(address.url + message["picture"], "--continue-at", "-", "--output", begun)
        assert begun.read_bytes() == VIDEO
        assert await curl.curl(address.url + message["picture"], "--range", "7-9") == VIDEO[7:10]


async def test_curl_hears_news_at_once(address: Address) -> None:
    command = [find_program("curl"), "-q", "-sSN", "--noproxy", "*", "--max-time", str(PATIENCE), f"{address.url}/news"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"retry: 2000\n"
        async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
            await client.post("/new", data=TEXT)
        assert await process.stdout.readline() == b"\n"
        assert await process.stdout.readline() == b"id: 2\n"
        card = json.loads((await process.stdout.readline()).removeprefix(b"data: "))["card"]
        assert TEXT["text"] in card
    finally:
        process.kill()
        await process.communicate()


async def test_aiohttp_and_websockets_chat(address: Address) -> None:
    async def hear(messages: AsyncIterator[Any]) -> Any:
        """The next line."""
        async for message in messages:
            news = json.loads(getattr(message, "data", message))
            if news["kind"] == "line":
                return news["line"]["text"]

    url = f"{address.url}/chat/socket"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, compress=15, origin=address.url) as ann,
        connect(url.replace("http", "ws"), proxy=None) as bob,
    ):
        for number in range(3):
            await ann.send_json({"author": "Ann", "text": f"aiohttp {number}"})
            assert await hear(ann) == await hear(bob) == f"aiohttp {number}"
            await bob.send(json.dumps({"author": "Bob", "text": f"websockets {number}"}))
            assert await hear(ann) == await hear(bob) == f"websockets {number}"
