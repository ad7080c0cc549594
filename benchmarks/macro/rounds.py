"""The rounds of every benchmark of servers: who is visited when, and what is kept of it.

A benchmark says what it is by a `Plan`; `run` carries it out. For each workload every round visits every server once,
so that a disturbance of the machine meets all alike, and a visit starts the server anew, so that nothing idles beside
the one that is measured, memory is that of the workload, and the luck of a process (hash seed, layout) enters the
median.
After each workload all that was measured so far is written: a run that is cut short loses the workload under way.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import resource
import sys
import time
from collections.abc import Callable

from benchmarks import environment
from benchmarks.macro import peers, report
from benchmarks.macro.load import LoadFailed

START = 0.55
"""Seconds that a visit takes on top of its load: start, look at the answer, stop. For the estimate only."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where servers run, and the load beside them."""

    python: pathlib.Path
    """The interpreter of the servers."""
    core: int
    """The core of the servers; this process has another."""


@dataclasses.dataclass(frozen=True)
class Visit:
    """What one visit of a server brought: a sample, words for the one who waits, and faults under load."""

    sample: object | None
    shown: str
    faults: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """A benchmark before it runs."""

    rows: list[report.Row]
    """One for each server, loop and workload, those of a workload together."""
    rounds: int
    visit: Callable[[report.Row, Place], Visit]
    """Start a server and measure it once. May raise StartFailed, WrongAnswer, LoadFailed and OSError."""
    seconds: Callable[[str], float]
    """How long a visit takes, by workload, about."""
    title: Callable[[str], str]
    """A line on a workload."""
    columns: Callable[[str], tuple[report.Column, ...]]
    """The columns of its table."""
    settings: dict[str, object]
    """What the file of results says of the command line."""
    suffix: str
    """The end of that file's name."""

    @property
    def workloads(self) -> list[str]:
        """Their names, in the order of the rows."""
        return list(dict.fromkeys(row.workload for row in self.rows))

    @property
    def estimate(self) -> float:
        """How many seconds all of it takes, about."""
        return sum(self.of(name) for name in self.workloads)

    def of(self, workload: str) -> float:
        """How many seconds one workload takes, about."""
        visited = sum(row.workload == workload and not row.unable for row in self.rows)
        return self.rounds * visited * self.seconds(workload)


def prepare(python: str) -> Place:
    """Make the environment for this Python (see `environment.ensure`), and this process fit for being the load.

    Servers get the first core, this process and all the load that it starts the last one; and as many descriptors as it
    may have, for thousands of connections. Call it once.

    Raises EnvironmentFailed.
    """
    interpreter = environment.ensure(python)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for line in environment.left_out(interpreter):
        print(f"left out, since it does not install here: {line}", file=sys.stderr)
    return Place(interpreter, cores[0])


def main(*plans: Plan, python: str) -> int:
    """Print how long it will take, and carry the plans out. Returns the exit status."""
    print(f"this takes about {sum(plan.estimate for plan in plans) / 60:.0f} minutes", file=sys.stderr)
    try:
        place = prepare(python)
    except environment.EnvironmentFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    return max([run(plan, place) for plan in plans])


def run(plan: Plan, place: Place, folder: pathlib.Path = environment.RESULTS) -> int:
    """Make the rounds, print the tables, write the file into `folder`.

    Returns: 0, or 1 if an answer was wrong, a request failed, aioweb did not start, or nothing could be measured.
    """
    record = report.Record(place.python, plan.settings, plan.suffix, folder)
    machine = record.about["machine"]
    print(f"\n{machine['cpu']}, {machine['cores']} cores, Python {record.about['versions']['python']}, ", end="")
    print(f"load {machine['load']:.2f} at the start; medians of {plan.rounds} rounds\n", flush=True)
    left = plan.estimate
    done: list[report.Row] = []
    for name in plan.workloads:
        rows = [row for row in plan.rows if row.workload == name]
        for number in range(1, plan.rounds + 1):
            for row in rows:
                if not (row.unable or row.not_started):
                    _visit(row, number, plan, place)
        print(f"{name}: {plan.title(name)}\n\n{report.table(rows, plan.columns(name))}\n", flush=True)
        done += rows
        record.save(done)
        left -= plan.of(name)
        print(f"{time.strftime('%H:%M:%S')}: {name} is done; about {left / 60:.1f} minutes are left", file=sys.stderr)
    print(record.path, flush=True)
    failed = any(row.faults or (row.not_started and row.peer == peers.SUBJECT) for row in plan.rows)
    return 1 if failed or not any(row.samples for row in plan.rows) else 0


def _visit(row: report.Row, number: int, plan: Plan, place: Place) -> None:
    """Visit one server; whatever goes wrong is noted in its row."""
    shown = ""
    try:
        visit = plan.visit(row, place)
    except peers.StartFailed as exc:
        row.not_started = shown = str(exc)
    except (peers.WrongAnswer, LoadFailed, OSError) as exc:
        shown = str(exc)
        row.faults.append(f"round {number}: {exc}")
    else:
        shown = f"{visit.shown}  {visit.faults}"
        if visit.sample is not None:
            row.samples.append(visit.sample)
        if visit.faults:
            row.faults.append(f"round {number}: {visit.faults}")
    print(f"round {number}: {row.workload:<17} {row.loop:<8} {row.peer:<18} {shown}", file=sys.stderr)
