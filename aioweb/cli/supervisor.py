"""The supervisor: holds the listening sockets, and keeps processes that serve them.

A worker that dies is replaced. A restart (SIGHUP, or a change of the code) goes one by one: the new worker listens
before the old one is told to finish, and if it does not come up, the old one stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from aioweb.cli.channel import environment
from aioweb.cli.listening import listening
from aioweb.cli.options import Options, UsageError

_SOON: Final = 1.0
"""Seconds: who dies sooner than that after its start is started again only after a pause that doubles."""
_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
PATIENCE: Final = 10.0
"""Seconds that a worker gets for its cleanup, beyond the shutdown timeout of its requests."""


def supervise(options: Options) -> int:
    """Run the workers until a signal. Returns the exit code; raises CommandError if it cannot start."""
    if options.reload:
        try:
            import watchfiles  # noqa: F401
        except ImportError:
            raise UsageError("--reload needs watchfiles: pip install 'aioweb[reload]'") from None
    with listening(options) as sockets:
        return asyncio.run(_Supervisor(options, sockets).run())


def pause_before(last_pause: float, lived: float) -> float:
    """Seconds to wait before a worker that has lived so long is replaced: a longer time after each early death."""
    return 0.0 if lived > _SOON else min(max(2 * last_pause, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:  # whoever has read it is gone; nobody shall have to stop or replace workers because of that
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


class _Worker:
    """One process, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, pause: float) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.started = loop.time()
        self.pause = pause
        """Seconds that were waited before its start, for those before it had died too soon."""
        self.ready: asyncio.Future[bool] = loop.create_future()
        """It listens (True), or has ended before it did (False)."""
        self.ended: asyncio.Future[int] = loop.create_future()
        """Its exit code."""
        self.leaving = False
        """Nobody replaces it when it ends."""

    def __str__(self) -> str:
        return f"worker {self.process.pid}"

    def tell(self, number: signal.Signals) -> None:
        """Send a signal, if there is still somebody to hear it."""
        self.leaving = True
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class _Supervisor:
    def __init__(self, options: Options, sockets: list[socket.socket]) -> None:
        self._options = options
        self._sockets = sockets
        self._workers: list[_Worker] = []
        self._served = False
        self._restarting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._steps = iter(((signal.SIGTERM, "stopping"), (signal.SIGINT, "stopping at once")))
        self._stopping = False
        self._exit_code = 0

    async def run(self) -> int:
        """Start all, and wait for the end. Returns the exit code."""
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._do(self._restart()))
        if self._options.reload:
            self._do(self._watch())  # before anybody is told that it runs: a change from then on counts
        await self._start_all()
        await self._over
        return self._exit_code

    def _do(self, coro: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- workers ---------------------------------------------------------------------------------------------------

    async def _start_all(self) -> None:
        """Start one, and when it listens the others: what cannot start is told once and not by each of them."""
        async with self._restarting:
            first = await self._start()
            if await first.ready:
                for _ in range(self._options.workers - 1):
                    if not self._stopping:
                        await self._start()

    async def _start(self, pause: float = 0.0) -> _Worker:
        """Start a worker, without waiting until it listens."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "aioweb", *self._options.argv),
                pass_fds=[sock.fileno() for sock in (theirs, *self._sockets)],
                env=environment(theirs, self._sockets),
                # Ctrl-C in a terminal goes to a whole group of processes; a worker is to hear of it from us alone.
                start_new_session=True,
            )
        worker = _Worker(process, pause)
        self._workers.append(worker)
        self._do(self._follow(worker, ours))
        if self._stopping:
            self._do(self._finish(worker))
        return worker

    async def _follow(self, worker: _Worker, channel: socket.socket) -> None:
        """The life of a worker: from its first word, or its silence, to its end."""
        with channel:
            channel.setblocking(False)
            try:
                words = await asyncio.get_running_loop().sock_recv(channel, 65536)
            except OSError:
                words = b""
            if words and not self._served:
                self._served = True
                _say(words.decode())
            worker.ready.set_result(bool(words))
            code = await worker.process.wait()
        self._workers.remove(worker)
        worker.ended.set_result(code)
        if self._stopping:
            # One that was still starting, or had just finished, knows of no other way than to be killed by the signal.
            if worker.ready.result() and code not in (0, -signal.SIGTERM, -signal.SIGINT):
                self._exit_code = 1
            self._check_over()
        elif not worker.leaving:
            await self._replace(worker, code)

    async def _replace(self, worker: _Worker, code: int) -> None:
        if not self._served and not self._options.reload:
            # What has never started will not start in a second: to try again for ever would hide it.
            _say(f"aioweb: {worker} could not start (exit code {code})")
            self._exit_code = 1
            self._stop()
            return
        if self._options.reload and not worker.ready.result():
            _say("aioweb: waiting for a change of the code")
            return
        lived = asyncio.get_running_loop().time() - worker.started
        pause = pause_before(worker.pause, lived)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        _say(f"aioweb: {worker} {how}; another one starts{f' in {pause:g} s' if pause else ''}")
        await asyncio.sleep(pause)
        # A restart may have come in between.
        if not self._stopping and len(self._staying()) < self._options.workers:
            await self._start(pause)

    def _staying(self) -> list[_Worker]:
        return [worker for worker in self._workers if not worker.leaving]

    # -- restart ---------------------------------------------------------------------------------------------------

    async def _restart(self) -> None:
        """Replace all workers, one by one; new connections are accepted all the time."""
        async with self._restarting:
            olds = self._staying()
            for number in range(self._options.workers):
                if self._stopping:
                    return
                new = await self._start()
                new.leaving = True  # until it listens nobody replaces it
                if not await new.ready:
                    _say(f"aioweb: {new} could not start{'; the others go on' if self._staying() else ''}")
                    return
                if self._stopping:
                    return
                new.leaving = False
                _say(f"aioweb: {new} listens")
                if number < len(olds):
                    self._do(self._finish(olds[number]))

    async def _finish(self, worker: _Worker) -> None:
        """Let a worker finish its requests; then it must end."""
        worker.tell(signal.SIGTERM)
        done, _ = await asyncio.wait([worker.ended], timeout=self._options.shutdown_timeout + PATIENCE)
        if not done:
            worker.tell(signal.SIGKILL)

    async def _watch(self) -> None:
        import watchfiles

        folders = self._options.reload_dir or [self._options.app_dir]
        async for changes in watchfiles.awatch(*folders, watch_filter=watchfiles.PythonFilter()):
            self._show(path for _, path in changes)
            await self._restart()

    def _show(self, changed: Iterable[str]) -> None:
        names = sorted({os.path.relpath(path) for path in changed})
        _say(f"aioweb: {', '.join(names[:3])}{' ...' if len(names) > 3 else ''} changed")

    # -- the end ---------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """The first time gracefully, the second time at once, the third time by force."""
        number, words = next(self._steps, (signal.SIGKILL, "stopping by force"))
        _say(f"aioweb: {words}")
        if not self._stopping:
            self._stopping = True
            # Before the workers close theirs: a connection that only this process could accept would wait for ever.
            for sock in self._sockets:
                sock.close()
            for worker in self._workers:
                self._do(self._finish(worker))
            self._check_over()
            return
        for worker in self._workers:
            worker.tell(number)

    def _check_over(self) -> None:
        if not self._workers and not self._over.done():
            self._over.set_result(None)
