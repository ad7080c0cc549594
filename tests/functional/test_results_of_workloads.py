"""What benchmarks make of their visits: files that a cut run leaves behind, and the page that is made of them."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

import pytest

from benchmarks import __main__ as suite
from benchmarks import charts, environment, footprint, page
from benchmarks.macro import __main__ as macro
from benchmarks.macro import load, options, peers, report, rounds
from benchmarks.macro.workloads import WORKLOADS
from benchmarks.websocket import __main__ as websocket
from benchmarks.websocket.workloads import WORKLOADS as MESSAGES

PLACE = rounds.Place(pathlib.Path(sys.executable), 0)


def _sample(cpu_us: float) -> report.Sample:
    return report.Sample(cpu_us, 1000.0, 1, 2, 3, 30.0, 1.0)


def _plan(visit: Any, workloads: str = "json,form", servers: str = "bare,aioweb", number: int = 2) -> rounds.Plan:
    """A plan of the real command line, but for its visits."""
    arguments = ["--workload", workloads, "--only", servers, "--loops", "asyncio", "--rounds", str(number)]
    plan = macro.plan(arguments)
    vars(plan)["visit"] = visit
    return plan


def _saved(folder: pathlib.Path) -> dict[str, Any]:
    (path,) = folder.glob("*.json")
    read: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return read


def test_every_round_visits_every_server_once(tmp_path: pathlib.Path) -> None:
    visited: list[tuple[str, str]] = []

    def visit(row: report.Row, place: rounds.Place) -> rounds.Visit:
        assert place is PLACE
        visited.append((row.workload, row.peer))
        return rounds.Visit(_sample(len(visited)), "")

    assert rounds.run(_plan(visit), PLACE, tmp_path) == 0
    assert visited == [(name, peer) for name in ("json", "form") for _ in range(2) for peer in ("bare", "aioweb")]
    rows = _saved(tmp_path)["rows"]
    assert [row["median"]["cpu_us"] for row in rows] == [2, 3, 6, 7]
    assert [len(row["samples"]) for row in rows] == [2] * 4


def test_a_run_that_is_cut_short_has_written_what_it_measured(tmp_path: pathlib.Path) -> None:
    def visit(row: report.Row, place: rounds.Place) -> rounds.Visit:
        if row.workload == "form":
            raise KeyboardInterrupt
        return rounds.Visit(_sample(5), "")

    with pytest.raises(KeyboardInterrupt):
        rounds.run(_plan(visit), PLACE, tmp_path)
    rows = _saved(tmp_path)["rows"]
    assert {row["workload"] for row in rows if row["median"]} == {"json"}
    measured = page.gather([_saved(tmp_path)])
    assert [each.workload for each in measured] == ["json"]


@pytest.mark.parametrize(
    ("failure", "peer", "status"),
    [
        (peers.WrongAnswer("answered 500"), "bare", 1),
        (load.LoadFailed("no figures"), "bare", 1),
        (OSError("refused"), "bare", 1),
        (peers.StartFailed("not here"), "bare", 0),
        (peers.StartFailed("not here"), "aioweb", 1),
    ],
)
def test_what_goes_wrong_is_noted_and_fails_the_run(
    failure: Exception, peer: str, status: int, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def visit(row: report.Row, place: rounds.Place) -> rounds.Visit:
        if row.peer == peer:
            raise failure
        return rounds.Visit(_sample(5), "")

    assert rounds.run(_plan(visit, "json"), PLACE, tmp_path) == status
    assert str(failure) in next(line for line in capsys.readouterr().out.splitlines() if line.startswith(f"| {peer} "))


def test_errors_under_load_are_kept_beside_the_figures(tmp_path: pathlib.Path) -> None:
    plan = _plan(lambda row, place: rounds.Visit(_sample(5), "", "3 read errors"), "json", "aioweb", 1)
    assert rounds.run(plan, PLACE, tmp_path) == 1
    assert _saved(tmp_path)["rows"][0]["faults"] == ["round 1: 3 read errors"]


@pytest.mark.parametrize(
    ("steps", "minutes"), [(suite.QUICK, 2.5), (suite.USUAL, 12), (suite.RECORD, 52), (suite.OTHER_PYTHON, 3)]
)
def test_the_suite_takes_no_longer_than_it_promises(steps: Any, minutes: float) -> None:
    plans = [plan(arguments.split()) for plan, arguments in steps]
    assert minutes / 4 < sum(plan.estimate for plan in plans) / 60 <= minutes


def test_the_suite_asks_for_everything() -> None:
    usual = [name for plan, arguments in suite.USUAL for name in plan(arguments.split()).workloads]
    assert usual == [*WORKLOADS, "text32", "broadcast", footprint.NAME]
    record = [plan(arguments.split()) for plan, arguments in suite.RECORD]
    assert {name for plan in record for name in plan.workloads} == {*WORKLOADS, *MESSAGES, footprint.NAME}
    assert {plan.rounds for plan in record} == {options.ROUNDS}
    assert {row.loop for plan in record for row in plan.rows} == set(peers.LOOPS)
    assert [plan.suffix for plan in record] == ["-all", "-footprint", "-websocket"]


@pytest.mark.parametrize(
    ("arguments", "suffix"),
    [
        ([], ""),
        (["--workload", "browser"], "-browser"),
        (["--workload", "browser", "--only", "bare"], "-browser-partial"),
        (["--workload", "browser", "--rounds", "2"], "-browser-quick"),
        (["--workload", "browser", "--heads", "fields"], "-browser-fields"),
        (["--workload", "browser", "--only", "bare", "--python", "3.13"], "-browser-python3.13"),
        (["--python", "/usr/bin/python3.13", "--seconds", "0.3"], "-python3.13-quick"),
    ],
)
def test_hasty_runs_have_names_that_are_not_kept(arguments: list[str], suffix: str, tmp_path: pathlib.Path) -> None:
    assert macro.plan(arguments).suffix == suffix
    path = tmp_path / f"2026-11-21-abc{suffix}.json"
    path.touch()
    assert (charts.kept(tmp_path) == [path]) is not suffix.endswith(("-quick", "-partial"))


def test_an_unknown_server_ends_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        websocket.plan(["--only", "nobody"])
    assert "unknown: nobody; known are bare, aioweb," in capsys.readouterr().err


def test_a_python_that_is_not_here_is_named() -> None:
    with pytest.raises(environment.EnvironmentFailed, match=r"no Python '9\.99' is installed here"):
        environment.ensure("9.99")


def test_options_of_another_python_are_those_of_the_suffix() -> None:
    namespace = argparse.Namespace(python="python3.12", rounds=3, only=["bare"], loops=["uvloop"])
    assert options.suffix(namespace, ("bare", "aioweb")) == "-python3.12"


# -- the page ----------------------------------------------------------------------------------------------------------


def _file(rows: list[report.Row], python: str = "3.11.7", date: str = "2026-11-21T10:00:00") -> dict[str, Any]:
    return {
        "commit": "abc",
        "date": date,
        "machine": {"cpu": "a chip", "cores": 2, "system": "Linux", "memory": "2 kB"},
        "versions": {"python": python, "aiohttp": "3.14.5"},
        "settings": {"rounds": 3, "seconds": 1.5, "connections": 5000},
        "aioweb_extensions": [],
        "left_out": [],
        "rows": [report.plain(row, rows) for row in rows],
    }


def _rows(workload: str = "browser", ours: float = 20) -> list[report.Row]:
    figures = {"bare": 10.0, "aioweb": ours, "aioweb_pure": 25.0, "aiohttp": 50.0, "granian": 22.0}
    return [
        *(report.Row(peer, "uvloop", workload, [_sample(cpu)]) for peer, cpu in figures.items()),
        report.Row("socketify", "uvloop", workload, unable="cannot"),
    ]


def _page(*files: dict[str, Any], words: dict[str, str] | None = None) -> str:
    return page.page(page.gather(list(files)), [], words or {})


def test_a_page_has_every_table_and_says_who_is_missing_and_who_is_ahead() -> None:
    text = _page(_file(_rows()), _file(_rows("form", ours=44)))
    assert "| browser | uvloop | 20.0 us | 2.00 | 0.40 | granian | 22.0 us | 0.91 |" in text
    assert "| form | uvloop | 44.0 us | 4.40 | 0.88 | granian | 22.0 us | **2.00** |" in text
    assert "| browser | uvloop | 25.0 us | 2.50 | 0.50 | 1.25 |" in text
    assert "### form" in text
    assert "| aioweb | uvloop | 44.0 | 44.0 | 4.40 | 0.88 | 1,000 |" in text
    assert "Left out: socketify cannot." in text
    assert "medians of 3 rounds of 1.5 s" in text
    assert "Versions: aiohttp 3.14.5." in text


def test_of_two_files_the_newer_counts_for_what_it_has() -> None:
    old = _file([*_rows(ours=99), *_rows("form", ours=99)], date="2026-11-20T10:00:00")
    text = _page(_file(_rows(ours=20)), old)
    assert "| browser | uvloop | 20.0 us |" in text
    assert "| form | uvloop | 99.0 us |" in text
    changing = _file(_rows(ours=33), date="2026-11-22T10:00:00")
    changing["settings"]["heads"] = "fields"
    assert "| browser | uvloop | 20.0 us |" in _page(_file(_rows(ours=20)), changing)


def test_another_python_has_a_section_and_a_chart_of_its_own() -> None:
    main, other = _file([*_rows(), *_rows("form")]), _file(_rows(ours=18), python="3.13.0", date="2026-11-21T11:00:00")
    other["left_out"] = ["nobody==1.0: no wheel"]
    text = _page(main, other)
    assert text.index("## Other Pythons") < text.index("### browser on Python 3.13")
    assert "(browser-python3.13.svg)" in text
    assert "(browser.svg)" in text
    assert "Not to be installed here: nobody==1.0: no wheel." in text


def test_words_of_a_person_stand_in_their_section(tmp_path: pathlib.Path) -> None:
    (tmp_path / "browser.md").write_text("granian parses in Rust.\n", "utf-8")
    (tmp_path / "summary.md").write_text("We lead.\n", "utf-8")
    text = _page(_file(_rows()), words=page.read_words(tmp_path))
    assert text.index("We lead.") < text.index("## Where aioweb stands")
    assert text.index("### browser") < text.index("granian parses in Rust.") < text.index("## Repeat it")
    (tmp_path / "browsre.md").touch()
    with pytest.raises(ValueError, match="browsre"):
        page.read_words(tmp_path)


def test_a_commit_that_nobody_knows_is_the_oldest() -> None:
    assert environment.committed("0123456789-dirty") == 0 <= environment.committed("HEAD")


def test_the_first_budget_is_compared_with_the_last() -> None:
    def counted(commit: str, instructions: int) -> dict[str, Any]:
        figures = {kind: {"head": {"instructions": instructions, "cpu_us": 1.5}} for kind in ("twins", "python")}
        about = {"python": "3.11.7", "twins": ["aioweb.protocol._head"], "machine": {"cpu": "a chip"}}
        return {"commit": commit, **about, "stages": figures, "workloads": {"twins": {}, "python": {}}}

    text = page.page(
        [], [counted("old", 1000), counted("odd", 700), counted("new", 500)], {"budget": "The rest is the loop's."}
    )
    assert "| head | 1,000 | 500 | 0.50 | 1.50 → 1.50 |" in text
    assert text.index("## Stage by stage") < text.index("The rest is the loop's.") < text.index("## Repeat it")
    assert "| head | 500 | 1.50 |" in page.page([], [counted("new", 500)], {})


def test_memory_and_start_are_drawn_one_by_one() -> None:
    row = report.Row("aioweb", "uvloop", footprint.NAME, [footprint.Footprint(2.7, 36.0, 500.0, 150.0)])
    (measured,) = page.gather([_file([row])])
    assert [(chart.file, list(chart.bars.values())) for chart in measured.charts] == [
        ("footprint", [2.7]),
        ("import", [150.0]),
        ("start", [500.0]),
    ]
    assert "| aioweb | uvloop | 2.7 | - | - | 36.0 | 500 | 150 |" in _page(_file([row]))
