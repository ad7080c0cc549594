"""From files of results to the page of the documentation, in Markdown.

Of a workload that several files have for one Python, the newest file counts. What a person has to say of the figures
stands in benchmarks/words/NAME.md and goes into the section of that name: a workload, or one of `SECTIONS`.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from benchmarks import environment, footprint
from benchmarks.macro import peers, report
from benchmarks.macro.workloads import WORKLOADS
from benchmarks.micro import budget
from benchmarks.websocket import __main__ as websocket
from benchmarks.websocket.workloads import WORKLOADS as MESSAGES

WORDS = environment.HERE / "words"
SECTIONS = ("summary", "pure", "websocket", "pythons", "budget")
OURS = (peers.SUBJECT, peers.PURE)
_NAMED = (
    *("aiohttp", "uvicorn", "httptools", "starlette", "blacksheep", "granian", "socketify", "websockets", "wsproto"),
    *("picows", "uvloop", "multidict", "yarl"),
)


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart to be drawn: least bars at the top."""

    file: str
    """Its name, without what stands behind the dot."""
    title: str
    """What the figure is."""
    bars: dict[tuple[str, str], float]
    """By server and loop."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one file says of one workload."""

    workload: str
    python: str
    """Two numbers: "3.11"."""
    about: dict[str, Any]
    """All that the file says, but for its rows."""
    rows: list[report.Row]

    @property
    def title(self) -> str:
        """What was done, and how many asked."""
        if self.workload == footprint.NAME:
            return f"{self.about['settings']['connections']:,} connections that were answered once and wait"
        workload = WORKLOADS.get(self.workload) or MESSAGES[self.workload]
        return f"{workload.title[:1].upper()}{workload.title[1:]}; {workload.connections:,} connections"

    @property
    def columns(self) -> tuple[report.Column, ...]:
        """Those of its table."""
        if self.workload == footprint.NAME:
            return footprint.COLUMNS
        if self.workload in WORKLOADS:
            return report.REQUESTS
        return websocket.MEMORY if MESSAGES[self.workload].idle else websocket.MESSAGES

    @property
    def charts(self) -> list[Chart]:
        """Those of its section."""
        of_python = "" if self.python == self.about["main_python"] else f"-python{self.python}"
        if self.workload == footprint.NAME:
            return [
                self._chart("footprint", "connection_kib", "KiB of resident memory for an idle connection"),
                self._chart("import", "import_ms", "milliseconds of CPU time for the import"),
                self._chart("start", "start_ms", "milliseconds from the start of the process until it listens"),
            ]
        if self.workload in MESSAGES and MESSAGES[self.workload].idle:
            return [self._chart(self.workload, "connection_kib", "KiB of resident memory for an idle connection")]
        unit = "request" if self.workload in WORKLOADS else "message"
        return [self._chart(self.workload + of_python, "cpu_us", f"microseconds of CPU time per {unit}")]

    def _chart(self, file: str, figure: str, title: str) -> Chart:
        return Chart(file, title, {(row.peer, row.loop): row.median(figure) for row in self.rows if row.samples})


def gather(files: list[dict[str, Any]]) -> list[Measured]:
    """The newest figures for each workload and Python; the Python that has most of them is the main one.

    Runs in which requests differ from one another are not comparable with the others, and left out.
    """
    newest: dict[tuple[str, str], tuple[dict[str, Any], list[report.Row]]] = {}
    same = [file for file in files if file["settings"].get("heads", "same") == "same"]
    for file in sorted(same, key=lambda file: str(file["date"])):
        rows = report.read(file)
        for name in dict.fromkeys(row.workload for row in rows):
            python = file["versions"]["python"].rpartition(".")[0]
            newest[python, name] = file, [row for row in rows if row.workload == name]
    pythons = [python for python, _ in newest]
    main = max(dict.fromkeys(pythons), key=pythons.count, default="")
    order = [*WORKLOADS, footprint.NAME, *MESSAGES]
    return [
        Measured(name, python, {**file, "rows": None, "main_python": main}, rows)
        for (python, name), (file, rows) in sorted(newest.items(), key=lambda item: order.index(item[0][1]))
    ]


def page(measured: list[Measured], budgets: list[dict[str, Any]], words: dict[str, str]) -> str:
    """The page. `budgets` are results of `micro.budget`, the oldest first, `words` those of a person, by section."""
    main = [each for each in measured if each.python == each.about["main_python"]]
    others = [each for each in measured if each not in main]
    messages = [each for each in main if each.workload in MESSAGES]
    pure = [row for each in main for row in each.rows if row.peer == peers.PURE and row.samples]
    parts = [
        ["# Performance", "", _INTRODUCTION, *_said(words, "summary")],
        ["## Where aioweb stands", "", _STANDING, overview(main), ""],
        ["## Without extensions in C", "", _PURE, pure_table(main), "", *_said(words, "pure")] if pure else [],
        ["## Requests", ""],
        *(_section(each, words, f"### {each.workload}") for each in main if each.workload in WORKLOADS),
        *(_section(each, words, "## Memory, start and import") for each in main if each.workload == footprint.NAME),
        ["## WebSockets", "", *_said(words, "websocket")] if messages else [],
        *(_section(each, words, f"### {each.workload}") for each in messages),
        ["## Other Pythons", "", *_said(words, "pythons")] if others else [],
        *(_section(each, words, f"### {each.workload} on Python {each.python}") for each in others),
        _budget(budgets, words) if budgets else [],
        ["## Repeat it", "", _REPEAT, *_versions(measured)],
    ]
    return "\n".join(line for part in parts for line in part)


def overview(measured: list[Measured]) -> str:
    """A table of all workloads: what they cost here, and what they cost the best of the others."""
    lines = [
        "| workload | loop | aioweb | x bare | x aiohttp | best of the others | its figure | aioweb by it |",
        "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for each in measured:
        for row in each.rows:
            if row.peer != peers.SUBJECT or not row.samples:
                continue
            figure = next(iter(vars(row.samples[0])))
            ours = row.median(figure)
            others = [other for other in each.rows if other.loop == row.loop and other.samples]
            others = [other for other in others if other.peer not in (*OURS, peers.LIMIT)]
            best = min(others, key=lambda other: other.median(figure), default=row)
            unit = "KiB" if figure == "connection_kib" else "us"
            cells = [
                each.workload,
                row.loop,
                f"{ours:,.1f} {unit}",
                *(_ratio(report.ratio(row, other, each.rows)) for other in (peers.LIMIT, peers.BASELINE)),
                *([best.peer, f"{best.median(figure):,.1f} {unit}"] if best is not row else ["-", "-"]),
                _by(ours, best.median(figure)),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pure_table(measured: list[Measured]) -> str:
    """aioweb without its extensions beside aioweb with them, by the limit."""
    lines = [
        "| workload | loop | pure Python | x bare | x aiohttp | by aioweb with C |",
        "| --- | --- |" + " ---: |" * 4,
    ]
    for each in measured:
        for row in each.rows:
            if row.peer == peers.PURE and row.samples:
                others = (peers.LIMIT, peers.BASELINE, peers.SUBJECT)
                ratios = " | ".join(_ratio(report.ratio(row, other, each.rows)) for other in others)
                lines.append(f"| {each.workload} | {row.loop} | {row.median('cpu_us'):.1f} us | {ratios} |")
    return "\n".join(lines)


def read_words(folder: pathlib.Path = WORDS) -> dict[str, str]:
    """The sentences of a person, by section. Raises ValueError for a file that no section has the name of."""
    known = {*SECTIONS, *WORKLOADS, *MESSAGES, footprint.NAME}
    found = {path.stem: path.read_text("utf-8").strip() for path in sorted(folder.glob("*.md"))}
    if unknown := sorted(set(found) - known):
        raise ValueError(f"{folder} says something of {', '.join(unknown)}; sections are {', '.join(sorted(known))}")
    return found


def _section(each: Measured, words: dict[str, str], heading: str) -> list[str]:
    shown = [row for row in each.rows if not row.unable]
    why = sorted({f"{row.peer} {row.unable}" for row in each.rows if row.unable})
    about, machine = each.about, each.about["machine"]
    settings = about["settings"]
    seconds = settings.get("seconds", settings.get("duration"))
    window = f" of {seconds:g} s" if seconds else ""
    on_main = each.python == about["main_python"]
    return [
        heading,
        "",
        f"{each.title}.",
        "",
        *(line for chart in each.charts for line in (f"![{chart.title}, {each.workload}]({chart.file}.svg)", "")),
        report.table(shown, each.columns),
        "",
        *([f"Left out: {', '.join(why)}.", ""] if why else []),
        *([f"Not to be installed here: {'; '.join(about['left_out'])}.", ""] if about.get("left_out") else []),
        *(_said(words, each.workload) if on_main else []),
        f"Commit {about['commit']}, {about['date'][:10]}, {machine['cpu']}, {machine['cores']} cores, "
        f"Python {about['versions']['python']}; medians of {settings['rounds']} rounds{window}; extensions in C: "
        f"{', '.join(sorted(set(about['aioweb_extensions']))) or 'none'}.",
        "",
    ]


def _budget(budgets: list[dict[str, Any]], words: dict[str, str]) -> list[str]:
    """The stages of a request, at the first commit that was counted and at the last."""
    before, after = budgets[0], budgets[-1]
    table = budget.table(after) if before is after else budget.budget_table(before, after)
    return [
        "## Stage by stage",
        "",
        f"In process: {budget.title(after)}" + ("." if before is after else f"; before: {budget.title(before)}."),
        "What a stage is, and how it is counted, stands in `benchmarks/micro/budget.py`.",
        "",
        table,
        "",
        *_said(words, "budget"),
    ]


def _said(words: dict[str, str], section: str) -> list[str]:
    return [words[section], ""] if section in words else []


def _versions(measured: list[Measured]) -> list[str]:
    installed = {name: version for each in measured for name, version in each.about["versions"].items()}
    listed = ", ".join(f"{name} {installed[name]}" for name in _NAMED if name in installed)
    machines = {f"{each.about['machine']['system']}, {each.about['machine']['memory']}" for each in measured}
    return [f"Versions: {listed}.", "", f"Machine: {'; '.join(sorted(machines))}.", ""]


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _by(ours: float, other: float) -> str:
    """A ratio; the thick ones are losses."""
    return f"{ours / other:.2f}" if ours <= other else f"**{ours / other:.2f}**"


_INTRODUCTION = """\
What a request costs: user and system time of the server's whole process tree by the number of requests, on one core,
with the load on another. It does not depend on how fast the load is, and a server that needs half of it serves twice as
many on the same machine. Times and latencies are those of a saturated server whose clients wait for each answer. `bare`
is a protocol that looks for the end of the head and writes canned bytes: with the loop's own transports nothing can be
much cheaper. socketify has a loop of its own, whatever the column says. Every request of a workload is the same, octet
by octet. How it is measured, and what the columns mean, stands in `benchmarks/README.md`.

This page is written by `python -m benchmarks.charts` from the files in `benchmarks/results/` and the sentences in
`benchmarks/words/`.
"""
_STANDING = """\
CPU time per request or message, or memory per idle connection, and the server that needs least of it beside `bare`. A
thick figure: somebody is ahead.
"""
_PURE = """\
`aioweb_pure` is aioweb with `AIOWEB_NO_EXTENSIONS=1`: what it costs where no compiler was at hand. (multidict and yarl,
which others use too, have their own extensions.)
"""
_REPEAT = """\
On Linux with two cores or more, nothing else running, and wrk installed (it is a package of most distributions):

```console
$ make bench-quick                      # the most important workloads, two minutes
$ make bench                            # every workload on uvloop, ten minutes
$ python3 -m benchmarks --record        # every workload on both loops, three rounds: this page, 50 minutes
$ python3 -m benchmarks --python 3.13   # a browser's request on another Python, two minutes
$ python3 -m benchmarks.charts          # this page, from all the results
```
"""
