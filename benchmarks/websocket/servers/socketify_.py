"""socketify (uWebSockets in C++, by cffi): a call for each message. It brings a loop of its own, on libuv."""

from __future__ import annotations

from typing import Any

from socketify import App, AppListenOptions, CompressOptions, OpCode

from benchmarks.macro.servers.launch import HOST, arguments, ready

# A window of its own for each connection and direction, as the others have it. No bound that the workloads reach.
OPTIONS = {
    "compression": CompressOptions.DEDICATED_COMPRESSOR_32KB | CompressOptions.DEDICATED_DECOMPRESSOR_32KB,
    "max_payload_length": 1 << 20,
    "max_backpressure": 1 << 24,
}


def echo(ws: Any, message: str | bytes, opcode: OpCode) -> None:
    ws.send(message, opcode, True)  # compressed if that was agreed


def join(ws: Any) -> None:
    ws.subscribe("group")


if __name__ == "__main__":
    options = arguments()
    app = App()

    def together(ws: Any, message: str | bytes, opcode: OpCode) -> None:
        app.publish("group", message, opcode, True)

    app.ws("/echo", {**OPTIONS, "message": echo})
    app.ws("/broadcast", {**OPTIONS, "open": join, "message": together})
    app.listen(AppListenOptions(port=options.port, host=HOST), lambda config: ready())
    app.run()
