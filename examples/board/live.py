"""New messages for pages that are open, as server-sent events: the page does not ask, it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing

from aioweb import web
from examples.board import markup
from examples.board.lookup import find_start
from examples.board.storage import STORAGE, Storage

_RETRY = 2000
"""Milliseconds after which a browser comes back when it has lost the connection."""


async def show_news(request: web.Request) -> web.EventSourceResponse:
    """Every message after the one that the page knows, for as long as the page is open."""
    return web.EventSourceResponse(_news(request, await find_start(request)))


async def _news(request: web.Request, start: int) -> AsyncIterator[web.ServerSentEvent]:
    """Each with its number: the browser sends the last one back when it reconnects, and misses nothing."""
    yield web.ServerSentEvent(retry=_RETRY)
    storage: Storage = request.app[STORAGE]
    async with aclosing(storage.follow(start)) as messages:
        async for message, total in messages:
            news = {"card": markup.card(request.url_for, message), "count": markup.count(total)}
            yield web.ServerSentEvent(json.dumps(news), id=str(message.id))
