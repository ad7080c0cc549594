"""The format of access logs: compiled once, into a template for `%` and one function for each atom.

So a line costs one call per atom, one interpolation, and one look at the whole whether anything has to be escaped. Both
dialects are understood: that of Apache and today's aiohttp (`%a %{Referer}i`), and that of gunicorn and aiohttp 0.17
(`%(h)s %({Referer}i)s`).

Whatever a client could have written is escaped: a line stays one line, a quoted field stays one field (CWE-117;
CVE-2020-7694 was a log that printed escape sequences out of paths). Octets come back from it, nothing is lost.
"""

from __future__ import annotations

import os
import re
import time as clock
from collections.abc import Callable
from copy import copy
from functools import lru_cache
from typing import Any, Final

Atom = Callable[[Any, Any, float], object]
"""(request, response, seconds) -> what the line shows: a number, or text that may have to be escaped."""

_ESCAPED: Final = tuple(
    f"\\{chr(octet)}" if octet in b'"\\' else chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}"
    for octet in range(256)
)


def escape(text: str) -> str:
    r"""Return the text as printable ASCII that can stand between double quotes.

    A quote becomes `\"`, a backslash `\\`, any other octet outside of 0x20 to 0x7e `\xNN` (Apache's way). The octets
    are those of UTF-8, and for surrogates (PEP 383) those that the client sent.
    """
    try:
        octets = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate of the application's own making
        octets = text.encode("utf-8", "surrogatepass")
    return "".join([_ESCAPED[octet] for octet in octets])


_PLAIN: Final = bytes(octet for octet in range(256) if _ESCAPED[octet] == chr(octet))


def _odd_octets(text: str) -> bytes:
    """Those of its octets that `escape` would escape: none, if two calls in C say so."""
    return text.encode("utf-8", "surrogatepass").translate(None, _PLAIN)


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(maxsize=16)  # the seconds in which the requests that end now have started
def clf_time(second: int) -> str:
    """Return a Unix time as the common log format shows it, in local time: `[10/Oct/2000:13:55:36 -0700]`."""
    at = clock.localtime(second)
    month = _MONTHS[at.tm_mon - 1]  # strftime's %b would follow the locale
    return clock.strftime(f"[%d/{month}/%Y:%H:%M:%S %z]", at)


@lru_cache(maxsize=16)
def iso_time(second: int) -> str:
    """Return a Unix time as ISO 8601 in UTC, without fraction and zone: `2000-10-10T20:55:36`."""
    return clock.strftime("%Y-%m-%dT%H:%M:%S", clock.gmtime(second))


_ATOMS: Final[dict[str, Atom]] = {
    "remote": lambda request, response, seconds: request.remote or "-",
    "start": lambda request, response, seconds: clf_time(int(clock.time() - seconds)),
    # The process is asked each time: a pre-loading parent compiles the format before it forks.
    "process": lambda request, response, seconds: f"<{os.getpid()}>",
    "request line": lambda request, response, seconds: (
        f"{request.method} {request.raw_path} {_protocol(request.version)}"
    ),
    "method": lambda request, response, seconds: request.method,
    "path": lambda request, response, seconds: request.raw_path.partition("?")[0],
    "query": lambda request, response, seconds: request.raw_path.partition("?")[2] or "-",
    "protocol": lambda request, response, seconds: _protocol(request.version),
    "status": lambda request, response, seconds: response.status,
    "bytes": lambda request, response, seconds: response.body_length,
    "seconds": lambda request, response, seconds: round(seconds),
    "decimal seconds": lambda request, response, seconds: f"{seconds:.6f}",
    "milliseconds": lambda request, response, seconds: round(seconds * 1_000),
    "microseconds": lambda request, response, seconds: round(seconds * 1_000_000),
    "dash": lambda request, response, seconds: "-",
    "referer": lambda request, response, seconds: request.head.fields.get("Referer") or "-",
    "user agent": lambda request, response, seconds: request.head.fields.get("User-Agent") or "-",
}
_NAMED_ATOMS: Final[dict[str, Callable[[str], Atom]]] = {
    "i": lambda name: lambda request, response, seconds: request.head.fields.get(name) or "-",
    "o": lambda name: lambda request, response, seconds: response.headers.get(name) or "-",
    "e": lambda name: lambda request, response, seconds: os.environ.get(name) or "-",
}
_OF_THE_REQUEST_LINE: Final = {_ATOMS[name] for name in ("request line", "method", "path", "query", "protocol")}


def _protocol(version: tuple[int, int]) -> str:
    return "HTTP/1.1" if version == (1, 1) else f"HTTP/{version[0]}.{version[1]}"


_APACHE: Final = (
    {"a": "remote", "t": "start", "P": "process"}
    | {"r": "request line", "s": "status", "b": "bytes"}
    | {"T": "seconds", "Tf": "decimal seconds", "D": "microseconds"}
)
_GUNICORN: Final = (
    # l is the identity of RFC 1413, which nobody asks for; u the user: what that means is the application's affair.
    {"h": "remote", "l": "dash", "u": "dash", "t": "start", "p": "process", "f": "referer", "a": "user agent"}
    | {"r": "request line", "m": "method", "U": "path", "q": "query", "H": "protocol"}
    | {"s": "status", "b": "bytes", "B": "bytes"}
    | {"T": "seconds", "M": "milliseconds", "D": "microseconds", "L": "decimal seconds"}
)

# One match for each `%`: an atom, `%%`, or (last) a lone percent sign with what stands there, for the message.
_APACHE_ATOM: Final = re.compile(r"%(?:\{(?P<name>[^{}]+)\}(?P<kind>\w)|(?P<atom>%|Tf|\w)|.?)", re.DOTALL)
_GUNICORN_ATOM: Final = re.compile(
    r"%(?:\((?:\{(?P<name>[^{}]+)\}(?P<kind>\w)|(?P<letter>\w+))\)s|(?P<atom>%)|(?:\([^)]*\)?)?.?)", re.DOTALL
)
_GUNICORN_DIALECT: Final = re.compile(r"(?<!%)(?:%%)*%\(")


class LineFormat:
    """A format that was compiled. An access logger makes one, and keeps it.

    Args:
        log_format: literal text with atoms; `%%` is a percent sign. A `%(` anywhere makes the dialect gunicorn's.

    Raises:
        ValueError: an atom is unknown; the message names it and the known ones.
    """

    __slots__ = ("_atoms", "_odd", "_template")

    def __init__(self, log_format: str) -> None:
        self._template, self._atoms = _compile(log_format)
        self._odd = _odd_octets(self._template % (("",) * len(self._atoms)))

    def fill(self, request: Any, response: Any, seconds: float) -> str:
        """Return the line of one exchange."""
        values = tuple([atom(request, response, seconds) for atom in self._atoms])
        line = self._template % values
        # Nearly no client sends anything to be escaped: then what is odd in the line is what is odd in the format.
        if _odd_octets(line) == self._odd:
            return line
        return self._template % tuple([escape(value) if isinstance(value, str) else value for value in values])

    def for_refusals(self) -> LineFormat:
        """The same for what never became a request: a dash for those atoms that show its line."""
        other = copy(self)
        other._atoms = tuple(_ATOMS["dash"] if atom in _OF_THE_REQUEST_LINE else atom for atom in self._atoms)
        return other


def _compile(log_format: str) -> tuple[str, tuple[Atom, ...]]:
    """A template with one `%s` for each of the atoms."""
    gunicorn = _GUNICORN_DIALECT.search(log_format) is not None
    pattern, known = (_GUNICORN_ATOM, _GUNICORN) if gunicorn else (_APACHE_ATOM, _APACHE)
    atoms: list[Atom] = []

    def slot(match: re.Match[str]) -> str:
        found = match.groupdict()
        if found["atom"] == "%":
            return "%%"
        if found["kind"] in _NAMED_ATOMS:
            atoms.append(_NAMED_ATOMS[found["kind"]](found["name"]))
        elif (letters := found.get("letter") or found["atom"]) in known:
            atoms.append(_ATOMS[known[letters]])
        else:
            written = "%({})s" if gunicorn else "%{}"
            choice = " ".join(written.format(atom) for atom in [*known, "{Name}i", "{Name}o", "{Name}e"])
            raise ValueError(f"unknown atom {match[0]!r} in the access log format {log_format!r}; known: {choice} %%")
        return "%s"

    return pattern.sub(slot, log_format), tuple(atoms)
