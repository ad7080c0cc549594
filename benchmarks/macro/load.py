"""The load: wrk with the request of a workload on keep-alive connections, loopback only, bounded in time."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile

from benchmarks.macro.workloads import Workload

HEADS = ("same", "targets", "fields")
"""Every head is the same; or every target is another; or every target and every field section."""

_ANSWERS_WITHIN = 15
"""Seconds that wrk has to give its figures, once it was told to stop."""
_SCRIPT = pathlib.Path(__file__).with_name("request.lua")


class LoadFailed(Exception):
    """wrk is missing or gave no figures; the message says which."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What wrk counted in one window. `errors` maps the kind (connect, read, write, status, timeout) to its number."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    p999_us: int
    errors: dict[str, int]

    @property
    def faults(self) -> dict[str, int]:
        """The kinds of errors that happened: socket errors and answers that are not 2xx or 3xx."""
        return {kind: number for kind, number in self.errors.items() if number}


def require_wrk() -> str:
    """The path of wrk. Raises LoadFailed with the way to get it."""
    path = shutil.which("wrk")
    if path is None:
        raise LoadFailed("wrk is missing: apt-get install wrk")
    return path


def drive(port: int, workload: Workload, seconds: float, heads: str) -> Figures:
    """Load 127.0.0.1:`port` for `seconds`, from the cores of this process. Raises LoadFailed without figures.

    `heads` says what repeats from request to request: see `HEADS`.
    """
    longer = f"{round(seconds + _ANSWERS_WITHIN)}s"  # wrk knows whole seconds only, so that it is told when to stop
    command = [require_wrk(), "--threads", "1", "--connections", str(workload.connections), "--duration", longer]
    with tempfile.NamedTemporaryFile() as file:
        file.write(workload.request)
        file.flush()
        url = f"{'https' if workload.tls else 'http'}://127.0.0.1:{port}/"
        command += ["--timeout", "5s", "--script", str(_SCRIPT), url, "--", file.name, str(workload.pipelined), heads]
        said = _run(command, seconds)
    for line in said.splitlines():
        if line.startswith("FIGURES "):
            return Figures(**json.loads(line.removeprefix("FIGURES ")))
    raise LoadFailed(f"wrk gave no figures: {said.strip()[-200:]!r}")


def _run(command: list[str], seconds: float) -> str:
    """Run wrk for so long. Returns: what it said."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:
        try:
            return wrk.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            pass
        for _ in range(_ANSWERS_WITHIN):
            wrk.send_signal(signal.SIGINT)  # it stops and sums up; once more, if that came just before it fell asleep
            try:
                return wrk.communicate(timeout=1)[0]
            except subprocess.TimeoutExpired:
                pass
        wrk.kill()
        raise LoadFailed(f"wrk did not end within {_ANSWERS_WITHIN} s")
