"""The connection: one exchange at a time, in order, and one law: whatever arrives, events or a ProtocolError."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import BadRequestLine, IncompleteMessage, ProtocolError
from aioweb.protocol.events import NEED_DATA, PAUSED, Data, EndOfMessage, RequestHead
from aioweb.protocol.limits import Limits
from tests.data.hostile import HOSTILE
from tests.protocol.strategies import NARROW, cuts, limits, messages
from tests.protocol.wire import TAIL, Outcome, byte_by_byte, cut, deliver, observe

pytestmark = pytest.mark.usefixtures("tongue")

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def received(octets: bytes, bounds: Limits | None = None) -> Connection:
    """A connection that has received octets, and whose first event was taken."""
    connection = Connection(bounds or Limits())
    connection.receive_data(octets)
    connection.next_event()
    return connection


# -- the law ---------------------------------------------------------------------------------------------------------


@given(octets=messages, positions=cuts, bounds=limits)
def test_splits_change_neither_events_nor_the_error_nor_its_words(octets, positions, bounds):
    whole = deliver([octets], bounds)
    assert deliver(cut(octets, positions), bounds) == whole
    assert deliver(byte_by_byte(octets), bounds) == whole
    with_tail = deliver([octets + TAIL], bounds)
    if whole.refusal is not None or whole.ending == "closed":
        assert with_tail == whole


@given(st.lists(st.binary(max_size=60), max_size=8), limits)
def test_arbitrary_octets_never_raise_anything_but_a_protocol_error(pieces, bounds):
    # An exception of any other class leaves `deliver`.
    outcome = deliver(pieces, bounds)
    assert outcome.refusal is None or outcome.status in {400, 413, 414, 431, 501, 505}


@given(octets=messages, size=st.integers(1, 50))
def test_what_waits_for_more_octets_is_bounded(octets, size):
    line = NARROW.line + 2 * NARROW.empty_lines
    most = max(line + NARROW.head, NARROW.chunk_line, NARROW.trailers) + len("\r\n\r")
    connection = Connection(NARROW)
    try:
        for start in range(0, len(octets), size):
            connection.receive_data(octets[start : start + size])
            while (event := connection.next_event()) is not NEED_DATA:
                if event is PAUSED and not connection.start_next_cycle():
                    return
                if connection.request_complete:
                    connection.send_response(200, "OK", b"", b"")
            assert len(connection.buffer) <= most
    except ProtocolError:
        assert not connection.buffer


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_behind_a_refused_request_nothing_is_kept_and_the_error_stays(case):
    connection = Connection()
    connection.receive_data(case.octets)
    with pytest.raises(ProtocolError) as caught:
        while connection.next_event() is not NEED_DATA:
            pass
    connection.receive_data(GET)
    for _ in range(2):
        with pytest.raises(ProtocolError) as again:
            connection.next_event()
        assert again.value is caught.value
    assert not connection.buffer, "a peer that goes on sending costs nothing"
    assert not connection.start_next_cycle()


def test_the_work_for_an_octet_is_the_same_however_many_came_before():
    # Calls of functions, not time: twice the octets, each arriving alone, may cost twice the calls and not more.
    def calls(octets: bytes) -> int:
        counts: Counter[str] = Counter()
        connection = Connection()

        def count(frame, event, _):
            counts[event] += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            for piece in byte_by_byte(octets):
                connection.receive_data(piece)
                connection.next_event()
        finally:
            sys.setprofile(None)
        return counts["call"] + counts["c_call"]

    def head(size: int) -> bytes:
        return b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: %b\r\n" % (b"y" * 95) * (size // 100) + b"\r\n"

    def chunks(size: int) -> bytes:
        return CHUNKED + b"1\r\na\r\n" * (size // 6)

    for make in (head, chunks):
        assert calls(make(8000)) <= 2.2 * calls(make(4000)) <= 2.2 * 2.2 * calls(make(2000))


# -- pipelining ------------------------------------------------------------------------------------------------------


def test_pipelined_requests_come_one_by_one_in_their_order():
    octets = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20)) + POST + b"hello" + GET
    outcome = observe(octets)
    assert [seen.path for seen in outcome.requests] == [*(f"/{number}" for number in range(20)), "/", "/"]
    assert outcome.requests[20].content == b"hello"


def test_the_next_head_is_not_parsed_before_the_response_is_done_cve_2026_54273_cve_2023_46137_cve_2024_41671():
    connection = received(GET + b"\x00 this is no request")
    for _ in range(3):
        assert connection.next_event() is PAUSED
    assert not connection.start_next_cycle()
    connection.send_head(200, "OK", b"", None)
    assert not connection.start_next_cycle()
    connection.send_end()
    assert connection.next_event() is PAUSED
    assert connection.start_next_cycle()
    with pytest.raises(BadRequestLine):
        connection.next_event()


def test_the_next_head_is_not_parsed_before_the_content_of_this_request_is_taken_cve_2025_58068_cve_2023_41419():
    connection = received(POST + b"hel")
    connection.send_response(200, "OK", b"", b"")
    assert connection.response_complete
    assert not connection.request_complete
    assert not connection.start_next_cycle()
    assert connection.next_event().data == b"hel"
    assert connection.next_event() is NEED_DATA
    connection.receive_data(b"lo" + GET)
    assert connection.next_event().data == b"lo"
    assert not connection.start_next_cycle()
    assert isinstance(connection.next_event(), EndOfMessage)
    assert connection.start_next_cycle()
    assert connection.next_event().path == "/"


@pytest.mark.parametrize("octets", [CLOSING, OLD, b"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n"])
def test_nothing_behind_a_closing_request_is_handled_cve_2024_49768(octets):
    connection = received(octets + TAIL)
    assert connection.send_response(200, "OK", b"", b"").count(b"Connection: close\r\n") == 1
    assert not connection.persists
    assert not connection.start_next_cycle()
    assert connection.next_event() is PAUSED


def test_nothing_behind_a_closing_response_is_handled_cve_2024_49768():
    connection = received(GET + TAIL)
    assert b"Connection: close\r\n" in connection.send_response(200, "OK", b"", b"", keep_alive=False)
    assert not connection.start_next_cycle()
    assert connection.next_event() is PAUSED


def test_nothing_behind_content_that_is_refused_is_handled():
    connection = received(CHUNKED + b"x\r\n" + TAIL)
    assert connection.send_response(200, "OK", b"", b"")
    assert connection.persists
    with pytest.raises(ProtocolError):
        connection.next_event()
    assert not connection.persists
    assert not connection.start_next_cycle()


def test_a_section_that_is_repeated_is_recognised_on_its_connection():
    connection = Connection()
    connection.receive_data(GET + GET)
    first = connection.next_event()
    connection.send_response(200, "OK", b"", b"")
    assert connection.start_next_cycle()
    assert connection.next_event().fields is first.fields


# -- questions -------------------------------------------------------------------------------------------------------


def test_the_questions_follow_an_exchange():
    def state(connection: Connection) -> str:
        names = ("idle", "request_complete", "response_started", "response_complete", "persists")
        return " ".join(name for name in names if getattr(connection, name))

    connection = Connection()
    assert connection.next_event() is NEED_DATA
    assert state(connection) == "idle"
    connection.receive_data(POST[:9])
    assert connection.next_event() is NEED_DATA
    assert state(connection) == ""
    connection.receive_data(POST[9:])
    assert isinstance(connection.next_event(), RequestHead)
    assert state(connection) == ""
    connection.send_informational(100)
    assert state(connection) == ""
    connection.receive_data(b"hello")
    assert isinstance(connection.next_event(), Data)
    assert isinstance(connection.next_event(), EndOfMessage)
    assert state(connection) == "request_complete"
    connection.send_head(200, "OK", b"", None)
    assert state(connection) == "request_complete response_started persists"
    connection.send_end()
    assert state(connection) == "request_complete response_started response_complete persists"
    assert connection.start_next_cycle()
    assert state(connection) == "idle"


# -- the end of the connection ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets", [b"G", GET[:-1], b"\r\n", POST, POST + b"hell", CHUNKED, CHUNKED + b"0\r\n", CHUNKED + b"0\r\nX: y\r\n"]
)
def test_an_end_in_the_middle_of_a_message_is_an_error_that_stays(octets):
    assert observe(octets).ending == "cut"
    connection = Connection()
    connection.receive_data(octets)
    while connection.next_event() is not NEED_DATA:
        pass
    with pytest.raises(IncompleteMessage, match="the connection ended in the middle of a message"):
        connection.receive_eof()
    with pytest.raises(IncompleteMessage):
        connection.next_event()
    connection.receive_eof()
    assert b"Connection: close" in connection.send_response(400, "Bad Request", b"", b"")


@pytest.mark.parametrize("octets", [b"", GET, POST + b"hello", CHUNKED + b"0\r\n\r\n"])
def test_an_end_between_messages_is_none(octets):
    assert observe(octets) == Outcome(observe(octets).requests, None, "idle")


# -- answers ---------------------------------------------------------------------------------------------------------


def test_a_request_that_was_never_understood_is_answered_and_the_connection_closes():
    connection = Connection()
    connection.receive_data(b"\x00")
    with pytest.raises(BadRequestLine) as caught:
        connection.next_event()
    octets = connection.send_response(caught.value.status, "Bad Request", b"", b"no")
    assert octets == b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    assert not connection.persists
    assert not connection.start_next_cycle()


def test_the_answer_to_a_refused_request_has_nothing_of_the_request_before():
    connection = received(GET.replace(b"GET", b"HEAD") + b"\x00")
    connection.send_response(200, "OK", b"", b"hi")
    assert connection.start_next_cycle()
    with pytest.raises(BadRequestLine):
        connection.next_event()
    assert connection.send_response(400, "Bad Request", b"", b"no").endswith(b"\r\n\r\nno")


def test_a_response_after_content_that_was_refused_closes_the_connection():
    connection = received(CHUNKED + b"x\r\n")
    with pytest.raises(ProtocolError):
        connection.next_event()
    assert b"Connection: close\r\n" in connection.send_response(400, "Bad Request", b"", b"")


@pytest.mark.parametrize(
    ("octets", "status", "content", "expected"),
    [
        (GET, 200, b"hi", b"Content-Length: 2\r\n\r\nhi"),
        (GET, 200, b"", b"Content-Length: 0\r\n\r\n"),
        (GET, 204, b"hi", b"\r\n"),
        (GET, 205, b"hi", b"Content-Length: 0\r\n\r\n"),
        (GET, 304, b"hi", b"Content-Length: 2\r\n\r\n"),
        (GET, 304, b"", b"\r\n"),
        (GET, 101, b"hi", b"Connection: upgrade\r\n\r\n"),
        (GET.replace(b"GET", b"HEAD"), 200, b"hi", b"Content-Length: 2\r\n\r\n"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, b"hi", b"\r\n"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 403, b"hi", b"Content-Length: 2\r\n\r\nhi"),
        (OLD, 200, b"hi", b"Content-Length: 2\r\nConnection: close\r\n\r\nhi"),
        (
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            200,
            b"hi",
            b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
        ),
    ],
)
def test_a_whole_response(octets, status, content, expected):
    assert (
        received(octets).send_response(status, "X", b"A: b\r\n", content)
        == b"HTTP/1.1 %d X\r\nA: b\r\n" % status + expected
    )


@pytest.mark.parametrize(
    ("octets", "status", "length", "chunked", "head", "parts"),
    [
        (GET, 200, None, False, b"Transfer-Encoding: chunked\r\n\r\n", [b"2\r\nhi\r\n", b"", b"0\r\n\r\n"]),
        (GET, 200, 2, True, b"Transfer-Encoding: chunked\r\n\r\n", [b"2\r\nhi\r\n", b"", b"0\r\n\r\n"]),
        (GET, 200, 2, False, b"Content-Length: 2\r\n\r\n", [b"hi", b"", b""]),
        (OLD, 200, None, False, b"Connection: close\r\n\r\n", [b"hi", b"", b""]),
        (GET.replace(b"GET", b"HEAD"), 200, None, False, b"Transfer-Encoding: chunked\r\n\r\n", [b"", b"", b""]),
        (GET.replace(b"GET", b"HEAD"), 200, 5, False, b"Content-Length: 5\r\n\r\n", [b"", b"", b""]),
        (GET, 304, 5, False, b"Content-Length: 5\r\n\r\n", [b"", b"", b""]),
        (GET, 204, None, False, b"\r\n", [b"", b"", b""]),
        (GET, 205, 2, True, b"Content-Length: 0\r\n\r\n", [b"", b"", b""]),
    ],
)
def test_a_response_in_parts(octets, status, length, chunked, head, parts):
    connection = received(octets)
    written, framing = connection.send_head(status, "X", b"", length, chunked=chunked)
    assert written == b"HTTP/1.1 %d X\r\n" % status + head
    assert framing.chunked == parts[0].startswith(b"2")
    assert [connection.send_data(b"hi"), connection.send_data(b""), connection.send_end()] == parts
    assert connection.response_complete


def test_data_is_passed_on_as_it_is_where_nothing_is_put_around_it():
    connection = received(GET)
    connection.send_head(200, "OK", b"", 12)
    for data in (b"abcd", bytearray(b"abcd"), memoryview(b"abcd").cast("I")):
        assert connection.send_data(data) is data
    connection.send_end()


def test_more_content_than_announced_is_a_mistake_that_sends_nothing():
    connection = received(GET)
    connection.send_head(200, "OK", b"", 5)
    connection.send_data(b"hel")
    with pytest.raises(RuntimeError, match="1 bytes more than the announced Content-Length"):
        connection.send_data(b"lo!")
    assert connection.send_data(b"lo") == b"lo"
    connection.send_end()


def test_less_content_than_announced_never_completes_the_message():
    connection = received(GET)
    connection.send_head(200, "OK", b"", 5)
    connection.send_data(b"hel")
    with pytest.raises(RuntimeError, match="2 bytes less than the announced Content-Length"):
        connection.send_end()
    assert not connection.response_complete
    assert not connection.start_next_cycle()


def test_trailers_follow_chunks_and_nothing_else():
    connection = received(GET)
    connection.send_head(200, "OK", b"", None)
    assert connection.send_end(iter([("A", "b")])) == b"0\r\nA: b\r\n\r\n"
    connection = received(GET)
    connection.send_head(200, "OK", b"", 0)
    assert connection.send_end([("A", "b")]) == b""


def test_what_is_refused_changes_no_state():
    connection = received(GET)
    for refused in (
        lambda: connection.send_response(200, "O\nK", b"", b""),
        lambda: connection.send_response(100, "Continue", b"", b""),
        lambda: connection.send_head(103, "Early Hints", b"", None),
    ):
        with pytest.raises(ValueError):
            refused()
        assert not connection.response_started
    connection.send_head(200, "OK", b"", None)
    with pytest.raises(ValueError, match="field A"):
        connection.send_end([("A", "\n")])
    assert not connection.response_complete
    assert connection.send_end() == b"0\r\n\r\n"


def test_interim_responses_go_to_clients_that_know_them():
    connection = received(POST)
    assert connection.send_informational(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.send_informational(103, b"Link: x\r\n") == b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert received(OLD).send_informational(100) == b""


def test_a_connection_that_has_switched_is_no_longer_http():
    connection = received(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x01\x02")
    connection.send_head(101, "Switching Protocols", b"Upgrade: x\r\n", None)
    assert connection.response_started
    assert not connection.start_next_cycle()
    assert connection.next_event() is PAUSED
    assert connection.buffer == b"\x01\x02", "what came early belongs to the new protocol"
