"""uvicorn with httptools and wsproto."""

from __future__ import annotations

from benchmarks.websocket.servers.on_uvicorn import serve

if __name__ == "__main__":
    serve("wsproto")
