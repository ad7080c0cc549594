"""Time that grows with the size of its input, and no faster.

Four times the input may take ten times as long (a quadratic reader takes sixteen), so that a busy machine fails
nothing; and a few milliseconds for it are as good as none: a quadratic reader takes far longer.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import TypeVar

Input = TypeVar("Input")

_NOTHING = 0.005
_ATTEMPTS = 5


def assert_linear(make: Callable[[int], Input], run: Callable[[Input], object], size: int = 20_000) -> None:
    """`run` takes an input of `4 * size`, made by `make`, in less than ten times the time of one of `size`."""
    small, large = make(size), make(4 * size)
    for _ in range(_ATTEMPTS):
        spent = _spend(run, large)
        if spent < _NOTHING or spent < 10 * _spend(run, small):
            return
    raise AssertionError(f"{size} took {_spend(run, small):.4f} s, {4 * size} took {spent:.4f} s")


def _spend(run: Callable[[Input], object], value: Input) -> float:
    start = process_time()
    run(value)
    return process_time() - start
