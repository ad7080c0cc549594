"""Request heads: what is read, what is refused and with which words, and that all ways through a head agree.

Every test here runs in both tongues, Python and C.
"""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aioweb.protocol import head as head_module
from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import BadField, BadRequestLine, FieldsTooLarge, ProtocolError, UriTooLong
from aioweb.protocol.events import HttpVersion10, HttpVersion11, RequestHead
from aioweb.protocol.head import LineScan, check_lines
from aioweb.protocol.limits import Limits
from tests.data.hostile import HOSTILE
from tests.data.unusual import UNUSUAL
from tests.protocol.counting import CountingBuffer, CountingPattern
from tests.protocol.strategies import limits, mutants, soups
from tests.protocol.wire import observe

pytestmark = pytest.mark.usefixtures("tongue")

LIMITS = Limits()
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def parse(
    octets: bytes, bounds: Limits = LIMITS, previous: RequestHead | None = None
) -> tuple[RequestHead, int] | None:
    buffer = bytearray(octets)
    try:
        return head_module.parse_request_head(buffer, bounds, previous)
    finally:
        assert buffer == octets, "the buffer is left as it is"


def facts(result: tuple[RequestHead, int] | None) -> tuple[object, ...] | None:
    """Everything that a head says, in a form that compares."""
    if result is None:
        return None
    head, size = result
    fields = head.fields
    return (
        *(
            head.method,
            head.target,
            head.path,
            head.query,
            head.authority,
            head.version,
            head.has_body,
            head.keep_alive,
        ),
        *(fields.raw, fields.host, fields.content_length, fields.chunked, fields.options, fields.expect, size),
    )


def result_of(octets: bytes, bounds: Limits, previous: RequestHead | None = None) -> object:
    """The facts of a head, None, or the error with its class, status and words."""
    try:
        return facts(parse(octets, bounds, previous))
    except ProtocolError as error:
        return type(error), error.status, str(error)


# -- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", UNUSUAL, ids=str)
def test_an_unusual_request_is_read_however_it_is_cut(case):
    outcome = observe(case.octets)
    assert outcome.refusal is None
    (seen,) = outcome.requests
    assert (seen.method, seen.path, seen.query, seen.authority) == (case.method, case.path, case.query, case.authority)
    assert [(name.decode(), value.decode("utf-8", "surrogateescape")) for name, value in seen.pairs] == [*case.headers]
    assert (seen.content, seen.trailers or ()) == (case.content, case.trailers)
    assert seen.keep_alive == case.keep_alive
    assert outcome.ending == ("idle" if case.keep_alive and case.method != "CONNECT" else "closed")


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_a_hostile_request_is_refused_however_it_is_cut(case):
    outcome = observe(case.octets)
    assert outcome.status == case.status
    assert outcome.ending == "closed"
    if case.in_content:
        assert outcome.requests[0].trailers is None, "the message never ends"
    else:
        assert outcome.requests == [], "the application sees nothing"


def test_the_tables_are_large_enough_and_tell_their_cases_apart():
    assert len(HOSTILE) >= 60
    assert len(UNUSUAL) >= 40
    assert len({case.name for case in HOSTILE}) == len(HOSTILE)
    assert len({case.name for case in UNUSUAL}) == len(UNUSUAL)


def test_the_target_is_kept_as_sent():
    head, _ = parse(b"GET http://B/c?d HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (head.target, head.authority, head.fields.host) == ("http://B/c?d", "B", "a")


@pytest.mark.parametrize(
    ("line", "version"),
    [(b"HTTP/1.0", HttpVersion10), *[(b"HTTP/1.%d" % minor, HttpVersion11) for minor in range(1, 10)]],
)
def test_a_higher_minor_version_is_answered_as_1_1(line, version):
    head, _ = parse(b"GET / " + line + b"\r\nHost: a\r\n\r\n")
    assert head.version is version


@pytest.mark.parametrize("major", [0, 2, 3, 9])
def test_another_major_version_is_a_505_and_says_what_is_spoken(major):
    with pytest.raises(ProtocolError, match=f"HTTP/{major}.1 is not spoken here, HTTP/1.1 is") as caught:
        parse(b"GET / HTTP/%d.1\r\n" % major)
    assert caught.value.status == 505


@pytest.mark.parametrize(
    ("lines", "expect"),
    [
        (b"", None),
        (b"Expect: 100-Continue\r\n", "100-continue"),
        (b"Expect:\r\n", ""),
        (b"Expect: a\r\nEXPECT: b\r\n", "a, b"),
    ],
)
def test_expectations_are_read_in_lower_case(lines, expect):
    head, _ = parse(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
    assert head.fields.expect == expect


def test_connection_options_are_those_of_all_connection_fields():
    head, _ = parse(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, X\r\nX: Connection: no\r\nCONNECTION:y\r\n\r\n")
    assert head.fields.options == {"upgrade", "x", "y"}


@pytest.mark.parametrize("prefix", [b"", b"\r\n"], ids=["fast way", "slow way"])
def test_a_field_that_only_looks_like_a_deciding_one_decides_nothing(prefix):
    octets = b"GET /?\\r\\nContent-Length:5 HTTP/1.1\r\nHost: a\r\nX: Content-Length: 5\r\nX-Content-Length: 5\r\n\r\n"
    head, size = parse(prefix + octets)
    assert head.fields.content_length is None
    assert size == len(prefix + octets)


def test_what_stands_behind_a_head_is_not_looked_at():
    octets = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for behind in (b"\r\nHost: b\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n", b"\x00", b"\xff" * 9000):
        assert facts(parse(octets + behind)) == facts(parse(octets))
        assert facts(parse(b"\r\n" + octets + behind))[:-1] == facts(parse(octets))[:-1]


# -- the words of a refusal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"GET /\r\n", "the request line is not three words with single spaces between them"),
        (b"G\xc3\x89T / HTTP/1.1\r\n", "the request line is not ASCII"),
        (b"G@T / HTTP/1.1\r\n", "the method is not a token"),
        (b"GET / HTTP/11\r\n", "the third word of the request line is no HTTP version"),
        (b"CONNECT / HTTP/1.1\r\n", "the target of CONNECT is not host:port"),
        (b"GET a HTTP/1.1\r\n", "the request target has none of the forms of RFC 9112 section 3.2"),
        (b"GET /\x00", "octet 0x00 in the request line"),
        (b"\r\n\r\n\r\n\r\n\r\n", "more than 4 empty lines before the request line"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: \x00", "octet 0x00 in field line 2"),
        (b"GET / HTTP/1.1\r\nA\r\n", "a field line without a colon"),
        (b"GET / HTTP/1.1\r\nA : b\r\n", "white space before the colon of a field line"),
        (b"GET / HTTP/1.1\r\n b\r\n", "a line that begins with white space (obsolete line folding)"),
        (b"GET / HTTP/1.1\r\n: b\r\n", "a field name that is not a token"),
        (b"GET / HTTP/1.1\r\n\r\n", "no Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "more than one Host"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "Host is not host[:port]"),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "Content-Length is not one number of at most 18 digits"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: a b\r\n\r\n", "Transfer-Encoding is not a list of codings"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: a, b;c=d\r\n\r\n", "the only transfer coding is chunked"),
        (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in an HTTP/1.0 request"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", "CONNECT with content"),
    ],
)
def test_a_refusal_says_what_is_wrong(octets, words):
    assert observe(octets).refusal[2] == words


def test_a_refusal_names_no_octets_of_the_peer_pr_13136():
    secret = b"Authorization: Basic c2VjcmV0"
    for octets in (
        b"GET / HTTP/1.1\nX: y\r\n" + secret,
        b"GET / HTTP/1.1\r\nX: \n" + secret,
        b"GET / HTTP/1.1\r\n " + secret,
    ):
        assert "c2VjcmV0" not in str(observe(octets + b"\r\n").refusal)


# -- limits, at n and n + 1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [b"", b"\r\n"], ids=["fast way", "slow way"])
def test_a_request_line_is_bounded_414(prefix):
    bounds = Limits(line=30)
    assert observe(prefix + b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 16), bounds).refusal is None
    refusal = observe(prefix + b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 17), bounds).refusal
    assert refusal == ("UriTooLong", 414, "the request line is longer than 30 bytes")


def test_a_request_line_that_is_too_long_is_refused_before_it_ends():
    with pytest.raises(UriTooLong):
        parse(b"G" * 31, Limits(line=30))
    assert parse(b"G" * 30, Limits(line=30)) is None
    assert parse(b"G" * 30 + b"\r", Limits(line=30)) is None


def test_the_length_of_a_line_is_told_before_the_faults_of_the_fields_behind_it():
    octets = b"GET /%b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" % (b"a" * 30)
    assert observe(octets, Limits(line=30)).status == 414


def test_within_a_limit_octets_are_judged_and_beyond_it_the_length():
    bounds = Limits(line=30, field=30)
    assert observe(b"G" * 29 + b"\x00" * 9, bounds).status == 400
    assert observe(b"G" * 30 + b"\x00" * 9, bounds).status == 414
    assert observe(b"GET / HTTP/1.1\r\n" + b"X" * 29 + b"\x00" * 9, bounds).status == 400
    assert observe(b"GET / HTTP/1.1\r\n" + b"X" * 30 + b"\x00" * 9, bounds).status == 431


def test_a_field_line_is_bounded_431():
    bounds = Limits(field=30)
    assert observe(b"GET / HTTP/1.1\r\nHost: a\r\nX:%b\r\n\r\n" % (b"a" * 28), bounds).refusal is None
    refusal = observe(b"GET / HTTP/1.1\r\nHost: a\r\nX:%b\r\n\r\n" % (b"a" * 29), bounds).refusal
    assert refusal == ("FieldsTooLarge", 431, "field line 2 is longer than the 30 bytes that are left for it")


def test_a_field_line_that_is_too_long_is_refused_before_it_ends_cve_2026_54277():
    with pytest.raises(FieldsTooLarge):
        parse(b"GET / HTTP/1.1\r\nX:" + b"a" * 29, Limits(field=30))
    assert parse(b"GET / HTTP/1.1\r\nX:" + b"a" * 28 + b"\r", Limits(field=30)) is None


@pytest.mark.parametrize("prefix", [b"", b"\r\n"], ids=["fast way", "slow way"])
def test_the_number_of_fields_is_bounded_431(prefix):
    lines = prefix + b"GET / HTTP/1.1\r\nHost: a\r\n"
    assert observe(lines + b"X: y\r\n" * 3 + b"\r\n", Limits(fields=4)).refusal is None
    refusal = observe(lines + b"X: y\r\n" * 4 + b"\r\n", Limits(fields=4)).refusal
    assert refusal == ("FieldsTooLarge", 431, "more than 4 field lines")


@pytest.mark.parametrize("field", [30, 8190], ids=["beside a narrow field limit", "alone"])
@pytest.mark.parametrize("lines", [1, 2, 5])
def test_the_whole_section_is_bounded_with_its_crlfs_431(field, lines):
    section = b"Host: a\r\n" + b"X: y\r\n" * lines + b"\r\n"
    octets = b"GET / HTTP/1.1\r\n" + section
    assert observe(octets, Limits(field=field, head=len(section))).refusal is None
    for less in range(1, 6):
        assert observe(octets, Limits(field=field, head=len(section) - less)).status == 431


def test_a_head_without_fields_needs_no_room():
    assert observe(b"GET / HTTP/1.0\r\n\r\n", Limits(head=0, field=0, fields=0)).refusal is None
    assert observe(b"GET / HTTP/1.0\r\nX", Limits(head=0)).status == 431


@pytest.mark.parametrize("allowed", [0, 1, 4])
def test_empty_lines_before_a_request_are_bounded_400(allowed):
    bounds = Limits(empty_lines=allowed)
    assert observe(b"\r\n" * allowed + GET, bounds).refusal is None
    refusal = observe(b"\r\n" * (allowed + 1) + GET, bounds).refusal
    assert refusal == ("BadRequestLine", 400, f"more than {allowed} empty lines before the request line")


def test_a_length_is_bounded_before_it_is_converted_400():
    head, _ = parse(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n" % (b"9" * 18))
    assert head.fields.content_length == 10**18 - 1
    assert observe(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n" % (b"0" * 19)).status == 400


# -- every octet in every place --------------------------------------------------------------------------------------

ANYWHERE = range(256)
TCHARS = set(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("prefix", [b"", b"\r\n"], ids=["fast way", "slow way"])
@pytest.mark.parametrize(
    ("octets", "legal"),
    [
        (b"G%bT / HTTP/1.1\r\nHost: a\r\n\r\n", TCHARS),
        (b"GET /a%bb HTTP/1.1\r\nHost: a\r\n\r\n", set(range(0x21, 0x7F)) - set(b'"#<>')),
        (b"GET /?a%bb HTTP/1.1\r\nHost: a\r\n\r\n", set(range(0x21, 0x7F)) - set(b'"#<>')),
        (b"GET / HTTP/1.%b\r\nHost: a\r\n\r\n", set(b"0123456789")),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX%bY: b\r\n\r\n", TCHARS | {0x3A}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a%bb\r\n\r\n", {0x09, *range(0x20, 0x7F), *range(0x80, 0x100)}),
        (b"GET / HTTP/1.1\r\nHost: a%bb\r\n\r\n", {*TCHARS, *b"(),;="} - set(b"#%^`|")),
    ],
    ids=["method", "path", "query", "minor", "name", "value", "host"],
)
def test_each_of_256_octets_is_legal_or_not(prefix, octets, legal):
    def accepted(octet: int) -> bool:
        result = result_of(prefix + octets % bytes([octet]), LIMITS)
        return result is not None and result[1] != 400

    assert {octet for octet in ANYWHERE if accepted(octet)} == legal


# -- two ways, one reading -------------------------------------------------------------------------------------------


@given(octets=st.one_of(mutants, soups, st.binary(max_size=30)), bounds=limits)
def test_the_fast_way_and_the_slow_way_agree(octets, bounds):
    # An empty line in front leads the same head through the slow way.
    assume(not octets.startswith(b"\r\n") and octets != b"\r")
    fast = result_of(octets, bounds)
    slow = result_of(b"\r\n" + octets, bounds)
    if isinstance(fast, tuple) and len(fast) > 3:
        fast = (*fast[:-1], fast[-1] + 2)
    assert slow == fast


@given(first=mutants, octets=mutants, bounds=limits)
def test_the_section_of_the_request_before_changes_nothing(first, octets, bounds):
    try:
        parsed = parse(first, bounds)
    except ProtocolError:
        parsed = None
    assume(parsed is not None)
    previous = parsed[0]
    assert result_of(octets, bounds, previous) == result_of(octets, bounds)
    line, _, _ = octets.partition(b"\r\n")
    again = line + b"\r\n" + previous.fields.raw + b"GET"
    assert result_of(again, bounds, previous) == result_of(again, bounds)


@pytest.mark.parametrize(
    "section",
    [
        b"Host: a\r\nX: y\r\n\r\n",
        b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Host: a\r\nContent-Length: 5\r\n\r\n",
    ],
)
@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"HEAD /x?y HTTP/1.1", b"GET / HTTP/1.0", b"OPTIONS * HTTP/1.1"])
def test_a_repeated_section_is_the_same_object_and_the_same_head(line, section):
    previous = parse(b"GET / HTTP/1.1\r\n" + section)[0]
    octets = line + b"\r\n" + section
    assert result_of(octets, LIMITS, previous) == result_of(octets, LIMITS)
    if line.startswith(b"GET / HTTP/1.1"):
        assert parse(octets, LIMITS, previous)[0].fields is previous.fields


def test_a_section_that_only_begins_like_the_one_before_is_read_afresh():
    previous = parse(GET)[0]
    octets = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    head, _ = parse(octets, LIMITS, previous)
    assert head.fields is not previous.fields
    assert head.has_body


def test_an_http_1_1_request_that_repeats_a_section_without_host_is_refused():
    previous = parse(b"GET / HTTP/1.0\r\n\r\n")[0]
    with pytest.raises(BadField, match="no Host"):
        parse(b"GET / HTTP/1.1\r\n\r\n", LIMITS, previous)


# -- work is linear --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7], ids="{} octets at a time".format)
@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 100 + b"\r\n",
        b"GET / HTTP/1.1\r\nX:" + b"y" * 8000 + b"\r\n\r\n",
        b"GET /" + b"y" * 8000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["many lines", "one long field", "one long target"],
)
def test_no_octet_is_looked_at_more_than_a_few_times_however_a_head_arrives(monkeypatch, octets, size):
    pattern = CountingPattern(head_module.BAD_OCTET)
    monkeypatch.setattr(head_module, "BAD_OCTET", pattern)
    buffer, scan = CountingBuffer(), LineScan()
    for start in range(0, len(octets), size):
        buffer += octets[start : start + size]
        check_lines(buffer, scan, LIMITS, LIMITS.head)
        assert scan.checked >= len(buffer) - 2, "all but a last CR, and the CRLF of the last line, is behind us"
    assert scan.complete
    # Once, and a last CR that may be half of a CRLF once more.
    assert pattern.looked_at <= len(octets)
    assert buffer.looked_at <= 2 * len(octets)


def test_a_head_in_many_pieces_is_parsed_at_its_begin_and_at_its_end_only(monkeypatch):
    calls = []

    def counted(buffer, *rest):
        calls.append(len(buffer))
        return head_module.parse_request_head(buffer, *rest)

    monkeypatch.setattr("aioweb.protocol.connection.parse_request_head", counted)
    connection = Connection()
    for start in range(len(GET)):
        connection.receive_data(GET[start : start + 1])
        event = connection.next_event()
    assert isinstance(event, RequestHead)
    assert calls == [1, len(GET)]


@pytest.mark.parametrize("error", [BadRequestLine, BadField])
def test_a_scan_stops_at_the_first_error(error):
    octets = b"\x00\r\n" if error is BadRequestLine else b"GET / HTTP/1.1\r\n\x00"
    with pytest.raises(error):
        check_lines(bytearray(octets), LineScan(), LIMITS, LIMITS.head)


def test_a_head_that_repeats_the_one_before_is_that_head() -> None:
    previous = parse(GET)[0]
    assert parse(GET + b"GET /other", LIMITS, previous) == (previous, len(GET))
    assert parse(GET + b"GET /other", LIMITS, previous)[0] is previous


@pytest.mark.parametrize(
    "octets", [GET.replace(b" / ", b" /a "), GET.replace(b"Host: a", b"Host: b"), GET.replace(b"GET", b"PUT")]
)
def test_a_head_that_differs_in_one_octet_is_another(octets: bytes) -> None:
    previous = parse(GET)[0]
    assert result_of(octets, LIMITS, previous) == result_of(octets, LIMITS)
    assert result_of(octets, LIMITS, previous) != result_of(GET, LIMITS)
