"""Starlette with one route, on uvicorn with httptools."""

from __future__ import annotations

from on_uvicorn import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, World!")


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/", hello)]))
