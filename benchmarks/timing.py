"""How the micro benchmarks measure: the minimum of many repeats, which is the repeat that others disturbed least."""

from __future__ import annotations

import timeit
from collections.abc import Callable

_REPEATS = 30
_SECONDS = 0.01


def best_us(function: Callable[[], object], *, repeats: int = _REPEATS) -> float:
    """The least time of one call of `function`, in microseconds.

    Args:
        function: called without arguments, in loops of about 10 ms; the collector is off meanwhile.
        repeats: number of such loops, of which the fastest counts.
    """
    timer = timeit.Timer(function)
    number = 1
    while (seconds := timer.timeit(number)) < _SECONDS:
        number = max(number + 1, int(number * min(10, 1.2 * _SECONDS / max(seconds, 1e-9))))
    return min(timer.repeat(repeats, number)) / number * 1e6
