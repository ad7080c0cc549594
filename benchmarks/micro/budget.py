"""What each stage of a request costs, in instructions and CPU time: `python -m benchmarks.micro.budget [--tree PATH]`.

Instructions are counted by callgrind, which runs the ways of `benchmarks.ways` in a child: they are the same in every
run within half a percent, however busy the machine is. (`perf stat -e instructions` would be faster, but virtual
machines do not let it.) CPU time is the least of many rounds. Both are taken with the twins in C and without them.
The stages, in the order of a request's life:

    loop      asyncio's share: a turn, `data_received`, `write` of a transport that drops
    receive   the connection, the task of an exchange and its end, the writer
    head      octets become a head (the ground)
    request   a `Request` is made
    resolve   the application: the route, what it has found
    chain     one middleware
    handler   it makes a `Response(text=...)`
    response  what was returned is checked, its fields chosen, and it is sent
    write     the head is framed and becomes octets (the ground)

`--tree` counts another checkout by the same program, `--compare BEFORE AFTER` prints two result files in one table.
Exit status: 0, or 1 if a child failed; without valgrind only CPU time is measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from benchmarks import environment

STAGES = ("loop", "receive", "head", "request", "resolve", "chain", "handler", "response", "write")
PREFIXES = ("loop", "head", "write", "receive", "request", "response", "resolve", "chain", "handler")
"""The ways of `benchmarks.ways` of which each is a stage longer than the one before."""
TWINS = {"twins": "C twins", "python": "Python only"}

Figures = dict[str, dict[str, float]]
"""Of each row, instructions (if they could be counted) and CPU us."""
Report = dict[str, Any]

# The child's aioweb is that of the tree, all else that of this checkout, which `benchmarks` has pinned by its import.
_BOOT = "import sys, benchmarks; sys.path.insert(0, sys.argv.pop(1)); from benchmarks import ways; ways.main()"


class ChildFailed(Exception):
    """A child could not measure; the message ends with what it said."""


def main() -> int:
    """Measure, print the table and write the file; or compare two files."""
    options = _parse_arguments()
    if options.compare:
        before, after = (json.loads(path.read_text("utf-8")) for path in options.compare)
        print(budget_table(before, after))
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: CPU time only (apt-get install valgrind)", file=sys.stderr)
    try:
        report = measure(options.tree.resolve(), options.commit)
    except ChildFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    print(f"{title(report)}\n\n{table(report)}")
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro.budget", description="Count a request's stages.")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument("--tree", type=pathlib.Path, default=environment.ROOT, help="the checkout to count")
    parser.add_argument("--commit", help="its name (default: what git says of it)")
    parser.add_argument("--compare", nargs=2, type=pathlib.Path, metavar="FILE", help="only print two results")
    return parser.parse_args()


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(tree: pathlib.Path, commit: str | None = None) -> Report:
    """Measure the aioweb of a checkout, with its twins and without. Raises ChildFailed."""
    # Asked for before anything takes long: the right aioweb, with twins and without.
    used = {kind: _run_child(tree, kind, "twins")["twins"] for kind in TWINS}
    figures = {}
    for kind in TWINS:
        counted = _count(tree, kind) if shutil.which("valgrind") else {}
        cpu: dict[str, float] = _run_child(tree, kind, "timed")["figures"]
        figures[kind] = {
            name: {**({"instructions": round(counted[name])} if counted else {}), "cpu_us": round(cpu[name], 3)}
            for name in cpu
        }
    return {
        "commit": commit or environment.commit(tree),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("attrs", "multidict", "yarl")},
        "machine": environment.machine(),
        "twins": used["twins"],
        "stages": {kind: stages_of(figures[kind]) for kind in TWINS},
        "workloads": {
            kind: {name: row for name, row in figures[kind].items() if name not in PREFIXES} for kind in TWINS
        },
    }


def _count(tree: pathlib.Path, kind: str) -> dict[str, float]:
    """The instructions of an exchange, by way."""
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder) / "profile"
        exchanges: dict[str, int] = _run_child(tree, kind, "counted", _callgrind(profile))["figures"]
        # Dumps are numbered from 1; every second one is of what lay between the marks of a way.
        return {
            name: read_total(profile.with_name(f"profile.{2 * number}").read_text("utf-8")) / exchanges[name]
            for number, name in enumerate(exchanges, 1)
        }


def _callgrind(profile: pathlib.Path) -> list[str]:
    return ["valgrind", "-q", "--tool=callgrind", "--dump-before=getpriority", f"--callgrind-out-file={profile}"]


def read_total(profile: str) -> int:
    """The instructions of one dump of callgrind. Raises ChildFailed for another file."""
    for line in profile.splitlines():
        name, _, value = line.partition(":")
        if name in ("summary", "totals"):
            return int(value)
    raise ChildFailed(f"no total in callgrind's dump: {profile[:200]!r}")


def _run_child(tree: pathlib.Path, kind: str, what: str, prefix: Sequence[str] = ()) -> dict[str, Any]:
    variables = environment.variables() | {"PYTHONHASHSEED": "0", "AIOWEB_NO_EXTENSIONS": "01"[kind == "python"]}
    command = [*prefix, sys.executable, "-c", _BOOT, str(tree), what]
    done = subprocess.run(command, cwd=environment.ROOT, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise ChildFailed(f"{kind}, {what}: {done.stderr.strip()[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    if said["tree"] != str(tree):
        raise ChildFailed(f"the aioweb of {said['tree']} was imported in place of that of {tree}")
    if bool(said["twins"]) is (kind == "python"):
        raise ChildFailed(f"{kind}, but the twins in use are {said['twins']}: build them in {tree}")
    return said


# -- figures -----------------------------------------------------------------------------------------------------------


def stages_of(figures: Figures) -> Figures:
    """What each stage adds, in the order of a request's life, and the whole: the longest way, measured by itself."""
    before: dict[str, float] = {}
    added = {}
    for name in PREFIXES:
        added[name] = {figure: round(value - before.get(figure, 0), 3) for figure, value in figures[name].items()}
        before = figures[name]
    return {**{name: added[name] for name in STAGES}, "whole": before}


def title(report: Report) -> str:
    """What was measured, on what."""
    machine = report["machine"]
    twins = ", ".join(name.rpartition(".")[2] for name in report["twins"])
    return f"aioweb {report['commit']} ({twins}), Python {report['python']}, {machine['cpu']}"


def table(report: Report) -> str:
    """The Markdown table of one result."""
    titles = [f"{twins}: {figure}" for twins in TWINS.values() for figure in ("instructions", "CPU us")]
    rows = {}
    for part, names in _names(report):
        for name in names:
            figures = [report[part][kind][name] for kind in TWINS]
            rows[name] = [text for row in figures for text in (_count_text(row), f"{row['cpu_us']:.2f}")]
    return _table(titles, rows)


def budget_table(before: Report, after: Report) -> str:
    """The Markdown table of two results: each stage, the whole and each workload, before and after."""
    titles = [f"{twins}: {column}" for twins in TWINS.values() for column in ("before", "after", "ratio", "CPU us")]
    rows = {}
    for part, names in _names(after):
        for name in names:
            pairs = [(before[part][kind].get(name, {}), after[part][kind][name]) for kind in TWINS]
            rows[name] = [text for old, new in pairs for text in _compared(old, new)]
    return _table(titles, rows)


def _names(report: Report) -> list[tuple[str, list[str]]]:
    return [(part, list(report[part]["twins"])) for part in ("stages", "workloads")]


def _compared(old: dict[str, float], new: dict[str, float]) -> list[str]:
    both = old.get("instructions") and new.get("instructions") is not None
    ratio = f"{new['instructions'] / old['instructions']:.2f}" if both else "-"
    times = " → ".join(f"{row['cpu_us']:.2f}" for row in (old, new) if row)
    return [_count_text(old), _count_text(new), ratio, times]


def _count_text(row: dict[str, float]) -> str:
    return f"{row['instructions']:,.0f}" if "instructions" in row else "-"


def _table(titles: list[str], rows: dict[str, list[str]]) -> str:
    lines = [f"| {' | '.join(['', *titles])} |", "| --- |" + " ---: |" * len(titles)]
    for name, cells in rows.items():
        first = name if name in STAGES else f"**{name}**"
        lines.append(f"| {' | '.join([first, *cells])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
