"""A small load: clients with keep-alive connections that ask and ask, and count every request that failed.

As strict as wrk: a request that was sent and not answered whole is a failure, a reset is one, a refused connection too.
And where wrk itself is installed it loads the same port beside them, and what it counts as errors is counted as well.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.functional.processes import DEADLINE, is_alive

WRK = shutil.which("wrk")
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
        """Requests on one connection, until the server wants no more of them, or it was enough."""
        for _ in range(50):
            if self.ending:
                return
            await asyncio.sleep(0)
            if reader.at_eof():
                return  # closed between two requests: nothing was asked
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            assert await reader.readexactly(5) == b"hello"
            self.answers += 1
            fields = head.lower()  # a proxy may write the names so
            self.pids.add(int(fields.partition(b"\r\npid: ")[2].partition(b"\r\n")[0]))
            if b"\r\nconnection: close\r\n" in fields:
                return

    async def more(self, count: int = 200) -> None:
        """Wait for so many further answers."""
        wanted = self.answers + count
        await self.until(lambda: self.answers >= wanted)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what comes about under load."""
        end = asyncio.get_running_loop().time() + DEADLINE
        while not condition():
            assert asyncio.get_running_loop().time() < end, f"{self.answers} by {self.pids}, {self.failures}"
            await asyncio.sleep(0.005)

    async def replaced(self, pids: set[int]) -> None:
        """Wait until these processes have ended and others have answered."""
        await self.until(lambda: self.pids - pids and not any(map(is_alive, pids)))
        await self.more()


class Wrk:
    """wrk in a process of its own, until it is told to end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, port: int) -> Wrk:
        """Load the port. The connections are few and the time is bounded, whoever forgets to end it."""
        options = ["-t", "1", "-c", "4", "-d", f"{DEADLINE * 4:.0f}s", "--timeout", f"{DEADLINE:.0f}s"]
        command = [str(WRK), *options, f"http://127.0.0.1:{port}/"]
        return cls(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))

    async def end(self) -> tuple[int, Counter[str]]:
        """The requests that it has made, and the errors that it counted, which it tells after Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(self._process.communicate(), DEADLINE)
        text = output.decode()
        (requests,) = re.findall(r"(\d+) requests in ", text)
        errors = re.search(r"Socket errors: (.+)|(Non-2xx or 3xx responses: \d+)", text)
        return int(requests), Counter({f"wrk: {errors[0]}": 1} if errors is not None else {})


@asynccontextmanager
async def load(port: int, clients: int = 8) -> AsyncIterator[Load]:
    """Load the port while the block runs."""
    assert WRK or os.environ.get("CI") != "true", "wrk is missing: .ci/packages installs it"
    found = Load(port)
    tasks = [asyncio.ensure_future(found.client()) for _ in range(clients)]
    wrk = await Wrk.start(port) if WRK else None
    try:
        await found.more()
        yield found
    finally:
        found.ending = True
        await asyncio.wait(tasks, timeout=DEADLINE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if wrk is not None:
            requests, failures = await wrk.end()
            found.failures += failures
            assert requests, "wrk has asked nothing"
