"""A chat: what one types, all others see at once. Nothing is stored; who comes later gets the last lines.

Everything on the socket is a JSON object. The page sends {author, text}. It gets {kind: "history", lines} first, then
{kind: "line", line}, {kind: "people", count} and, if it has sent something wrong, {kind: "problem", text}.
"""

from __future__ import annotations

import json
from collections import deque
from datetime import datetime, timezone

from aioweb import web
from examples.board import markup
from examples.board.lookup import find_author
from examples.board.messages import Draft

_REMEMBERED = 50
"""Lines for who comes later."""
_LARGEST = 16 * 1024
"""Bytes that a browser may send at once."""


class Room:
    """Who is there, and what was said last."""

    def __init__(self) -> None:
        self._members: set[web.WebSocketResponse] = set()
        self._lines: deque[dict[str, str]] = deque(maxlen=_REMEMBERED)

    def enter(self, member: web.WebSocketResponse) -> None:
        """Somebody comes, gets the last lines and from now on everything."""
        member.send_json({"kind": "history", "lines": list(self._lines)})
        self._members.add(member)
        self._tell({"kind": "people", "count": len(self._members)})

    def leave(self, member: web.WebSocketResponse) -> None:
        """Somebody goes."""
        self._members.discard(member)
        self._tell({"kind": "people", "count": len(self._members)})

    def say(self, draft: Draft) -> None:
        """A line for everybody, its author as well."""
        line = {"author": draft.author, "text": draft.text, "time": datetime.now(timezone.utc).isoformat()}
        self._lines.append(line)
        self._tell({"kind": "line", "line": line})

    def _tell(self, news: dict[str, object]) -> None:
        # Nobody waits for a slow one: it is closed, comes back, and gets the last lines.
        web.broadcast(self._members, json.dumps(news), slow="close")


ROOM = web.AppKey("room", Room)
"""Where the application keeps its one room."""


async def show_chat(request: web.Request) -> web.Response:
    """The page. It opens the socket."""
    return web.Response(text=markup.chat_page(request.url_for, find_author(request)), content_type="text/html")


async def join(request: web.Request) -> web.WebSocketResponse:
    """The socket: in the room for as long as it is open."""
    # Browsers let every page open a socket to every site, so the server looks whose page asks.
    socket = web.WebSocketResponse(allowed_origins=["self"], max_msg_size=_LARGEST)
    await socket.prepare(request)
    room: Room = request.app[ROOM]
    room.enter(socket)
    try:
        async for message in socket:
            draft = _read(message)
            if draft is None:
                await socket.close(code=web.WSCloseCode.UNSUPPORTED_DATA, message="a JSON object is expected")
            elif problems := draft.problems():
                await socket.send_json({"kind": "problem", "text": " ".join(problems.values())})
            else:
                room.say(draft)
    finally:
        room.leave(socket)
    return socket


def _read(message: web.WSMessage) -> Draft | None:
    try:
        data = message.json()
    except (ValueError, RecursionError):
        return None
    return Draft.of(data) if isinstance(data, dict) else None
