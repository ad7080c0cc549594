"""socketify (uWebSockets in C++, by cffi). It brings a loop of its own, on libuv, whatever it is asked for."""

from __future__ import annotations

import json
from typing import Any

from content import CHUNK, CHUNKS, FILE, LAYERS, MANY_ROUTES, TEXT
from launch import HOST, arguments, ready
from socketify import App, AppListenOptions, AppOptions, MiddlewareRouter, sendfile


def hello(res: Any, req: Any, data: Any = None) -> None:
    res.write_header("Content-Type", "text/plain; charset=utf-8").end(TEXT)


def item(res: Any, req: Any) -> None:
    page, order = req.get_query("page"), req.get_query("order")
    res.write_header("Content-Type", "text/plain; charset=utf-8").end(f"{req.get_parameter(0)} {page} {order}")


def leaf(res: Any, req: Any) -> None:
    res.write_header("Content-Type", "text/plain; charset=utf-8").end(req.get_parameter(0))


def echo(res: Any, req: Any) -> None:
    content = bytearray()

    def take(res: Any, data: bytes, is_last: bool, *_: object) -> None:
        content.extend(data)
        if is_last:
            res.write_header("Content-Type", "application/json").end(json.dumps(json.loads(content)))

    res.on_data(take)


def upload(res: Any, req: Any) -> None:
    size = 0

    def take(res: Any, data: bytes, is_last: bool, *_: object) -> None:
        nonlocal size
        size += len(data)
        if is_last:
            res.end(str(size))

    res.on_data(take)


async def file(res: Any, req: Any) -> None:
    await sendfile(res, req, str(FILE))


def stream(res: Any, req: Any) -> None:
    for _ in range(CHUNKS):
        res.write(CHUNK)
    res.end_without_body()


def layer(number: int) -> Any:
    """A middleware: what runs before the handler."""

    def middleware(res: Any, req: Any, data: Any = None) -> bool:
        res.write_header(f"X-Layer-{number}", req.get_method().upper())
        return True

    return middleware


if __name__ == "__main__":
    options = arguments()
    app = App(AppOptions(key_file_name=options.tls, cert_file_name=options.tls) if options.tls else None)
    app.get("/", hello)
    app.get("/items/:id/reviews", item)
    app.post("/json", echo)
    app.post("/upload", upload)
    app.get("/file", file)
    app.get("/stream", stream)
    MiddlewareRouter(app, *map(layer, range(LAYERS))).get("/layers/", hello)
    for number in range(MANY_ROUTES):
        app.get(f"/r{number}/:id", leaf)
    app.listen(AppListenOptions(port=options.port, host=HOST), lambda config: ready())
    app.run()
