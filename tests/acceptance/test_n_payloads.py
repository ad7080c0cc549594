"""Row N12 of FEATURES.md, its payloads: one test for each kind, its framing read off the wire."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Address, Serve

OCTETS = "application/octet-stream"


class Kept:
    """An application that answers with what `make` makes, and keeps it."""

    def __init__(self, make: Callable[[web.Request], Any], **response: Any) -> None:
        self.bodies: list[Any] = []
        self.make = make
        self.response = response

    @property
    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/", self.handler)
        return app

    async def handler(self, request: web.Request) -> web.Response:
        self.bodies.append(self.make(request))
        return web.Response(body=self.bodies[-1], **self.response)

    async def all_closed(self) -> None:
        """Wait for the threads that close the files: the last octets may be here before."""

        async def turns() -> None:
            while not all(file.closed for file in self.bodies):
                await asyncio.sleep(0)

        await asyncio.wait_for(turns(), 5.0)


async def on_the_wire(address: Address, method: str = "GET", http: str = "1.1", body: bytes = b"") -> tuple[str, bytes]:
    """How the response was framed, and the octets behind its head."""
    fields = f"Host: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    octets = await address.raw(f"{method} / HTTP/{http}\r\n{fields}\r\n".encode() + body)
    head, _, content = octets.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    framing = [line for line in lines if line.startswith(("Content-Length", "Transfer-Encoding"))]
    assert len(framing) <= 1
    return (framing or ["until close"])[0], content


async def check(kept: Kept, serve: Serve, content: bytes, size: int | None, chunks: bytes | None = None) -> None:
    """Ask with GET and HEAD, in both versions: the framing fits the size, and everything was closed."""
    address = await serve(kept.app)
    if size is not None:
        length = f"Content-Length: {size}"
        assert await on_the_wire(address) == (length, content)
        assert await on_the_wire(address, http="1.0") == (length, content)
        assert await on_the_wire(address, "HEAD") == (length, b"")
    else:
        assert await on_the_wire(address) == ("Transfer-Encoding: chunked", chunks)
        assert await on_the_wire(address, http="1.0") == ("until close", content)
        assert await on_the_wire(address, "HEAD") == ("Transfer-Encoding: chunked", b"")
    answer = await address.request("GET", "/")
    assert answer.headers["Content-Type"] == kept.response.get("content_type", OCTETS)


async def test_n12_str(serve: Serve) -> None:
    kept = Kept(lambda request: "Привет", content_type="text/plain")
    address = await serve(kept.app)
    assert await on_the_wire(address) == ("Content-Length: 12", "Привет".encode())
    assert (await address.request("GET", "/")).headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_n12_bytes(serve: Serve, kind: Any) -> None:
    await check(Kept(lambda request: kind(b"bytes")), serve, b"bytes", 5)


async def test_n12_bytes_io(serve: Serve) -> None:
    await check(Kept(lambda request: io.BytesIO(b"in memory")), serve, b"in memory", 9)


async def test_n12_string_io(serve: Serve) -> None:
    address = await serve(Kept(lambda request: io.StringIO("é\r\n")).app)
    assert await on_the_wire(address) == ("Content-Length: 4", "é\r\n".encode())
    assert (await address.request("GET", "/")).headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_n12_a_binary_file(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 2000
    path.write_bytes(content)
    kept = Kept(lambda request: path.open("rb"), content_type="image/png")
    await check(kept, serve, content, len(content))
    assert len(kept.bodies) == 4
    await kept.all_closed()


async def test_n12_a_temporary_file_that_was_just_written(serve: Serve) -> None:
    def make(request: web.Request) -> Any:
        file = tempfile.SpooledTemporaryFile(max_size=4)  # noqa: SIM115
        file.write(b"spooled")
        file.seek(2)
        return file

    kept = Kept(make)
    await check(kept, serve, b"ooled", 5)
    await kept.all_closed()


class Generated:
    """Makes async generators and notes that they are closed."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces
        self.begun = 0
        self.ended = 0

    async def __call__(self, request: web.Request) -> AsyncIterator[Any]:
        self.begun += 1
        try:
            for piece in self.pieces:
                yield piece
                await asyncio.sleep(0)
        finally:
            self.ended += 1


async def test_n12_an_async_generator_of_bytes(serve: Serve) -> None:
    made = Generated(b"one", bytearray(b"two"), memoryview(b"three"))
    chunks = b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
    await check(Kept(made), serve, b"onetwothree", None, chunks)
    assert (made.begun, made.ended) == (3, 3)  # not for HEAD


async def test_n12_an_async_generator_of_str(serve: Serve) -> None:
    made = Generated("<p>", "é")
    address = await serve(Kept(made, content_type="text/html", charset="latin-1").app)
    assert await on_the_wire(address, http="1.0") == ("until close", "<p>é".encode("latin-1"))
    address = await serve(Kept(made, content_type="text/html").app)
    answer = await address.request("GET", "/")
    assert (answer.body, answer.headers["Content-Type"]) == ("<p>é".encode(), "text/html; charset=utf-8")


async def test_n12_an_async_iterable(serve: Serve) -> None:
    class Rows:
        def __init__(self) -> None:
            self.left = 3

        def __aiter__(self) -> Rows:
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return b"row %d\n" % self.left

    chunks = b"6\r\nrow 2\n\r\n6\r\nrow 1\n\r\n6\r\nrow 0\n\r\n0\r\n\r\n"
    await check(Kept(lambda request: Rows()), serve, b"row 2\nrow 1\nrow 0\n", None, chunks)


async def test_n12_an_empty_generator(serve: Serve) -> None:
    await check(Kept(Generated()), serve, b"", None, b"0\r\n\r\n")


async def test_n12_the_content_of_the_request(serve: Serve) -> None:
    address = await serve(Kept(lambda request: request.content).app)
    assert await on_the_wire(address, "POST", body=b"back\nagain") == (
        "Transfer-Encoding: chunked",
        b"a\r\nback\nagain\r\n0\r\n\r\n",
    )


async def test_n12_the_output_of_a_process(serve: Serve) -> None:
    program = "import sys; sys.stdout.write('x' * 200_000 + 'end')"

    async def handler(request: web.Request) -> web.Response:
        command = [sys.executable, "-c", program]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        request.app["process"].append(process)
        return web.Response(body=process.stdout)

    app = web.Application()
    processes = app["process"] = []
    app.router.add_get("/", handler)
    answer = await (await serve(app)).request("GET", "/")
    assert answer.body == b"x" * 200_000 + b"end"
    assert await processes[0].wait() == 0


async def test_n12_a_body_of_ones_own(serve: Serve) -> None:
    class Table:
        """Knows its size and its type."""

        size = 8
        headers = {"Content-Type": "text/csv"}

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"a,b\n"
            yield b"1,2\n"

        async def aclose(self) -> None:
            pass

    address = await serve(Kept(lambda request: Table()).app)
    assert await on_the_wire(address) == ("Content-Length: 8", b"a,b\n1,2\n")
    assert (await address.request("GET", "/")).headers["Content-Type"] == "text/csv"


async def test_n12_a_path_is_refused_with_a_hint(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    answer = await (await serve(Kept(lambda request: Path("a")).app)).request("GET", "/")
    assert answer.status == 500
    assert "FileResponse" in str(caplog.records[-1].exc_info)


async def test_n12_pieces_of_unknown_length_can_have_a_length(serve: Serve) -> None:
    kept = Kept(Generated(b"abc", b"def"), headers={"Content-Length": "6"})
    await check(kept, serve, b"abcdef", 6)
