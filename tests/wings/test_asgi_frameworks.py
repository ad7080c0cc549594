"""Starlette, FastAPI and Quart, mounted in an aioweb application: their real releases, small applications."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aioweb import asgi, web
from tests.wsclient import FIELDS, open_websocket

pytest.importorskip("starlette", reason="the three are installed from Python 3.11 on")
pytest.importorskip("fastapi")
pytest.importorskip("quart")

PIECES = [b"one", b"two"]


class Told(list[str]):
    """What the applications tell of what no response shows."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def append(self, word: str) -> None:
        super().append(word)
        self._more.set()

    async def wait_for(self, word: str) -> None:
        async def wait() -> None:
            while word not in self:
                self._more.clear()
                await self._more.wait()

        await asyncio.wait_for(wait(), 10)


def create_starlette(told: Told) -> Any:
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.websockets import WebSocket

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        told.append("up")
        yield {"pool": "pool"}
        told.append("down")

    async def show(request: Request) -> Response:
        told_later = BackgroundTask(told.append, "background")
        found = {
            "url": str(request.url_for("show", name="ab")),
            "name": request.path_params["name"],
            "client": request.client.host if request.client else None,
            "pool": request.state.pool,
        }
        return JSONResponse(found, background=told_later)

    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in PIECES:
                yield piece

        return StreamingResponse(pieces(), media_type="text/plain")

    async def endless(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(1000)
                    await asyncio.sleep(0)
            finally:
                told.append("stream left")

        return StreamingResponse(pieces())

    async def upload(request: Request) -> Response:
        size = 0
        async for piece in request.stream():
            size += len(piece)
        return JSONResponse({"size": size})

    async def fail(request: Request) -> Response:
        raise ZeroDivisionError("on purpose")

    async def talk(websocket: WebSocket) -> None:
        if websocket.query_params.get("token") != "1":
            await websocket.close(1008)
            return
        await websocket.accept("chat", headers=[(b"x-name", b"talk")])
        try:
            async for text in websocket.iter_text():
                if text == "close":
                    await websocket.close(3001, "bye")
                    return
                await websocket.send_text(f"{text} {websocket.url}")
        finally:
            told.append("talk ended")

    return Starlette(
        routes=[
            Route("/show/{name}", show, name="show"),
            Mount("/inner", routes=[Route("/stream", stream)]),
            Route("/endless", endless),
            Route("/upload", upload, methods=["POST"]),
            Route("/fail", fail),
            WebSocketRoute("/talk", talk),
        ],
        lifespan=lifespan,
    )


def create_fastapi(told: Told) -> Any:
    import fastapi
    from fastapi.responses import StreamingResponse

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        told.append("up")
        yield {"pool": "pool"}
        told.append("down")

    app = fastapi.FastAPI(lifespan=lifespan)

    async def show(name: str, request: fastapi.Request, background: fastapi.BackgroundTasks) -> dict[str, str]:
        background.add_task(told.append, "background")
        return {
            "url": str(request.url_for("show", name="ab")),
            "name": name,
            "client": request.client.host if request.client else "",
            "pool": request.state.pool,
        }

    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in PIECES:
                yield piece

        return StreamingResponse(pieces(), media_type="text/plain")

    async def upload(request: fastapi.Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    async def fail() -> None:
        raise ZeroDivisionError("on purpose")

    async def talk(websocket: fastapi.WebSocket, token: str) -> None:
        await websocket.accept("chat", headers=[(b"x-name", b"talk")])
        try:
            while (text := await websocket.receive_text()) != "close":
                await websocket.send_text(f"{text} {websocket.url}")
            await websocket.close(3001, "bye")
        finally:
            told.append("talk ended")

    # The annotations are those of this function, so the routes are added without decorators.
    for function in (show, stream, upload, fail, talk):
        function.__annotations__ = {
            name: eval(kind, {**globals(), "fastapi": fastapi, "StreamingResponse": StreamingResponse})
            for name, kind in function.__annotations__.items()
            if name != "return"
        }
    app.add_api_route("/show/{name}", show, name="show")
    app.add_api_route("/inner/stream", stream)
    app.add_api_route("/upload", upload, methods=["POST"])
    app.add_api_route("/fail", fail)
    app.add_api_websocket_route("/talk", talk)
    return app


def create_quart(told: Told) -> Any:
    import quart

    app = quart.Quart("mounted")

    @app.before_serving
    async def up() -> None:
        told.append("up")

    @app.after_serving
    async def down() -> None:
        told.append("down")

    @app.get("/show/<name>")
    async def show(name: str) -> Any:
        async def later() -> None:
            told.append("background")

        app.add_background_task(later)
        return {
            "url": quart.url_for("show", name="ab", _external=True),
            "name": name,
            "client": quart.request.remote_addr,
            "pool": "pool",
        }

    @app.get("/inner/stream")
    async def stream() -> Any:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in PIECES:
                yield piece

        return pieces(), {"Content-Type": "text/plain; charset=utf-8"}

    @app.post("/upload")
    async def upload() -> Any:
        size = 0
        async for piece in quart.request.body:
            size += len(piece)
        return {"size": size}

    @app.get("/fail")
    async def fail() -> Any:
        raise ZeroDivisionError("on purpose")

    @app.websocket("/talk")
    async def talk() -> None:
        ws = quart.websocket
        if ws.args.get("token") != "1":
            quart.abort(403)
        await ws.accept(headers={"x-name": "talk"}, subprotocol="chat")
        try:
            while (text := await ws.receive()) != "close":
                await ws.send(f"{text} {ws.url}")
            await ws.close(3001, "bye")
        finally:
            told.append("talk ended")

    return app


FRAMEWORKS: list[Callable[[Told], Any]] = [create_starlette, create_fastapi, create_quart]


@pytest.fixture(params=FRAMEWORKS, ids=lambda create: create.__name__.partition("_")[2])
async def mounted(request: pytest.FixtureRequest, serve: Any) -> tuple[Any, Told]:
    """Where one of the applications is served, below /app of an application that has routes too; what it tells."""
    return await mount(request.param, serve)


async def mount(create: Callable[[Told], Any], serve: Any) -> tuple[Any, Told]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    told = Told()
    app = web.Application()
    app.router.add_get("/app/own", hello)
    asgi.mount(app, "/app", create(told), lifespan=True)
    address = await serve(app, access_log=None)
    address.app = app
    return address, told


async def test_routes_urls_and_background_tasks(mounted: Any) -> None:
    address, told = mounted
    answer = await address.request("GET", "/app/show/%C3%A4%20b", f"Host: localhost:{address.port}")
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "url": f"http://localhost:{address.port}/app/show/ab",
        "name": "ä b",
        "client": "127.0.0.1",
        "pool": "pool",
    }
    await told.wait_for("background")
    assert (await address.request("GET", "/app/own")).body == b"hello"
    assert (await address.request("GET", "/app/nothing")).status == 404
    assert (await address.request("GET", "/app/upload")).status == 405


async def test_content_streams_both_ways(mounted: Any) -> None:
    address, _ = mounted
    answer = await address.request("GET", "/app/inner/stream")
    assert (answer.headers["Content-Type"], answer.body) == ("text/plain; charset=utf-8", b"onetwo")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    head = await address.request("HEAD", "/app/inner/stream")
    assert (head.status in (200, 405), head.body) == (True, b"")  # FastAPI answers HEAD only where it is told to
    size = 3_000_000
    assert json.loads((await address.request("POST", "/app/upload", body=bytes(size))).body) == {"size": size}


async def test_a_failure_is_a_500(mounted: Any, caplog: pytest.LogCaptureFixture) -> None:
    address, _ = mounted
    logging.getLogger("mounted").addHandler(logging.NullHandler())  # Quart would write to stderr
    assert (await address.request("GET", "/app/fail")).status == 500
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)


async def test_websockets(mounted: Any) -> None:
    address, told = mounted
    client = await open_websocket(address, "/app/talk?token=1", "Sec-WebSocket-Protocol: chat")
    assert client.answer.headers["Sec-WebSocket-Protocol"] == "chat"
    assert client.answer.headers["X-Name"] == "talk"
    await client.text("hi")
    assert await client.data() == "hi ws://localhost/app/talk?token=1"
    await client.text("close")
    event: Any = await client.next()
    assert (event.code, event.reason) == (3001, "bye")
    await client.send(client.ground.send_close(3001))
    assert await client.peer.is_closed()
    await told.wait_for("talk ended")
    assert (await address.request("GET", "/app/talk", *FIELDS)).status == 403


async def test_a_websocket_is_told_that_its_client_is_gone(mounted: Any) -> None:
    address, told = mounted
    client = await open_websocket(address, "/app/talk?token=1", "Sec-WebSocket-Protocol: chat")
    client.peer.abort()
    await told.wait_for("talk ended")


async def test_the_lifespan_is_that_of_the_application(mounted: Any) -> None:
    address, told = mounted
    assert told == ["up"]
    await address.app.cleanup()
    assert told == ["up", "down"]


async def test_a_stream_ends_when_its_client_goes(serve: Any) -> None:
    address, told = await mount(create_starlette, serve)
    peer = await address.connect()
    await peer.send(b"GET /app/endless HTTP/1.1\r\nHost: a\r\n\r\n")
    await peer.head()
    peer.abort()
    await told.wait_for("stream left")


async def test_an_application_of_ours_below_starlette(serve: Any) -> None:
    """Both bridges at once: Starlette below aioweb, and aioweb below Starlette."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    async def show(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.url} {request.url_for('show')}")

    async def shout(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data.upper())
        return ws

    inner, outer = web.Application(), web.Application()
    inner.router.add_get("/show", show, name="show")
    inner.router.add_get("/ws", shout)
    inner_asgi = asgi.to_asgi(inner)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        yield

    asgi.mount(outer, "/out", Starlette(routes=[Mount("/in", inner_asgi)], lifespan=lifespan))
    address = await serve(outer)
    answer = await address.request("GET", "/out/in/show")
    assert answer.body == b"http://localhost/out/in/show /out/in/show"
    client = await open_websocket(address, "/out/in/ws")
    await client.text("hi")
    assert await client.data() == "HI"
    await client.close()
    await inner.cleanup()
