"""The benchmarks' WebSocket servers that run here answer right, and the load counts their answers."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import socket
import sys
from collections.abc import Iterator

import pytest

from benchmarks.macro.load import LoadFailed
from benchmarks.macro.peers import LIMIT, LOOPS, SUBJECT
from benchmarks.websocket import idle, peers
from benchmarks.websocket.client import WrongAnswer
from benchmarks.websocket.load import Load
from benchmarks.websocket.workloads import IN_FLIGHT, WORKLOADS, Workload

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the runner needs Linux")

Serving = tuple[str, int, int]


@pytest.fixture(scope="module", params=[(peer, loop) for peer in (LIMIT, SUBJECT) for loop in LOOPS], ids="-".join)
def serving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server: the peer, its process and its port."""
    peer, loop = request.param
    logs = tmp_path_factory.mktemp("logs")
    core = min(os.sched_getaffinity(0))
    with peers.serving(peer, loop, core, python=pathlib.Path(sys.executable), logs=logs) as (pid, port):
        yield peer, pid, port


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_every_answer_is_right(serving: Serving, workload: Workload) -> None:
    peer, _, port = serving
    peers.check_answers(port, workload, 4)
    assert (peer, workload.name) not in peers.UNABLE


def test_a_wrong_answer_is_seen(serving: Serving) -> None:
    other = dataclasses.replace(WORKLOADS["text32"])
    vars(other)["frames"] = WORKLOADS["text1k"].frames  # something else is sent than what is awaited
    with pytest.raises(WrongAnswer, match="answered"):
        peers.check_answers(serving[2], other, 4)


@pytest.mark.parametrize("workload", [each for each in WORKLOADS.values() if not each.idle], ids=str)
def test_load_counts_every_answer_once(serving: Serving, workload: Workload) -> None:
    few = dataclasses.replace(workload, connections=3)
    with contextlib.closing(Load(serving[2], few, 4)) as load:
        figures, answer_bytes = load.run(0.2)
    assert figures.requests >= 3
    assert 0 < figures.p50_us <= figures.p999_us < 5e6
    if workload.compressed:
        assert 200 < answer_bytes < 600
    else:
        # Of an answer that has come in part the octets are counted before the message.
        assert 0 <= (answer_bytes - workload.answer_size) * figures.requests < 3 * 4 * workload.answer_size


def test_load_fails_without_a_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with pytest.raises(LoadFailed, match="connection 0"):
        Load(port, WORKLOADS["text32"], 4)


def test_idle_connections_are_weighed(serving: Serving) -> None:
    few = dataclasses.replace(WORKLOADS["idle_deflate"], connections=50)
    memory = idle.measure(serving[1], serving[2], few, 0.0)
    assert 10 < memory.connection_kib < 200  # the compressor alone takes more
    assert memory.all_mib > 10


def test_bursts_hold_every_message_once() -> None:
    for workload in WORKLOADS.values():
        for number in IN_FLIGHT:
            assert b"".join(workload.bursts(number)) == b"".join(workload.frames)
            assert len(workload.bursts(number)) * number == len(workload.messages)
