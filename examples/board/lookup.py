"""What a request asks for, or who asks: found, or a 404."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from aioweb import web
from examples.board.messages import Message
from examples.board.storage import STORAGE, Page, Storage

_PAGE_NUMBER = re.compile("[1-9][0-9]{0,8}")
_MESSAGE_NUMBER = re.compile("[0-9]{1,18}")
_AUTHOR_COOKIE = "author"
_YEAR = 365 * 24 * 3600


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


async def find_start(request: web.Request) -> int:
    """The number of the last message that the client has: from Last-Event-ID, else from the query, else the newest."""
    for number in (request.headers.get("Last-Event-ID"), request.query.get("after")):
        if number is not None and _MESSAGE_NUMBER.fullmatch(number):
            return int(number)
    storage: Storage = request.app[STORAGE]
    return await storage.latest()


def find_author(request: web.Request) -> str:
    """Who posted last in this browser; "" if nobody did."""
    return unquote(request.cookies.get(_AUTHOR_COOKIE, ""))


def remember_author(request: web.Request, response: web.Response, author: str) -> None:
    """Let `find_author` find it the next time."""
    # Cookies are ASCII for most clients, names are not.
    response.set_cookie(
        _AUTHOR_COOKIE, quote(author), max_age=_YEAR, httponly=True, samesite="Lax", secure=request.secure
    )
