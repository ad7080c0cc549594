"""From result files to a page of the documentation: `python -m benchmarks.charts RESULTS.json ...`.

For each workload of the files one table and one chart (SVG, made by pygal) of the CPU time that each server needs. Of a
workload that several files have, the last file counts.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
from typing import Any

from benchmarks import environment
from benchmarks.macro import peers
from benchmarks.macro.workloads import WORKLOADS

FOLDER = environment.ROOT / "docs" / "performance"
_COLORS = {"asyncio": ("#94a3b8", "#fb923c"), "uvloop": ("#475569", "#c2410c")}
"""By loop: of the others, and of aioweb."""
_GRAY = "#6b7280"
_COLUMNS = (
    ("CPU us/req", lambda row: f"{row['median']['cpu_us']:.1f}"),
    ("x bare", lambda row: _ratio(row["ratio_to_bare"])),
    ("x aiohttp", lambda row: _ratio(row["ratio_to_aiohttp"])),
    ("req/s", lambda row: f"{row['median']['requests_per_second']:,.0f}"),
    ("p50 ms", lambda row: f"{row['median']['p50_us'] / 1e3:.2f}"),
    ("p99 ms", lambda row: f"{row['median']['p99_us'] / 1e3:.2f}"),
    ("peak MiB", lambda row: f"{row['median']['peak_mib']:.0f}"),
)

Row = dict[str, Any]


def main() -> int:
    """Write the page and its charts. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.charts", description="Draw results for the docs.")
    parser.add_argument("results", nargs="+", type=pathlib.Path)
    parser.add_argument("--to", type=pathlib.Path, default=FOLDER, help="folder (default: %(default)s)")
    options = parser.parse_args()
    python = environment.ensure()
    if pathlib.Path(sys.executable) != python:  # pygal lives beside the peers
        os.execv(python, [str(python), "-m", "benchmarks.charts", *sys.argv[1:]])
    measured: dict[str, tuple[Row, list[Row]]] = {}
    for path in options.results:
        report = json.loads(path.read_text("utf-8"))
        for name in report["settings"]["workload"]:
            measured[name] = (report, [row for row in report["rows"] if row["workload"] == name])
    options.to.mkdir(parents=True, exist_ok=True)
    known = [name for name in WORKLOADS if name in measured]
    for name in known:
        (options.to / f"{name}.svg").write_text(draw(measured[name][1]) + "\n", "utf-8")
    (options.to / "index.md").write_text(page([(name, *measured[name]) for name in known]), "utf-8")
    print(options.to / "index.md")
    return 0


def draw(rows: list[Row]) -> str:
    """The chart of one workload: a bar for each server and loop, the least CPU time at the top."""
    import pygal
    from pygal.style import Style

    cpu = {(row["peer"], row["loop"]): row["median"]["cpu_us"] for row in rows if row["median"]}
    names = sorted({peer for peer, _ in cpu}, key=lambda peer: -min(cpu.get((peer, loop), 1e9) for loop in _COLORS))
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=_GRAY,
        foreground_strong=_GRAY,
        foreground_subtle=_GRAY,
        colors=[color for color, _ in _COLORS.values()],
        font_family="sans-serif",
        opacity=".9",
        label_font_size=13,
        value_font_size=11,
        legend_font_size=12,
    )
    chart = pygal.HorizontalBar(
        style=style,
        js=(),
        explicit_size=True,
        disable_xml_declaration=True,
        width=760,
        height=80 + 44 * len(names),
        print_values=True,
        print_values_position="top",
        show_y_guides=False,
        no_prefix=True,
        legend_at_bottom=True,
        value_formatter=lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.1f}",
        x_title="microseconds of CPU time per request",
    )
    chart.x_labels = names
    for loop, (color, ours) in _COLORS.items():
        values = [{"value": cpu.get((peer, loop)), "color": ours if peer == peers.SUBJECT else color} for peer in names]
        chart.add(loop, values)
    svg: str = chart.render(is_unicode=True)
    return svg


def page(measured: list[tuple[str, Row, list[Row]]]) -> str:
    """The page in Markdown."""
    lines = ["# Performance", "", _INTRODUCTION]
    for name, report, rows in measured:
        workload = WORKLOADS[name]
        machine = report["machine"]
        lines += [
            f"## {name}",
            "",
            f"{workload.title}; {workload.connections} connections.",
            "",
            f"![CPU time per request, {name}]({name}.svg)",
            "",
            "| server | loop |" + "".join(f" {title} |" for title, _ in _COLUMNS),
            "| --- | --- |" + " ---: |" * len(_COLUMNS),
        ]
        for row in rows:
            if row["median"]:
                cells = "".join(f" {text(row)} |" for _, text in _COLUMNS)
                lines.append(f"| {row['peer']} | {row['loop']} |{cells}")
        why = sorted({f"{row['peer']} {row['unable']}" for row in rows if row.get("unable")})
        settings = report["settings"]
        lines += [
            "",
            *([f"Left out: {', '.join(why)}.", ""] if why else []),
            f"Commit {report['commit']}, {report['date'][:10]}, {machine['cpu']}, {machine['cores']} cores, Python "
            f"{report['versions']['python']}; medians of {settings['rounds']} rounds of {settings['duration']} s; "
            f"extensions in C: {', '.join(sorted(set(report['aioweb_extensions']))) or 'none'}.",
            "",
        ]
    versions = measured[-1][1]["versions"] if measured else {}
    named = ("aiohttp", "uvicorn", "httptools", "starlette", "blacksheep", "granian", "socketify", "uvloop")
    lines += ["Versions: " + ", ".join(f"{name} {versions[name]}" for name in named if name in versions) + ".", ""]
    return "\n".join(lines)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


_INTRODUCTION = """\
What a request costs: user and system time of the server's whole process tree by the number of requests, on one core,
with the load on another. It does not depend on how fast the load is, and a server that needs half of it serves twice as
many on the same machine. `bare` is a protocol that looks for the end of the head and writes canned bytes: no server in
Python can be cheaper. How it is measured stands in `benchmarks/README.md`; `make bench` repeats it on your machine.

This page is written by `python -m benchmarks.charts` from files in `benchmarks/results/`.
"""


if __name__ == "__main__":
    sys.exit(main())
