"""From samples to a table that a person reads and a file that a later run is compared with.

A sample is an object with figures, and the first of them is the one that ratios compare: for a window of load `Sample`;
other benchmarks bring their own, and the columns for it.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import statistics
import types
from collections.abc import Callable
from typing import Any

from benchmarks import environment
from benchmarks.macro import peers


@dataclasses.dataclass(frozen=True)
class Sample:
    """One window of load on one server; CPU is that of its whole process tree."""

    cpu_us: float
    """Microseconds of user and system time per request."""
    requests_per_second: float
    p50_us: int
    p99_us: int
    p999_us: int
    peak_mib: float
    """The most memory that was resident since the server was started."""
    busy: float
    """CPU time by wall time: near 1 the server's core was the limit, well below it wrk or the machine was."""


@dataclasses.dataclass
class Row:
    """One server on one loop under one workload: a sample for each round that went well, a line of text for each that
    did not."""

    peer: str
    loop: str
    workload: str
    samples: list[Any] = dataclasses.field(default_factory=list)
    unable: str = ""
    """Why this server cannot serve this workload."""
    not_started: str = ""
    faults: list[str] = dataclasses.field(default_factory=list)
    """Wrong answers and errors under load; any of them fails the run."""

    def median(self, name: str) -> float:
        """The median of one figure of the samples."""
        return float(statistics.median(getattr(sample, name) for sample in self.samples))

    def least(self, name: str) -> float:
        """The least of one figure: the round that others disturbed least."""
        return float(min(getattr(sample, name) for sample in self.samples))


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of figures: its title, and the text for one of the rows of a table."""

    title: str
    text: Callable[[Row, list[Row]], str]


def median_column(title: str, figure: str, form: str = ",.0f", scale: float = 1.0) -> Column:
    """The medians of one figure times `scale`, in this format."""
    return Column(title, lambda row, rows: format(row.median(figure) * scale, form))


def ratio_column(other: str) -> Column:
    """Ratios to the peer `other` on the same loop."""

    def text(row: Row, rows: list[Row]) -> str:
        value = ratio(row, other, rows)
        return "-" if value is None else f"{value:.2f}"

    return Column(f"x {other}", text)


def load_columns(unit: str) -> tuple[Column, ...]:
    """The columns for `Sample`; the unit is what was counted: "req" or "msg"."""
    return (
        median_column(f"CPU us/{unit}", "cpu_us", ".1f"),
        Column("least", lambda row, rows: f"{row.least('cpu_us'):.1f}"),
        ratio_column(peers.LIMIT),
        ratio_column(peers.BASELINE),
        median_column(f"{unit}/s", "requests_per_second"),
        median_column("p50 ms", "p50_us", ".2f", 1e-3),
        median_column("p99 ms", "p99_us", ".2f", 1e-3),
        median_column("p99.9 ms", "p999_us", ".2f", 1e-3),
        median_column("peak MiB", "peak_mib", ".1f"),
        median_column("busy", "busy", ".0%"),
    )


REQUESTS = load_columns("req")


def table(rows: list[Row], columns: tuple[Column, ...] = REQUESTS) -> str:
    """The Markdown table of one workload: medians over the rounds; ratios are those of the first figure."""
    titles = ["server", "loop", *(column.title for column in columns), "remarks"]
    lines = ["| " + " | ".join(titles) + " |", "| --- | --- |" + " ---: |" * len(columns) + " --- |"]
    lines += ["| " + " | ".join(_cells(row, rows, columns)) + " |" for row in rows]
    return "\n".join(lines)


def _cells(row: Row, rows: list[Row], columns: tuple[Column, ...]) -> list[str]:
    unmeasured = row.unable or (f"not started: {row.not_started}" if row.not_started else "")
    remarks = "; ".join([*filter(None, [unmeasured, *row.faults])]).replace("|", "\\|")
    figures = [column.text(row, rows) for column in columns] if row.samples else ["-"] * len(columns)
    return [row.peer, row.loop, *figures, remarks]


def ratio(row: Row, other: str, rows: list[Row]) -> float | None:
    """The first figure of `row` by that of the peer `other` on the same loop; None without both."""
    wanted = (other, row.loop, row.workload)
    for candidate in rows:
        if (candidate.peer, candidate.loop, candidate.workload) == wanted and candidate.samples and row.samples:
            figure = next(iter(vars(row.samples[0])))
            return row.median(figure) / candidate.median(figure)
    return None


class Record:
    """The file of one run, results/DATE-COMMIT`suffix`.json, with everything that a later comparison needs.

    Args:
        python: the interpreter of the servers.
        settings: what the run was told.
        suffix: tells files of several runs apart.
        folder: where the file is.

    What it says of commit and machine is what they are when the run begins.
    """

    def __init__(
        self,
        python: pathlib.Path,
        settings: dict[str, object],
        suffix: str,
        folder: pathlib.Path = environment.RESULTS,
    ) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        commit = environment.commit()
        self.about: dict[str, Any] = {
            "date": now.isoformat(timespec="seconds"),
            "commit": commit,
            "machine": environment.machine(python),
            "versions": environment.versions(python),
            "left_out": environment.left_out(python),
            "aioweb_extensions": environment.extensions(python),
            "settings": settings,
        }
        self.path = folder / f"{now:%Y-%m-%d}-{commit}{suffix}.json"

    def save(self, rows: list[Row]) -> None:
        """Write the file anew: with these rows."""
        self.path.parent.mkdir(exist_ok=True)
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({**self.about, "rows": [plain(row, rows) for row in rows]}, indent=1) + "\n")
        unfinished.replace(self.path)


def plain(row: Row, rows: list[Row]) -> dict[str, object]:
    """What the file of results says of a row."""
    names = list(vars(row.samples[0])) if row.samples else []
    medians = {name: round(row.median(name), 3) for name in names} or None
    return {
        "peer": row.peer,
        "loop": row.loop,
        "workload": row.workload,
        "median": medians,
        "ratio_to_bare": ratio(row, peers.LIMIT, rows),
        "ratio_to_aiohttp": ratio(row, peers.BASELINE, rows),
        "samples": [vars(sample) for sample in row.samples],
        "unable": row.unable,
        "not_started": row.not_started,
        "faults": row.faults,
    }


def read(report: dict[str, Any]) -> list[Row]:
    """The rows of a file of results, as they were when it was written."""
    return [
        Row(
            row["peer"],
            row["loop"],
            row["workload"],
            [types.SimpleNamespace(**sample) for sample in row["samples"]],
            row.get("unable", ""),
            row["not_started"],
            row["faults"],
        )
        for row in report["rows"]
    ]
