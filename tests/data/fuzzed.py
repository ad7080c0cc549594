"""What the fuzzers have found, now mended: for each target of fuzz/targets.py the inputs that once failed.

Data only; tests/fuzz runs them. Beside each stands what it showed.
"""

from __future__ import annotations

FUZZED: dict[str, list[bytes]] = {}
