"""AioWebTestCase, run by unittest itself."""

from __future__ import annotations

import asyncio
import unittest
from collections.abc import Callable
from typing import Any

import pytest

from aioweb import web
from aioweb.testing import AioHTTPTestCase, AioWebTestCase, BaseTestServer, TestServer
from tests.testing.served import create_app


def run(case: type[AioWebTestCase]) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.testsRun
    return result


def make(**members: Callable[..., Any]) -> type[AioWebTestCase]:
    async def get_application(self: AioWebTestCase) -> web.Application:
        return create_app()

    return type("Case", (AioWebTestCase,), {"get_application": get_application, **members})


def test_each_test_has_a_server_and_a_client() -> None:
    apps: list[web.Application] = []

    async def test_hello(self: AioWebTestCase) -> None:
        assert (await self.client.get("/")).status == 200
        assert self.client.server is self.server
        assert self.client.app is self.app
        apps.append(self.app)

    result = run(make(test_one=test_hello, test_two=test_hello))
    assert result.wasSuccessful(), result.errors
    assert len({id(app) for app in apps}) == 2


def test_the_server_may_be_another() -> None:
    async def get_server(self: AioWebTestCase, app: web.Application) -> BaseTestServer:
        return TestServer(app, in_memory=False)

    async def test_socket(self: AioWebTestCase) -> None:
        assert not self.server.in_memory
        assert (await self.client.get("/")).status == 200

    assert run(make(get_server=get_server, test_socket=test_socket)).wasSuccessful()


def test_a_task_that_stays_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioweb.testing.server.PATIENCE", 0.05)

    async def test_leaving(self: AioWebTestCase) -> None:
        self.lost = asyncio.create_task(asyncio.sleep(3600), name="lost")

    result = run(make(test_leaving=test_leaving))
    assert "tasks are left behind: <Task pending name='lost'" in result.failures[0][1]


def test_an_application_is_needed() -> None:
    class Forgetful(AioWebTestCase):
        async def test_nothing(self) -> None:
            raise AssertionError

    assert "Forgetful needs get_application()" in str(run(Forgetful).errors)


def test_it_has_the_name_of_aiohttps_too() -> None:
    assert AioHTTPTestCase is AioWebTestCase
