"""The benchmarks' servers that run here answer every workload right, before anybody measures them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

import aioweb
from benchmarks.macro import load, peers, process, report
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


@pytest.mark.parametrize("loop", peers.LOOPS)
def test_the_peer_in_python_only_answers_without_an_extension(loop: str, tmp_path: pathlib.Path) -> None:
    core = min(os.sched_getaffinity(0))
    with peers.serving(peers.PURE, loop, core, python=pathlib.Path(sys.executable), logs=tmp_path) as (pid, port):
        for name in peers.ASKED[peers.PURE]:
            peers.check_answer(port, WORKLOADS[name])
        loaded = pathlib.Path(f"/proc/{pid}/maps").read_text("utf-8")
    assert ".so" in loaded
    assert f"{pathlib.Path(aioweb.__file__).parent}/protocol" not in loaded


@pytest.mark.skipif(not shutil.which("wrk") and os.environ.get("CI") != "true", reason="wrk is missing")
def test_load_lasts_no_whole_seconds_and_costs_what_the_kernel_says(tmp_path: pathlib.Path) -> None:
    core = min(os.sched_getaffinity(0))
    with peers.serving(peers.LIMIT, "asyncio", core, python=pathlib.Path(sys.executable), logs=tmp_path) as (pid, port):
        before = process.cpu_seconds(pid)
        figures = load.drive(port, WORKLOADS["plaintext"], 0.2, "same")
        cpu = process.cpu_seconds(pid) - before
    assert figures.requests > 10
    assert figures.faults == {}
    assert figures.seconds < 10  # wrk was told 15, and is told to stop before
    assert 0 < cpu < figures.seconds + 1


def test_a_process_that_has_gone_used_no_cpu() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert process.cpu_seconds(child.pid) == 0.0
    assert process.cpu_seconds(os.getpid()) >= time.process_time() * 0.9 > 0


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
