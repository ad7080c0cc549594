"""uvicorn with zttp, its parser in Zig, and a raw ASGI application."""

from __future__ import annotations

from on_uvicorn import serve
from raw_asgi import app

if __name__ == "__main__":
    serve(app, "zttp")
