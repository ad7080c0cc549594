"""Measure aioweb and its peers: `python -m benchmarks.macro [--workload NAMES] [--only a,b] [--loops a,b]`.

The server has the first core, wrk the last. CPU per request is the user and system time of the server's process tree
within the window, divided by the requests that wrk counted: it does not depend on who of the two was faster.

Exit status: 0, or 1 if an answer was wrong, a request failed, aioweb did not start, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.macro import load, peers, process, report, rounds
from benchmarks.macro.options import add_servers, add_windows, check_servers, chosen, suffix
from benchmarks.macro.workloads import DEFAULT, WORKLOADS, Workload

_SERVERS = tuple(peers.FILES)


def main() -> int:
    """Run what the command line says. Returns the exit status."""
    try:
        load.require_wrk()
    except load.LoadFailed as exc:
        print(exc, file=sys.stderr)
        return 1
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
            if name in peers.ASKED.get(peer, WORKLOADS)
        ],
        rounds=options.rounds,
        visit=visit,
        seconds=lambda name: rounds.START + options.warm_up + options.seconds * WORKLOADS[name].windows,
        title=lambda name: f"{WORKLOADS[name].title}; {WORKLOADS[name].connections} connections",
        columns=lambda name: report.REQUESTS,
        settings={**vars(options), "connections": {name: WORKLOADS[name].connections for name in options.workload}},
        suffix=_suffix(options),
    )


def _visit(row: report.Row, place: rounds.Place, options: argparse.Namespace) -> rounds.Visit:
    """Start one server, warm it up, measure it."""
    workload = WORKLOADS[row.workload]
    with peers.serving(row.peer, row.loop, place.core, python=place.python, tls=workload.tls) as (pid, port):
        peers.check_answer(port, workload)
        load.drive(port, workload, options.warm_up, options.heads)
        return _measure(pid, port, workload, options.seconds * workload.windows, options.heads)


def _measure(pid: int, port: int, workload: Workload, seconds: float, heads: str) -> rounds.Visit:
    """One window of load."""
    cpu, begun = process.cpu_seconds(pid), time.monotonic()
    figures = load.drive(port, workload, seconds, heads)
    cpu, elapsed = process.cpu_seconds(pid) - cpu, time.monotonic() - begun
    faults = ", ".join(f"{number} {kind} errors" for kind, number in figures.faults.items())
    peak = process.peak_bytes(pid)
    if not peak:
        return rounds.Visit(None, "", f"it died under load ({faults or 'after answers'})")
    if not figures.requests:
        return rounds.Visit(None, "", faults or "no request was answered")
    sample = report.Sample(
        cpu_us=cpu / figures.requests * 1e6,
        requests_per_second=figures.requests / figures.seconds,
        p50_us=figures.p50_us,
        p99_us=figures.p99_us,
        p999_us=figures.p999_us,
        peak_mib=peak / 2**20,
        busy=cpu / elapsed,
    )
    return rounds.Visit(sample, f"{sample.cpu_us:6.1f} us  {sample.requests_per_second:8,.0f} req/s", faults)


def _suffix(options: argparse.Namespace) -> str:
    names = {(DEFAULT,): "", tuple(WORKLOADS): "-all"}.get(tuple(options.workload), "-" + "-".join(options.workload))
    return names + ("" if options.heads == "same" else f"-{options.heads}") + suffix(options, _SERVERS)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.macro", description="Compare servers on this machine.")
    parser.add_argument("--workload", default=DEFAULT, help=f"all, or some of {','.join(WORKLOADS)} (%(default)s)")
    parser.add_argument("--heads", choices=load.HEADS, default="same", help="all the same, or what differs in each")
    add_servers(parser, _SERVERS)
    add_windows(parser, 1.0)
    options = parser.parse_args(arguments)
    names = ",".join(WORKLOADS) if options.workload == "all" else options.workload
    options.workload = chosen(parser, names, tuple(WORKLOADS))
    check_servers(parser, options, _SERVERS)
    return options


if __name__ == "__main__":
    sys.exit(main())
