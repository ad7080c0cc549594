"""granian (hyper and tungstenite in Rust) with one worker process and the raw ASGI application."""

from __future__ import annotations

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes

from benchmarks.macro.servers.launch import HOST, arguments


def serve(target: str, interface: Interfaces) -> None:
    """Serve until the process is ended; the worker says READY."""
    options = arguments()
    Granian(
        target,
        address=HOST,
        port=options.port,
        interface=interface,
        http=HTTPModes.http1,
        runtime_mode=RuntimeModes.st if interface is Interfaces.ASGI else RuntimeModes.mt,
        workers=1,
        loop=Loops(options.loop),
        websockets=True,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    serve("benchmarks.websocket.servers.raw_asgi:app", Interfaces.ASGI)
