"""BlackSheep on uvicorn with httptools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import blacksheep
from blacksheep import Application, Request, Response, StreamedContent
from content import CHUNK, CHUNKS, FILE, LAYERS, MANY_ROUTES, TEXT
from on_uvicorn import serve

app = Application()


@app.router.get("/")
async def hello() -> Response:
    return blacksheep.text(TEXT)


@app.router.get("/items/{id}/reviews")
async def item(request: Request) -> Response:
    query = request.query
    return blacksheep.text(f"{request.route_values['id']} {query['page'][0]} {query['order'][0]}")


async def leaf(request: Request) -> Response:
    return blacksheep.text(request.route_values["id"])


@app.router.post("/json")
async def echo(request: Request) -> Response:
    return blacksheep.json(await request.json())


@app.router.post("/form")
async def form(request: Request) -> Response:
    (file,) = await request.files("picture")
    return blacksheep.text(str(file.size))


@app.router.post("/upload")
async def upload(request: Request) -> Response:
    size = 0
    async for data in request.stream():
        size += len(data)
    return blacksheep.text(str(size))


@app.router.get("/file")
async def file() -> Response:
    return blacksheep.file(str(FILE), "application/octet-stream")


@app.router.get("/stream")
async def stream() -> Response:
    return Response(200, content=StreamedContent(b"text/plain", lines))


async def lines() -> AsyncIterator[bytes]:
    for _ in range(CHUNKS):
        yield CHUNK


def layer(number: int) -> Any:
    """A middleware: it looks at the request, and adds to the response."""
    name = f"X-Layer-{number}".encode()

    async def middleware(request: Request, handler: Any) -> Response:
        response: Response = await handler(request)
        response.add_header(name, request.method.encode())
        return response

    return middleware


layered = Application(router=blacksheep.Router())
layered.middlewares.extend(layer(number) for number in range(LAYERS))
layered.router.add_get("/", hello)
app.mount("/layers", layered)
for number in range(MANY_ROUTES):
    app.router.add_get(f"/r{number}/{{id}}", leaf)


if __name__ == "__main__":
    serve(app)
