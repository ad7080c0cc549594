"""The ground and foreign peers: wsproto and websockets read what we send and we what they send, however it is cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate as ForeignDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, SERVER, Protocol
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.events import Ping as ForeignPing
from wsproto.events import Pong as ForeignPong
from wsproto.extensions import PerMessageDeflate as WsprotoDeflate

from aioweb.protocol.websocket.connection import WebSocketConnection
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.messages import Close, Message, Ping, Pong
from tests.protocol.websocket.exchange import Outcome, frame, take
from tests.protocol.wire import cut

payloads = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200),
    st.builds(lambda unit, times: unit * times, st.text(min_size=1, max_size=9), st.integers(1, 9000)),
    st.integers(0, 70_000).map(lambda size: b"\x5a" * size),
)
control = st.tuples(st.sampled_from(["ping", "pong"]), st.binary(max_size=125))
steps = st.lists(st.one_of(payloads, st.lists(st.text(max_size=40), min_size=1, max_size=4), control), max_size=5)
cuts = st.lists(st.integers(0, 3000), max_size=8)
bits = st.integers(9, 15)  # theirs are zlib's
agreements = st.none() | st.builds(
    PerMessageDeflate,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=bits,
    client_max_window_bits=bits,
)
codes = st.sampled_from([1000, 1001, 1008, 1011, 3000, 4999])
reasons = st.text(max_size=30)

Said = list[tuple[str, Any]]


def said_by(plan: list[Any]) -> Said:
    """What the plan comes to: (kind, data)."""
    result: Said = []
    for step in plan:
        if isinstance(step, tuple):
            result.append(step)
        else:
            data = "".join(step) if isinstance(step, list) else step
            result.append(("text" if isinstance(data, str) else "binary", data))
    return result


def heard(outcome: Outcome) -> Said:
    kinds = {Ping: "ping", Pong: "pong"}
    return [
        (event.opcode.name.lower() if isinstance(event, Message) else kinds[type(event)], event.data)
        for event in outcome.events
        if not isinstance(event, Close)
    ]


def send_all(connection: WebSocketConnection, plan: list[Any]) -> bytes:
    """What we send for a plan, lists as fragments, compressed where that is agreed on and worth it."""
    octets = []
    for step in plan:
        if isinstance(step, tuple):
            octets.append(getattr(connection, f"send_{step[0]}")(step[1]))
        elif isinstance(step, list):
            ends = [False] * (len(step) - 1) + [True]
            octets += [connection.send_fragment(a, final=b, compress=True) for a, b in zip(step, ends, strict=True)]
        else:
            octets.append((connection.send_text if isinstance(step, str) else connection.send_binary)(step))
    return b"".join(octets)


def receive_all(connection: WebSocketConnection, octets: bytes, positions: list[int]) -> Outcome:
    outcome = Outcome()
    for piece in cut(octets, [position for position in positions if position < len(octets)]):
        connection.receive_data(piece)
        take(connection, outcome)
    return outcome


# -- wsproto -------------------------------------------------------------------------------------------------------


def wsproto_end(client: bool, agreed: PerMessageDeflate | None) -> Connection:
    extensions = []
    if agreed is not None:
        extension = WsprotoDeflate(
            agreed.client_no_context_takeover,
            agreed.client_max_window_bits,
            agreed.server_no_context_takeover,
            agreed.server_max_window_bits,
        )
        extension._enabled = True
        extensions.append(extension)
    return Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER, extensions)


def wsproto_send(peer: Connection, plan: list[Any]) -> bytes:
    octets = b""
    for step in plan:
        if isinstance(step, tuple):
            octets += peer.send(ForeignPing(step[1]) if step[0] == "ping" else ForeignPong(step[1]))
            continue
        parts = step if isinstance(step, list) else [step]
        for index, part in enumerate(parts):
            kind = TextMessage if isinstance(part, str) else BytesMessage
            octets += peer.send(kind(part, message_finished=index == len(parts) - 1))
    return octets


def wsproto_hear(peer: Connection, octets: bytes, positions: list[int]) -> Said:
    result: Said = []
    parts: list[Any] = []
    for piece in cut(octets, [position for position in positions if position < len(octets)]):
        peer.receive_data(piece)
        for event in peer.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                parts.append(event.data)
                if event.message_finished:
                    is_text = isinstance(event, TextMessage)
                    result.append(("text" if is_text else "binary", ("" if is_text else b"").join(parts)))
                    parts.clear()
            elif isinstance(event, CloseConnection):
                result.append(("close", (event.code, event.reason or "")))
            else:
                result.append(("ping" if isinstance(event, ForeignPing) else "pong", bytes(event.payload)))
    return result


@given(steps, agreements, cuts, st.booleans(), codes, reasons)
def test_wsproto_reads_what_we_send(plan, agreed, positions, client, code, reason):
    ours = WebSocketConnection(deflate=agreed, client=client)
    octets = send_all(ours, plan) + ours.send_close(code, reason)
    expected = [*said_by(plan), ("close", (code, reason))]
    assert wsproto_hear(wsproto_end(not client, agreed), octets, positions) == expected


@given(steps, agreements, cuts, st.booleans(), codes, reasons)
def test_we_read_what_wsproto_sends(plan, agreed, positions, client, code, reason):
    theirs = wsproto_end(client, agreed)
    octets = wsproto_send(theirs, plan) + theirs.send(CloseConnection(code, reason))
    ours = WebSocketConnection(deflate=agreed, client=not client)
    outcome = receive_all(ours, octets, positions)
    assert heard(outcome) == said_by(plan)
    assert outcome.events[-1] == Close(code, reason)
    assert outcome.failed is None


# -- websockets ----------------------------------------------------------------------------------------------------


def websockets_end(client: bool, agreed: PerMessageDeflate | None) -> Protocol:
    peer = Protocol(CLIENT if client else SERVER, max_size=None)
    if agreed is not None:
        mine = (agreed.client_no_context_takeover, agreed.client_max_window_bits)
        yours = (agreed.server_no_context_takeover, agreed.server_max_window_bits)
        (local_forgets, local_bits), (remote_forgets, remote_bits) = (mine, yours) if client else (yours, mine)
        peer.extensions = [ForeignDeflate(remote_forgets, local_forgets, remote_bits, local_bits)]
    return peer


def websockets_send(peer: Protocol, plan: list[Any]) -> bytes:
    for step in plan:
        if isinstance(step, tuple):
            (peer.send_ping if step[0] == "ping" else peer.send_pong)(step[1])
            continue
        parts = step if isinstance(step, list) else [step]
        for index, part in enumerate(parts):
            octets = part.encode() if isinstance(part, str) else part
            last = index == len(parts) - 1
            send = peer.send_text if isinstance(part, str) else peer.send_binary
            if index:
                peer.send_continuation(octets, last)
            else:
                send(octets, last)
    return b"".join(peer.data_to_send())


def websockets_hear(peer: Protocol, octets: bytes, positions: list[int]) -> Said:
    result: Said = []
    parts: list[bytes] = []
    kind = ""
    for piece in cut(octets, [position for position in positions if position < len(octets)]):
        peer.receive_data(piece)
    for event in peer.events_received():
        assert isinstance(event, Frame)
        if event.opcode is Opcode.CLOSE:
            result.append(("close", bytes(event.data)))
        elif event.opcode >= 8:
            result.append((event.opcode.name.lower(), bytes(event.data)))
        else:
            kind = kind or event.opcode.name.lower()
            parts.append(bytes(event.data))
            if event.fin:
                data = b"".join(parts)
                result.append((kind, data.decode() if kind == "text" else data))
                parts.clear()
                kind = ""
    return result


@given(steps, agreements, cuts, st.booleans(), codes, reasons)
def test_websockets_reads_what_we_send(plan, agreed, positions, client, code, reason):
    ours = WebSocketConnection(deflate=agreed, client=client)
    octets = send_all(ours, plan) + ours.send_close(code, reason)
    expected = [*said_by(plan), ("close", code.to_bytes(2, "big") + reason.encode())]
    assert websockets_hear(websockets_end(not client, agreed), octets, positions) == expected


@given(steps, agreements, cuts, st.booleans(), codes, reasons)
def test_we_read_what_websockets_sends(plan, agreed, positions, client, code, reason):
    theirs = websockets_end(client, agreed)
    octets = websockets_send(theirs, plan)
    theirs.send_close(code, reason)
    octets += b"".join(theirs.data_to_send())
    ours = WebSocketConnection(deflate=agreed, client=not client)
    outcome = receive_all(ours, octets, positions)
    assert heard(outcome) == said_by(plan)
    assert outcome.events[-1] == Close(code, reason)
    assert outcome.failed is None


# -- refusals ------------------------------------------------------------------------------------------------------

_heads = st.sampled_from([0x81, 0x01, 0x80, 0x00, 0x82, 0x02, 0x89, 0x8A, 0x88, 0xC1, 0x83, 0x09])
_contents = st.sampled_from(
    [b"", b"a", b"\x03\xe8", b"\x03\xed", b"\x03", "é".encode(), b"\xff", b"\x03\xe8\xff", b"x" * 126]
)


@given(st.lists(st.tuples(_heads, _contents), max_size=6))
def test_websockets_refuses_what_we_refuse_with_the_same_code(frames):
    octets = b"".join(frame(first, payload) for first, payload in frames)
    ours = WebSocketConnection()
    outcome = receive_all(ours, octets, [])
    theirs = Protocol(SERVER)
    theirs.receive_data(octets)
    refused = theirs.close_sent.code if theirs.close_sent is not None and theirs.parser_exc is not None else None
    # In messages it is not websockets' ground that finds what is no text; and it refuses a close frame between
    # fragments, which RFC 6455 section 5.4 allows like any control frame.
    if outcome.failed != 1007 and not any(isinstance(event, Close) for event in outcome.events):
        assert outcome.failed == refused


@pytest.mark.parametrize("agreed", [None, PerMessageDeflate()])
def test_all_three_carry_a_long_conversation(agreed):
    plan = [f"message {index} of many, much alike" * (index % 7) for index in range(300)]
    ours, wsproto, websockets = (
        WebSocketConnection(deflate=agreed),
        wsproto_end(True, agreed),
        websockets_end(True, agreed),
    )
    octets = send_all(ours, plan)
    assert wsproto_hear(wsproto, octets, []) == websockets_hear(websockets, octets, []) == said_by(plan)
