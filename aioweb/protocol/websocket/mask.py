"""Masking of WebSocket payloads (RFC 6455 section 5.3): the reference, and its twin in C where that was built.

Of all that a WebSocket costs in Python this is the part that grows with the content, 1 us at 1 KiB and 70 at 64; all
else is about a microsecond a frame.
"""

from __future__ import annotations

from aioweb.protocol.twins import TWINS_WANTED

_KEY = 4
# Up to here one exclusive-or of two large integers wins, above it four translations (0.5 against 0.9 us at 125 octets,
# 1.3 against 1.1 at 256, 280 against 72 at 64 KiB). A 1 in every fourth octet times the key is the key repeated.
_SHORT = 256
_REPEATED = [int.from_bytes(b"\1\0\0\0" * words, "little") for words in range(_SHORT // 4 + 2)]
_TABLES: list[bytes] = []


def mask_in_python(keyed: bytes | bytearray, start: int = 0, end: int | None = None, /) -> bytes:
    """Apply the masking key in the first four octets of `keyed[start:end]` to the others, and return those.

    The same undoes it. A bytearray may be changed by it, unless only a slice is asked for.
    """
    if start or end is not None:
        keyed = keyed[start:end]
    size = len(keyed)
    if size > _SHORT:
        return _mask_long(bytearray(keyed) if isinstance(keyed, bytes) else keyed)
    number = int.from_bytes(keyed, "little")
    # The key is the lowest 32 bits. Of the octets that its last repetition has too many, three at most, none is kept.
    return (number ^ (number & 0xFFFFFFFF) * _REPEATED[size + 3 >> 2]).to_bytes(size + 3, "little")[4:size]


def _mask_long(keyed: bytearray) -> bytes:
    if not _TABLES:  # 64 KiB that a process without long messages never needs
        _TABLES.extend(bytes(key ^ octet for octet in range(256)) for key in range(256))
    for index, key in enumerate(keyed[:_KEY]):
        if key:
            keyed[index::_KEY] = keyed[index::_KEY].translate(_TABLES[key])
    return bytes(memoryview(keyed)[_KEY:])


mask = mask_in_python
"""What everybody calls: the twin if there is one, else `mask_in_python`."""
if TWINS_WANTED:
    try:
        from aioweb.protocol.websocket._mask import mask  # noqa: F401  (it takes the name's place)
    except ImportError:  # not built
        pass
