"""uvicorn with httptools and websockets without I/O, which uvicorn brings to its socket."""

from __future__ import annotations

from benchmarks.websocket.servers.on_uvicorn import serve

if __name__ == "__main__":
    serve("websockets-sansio")
