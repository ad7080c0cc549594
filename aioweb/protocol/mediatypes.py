"""Media types and the parameters behind them: Content-Type, and the parameter scanner that Accept and multipart share.

Nothing here raises on what a client sent. A parameter that cannot be read ends the reading; what stood before it
counts. Of a parameter that is given twice the first counts, as in the MIME sniffing standard of the WHATWG. Patterns
are linear: no two neighbouring repeats match the same character (CVE-2024-24762).

Sources: RFC 9110 sections 5.6.6 (parameters) and 8.3 (Content-Type), RFC 6838 section 4.2.8 (structured suffixes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from aioweb.protocol.grammar import TOKEN

OCTET_STREAM = "application/octet-stream"
"""The media type of content that does not name one (RFC 9110 section 8.3)."""

_TOKEN = TOKEN.pattern
# RFC 9110 section 8.3.1: media-type = type "/" subtype parameters, alone or with parameters behind it.
_MEDIA_TYPE = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})(?=[ \t]*(?:;|\Z))")
# The same, but the parts may be missing: what `parse_mimetype` reads.
_MIMETYPE = re.compile(rf"[ \t]*(?:({_TOKEN})(?:/({_TOKEN}))?)?(?=[ \t]*(?:;|\Z))")
# RFC 9110 section 5.6.6, 5.6.4
#   parameters      = *( OWS ";" OWS [ parameter ] )
#   parameter       = parameter-name "=" parameter-value
#   parameter-value = ( token / quoted-string )
#   quoted-string   = DQUOTE *( qdtext / quoted-pair ) DQUOTE
# Two leniencies, neither with a second reading: an unquoted value is any visible ASCII but DQUOTE, comma and semicolon
# (mail software sends boundary=a/b), and a name alone has the empty value ("text/plain;base64"). The look-ahead stands
# inside the optional group; behind it the two runs of OWS could share their work in quadratically many ways.
_PARAMETER = re.compile(
    rf"""[ \t]*;[ \t]*(?:({_TOKEN})(?:=(?:([!#-+\--:<-~]+)|"([^"\\]*(?:\\.[^"\\]*)*)"))?(?=[ \t]*(?:[;,]|\Z)))?""",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
# What a quoted-string may hold that we write: qdtext and quoted-pair of RFC 9110 section 5.6.4, ASCII only.
_QUOTABLE = re.compile(r"[\t -~]*")
_MUST_ESCAPE = re.compile(r'(["\\])')


class ContentType(NamedTuple):
    """A Content-Type that was read. Shared by everybody who asks for the same text, hence immutable."""

    media_type: str
    """`type/subtype` in lower case."""
    parameters: Mapping[str, str]
    """Names in lower case, values as sent, without their quotes; read-only."""

    @property
    def charset(self) -> str | None:
        """The charset parameter as sent; None without one, or if it is empty."""
        return self.parameters.get("charset") or None


class MimeType(NamedTuple):
    """The parts of a media type; each "" where it is missing."""

    type: str
    subtype: str
    suffix: str
    parameters: dict[str, str]


_UNKNOWN = ContentType(OCTET_STREAM, MappingProxyType({}))


@lru_cache(maxsize=256)
def read_content_type(value: str) -> ContentType:
    """Read a Content-Type (RFC 9110 section 8.3); junk is application/octet-stream without parameters.

    The last 256 different values are remembered; a field is bounded by `Limits.field`, so the cache is as well.
    """
    match = _MEDIA_TYPE.match(value)
    if match is None:
        return _UNKNOWN
    parameters, _ = scan_parameters(value, match.end())
    return ContentType(match[1].lower(), MappingProxyType(parameters))


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    """`read_content_type` as a pair of the media type and a dict that the caller may change."""
    media_type, parameters = read_content_type(value)
    return media_type, dict(parameters)


def parse_mimetype(value: str) -> MimeType:
    """Take a media type apart: `application/rss+xml; v=1` is `("application", "rss", "xml", {"v": "1"})`.

    The parts are in lower case; the subtype may be missing, `*` alone is `*/*`, and junk has no parts at all.
    """
    match = _MIMETYPE.match(value)
    if match is None:
        return MimeType("", "", "", {})
    kind, subtype = (match[1] or "").lower(), (match[2] or "").lower()
    if kind == "*" and not subtype:
        subtype = "*"
    suffix = ""
    if "+" in subtype:
        subtype, _, suffix = subtype.rpartition("+")
    return MimeType(kind, subtype, suffix, scan_parameters(value, match.end())[0])


def scan_parameters(value: str, start: int, *, limit: int = 32) -> tuple[dict[str, str], int]:
    """Read the parameters (RFC 9110 section 5.6.6) that begin at `value[start]`, with the semicolon of the first.

    Args:
        value: The whole field value.
        start: Where to begin.
        limit: Read at most so many parameters.

    Returns:
        The parameters, names in lower case, and where the reading stopped: at the end, at a comma, or at what is no
        parameter.
    """
    parameters: dict[str, str] = {}
    for _ in range(limit):
        match = _PARAMETER.match(value, start)
        if match is None:
            break
        start = match.end()
        name, bare, quoted = match.groups()
        if name:
            parameters.setdefault(name.lower(), bare or unescape(quoted or ""))
    return parameters, start


def unescape(quoted: str) -> str:
    """Undo the quoted-pairs of what stood between the quotes of a quoted-string (RFC 9110 section 5.6.4)."""
    return _QUOTED_PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted


def format_content_type(content_type: str, params: Mapping[str, str] | None = None) -> str:
    """Write a Content-Type; a parameter value that is no token is quoted.

    Raises ValueError for a media type that is not `token/token`, a name that is no token, or a value with controls or
    characters outside of ASCII.
    """
    if (match := _MEDIA_TYPE.match(content_type)) is None or match[1] != content_type:
        raise ValueError(f"Content-Type: {content_type!r} is not type/subtype")
    parts = [content_type]
    for name, value in (params or {}).items():
        if TOKEN.fullmatch(name) is None:
            raise ValueError(f"Content-Type: the parameter name {name!r} is not a token")
        if TOKEN.fullmatch(value) is None:
            if _QUOTABLE.fullmatch(value) is None:
                raise ValueError(f"Content-Type: the parameter {name} has an illegal character in {value!r}")
            value = '"' + _MUST_ESCAPE.sub(r"\\\1", value) + '"'
        parts.append(f"{name}={value}")
    return "; ".join(parts)
