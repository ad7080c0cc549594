"""The page of debug mode in headless Chromium: it opens and folds without a script, and runs none that it quotes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Address
from tests.interop.chromium import Browser, run_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[str]:
    with run_chromium() as socket:
        yield socket


async def fail(request: web.Request) -> web.Response:
    said = request.query["said"]
    raise LookupError(said)


@pytest.fixture
async def address(serve: Any) -> Address:
    app = web.Application(debug=True)
    app.router.add_get("/", fail)
    address: Address = await serve(app)
    return address


@pytest.fixture
async def browser(chromium: str, address: Address) -> AsyncIterator[Browser]:
    async with Browser(chromium) as browser:
        yield browser


async def test_the_page_shows_where_it_failed_and_runs_nothing_of_what_it_quotes(
    browser: Browser, address: Address, caplog: Any
) -> None:
    evil = "<script>document.title='run'</script><img src=x onerror=document.title='run'>"
    tab = await browser.open(f"{address.url}/?said={evil}")
    assert await tab.js("document.title") == "LookupError - 500 Internal Server Error"
    assert await tab.js("document.querySelector('h2').textContent") == f"LookupError: {evil}"
    assert await tab.js("document.querySelector('details[open] .at').textContent.includes('raise LookupError(said)')")
    assert await tab.js("document.querySelectorAll('script, img, link').length") == 0
    assert await tab.js("performance.getEntriesByType('resource').length") == 0
    folded = "document.querySelector('details:not([open])')"
    assert await tab.js(f"{folded}.querySelector('.source, details').checkVisibility()") is False
    await tab.click("details:not([open]) > summary")
    await tab.until("document.querySelector('details').open && document.querySelector('details > :nth-child(2)')")
