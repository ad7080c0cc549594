"""Memory of connections that wait: what the server's process tree has resident, with them and before."""

from __future__ import annotations

import contextlib
import dataclasses
import time

from benchmarks.macro import process
from benchmarks.macro.load import LoadFailed
from benchmarks.macro.peers import WrongAnswer
from benchmarks.websocket.client import Client
from benchmarks.websocket.workloads import Workload

_WARM_UP = 20


@dataclasses.dataclass(frozen=True)
class Memory:
    """What one server needs, resident, for its idle connections."""

    connection_kib: float
    """For one of them."""
    all_mib: float
    """For the process, with all of them."""


def measure(pid: int, port: int, workload: Workload, rest: float) -> Memory:
    """Open the connections of a workload, exchange one message on each, wait for `rest` seconds, and look.

    Raises LoadFailed if a connection is refused or not answered.
    """
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(_WARM_UP):
                _open(stack, port, workload)
        before = process.resident_bytes(pid)
        with contextlib.ExitStack() as stack:
            for _ in range(workload.connections):
                _open(stack, port, workload)
            time.sleep(rest)
            after = process.resident_bytes(pid)
    except (WrongAnswer, OSError) as exc:
        raise LoadFailed(repr(exc)) from None
    return Memory((after - before) / workload.connections / 2**10, after / 2**20)


def _open(stack: contextlib.ExitStack, port: int, workload: Workload) -> None:
    client = Client(port, workload.path, workload.compressed)
    stack.callback(client.socket.close)
    client.socket.sendall(workload.frames[0])
    client.read_message()
