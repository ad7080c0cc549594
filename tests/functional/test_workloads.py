"""The benchmarks' servers that run here answer every workload right, before anybody measures them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys

import pytest

from benchmarks import charts
from benchmarks.macro import peers, report
from benchmarks.macro.workloads import WORKLOADS

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the runner needs Linux")


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("loop", peers.LOOPS)
@pytest.mark.parametrize("peer", [peers.LIMIT, peers.SUBJECT])
def test_every_answer_is_right(peer: str, loop: str, tls: bool, tmp_path: pathlib.Path) -> None:
    core = min(os.sched_getaffinity(0))
    with peers.serving(peer, loop, core, tls=tls, python=pathlib.Path(sys.executable), logs=tmp_path) as (_, port):
        for name, workload in WORKLOADS.items():
            if workload.tls is not tls:
                continue
            peers.check_answer(port, workload)
            never = dataclasses.replace(workload, is_right=lambda body: False)
            with pytest.raises(peers.WrongAnswer, match="answered 200"):
                peers.check_answer(port, never)
            assert (peer, name) not in peers.UNABLE


def test_table_compares_rows_of_one_workload_and_loop() -> None:
    rows = [
        report.Row(peers.LIMIT, "asyncio", "json", [_sample(10)]),
        report.Row(peers.LIMIT, "asyncio", "form", [_sample(99)]),
        report.Row(peers.LIMIT, "uvloop", "json", [_sample(99)]),
        report.Row(peers.SUBJECT, "asyncio", "json", [_sample(20), _sample(40), _sample(25)]),
    ]
    assert report.ratio(rows[-1], peers.LIMIT, rows) == 2.5
    assert "| aioweb | asyncio | 25.0 | 20.0 | 2.50 | - |" in report.table(rows)


def test_table_says_why_a_row_has_no_figures() -> None:
    rows = [report.Row("a", "asyncio", "form", unable="has no forms"), report.Row("b", "uvloop", "form")]
    rows[1].faults.append("round 1: answered 500")
    lines = report.table(rows).splitlines()
    assert lines[2].endswith("| has no forms |")
    assert lines[3].endswith("| round 1: answered 500 |")
    assert len({line.count("|") for line in lines}) == 1


def _sample(cpu_us: float) -> report.Sample:
    return report.Sample(cpu_us, 1000.0, 1, 2, 3, 30.0, 1.0)


def test_a_page_of_results_has_a_table_for_each_workload_and_says_why_somebody_is_missing() -> None:
    rows = [report.Row("aioweb", "asyncio", "form", [_sample(25)]), report.Row("a", "asyncio", "form", unable="cannot")]
    plain = [report.plain(row, rows) for row in rows]
    about = {
        "commit": "abc",
        "date": "2026-11-21T00:00:00",
        "machine": {"cpu": "a chip", "cores": 2},
        "versions": {"python": "3.11.7", "aiohttp": "3.14.5"},
        "settings": {"rounds": 3, "duration": 2},
        "aioweb_extensions": [],
    }
    text = charts.page([("form", about, plain)])
    assert "## form" in text
    assert "| aioweb | asyncio | 25.0 | - | - | 1,000 |" in text
    assert "Left out: a cannot." in text
    assert text.rstrip().endswith("Versions: aiohttp 3.14.5.")
