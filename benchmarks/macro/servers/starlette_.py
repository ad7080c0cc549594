"""Starlette on uvicorn with httptools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from content import CHUNK, CHUNKS, FILE, LAYERS, MANY_ROUTES, TEXT
from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(TEXT)


async def item(request: Request) -> PlainTextResponse:
    query = request.query_params
    return PlainTextResponse(f"{request.path_params['id']} {query['page']} {query['order']}")


async def leaf(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.path_params["id"])


class Layer:
    """A middleware in pure ASGI, the fastest kind that there is."""

    def __init__(self, app: Any, number: int) -> None:
        self.app = app
        self.name = f"X-Layer-{number}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_on(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[self.name] = scope["method"]
            await send(message)

        await self.app(scope, receive, send_on)


async def echo(request: Request) -> JSONResponse:
    return JSONResponse(await request.json())


async def form(request: Request) -> PlainTextResponse:
    async with request.form() as fields:
        return PlainTextResponse(str(fields["picture"].size))


async def upload(request: Request) -> PlainTextResponse:
    size = 0
    async for data in request.stream():
        size += len(data)
    return PlainTextResponse(str(size))


async def file(request: Request) -> FileResponse:
    return FileResponse(FILE)


async def stream(request: Request) -> StreamingResponse:
    return StreamingResponse(lines(), media_type="text/plain")


async def lines() -> AsyncIterator[bytes]:
    for _ in range(CHUNKS):
        yield CHUNK


if __name__ == "__main__":
    serve(
        Starlette(
            routes=[
                Route("/", hello),
                Route("/json", echo, methods=["POST"]),
                Route("/form", form, methods=["POST"]),
                Route("/upload", upload, methods=["POST"]),
                Route("/file", file),
                Route("/stream", stream),
                Route("/items/{id}/reviews", item),
                Route("/layers/", hello, middleware=[Middleware(Layer, number=number) for number in range(LAYERS)]),
                *(Route(f"/r{number}/{{id}}", leaf) for number in range(MANY_ROUTES)),
            ]
        )
    )
