"""From files of results to a page of the documentation: `python -m benchmarks.charts [RESULTS.json ...]`.

Writes docs/performance/index.md (see `benchmarks.page`) and its charts (SVG, drawn by pygal). Without names it takes
all files in benchmarks/results but those of hasty or partial runs; of what several files have, the newest counts.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import pathlib
import re
import sys

from benchmarks import environment, page

FOLDER = environment.ROOT / "docs" / "performance"
_BUDGET = "*-budget*.json"
_HASTY = ("*-dirty*", "*-quick.json", "*-partial.json")
_COLORS = {"asyncio": ("#94a3b8", "#fb923c"), "uvloop": ("#475569", "#c2410c")}
"""By loop: of the others, and of aioweb."""
_GRAY = "#6b7280"


def main() -> int:
    """Write the page and its charts. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.charts", description="Draw results for the docs.")
    parser.add_argument("results", nargs="*", type=pathlib.Path, default=kept(environment.RESULTS))
    parser.add_argument("--to", type=pathlib.Path, default=FOLDER, help="folder (default: %(default)s)")
    options = parser.parse_args()
    python = environment.ensure()
    if pathlib.Path(sys.executable) != python:  # pygal lives beside the peers
        os.execv(python, [str(python), "-m", "benchmarks.charts", *sys.argv[1:]])
    reports = [(path, json.loads(path.read_text("utf-8"))) for path in options.results]
    budgets = [report for path, report in reports if fnmatch.fnmatch(path.name, _BUDGET)]
    budgets.sort(key=lambda report: environment.committed(report["commit"]))
    measured = page.gather([report for path, report in reports if not fnmatch.fnmatch(path.name, _BUDGET)])
    text = page.page(measured, budgets, page.read_words())
    options.to.mkdir(parents=True, exist_ok=True)
    drawings = {f"{chart.file}.svg": draw(chart) for each in measured for chart in each.charts}
    for old in options.to.glob("*.svg"):
        old.unlink()
    for name, drawing in drawings.items():
        (options.to / name).write_text(drawing + "\n", "utf-8")
    (options.to / "index.md").write_text(text, "utf-8")
    print(options.to / "index.md")
    return 0


def kept(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of whole runs in a folder."""
    return [
        path
        for path in sorted(folder.glob("*.json"))
        if not any(fnmatch.fnmatch(path.name, pattern) for pattern in _HASTY)
    ]


def draw(chart: page.Chart) -> str:
    """The chart as SVG: a bar for each server and loop, the least at the top."""
    import pygal
    from pygal.style import Style

    bars = chart.bars
    names = sorted({peer for peer, _ in bars}, key=lambda peer: -min(bars.get((peer, loop), 1e9) for loop in _COLORS))
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
    figure = pygal.HorizontalBar(
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
        x_title=chart.title,
    )
    figure.x_labels = names
    for loop, (color, ours) in _COLORS.items():
        values = [{"value": bars.get((peer, loop)), "color": ours if peer in page.OURS else color} for peer in names]
        figure.add(loop, values)
    # pygal's comments hold the day of drawing: what was measured is not changed by drawing it again.
    return re.sub("<!--.*?-->", "", figure.render(is_unicode=True))


if __name__ == "__main__":
    sys.exit(main())
