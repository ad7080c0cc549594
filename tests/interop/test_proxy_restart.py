"""A proxy in front, load on it, and workers that are replaced behind it: no client notices."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.functional.load import load
from tests.functional.processes import running
from tests.interop.proxies import NAMES, haproxy, nginx


@pytest.mark.parametrize("name", NAMES)
async def test_a_rolling_restart_behind_a_proxy_loses_no_request(name: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    words = ["-m", "aioweb", "-w", "2", "-U", str(path), "--no-access-log", "--trust-proxies", "unix"]
    start = nginx if name == "nginx" else haproxy
    with running(*words, "tests.cli.site:app") as program:
        program.wait_for("Press CTRL")
        async with start(tmp_path, f"unix:{path}") as proxy, load(proxy.port) as found:
            await found.until(lambda: len(found.pids) == 2)
            program.tell(signal.SIGHUP)
            await found.replaced(set(found.pids))
        assert program.end() == 0
    assert found.failures == {}
