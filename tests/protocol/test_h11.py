"""The ground and a foreign peer: h11 writes requests that we read, and reads whatever we answer."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import EndOfMessage
from tests.protocol.strategies import cuts
from tests.protocol.wire import cut, deliver

pytestmark = pytest.mark.usefixtures("tongue")

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

TOKENS = st.text("abcXYZ019-_.~!#$%&'*+^`|", min_size=1, max_size=8)
VALUES = st.binary(max_size=12).map(lambda octets: octets.translate(None, bytes([*range(33), 127])))


@given(
    TOKENS.filter(lambda method: method != "CONNECT"),
    st.from_regex(rb"/[a-zA-Z0-9%/._~-]{0,12}(\?[a-zA-Z0-9%&=?/]{0,12})?", fullmatch=True),
    st.lists(st.tuples(TOKENS.map("X-{}".format), VALUES), max_size=5),
    st.none() | st.lists(st.binary(min_size=1, max_size=20), max_size=4),
    st.booleans(),
    cuts,
)
def test_what_h11_writes_is_read_back_equal(method, target, fields, parts, chunked, positions):
    client = h11.Connection(h11.CLIENT)
    framing = []
    if parts is not None:
        size = sum(map(len, parts))
        framing = [("Transfer-Encoding", "chunked")] if chunked else [("Content-Length", str(size))]
    headers = [("Host", "a"), *fields, *framing]
    octets = client.send(h11.Request(method=method, target=target, headers=headers))
    octets += b"".join(client.send(h11.Data(data=part)) for part in parts or ())
    octets += client.send(h11.EndOfMessage(headers=[("X-Trailer", "t")] if chunked and parts is not None else []))
    outcome = deliver(cut(octets, positions))
    (seen,) = outcome.requests
    assert (seen.method, seen.target) == (method, target.decode())
    assert seen.pairs[1 : 1 + len(fields)] == tuple((name.encode(), value) for name, value in fields)
    assert seen.content == b"".join(parts or ())
    assert seen.trailers == (
        ((b"X-Trailer", b"t"),) if chunked and parts is not None else () if seen.has_body else None
    )
    assert outcome.ending == "idle"


def test_a_keep_alive_conversation_with_h11_goes_on_and_on():
    client, server = h11.Connection(h11.CLIENT), Connection()
    for number in range(5):
        content = b"x" * number
        octets = client.send(
            h11.Request(method="POST", target=f"/{number}", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")])
        )
        octets += client.send(h11.Data(data=b"up")) + client.send(h11.EndOfMessage())
        server.receive_data(octets)
        assert server.next_event().path == f"/{number}"
        assert server.next_event().data == b"up"
        assert isinstance(server.next_event(), EndOfMessage)
        client.receive_data(server.send_response(200, "OK", b"", content))
        assert client.next_event().status_code == 200
        if content:
            assert client.next_event().data == content
        assert isinstance(client.next_event(), h11.EndOfMessage)
        client.start_next_cycle()
        assert server.start_next_cycle()


@given(
    st.sampled_from([GET, OLD, POST, CLOSING, GET.replace(b"GET", b"HEAD"), CHUNKED + b"x"]),
    st.lists(
        st.one_of(
            st.tuples(st.just("send_informational"), st.sampled_from([100, 103])),
            st.tuples(
                st.just("send_response"), st.sampled_from([200, 204, 304]), st.just("X"), st.just(b""), st.just(b"hi")
            ),
            st.tuples(
                st.just("send_head"),
                st.sampled_from([200, 204]),
                st.just("X"),
                st.just(b""),
                st.sampled_from([None, 2]),
            ),
            st.tuples(st.just("send_data"), st.sampled_from([b"", b"h", b"hi"])),
            st.tuples(st.just("send_end")),
            st.tuples(st.just("next_event")),
            st.tuples(st.just("start_next_cycle")),
            st.tuples(st.just("receive_data"), st.sampled_from([GET, b"", b"\x00"])),
        ),
        max_size=12,
    ),
)
def test_no_order_of_calls_makes_anything_but_a_response_or_a_clear_error(octets, calls):
    connection = Connection()
    connection.receive_data(octets)
    connection.next_event()
    written, method = b"", octets.split()[0]
    for name, *arguments in calls:
        try:
            result = getattr(connection, name)(*arguments)
        except (RuntimeError, ProtocolError):
            continue
        if name.startswith("send_"):
            written += result[0] if isinstance(result, tuple) else result
        if name == "start_next_cycle" and result:
            written, method = b"", b"GET"
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    if written:
        client.receive_data(written)
    event = None
    while event is not h11.NEED_DATA and not isinstance(event, h11.EndOfMessage):
        event = client.next_event()
    if isinstance(event, h11.EndOfMessage):
        assert client.trailing_data[0] == b"", "never more than one response"
