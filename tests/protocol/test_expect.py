"""Content that waits for an invitation: when it is awaited, and what a final response says of the connection."""

from __future__ import annotations

import pytest

from aioweb.protocol.connection import Connection
from aioweb.protocol.events import Data, EndOfMessage, RequestHead

pytestmark = pytest.mark.usefixtures("tongue")

EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"


def received(octets: bytes) -> Connection:
    """A connection that has received octets, and given the head."""
    connection = Connection()
    connection.receive_data(octets)
    assert isinstance(connection.next_event(), RequestHead)
    return connection


def answer(connection: Connection) -> bytes:
    return connection.send_response(200, "OK", b"", b"")


@pytest.mark.parametrize("head", [EXPECTING, CHUNKED, EXPECTING.replace(b"100-continue", b"moon")])
def test_content_that_nobody_has_invited_is_awaited_and_a_final_response_closes_cve_2024_24791(head):
    connection = received(head)
    assert connection.awaits_continue
    assert b"\r\nConnection: close\r\n" in answer(connection)
    assert not connection.awaits_continue
    assert not connection.persists


@pytest.mark.parametrize(
    "octets",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        EXPECTING.replace(b"Length: 5", b"Length: 0"),
        EXPECTING.replace(b"1.1", b"1.0").replace(b"Host: a", b"Connection: keep-alive"),
        b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
    ],
    ids=["no expectation", "no content", "HTTP/1.0", "GET"],
)
def test_nothing_is_awaited_without_content_or_expectation(octets):
    connection = received(octets)
    assert not connection.awaits_continue
    answer(connection)
    assert connection.persists


def test_an_invitation_is_sent_once_and_lets_the_connection_persist():
    connection = received(EXPECTING)
    assert connection.send_informational(103) != b""
    assert connection.awaits_continue, "another interim response is no invitation"
    assert connection.send_informational(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not connection.awaits_continue
    answer(connection)
    assert connection.persists


@pytest.mark.parametrize(("head", "begin"), [(EXPECTING, b"h"), (CHUNKED, b"5\r\nh"), (CHUNKED, b"0\r\n\r\n")])
def test_content_that_has_begun_needs_no_invitation(head, begin):
    connection = received(head)
    connection.receive_data(begin)
    assert isinstance(connection.next_event(), (Data, EndOfMessage))
    assert not connection.awaits_continue
    answer(connection)
    assert connection.persists


def test_half_a_chunk_size_is_a_beginning_but_no_content_yet():
    connection = received(CHUNKED)
    connection.receive_data(b"5\r")
    connection.next_event()
    assert not connection.awaits_continue
    answer(connection)
    assert not connection.persists


def test_the_next_request_has_an_expectation_of_its_own():
    connection = received(EXPECTING + b"hello" + EXPECTING)
    while not isinstance(connection.next_event(), EndOfMessage):
        pass
    answer(connection)
    assert connection.start_next_cycle()
    assert isinstance(connection.next_event(), RequestHead)
    assert connection.awaits_continue
