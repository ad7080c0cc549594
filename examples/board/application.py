"""The application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aioweb import web
from examples.board.chat import ROOM, Room
from examples.board.middlewares import add_security_headers, refuse_forgeries, show_errors
from examples.board.pictures import PICTURES, open_pictures
from examples.board.routes import add_routes
from examples.board.settings import SETTINGS, Settings
from examples.board.storage import STORAGE, open_storage


def create_app(settings: Settings) -> web.Application:
    """Make the board. A function, so that each test has an application of its own."""
    app = web.Application(middlewares=[show_errors, refuse_forgeries])
    app[SETTINGS] = settings
    app[ROOM] = Room()
    app.cleanup_ctx.append(_storage_context)
    app.cleanup_ctx.append(_pictures_context)
    app.on_response_prepare.append(add_security_headers)
    add_routes(app.router)
    return app


async def _storage_context(app: web.Application) -> AsyncIterator[None]:
    """The storage opens before the first request, and closes after the last."""
    async with open_storage(app[SETTINGS].database) as storage:
        app[STORAGE] = storage
        yield


async def _pictures_context(app: web.Application) -> AsyncIterator[None]:
    """The same for the folder of pictures."""
    with open_pictures(app[SETTINGS].pictures_folder) as pictures:
        app[PICTURES] = pictures
        yield
