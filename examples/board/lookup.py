"""What a request asks for: found in the storage, or a 404."""

from __future__ import annotations

import re

from aioweb import web
from examples.board.messages import Message
from examples.board.storage import STORAGE, Page, Storage

_PAGE_NUMBER = re.compile("[1-9][0-9]{0,8}")


async def find_message(request: web.Request) -> Message:
    """The message whose number is in the path."""
    storage: Storage = request.app[STORAGE]
    message = await storage.message(int(request.match_info["id"]))
    if message is None:
        raise web.HTTPNotFound(text="There is no message with this number.")
    return message


async def find_page(request: web.Request) -> Page:
    """The page of the list whose number is in the query, by default the first."""
    number = request.query.get("page", "1")
    if _PAGE_NUMBER.fullmatch(number):
        storage: Storage = request.app[STORAGE]
        page = await storage.page(int(number))
        if page.number <= page.count:
            return page
    raise web.HTTPNotFound(text="There is no page with this number.")
