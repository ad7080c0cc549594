"""picows: frames in Cython, handed to a listener unread. It neither reads UTF-8 nor compresses, nor broadcasts."""

from __future__ import annotations

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from benchmarks.macro.servers.launch import HOST, serve_forever

GROUP: set[WSTransport] = set()


class Echo(WSListener):
    """Sends back what comes."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())


class Together(WSListener):
    """Sends what comes to all."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        GROUP.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        GROUP.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        for each in GROUP:
            each.send(frame.msg_type, payload)


def listener(request: WSUpgradeRequest) -> WSListener:
    return Together() if request.path == b"/broadcast" else Echo()


async def start(port: int, tls: object) -> object:
    return await ws_create_server(listener, HOST, port, backlog=1000)


if __name__ == "__main__":
    serve_forever(start)
