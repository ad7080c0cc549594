"""What finding a route costs, with 10, 1,000 and 10,000 of them: it must not grow.

The tables are those of a REST API: `/resource17` and `/resource17/{id}/items/{item}`. Asked for are the last literal,
the last with parts, one of a thousand that differ only after a common part (`/shops/{shop}/page17`), and a path that
is not there. aiohttp is measured next to it where it is installed; its resolve is a coroutine, stepped by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from benchmarks.timing import best_us

SIZES = (10, 1_000, 10_000)
_SHARED = 1_000

Ask = Callable[[str], object]


async def _handler(request: object) -> None:
    """Never called."""


def _fill(router: Any, size: int) -> None:
    for number in range(size):
        router.add_get(f"/resource{number}", _handler)
        router.add_get(f"/resource{number}/{{id}}/items/{{item}}", _handler)
    for number in range(_SHARED):
        router.add_get(f"/shops/{{shop}}/page{number}", _handler)
    router.freeze()


def _aioweb(size: int) -> Ask:
    from aioweb.web.router import UrlDispatcher

    router = UrlDispatcher()
    _fill(router, size)
    return lambda path: router.match("GET", path)


def _aiohttp(size: int) -> Ask:
    from aiohttp.web import UrlDispatcher
    from yarl import URL

    router = UrlDispatcher()
    _fill(router, size)

    def ask(path: str) -> object:
        request = SimpleNamespace(method="GET", rel_url=URL(path))
        try:
            router.resolve(request).send(None)  # type: ignore[arg-type]
        except StopIteration as done:
            return done.value
        raise AssertionError("resolve waits for something")

    return ask


def main() -> None:
    """Print the table."""
    print(f"Finding a route, us (minimum of repeats), Python {sys.version.split()[0]}\n")
    print("| router | routes | literal | with parts | escaped | after a common part | 404 |")
    print("| --- |" + " ---: |" * 6)
    for name, make in (("aioweb", _aioweb), ("aiohttp", _aiohttp)):
        for size in SIZES:
            try:
                ask = make(size)
            except ImportError as exc:
                print(f"| {name} | not installed: {exc} |")
                break
            last = size - 1
            paths = (
                f"/resource{last}",
                f"/resource{last}/42/items/7",
                f"/resource{last}/%D0%B0%20b/items/7",
                f"/shops/7/page{_SHARED - 1}",
                "/nothing/is/here",
            )
            cells = [f"{_measure(ask, path):.2f}" for path in paths]
            print(f"| {name} | {size:,} | {' | '.join(cells)} |")


def _measure(ask: Ask, path: str) -> float:
    return best_us(lambda: ask(path), repeats=10)


if __name__ == "__main__":
    main()
