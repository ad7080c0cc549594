"""The board in a browser: headless Chromium uploads, plays, listens and chats, with our scripts and without.

Whatever a page or its policy gets wrong, Chromium says in its console; a test that loses no connection looks there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.board.application import create_app
from examples.board.settings import Settings
from tests.conftest import Address
from tests.interop.chromium import Browser, Tab, run_chromium
from tests.interop.media import make_png, make_webm

SECONDS, PADDING = 60, 200_000
"""A video of 12 MB: more than a browser fetches ahead."""
UPLOADED = "location.pathname.startsWith('/messages/')"


@pytest.fixture(scope="module")
def chromium() -> Iterator[str]:
    with run_chromium() as socket:
        yield socket


@pytest.fixture
async def address(serve: Any) -> Address:
    address: Address = await serve(create_app(Settings(database=":memory:")))
    return address


@pytest.fixture
async def browser(chromium: str, address: Address) -> AsyncIterator[Browser]:
    """It comes after the server, so it goes before it, and leaves no connection open."""
    async with Browser(chromium) as browser:
        yield browser


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "noise.png"
    path.write_bytes(make_png(600))  # some 1 MB
    return path


@pytest.fixture
def webm(tmp_path: Path) -> Path:
    path = tmp_path / "squares.webm"
    path.write_bytes(make_webm(SECONDS, PADDING))
    return path


async def fill(tab: Tab, text: str, picture: Path) -> None:
    await tab.write("#author", "Ann <b>")
    await tab.write("#text", text)
    await tab.choose_file("#picture", picture)


async def post(address: Address, text: str) -> None:
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        await client.post("/api/messages", json={"author": "Bob", "text": text})


def cut(address: Address) -> None:
    """Every connection is lost, as when the server or a wire between fails."""
    for connection in list(address.server.connections):
        connection.transport.abort()


# -- upload --------------------------------------------------------------------------------------------------------


async def test_an_upload_shows_its_progress_and_then_the_picture(browser: Browser, address: Address, png: Path) -> None:
    tab = await browser.open(f"{address.url}/new")
    # A line of 4 MB/s; it notes what the bar shows, until the page goes.
    await tab.send(
        "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=4e6
    )
    await tab.js(
        """new MutationObserver(changes => {
            const bar = document.querySelector("progress");
            const shown = JSON.parse(sessionStorage.shown ?? "[]");
            sessionStorage.shown = JSON.stringify([...shown, bar.checkVisibility() ? bar.value : null]);
        }).observe(document.querySelector("progress"), {attributes: true})"""
    )
    await fill(tab, "Look", png)
    await tab.click("form .button")
    await tab.until(UPLOADED)
    shown = await tab.js("JSON.parse(sessionStorage.shown)")
    assert shown == sorted(shown)
    assert shown[-1] == 100
    assert any(0 < percent < 100 for percent in shown)
    await tab.until("document.querySelector('img.picture').complete")
    assert await tab.js("document.querySelector('img.picture').naturalWidth") == 600
    assert await tab.js("document.querySelector('.author').textContent") == "Ann <b>"
    assert tab.complaints == []


async def test_the_form_works_without_scripts(browser: Browser, address: Address, png: Path) -> None:
    tab = await browser.open("about:blank")
    await tab.send("Emulation.setScriptExecutionDisabled", value=True)
    await tab.go(f"{address.url}/new")
    await fill(tab, "By hand", png)
    await tab.click("form .button")
    await tab.until(UPLOADED)
    await tab.until("document.querySelector('img.picture').naturalWidth === 600")
    assert tab.complaints == []


async def test_what_is_no_picture_comes_back_with_all_that_was_written(
    browser: Browser, address: Address, tmp_path: Path, png: Path
) -> None:
    (tmp_path / "fake.png").write_bytes(b"this is a text")
    tab = await browser.open(f"{address.url}/new")
    await fill(tab, "Keep me", tmp_path / "fake.png")
    await tab.click("form .button")
    await tab.until("document.activeElement.getAttribute('aria-invalid')")
    assert "Please choose a picture" in await tab.js("document.querySelector('#picture-problem').textContent")
    assert await tab.js("document.querySelector('#text').value") == "Keep me"
    await tab.choose_file("#picture", png)
    await tab.click("form .button")
    await tab.until(UPLOADED)


async def test_a_picture_that_is_too_large_is_not_even_sent(browser: Browser, address: Address, tmp_path: Path) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(20 * 2**20 + 1)
    tab = await browser.open(f"{address.url}/new")
    await fill(tab, "Large", tmp_path / "large.png")
    message = await tab.js("document.querySelector('#picture').validationMessage")
    assert message == "At most 20 MB, please; this has 21 MB."
    await tab.click("form .button")
    assert await tab.js("document.querySelector('.progress').hidden")


@pytest.mark.parametrize("megabytes", [21, 90])
async def test_a_refusal_arrives_while_the_browser_still_sends(
    browser: Browser, address: Address, tmp_path: Path, megabytes: int
) -> None:
    """21 MB are read, with the text around them; of 90 MB the server reads nothing, and answers at once."""
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(megabytes * 2**20)
    tab = await browser.open("about:blank")
    await tab.send("Emulation.setScriptExecutionDisabled", value=True)
    await tab.go(f"{address.url}/new")
    await fill(tab, "Keep me", tmp_path / "large.png")
    await tab.click("form .button")
    await tab.until("document.querySelector('#picture-problem')")
    problem = await tab.js("document.querySelector('#picture-problem').textContent")
    assert ("this has 21 MB" if megabytes == 21 else "That was too much") in problem
    assert await tab.js("document.querySelector('#text').value") == ("Keep me" if megabytes == 21 else "")


# -- ranges --------------------------------------------------------------------------------------------------------


async def upload_video(tab: Tab, address: Address, webm: Path) -> str:
    """Post a video, and return its address."""
    await tab.go(f"{address.url}/new")
    await fill(tab, "A video", webm)
    await tab.click("form .button")
    await tab.until(UPLOADED)
    await tab.until("document.querySelector('video').readyState >= HTMLMediaElement.HAVE_CURRENT_DATA")
    return str(await tab.js("document.querySelector('video').src"))


async def test_a_video_plays_from_any_place_by_ranges(browser: Browser, address: Address, webm: Path) -> None:
    tab = await browser.open("about:blank")
    source = await upload_video(tab, address, webm)
    place = await tab.js(
        """new Promise(resolve => {
            const video = document.querySelector("video");
            video.onseeked = () => resolve([video.currentTime, video.duration, video.videoWidth, video.error]);
            video.currentTime = 50;
        })"""
    )
    assert place == [50, SECONDS, 64, None]
    ranges = [response.headers["content-range"] for response in tab.responses if response.url == source]
    starts = [int(value.removeprefix("bytes ").partition("-")[0]) for value in ranges]
    assert {response.status for response in tab.responses if response.url == source} == {206}
    assert starts[0] == 0
    # It went there without what is between.
    assert any(40 * PADDING < start < 50 * PADDING for start in starts)
    # It plays on from there.
    await tab.js("document.querySelector('video').play()")
    await tab.until("document.querySelector('video').currentTime > 50.1")
    assert tab.complaints == []


async def test_a_script_fetches_a_range(browser: Browser, address: Address, webm: Path) -> None:
    tab = await browser.open("about:blank")
    source = await upload_video(tab, address, webm)
    status, content_range, octets = await tab.js(
        f"""fetch({source!r}, {{headers: {{Range: "bytes=-7"}}, cache: "no-store"}}).then(async response =>
            [response.status, response.headers.get("Content-Range"), [...new Uint8Array(await response.arrayBuffer())]]
        )"""
    )
    content = make_webm(SECONDS, PADDING)
    assert (status, content_range) == (206, f"bytes {len(content) - 7}-{len(content) - 1}/{len(content)}")
    assert bytes(octets) == content[-7:]


async def test_pictures_and_videos_can_be_looked_at_alone(
    browser: Browser, address: Address, webm: Path, png: Path
) -> None:
    tab = await browser.open("about:blank")
    await tab.go(await upload_video(tab, address, webm))
    await tab.until("document.querySelector('video').videoWidth === 64")
    await tab.go(f"{address.url}/new")
    await fill(tab, "A picture", png)
    await tab.click("form .button")
    await tab.until(UPLOADED)
    await tab.go(await tab.js("document.querySelector('.picture').src"))
    assert await tab.js("document.images[0].naturalWidth") == 600
    # On pages of its own making Chromium looks for /favicon.ico, and there is none.
    assert [complaint for complaint in tab.complaints if "404" not in complaint] == []


# -- news ----------------------------------------------------------------------------------------------------------


async def test_what_one_tab_posts_appears_in_another(browser: Browser, address: Address, png: Path) -> None:
    reader = await browser.open(address.url)
    writer = await browser.open(f"{address.url}/new")
    await fill(writer, "<i>News</i>", png)
    await writer.click("form .button")
    await reader.until("document.querySelectorAll('.cards > li').length === 2")
    assert await reader.js("document.querySelector('.cards .text').textContent") == "<i>News</i>"
    assert await reader.js("document.querySelector('#count').textContent") == "2 messages"
    await reader.until("document.querySelector('.cards img.picture').naturalWidth === 600")
    await reader.click(".cards .cover")  # it is as good as one that was there from the beginning
    await reader.until("location.pathname === '/messages/2'")
    assert reader.complaints == []


async def test_a_reader_who_was_cut_off_misses_nothing(browser: Browser, address: Address) -> None:
    reader = await browser.open(address.url)
    await post(address, "before")
    await reader.until("document.querySelectorAll('.cards > li').length === 2")
    cut(address)
    await post(address, "meanwhile 1")
    await post(address, "meanwhile 2")
    await reader.until("document.querySelectorAll('.cards > li').length >= 4")
    await post(address, "after")
    await reader.until("document.querySelector('.cards .text').textContent === 'after'")
    texts = await reader.js("[...document.querySelectorAll('.cards .text')].map(text => text.textContent)")
    assert texts[:4] == ["after", "meanwhile 2", "meanwhile 1", "before"]
    assert len(texts) == 5


# -- chat ----------------------------------------------------------------------------------------------------------


async def say(tab: Tab, text: str) -> None:
    await tab.write("#text", text)
    await tab.press_enter()


async def said(tab: Tab, count: int) -> list[list[str]]:
    """Author and text of each line, as soon as there are so many."""
    await tab.until(f"document.querySelectorAll('#lines > li').length === {count}")
    lines: list[list[str]] = await tab.js(
        "[...document.querySelectorAll('#lines > li')].map(line => [line.children[0].textContent, "
        "line.children[2].textContent])"
    )
    return lines


async def test_two_tabs_chat(browser: Browser, address: Address) -> None:
    ann, bob = [await browser.open(f"{address.url}/chat") for _ in range(2)]
    for tab, name in ((ann, "Ann"), (bob, "Bob <b>")):
        await tab.until("document.querySelector('#status').textContent === '2 people are here'")
        await tab.write("#author", name)
    await say(ann, "Hello, Bob")
    assert await said(bob, 1) == [["Ann", "Hello, Bob"]]
    await say(bob, "<script>alert(1)</script> 🎉")
    assert await said(ann, 2) == [["Ann", "Hello, Bob"], ["Bob <b>", "<script>alert(1)</script> 🎉"]]
    assert await ann.js("document.querySelector('#text').value") == ""
    assert ann.complaints == bob.complaints == []


async def test_a_chat_that_was_cut_off_goes_on(browser: Browser, address: Address) -> None:
    ann, bob = [await browser.open(f"{address.url}/chat") for _ in range(2)]
    await ann.until("document.querySelector('#status').textContent === '2 people are here'")
    await ann.write("#author", "Ann")
    await say(ann, "one")
    assert await said(bob, 1) == [["Ann", "one"]]
    cut(address)
    await ann.until("document.querySelector('#status').textContent.startsWith('Not connected')")
    await ann.until("document.querySelector('#status').textContent === '2 people are here'")
    assert await said(ann, 1) == [["Ann", "one"]]  # the history, not twice
    await say(ann, "two")
    assert await said(bob, 2) == [["Ann", "one"], ["Ann", "two"]]


async def test_the_chat_says_what_it_does_not_take(browser: Browser, address: Address) -> None:
    tab = await browser.open(f"{address.url}/chat")
    await tab.until("document.querySelector('#status').textContent === 'Nobody else is here'")
    await tab.write("#author", "   ")
    await say(tab, "Hello")
    await tab.until("document.querySelector('#problem').textContent === 'Please enter a name.'")
