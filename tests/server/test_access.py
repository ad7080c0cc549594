"""The access log: formats of both dialects, escaping, JSON lines, and how a server gets one."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioweb.protocol.events import HttpVersion10, HttpVersion11
from aioweb.server.access import (
    AbstractAccessLogger,
    AbstractAsyncAccessLogger,
    AccessLogger,
    AccessLogObserver,
    AsyncAccessLogObserver,
    JSONAccessLogger,
    LineAccessLogger,
    access_observer,
    clf_time,
    compile_format,
    escape,
    iso_time,
)
from aioweb.server.observe import Observers

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)"
EVIL = 'a"b\\c\r\nd\x00\x1b[31mä\udcff'
EVIL_ESCAPED = r"a\"b\\c\x0d\x0ad\x00\x1b[31m\xc3\xa4\xff"
# Any str, with as many lone surrogates and controls as letters.
ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs"]) | st.characters(max_codepoint=0x7F), max_size=40)


class Request:
    def __init__(self, **changes: Any) -> None:
        self.remote: str | None = "203.0.113.7"
        self.method = "GET"
        self.raw_path = "/messages?page=2"
        self.version = HttpVersion11
        self.headers = CIMultiDict({"Referer": "http://example.org/", "User-Agent": AGENT})
        vars(self).update(changes)


class Response:
    def __init__(self, **changes: Any) -> None:
        self.status = 200
        self.body_length = 1234
        self.headers = CIMultiDict({"ETag": '"1"'})
        vars(self).update(changes)


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    """A logger that lets INFO pass, to caplog."""
    logger = logging.getLogger("tests.access")
    logger.setLevel(logging.INFO)
    yield logger
    logger.filters, logger.disabled = [], False


def line(log_format: str, request: Any = None, response: Any = None, seconds: float = 1.5004) -> str:
    logger = AccessLogger(logging.Logger("unused"), log_format)
    return logger.format_line(request or Request(), response or Response(), seconds)


def refusal(log_format: str, peername: Any = ("203.0.113.7", 4711)) -> str:
    return AccessLogger(logging.Logger("unused"), log_format).format_refusal(400, "bad", peername)


# Formats

ATOMS = [  # today's aiohttp, gunicorn, the fact
    ("%a", "%(h)s", "203.0.113.7"),
    ("%P", "%(p)s", f"<{os.getpid()}>"),
    ("%r", "%(r)s", "GET /messages?page=2 HTTP/1.1"),
    ("%s", "%(s)s", "200"),
    ("%b", "%(b)s", "1234"),
    ("%T", "%(T)s", "2"),
    ("%Tf", "%(L)s", "1.500400"),
    ("%D", "%(D)s", "1500400"),
    ("%{Referer}i", "%({Referer}i)s", "http://example.org/"),
    ("%{user-agent}i", "%({user-agent}i)s", AGENT),
    ("%{X-None}i", "%({X-None}i)s", "-"),
    ("%{etag}o", "%({etag}o)s", r"\"1\""),
    ("%{X-None}o", "%({X-None}o)s", "-"),
    ("%{AIOWEB_TEST}e", "%({AIOWEB_TEST}e)s", r"a\x0ab"),
    ("%{AIOWEB_NONE}e", "%({AIOWEB_NONE}e)s", "-"),
    ("%s%s", "%(s)s%(s)s", "200200"),
    ("100%% of %b", "100%% of %(b)s", "100% of 1234"),
    ("%%a %%{X}i %%%s", "%%a %%{X}i %%%(s)s", "%a %{X}i %200"),
    ("%s %%(s)s", "%(s)s %%(s)s", "200 %(s)s"),
]
ONLY_GUNICORN = (
    {"%(l)s": "-", "%(u)s": "-", "%(m)s": "GET", "%(U)s": "/messages", "%(q)s": "page=2", "%(H)s": "HTTP/1.1"}
    | {"%(B)s": "1234", "%(f)s": "http://example.org/", "%(a)s": AGENT, "%(M)s": "1500"}
    | {"%%(s)s %(s)s": "%(s)s 200"}
)


@pytest.mark.parametrize(("apache", "gunicorn", "fact"), [*ATOMS, *((a, a, fact) for a, fact in ONLY_GUNICORN.items())])
def test_each_atom_of_both_dialects_shows_its_fact(apache, gunicorn, fact, monkeypatch):
    monkeypatch.setenv("AIOWEB_TEST", "a\nb")
    monkeypatch.delenv("AIOWEB_NONE", raising=False)
    assert line(apache) == line(gunicorn) == fact


@pytest.mark.parametrize("log_format", ["%t", "%(t)s"])
def test_the_time_is_that_of_the_start(log_format):
    before = int(time.time() - 3600)
    shown = line(log_format, seconds=3600.0)
    assert shown in [clf_time(second) for second in range(before, int(time.time() - 3600) + 1)]


@pytest.mark.parametrize(
    ("log_format", "unknown"),
    [
        *[("%a %X", "%X"), ("%O", "%O"), ("100%", "%"), ("% a", "% "), ("%{A}x", "%{A}x"), ("%{}i", "%{")],
        *[("%s\n%\n", "%\n"), ("%{A", "%{"), ("%h", "%h")],
        *[("%(s)s %(Z)s", "%(Z)s"), ("%(s)s %s", "%s"), ("%(T)d", "%(T)d"), ("%(s", "%(s"), ("%({A}x)s", "%({A}x)s")],
        *[("%(s)s%", "%"), ("%({}i)s", "%({}i)s"), ("%()s", "%()s"), ("%(s)", "%(s)")],
    ],
)
def test_an_unknown_atom_is_named_when_the_logger_is_made(log_format, unknown):
    with pytest.raises(ValueError) as caught:
        AccessLogger(logging.Logger("unused"), log_format)
    assert str(caught.value).startswith(f"unknown atom {unknown!r} in the access log format {log_format!r}; known: ")


@pytest.mark.parametrize(("log_format", "example"), [("%X", "%Tf"), ("%(X)s", "%({Name}i)s")])
def test_the_message_names_what_is_known_in_the_dialect_of_the_format(log_format, example):
    with pytest.raises(ValueError) as caught:
        compile_format(log_format)
    assert example in str(caught.value).split()


def test_the_default_is_the_combined_format():
    shown = AccessLogger(logging.Logger("unused")).format_line(Request(), Response(), 0.0)
    head, _, tail = shown.partition(" [")
    assert head == "203.0.113.7"
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", tail.partition("]")[0])
    assert tail.partition("] ")[2] == f'"GET /messages?page=2 HTTP/1.1" 200 1234 "http://example.org/" "{AGENT}"'


def test_gunicorns_default_is_the_same_line_with_two_dashes_more():
    shown = line('%(h)s %(l)s %(u)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"')
    assert shown == line('%a - - "%r" %s %b "%{Referer}i" "%{User-Agent}i"')


def test_an_http_1_0_request_without_query_remote_and_fields_has_dashes():
    bare = Request(remote=None, version=HttpVersion10, raw_path="/", headers=CIMultiDict())
    assert line('%a "%r" "%{Referer}i" "%{User-Agent}i"', bare) == '- "GET / HTTP/1.0" "-" "-"'
    assert line('%(h)s %(U)s %(q)s %(H)s "%(f)s" "%(a)s"', bare) == '- / - HTTP/1.0 "-" "-"'
    assert line("%a", Request(remote="")) == "-"


def test_an_empty_content_has_the_length_zero():
    assert line("%b", response=Response(body_length=0)) == "0"


# Text and time


@pytest.mark.parametrize(
    "log_format",
    ["%a", "%{Referer}i", "%{User-Agent}i", "%r", "%(h)s", "%(m)s", "%(U)s", "%(q)s", "%(a)s", "%({X-Evil}i)s"],
)
def test_whatever_the_client_has_written_is_escaped(log_format):
    headers = {"Referer": EVIL, "User-Agent": EVIL, "X-Evil": EVIL}
    path = EVIL if log_format == "%(U)s" else f"/?{EVIL}"
    shown = line(log_format, Request(remote=EVIL, method=EVIL, raw_path=path, headers=headers))
    assert shown == (f"{EVIL_ESCAPED} /?{EVIL_ESCAPED} HTTP/1.1" if log_format == "%r" else EVIL_ESCAPED)


def test_a_response_field_is_escaped_because_handlers_repeat_what_clients_say():
    assert line("%{Location}o", response=Response(headers={"Location": EVIL})) == EVIL_ESCAPED


def test_percent_signs_of_a_client_are_not_atoms(logger, caplog):
    AccessLogger(logger, "%r").log(Request(raw_path="/%s%(r)s%d%0d%0a"), Response(), 0.0)
    assert caplog.messages == ["GET /%s%(r)s%d%0d%0a HTTP/1.1"]


@given(ANY_TEXT)
@example("\ud800\udc80")  # no octets of any client
def test_escaped_text_is_printable_ascii_without_a_bare_quote(text):
    escaped = escape(text)
    assert re.fullmatch(r'(?:[ !#-\[\]-~]|\\["\\]|\\x[0-9a-f]{2})*', escaped)


@given(st.binary(max_size=40))
def test_the_octets_of_a_client_come_back_from_the_log(octets):
    shown = escape(octets.decode("utf-8", "surrogateescape"))
    assert shown.encode().decode("unicode_escape").encode("latin-1") == octets


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("PST8PDT,M4.1.0,M10.5.0", "[10/Oct/2000:13:55:36 -0700]"),  # in summer; -0800 in winter
        ("UTC", "[10/Oct/2000:20:55:36 +0000]"),
        ("<+0545>-5:45", "[11/Oct/2000:02:40:36 +0545]"),
        ("<-0330>3:30", "[10/Oct/2000:17:25:36 -0330]"),
    ],
)
def test_the_time_of_the_common_log_format_is_local_with_its_offset(zone, expected, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    clf_time.cache_clear()
    try:
        assert clf_time(971211336) == expected
    finally:
        monkeypatch.undo()
        time.tzset()
        clf_time.cache_clear()


def test_the_time_of_the_json_lines_is_utc():
    assert iso_time(971211336) == "2000-10-10T20:55:36"


def test_the_caches_of_seconds_are_bounded():
    for second in range(1000):
        clf_time(second), iso_time(second)
    assert clf_time.cache_info().currsize <= 16
    assert iso_time.cache_info().currsize <= 16


# Loggers


@pytest.mark.parametrize("logger_class", [AccessLogger, JSONAccessLogger])
def test_a_line_is_the_whole_message_of_a_record_of_level_info(logger_class, logger, caplog):
    access = logger_class(logger)
    access.log(Request(), Response(), 0.5)
    [record] = caplog.records
    assert (record.name, record.levelno, record.args) == ("tests.access", logging.INFO, ())
    assert "/messages?page=2" in record.msg
    assert logging.Formatter("%(levelname)s %(filename)s %(funcName)s").format(record) == "INFO access.py log"


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
    observer.response_sent(Request(), Response(), 0.5)
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
        {"remote": "203.0.113.7", "method": "GET", "path": "/messages?page=2", "version": "1.1", "status": 200}
        | {"bytes": 1234, "seconds": 3600.25, "referer": "http://example.org/", "user_agent": AGENT}
        | {"x_request_id": "7", "x_none": None}
    )


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
    for notify in observers.response_sent:
        notify(Request(), Response(), 0.5)
    for notify in observers.request_refused:
        notify(400, "bad", None)
    assert caplog.messages == ["203.0.113.7 200 0.5"]


def test_the_observer_of_the_access_log_hears_two_events_only(logger):
    observers = Observers([access_observer(AccessLogger, logger)])
    assert (len(observers.response_sent), len(observers.request_refused), observers.timed) == (1, 1, True)
    assert not observers.request_started
    assert not observers.response_started


def test_the_observer_logs_responses_and_refusals_with_the_format_that_was_given(logger, caplog):
    observer = access_observer(AccessLogger, logger, '%(h)s "%(r)s" %(s)s')
    assert type(observer) is AccessLogObserver
    observer.response_sent(Request(), Response(), 0.5)
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
    access_observer(partial(JSONAccessLogger, headers=["Host"]), logger).response_sent(Request(), Response(), 0.5)
    assert json.loads(caplog.messages[0])["host"] is None


def test_the_default_logger_is_that_of_aioweb(caplog):
    with caplog.at_level(logging.INFO, "aioweb.access"):
        access_observer().response_sent(Request(), Response(), 0.5)
    assert [(record.name, record.levelname) for record in caplog.records] == [("aioweb.access", "INFO")]


async def test_a_coroutine_log_is_run_by_a_task_that_is_held_until_it_is_done(logger, caplog):
    observer = access_observer(Slow, logger)
    assert type(observer) is AsyncAccessLogObserver
    observer.response_sent(Request(), Response(), 0.5)
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
    observer.response_sent(Request(), Response(status=500), 0.5)
    await asyncio.wait(observer.tasks)
    [record] = caplog.records
    assert (record.name, record.getMessage()) == ("aioweb.server", "Access logger Slow has failed")
    assert isinstance(record.exc_info[1], ConnectionError)
    assert observer.tasks == set()


async def test_a_line_that_is_cancelled_at_the_stop_is_no_error(logger, caplog):
    observer = access_observer(Slow, logger)
    observer.response_sent(Request(), Response(), 0.5)
    [task] = observer.tasks
    task.cancel()
    await asyncio.wait([task])
    assert (observer.tasks, caplog.records) == (set(), [])
