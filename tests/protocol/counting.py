"""Stand-ins that count octets instead of measuring time, so that work which is not linear fails a test for certain."""

from __future__ import annotations

import re
from typing import Any


class CountingBuffer(bytearray):
    """A receive buffer that counts the octets which `find` may look at."""

    looked_at = 0

    def find(self, sub: Any, start: Any = 0, *end: Any) -> int:
        found = super().find(sub, start, *end)
        self.looked_at += (found if found >= 0 else len(self)) - start
        return found


class CountingPattern:
    """A pattern that counts the octets which it is shown."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.pattern = pattern
        self.looked_at = 0

    def search(self, buffer: bytearray, start: int, end: int) -> re.Match[bytes] | None:
        self.looked_at += max(0, end - start)
        return self.pattern.search(buffer, start, end)

    def fullmatch(self, buffer: bytearray, start: int, end: int) -> re.Match[bytes] | None:
        self.looked_at += end - start
        return self.pattern.fullmatch(buffer, start, end)
