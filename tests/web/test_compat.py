"""The names of 0.17 that no acceptance row shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.limits import Limits
from aioweb.web.compat import HttpProcessingError, split_options
from tests.web.fakes import FakeRequest


def test_start_acts_at_once_and_returns_the_writer() -> None:
    response = web.StreamResponse()
    request = FakeRequest()
    assert not response.started
    assert response.start(request) is request.writer
    assert response.started
    assert request.status_line == "HTTP/1.1 200 OK"


def test_start_runs_hooks_that_need_not_wait_and_refuses_those_that_do() -> None:
    async def quick(request: Any, response: Any) -> None:
        response.headers["X-Quick"] = "1"

    async def slow(request: Any, response: Any) -> None:
        await asyncio.sleep(0)

    request = FakeRequest(hooks=[quick])
    web.StreamResponse().start(request)
    assert ("X-Quick", "1") in request.fields
    request = FakeRequest(hooks=[slow])
    with pytest.raises(RuntimeError, match=r"await response\.prepare"):
        web.StreamResponse().start(request)
    assert request.wire == b""


def test_options_are_sorted_into_limits_and_the_rest() -> None:
    limits, rest = split_options(Limits(line=1), {"keep_alive": 5, "max_line_size": 9, "host": "a", "debug": True})
    assert limits == Limits(line=9, keepalive_timeout=5)
    assert rest == {"debug": True}


@pytest.mark.parametrize("nothing", [0, None])
def test_no_time_is_no_deadline_but_no_size_is_a_size(nothing: Any) -> None:
    limits, _ = split_options(Limits(), {"keep_alive": nothing, "timeout": nothing, "lingering_time": nothing})
    assert (limits.keepalive_timeout, limits.head_timeout, limits.lingering_time) == (None, None, None)
    assert split_options(Limits(), {"client_max_size": 0})[0].client_max_size == 0


def test_log_is_a_name_of_logger_that_yields_to_it() -> None:
    assert split_options(Limits(), {"log": 1})[1] == {"logger": 1}
    assert split_options(Limits(), {"log": 1, "logger": 2})[1] == {"logger": 2}
    assert split_options(Limits(), {"logger": 2, "log": 1})[1] == {"logger": 2}


def test_a_processing_error_has_what_0_17_gave_it() -> None:
    error = HttpProcessingError(code=418, message="tea", headers={"A": "b"})
    assert (error.code, error.message, error.headers, str(error)) == (418, "tea", {"A": "b"}, "tea")
    assert (HttpProcessingError().code, HttpProcessingError().headers) == (500, None)
    assert (web.HttpBadRequest("x").code, web.HttpMethodNotAllowed().code) == (400, 405)


async def test_finish_cleans_up() -> None:
    order: list[str] = []
    app = web.Application()
    app.on_cleanup.append(lambda app: order.append("on_cleanup"))
    app.register_on_finish(lambda app: order.append("finish callback"))
    await app.finish()
    assert order == ["on_cleanup", "finish callback"]
