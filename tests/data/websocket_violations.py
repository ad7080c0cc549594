"""Every way to break RFC 6455 at the level of octets, with the close code that answers it; `LIMIT` is max_msg_size."""

from __future__ import annotations

from tests.protocol.websocket.exchange import LIMIT, binary, close, frame, more, ping, pong, text

BAD_UTF8 = {
    "lone continuation": b"\x80",
    "lone start": b"\xc3(",
    "overlong slash": b"\xc0\xaf",
    "overlong c1": b"\xc1\xbf",
    "overlong in three": b"\xe0\x9f\xbf",
    "overlong in four": b"\xf0\x8f\xbf\xbf",
    "surrogate": b"\xed\xa0\x80",
    "low surrogate": b"\xed\xbf\xbf",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "f5": b"\xf5\x80\x80\x80",
    "five octets": b"\xf8\x88\x80\x80\x80",
    "fe": b"\xfe",
    "ff": b"\xff",
    "latin-1": "é".encode("latin-1"),
}

VIOLATIONS: dict[str, tuple[bytes, int]] = {
    # section 5.1
    "unmasked text": (frame(0x81, "x", key=None), 1002),
    "unmasked ping": (frame(0x89, "x", key=None), 1002),
    "unmasked close": (frame(0x88, b"\x03\xe8", key=None), 1002),
    "unmasked empty frame": (frame(0x82, b"", key=None), 1002),
    # section 5.2
    **{f"reserved bits {bits:03b}": (frame(0x81 | bits << 4, "x"), 1002) for bits in range(1, 8)},
    **{f"reserved bits {bits:03b} on ping": (frame(0x89 | bits << 4, "x"), 1002) for bits in range(1, 8)},
    **{f"reserved bits {bits:03b} on close": (frame(0x88 | bits << 4), 1002) for bits in range(1, 8)},
    **{
        f"reserved bits {bits:03b} on continuation": (text("x", False) + frame(0x80 | bits << 4, "x"), 1002)
        for bits in range(1, 8)
    },
    **{f"opcode {code}": (frame(0x80 | code, "x"), 1002) for code in (*range(3, 8), *range(11, 16))},
    **{f"opcode {code} in fragments": (frame(code, "x"), 1002) for code in (*range(3, 8), *range(11, 16))},
    "length 5 in two octets": (b"\x81\xfe\x00\x05\x00\x00\x00\x00hello", 1002),
    "length 125 in two octets": (b"\x81\xfe\x00\x7d\x00\x00\x00\x00" + b"x" * 125, 1002),
    "length 5 in eight octets": (b"\x81\xff" + bytes(7) + b"\x05\x00\x00\x00\x00hello", 1002),
    "length 65535 in eight octets": (b"\x82\xff" + bytes(6) + b"\xff\xff\x00\x00\x00\x00", 1002),
    "length of 64 bits": (b"\x82\xff\x80" + bytes(7), 1002),
    # section 5.4
    "continuation of nothing": (more("x", True), 1002),
    "empty continuation of nothing": (more("", False), 1002),
    "text in text": (text("a", False) + text("b"), 1002),
    "binary in text": (text("a", False) + binary(b"b", False), 1002),
    "text in binary": (binary(b"a", False) + more(b"b") + text("b", False), 1002),
    "empty text in empty text": (text("", False) + text(""), 1002),
    # section 5.5
    "fragmented ping": (frame(0x09, "x"), 1002),
    "fragmented pong": (frame(0x0A, "x"), 1002),
    "fragmented close": (frame(0x08, b"\x03\xe8"), 1002),
    "ping of 126": (ping(b"x" * 126), 1002),
    "pong of 126": (pong(b"x" * 126), 1002),
    "close of 126": (frame(0x88, b"\x03\xe8" + b"x" * 124), 1002),
    "ping of 65536": (frame(0x89, b"", length=65536), 1002),
    # section 5.5.1 and 7.4
    "close of one octet": (frame(0x88, b"\x03"), 1002),
    **{
        f"close {code}": (close(code), 1002)
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535)
    },
    **{f"close reason, {name}": (close(1000, octets), 1007) for name, octets in BAD_UTF8.items()},
    "close reason that is cut": (close(1000, "é".encode()[:1]), 1007),
    # section 5.6 and 8.1
    **{f"text, {name}": (text(octets), 1007) for name, octets in BAD_UTF8.items()},
    **{
        f"text with more around, {name}": (text(b"hello " + octets + b" you"), 1007)
        for name, octets in BAD_UTF8.items()
    },
    **{
        f"text in fragments, {name}": (text("a", False) + more(octets) + more("b", True), 1007)
        for name, octets in BAD_UTF8.items()
    },
    **{
        f"text in fragments of one octet, {name}": (
            text("", False) + b"".join(more(octets[i : i + 1]) for i in range(len(octets))) + more("x", True),
            1007,
        )
        for name, octets in BAD_UTF8.items()
    },
    "text that is cut in a character": (text("naïveté".encode()[:-1]), 1007),
    "text in fragments that is cut in a character": (text("a", False) + more("é".encode()[:1], True), 1007),
    "long text, bad at its end": (text(b"x" * (LIMIT - 1) + b"\xff"), 1007),
    # the limit
    "a frame over the limit": (binary(b"x" * (LIMIT + 1)), 1009),
    "text over the limit": (text(b"x" * (LIMIT + 1)), 1009),
    "a message over the limit": (binary(b"x" * LIMIT, False) + more(b"x"), 1009),
    "a frame of 63 bits": (frame(0x82, b"", length=2**63 - 1), 1009),
}
