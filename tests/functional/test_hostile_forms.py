"""Hostile forms through real sockets: each has its answer in bounded time and memory, and leaves no file behind."""

from __future__ import annotations

import asyncio
import gc
import gzip
import logging
import os
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Address, Peer, Serve
from tests.data.hostile_multipart import (
    HARMLESS_MULTIPART,
    HOSTILE_CONTENT_TYPES,
    HOSTILE_MULTIPART,
    HostileMultipart,
)
from tests.functional.scripts import said, until

pytestmark = pytest.mark.on_every_loop

LARGE = 4 * 2**20
"""Bytes of a form that the servers here take; no content of the tables is larger."""
AT_MOST = 2**21
"""Bytes that a form may cost beside its own, which the peer holds in the same process: fields, parts, one receive."""
OPENED = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'


async def collect(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.post())))


async def stream(request: web.Request) -> web.Response:
    """Looks at everything and keeps nothing."""

    async def walk(reader: web.MultipartReader) -> int:
        count = 0
        async for part in reader:
            count += 1
            if isinstance(part, web.MultipartReader):
                count += await walk(part)
            else:
                async for _ in part:
                    pass
        return count

    return web.Response(text=str(await walk(await request.multipart())))


def application(**limits: int) -> web.Application:
    app = web.Application(limits=web.Limits(**{"client_max_size": LARGE, **limits}))
    app.router.add_post("/post", collect)
    app.router.add_post("/stream", stream)
    return app


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def request_of(path: str, content_type: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + body


async def converse(address: Address, octets: bytes) -> int:
    """Send a request; the status of its answer, also if that comes before the end of the request."""
    peer = await address.connect()
    peer.writer.write(octets)
    answer = await peer.response()
    await peer.close()
    return answer.status


@pytest.mark.parametrize("path", ["/post", "/stream"])
async def test_hostile_forms_have_their_answers(
    path: str, serve: Serve, traced: None, caplog: pytest.LogCaptureFixture
) -> None:
    address = await serve(application())
    wrong: dict[str, Any] = {}
    for case in HOSTILE_MULTIPART:
        octets = request_of(path, case.content_type, case.octets)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        begin = time.process_time()
        status = await converse(address, octets)
        seconds = time.process_time() - begin
        _, peak = tracemalloc.get_traced_memory()
        wanted = case.answer if path == "/post" else case.status
        if status != wanted or peak - before > AT_MOST + 2 * len(octets) or seconds > 1.0:
            wrong[case.name] = (status, wanted, peak - before, seconds)
    assert wrong == {}
    assert said(caplog, logging.INFO) == []


@pytest.mark.parametrize("case", HARMLESS_MULTIPART, ids=str)
async def test_what_only_looks_hostile_is_read(case: HostileMultipart, serve: Serve) -> None:
    address = await serve(application())
    for path in ("/post", "/stream"):
        answer = await address.request("POST", path, f"Content-Type: {case.content_type}", body=case.octets)
        assert (answer.status, int(answer.body)) == (200, len(case.complete))


async def test_hostile_boundaries_are_a_400(serve: Serve) -> None:
    address = await serve(application())
    for content_type, _ in HOSTILE_CONTENT_TYPES:
        if "\r" not in content_type:
            for path in ("/post", "/stream"):
                assert await converse(address, request_of(path, content_type, b"--x--")) == 400, content_type


async def test_near_boundaries_cost_no_more_than_zeros(serve: Serve) -> None:
    address = await serve(application(client_max_size=0, form_field=0))
    boundary = "-" * 40 + "x"
    near = f"\r\n--{boundary[:-1]}y".encode()
    size = 10 * 2**20
    contents = {"zeros": bytes(size), "near": (near * (size // len(near) + 1))[:size], "cr": b"\r" * size}
    seconds: dict[str, float] = {}
    for name, content in contents.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.encode()
        body = head + content + f"\r\n--{boundary}--\r\n".encode()
        octets = request_of("/stream", f"multipart/form-data; boundary={boundary}", body)
        times: list[float] = []
        for _ in range(3):
            begin = time.process_time()
            assert await converse(address, octets) == 200
            times.append(time.process_time() - begin)
        seconds[name] = min(times)
    assert max(seconds.values()) < 4 * seconds["zeros"] + 0.05


BOMB = OPENED + bytes(64 * 2**20) + b"\r\n--x--"


@pytest.mark.parametrize("path", ["/post", "/stream"])
async def test_a_form_that_is_packed_may_be_no_bomb(path: str, serve: Serve) -> None:
    address = await serve(application(client_max_size=0))
    lines = ["Content-Type: multipart/form-data; boundary=x", "Content-Encoding: gzip"]
    fair = OPENED + os.urandom(300_000) + b"\r\n--x--"
    assert (await address.request("POST", path, *lines, body=gzip.compress(fair))).body == b"1"
    assert (await address.request("POST", path, *lines, body=gzip.compress(BOMB))).status == 413


@pytest.mark.parametrize("path", ["/post", "/stream"])
async def test_a_part_that_is_packed_may_be_no_bomb(path: str, serve: Serve) -> None:
    address = await serve(application(client_max_size=0))
    head = OPENED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    body = head + gzip.compress(bytes(64 * 2**20)) + b"\r\n--x--"
    answer = await address.request("POST", path, "Content-Type: multipart/form-data; boundary=x", body=body)
    assert answer.status == 413
    assert b"decoding_ratio" in answer.body


async def test_files_that_are_packed_make_no_form_larger_than_its_limit(serve: Serve) -> None:
    # 64 KiB of what cannot be packed for each MiB: 16 times larger is what text becomes, and no bomb.
    fair = b"".join(os.urandom(2**16) + bytes(15 * 2**16) for _ in range(3))
    head = OPENED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    part = head + gzip.compress(fair) + b"\r\n"
    address = await serve(application())
    line = "Content-Type: multipart/form-data; boundary=x"
    assert (await address.request("POST", "/post", line, body=part + b"--x--")).body == b"1"
    answer = await address.request("POST", "/post", line, body=part + part + b"--x--")
    assert answer.status == 413
    assert answer.body == b"413: a form may have at most %d bytes" % LARGE
    assert (await address.request("POST", "/stream", line, body=part + part + b"--x--")).body == b"2"


# -- the ends of forms that have files ---------------------------------------------------------------------------------


def open_files() -> set[str]:
    """What this process has open below the folder of temporary files."""
    folder = os.path.realpath(tempfile.gettempdir())
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if name.startswith(folder):
            found.add(name)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go; empty again in the end, and nothing of it open."""
    if not os.path.exists("/proc/self/fd"):
        pytest.skip("asks the kernel for open files")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert open_files() == set()


async def begin_upload(peer: Peer, size: int) -> None:
    """Send the beginning of a form with a file, so much of it that a temporary file holds some."""
    length = size + 10**6
    head = "POST /post HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    await peer.send(f"{head}Content-Length: {length}\r\n\r\n".encode() + OPENED + bytes(size))
    await until(open_files)


@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_files_of_a_client_that_goes_are_closed(how: str, cancelled: bool, serve: Serve, folder: Path) -> None:
    address = await serve(application(form_memory=0), handler_cancellation=cancelled)
    peer = await address.connect()
    await begin_upload(peer, 2**20)
    if how == "reset":
        peer.abort()
    await peer.close()
    await until(lambda: not address.server.connections and not open_files())


async def test_files_of_a_form_that_breaks_a_limit_are_closed(serve: Serve, folder: Path) -> None:
    address = await serve(application(form_memory=0, form_file=2**20))
    body = OPENED + bytes(2**20 + 1) + b"\r\n--x--"
    assert await converse(address, request_of("/post", "multipart/form-data; boundary=x", body)) == 413
    await until(lambda: not open_files())


async def test_files_of_a_handler_that_fails_are_closed(
    serve: Serve, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: web.Request) -> web.Response:
        field = (await request.post())["f"]
        assert isinstance(field, web.FileField)
        assert len(open_files()) == 1
        raise KeyError(field.filename)

    app = web.Application(limits=web.Limits(client_max_size=LARGE, form_memory=0))
    app.router.add_post("/post", fail)
    address = await serve(app)
    body = OPENED + bytes(2**20) + b"\r\n--x--"
    assert await converse(address, request_of("/post", "multipart/form-data; boundary=x", body)) == 500
    await until(lambda: not open_files())


async def test_a_file_may_be_the_body_of_the_answer(serve: Serve, folder: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        field = (await request.post())["f"]
        assert isinstance(field, web.FileField)
        return web.Response(body=field.file)

    app = web.Application(limits=web.Limits(client_max_size=LARGE, form_memory=0))
    app.router.add_post("/", echo)
    data = os.urandom(2**20)
    line = "Content-Type: multipart/form-data; boundary=x"
    answer = await (await serve(app)).request("POST", "/", line, body=OPENED + data + b"\r\n--x--")
    assert answer.body == data
    await until(lambda: not open_files())


async def test_a_stop_ends_uploads_and_closes_their_files(folder: Path) -> None:
    app = application(form_memory=0)
    await app.startup()
    server = app.make_handler()
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    peer = Peer(*await asyncio.open_connection("127.0.0.1", listener.sockets[0].getsockname()[1]))
    await begin_upload(peer, 2**20)
    listener.close()
    await server.shutdown(0.01)
    await until(lambda: not open_files())
    await peer.close()
    await app.cleanup()
