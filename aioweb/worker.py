"""The gunicorn worker: `gunicorn -k aioweb.worker.GunicornWebWorker project.app:app`.

gunicorn's master opens the sockets, forks and watches; each worker is one process with one loop, made here: a runner
for the application, a site for each inherited socket, and a heartbeat that the master looks at.

What may be named on the command line: an Application, a coroutine function that returns one, or an AppRunner; or a
call of a plain function, which gunicorn makes itself (`"project.app:create_app()"`).

Needs the package gunicorn (the extra `gunicorn`).
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import ssl
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

from aioweb import web

try:
    from gunicorn.sock import ssl_context
    from gunicorn.workers import base
except ImportError as error:
    raise ImportError("aioweb.worker needs gunicorn: pip install 'aioweb[gunicorn]'") from error

__all__ = ("GunicornUVLoopWebWorker", "GunicornWebWorker")

_BOOT_ERROR: Final = 3
"""The exit code that makes the master give up: another worker would fail as well."""
_LAST_WAIT: Final = 5.0
"""Seconds that tasks get, at the very end, for noticing that they are cancelled."""
# gunicorn's names for three of our limits. Its defaults are for its own parser: only what was changed counts.
_LIMITS: Final = {
    "limit_request_line": "max_line_size",
    "limit_request_fields": "max_headers",
    "limit_request_field_size": "max_field_size",
}


class _Counter(web.Observer):
    """Counts requests, for `--max-requests`."""

    def __init__(self, limit: int, reached: Callable[[], None]) -> None:
        self._rest = limit
        self._reached = reached

    def request_started(self, request: Any) -> None:
        self._rest -= 1
        if self._rest == 0:
            self._reached()


class GunicornWebWorker(base.Worker):  # type: ignore[misc]
    """A worker on asyncio's own loop. gunicorn makes it; its arguments are gunicorn's.

    Settings of gunicorn that have an effect, beside those that its master obeys: timeout, graceful_timeout (requests
    in flight get 95 % of it), keepalive, max_requests with its jitter, reload, backlog, loglevel (debug makes the
    server debug, too), accesslog and access_log_format, limit_request_line, limit_request_fields and
    limit_request_field_size if they are changed, those of TLS, proxy_protocol with proxy_allow_ips, and
    forwarded_allow_ips: if it is not gunicorn's default, X-Forwarded-For and X-Forwarded-Proto of these networks, and
    of Unix sockets, are believed. An AppRunner keeps the options that it was made with.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stopping = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self._exit_code = _BOOT_ERROR
        self._beat_interval = min(1.0, self.timeout / 2) if self.timeout else 1.0

    def make_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this worker."""
        return asyncio.new_event_loop()

    def init_signals(self) -> None:
        """Called by gunicorn before there is a loop; `run` takes most signals over."""
        super().init_signals()
        # gunicorn's wake-up descriptor would be written to by every signal, and read by nobody.
        signal.set_wakeup_fd(-1)

    def run(self) -> NoReturn:
        """Serve until the master says stop, enough requests are counted, or the master is gone. Ends the process."""
        try:
            loop = self.make_loop()
        except Exception:
            self.log.exception("Exception in worker process")
            sys.exit(_BOOT_ERROR)
        asyncio.set_event_loop(loop)
        self._serving = loop.create_task(self._serve(loop))
        try:
            loop.run_until_complete(self._serving)
        except asyncio.CancelledError:
            pass  # QUIT came while it was stopping
        except Exception:
            self.log.exception("Exception in worker process")
        _close(loop)
        sys.exit(self._exit_code)

    # -- the life of a worker --------------------------------------------------------------------------------------

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        # It beats to the end: start and stop may both take longer than the master's patience with a silent worker.
        heart = loop.create_task(self._beat())
        self._take_signals(loop)
        try:
            runner = self._runner = await self._make_runner()
            try:
                await runner.setup()
                tls = self._make_tls()
                options = {"ssl_context": tls, "backlog": self.cfg.backlog, "proxy_protocol": _proxy_protocol(self.cfg)}
                for listening in self.sockets:
                    await web.SockSite(runner, listening.sock, **options).start()
                self._exit_code = 0
                await self._stopping.wait()
            finally:
                await runner.cleanup()
        except Exception:
            self._exit_code = self._exit_code or 1
            raise
        finally:
            heart.cancel()

    def _make_tls(self) -> ssl.SSLContext | None:
        if not self.cfg.is_ssl:
            return None
        context: ssl.SSLContext = ssl_context(self.cfg)
        context.set_alpn_protocols(["http/1.1"])  # gunicorn offers what its own workers speak
        return context

    async def _make_runner(self) -> web.AppRunner:
        made = await self.wsgi() if inspect.iscoroutinefunction(self.wsgi) else self.wsgi
        if self.cfg.reload and inspect.isfunction(made):
            made = _show_failure(made)
        if isinstance(made, web.Application):
            made = web.AppRunner(made, **self._options(made))
        if not isinstance(made, web.AppRunner):
            raise RuntimeError(
                "aioweb.worker takes an Application, or a coroutine function that returns one or an AppRunner, "
                f"not {made!r:.100}; call a plain function: 'project.app:create_app()'"
            )
        if self.cfg.max_requests:
            made.app.observers.append(_Counter(self.max_requests, self._count_reached))
        return made

    def _options(self, app: web.Application) -> dict[str, Any]:
        cfg = self.cfg
        log = self.log
        logs_access = getattr(log, "access_log_enabled", cfg.accesslog is not None)  # older ones have no such property
        changed = {ours: getattr(cfg, name) for name, ours in _LIMITS.items() if _is_changed(cfg, name)}
        return {
            "shutdown_timeout": cfg.graceful_timeout * 0.95,
            "keepalive_timeout": cfg.keepalive,
            "logger": log.error_log,
            "debug": app.debug or cfg.loglevel == "debug",
            "access_log": log.access_log if logs_access else None,
            "access_log_format": cfg.access_log_format,
            **changed,
            **_forwarded(cfg),
        }

    async def _beat(self) -> None:
        while True:
            self.notify()
            if not self.alive:
                self._stop()  # gunicorn's reloader has seen a change, in a thread of its own
            elif self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                self._stop()
            await asyncio.sleep(self._beat_interval)

    def _count_reached(self) -> None:
        self.log.info("Autorestarting worker after current request.")
        self._stop()

    def _stop(self) -> None:
        self.alive = False
        self._stopping.set()

    # -- signals ---------------------------------------------------------------------------------------------------

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not SIGABRT: the master sends it to a worker whose loop does not turn, which no callback would hear of.
        for number, handle in (
            (signal.SIGTERM, self.handle_exit),
            (signal.SIGQUIT, self.handle_quit),
            (signal.SIGINT, self.handle_quit),
            (signal.SIGWINCH, self.handle_winch),
            (signal.SIGUSR1, self.handle_usr1),
        ):
            loop.add_signal_handler(number, handle, number, None)
        # A signal shall not interrupt what the application does in its threads.
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.siginterrupt(number, False)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: finish what is in flight."""
        self._stop()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGQUIT, SIGINT: cut what is in flight, and clean up."""
        self.cfg.worker_int(self)
        if self._stopping.is_set() and self._serving is not None:
            self._serving.cancel()
        if self._runner is not None:
            self._runner.shutdown_timeout = 0.0
        self._stop()


def _forwarded(cfg: Any) -> dict[str, Any]:
    """Whom the operator trusts. gunicorn's default does not count: not every proxy beside us writes the fields."""
    networks = list(cfg.forwarded_allow_ips)
    if not networks or (networks == ["127.0.0.1", "::1"] and "FORWARDED_ALLOW_IPS" not in os.environ):
        return {}
    return {"forwarded": web.TrustedProxies(*networks, "unix")}


def _proxy_protocol(cfg: Any) -> Any:
    # A bool until gunicorn 24. As for gunicorn, whoever may use a Unix socket may send the header.
    return [*cfg.proxy_allow_ips, "unix"] if cfg.proxy_protocol not in (False, "off") else False


def _is_changed(cfg: Any, name: str) -> bool:
    value = getattr(cfg, name)
    # 0 is "no limit" to gunicorn: then ours hold.
    return bool(value) and value != cfg.settings[name].default


def _show_failure(fail_app: Any) -> web.Application:
    """With `--reload`, gunicorn makes a WSGI application of a syntax error; here is the same text in ours."""
    text = b"".join(fail_app({}, lambda status, headers: None))

    async def show(request: web.Request) -> web.Response:
        return web.Response(status=500, body=text, content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", show)
    return app


def _close(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_LAST_WAIT))
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


class GunicornUVLoopWebWorker(GunicornWebWorker):
    """A worker on uvloop. Needs the package uvloop, too (the extra `speedups`)."""

    def make_loop(self) -> asyncio.AbstractEventLoop:
        """A new loop of uvloop."""
        try:
            import uvloop
        except ImportError as error:
            raise RuntimeError("GunicornUVLoopWebWorker needs uvloop: pip install 'aioweb[speedups]'") from error
        return uvloop.new_event_loop()
