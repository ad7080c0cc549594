"""FEATURES N20 and O16, issue 5 "Client gone": what becomes of a handler whose client goes, and who is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Address, Serve


class Leaver:
    """A handler that sleeps until its client has left, and tells how that ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended: asyncio.Queue[str] = asyncio.Queue()

    async def sleep(self, request: web.Request) -> web.Response:
        self.begun.set()
        try:
            assert await request.disconnected()
            for _ in range(10):
                await asyncio.sleep(0)
            self.ended.put_nowait("finished")
        except asyncio.CancelledError:
            self.ended.put_nowait("cancelled")
            raise
        return web.Response()

    async def visit(self, address: Address, path: str = "/") -> str:
        """Ask, leave, and return what became of the handler."""
        self.begun.clear()
        peer = await address.connect()
        await peer.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
        await asyncio.wait_for(self.begun.wait(), PATIENCE)
        peer.abort()
        return await asyncio.wait_for(self.ended.get(), PATIENCE)


@pytest.mark.parametrize(
    ("options", "ended"),
    [
        ({}, "finished"),
        ({"client_gone": "finish"}, "finished"),
        ({"client_gone": "cancel"}, "cancelled"),
        ({"handler_cancellation": False}, "finished"),
        ({"handler_cancellation": True}, "cancelled"),
    ],
    ids=str,
)
async def test_n20_a_server_says_what_becomes_of_handlers(serve: Serve, options: dict[str, Any], ended: str) -> None:
    leaver = Leaver()
    app = web.Application()
    app.router.add_get("/", leaver.sleep)
    assert await leaver.visit(await serve(app, **options)) == ended


async def test_n20_another_word_is_refused_when_the_server_is_made() -> None:
    for make in (
        lambda: web.Application(client_gone="kill"),  # type: ignore[arg-type]
        lambda: web.Application().make_handler(client_gone="kill"),
        lambda: web.UrlDispatcher().add_get("/", Leaver().sleep, client_gone="kill"),
    ):
        with pytest.raises(ValueError, match="client_gone is 'cancel' or 'finish', not 'kill'"):
            make()


@pytest.mark.parametrize("option", [{}, {"client_gone": "finish"}, {"handler_cancellation": False}], ids=str)
async def test_o16_an_application_says_it_and_the_server_may_say_otherwise(
    serve: Serve, option: dict[str, Any]
) -> None:
    leaver = Leaver()
    app = web.Application(client_gone="cancel")
    app.router.add_get("/", leaver.sleep)
    assert await leaver.visit(await serve(app, **option)) == ("finished" if option else "cancelled")


async def test_o16_routes_tables_groups_and_subapplications_say_it(serve: Serve) -> None:
    leaver = Leaver()
    app, below = web.Application(), web.Application(client_gone="finish")
    app.router.add_get("/write", leaver.sleep, client_gone="finish")
    app.router.add_get("/read", leaver.sleep)
    group = app.router.prefix("/group", client_gone="finish")
    group.add_get("/write", leaver.sleep)
    group.add_get("/read", leaver.sleep, client_gone="cancel")
    table = web.RouteTableDef(prefix="/table", client_gone="finish")
    table.get("/write")(leaver.sleep)
    app.add_routes([web.get("/defined/write", leaver.sleep, client_gone="finish"), *table])
    below.router.add_get("/write", leaver.sleep)
    below.router.add_get("/read", leaver.sleep, client_gone="cancel")
    app.add_subapp("/below", below)
    address = await serve(app, client_gone="cancel")
    for path in ("/write", "/group/write", "/defined/write", "/table/write", "/below/write"):
        assert await leaver.visit(address, path) == "finished", path
    for path in ("/read", "/group/read", "/below/read"):
        assert await leaver.visit(address, path) == "cancelled", path


async def test_o16_a_middleware_has_the_last_word(serve: Serve) -> None:
    leaver = Leaver()

    @web.middleware
    async def let_finish(request: web.Request, handler: web.Handler) -> web.StreamResponse:
        assert request.handler_cancellation is True
        request.handler_cancellation = False
        return await handler(request)

    app = web.Application(middlewares=[let_finish])
    app.router.add_get("/", leaver.sleep, client_gone="cancel")
    assert await leaver.visit(await serve(app)) == "finished"


@pytest.mark.parametrize("policy", ["cancel", "finish"])
async def test_shielded_work_ends_whatever_becomes_of_the_handler(serve: Serve, policy: Any) -> None:
    go_on, worked = asyncio.Event(), asyncio.Event()
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        worked.set()

    async def handler(request: web.Request) -> web.Response:
        await request.app.shield(work())
        return web.Response()

    app = web.Application(client_gone=policy)
    app.router.add_get("/", handler)
    address = await serve(app)
    peer = await address.connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await begun.wait()
    peer.abort()
    while address.server.connections:
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait_for(worked.wait(), PATIENCE)


async def test_work_beside_a_stream_ends_with_its_client(serve: Serve) -> None:
    """The use that `disconnected` is made for: two things at a time, whichever ends first."""
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def follow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        gone = asyncio.ensure_future(request.disconnected())
        news: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await response.write(b"nothing yet")
        done, waiting = await asyncio.wait({gone, news}, return_when=asyncio.FIRST_COMPLETED)
        for future in waiting:
            future.cancel()
        ended.set_result("gone" if gone in done else "news")
        return response

    app = web.Application()
    app.router.add_get("/", follow)
    peer = await (await serve(app)).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await peer.reader.readuntil(b"nothing yet")
    await peer.close()
    assert await asyncio.wait_for(ended, PATIENCE) == "gone"
