"""What a supervisor and one worker tell each other, over a pair of sockets.

The worker says, once, what it listens on. The end of the channel says that the other one has gone: a worker whose
supervisor was killed finishes its requests and ends, and does not hold the port for ever.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from typing import Final

_VARIABLE: Final = "AIOWEB_SUPERVISED"
"""The descriptors of a worker: its channel, then the sockets to listen on, with commas."""


def environment(channel: socket.socket, listeners: Sequence[socket.socket]) -> dict[str, str]:
    """The environment of a worker, which has to inherit these sockets."""
    return {**os.environ, _VARIABLE: ",".join(str(sock.fileno()) for sock in (channel, *listeners))}


def find_supervisor(patience: float) -> Supervisor | None:
    """Who has started this process, if it is a worker. The processes that a worker starts are none.

    Args:
        patience: seconds that the worker gets for a graceful stop when its supervisor has gone.
    """
    numbers = os.environ.pop(_VARIABLE, None)
    return Supervisor(numbers, patience) if numbers is not None else None


class Supervisor:
    """The supervisor, as its worker sees it."""

    def __init__(self, numbers: str, patience: float) -> None:
        self._patience = patience
        self._channel, *self.sockets = [socket.socket(fileno=int(number)) for number in numbers.split(",")]
        for sock in (self._channel, *self.sockets):
            sock.set_inheritable(False)
        # A thread hears of the end while the application is still imported, too.
        threading.Thread(target=self._follow, name="aioweb supervisor", daemon=True).start()

    def tell(self, text: str) -> None:
        """Say what is listened on."""
        try:
            self._channel.sendall(text.encode())
        except OSError:
            pass  # it has gone: `_follow` knows

    def _follow(self) -> None:
        try:
            self._channel.recv(1)
        except OSError:
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._patience)
        os._exit(1)  # its loop is blocked, and nobody is left to kill it
