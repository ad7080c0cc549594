"""What servers cost before anybody asks: `python -m benchmarks.footprint [--connections 5000] [--only a,b]`.

Memory of connections that wait, memory of a server that has none, the time from its start until it listens, and what
the import of its package takes. Every round starts every server anew, on the first core; this process has the last.

Exit status: 0, or 1 if aioweb did not start, an answer was wrong, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import resource
import socket
import subprocess
import sys
import time

from benchmarks import environment
from benchmarks.macro import peers, process, report, rounds
from benchmarks.macro.options import add_servers, check_servers, suffix
from benchmarks.macro.workloads import WORKLOADS

NAME = "footprint"

IMPORTS = {
    "bare": "asyncio",
    "aioweb": "aioweb.web",
    "aiohttp": "aiohttp.web",
    "uvicorn_raw": "uvicorn, httptools",
    "starlette": "starlette.applications, starlette.responses, starlette.routing, uvicorn, httptools",
    "blacksheep": "blacksheep, uvicorn, httptools",
    "granian": "granian",
    "granian_rsgi": "granian",
    "socketify": "socketify",
}
"""What a program imports to use the peer."""

_SERVERS = tuple(IMPORTS)
_REQUEST = WORKLOADS["plaintext"].request
_FIRST = 20
_ASKING = 0.0003
"""Seconds that a connection and its answer take; and those of the imports. For the estimate only."""
_IMPORTING = 2.0


@dataclasses.dataclass(frozen=True)
class Footprint:
    """One server, started once."""

    connection_kib: float
    """Resident memory for a connection that has asked once and waits, in KiB."""
    rest_mib: float
    """Resident memory of its process tree after the first requests, in MiB."""
    start_ms: float
    """Wall time from the start of the process until it listens, in milliseconds."""
    import_ms: float
    """CPU time of the import beyond that of an interpreter which imports nothing, in milliseconds."""


COLUMNS = (
    report.median_column("KiB/connection", "connection_kib", ".1f"),
    report.ratio_column(peers.LIMIT),
    report.ratio_column(peers.BASELINE),
    report.median_column("MiB at rest", "rest_mib", ".1f"),
    report.median_column("start ms", "start_ms"),
    report.median_column("import ms", "import_ms"),
)


def main() -> int:
    """Run what the command line says. Returns the exit status."""
    chosen = plan()
    return rounds.main(chosen, python=str(chosen.settings["python"]))


def plan(arguments: list[str] | None = None) -> rounds.Plan:
    """What these arguments (default: those of this process) ask for."""
    options = _parse(arguments)

    def visit(row: report.Row, place: rounds.Place) -> rounds.Visit:
        return _visit(row, place, options.connections)

    return rounds.Plan(
        rows=[report.Row(peer, loop, NAME) for loop in options.loops for peer in options.only],
        rounds=options.rounds,
        visit=visit,
        seconds=lambda name: rounds.START + options.connections * _ASKING + _IMPORTING,
        title=lambda name: f"{options.connections:,} connections that wait",
        columns=lambda name: COLUMNS,
        settings=vars(options),
        suffix="-footprint" + suffix(options, _SERVERS),
    )


def _visit(row: report.Row, place: rounds.Place, connections: int) -> rounds.Visit:
    begun = time.monotonic()
    with peers.serving(row.peer, row.loop, place.core, python=place.python) as (pid, port):
        start_ms = (time.monotonic() - begun) * 1e3
        peers.check_answer(port, WORKLOADS["plaintext"])
        rest, waiting = _memory(pid, port, connections)
    import_ms = _cpu_ms(place.python, f"import {IMPORTS[row.peer]}") - _cpu_ms(place.python, "pass")
    sample = Footprint((waiting - rest) / connections / 2**10, rest / 2**20, start_ms, import_ms)
    return rounds.Visit(sample, f"{sample.connection_kib:6.1f} KiB a connection  {start_ms:4.0f} ms to start")


def _memory(pid: int, port: int, connections: int) -> tuple[int, int]:
    """Resident bytes of the server before and with that many connections, each of which was answered once."""
    with contextlib.ExitStack() as stack:
        for _ in range(_FIRST):
            _ask(stack, port)
        before = process.resident_bytes(pid)
        for _ in range(connections):
            _ask(stack, port)
        return before, process.resident_bytes(pid)


def _ask(stack: contextlib.ExitStack, port: int) -> None:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
    connection.sendall(_REQUEST)
    received = b""
    while not received.endswith(b"Hello, World!"):
        data = connection.recv(65536)
        if not data:
            raise peers.WrongAnswer(f"closed after {received[-40:]!r}")
        received += data


def _cpu_ms(python: pathlib.Path, code: str) -> float:
    """The least CPU time of four interpreters that run `code`."""
    return min(_children_ms([str(python), "-c", code]) for _ in range(4))


def _children_ms(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=environment.ROOT, env=environment.variables())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__.partition(":")[0])
    parser.add_argument("--connections", type=int, default=5000, help="connections that wait (default: %(default)s)")
    add_servers(parser, _SERVERS)
    options = parser.parse_args(arguments)
    check_servers(parser, options, _SERVERS)
    return options


if __name__ == "__main__":
    sys.exit(main())
