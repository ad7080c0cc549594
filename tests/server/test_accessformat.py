"""The format of access logs: both dialects, escaping, and time."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aioweb.protocol.events import HttpVersion10
from aioweb.server.access import AccessLogger
from aioweb.server.accessformat import LineFormat, clf_time, escape, iso_time
from tests.server.access_exchange import AGENT, ANY_TEXT, EVIL, EVIL_ESCAPED, Request, Response, line


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    """A logger that lets INFO pass, to caplog."""
    logger = logging.getLogger("tests.access")
    logger.setLevel(logging.INFO)
    yield logger
    logger.filters, logger.disabled = [], False


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
        LineFormat(log_format)
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
