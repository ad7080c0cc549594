"""uvicorn with httptools and websockets, its legacy implementation as long as uvicorn has it."""

from __future__ import annotations

from benchmarks.websocket.servers.on_uvicorn import serve

if __name__ == "__main__":
    serve("websockets")
