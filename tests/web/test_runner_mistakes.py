"""What runners and run_app are told by mistake: each raises before anything listens, and says what is expected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioweb import web


@pytest.mark.parametrize("seconds", [-1, None, "60", float("nan"), float("inf")])
def test_a_time_for_the_stop_that_is_none(seconds: Any) -> None:
    with pytest.raises(ValueError, match="shutdown_timeout is a number of seconds, 0 or more, not"):
        web.AppRunner(web.Application(), shutdown_timeout=seconds)


def test_an_application_where_a_server_is_wanted() -> None:
    with pytest.raises(TypeError, match=r"ServerRunner takes a web.Server, not .*; an Application has AppRunner"):
        web.ServerRunner(web.Application())  # type: ignore[arg-type]


def test_a_coroutine_function_that_was_not_called() -> None:
    async def create() -> web.Application:
        return web.Application()

    with pytest.raises(TypeError, match=r"takes an Application, not .*create.*: call it"):
        web.run_app(create)  # type: ignore[arg-type]


async def test_limits_that_are_none() -> None:
    runner = web.AppRunner(web.Application(), limits={"line": 100})
    with pytest.raises(TypeError, match=r"limits must be a Limits, not \{'line': 100\}"):
        await runner.setup()
    await runner.cleanup()


async def test_tls_that_is_none() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    with pytest.raises(TypeError, match=r"ssl_context is an ssl.SSLContext or None, not 'cert.pem'"):
        web.TCPSite(runner, ssl_context="cert.pem")  # type: ignore[arg-type]
    await runner.cleanup()


@pytest.mark.parametrize("nowhere", [{"host": []}, {"path": []}, {"sock": []}, {"path": [], "sock": []}])
def test_empty_lists_open_no_port(nowhere: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="there is nowhere to listen: host="):
        web.run_app(web.Application(), **nowhere)


async def test_run_app_in_a_loop_that_runs() -> None:
    with pytest.raises(RuntimeError, match=r"run_app blocks, and a loop runs here already: use web\.AppRunner"):
        web.run_app(web.Application(), loop=asyncio.new_event_loop)
