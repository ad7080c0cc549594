"""The plugin that pytest finds by itself: fixtures that make servers and clients, and close them when a test is over.

    async def test_hello(aioweb_client):
        client = await aioweb_client(app)
        response = await client.get("/")
        assert response.status == 200

The tests may run under pytest-asyncio, in any mode, or under anyio: what a fixture has made is closed inside of the
test's own coroutine, so no loop of any plugin is asked for. `aiohttp_client`, `aiohttp_server` and `aiohttp_raw_server`
are the same fixtures under the names of aiohttp's plugin, where that is not installed.

Neither httpx nor wsproto is imported before a fixture is used: who tests without them never needs them.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aioweb.testing import BaseTestServer, RawTestServer, TestClient, TestServer


class _Opened:
    """What the fixtures have made for a test."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.things: list[BaseTestServer | TestClient] = []

    async def start(self, thing: BaseTestServer | TestClient) -> None:
        self.loop = asyncio.get_running_loop()
        self.things.append(thing)
        await thing.start_server()

    async def close(self, check_tasks: bool) -> None:
        """The last one first; all of them, whatever one raises."""
        try:
            if self.things:
                await self.things.pop().close(check_tasks=check_tasks)
        finally:
            if self.things:
                await self.close(check_tasks)


_OPENED = pytest.StashKey[_Opened]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let the test close, at its end, what the fixtures have made for it."""
    test = getattr(item, "obj", None)
    opened = item.stash.get(_OPENED, None)
    if opened is None or not inspect.iscoroutinefunction(test):
        return (yield)

    @functools.wraps(test)
    async def closing(*args: Any, **kwargs: Any) -> None:
        try:
            await test(*args, **kwargs)
        except BaseException:
            try:
                await opened.close(check_tasks=False)
            except Exception:
                pass  # the test has failed of something else, and that is to be told
            raise
        await opened.close(check_tasks=True)

    item.obj = closing  # type: ignore[attr-defined]
    try:
        return (yield)
    finally:
        item.obj = test  # type: ignore[attr-defined]


@pytest.fixture
def _aioweb_opened(request: pytest.FixtureRequest) -> Iterator[_Opened]:
    opened = request.node.stash[_OPENED] = _Opened()
    yield opened
    # The test has not run, because a later fixture has failed, or it is no coroutine function.
    if opened.things and opened.loop is not None and not opened.loop.is_closed():
        opened.loop.run_until_complete(opened.close(check_tasks=False))


@pytest.fixture
def aioweb_server(_aioweb_opened: _Opened) -> Callable[..., Awaitable[TestServer]]:
    """`await aioweb_server(app, **options)` starts a TestServer."""
    from aioweb.testing import TestServer

    async def make(app: Any, **options: Any) -> TestServer:
        server = TestServer(app, **options)
        await _aioweb_opened.start(server)
        return server

    return make


@pytest.fixture
def aioweb_raw_server(_aioweb_opened: _Opened) -> Callable[..., Awaitable[RawTestServer]]:
    """`await aioweb_raw_server(handler, **options)` starts a RawTestServer."""
    from aioweb.testing import RawTestServer

    async def make(handler: Any, **options: Any) -> RawTestServer:
        server = RawTestServer(handler, **options)
        await _aioweb_opened.start(server)
        return server

    return make


@pytest.fixture
def aioweb_client_cls() -> type[TestClient]:
    """The class of the clients that `aioweb_client` makes; override it for one of your own."""
    from aioweb.testing import TestClient

    return TestClient


@pytest.fixture
def aioweb_client(_aioweb_opened: _Opened, aioweb_client_cls: type[TestClient]) -> Callable[..., Awaitable[TestClient]]:
    """`await aioweb_client(app or server, **options)` starts a TestClient, and its server if need be.

    `server_kwargs` are options of the server that is made for an application.
    """
    from aioweb import web
    from aioweb.testing import TestServer

    async def make(served: Any, *, server_kwargs: dict[str, Any] | None = None, **options: Any) -> TestClient:
        if isinstance(served, web.Application):
            in_memory = options.pop("in_memory", True)
            served = TestServer(served, **{"in_memory": in_memory, **(server_kwargs or {})})
        client = aioweb_client_cls(served, **options)
        await _aioweb_opened.start(client)
        return client

    return make


@pytest.fixture
def unused_port() -> Callable[[], int]:
    """`unused_port()` is a TCP port of the loopback that nobody uses now."""
    from aioweb.testing import unused_port

    return unused_port


class _NamesOfAiohttp:
    """The fixtures by the names that aiohttp's plugin gives them."""

    @pytest.fixture
    def aiohttp_client(self, aioweb_client: Any) -> Any:
        """`aioweb_client`."""
        return aioweb_client

    @pytest.fixture
    def aiohttp_server(self, aioweb_server: Any) -> Any:
        """`aioweb_server`."""
        return aioweb_server

    @pytest.fixture
    def aiohttp_raw_server(self, aioweb_raw_server: Any) -> Any:
        """`aioweb_raw_server`."""
        return aioweb_raw_server

    @pytest.fixture
    def aiohttp_unused_port(self, unused_port: Any) -> Any:
        """`unused_port`."""
        return unused_port


def pytest_configure(config: pytest.Config) -> None:
    """Give the fixtures the names of aiohttp's plugin, if nobody else has."""
    plugins = config.pluginmanager.get_plugins()
    if not any(hasattr(plugin, "aiohttp_client") for plugin in plugins):
        config.pluginmanager.register(_NamesOfAiohttp(), "aioweb-names-of-aiohttp")
