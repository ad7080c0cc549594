"""Starlette on uvicorn with httptools."""

from __future__ import annotations

from collections.abc import AsyncIterator

from content import CHUNK, CHUNKS, FILE, TEXT
from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(TEXT)


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
            ]
        )
    )
