"""A client of an application, in memory and on a socket: whatever it tests holds for both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from aioweb.testing import TestClient
from tests.testing.served import ROOM, Room, create_app


@pytest.fixture(params=[True, False], ids=["memory", "socket"])
async def client(request: pytest.FixtureRequest, aioweb_client: Callable[..., Awaitable[TestClient]]) -> TestClient:
    options = {"in_memory": request.param, "shutdown_timeout": 0.2}
    return await aioweb_client(create_app(), server_kwargs=options)


@pytest.fixture
def room(client: TestClient) -> Room:
    assert client.app is not None
    return client.app[ROOM]
