"""The sockets of the command line: opened before anything else, so that a port in use is told in one line.

One process or many, they are made here once; workers inherit them. All workers accept from the same sockets, so a
connection that waits in the backlog is not lost with the worker that ends, as it would be with one socket per process
(SO_REUSEPORT).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from aioweb import web
from aioweb.cli.options import CommandError, Options, UsageError

BACKLOG: Final = 1024
"""Connections that the kernel holds until they are accepted: enough for the bursts of a machine with many workers."""


@contextmanager
def listening(options: Options) -> Iterator[list[socket.socket]]:
    """The sockets that the options ask for, listening. Raises CommandError if one cannot be had."""
    with ExitStack() as stack:
        try:
            sockets = [stack.enter_context(_inherit(number)) for number in options.fd]
            is_said = options.host or options.port is not None
            if not (is_said or options.path or options.fd):
                sockets += [stack.enter_context(sock) for sock in web.systemd_sockets()]
            # The world is asked for by name; and a path alone opens no port.
            if is_said or not (options.path or sockets):
                port = options.port if options.port is not None else 8443 if options.tls_cert else 8080
                for host in options.host or ["127.0.0.1"]:
                    sockets += [stack.enter_context(sock) for sock in _open_tcp(host, port)]
            sockets += [stack.enter_context(web.unix_socket(path, options.path_mode)) for path in options.path]
            for sock in sockets:
                sock.listen(BACKLOG)
        except OSError as error:
            raise CommandError(error.strerror or str(error)) from None
        yield sockets


def _open_tcp(host: str, port: int) -> list[socket.socket]:
    """One socket for each address of the host."""
    opened = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            opened.append(socket.create_server(address, family=family, backlog=BACKLOG))
    except OSError as error:
        for sock in opened:
            sock.close()
        # Python adds to the words of the system what the line says already.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise CommandError(f"cannot listen at {host}:{port}: {reason}") from None
    return opened


def _inherit(number: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=number)
    except OSError as error:
        raise UsageError(f"--fd {number} is no socket: {error.strerror}") from None
    sock.set_inheritable(False)
    return sock
