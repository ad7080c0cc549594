"""The command line: `python -m aioweb module:app`.

    options.py      what may be said, and its help
    loading.py      from `module:app` to an application
    listening.py    the sockets
    serving.py      one process that serves
    supervisor.py   several of them, or one that follows changes of the code: `--workers`, `--reload`
    channel.py      what a supervisor and its workers tell each other
    routes.py       the table of routes

A worker of the supervisor is this very program with the same arguments; it inherits the sockets and a channel.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from aioweb.cli.channel import find_supervisor
from aioweb.cli.loading import check, load
from aioweb.cli.options import CommandError, parse
from aioweb.cli.routes import print_routes
from aioweb.cli.serving import make_tls, serve, serve_supervised
from aioweb.cli.supervisor import PATIENCE, supervise

__all__ = ("main",)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments; by default those of the process.

    Returns: the exit code: 0 after a graceful stop, 1 if it could not start or ended badly, 2 for a wrong usage,
        130 after Ctrl-C while it was starting.
    """
    try:
        options = parse(sys.argv[1:] if argv is None else list(argv))
        supervisor = find_supervisor(options.shutdown_timeout + PATIENCE)
        if supervisor is not None:
            return serve_supervised(options, supervisor)
        if options.command == "routes":
            return print_routes(load(options))
        if options.check:
            make_tls(options)
            check(options)
            print(f"{options.target or options.static}: fine")
            return 0
        if options.workers > 1 or options.reload:
            return supervise(options)
        return serve(options)
    except CommandError as error:
        print(f"aioweb: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130  # while it was imported or started: what shells say for that
