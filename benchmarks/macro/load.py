"""The load: wrk with the request of a workload on keep-alive connections, loopback only, bounded in time."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from benchmarks.macro.workloads import Workload

HEADS = ("same", "targets", "fields")
"""Every head is the same; or every target is another; or every target and every field section."""

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


def drive(port: int, workload: Workload, seconds: float, core: int, heads: str) -> Figures:
    """Load 127.0.0.1:`port` from `core` for `seconds` (whole seconds for wrk). Raises LoadFailed without figures.

    `heads` says what repeats from request to request: see `HEADS`.
    """
    whole = max(1, round(seconds))
    command = [require_wrk(), "--threads", "1", "--connections", str(workload.connections), "--duration", f"{whole}s"]
    with tempfile.NamedTemporaryFile() as file:
        file.write(workload.request)
        file.flush()
        url = f"{'https' if workload.tls else 'http'}://127.0.0.1:{port}/"
        command += ["--timeout", "5s", "--script", str(_SCRIPT), url, "--", file.name, str(workload.pipelined), heads]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=whole + 15,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )
        except subprocess.TimeoutExpired:
            raise LoadFailed(f"wrk did not end within {whole + 15} s") from None
    for line in done.stdout.splitlines():
        if line.startswith("FIGURES "):
            return Figures(**json.loads(line.removeprefix("FIGURES ")))
    raise LoadFailed(f"wrk gave no figures: {(done.stderr or done.stdout).strip()[-200:]!r}")
