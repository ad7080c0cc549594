"""Handlers that answer with JSON. Errors have the form of RFC 9457 (problem details)."""

from __future__ import annotations

from http import HTTPStatus

from aioweb import web
from examples.board.lookup import find_message, find_page
from examples.board.messages import Draft, Message
from examples.board.storage import STORAGE, Storage


async def list_messages(request: web.Request) -> web.Response:
    """A page of the list of messages."""
    page = await find_page(request)
    return web.json_response(
        {
            "page": page.number,
            "pages": page.count,
            "total": page.total,
            "messages": [_as_json(request, message) for message in page.messages],
        }
    )


async def show_message(request: web.Request) -> web.Response:
    """One message."""
    message = await find_message(request)
    return web.json_response(_as_json(request, message))


async def post_message(request: web.Request) -> web.Response:
    """Post a message: 201 and where it is, or 400 and what is wrong."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="A message is sent as application/json.")
    data = await request.json()
    if not isinstance(data, dict):
        raise web.HTTPBadRequest(text="A message is a JSON object with the fields author and text.")
    draft = Draft.of(data)
    problems = draft.problems()
    if problems:
        return problem_response(400, "The message cannot be posted.", problems)
    storage: Storage = request.app[STORAGE]
    message = await storage.add(draft)
    location = str(request.url_for("api.message", id=message.id))
    return web.json_response(_as_json(request, message), status=201, headers={"Location": location})


def problem_response(status: int, detail: str, problems: dict[str, str] | None = None) -> web.Response:
    """Say what is wrong; `problems` has a sentence for each field."""
    problem = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.json_response(
        problem | ({"problems": problems} if problems else {}), status=status, content_type="application/problem+json"
    )


def _as_json(request: web.Request, message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "url": str(request.url_for("api.message", id=message.id)),
        "author": message.author,
        "text": message.text,
        "created": message.created.isoformat(),
        "picture": None if message.picture is None else str(request.url_for("picture", name=message.picture)),
    }
