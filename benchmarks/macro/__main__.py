"""Measure aioweb and its peers: `python -m benchmarks.macro [--workload NAMES] [--quick] [--only a,b] [--loops a,b]`.

For each workload every round visits every server once, so that a disturbance of the machine meets all alike, and starts
it anew, so that nothing idles beside the one that is measured and the luck of a process (hash seed, memory layout)
enters the median.
The server has the first core, wrk the last. CPU per request is the user and system time of the server's process tree
within the window, divided by the requests that wrk counted: it does not depend on who of the two was faster.

Exit status: 0, or 1 if an answer was wrong, a request failed, aioweb did not start, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from benchmarks import environment
from benchmarks.macro import load, peers, process, report
from benchmarks.macro.options import chosen
from benchmarks.macro.workloads import DEFAULT, WORKLOADS, Workload


def main() -> int:
    """Run the rounds, print the table and write the file. Returns the exit status."""
    options = _parse_arguments()
    try:
        load.require_wrk()
        environment.ensure()
    except (load.LoadFailed, environment.EnvironmentFailed) as exc:
        print(exc, file=sys.stderr)
        return 1
    machine = environment.machine()
    rows = [
        report.Row(peer, loop, name, unable=peers.UNABLE.get((peer, name), ""))
        for name in options.workload
        for loop in options.loops
        for peer in options.only
    ]
    for number in range(1, options.rounds + 1):
        for row in rows:
            if not (row.unable or row.not_started):
                _visit(row, number, options)
    connections = {name: WORKLOADS[name].connections for name in options.workload}
    settings = {**vars(options), "connections": connections}
    print(f"\n{machine['cpu']}, {machine['cores']} cores, load {machine['load']:.2f} at the start; ", end="")
    print(f"medians of {options.rounds} rounds of {options.duration} s\n")
    for name in options.workload:
        print(f"{name}: {WORKLOADS[name].title}; {WORKLOADS[name].connections} connections\n")
        print(report.table([row for row in rows if row.workload == name]) + "\n")
    print(report.write_json(rows, settings, machine, _suffix(options)))
    return _status(rows)


def _visit(row: report.Row, number: int, options: argparse.Namespace) -> None:
    """Start one server, warm it up, measure it; whatever goes wrong is noted in its row."""
    cores = sorted(os.sched_getaffinity(0))
    workload = WORKLOADS[row.workload]
    shown = ""
    try:
        with peers.serving(row.peer, row.loop, cores[0], tls=workload.tls) as (pid, port):
            peers.check_answer(port, workload)
            load.drive(port, workload, options.warm_up, cores[-1], options.heads)
            sample, faults = _measure(pid, port, workload, options, cores[-1])
    except peers.StartFailed as exc:
        row.not_started = faults = str(exc)
    except (peers.WrongAnswer, load.LoadFailed) as exc:
        faults = str(exc)
    else:
        if sample:
            row.samples.append(sample)
            shown = f"{sample.cpu_us:6.1f} us  {sample.requests_per_second:8,.0f} req/s  "
    if faults and not row.not_started:
        row.faults.append(f"round {number}: {faults}")
    print(f"round {number}: {row.workload:<10} {row.loop:<8} {row.peer:<12} {shown}{faults}", file=sys.stderr)


def _measure(
    pid: int, port: int, workload: Workload, options: argparse.Namespace, core: int
) -> tuple[report.Sample | None, str]:
    """One window of load. Returns: its sample (None if no request was answered) and its faults ("" without any)."""
    cpu, begun = process.cpu_seconds(pid), time.monotonic()
    figures = load.drive(port, workload, options.duration, core, options.heads)
    cpu, elapsed = process.cpu_seconds(pid) - cpu, time.monotonic() - begun
    faults = ", ".join(f"{number} {kind} errors" for kind, number in figures.faults.items())
    if not figures.requests:
        return None, faults or "no request was answered"
    sample = report.Sample(
        cpu_us=cpu / figures.requests * 1e6,
        requests_per_second=figures.requests / figures.seconds,
        p50_us=figures.p50_us,
        p99_us=figures.p99_us,
        p999_us=figures.p999_us,
        peak_mib=process.peak_bytes(pid) / 2**20,
        busy=cpu / elapsed,
    )
    return sample, faults


def _suffix(options: argparse.Namespace) -> str:
    """Keeps a hasty run from overwriting the file of a whole one; results/.gitignore leaves such files out."""
    names = {(DEFAULT,): "", tuple(WORKLOADS): "-all"}.get(tuple(options.workload), "-" + "-".join(options.workload))
    whole = (options.only, options.loops) == (list(peers.FILES), list(peers.LOOPS))
    return names + ("-quick" if whole and options.quick else "" if whole else "-partial")


def _status(rows: list[report.Row]) -> int:
    failed = any(row.faults or (row.not_started and row.peer == peers.SUBJECT) for row in rows)
    return 1 if failed or not any(row.samples for row in rows) else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.macro", description="Compare servers on this machine.")
    parser.add_argument("--workload", default=DEFAULT, help=f"all, or some of {','.join(WORKLOADS)} (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 2 s instead of 5 of 5 s")
    parser.add_argument("--only", default=",".join(peers.FILES), help="servers (default: %(default)s)")
    parser.add_argument("--loops", default=",".join(peers.LOOPS), help="event loops (default: %(default)s)")
    parser.add_argument("--heads", choices=load.HEADS, default="same", help="all the same, or what differs in each")
    parser.add_argument("--rounds", type=int, help="how often every server is visited")
    parser.add_argument("--duration", type=int, help="seconds of one measured window")
    parser.add_argument("--warm-up", type=int, help="seconds of load before it")
    options = parser.parse_args()
    names = ",".join(WORKLOADS) if options.workload == "all" else options.workload
    options.workload = chosen(parser, names, tuple(WORKLOADS))
    options.only = chosen(parser, options.only, tuple(peers.FILES))
    options.loops = chosen(parser, options.loops, peers.LOOPS)
    rounds, duration, warm_up = (3, 2, 1) if options.quick else (5, 5, 2)
    options.rounds = options.rounds or rounds
    options.duration = options.duration or duration
    options.warm_up = options.warm_up or warm_up
    return options


if __name__ == "__main__":
    sys.exit(main())
