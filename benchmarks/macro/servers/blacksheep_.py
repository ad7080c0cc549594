"""BlackSheep with one route, on uvicorn with httptools."""

from __future__ import annotations

from blacksheep import Application, Response, text
from on_uvicorn import serve

app = Application()


@app.router.get("/")
async def hello() -> Response:
    return text("Hello, World!")


if __name__ == "__main__":
    serve(app)
