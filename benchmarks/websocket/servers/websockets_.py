"""websockets, its asyncio server, with its broadcast."""

from __future__ import annotations

from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.macro.servers.launch import HOST, serve_forever

GROUP: set[ServerConnection] = set()


async def handler(connection: ServerConnection) -> None:
    if connection.request is not None and connection.request.path == "/broadcast":
        GROUP.add(connection)
        try:
            async for message in connection:
                broadcast(GROUP, message)
        finally:
            GROUP.discard(connection)
    else:
        async for message in connection:
            await connection.send(message)


async def start(port: int, tls: object) -> object:
    return await serve(handler, HOST, port, backlog=1000)


if __name__ == "__main__":
    serve_forever(start)
