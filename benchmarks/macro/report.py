"""From samples to a table that a person reads and a file that a later run is compared with."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import statistics

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
    samples: list[Sample] = dataclasses.field(default_factory=list)
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


_TITLES = (
    *("server", "loop", "CPU us/req", "least", "x bare", "x aiohttp"),
    *("req/s", "p50 ms", "p99 ms", "p99.9 ms", "peak MiB", "busy", "remarks"),
)


def table(rows: list[Row]) -> str:
    """The Markdown table of one workload: medians over the rounds; ratios to bare and aiohttp are those of CPU per
    request, on the same loop."""
    lines = ["| " + " | ".join(_TITLES) + " |", "| --- | --- |" + " ---: |" * 10 + " --- |"]
    lines += ["| " + " | ".join(_cells(row, rows)) + " |" for row in rows]
    return "\n".join(lines)


def _cells(row: Row, rows: list[Row]) -> list[str]:
    unmeasured = row.unable or (f"not started: {row.not_started}" if row.not_started else "")
    remarks = "; ".join([*filter(None, [unmeasured]), *row.faults])
    remarks = remarks.replace("|", "\\|")
    if not row.samples:
        return [row.peer, row.loop, *["-"] * 10, remarks]
    return [
        row.peer,
        row.loop,
        f"{row.median('cpu_us'):.1f}",
        f"{row.least('cpu_us'):.1f}",
        _ratio_text(ratio(row, peers.LIMIT, rows)),
        _ratio_text(ratio(row, peers.BASELINE, rows)),
        f"{row.median('requests_per_second'):,.0f}",
        f"{row.median('p50_us') / 1000:.2f}",
        f"{row.median('p99_us') / 1000:.2f}",
        f"{row.median('p999_us') / 1000:.2f}",
        f"{row.median('peak_mib'):.1f}",
        f"{row.median('busy'):.0%}",
        remarks,
    ]


def ratio(row: Row, other: str, rows: list[Row]) -> float | None:
    """CPU per request of `row` by that of the peer `other` on the same loop; None without both figures."""
    wanted = (other, row.loop, row.workload)
    for candidate in rows:
        if (candidate.peer, candidate.loop, candidate.workload) == wanted and candidate.samples and row.samples:
            return row.median("cpu_us") / candidate.median("cpu_us")
    return None


def _ratio_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def write_json(rows: list[Row], settings: dict[str, object], machine: dict[str, object], suffix: str) -> pathlib.Path:
    """Write results/DATE-COMMIT`suffix`.json with everything that a later comparison needs. Returns its path."""
    now = datetime.datetime.now(datetime.timezone.utc)
    commit = environment.commit()
    report = {
        "date": now.isoformat(timespec="seconds"),
        "commit": commit,
        "machine": machine,
        "versions": environment.versions(),
        "aioweb_extensions": environment.extensions(),
        "settings": settings,
        "rows": [_plain(row, rows) for row in rows],
    }
    path = environment.RESULTS / f"{now:%Y-%m-%d}-{commit}{suffix}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return path


def _plain(row: Row, rows: list[Row]) -> dict[str, object]:
    names = [field.name for field in dataclasses.fields(Sample)]
    medians = {name: round(row.median(name), 3) for name in names} if row.samples else None
    return {
        "peer": row.peer,
        "loop": row.loop,
        "workload": row.workload,
        "median": medians,
        "ratio_to_bare": ratio(row, peers.LIMIT, rows),
        "ratio_to_aiohttp": ratio(row, peers.BASELINE, rows),
        "samples": [dataclasses.asdict(sample) for sample in row.samples],
        "unable": row.unable,
        "not_started": row.not_started,
        "faults": row.faults,
    }
