"""Handlers that answer with HTML."""

from __future__ import annotations

from urllib.parse import quote, unquote

from aioweb import web
from examples.board import markup
from examples.board.lookup import find_message, find_page
from examples.board.messages import Draft
from examples.board.storage import STORAGE, Storage

AUTHOR_COOKIE = "author"
"""Remembers who posted last in this browser."""
_YEAR = 365 * 24 * 3600


async def show_list(request: web.Request) -> web.Response:
    """A page of the list of messages."""
    page = await find_page(request)
    return _html(markup.list_page(request.url_for, page))


async def show_message(request: web.Request) -> web.Response:
    """One message."""
    message = await find_message(request)
    return _html(markup.message_page(request.url_for, message))


async def show_form(request: web.Request) -> web.Response:
    """The empty form."""
    draft = Draft(author=unquote(request.cookies.get(AUTHOR_COOKIE, "")))
    return _html(markup.form_page(request.url_for, draft))


async def post_form(request: web.Request) -> web.Response:
    """Post a message and go to it, or show the form again with what is wrong."""
    draft = Draft.of(await request.post())
    problems = draft.problems()
    if problems:
        return _html(markup.form_page(request.url_for, draft, problems), status=400)
    storage: Storage = request.app[STORAGE]
    message = await storage.add(draft)
    # 303: the browser gets the message with GET, so a reload does not post it again.
    response = web.HTTPSeeOther(request.url_for("message", id=message.id))
    # Cookies are ASCII for most clients, names are not.
    author = quote(message.author)
    response.set_cookie(AUTHOR_COOKIE, author, max_age=_YEAR, httponly=True, samesite="Lax", secure=request.secure)
    return response


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")
