"""Tests over real sockets. Those marked `on_every_loop` run on asyncio's loop and on uvloop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "on_every_loop: run on asyncio and on uvloop")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.get_closest_marker("on_every_loop") is not None:
        factories["uvloop"] = uvloop.new_event_loop
    return factories
