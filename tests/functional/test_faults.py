"""What a machine may run out of: descriptors, and room for uploads. A real process with small limits, and a crowd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.load import GET
from tests.functional.processes import DEADLINE, Program, running, wait_until

LOOPS = ["asyncio", "uvloop"]
FILES = 60
"""Descriptors that the server may have; some dozen of them it needs for itself."""

SERVER = """
import resource, sys
kind, limit, loop = sys.argv[1:]
resource.setrlimit(getattr(resource, kind), (int(limit), int(limit)))
from aioweb import web

async def hello(request):
    return web.Response(text="hello")

async def upload(request):
    form = await request.post()
    return web.Response(text=str(sum(len(field.file.read()) for field in form.values())))

app = web.Application(client_max_size=2**30)
app.router.add_get("/", hello)
app.router.add_post("/", upload)
if loop == "uvloop":
    import uvloop
    loop = uvloop.new_event_loop
else:
    loop = None
web.run_app(app, host="127.0.0.1", port=0, access_log=None, loop=loop)
"""


@contextlib.contextmanager
def limited(kind: str, limit: int, loop: str) -> Iterator[tuple[Program, int]]:
    """A server under a limit of the kernel; the program and its port."""
    with running("-W", "error", "-c", SERVER, kind, str(limit), loop) as program:
        (port,) = program.wait_for(r"Running on http://127\.0\.0\.1:(\d+)")
        yield program, int(port)


def ask(client: socket.socket) -> bytes:
    client.sendall(GET)
    return client.recv(1000)


def is_served(port: int) -> bool:
    """A new client gets its answer soon."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as client:
        return ask(client).startswith(b"HTTP/1.1 200 ")
    return False


# -- descriptors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_a_server_without_descriptors_serves_those_it_has_and_recovers(loop: str) -> None:
    with limited("RLIMIT_NOFILE", FILES, loop) as (program, port), contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(2 * FILES)]
        folder = f"/proc/{program.process.pid}/fd"
        wait_until(lambda: len(os.listdir(folder)) >= FILES - 1, "it has descriptors left")
        for client in crowd[: FILES // 3]:
            client.settimeout(DEADLINE)
            for _ in range(2):
                assert ask(client).startswith(b"HTTP/1.1 200 "), "whoever got in is served"
        for client in crowd:
            client.close()
        wait_until(lambda: is_served(port), "it does not recover")
        assert program.end() == 0
    reports = len(re.findall("Too many open files", program.output))
    assert reports <= DEADLINE, "not more than one for each second"
    if loop == "asyncio":
        assert reports >= 1


@pytest.mark.parametrize("loop", LOOPS)
def test_a_server_without_descriptors_stops_gracefully(loop: str) -> None:
    with limited("RLIMIT_NOFILE", FILES, loop) as (program, port), contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(2 * FILES)]
        wait_until(lambda: len(os.listdir(f"/proc/{program.process.pid}/fd")) >= FILES - 1)
        crowd[0].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert program.process.poll() is None
        program.tell(15)
        crowd[0].sendall(b"\r\n")
        crowd[0].settimeout(DEADLINE)
        assert crowd[0].recv(1000).startswith(b"HTTP/1.1 200 ")
        assert program.end(None) == 0
    assert "Traceback" not in program.output, program.output


# -- room --------------------------------------------------------------------------------------------------------------


def form(size: int) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    content = head + b"x" * size + b"\r\n--b--\r\n"
    fields = b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n" % len(content)
    return b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + b"\r\n" + content


async def post(port: int, size: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(form(size))
    answer = await asyncio.wait_for(reader.read(), DEADLINE)
    writer.close()
    return answer


async def test_an_upload_for_which_there_is_no_room_is_a_507_and_leaves_nothing() -> None:
    room = 2**20
    with limited("RLIMIT_FSIZE", room, "asyncio") as (program, port):
        answers = await asyncio.gather(*(post(port, 4 * room) for _ in range(5)), post(port, room // 2))
        assert [answer.partition(b"\r\n")[0] for answer in answers[:-1]] == [b"HTTP/1.1 507 Insufficient Storage"] * 5
        assert answers[-1].endswith(b"\r\n\r\n%d" % (room // 2)), "what there is room for is taken"

        def is_clean() -> bool:
            try:
                links = [os.readlink(link) for link in Path(f"/proc/{program.process.pid}/fd").iterdir()]
            except FileNotFoundError:  # closed while we look
                return False
            return not any("(deleted)" in link for link in links)

        await asyncio.to_thread(wait_until, is_clean, "temporary files are left open")
        assert (await post(port, 10)).endswith(b"\r\n\r\n10")
        assert program.end() == 0
    assert program.output.count("No room for the files of a form in") == 5
    assert "Traceback" not in program.output


def test_the_limits_of_these_tests_can_be_set() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > FILES
    assert hard == resource.RLIM_INFINITY or hard > FILES
