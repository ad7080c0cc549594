"""What proxies say of who is behind them: Forwarded (RFC 7239), and the names of nodes that its elders use too.

`parse_forwarded` reads from the left and shows everything. Whoever has to believe something reads from the right
(`forwarded_from_right`): there stands what the nearest proxy has added, and nothing that a client wrote further left,
no open quote and no list of its own making, changes how that is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType

from aioweb.protocol.grammar import TOKEN
from aioweb.protocol.mediatypes import unescape

Address = IPv4Address | IPv6Address

_LIST_LIMIT = 64
# RFC 7239 section 4
#   Forwarded         = 1#forwarded-element
#   forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
#   forwarded-pair    = token "=" ( token / quoted-string )
# Proxies send 1.2.3.4:5678 and [::1] without the quotes that they need; that has one reading, so it passes.
_PAIR = re.compile(
    rf"""[ \t]*(?:({TOKEN.pattern})=(?:([!#-+\--:<-~]+)|"([^"\\]*(?:\\.[^"\\]*)*)")[ \t]*)?([;,]|\Z)""", re.DOTALL
)
# RFC 7239 section 6: node-port = port / obfport;  port = 1*5DIGIT;  obfport = "_" 1*( ALPHA / DIGIT / "." / "_" / "-" )
_NODE_PORT = re.compile(r":(?:[0-9]{1,5}|_[0-9A-Za-z._\-]+)")


def parse_forwarded(values: Iterable[str]) -> tuple[Mapping[str, str], ...]:
    """Read the Forwarded fields (RFC 7239) of a request, in order: one read-only mapping for each proxy's element.

    Names are in lower case, values without their quotes. An element that is malformed, or names a parameter twice,
    ends the reading of its field value; the good ones before it stay. At most 64 elements are read in all.

    Nothing of it can be trusted unless a proxy of your own wrote it.
    """
    elements: list[Mapping[str, str]] = []
    for value in values:
        start = 0
        while (found := _read_element(value, start, len(value))) is not None:
            element, start = found
            if element:
                elements.append(MappingProxyType(element))
            if len(elements) == _LIST_LIMIT:
                return tuple(elements)
            if start > len(value):
                break
    return tuple(elements)


def forwarded_from_right(values: Sequence[str]) -> Iterator[Mapping[str, str] | None]:
    """Read the Forwarded fields of a request from the last element to the first; None for a malformed one is the end.

    A comma in front of what reads as a whole element is its beginning: inside of a quoted string nothing does. So the
    last element is that of the last proxy, whatever stands before it.
    """
    for value in reversed(values):
        end = start = len(value)
        while end >= 0:
            start = value.rfind(",", 0, start)
            found = _read_element(value, start + 1, end)
            if found is not None and found[1] > end:
                if found[0]:
                    yield found[0]
                end = start
            elif start < 0:
                yield None
                return


def _read_element(value: str, start: int, end: int) -> tuple[dict[str, str], int] | None:
    """The element that begins at `start`, and where the next one begins, beyond `end` for none; None if malformed."""
    element: dict[str, str] = {}
    while (match := _PAIR.match(value, start, end)) is not None:
        start = match.end()
        name, bare, quoted, divider = match.groups()
        if name:
            name = name.lower()
            if name in element:
                return None
            element[name] = bare or unescape(quoted or "")
        if divider != ";":
            return element, start if divider else end + 1
    return None


def parse_node(text: str) -> Address | None:
    """The address in the name of a node (RFC 7239 section 6), with or without a port; None for all else.

    All else is `unknown`, what a proxy has made up to hide somebody (`_gazonk`), and what is malformed. An IPv6 address
    may lack its brackets where no port follows, as in X-Forwarded-For. One that stands for an IPv4 address is that.
    """
    text = text.strip(" \t")
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
    elif text.count(":") == 1:
        host, port = text[: text.index(":")], text[text.index(":") :]
    else:
        host, port = text, ""
    if (port and _NODE_PORT.fullmatch(port) is None) or (text.startswith("[") and "]" not in text):
        return None
    return parse_address(host)


def parse_address(text: str) -> Address | None:
    """An IP address without a zone, None if it is none; one that stands for an IPv4 address (::ffff:0:0/96) is that."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address
