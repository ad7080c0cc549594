"""uvicorn with httptools and a raw ASGI application: the server without a framework."""

from __future__ import annotations

from on_uvicorn import serve
from raw_asgi import app

if __name__ == "__main__":
    serve(app)
