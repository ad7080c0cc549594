"""Measure WebSockets: `python -m benchmarks.websocket [--workload NAMES] [--only a,b] [--loops a,b]`.

The server has the first core, this process the last one, and it is the load. CPU per message is the user and system
time of the server's process tree within the window, divided by the messages that were answered: it does not depend on
who of the two was faster.

Exit status: 0, or 1 if an answer was wrong, a connection failed, aioweb did not start, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import time

from benchmarks.macro import process, report, rounds
from benchmarks.macro.load import LoadFailed
from benchmarks.macro.options import add_servers, add_windows, check_servers, chosen, suffix
from benchmarks.macro.peers import BASELINE, LIMIT
from benchmarks.websocket import idle, peers
from benchmarks.websocket.load import Load
from benchmarks.websocket.workloads import IN_FLIGHT, WORKLOADS, Workload

_SERVERS = tuple(peers.MODULES)
_LONGEST = 15
"""Seconds; some servers ping after twenty, and the load knows answers only."""
_OPENING = 0.001
"""Seconds that a connection of a workload takes, with its first answer. For the estimate only."""


@dataclasses.dataclass(frozen=True)
class Sample(report.Sample):
    """One window of load on one server."""

    answer_bytes: float
    """Octets of the frame that answers a message, on average."""


MESSAGES = (*report.load_columns("msg"), report.median_column("B/answer", "answer_bytes"))
MEMORY = (
    report.median_column("KiB/connection", "connection_kib", ".1f"),
    report.ratio_column(LIMIT),
    report.ratio_column(BASELINE),
    report.median_column("MiB in all", "all_mib", ".1f"),
)


def main() -> int:
    """Run what the command line says. Returns the exit status."""
    chosen = plan()
    return rounds.main(chosen, python=str(chosen.settings["python"]))


def plan(arguments: list[str] | None = None) -> rounds.Plan:
    """What these arguments (default: those of this process) ask for."""
    options = _parse(arguments)

    def visit(row: report.Row, place: rounds.Place) -> rounds.Visit:
        return _visit(row, place, options)

    return rounds.Plan(
        rows=[
            report.Row(peer, loop, name, unable=peers.UNABLE.get((peer, name), ""))
            for name in options.workload
            for loop in options.loops
            for peer in options.only
        ],
        rounds=options.rounds,
        visit=visit,
        seconds=lambda name: _seconds(WORKLOADS[name], options),
        title=lambda name: _title(WORKLOADS[name], options),
        columns=lambda name: MEMORY if WORKLOADS[name].idle else MESSAGES,
        settings={**vars(options), "connections": {name: WORKLOADS[name].connections for name in options.workload}},
        suffix=_suffix(options),
    )


def _seconds(workload: Workload, options: argparse.Namespace) -> float:
    load = options.rest if workload.idle else options.warm_up + options.seconds
    return rounds.START + workload.connections * _OPENING + float(load)


def _title(workload: Workload, options: argparse.Namespace) -> str:
    number = workload.in_flight(options.in_flight)
    how = f"idle for {options.rest:g} s" if workload.idle else f"{number} under way at a time on each that sends"
    return f"{workload.title}; {workload.connections} connections, {how}"


def _visit(row: report.Row, place: rounds.Place, options: argparse.Namespace) -> rounds.Visit:
    """Start one server, check and measure it."""
    workload = WORKLOADS[row.workload]
    with peers.serving(row.peer, row.loop, place.core, python=place.python) as (pid, port):
        peers.check_answers(port, workload, options.in_flight)
        if workload.idle:
            memory = idle.measure(pid, port, workload, options.rest)
            return rounds.Visit(memory, f"{memory.connection_kib:6.1f} KiB a connection")
        sample = _measure(pid, port, workload, options)
    shown = f"{sample.cpu_us:6.1f} us  {sample.requests_per_second:9,.0f} msg/s  {sample.busy:.0%}"
    return rounds.Visit(sample, shown)


def _measure(pid: int, port: int, workload: Workload, options: argparse.Namespace) -> Sample:
    """One window of load."""
    with contextlib.closing(Load(port, workload, options.in_flight)) as load:
        load.run(options.warm_up)
        cpu, begun = process.cpu_seconds(pid), time.monotonic()
        figures, answer_bytes = load.run(options.seconds)
        cpu, elapsed = process.cpu_seconds(pid) - cpu, time.monotonic() - begun
    if not figures.requests:
        raise LoadFailed("no message was answered")
    return Sample(
        cpu_us=cpu / figures.requests * 1e6,
        requests_per_second=figures.requests / figures.seconds,
        p50_us=figures.p50_us,
        p99_us=figures.p99_us,
        p999_us=figures.p999_us,
        peak_mib=process.peak_bytes(pid) / 2**20,
        busy=cpu / elapsed,
        answer_bytes=answer_bytes,
    )


def _suffix(options: argparse.Namespace) -> str:
    end = suffix(options, _SERVERS)
    return "-websocket" + (end if options.workload == list(WORKLOADS) or end.endswith("-quick") else "-partial")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.websocket", description="Compare WebSocket servers.")
    parser.add_argument("--workload", default=",".join(WORKLOADS), help="some of %(default)s")
    parser.add_argument("--in-flight", type=int, choices=IN_FLIGHT, default=4, help="messages (default: %(default)s)")
    parser.add_argument("--rest", type=float, default=1.0, help="seconds that idle connections wait before a look")
    add_servers(parser, _SERVERS)
    add_windows(parser, 1.0)
    options = parser.parse_args(arguments)
    options.workload = chosen(parser, options.workload, tuple(WORKLOADS))
    check_servers(parser, options, _SERVERS)
    if options.seconds + options.warm_up > _LONGEST:
        parser.error(f"--seconds and --warm-up together last {_LONGEST} s at most: some servers ping after 20")
    return options


if __name__ == "__main__":
    sys.exit(main())
