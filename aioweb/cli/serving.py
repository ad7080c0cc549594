"""One process that serves: the options become arguments of `run_app`."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from aioweb import web
from aioweb.cli.channel import Supervisor
from aioweb.cli.listening import BACKLOG, listening
from aioweb.cli.loading import load
from aioweb.cli.options import JSON, Options, UsageError


def serve(options: Options) -> int:
    """Serve until a signal; returns the exit code. Raises CommandError if it cannot start."""
    with listening(options) as sockets:
        _run(options, sockets, print)
    return 0


def serve_supervised(options: Options, supervisor: Supervisor) -> int:
    """The same for a worker, with the sockets of its supervisor."""

    def tell(text: str, flush: bool) -> None:
        # Whoever stops a whole group of processes (systemd does) stops each worker twice: that is no second signal.
        # The one that means "at once" is SIGINT here, which comes from the supervisor.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _Once())
        supervisor.tell(text)

    _run(options, supervisor.sockets, tell)
    return 0


class _Once:
    """Stops gracefully when it is called for the first time."""

    def __init__(self) -> None:
        self._called = False

    def __call__(self) -> None:
        if not self._called:
            self._called = True
            raise web.GracefulExit


def _run(options: Options, sockets: Sequence[socket.socket], tell: Callable[..., None]) -> None:
    tls = make_tls(options)
    new_loop = loop_factory(options)
    app = load(options)
    # After the application is loaded: where it has set up logging, it stays so.
    logging.basicConfig(level=options.log_level.upper(), format="%(message)s")
    # What was not said is left to the application.
    said: dict[str, Any] = {"debug": True} if options.debug else {}
    if options.forwarded is not None:
        said["forwarded"] = options.forwarded
    if options.when_full is not None:
        said["when_full"] = options.when_full
    if not options.access_log:
        said["access_log"] = None
    if options.access_log_format == JSON:
        said["access_log_class"] = web.JSONAccessLogger
    elif options.access_log_format is not None:
        said["access_log_format"] = options.access_log_format
    web.run_app(
        app,
        sock=sockets,
        ssl_context=tls,
        backlog=BACKLOG,
        loop=new_loop,
        shutdown_timeout=options.shutdown_timeout,
        print=tell,
        proxy_protocol=options.proxy_protocol or False,
        **said,
    )


def make_tls(options: Options) -> ssl.SSLContext | None:
    """TLS as the options say; None without. Raises UsageError for files that cannot be used."""
    if options.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
        if options.tls_ca is not None:
            context.load_verify_locations(options.tls_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        named = ", ".join(file for file in (options.tls_cert, options.tls_key, options.tls_ca) if file is not None)
        raise UsageError(f"TLS with {named}: {error.strerror or error}") from None
    return context


def loop_factory(options: Options) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop: uvloop's if it is asked for, or installed and nothing else is asked for."""
    make: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if options.loop != "asyncio":
        try:
            import uvloop

            make = uvloop.new_event_loop
        except ImportError:
            if options.loop == "uvloop":
                raise UsageError("--loop uvloop needs uvloop: pip install 'aioweb[speedups]'") from None

    def make_loop() -> asyncio.AbstractEventLoop:
        loop = make()
        if options.debug:
            loop.set_debug(True)
        return loop

    return make_loop
