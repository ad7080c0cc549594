"""Measure WebSockets: `python -m benchmarks.websocket [--workload NAMES] [--quick] [--only a,b] [--loops a,b]`.

For each workload every round visits every server once and starts it anew, on the first core; this process has the last
one and is the load. CPU per message is the user and system time of the server's process tree within the window, divided
by the messages that were answered: it does not depend on who of the two was faster.

Exit status: 0, or 1 if an answer was wrong, a connection failed, aioweb did not start, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import resource
import sys
import time
from typing import Any

from benchmarks import environment
from benchmarks.macro import process, report
from benchmarks.macro.load import LoadFailed
from benchmarks.macro.options import chosen
from benchmarks.macro.peers import BASELINE, LIMIT, LOOPS, SUBJECT, StartFailed
from benchmarks.websocket import idle, peers
from benchmarks.websocket.client import WrongAnswer
from benchmarks.websocket.load import Load
from benchmarks.websocket.workloads import IN_FLIGHT, WORKLOADS, Workload

_LONGEST = 15
"""Seconds; some servers ping after twenty, and the load knows answers only."""


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
    """Run the rounds, print the tables and write the file. Returns the exit status."""
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
    rows = [
        report.Row(peer, loop, name, unable=peers.UNABLE.get((peer, name), ""))
        for name in options.workload
        for loop in options.loops
        for peer in options.only
    ]
    for number in range(1, options.rounds + 1):
        for row in rows:
            if not (row.unable or row.not_started):
                _visit(row, number, options, cores[0])
    print(f"\n{machine['cpu']}, {machine['cores']} cores, load {machine['load']:.2f} at the start; ", end="")
    print(f"medians of {options.rounds} rounds of {options.duration} s\n")
    for name in options.workload:
        print(_title(WORKLOADS[name], options) + "\n")
        columns = MEMORY if WORKLOADS[name].idle else MESSAGES
        print(report.table([row for row in rows if row.workload == name], columns) + "\n")
    connections = {name: WORKLOADS[name].connections for name in options.workload}
    print(report.write_json(rows, {**vars(options), "connections": connections}, machine, _suffix(options)))
    failed = any(row.faults or (row.not_started and row.peer == SUBJECT) for row in rows)
    return 1 if failed or not any(row.samples for row in rows) else 0


def _title(workload: Workload, options: argparse.Namespace) -> str:
    number = workload.in_flight(options.in_flight)
    how = f"idle for {options.rest:g} s" if workload.idle else f"{number} under way at a time on each that sends"
    return f"{workload.name}: {workload.title}; {workload.connections} connections, {how}"


def _visit(row: report.Row, number: int, options: argparse.Namespace, core: int) -> None:
    """Start one server, check and measure it; whatever goes wrong is noted in its row."""
    workload = WORKLOADS[row.workload]
    shown = ""
    try:
        with peers.serving(row.peer, row.loop, core) as (pid, port):
            peers.check_answers(port, workload, options.in_flight)
            sample: Any
            if workload.idle:
                sample = idle.measure(pid, port, workload, options.rest)
                shown = f"{sample.connection_kib:6.1f} KiB a connection"
            else:
                sample = _measure(pid, port, workload, options)
                shown = f"{sample.cpu_us:6.1f} us  {sample.requests_per_second:9,.0f} msg/s  {sample.busy:.0%}"
            row.samples.append(sample)
    except StartFailed as exc:
        row.not_started = shown = str(exc)
    except (WrongAnswer, LoadFailed) as exc:
        shown = str(exc)
        row.faults.append(f"round {number}: {exc}")
    print(f"round {number}: {row.workload:<17} {row.loop:<8} {row.peer:<18} {shown}", file=sys.stderr)


def _measure(pid: int, port: int, workload: Workload, options: argparse.Namespace) -> Sample:
    """One window of load."""
    with contextlib.closing(Load(port, workload, options.in_flight)) as load:
        load.run(options.warm_up)
        cpu, begun = process.cpu_seconds(pid), time.monotonic()
        figures, answer_bytes = load.run(options.duration)
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
    """Keeps a hasty run from overwriting the file of a whole one; results/.gitignore leaves such files out."""
    whole = (options.only, options.loops) == (list(peers.MODULES), list(LOOPS))
    whole = whole and options.workload == list(WORKLOADS)
    return "-websocket" + ("-quick" if whole and options.quick else "" if whole else "-partial")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.websocket", description="Compare WebSocket servers.")
    parser.add_argument("--workload", default=",".join(WORKLOADS), help="some of %(default)s")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 s instead of 5 of 3 s")
    parser.add_argument("--only", default=",".join(peers.MODULES), help="servers (default: %(default)s)")
    parser.add_argument("--loops", default=",".join(LOOPS), help="event loops (default: %(default)s)")
    parser.add_argument("--in-flight", type=int, choices=IN_FLIGHT, default=4, help="messages (default: %(default)s)")
    parser.add_argument("--rest", type=float, default=1.0, help="seconds that idle connections wait before a look")
    parser.add_argument("--rounds", type=int, help="how often every server is visited")
    parser.add_argument("--duration", type=int, help="seconds of one measured window")
    parser.add_argument("--warm-up", type=int, help="seconds of load before it")
    options = parser.parse_args()
    options.workload = chosen(parser, options.workload, tuple(WORKLOADS))
    options.only = chosen(parser, options.only, tuple(peers.MODULES))
    options.loops = chosen(parser, options.loops, LOOPS)
    rounds, duration, warm_up = (3, 1, 1) if options.quick else (5, 3, 1)
    options.rounds = options.rounds or rounds
    options.duration = options.duration or duration
    options.warm_up = options.warm_up or warm_up
    if options.duration + options.warm_up > _LONGEST:
        parser.error(f"--duration and --warm-up together last {_LONGEST} s at most: some servers ping after 20")
    return options


if __name__ == "__main__":
    sys.exit(main())
