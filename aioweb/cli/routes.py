"""`python -m aioweb routes module:app`: the table of routes, for people."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Iterator
from typing import Any

from aioweb import web
from aioweb.cli.loading import Loaded, wait_for


def print_routes(app: Loaded) -> int:
    """Print one line for each route: its method, path, name and handler. Returns the exit code."""
    made = app if isinstance(app, web.Application) else asyncio.run(wait_for(app))
    rows = [("METHOD", "PATH", "NAME", "HANDLER"), *_rows(made)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))
    return 0


def _rows(app: web.Application) -> Iterator[tuple[str, str, str, str]]:
    for resource in app.router.resources():
        domain = resource.canonical if isinstance(resource, web.MatchedSubAppResource) else ""
        for route in resource:
            # The routes of a sub-application know their own resource, which has the whole path.
            own = route.resource or resource
            yield route.method, f"{domain}{own.canonical or '/'}", own.name or "", _name(route.handler)


def _name(handler: Any) -> str:
    inner = inspect.unwrap(handler)
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return f"{getattr(inner, '__module__', None) or type(inner).__module__}.{name}"
