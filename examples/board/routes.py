"""Every address of the board, with its name and its handler."""

from __future__ import annotations

from pathlib import Path

from aioweb import web
from examples.board import api, chat, live, pages, pictures

_ASSETS = Path(__file__).parent / "assets"


def add_routes(router: web.UrlDispatcher) -> None:
    """Register all of them."""
    router.add_routes(
        [
            web.get("/", pages.show_list, name="messages"),
            web.get("/messages/{id:[0-9]{1,18}}", pages.show_message, name="message"),
            web.get("/news", live.show_news, name="news"),
            web.get("/new", pages.show_form, name="new"),
            web.post("/new", pages.post_form, name="new"),
            web.get(f"/pictures/{{name:{pictures.NAME}}}", pages.show_picture, name="picture"),
            web.get("/chat", chat.show_chat, name="chat"),
            web.get("/chat/socket", chat.join, name="chat.socket"),
            # An address holds a hash of the content, so browsers may keep it for ever.
            web.static(
                "/assets",
                _ASSETS,
                name="assets",
                append_version=True,
                cache={"*": "public, max-age=31536000, immutable"},
            ),
        ]
    )
    with router.prefix("/api", name="api") as group:
        group.add_routes(
            [
                web.get("/messages", api.list_messages, name="messages"),
                web.post("/messages", api.post_message, name="messages"),
                web.get("/messages/{id:[0-9]{1,18}}", api.show_message, name="message"),
            ]
        )
