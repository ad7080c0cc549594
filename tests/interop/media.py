"""Pictures and videos that are made here, as large as a test wants them."""

from __future__ import annotations

import random
import struct
import zlib
from itertools import accumulate

# A white square on blue, 64 by 64: one key frame of VP8, out of a WebP that Chromium's canvas has made.
_FRAME = bytes.fromhex(
    "1004009d012a400040003f096ead502ba62422b1e80170210940195e06573df2fd5b5c83653df6400000fede127fb53f2b3ddfa7fe309a"
    "492a07de9f40703ffa677e0ff883f1cbb20b3f942405e5a1112c1a0b3054b500000000"
)
_SIZE = 64


def make_png(side: int) -> bytes:
    """A square full of noise, three octets a pixel: nothing of it can be compressed away."""
    noise = random.Random(side)
    rows = b"".join(b"\0" + noise.randbytes(3 * side) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def make_webm(seconds: int, padding: int) -> bytes:
    """A video of one frame a second, with so many octets after each that mean nothing.

    It has an index, so a player can go anywhere without what is before.
    """
    header = _element(
        "1A45DFA3",
        _number("4286", 1) + _number("42F7", 1) + _number("42F2", 4) + _number("42F3", 8),
        _element("4282", b"webm") + _number("4287", 2) + _number("4285", 2),
    )
    about = _element(
        "1549A966",
        _number("2AD7B1", 1_000_000) + _element("4489", struct.pack(">d", 1000.0 * seconds)),
        _element("4D80", b"aioweb") + _element("5741", b"aioweb"),
    )
    video = _element("E0", _number("B0", _SIZE) + _number("BA", _SIZE))
    track = _number("D7", 1) + _number("73C5", 1) + _number("83", 1) + _element("86", b"V_VP8") + video
    tracks = _element("1654AE6B", _element("AE", track))
    # A SimpleBlock: track 1, 0 ms after its cluster, a key frame.
    block = _element("A3", b"\x81\0\0\x80" + _FRAME)
    clusters = [
        _element("1F43B675", _number("E7", 1000 * second), block) + _element("EC", bytes(padding))
        for second in range(seconds)
    ]
    before = len(about + tracks) + len(_index([0] * seconds))
    starts = accumulate(map(len, clusters[:-1]), initial=before)
    return header + _element("18538067", about, tracks, _index(list(starts)), *clusters)


def _index(starts: list[int]) -> bytes:
    points = [
        _element("BB", _number("B3", 1000 * second), _element("B7", _number("F7", 1) + _number("F1", start)))
        for second, start in enumerate(starts)
    ]
    return _element("1C53BB6B", *points)


def _element(id: str, *content: bytes) -> bytes:
    """An element of EBML (RFC 8794): its id, its size in eight octets, its content."""
    data = b"".join(content)
    return bytes.fromhex(id) + (1 << 56 | len(data)).to_bytes(8, "big") + data


def _number(id: str, value: int) -> bytes:
    return _element(id, value.to_bytes(8, "big"))
