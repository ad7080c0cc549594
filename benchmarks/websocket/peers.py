"""The servers of WebSockets: by which module each is started, what it cannot do, and whether it answers right."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

from benchmarks import environment
from benchmarks.macro.peers import BASELINE, LIMIT, SUBJECT, WrongAnswer, running
from benchmarks.websocket.client import Client
from benchmarks.websocket.workloads import BROADCAST, WORKLOADS, Workload

_SERVERS = "benchmarks.websocket.servers"
MODULES = {
    LIMIT: "bare",
    SUBJECT: "aioweb_",
    BASELINE: "aiohttp_",
    "websockets": "websockets_",
    "uvicorn_websockets": "uvicorn_websockets",
    "uvicorn_sansio": "uvicorn_sansio",
    "uvicorn_wsproto": "uvicorn_wsproto",
    "picows": "picows_",
    "socketify": "socketify_",
    "granian": "granian_",
    "granian_rsgi": "granian_rsgi",
}
_NO_DEFLATE = "does not compress"
UNABLE = {
    (peer, workload.name): _NO_DEFLATE
    for peer in ("picows", "granian", "granian_rsgi")
    for workload in WORKLOADS.values()
    if workload.compressed
}
"""Why a peer cannot serve a workload."""


@contextlib.contextmanager
def serving(
    peer: str,
    loop: str,
    core: int,
    *,
    python: pathlib.Path,
    logs: pathlib.Path = environment.RESULTS,
) -> Iterator[tuple[int, int]]:
    """Run `peer` as `macro.peers.serving` does. The log is websocket-PEER-LOOP.log."""
    command = [str(python), "-m", f"{_SERVERS}.{MODULES[peer]}"]
    with running(command, loop, core, logs / f"websocket-{peer}-{loop}.log", {}) as serving_at:
        yield serving_at


def check_answers(port: int, workload: Workload, in_flight: int) -> None:
    """Send every message once, as the load will do it: each answer must be right, and come to all who are to get it.

    Raises WrongAnswer.
    """
    clients: list[Client] = []
    try:
        for _ in range(3 if workload.path == BROADCAST else 1):
            clients.append(Client(port, workload.path, workload.compressed))
        awaited = iter(workload.messages)
        number = workload.in_flight(in_flight)
        for burst in workload.bursts(number):
            clients[0].socket.sendall(burst)
            for message in [next(awaited) for _ in range(number)]:
                for client in clients:
                    if (answer := client.read_message()) != message:
                        raise WrongAnswer(f"answered {answer[:40]!r} to {message[:40]!r}")
    except OSError as exc:
        raise WrongAnswer(f"no answer: {exc!r}") from None
    finally:
        for client in clients:
            client.close()
