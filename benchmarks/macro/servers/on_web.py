"""The application of aioweb and of aiohttp: the same handlers, written once against the names that both have."""

from __future__ import annotations

from typing import Any

from content import CHUNK, CHUNKS, FILE, LAYERS, MANY_ROUTES, TEXT


def application(web: Any) -> Any:
    """The application; `web` is `aioweb.web` or `aiohttp.web`."""

    async def hello(request: Any) -> Any:
        return web.Response(text=TEXT)

    async def item(request: Any) -> Any:
        query = request.query
        return web.Response(text=f"{request.match_info['id']} {query['page']} {query['order']}")

    async def leaf(request: Any) -> Any:
        return web.Response(text=request.match_info["id"])

    async def echo(request: Any) -> Any:
        return web.json_response(await request.json())

    async def form(request: Any) -> Any:
        fields = await request.post()
        file = fields["picture"].file
        return web.Response(text=str(file.seek(0, 2)))

    async def upload(request: Any) -> Any:
        size = 0
        async for data in request.content.iter_any():
            size += len(data)
        return web.Response(text=str(size))

    async def file(request: Any) -> Any:
        return web.FileResponse(FILE)

    async def stream(request: Any) -> Any:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(CHUNKS):
            await response.write(CHUNK)
        return response

    layered = web.Application(middlewares=[layer(web, number) for number in range(LAYERS)])
    layered.router.add_get("/", hello)
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/items/{id}/reviews", item)
    app.router.add_post("/json", echo)
    app.router.add_post("/form", form)
    app.router.add_post("/upload", upload)
    app.router.add_get("/file", file)
    app.router.add_get("/stream", stream)
    app.add_subapp("/layers/", layered)
    for number in range(MANY_ROUTES):
        app.router.add_get(f"/r{number}/{{id}}", leaf)
    return app


def layer(web: Any, number: int) -> Any:
    """A middleware as they are: it looks at the request, and adds to the response."""
    name = f"X-Layer-{number}"

    @web.middleware
    async def middleware(request: Any, handler: Any) -> Any:
        response = await handler(request)
        response.headers[name] = request.method
        return response

    return middleware
