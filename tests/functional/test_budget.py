"""The budget counts what it says: every way answers right, a way is a stage longer, and stages sum up to the whole."""

from __future__ import annotations

import asyncio
import gc
import json
import pathlib
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from aioweb import web
from benchmarks import ways
from benchmarks.micro import budget

_T = TypeVar("_T")


@pytest.fixture
def loop() -> Iterator[ways.StillLoop]:
    loop = ways.StillLoop()
    yield loop
    loop.close()
    gc.unfreeze()


def run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _T]) -> _T:
    return loop.run_until_complete(work)


async def once() -> dict[str, ways.Way]:
    opened = await ways.open_ways()
    for way in opened.values():
        await way.run(1)
    return opened


def test_every_way_answers_each_request(loop: ways.StillLoop) -> None:
    opened = run(loop, once())
    assert list(opened) == [*budget.PREFIXES, *ways.KINDS]
    assert {opened[name].answer_size for name in budget.PREFIXES} == {len(ways.CANNED)}


def test_a_wrong_answer_is_seen(loop: ways.StillLoop) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(text="something else")

    async def answer_wrong() -> None:
        await ways.Way(web.Server(handler, tcp_keepalive=False)).open()

    with pytest.raises(RuntimeError, match=r"a wrong answer: b'HTTP/1.1 200 OK"):
        run(loop, answer_wrong())


def test_a_missing_answer_is_seen(loop: ways.StillLoop) -> None:
    calls = []

    async def handler(request: web.BaseRequest) -> web.Response:
        calls.append(request)
        return web.Response(text=ways.TEXT if len(calls) < 1000 else "")

    async def fall_silent() -> None:
        way = ways.Way(web.Server(handler, tcp_keepalive=False))
        await way.open()
        await way.run(15)

    with pytest.raises(RuntimeError, match="octets of answers, not 140160"):
        run(loop, fall_silent())


def report(step: int) -> budget.Report:
    """One in which each way costs `step` instructions more than the one before."""
    figures = {
        name: {"instructions": step * number, "cpu_us": float(number)} for number, name in enumerate(budget.PREFIXES, 1)
    }
    return {
        "commit": "abc1234",
        "python": "3.11.7",
        "machine": {"cpu": "a"},
        "twins": ["aioweb.protocol._head"],
        "stages": {kind: budget.stages_of(figures) for kind in budget.TWINS},
        "workloads": {kind: {"json": {"cpu_us": 3.0}} for kind in budget.TWINS},
    }


def test_stages_sum_up_to_the_whole() -> None:
    stages = report(1000)["stages"]["python"]
    assert list(stages) == [*budget.STAGES, "whole"]
    assert sum(stages[name]["instructions"] for name in budget.STAGES) == stages["whole"]["instructions"] == 9000


def test_tables_have_a_row_for_each_stage_and_workload() -> None:
    lines = budget.table(report(1000)).splitlines()
    assert len(lines) == 2 + len(budget.STAGES) + 2
    assert lines[2] == "| loop | 1,000 | 1.00 | 1,000 | 1.00 |"
    assert lines[-1] == "| **json** | - | 3.00 | - | 3.00 |"
    assert budget.title(report(1)) == "aioweb abc1234 (_head), Python 3.11.7, a"


def test_two_results_are_compared(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    files = [tmp_path / "before.json", tmp_path / "after.json"]
    for path, step in zip(files, (1000, 500), strict=True):
        path.write_text(json.dumps(report(step)))
    monkeypatch.setattr("sys.argv", ["budget", "--compare", *map(str, files)])
    assert budget.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| loop | 1,000 | 500 | 0.50 | 1.00 → 1.00 | 1,000 | 500 | 0.50 | 1.00 → 1.00 |"
    assert "| **whole** | 9,000 | 4,500 | 0.50 |" in lines[-2]
    assert len({line.count("|") for line in lines}) == 1


def test_the_total_of_a_dump_is_read() -> None:
    assert budget.read_total("version: 1\nevents: Ir\nsummary: 4711\n\nfn=(1) main\n3 9\ntotals: 4711\n") == 4711
    with pytest.raises(budget.ChildFailed, match="no total"):
        budget.read_total("nothing")


def test_a_tree_without_aioweb_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(budget.ChildFailed, match="was imported in place of that of"):
        budget.measure(tmp_path)
