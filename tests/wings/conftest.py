"""What the tests of wings share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from aioweb import asgi, web
from tests.wings.asgi_server import Lifespan

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def served() -> AsyncIterator[Callable[..., Any]]:
    """`await served(handler, **options)`: an ASGI application of one handler of ours for every path, started."""
    running = []

    async def serve(handler: Handler, **options: Any) -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        asgi_app = asgi.to_asgi(app, **options)
        lifespan = Lifespan(asgi_app)
        await lifespan.__aenter__()
        running.append(lifespan)
        return asgi_app

    yield serve
    for lifespan in running:
        await lifespan.__aexit__(None, None, None)
