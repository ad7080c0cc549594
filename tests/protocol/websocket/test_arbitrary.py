"""Whatever octets arrive, there are events or the one documented error, and where they are cut means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.events import NEED_DATA
from aioweb.protocol.websocket.connection import WebSocketConnection
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.frames import WebSocketError
from aioweb.protocol.websocket.messages import Close, State
from tests.protocol.websocket.exchange import deliver, frame
from tests.protocol.wire import byte_by_byte, cut

pytestmark = pytest.mark.usefixtures("tongue")

_firsts = st.one_of(
    st.sampled_from([0x81, 0x01, 0x80, 0x00, 0x82, 0x02, 0x89, 0x8A, 0x88, 0xC1, 0x41]), st.integers(0, 255)
)
_contents = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"\x03\xe8", b"\x03\xe8ok", "é€😀".encode(), b"x" * 125, b"x" * 126, b"x" * 300, b"\xf2\x48"]),
    st.text(max_size=8).map(str.encode),
)
_keys = st.sampled_from([b"\0\0\0\0", b"\x01\x02\x03\x04", None]) | st.binary(min_size=4, max_size=4)
_lengths = st.none() | st.none() | st.integers(0, 70_000)
_frames = st.builds(
    lambda first, content, key, length: frame(first, content, key=key, length=length),
    _firsts, _contents, _keys, _lengths,
)  # fmt: skip
_soups = st.lists(st.one_of(_frames, _frames, _frames, st.binary(max_size=6)), max_size=8).map(b"".join)
_options = st.fixed_dictionaries(
    {"client": st.booleans(), "decode_text": st.booleans(), "max_msg_size": st.sampled_from([0, 1, 200, 4096])}
)


@given(_soups, _options, st.lists(st.integers(0, 300), max_size=6))
def test_where_the_octets_are_cut_means_nothing(octets, options, positions):
    whole = deliver([octets], **options)
    assert deliver(cut(octets, [min(position, len(octets)) for position in positions]), **options) == whole
    assert deliver(byte_by_byte(octets), **options) == whole


@given(_soups, _options, st.lists(st.integers(0, 300), max_size=6))
def test_compressed_or_not_there_are_events_or_the_error(octets, options, positions):
    """What a message comes to may depend on the cut here: too big or no text, whichever is seen first."""
    deflate = PerMessageDeflate()
    whole = deliver([octets], deflate=deflate, **options)
    parts = deliver(cut(octets, [min(position, len(octets)) for position in positions]), deflate=deflate, **options)
    assert parts.events == whole.events
    assert (parts.failed is None) is (whole.failed is None)
    assert whole.failed in (None, 1002, 1007, 1009)


@given(st.lists(st.one_of(_soups, st.sampled_from(["close", "eof", "ping", "text"])), max_size=8), _options)
def test_the_state_only_goes_forward_whatever_both_ends_do(moves, options):
    order = [State.OPEN, State.CLOSING, State.CLOSED]
    connection = WebSocketConnection(**options)
    reached = 0
    for move in moves:
        if isinstance(move, bytes):
            connection.receive_data(move)
            try:
                while (event := connection.next_event()) is not NEED_DATA:
                    assert not isinstance(event, Close) or connection.close_received is event
            except WebSocketError as error:
                connection.send_close(error.close_code, str(error))
        elif move == "close":
            assert bool(connection.send_close()) or connection.close_sent or connection.state is State.CLOSED
        elif move == "eof":
            connection.receive_eof()
        elif connection.sendable:
            getattr(connection, f"send_{move}")(b"x")
        assert order.index(connection.state) >= reached
        reached = order.index(connection.state)
        assert (connection.close_code is None) or connection.close_received or connection.state is State.CLOSED
