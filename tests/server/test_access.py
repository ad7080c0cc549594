"""The access log: formats of both dialects, escaping, JSON lines, and how a server gets one."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given

from aioweb.server.access import (
    AbstractAccessLogger,
    AbstractAsyncAccessLogger,
    AccessLogger,
    AccessLogObserver,
    AsyncAccessLogObserver,
    JSONAccessLogger,
    LineAccessLogger,
    access_observer,
)
from aioweb.server.accessformat import iso_time
from aioweb.server.observe import Observers
from tests.server.access_exchange import AGENT, ANY_TEXT, Request, Response, refusal


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    """A logger that lets INFO pass, to caplog."""
    logger = logging.getLogger("tests.access")
    logger.setLevel(logging.INFO)
    yield logger
    logger.filters, logger.disabled = [], False


# Loggers


@pytest.mark.parametrize("logger_class", [AccessLogger, JSONAccessLogger])
def test_a_line_is_the_whole_message_of_a_record_of_level_info(logger_class, logger, caplog):
    access = logger_class(logger)
    access.log(Request(), Response(), 0.5)
    [record] = caplog.records
    assert (record.name, record.levelno, record.args) == ("tests.access", logging.INFO, ())
    assert "/messages?page=2" in record.msg
    assert logging.Formatter("%(levelname)s %(filename)s %(funcName)s").format(record) == "INFO accesslines.py write"


def test_a_logger_that_is_silenced_while_serving_gets_no_lines(logger, caplog):
    access = AccessLogger(logger, "%s")
    access.log(Request(), Response(status=200), 0.5)
    logger.setLevel(logging.WARNING)
    access.log(Request(), Response(status=201), 0.5)
    logger.setLevel(logging.INFO)
    access.log(Request(), Response(status=202), 0.5)
    logger.disabled = True
    access.log(Request(), Response(status=203), 0.5)
    assert caplog.messages == ["200", "202"]


def test_filters_and_record_factories_of_the_application_are_asked(logger, caplog):
    before = logging.getLogRecordFactory()

    class Marked(logging.LogRecord):
        marked = True

    logging.setLogRecordFactory(Marked)
    try:
        logger.addFilter(lambda record: "/health" not in record.getMessage())
        access = AccessLogger(logger, "%r")
        access.log(Request(raw_path="/health"), Response(), 0.5)
        access.log(Request(), Response(), 0.5)
    finally:
        logging.setLogRecordFactory(before)
    assert caplog.messages == ["GET /messages?page=2 HTTP/1.1"]
    assert caplog.records[0].marked is True


def test_a_logger_with_its_own_info_is_asked_by_it():
    class Shouting(logging.Logger):
        said: list[str] = []

        def info(self, msg: object, *args: object, **kwargs: Any) -> None:
            self.said.append(str(msg).upper())

    AccessLogger(Shouting("x"), "%r").log(Request(), Response(), 0.5)
    assert Shouting.said == ["GET /MESSAGES?PAGE=2 HTTP/1.1"]


@pytest.mark.parametrize("logger_class", [AccessLogger, JSONAccessLogger])
def test_a_logger_above_info_is_not_enabled(logger_class, logger):
    assert logger_class(logger).enabled is True
    logger.setLevel(logging.WARNING)
    assert logger_class(logger).enabled is False


def test_a_refused_request_has_a_dash_for_its_request_line():
    assert refusal('%a "%r" %s %b %D "%{Referer}i"') == '203.0.113.7 "-" 400 0 0 "-"'
    assert refusal('%(h)s "%(r)s" %(m)s %(U)s %(q)s %(H)s %(s)s "%({ETag}o)s"') == '203.0.113.7 "-" - - - - 400 "-"'
    assert refusal(AccessLogger.LOG_FORMAT).endswith('] "-" 400 0 "-" "-"')


@pytest.mark.parametrize(
    ("peername", "remote"),
    [(("::1", 80, 0, 0), "::1"), ("/run/x.sock", "/run/x.sock"), ("", "-"), (None, "-")],
)
def test_the_remote_of_a_refused_request_comes_from_the_peername(peername, remote):
    assert refusal("%a", peername) == remote


def test_a_subclass_may_have_lines_of_its_own(logger, caplog):
    class Short(LineAccessLogger):
        def format_line(self, request: Any, response: Any, time: float) -> str:
            return f"{request.method} {response.status} {self.log_format}"

        def format_refusal(self, status: int, reason: str, peername: Any) -> str:
            return f"{status} {reason}"

    observer = access_observer(Short, logger, "f")
    observer.request_ended(Request(), Response(), 0.5)
    observer.request_refused(400, "bad", None)
    assert caplog.messages == ["GET 200 f", "400 bad"]


# JSON


def test_a_json_line_has_the_facts_of_the_exchange():
    access = JSONAccessLogger(logging.Logger("unused"), headers=["X-Request-Id", "X-None"])
    request = Request()
    request.headers["x-request-id"] = "7"
    before = int(time.time() - 3600.25)
    fact = json.loads(access.format_line(request, Response(), 3600.25))
    moment = fact.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert iso_time(before) <= moment < iso_time(before + 60)
    assert fact == (
        {"remote": "203.0.113.7", "method": "GET", "path": "/messages?page=2", "route": "messages"}
        | {"version": "1.1", "status": 200}
        | {"bytes": 1234, "seconds": 3600.25, "referer": "http://example.org/", "user_agent": AGENT}
        | {"x_request_id": "7", "x_none": None}
    )


def test_a_json_line_has_fields_of_the_response_if_they_are_asked_for():
    access = JSONAccessLogger(logging.Logger("unused"), headers=["X-None"], response_headers=["ETag", "X-Missing"])
    fact = json.loads(access.format_line(Request(), Response(), 0.0))
    assert list(fact)[-3:] == ["x_none", "etag", "x_missing"]
    assert (fact["etag"], fact["x_missing"]) == ('"1"', None)
    refused = json.loads(access.format_refusal(431, "long", None))
    assert list(refused) == [*fact, "reason"]
    with pytest.raises(ValueError, match="'etag'"):
        JSONAccessLogger(logging.Logger("unused"), headers=["etag"], response_headers=["ETag"])


def test_what_is_missing_is_null_in_json():
    access = JSONAccessLogger(logging.Logger("unused"))
    fact = json.loads(access.format_line(Request(remote=None, headers={}), Response(), 0.0))
    assert (fact["remote"], fact["referer"], fact["user_agent"]) == (None, None, None)


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_survives_a_json_line_and_leaves_it_one_line(path, agent):
    access = JSONAccessLogger(logging.Logger("unused"))
    shown = access.format_line(Request(raw_path=path, headers={"User-Agent": agent}), Response(), 0.0)
    assert shown.isascii()
    assert shown.isprintable()
    # Two surrogates side by side are one character in JSON.
    utf16 = json.loads(shown)["path"].encode("utf-16", "surrogatepass")
    assert utf16 == path.encode("utf-16", "surrogatepass")
    assert (json.loads(shown)["user_agent"] is None) is (agent == "")


def test_a_refused_request_is_a_json_line_with_the_same_keys_and_the_reason():
    access = JSONAccessLogger(logging.Logger("unused"), headers=["X-Request-Id"])
    refused = json.loads(access.format_refusal(431, 'too "long"', ("203.0.113.7", 4711)))
    served = json.loads(access.format_line(Request(), Response(), 0.0))
    assert list(refused) == [*served, "reason"]
    refused.pop("time")
    facts = {"remote": "203.0.113.7", "status": 431, "bytes": 0, "seconds": 0.0, "reason": 'too "long"'}
    assert {key: value for key, value in refused.items() if value is not None} == facts


@pytest.mark.parametrize("names", [["Referer"], ["X-A", "x-a"], ["Reason"]])
def test_two_fields_with_one_key_are_refused(names):
    with pytest.raises(ValueError) as caught:
        JSONAccessLogger(logging.Logger("unused"), headers=names)
    assert repr(names[-1]) in str(caught.value)


# Exchanges that ended too early


class Cut:
    """The writer of a response that did not come to its end."""

    def __init__(self, status: int, body_size: int, *, cut: bool = False) -> None:
        self.status = status
        self.body_size = body_size
        self.cut = cut


def test_an_aborted_exchange_has_a_line_with_what_was_sent(logger, caplog):
    observer = access_observer(AccessLogger, logger, '"%r" %s %b "%{ETag}o"')
    observer.request_ended(Request(writer=Cut(206, 100)), None, 0.5)
    observer.request_ended(Request(writer=Cut(0, 0)), None, 0.5)
    observer.request_ended(Request(writer=Cut(0, 0, cut=True)), None, 0.5)
    observer.request_ended(Request(writer=Cut(200, 7, cut=True)), None, 0.5)
    shown = [message.partition("HTTP/1.1")[2] for message in caplog.messages]
    assert shown == ['" 206 100 "-"', '" 499 0 "-"', '" 444 0 "-"', '" 200 7 "-"']


def test_an_aborted_exchange_is_a_json_line_that_says_so(logger, caplog):
    observer = access_observer(JSONAccessLogger, logger)
    observer.request_ended(Request(writer=Cut(200, 10)), None, 0.5)
    observer.request_ended(Request(), Response(), 0.5)
    aborted, whole = map(json.loads, caplog.messages)
    assert list(aborted) == [*whole, "aborted"]
    assert (aborted["status"], aborted["bytes"], aborted["aborted"]) == (200, 10, True)


async def test_a_class_of_ones_own_logs_aborted_exchanges_like_all_others(logger, caplog):
    access_observer(Own, logger).request_ended(Request(writer=Cut(0, 0)), None, 0.5)
    observer = access_observer(Slow, logger)
    observer.access_logger.collector.set()
    observer.request_ended(Request(writer=Cut(101, 7)), None, 0.5)
    await asyncio.wait(observer.tasks)
    assert caplog.messages == ["203.0.113.7 499 0.5", "101 0.5"]


async def test_a_coroutine_log_may_have_a_plain_function_for_aborted_exchanges(logger, caplog):
    class Mixed(Slow):
        def log_aborted(self, request: Any, response: Any, time: float) -> None:
            self.logger.info("aborted")

    observer = access_observer(Mixed, logger)
    observer.request_ended(Request(writer=Cut(0, 0)), None, 0.5)
    assert (caplog.messages, observer.tasks) == (["aborted"], set())


# The seam


class Own(AbstractAccessLogger):
    """As somebody who comes from aiohttp writes one."""

    def log(self, request: Any, response: Any, time: float) -> None:
        self.logger.info(f"{request.remote} {response.status} {time}")


class Slow(AbstractAsyncAccessLogger):
    """Waits for the collector."""

    def __init__(self, logger: logging.Logger, log_format: str) -> None:
        super().__init__(logger, log_format)
        self.collector = asyncio.Event()

    async def log(self, request: Any, response: Any, time: float) -> None:
        await self.collector.wait()
        if response.status == 500:
            raise ConnectionError("the collector is away")
        self.logger.info(f"{response.status} {time}")


def test_a_logger_class_of_ones_own_logs_one_line_for_each_response(logger, caplog):
    observers = Observers([access_observer(Own, logger)])
    for notify in observers.request_ended:
        notify(Request(), Response(), 0.5)
    for notify in observers.request_refused:
        notify(400, "bad", None)
    assert caplog.messages == ["203.0.113.7 200 0.5"]


def test_the_observer_of_the_access_log_hears_two_events_only(logger):
    observers = Observers([access_observer(AccessLogger, logger)])
    assert (len(observers.request_ended), len(observers.request_refused), observers.timed) == (1, 1, True)
    assert not observers.request_started
    assert not observers.response_started


def test_the_observer_logs_responses_and_refusals_with_the_format_that_was_given(logger, caplog):
    observer = access_observer(AccessLogger, logger, '%(h)s "%(r)s" %(s)s')
    assert type(observer) is AccessLogObserver
    observer.request_ended(Request(), Response(), 0.5)
    observer.request_refused(408, "too slow", ("203.0.113.7", 4711))
    assert caplog.messages == ['203.0.113.7 "GET /messages?page=2 HTTP/1.1" 200', '203.0.113.7 "-" 408']


def test_without_a_logger_there_is_no_observer():
    assert access_observer(AccessLogger, None) is None


def test_with_a_logger_that_nobody_reads_there_is_no_observer(logger):
    logger.setLevel(logging.WARNING)
    assert access_observer(AccessLogger, logger) is None
    assert access_observer(JSONAccessLogger, logger) is None
    assert access_observer(Own, logger) is not None


def test_a_wrong_format_raises_before_the_start(logger):
    with pytest.raises(ValueError, match="unknown atom '%Q'"):
        access_observer(AccessLogger, logger, "%Q")


def test_a_class_that_makes_no_access_logger_is_refused_with_what_it_made(logger):
    with pytest.raises(TypeError, match=r"access_log_class must make an AbstractAccessLogger, .* made \{\}"):
        access_observer(lambda logger, log_format: {}, logger)  # type: ignore[arg-type,return-value]


def test_a_partial_of_a_class_is_as_good_as_a_class(logger, caplog):
    access_observer(partial(JSONAccessLogger, headers=["Host"]), logger).request_ended(Request(), Response(), 0.5)
    assert json.loads(caplog.messages[0])["host"] is None


def test_the_default_logger_is_that_of_aioweb(caplog):
    with caplog.at_level(logging.INFO, "aioweb.access"):
        access_observer().request_ended(Request(), Response(), 0.5)
    assert [(record.name, record.levelname) for record in caplog.records] == [("aioweb.access", "INFO")]


async def test_a_coroutine_log_is_run_by_a_task_that_is_held_until_it_is_done(logger, caplog):
    observer = access_observer(Slow, logger)
    assert type(observer) is AsyncAccessLogObserver
    observer.request_ended(Request(), Response(), 0.5)
    [task] = observer.tasks
    await asyncio.sleep(0)
    gc.collect()
    assert caplog.messages == []
    observer.access_logger.collector.set()
    await task
    assert caplog.messages == ["200 0.5"]
    assert observer.tasks == set()


async def test_a_coroutine_log_that_raises_is_logged_once(logger, caplog):
    observer = access_observer(Slow, logger)
    observer.access_logger.collector.set()
    observer.request_ended(Request(), Response(status=500), 0.5)
    await asyncio.wait(observer.tasks)
    [record] = caplog.records
    assert (record.name, record.getMessage()) == ("aioweb.server", "Access logger Slow has failed")
    assert isinstance(record.exc_info[1], ConnectionError)
    assert observer.tasks == set()


async def test_a_line_that_is_cancelled_at_the_stop_is_no_error(logger, caplog):
    observer = access_observer(Slow, logger)
    observer.request_ended(Request(), Response(), 0.5)
    [task] = observer.tasks
    task.cancel()
    await asyncio.wait([task])
    assert (observer.tasks, caplog.records) == (set(), [])
