"""FEATURES.md section P, the testing kit: rows P1 to P5; WISHES 39. More in tests/testing."""

from __future__ import annotations

import asyncio
import io
import unittest
from collections.abc import Awaitable, Callable

import pytest

from aioweb import web
from aioweb.testing import (
    AioWebTestCase,
    RawTestServer,
    TestClient,
    TestServer,
    advance_time,
    make_mocked_request,
    record_signals,
)

ClientFactory = Callable[..., Awaitable[TestClient]]
NOTE = web.AppKey("note", str)


async def note(request: web.Request) -> web.Response:
    """Keeps the last note that was posted."""
    if request.method == "POST":
        request.app[NOTE] = str((await request.post())["text"])
        return web.Response(text="kept")
    return web.Response(text=f"note: {request.app[NOTE]}")


def create_app() -> web.Application:
    app = web.Application()
    app[NOTE] = "none"
    app.router.add_route("*", "/", note)
    return app


# -- P1, P2: what the testing page of aiohttp shows ----------------------------------------------------------------


@pytest.fixture
async def notes(aiohttp_client: ClientFactory) -> TestClient:
    return await aiohttp_client(create_app())


async def test_p1_a_form_changes_the_state_of_the_application(notes: TestClient) -> None:
    answer = await notes.post("/", data={"text": "foo"})
    assert answer.status == 200
    assert await answer.text() == "kept"
    assert notes.server.app[NOTE] == "foo"  # type: ignore[attr-defined]


async def test_p1_the_state_of_the_application_is_seen_in_an_answer(notes: TestClient) -> None:
    notes.server.app[NOTE] = "bar"  # type: ignore[attr-defined]
    answer = await notes.get("/")
    assert answer.status == 200
    assert await answer.text() == "note: bar"


@pytest.mark.parametrize("in_memory", [True, False])
async def test_p1_a_server_and_a_client_by_hand(in_memory: bool) -> None:
    async with TestClient(TestServer(create_app(), in_memory=in_memory)) as client:
        async with client.request("GET", "/") as answer:
            assert await answer.text() == "note: none"
        assert str(client.make_url("/x")) == f"http://127.0.0.1:{client.port}/x".replace(":80/", "/")

    async def echo(request: web.BaseRequest) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async with TestClient(RawTestServer(echo, in_memory=in_memory)) as client, client.ws_connect("/") as ws:
        await ws.send_str("hi")
        assert await ws.receive_str() == "hi"


async def test_p2_every_fixture_has_both_names(
    aioweb_server: Callable[..., Awaitable[TestServer]],
    aioweb_raw_server: Callable[..., Awaitable[RawTestServer]],
    aiohttp_server: Callable[..., Awaitable[TestServer]],
    aiohttp_raw_server: Callable[..., Awaitable[RawTestServer]],
    aioweb_client: ClientFactory,
    unused_port: Callable[[], int],
    aiohttp_unused_port: Callable[[], int],
) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(text="raw")

    for make in (aioweb_server, aiohttp_server):
        server = await make(create_app(), in_memory=False, port=unused_port())
        assert (await (await aioweb_client(server)).get("/")).status == 200
    for make_raw in (aioweb_raw_server, aiohttp_raw_server):
        raw = await make_raw(handler, in_memory=False, port=aiohttp_unused_port())
        assert await (await (await aioweb_client(raw)).get("/")).text() == "raw"


# -- P3, P4 --------------------------------------------------------------------------------------------------------


async def test_p3_a_handler_is_called_directly() -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    app = create_app()
    request = make_mocked_request("POST", "/", headers, app=app, payload=b"text=foo")
    assert (await note(request)).text == "kept"
    assert app[NOTE] == "foo"


class NotesCase(AioWebTestCase):
    async def get_application(self) -> web.Application:
        return create_app()

    async def check_note(self) -> None:
        answer = await self.client.get("/")
        self.assertEqual(await answer.text(), "note: none")  # noqa: PT009


def test_p4_unittest_has_a_base_class() -> None:
    result = unittest.TestResult()
    unittest.TestSuite([NotesCase("check_note")]).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])


# -- P5 and WISHES 39: what is missing in aiohttp ------------------------------------------------------------------


async def test_p5_no_socket_is_opened_and_the_parser_is_the_real_one(aioweb_client: ClientFactory) -> None:
    client = await aioweb_client(create_app())
    assert client.server.runner.addresses == []
    connection = client.server.connect()
    await connection.write(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
    assert (await connection.read()).startswith(b"HTTP/1.1 400 ")


async def test_p5_time_passes_when_the_test_says_so(aioweb_client: ClientFactory) -> None:
    client = await aioweb_client(create_app())
    connection = client.server.connect()
    await advance_time(9)
    assert not connection.readable
    await advance_time(3)
    assert await connection.read() == b""


async def test_p5_uploads_are_easy(aioweb_client: ClientFactory) -> None:
    client = await aioweb_client(create_app())
    image = io.BytesIO(b"...")
    image.name = "cat.png"  # type: ignore[misc]
    await client.post("/", data={"text": "with a picture", "image": image})
    assert await (await client.get("/")).text() == "note: with a picture"


async def test_p5_event_streams_are_easy(aioweb_client: ClientFactory) -> None:
    async def count(request: web.BaseRequest) -> web.EventSourceResponse:
        async def events():
            for number in range(3):
                yield web.ServerSentEvent(str(number), event="count")

        return web.EventSourceResponse(events())

    client = await aioweb_client(RawTestServer(count))
    async with client.get("/") as answer:
        assert [event.data async for event in answer.events()] == ["0", "1", "2"]


async def test_p5_a_test_asserts_which_signals_were_emitted(aioweb_client: ClientFactory) -> None:
    app = create_app()
    signals = record_signals(app)
    client = await aioweb_client(app)
    assert signals["on_startup"] == [(app,)]
    signals.clear()
    await client.get("/nowhere")
    request, response, _ = await signals.wait_for("response_sent")
    assert (request.path, response.status) == ("/nowhere", 404)
    assert signals.names.count("on_response_prepare") == 1
    assert not signals["request_failed"]


@pytest.mark.parametrize("in_memory", [True, False])
async def test_p_a_client_leaves_no_task_and_says_which_stays(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioweb.testing.server.PATIENCE", 0.05)
    before = asyncio.all_tasks()
    kept = []

    async def forget(request: web.Request) -> web.Response:
        if request.query:
            kept.append(asyncio.create_task(asyncio.Event().wait(), name="forgotten"))
        return web.Response()

    for target, message in (("/", None), ("/?once", "tasks are left behind: <Task pending name='forgotten' coro=")):
        app = web.Application()
        app.router.add_get("/", forget)
        client = TestClient(app, in_memory=in_memory)
        await client.start_server()
        await client.get(target)  # its content is never read
        if message is None:
            await client.close()
        else:
            with pytest.raises(AssertionError, match=message):
                await client.close()
    assert kept[0].cancelled()
    assert asyncio.all_tasks() == before
