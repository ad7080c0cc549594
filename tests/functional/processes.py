"""Servers in processes of their own, as users run them: started, waited for, told signals, and ended in any case."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE = 30.0
"""Seconds after which a test that waits for a process has failed: the machine may be busy."""


class Program:
    """A process whose output is collected, standard error with it."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path = ROOT, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment},
        )
        self.output = ""
        self._ended = False
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.output += line
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def wait_for(self, pattern: str, count: int = 1) -> list[str]:
        """Wait until the output has `count` matches of the pattern; returns them, or their group."""
        found: list[str] = []

        def is_there() -> bool:
            found[:] = re.findall(pattern, self.output)
            return len(found) >= count or self._ended

        with self._more:
            self._more.wait_for(is_there, DEADLINE)
        assert len(found) >= count, f"{count} x {pattern!r} did not come; the output is:\n{self.output}"
        return found

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """Send a signal, or none, and wait for the end. Returns the exit code."""
        if number is not None:
            self.tell(number)
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; the output is:\n{self.output}") from None
        self._reader.join(5)
        return code


@contextmanager
def running(*arguments: str, cwd: Path = ROOT, **environment: str) -> Iterator[Program]:
    """A program that is killed at the end, unless it has ended before."""
    program = Program(arguments, cwd=cwd, **environment)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait(DEADLINE)
        # Its children hold the pipe until they have noticed; whoever does not is not waited for.
        program._reader.join(5)
        assert program.process.stdout is not None
        if not program._reader.is_alive():
            program.process.stdout.close()


_ACTIVATE = """
import os, sys
pid, numbers = sys.argv[1] or str(os.getpid()), [int(word) for word in sys.argv[2].split(",")]
far = [os.dup2(number, 100 + n) for n, number in enumerate(numbers)]  # one may have the number that another is to get
for n, number in enumerate(far):
    os.dup2(number, 3 + n)
os.environ.update(LISTEN_PID=pid, LISTEN_FDS=str(len(numbers)), LISTEN_FDNAMES="a")
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""


def activated(arguments: Sequence[str], numbers: Sequence[int], pid: str = "") -> list[str]:
    """A command that starts Python as systemd does, with these descriptors, which must be passed to it."""
    return [sys.executable, "-c", _ACTIVATE, pid, ",".join(map(str, numbers)), *arguments]


def children(program: Program) -> set[int]:
    """The processes that it has started and that are not yet waited for."""
    pid = program.process.pid
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def is_alive(pid: int) -> bool:
    """There is such a process, and it is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: object, what: str = "it did not come about") -> None:
    """Wait for what another process brings about."""
    assert callable(condition)
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)
