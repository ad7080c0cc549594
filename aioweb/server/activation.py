"""Sockets that systemd has opened for this process: its whole protocol is two variables, see sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
from typing import Final

_FIRST: Final = 3
"""The number of the first descriptor that is passed: those before it are the standard streams."""


def systemd_sockets() -> list[socket.socket]:
    """The sockets that systemd passes to this process, in the order of its unit file; none if it passes none.

    They listen already. It works once: the variables are removed, so that no process started from here takes them for
    its own. Raises ValueError if LISTEN_FDS is no number, OSError for a descriptor that is no socket.
    """
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()):
        return []
    sockets = [socket.socket(fileno=number) for number in range(_FIRST, _FIRST + int(count))]
    for sock in sockets:
        sock.set_inheritable(False)
    return sockets
