"""Octets for property tests: good messages, broken ones, and ones that are a few strokes away from good."""

from __future__ import annotations

from hypothesis import strategies as st

from aioweb.protocol.limits import Limits
from tests.data.hostile import HOSTILE
from tests.data.unusual import UNUSUAL

NARROW = Limits(line=40, field=36, fields=4, head=90, empty_lines=1, chunk_line=12, chunk_extensions=14, trailers=60)
"""Limits that short messages reach."""

WORDS = [
    *(b"\r\n", b"\r", b"\n", b" ", b"\t", b":", b",", b";", b"=", b'"', b"/", b"?", b"\x00", b"\x0b", b"\x7f", b"\x80"),
    *(
        b"GET ",
        b"HEAD ",
        b"CONNECT ",
        b"OPTIONS * ",
        b"/ ",
        b"http://a/ ",
        b"HTTP/1.1\r\n",
        b"HTTP/1.0\r\n",
        b"HTTP/2.0",
    ),
    *(b"Host: a\r\n", b"host:b\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"X: y\r\n", b" z\r\n"),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: x\r\n",
    ),
    *(b"Expect: 100-continue\r\n", b"hello", b"5\r\n", b"5\r\nhello\r\n", b"1;a=b\r\n", b"0\r\n", b"0\r\n\r\n"),
]
"""What requests are made of."""

_SEEDS = [case.octets for case in (*HOSTILE, *UNUSUAL) if len(case.octets) <= 200]
_cuts = st.integers(0, 200)
_strokes = st.tuples(_cuts, st.integers(0, 6), st.one_of(st.sampled_from(WORDS), st.binary(max_size=2)))


def _mutate(octets: bytes, strokes: list[tuple[int, int, bytes]]) -> bytes:
    for position, length, replacement in strokes:
        octets = octets[:position] + replacement + octets[position + length :]
    return octets


mutants = st.builds(_mutate, st.sampled_from(_SEEDS), st.lists(_strokes, max_size=3))
"""Requests of tests/data with a few strokes of the pen."""

soups = st.lists(st.sampled_from(WORDS), max_size=14).map(b"".join)
"""Words of requests in any order."""

messages = st.one_of(mutants, soups, st.lists(mutants, min_size=2, max_size=3).map(b"".join), st.binary(max_size=40))
"""Anything that may arrive on a connection."""

cuts = st.lists(_cuts, max_size=6)
"""Positions to cut at."""

limits = st.sampled_from([Limits(), NARROW])
"""Limits that are never reached by what stands here, and such as are."""
