"""A target that fails, to show that the fuzzer says so."""

from __future__ import annotations


def no_bell(data: bytes) -> None:
    """Nothing rings."""
    assert b"\a" not in data
