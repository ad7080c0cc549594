"""AioWebTestCase: the test kit for unittest."""

from __future__ import annotations

from unittest import IsolatedAsyncioTestCase

from aioweb import web
from aioweb.testing.client import TestClient
from aioweb.testing.server import BaseTestServer, TestServer


class AioWebTestCase(IsolatedAsyncioTestCase):
    """A test case with a server and a client for each test.

        class TestHello(AioWebTestCase):
            async def get_application(self):
                return create_app()

            async def test_hello(self):
                response = await self.client.get("/")
                self.assertEqual(response.status, 200)

    Override `get_application`, and `get_server` or `get_client` for other options. A class that has an `asyncSetUp` or
    `asyncTearDown` of its own calls that of this class, too.
    """

    app: web.Application
    """The application."""
    server: BaseTestServer
    """The server; it serves in memory."""
    client: TestClient
    """The client."""

    async def get_application(self) -> web.Application:
        """The application of one test; override it."""
        raise NotImplementedError(f"{type(self).__name__} needs get_application()")

    async def get_server(self, app: web.Application) -> BaseTestServer:
        """The server of one test, not yet started."""
        return TestServer(app)

    async def get_client(self, server: BaseTestServer) -> TestClient:
        """The client of one test, not yet started."""
        return TestClient(server)

    async def asyncSetUp(self) -> None:
        """Start server and client."""
        self.app = await self.get_application()
        self.server = await self.get_server(self.app)
        self.client = await self.get_client(self.server)
        await self.client.start_server()

    async def asyncTearDown(self) -> None:
        """Close both; AssertionError if tasks are left."""
        await self.client.close()


AioHTTPTestCase = AioWebTestCase
"""The name of aiohttp's class."""
