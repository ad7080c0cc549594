"""The PROXY protocol, versions 1 and 2: by its header a proxy tells, before anything else, whose connection it is.

    header = parse_proxy_header(buffer, limit)     None: more octets are needed
    header.source                                  the client; None if the proxy speaks for itself, or does not know
    buffer[header.size:]                           what the client sends

As its specification (haproxy.org, proxy-protocol.txt) demands, a receiver does not guess whether there is a header:
what does not begin like one is refused at the first octet that differs. Of version 2's further values (TLVs) only that
of TLS is read; the others, its checksum among them, are skipped, for TCP has one.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

import attrs

from aioweb.protocol.errors import ProtocolError

_TEXT: Final = b"PROXY "
_LONGEST_TEXT: Final = 107
_BINARY: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED: Final = 16
_LOCAL, _PROXY = 0x20, 0x21
# Family and transport of version 2, and the octets of its addresses. Datagrams carry no HTTP/1.1.
_ADDRESSES: Final = {0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}
_TLS: Final = 0x20
_CLIENT_TLS: Final = 0x01


class BadProxyHeader(ProtocolError):
    """Octets that are no header of the PROXY protocol. No status answers them: nobody knows that it is HTTP."""


@attrs.frozen
class ProxyHeader:
    """What a proxy says of a connection."""

    size: int
    """Octets of the header; what follows is the client's."""
    source: tuple[str, int] | None = None
    """Address and port of the client; None for a connection of the proxy's own (a health check) and for a client
    without an address: the peer is who it is."""
    secure: bool = False
    """The client speaks TLS with the proxy (PP2_TYPE_SSL)."""


def parse_proxy_header(buffer: bytes | bytearray, limit: int) -> ProxyHeader | None:
    """Read the header at the beginning of a connection.

    Args:
        buffer: All that has arrived.
        limit: Octets that a header of version 2 has at most; one of version 1 never has more than 107.

    Returns:
        The header, or None as long as it may still become one.

    Raises:
        BadProxyHeader: It is none, or too long.
    """
    if buffer[:1] == _TEXT[:1]:
        return _parse_text(buffer)
    if buffer[: len(_BINARY)] != _BINARY[: len(buffer)]:
        raise BadProxyHeader("no PROXY protocol")
    return _parse_binary(buffer, limit)


def _parse_text(buffer: bytes | bytearray) -> ProxyHeader | None:
    if buffer[: len(_TEXT)] != _TEXT[: len(buffer)]:
        raise BadProxyHeader("no PROXY protocol")
    end = buffer.find(b"\r\n", 0, _LONGEST_TEXT)
    if end < 0:
        if len(buffer) >= _LONGEST_TEXT:
            raise BadProxyHeader(f"a PROXY line without an end in {_LONGEST_TEXT} octets")
        return None
    words = bytes(buffer[:end]).split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(end + 2)  # whatever follows the word is to be ignored
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise BadProxyHeader(f"a PROXY line that is none: {_show(buffer[:end])}")
    try:
        kind = IPv4Address if words[1] == b"TCP4" else IPv6Address
        source, _ = (_read_address(kind, word) for word in words[2:4])
        port, _ = (_read_port(word) for word in words[4:])
    except ValueError:
        raise BadProxyHeader(f"a PROXY line with a wrong address: {_show(buffer[:end])}") from None
    return ProxyHeader(end + 2, (source, port))


def _read_address(kind: type[IPv4Address] | type[IPv6Address], word: bytes) -> str:
    if b"%" in word:
        raise ValueError(word)  # a zone means something on one machine only
    return str(kind(word.decode("ascii")))


def _read_port(word: bytes) -> int:
    # One way to write a number: digits, no zero in front, no sign (int() takes more).
    if not word.isdigit() or len(word) > 5 or (word[:1] == b"0" and word != b"0") or int(word) > 65535:
        raise ValueError(word)
    return int(word)


def _parse_binary(buffer: bytes | bytearray, limit: int) -> ProxyHeader | None:
    if len(buffer) < _FIXED:
        return None
    command, family = buffer[12], buffer[13]
    size = _FIXED + int.from_bytes(buffer[14:_FIXED], "big")
    if command not in (_LOCAL, _PROXY):
        raise BadProxyHeader(f"version and command 0x{command:02x} of the PROXY protocol are unknown")
    if size > limit:
        raise BadProxyHeader(f"a PROXY header of {size} octets, more than {limit}")
    if len(buffer) < size:
        return None
    if command == _LOCAL:
        return ProxyHeader(size)
    length = _ADDRESSES.get(family)
    if length is None or size < _FIXED + length:
        raise BadProxyHeader(f"a PROXY header of {size} octets with the family 0x{family:02x}")
    block = bytes(buffer[_FIXED:size])
    secure = _tells_tls(block, length)
    if family == 0x11:
        return ProxyHeader(size, (str(IPv4Address(block[:4])), int.from_bytes(block[8:10], "big")), secure)
    if family == 0x21:
        return ProxyHeader(size, (str(IPv6Address(block[:16])), int.from_bytes(block[32:34], "big")), secure)
    return ProxyHeader(size, None, secure)


def _tells_tls(block: bytes, at: int) -> bool:
    """Read the values behind the addresses; True if one says that the client speaks TLS."""
    secure = False
    while at < len(block):
        end = at + 3 + int.from_bytes(block[at + 1 : at + 3], "big")
        if at + 3 > len(block) or end > len(block):
            raise BadProxyHeader("a PROXY header ends in the middle of a value")
        if block[at] == _TLS and end >= at + 8:
            secure = bool(block[at + 3] & _CLIENT_TLS)
        at = end
    return secure


def _show(octets: bytes | bytearray) -> str:
    return ascii(bytes(octets))[1:][:80]
