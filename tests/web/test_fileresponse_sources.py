"""FileResponse over real sockets: open files in place of a path, and paths that lead to no file."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Address, Answer, Serve
from tests.functional.scripts import open_files, until
from tests.web.files import DATE, answering, make

# -- open files --------------------------------------------------------------------------------------------------------


async def written(kind: Callable[[], Any]) -> Any:
    file = kind()
    file.write(b"0123456789" * 20_000)
    return file


@pytest.mark.parametrize(
    "kind",
    [
        io.BytesIO,
        tempfile.TemporaryFile,
        tempfile.NamedTemporaryFile,
        tempfile.SpooledTemporaryFile,
        partial(tempfile.SpooledTemporaryFile, max_size=10),
    ],
    ids=["BytesIO", "TemporaryFile", "NamedTemporaryFile", "Spooled", "rolled over"],
)
async def test_a_file_that_was_just_written_is_sent_whole_and_closed(serve: Serve, kind: Callable[[], Any]) -> None:
    files = []

    async def handler(request: web.Request) -> web.StreamResponse:
        files.append(await written(kind))
        return web.FileResponse(files[-1], filename="numbers.csv")

    app = web.Application()
    app.router.add_get("/", handler)
    peer = await (await serve(app)).connect()
    answer = await peer.request("GET", "/")
    assert answer.body == b"0123456789" * 20_000
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    part = await peer.request("GET", "/", "Range: bytes=-3,0-1")
    assert part.status == 206
    assert b"\r\n\r\n789\r\n" in part.body
    assert all(file.closed for file in files)


async def test_a_file_without_a_path_has_no_name(serve: Serve) -> None:
    def respond(request: web.Request) -> web.FileResponse:
        return web.FileResponse(tempfile.TemporaryFile(), disposition="attachment")

    answer = await (await serve(answering(respond))).request("GET", "/")
    assert (answer.body, answer.headers["Content-Disposition"]) == (b"", "attachment")


async def test_memory_has_no_validators(serve: Serve) -> None:
    address = await serve(answering(lambda request: web.FileResponse(io.BytesIO(b"hello"))))
    answer = await address.request("GET", "/", "If-Modified-Since: " + DATE)
    assert (answer.status, answer.body) == (200, b"hello")
    assert not {"ETag", "Last-Modified"} & answer.headers.keys()
    assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("thing", [None, 5, b"bytes", io.StringIO("text"), object()])
def test_what_is_no_file_is_refused_at_once(thing: Any) -> None:
    with pytest.raises(TypeError, match="a path is expected, or a file that was opened for reading bytes"):
        web.FileResponse(thing)


async def test_a_file_that_was_closed_is_a_failure_of_the_handler(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    file = io.BytesIO(b"hello")
    file.close()
    address = await serve(answering(lambda request: web.FileResponse(file)))
    assert (await address.request("GET", "/")).status == 500
    assert "Error handling GET /" in caplog.text


# -- no files ----------------------------------------------------------------------------------------------------------


async def refused(serve: Serve, path: Any) -> Answer:
    headers = {"Cache-Control": "max-age=99", "Access-Control-Allow-Origin": "*"}
    address: Address = await serve(answering(lambda request: web.FileResponse(path, headers=headers, filename="x")))
    peer = await address.connect()
    answer = await peer.request("GET", "/")
    assert (await peer.request("HEAD", "/")).status == answer.status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert not {"Cache-Control", "Content-Disposition", "ETag", "Accept-Ranges"} & answer.headers.keys()
    return answer


@pytest.mark.parametrize(
    "name", ["missing", "file.txt/x", "a\0b", "x" * 300, "dead link", "loop", "\udcff\udc80", "\ud800"]
)
async def test_a_file_that_is_not_there_is_a_404(serve: Serve, tmp_path: Path, name: str) -> None:
    make(tmp_path)
    (tmp_path / "dead link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    answer = await refused(serve, f"{tmp_path}/{name}")
    assert answer.status == 404
    assert b"404 Not Found" in answer.body
    assert str(tmp_path).encode() not in answer.body


async def test_what_is_no_regular_file_is_a_403(serve: Serve, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", "/dev/zero"):
        assert (await refused(serve, path)).status == 403


async def test_a_file_that_may_not_be_read_is_a_403(serve: Serve, tmp_path: Path, monkeypatch: Any) -> None:
    path = make(tmp_path)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything: let the system say no

        def refuse(*args: Any, **options: Any) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    assert (await refused(serve, path)).status == 403


async def test_a_server_without_descriptors_is_to_blame_itself(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = make(tmp_path)
    address = await serve(answering(lambda request: web.FileResponse(path)))

    def refuse(*args: Any, **options: Any) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    assert (await address.request("GET", "/")).status == 500
    assert "Too many open files" in caplog.text


async def test_a_response_that_is_not_sent_leaves_nothing_open(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path, 300_000)

    @web.middleware
    async def another(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> web.Response:
        await handler(request)
        return web.Response(text="something else")

    app = web.Application(middlewares=[another])
    app.router.add_static("/", tmp_path)
    address = await serve(app)
    assert (await address.request("GET", "/file.txt")).body == b"something else"
    # The thread that opened it may be a moment late in letting go.
    await until(lambda: not open_files(path))
