"""What servers cost before anybody asks: `python -m benchmarks.footprint [--connections 5000] [--only a,b]`.

Memory of connections that wait, memory of a server that has none, the time from its start until it listens, and what
the import of its package takes. Every round starts every server anew, on the first core; this process has the last.

Exit status: 0, or 1 if aioweb did not start, an answer was wrong, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import resource
import socket
import subprocess
import sys
import time

from benchmarks import environment
from benchmarks.macro import peers, process, report
from benchmarks.macro.options import chosen
from benchmarks.macro.workloads import WORKLOADS

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

_REQUEST = WORKLOADS["plaintext"].request
_FIRST = 20


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
    """Run the rounds, print the table and write the file. Returns the exit status."""
    options = _parse_arguments()
    try:
        environment.ensure()
    except environment.EnvironmentFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    machine = environment.machine()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows = [report.Row(peer, loop, "footprint") for loop in options.loops for peer in options.only]
    for number in range(1, options.rounds + 1):
        for row in rows:
            _visit(row, number, options.connections, cores[0])
    print(f"\n{machine['cpu']}, {machine['cores']} cores; medians of {options.rounds} rounds; ", end="")
    print(f"{options.connections} connections\n")
    print(report.table(rows, COLUMNS) + "\n")
    whole = (options.only, options.loops) == (list(peers.FILES), list(peers.LOOPS))
    print(report.write_json(rows, vars(options), machine, "-footprint" + ("" if whole else "-partial")))
    failed = any(row.faults or (row.not_started and row.peer == peers.SUBJECT) for row in rows)
    return 1 if failed or not any(row.samples for row in rows) else 0


def _visit(row: report.Row, number: int, connections: int, core: int) -> None:
    begun = time.monotonic()
    try:
        with peers.serving(row.peer, row.loop, core) as (pid, port):
            start_ms = (time.monotonic() - begun) * 1e3
            peers.check_answer(port, WORKLOADS["plaintext"])
            rest, waiting = _memory(pid, port, connections)
    except peers.StartFailed as exc:
        row.not_started = shown = str(exc)
    except (peers.WrongAnswer, OSError) as exc:
        shown = str(exc)
        row.faults.append(f"round {number}: {exc}")
    else:
        sample = Footprint((waiting - rest) / connections / 2**10, rest / 2**20, start_ms, _import_ms(row.peer))
        row.samples.append(sample)
        shown = f"{sample.connection_kib:6.1f} KiB a connection  {start_ms:4.0f} ms to start"
    print(f"round {number}: {row.loop:<8} {row.peer:<12} {shown}", file=sys.stderr)


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


def _import_ms(peer: str) -> float:
    return _cpu_ms(f"import {IMPORTS[peer]}") - _cpu_ms("pass")


def _cpu_ms(code: str) -> float:
    """The least CPU time of four interpreters that run `code`."""
    return min(_children_ms([str(environment.PYTHON), "-c", code]) for _ in range(4))


def _children_ms(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=environment.ROOT, env=environment.variables())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__.partition(":")[0])
    parser.add_argument("--connections", type=int, default=5000, help="connections that wait (default: %(default)s)")
    parser.add_argument("--only", default=",".join(peers.FILES), help="servers (default: %(default)s)")
    parser.add_argument("--loops", default=",".join(peers.LOOPS), help="event loops (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often every server is started (default: 3)")
    options = parser.parse_args()
    options.only = chosen(parser, options.only, tuple(peers.FILES))
    options.loops = chosen(parser, options.loops, peers.LOOPS)
    return options


if __name__ == "__main__":
    sys.exit(main())
