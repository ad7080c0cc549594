"""A small load: clients with keep-alive connections that ask and ask, and count every request that failed.

As strict as wrk: a request that was sent and not answered whole is a failure, a reset is one, a refused connection too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.functional.processes import DEADLINE

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Load:
    """What came of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers = 0
        self.failures: Counter[str] = Counter()
        self.pids: set[int] = set()
        """Who has answered."""
        self.ending = False

    async def client(self) -> None:
        """Ask until it is over."""
        while not self.ending:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                self.failures[repr(error)] += 1
                await asyncio.sleep(0.01)
                continue
            try:
                await asyncio.wait_for(self._ask(reader, writer), DEADLINE * 4)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                self.failures[repr(error)] += 1
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests on one connection, until the server wants no more of them."""
        while not self.ending:
            await asyncio.sleep(0)
            if reader.at_eof():
                return  # closed between two requests: nothing was asked
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            assert await reader.readexactly(5) == b"hello"
            self.answers += 1
            self.pids.add(int(head.partition(b"\r\nPid: ")[2].partition(b"\r\n")[0]))
            if b"\r\nConnection: close\r\n" in head:
                return

    async def more(self, count: int = 200) -> None:
        """Wait for so many further answers."""
        end = asyncio.get_running_loop().time() + DEADLINE
        wanted = self.answers + count
        while self.answers < wanted:
            assert asyncio.get_running_loop().time() < end, f"nobody answers: {self.failures}"
            await asyncio.sleep(0.005)

    async def answered_by_others_than(self, pids: set[int], count: int = 1) -> None:
        """Wait until `count` processes beside these have answered."""
        end = asyncio.get_running_loop().time() + DEADLINE
        while len(self.pids - pids) < count:
            assert asyncio.get_running_loop().time() < end, f"no new process: {self.pids}, {self.failures}"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def load(port: int, clients: int = 8) -> AsyncIterator[Load]:
    """Load the port while the block runs."""
    found = Load(port)
    tasks = [asyncio.ensure_future(found.client()) for _ in range(clients)]
    try:
        await found.more()
        yield found
    finally:
        found.ending = True
        await asyncio.wait(tasks, timeout=DEADLINE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
