"""Every address of the board, with its name and its handler."""

from __future__ import annotations

from aioweb import web
from examples.board import api, assets, pages


def add_routes(router: web.UrlDispatcher) -> None:
    """Register all of them."""
    router.add_routes(
        [
            web.get("/", pages.show_list, name="messages"),
            web.get("/messages/{id:[0-9]{1,18}}", pages.show_message, name="message"),
            web.get("/new", pages.show_form, name="new"),
            web.post("/new", pages.post_form, name="new"),
            web.get("/assets/{version}/{name}", assets.show_asset, name="asset"),
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
