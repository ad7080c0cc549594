"""Threads for calls that block: so many at most, made when they are needed, and a bounded number of calls that wait.

Not a ThreadPoolExecutor: its threads are joined when the process ends, so an application that hangs would keep a
stopped server from going; and its queue has no bound.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]
"""A call that blocks, and raises nothing."""


class NoRoom(Exception):
    """All threads are at work, and enough jobs wait already."""


class Threads:
    """Threads that run jobs, in the order of their coming.

    Args:
        count: threads, at most.
        waiting: jobs that may wait for one.
    """

    def __init__(self, count: int, waiting: int) -> None:
        self._count = count
        self._room = count + waiting
        self._lock = threading.Lock()
        self._load = 0
        self._threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()

    @property
    def load(self) -> int:
        """Jobs that run or wait."""
        return self._load

    def submit(self, job: Job) -> None:
        """Run a job as soon as a thread is free. Raises NoRoom."""
        with self._lock:
            if self._load >= self._room:
                raise NoRoom
            self._load += 1
            if len(self._threads) < min(self._load, self._count):
                # A daemon: a job that hangs does not keep the process.
                thread = threading.Thread(target=self._work, args=(self._jobs,), name="aioweb-wsgi", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """Let the threads end when they have done what was submitted. Harmless if there are none."""
        with self._lock:
            ended, self._threads = self._threads, []
            jobs, self._jobs = self._jobs, SimpleQueue()
            is_idle = not self._load
        for _ in ended:
            jobs.put(None)
        if is_idle:
            for thread in ended:
                thread.join()

    def _work(self, jobs: SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            job()
            del job  # what it holds is not to live until the next one comes
            with self._lock:
                self._load -= 1
