"""The server that the Autobahn test suite is run against: the roof's WebSocketResponse, echoing.

    python tests/autobahn/echo_server.py [port]

See README.md beside this file. The only setting that is not a default is the size of a message: case 9.* sends 16 MiB.
"""

from __future__ import annotations

import logging
import sys

from aioweb import web

MAX_MSG_SIZE = 64 * 1024**2


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send back whatever comes."""
    ws = web.WebSocketResponse(max_msg_size=MAX_MSG_SIZE)
    await ws.prepare(request)
    async for message in ws:
        if message.type is web.WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)
    return ws


def main() -> None:
    """Serve until interrupted. Whatever is logged as a warning or worse is a failure of its own."""
    logging.basicConfig(level=logging.WARNING)
    app = web.Application()
    app.router.add_get("/", echo)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 9001, print=None)


if __name__ == "__main__":
    main()
