"""The board over a real server, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from examples.board.application import create_app
from examples.board.settings import Settings


@pytest.fixture
def app() -> Any:
    return create_app(Settings(database=":memory:"))


@pytest.fixture
async def client(serve: Any, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    address = await serve(app)
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        yield client
