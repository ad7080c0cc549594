"""Server-sent events, as a client reads them (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from aioweb import web


async def read_lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The lines of UTF-8 text that arrives in pieces, without their ends: LF, CR or CRLF."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).splitlines(keepends=True) or [b""]
        if rest.endswith(b"\n"):
            lines, rest = [*lines, rest], b""
        for line in lines:
            yield _text(line)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "replace")


async def read_events(pieces: AsyncIterable[bytes], *, comments: bool = False) -> AsyncIterator[web.ServerSentEvent]:
    """The events of a stream that arrives in pieces; one that is not complete at the end is none.

    `comments`: give those too that hold nothing but a comment, such as heartbeats.
    """
    given: dict[str, Any] = {}
    first = True
    async for line in read_lines(pieces):
        if first:
            line, first = line.removeprefix("\ufeff"), False
        if not line:
            if given.keys() - ({"comment"} if not comments else set()):
                yield web.ServerSentEvent(**given)
            given = {}
            continue
        name, _, value = line.partition(":")
        _take_field(given, name, value.removeprefix(" "))


def _take_field(given: dict[str, Any], name: str, value: str) -> None:
    if name in ("data", ""):
        name = name or "comment"
        given[name] = f"{given[name]}\n{value}" if name in given else value
    elif name == "event" or (name == "id" and "\0" not in value):
        given[name] = value
    elif name == "retry" and value.isascii() and value.isdigit():
        given[name] = int(value)
