"""The runner of wire cases: octets in, what a server sees out, and the same however the octets arrive.

`observe` is what tests call. It delivers its octets whole, byte by byte, cut once at every position, cut at random
positions and with another request behind them, and insists that all of these tell one story.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import pairwise

import attrs

from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import IncompleteMessage, ProtocolError
from aioweb.protocol.events import NEED_DATA, PAUSED, Data, EndOfMessage, HttpVersion, RawFields, RequestHead
from aioweb.protocol.limits import Limits

TAIL = b"GET /behind HTTP/1.1\r\nHost: behind\r\n\r\n"
"""A request that stands behind a case: seen after a persistent exchange, and never after any other."""

SHORT = 300
"""Cases of at most so many octets are cut at every position."""


@attrs.define
class Seen:
    """One request as a server sees it. `trailers` is None until the end of the content has come."""

    method: str
    target: str
    path: str
    query: str
    authority: str | None
    version: HttpVersion
    pairs: RawFields
    expect: str | None
    has_body: bool
    keep_alive: bool
    content: bytes = b""
    trailers: RawFields | None = None


@attrs.define
class Outcome:
    """What came of some octets: requests, maybe a refusal (class, status, message), and how it stands after them."""

    requests: list[Seen] = attrs.Factory(list)
    refusal: tuple[str, int, str] | None = None
    ending: str = ""
    """idle: the next request may come; cut: in the middle of one; closed: nothing more will be read."""

    @property
    def status(self) -> int | None:
        """The status of the refusal; None without one."""
        return self.refusal[1] if self.refusal is not None else None


def deliver(pieces: Iterable[bytes], limits: Limits | None = None) -> Outcome:
    """Deliver octets in these pieces to a server that answers every complete request with an empty 200."""
    connection = Connection(limits or Limits())
    outcome = Outcome()
    for piece in pieces:
        connection.receive_data(piece)
        while _step(connection, outcome):
            pass
    try:
        connection.receive_eof()
    except IncompleteMessage:
        outcome.ending = "cut"
    else:
        outcome.ending = "idle" if connection.idle else "closed"
    return outcome


def _step(connection: Connection, outcome: Outcome) -> bool:
    """Take one event; False if there is none without more octets."""
    try:
        event = connection.next_event()
    except ProtocolError as error:
        refusal = (type(error).__name__, error.status, str(error))
        assert outcome.refusal in (None, refusal), "the first error stays"
        outcome.refusal = refusal
        return False
    if event is NEED_DATA:
        return False
    if event is PAUSED:
        return connection.start_next_cycle()
    if isinstance(event, RequestHead):
        outcome.requests.append(_see(event))
        if not event.has_body:
            connection.send_response(200, "OK", b"", b"")
    elif isinstance(event, Data):
        assert event.data, "Data is never empty"
        outcome.requests[-1].content += event.data
    else:
        assert isinstance(event, EndOfMessage)
        outcome.requests[-1].trailers = event.trailers
        connection.send_response(200, "OK", b"", b"")
    return True


def _see(head: RequestHead) -> Seen:
    return Seen(
        head.method,
        head.target,
        head.path,
        head.query,
        head.authority,
        head.version,
        head.fields.pairs,
        head.fields.expect,
        head.has_body,
        head.keep_alive,
    )


def byte_by_byte(octets: bytes) -> list[bytes]:
    """Pieces of one octet each."""
    return [octets[i : i + 1] for i in range(len(octets))]


def cut(octets: bytes, positions: Iterable[int]) -> list[bytes]:
    """Cut octets at these positions."""
    bounds = [0, *sorted(positions), len(octets)]
    return [octets[a:b] for a, b in pairwise(bounds) if a != b]


def fragmentations(octets: bytes) -> Iterator[list[bytes]]:
    """The ways in which a case is cut; the same ones in every run."""
    yield byte_by_byte(octets)
    if len(octets) <= SHORT:
        for position in range(1, len(octets)):
            yield cut(octets, [position])
    chance = random.Random(octets)
    for _ in range(4):
        yield cut(octets, [chance.randint(0, len(octets)) for _ in range(chance.randint(2, 9))])


def observe(octets: bytes, limits: Limits | None = None) -> Outcome:
    """Deliver octets in every way; the one outcome that all of them have."""
    whole = deliver([octets], limits)
    for pieces in fragmentations(octets):
        assert deliver(pieces, limits) == whole, f"cut as {pieces!r}"
    with_tail = deliver([octets + TAIL], limits)
    if whole.ending == "idle":
        assert [seen.path for seen in with_tail.requests[len(whole.requests) :]] == ["/behind"]
        assert with_tail.requests[: len(whole.requests)] == whole.requests
    elif whole.ending == "closed":
        assert with_tail == whole, "nothing behind a refused or closing request is handled"
    return whole
