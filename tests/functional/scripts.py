"""What the scripts of this folder are made of: handlers that obey the test, clients that do not read, and patience."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Address

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Gate:
    """A handler that answers when it is let, and keeps what happened to it. Override `answer`."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.opened = asyncio.Event()
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.requests: list[web.BaseRequest] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        self.begun.set()
        error: BaseException | None = None
        try:
            return await self.answer(request)
        except BaseException as caught:
            error = caught
            raise
        finally:
            if not self.ended.done():
                self.ended.set_result(error)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """What the handler does."""
        await self.opened.wait()
        return web.Response(text=request.path)

    async def begin(self) -> web.BaseRequest:
        """Wait until it has begun; its request."""
        await asyncio.wait_for(self.begun.wait(), PATIENCE)
        return self.requests[0]

    async def end(self) -> BaseException | None:
        """Wait until it has ended; what it raised."""
        return await asyncio.wait_for(asyncio.shield(self.ended), PATIENCE)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the loop brings about by itself."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it did not come about"
        await asyncio.sleep(0.001)


def connect_deaf(address: Address) -> socket.socket:
    """A client with small buffers of its own that reads only when it is told to."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.connect((address.host, address.port))
    client.setblocking(False)
    return client


def bound_kernel(request: web.BaseRequest) -> None:
    """Let the kernel buffer little of what is written to this client."""
    assert request.transport is not None
    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)


def said(caplog: pytest.LogCaptureFixture, level: int = logging.DEBUG) -> list[str]:
    """What aioweb has logged at this level or above."""
    return [
        record.getMessage() for record in caplog.records if record.name.startswith("aioweb") and record.levelno >= level
    ]


def open_files(path: Path) -> int:
    """How often this process has the file open."""
    folder = "/proc/self/fd"
    if not os.path.exists(folder):
        pytest.skip("asks the kernel for open files")
    return sum(os.path.realpath(os.path.join(folder, name)) == str(path) for name in os.listdir(folder))
