"""The header of the PROXY protocol, both versions, whole and in pieces."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.limits import Limits
from aioweb.protocol.proxyprotocol import BadProxyHeader, ProxyHeader, parse_proxy_header

LIMIT = Limits().proxy_header
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = ("192.0.2.1", 4711)
V4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + (4711).to_bytes(2, "big") + b"\0\x50"
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + bytes(16) + (4711).to_bytes(2, "big") + b"\0\x50"
TLS = b"\x20\0\x05\x01\0\0\0\0"


def v2(block: bytes, family: int = 0x11, command: int = 0x21, length: int | None = None) -> bytes:
    size = len(block) if length is None else length
    return SIGNATURE + bytes([command, family]) + size.to_bytes(2, "big") + block


GOOD = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n", CLIENT, False),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ("255.255.255.255", 65535), False),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", ("192.0.2.1", 0), False),
    (b"PROXY TCP6 2001:DB8::1 ::1 4711 80\r\n", ("2001:db8::1", 4711), False),
    (b"PROXY UNKNOWN\r\n", None, False),
    (b"PROXY UNKNOWN ffff::1 whatever it is\r\n", None, False),
    (v2(V4), CLIENT, False),
    (v2(V6, 0x21), ("2001:db8::1", 4711), False),
    (v2(V4 + b"\x03\0\x04abcd"), CLIENT, False),
    (v2(V4 + b"\x04\0\0" + TLS), CLIENT, True),
    (v2(V4 + TLS.replace(b"\x01", b"\x00")), CLIENT, False),
    (v2(V4 + b"\x20\0\x01\x01"), CLIENT, False),
    (v2(V6 + TLS + b"\x05\0\x02ab", 0x21), ("2001:db8::1", 4711), True),
    (v2(bytes(216), 0x31), None, False),
    (v2(b"", 0x00), None, False),
    (v2(TLS, 0x00), None, True),
    (v2(b"", 0x00, 0x20), None, False),
    (v2(b"whatever it is", 0x55, 0x20), None, False),
]
BAD = [
    b"GET / HTTP/1.1\r\n",
    b"\n",
    b"\r\n\r\n\0\r\nQUIX\n",
    b"PROXIES",
    b"proxy TCP4 192.0.2.1 192.0.2.2 4711 80\r\n",
    b"PROXY  TCP4 192.0.2.1 192.0.2.2 4711 80\r\n",
    b"PROXY \r\n",
    b"PROXY TCP4\r\n",
    b"PROXY UDP4 192.0.2.1 192.0.2.2 4711 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80 \r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n",
    b"PROXY TCP4 192.0.2.01 192.0.2.2 4711 80\r\n",
    b"PROXY TCP4 192.0.2 192.0.2.2 4711 80\r\n",
    b"PROXY TCP4 192.0.2.1 host 4711 80\r\n",
    b"PROXY TCP4 2001:db8::1 ::1 4711 80\r\n",
    b"PROXY TCP6 192.0.2.1 192.0.2.2 4711 80\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 4711 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 080\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 +4711 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4_7 80\r\n",
    b"PROXY TCP4 192.0.2.1\xb2 192.0.2.2 4711 80\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 \xb2 80\r\n",
    b"PROXY UNKNOWN " + b"a" * 93,
    v2(V4, command=0x11),
    v2(V4, command=0x22),
    v2(V4, 0x12),
    v2(V4, 0x99),
    v2(V4[:-1]),
    v2(V4, 0x21),
    v2(bytes(215), 0x31),
    v2(V4 + b"\x04"),
    v2(V4 + b"\x04\0"),
    v2(V4 + b"\x04\0\x02a"),
]


@pytest.mark.parametrize(("octets", "source", "secure"), GOOD)
@pytest.mark.parametrize("behind", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\0"])
def test_a_header_is_read(octets: bytes, source: tuple[str, int] | None, secure: bool, behind: bytes) -> None:
    assert parse_proxy_header(octets + behind, LIMIT) == ProxyHeader(len(octets), source, secure)
    assert parse_proxy_header(bytearray(octets + behind), LIMIT) == ProxyHeader(len(octets), source, secure)


@pytest.mark.parametrize("octets", [octets for octets, _, _ in GOOD])
def test_a_header_is_awaited_to_its_last_octet(octets: bytes) -> None:
    assert [parse_proxy_header(octets[:size], LIMIT) for size in range(len(octets))] == [None] * len(octets)


@pytest.mark.parametrize("octets", BAD, ids=ascii)
def test_all_else_is_refused(octets: bytes) -> None:
    with pytest.raises(BadProxyHeader):
        parse_proxy_header(octets, LIMIT)


@pytest.mark.parametrize("octets", [b"", b"P", b"PROXY", b"PROXY ", b"\r", SIGNATURE, v2(b"", length=9)])
def test_what_may_still_become_one_is_awaited(octets: bytes) -> None:
    assert parse_proxy_header(octets, LIMIT) is None


def test_a_line_has_107_octets_at_most() -> None:
    assert parse_proxy_header(b"PROXY UNKNOWN " + b"a" * 91 + b"\r\n", LIMIT) == ProxyHeader(107)
    assert parse_proxy_header(b"PROXY UNKNOWN " + b"a" * 92, LIMIT) is None
    with pytest.raises(BadProxyHeader, match="107"):
        parse_proxy_header(b"PROXY UNKNOWN " + b"a" * 92 + b"\r\n", LIMIT)


def test_the_size_of_version_2_is_bounded() -> None:
    limit = len(v2(V4))
    assert parse_proxy_header(v2(V4), limit) == ProxyHeader(limit, CLIENT)
    with pytest.raises(BadProxyHeader, match=f"{limit} octets, more than {limit - 1}"):
        parse_proxy_header(v2(V4)[:16], limit - 1)


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda rest: v2(rest)), st.binary().map(v2)))
def test_whatever_arrives_is_read_refused_or_awaited(octets: bytes) -> None:
    try:
        header = parse_proxy_header(octets, LIMIT)
    except BadProxyHeader:
        return
    assert header is None or 0 < header.size <= len(octets)


@given(st.sampled_from(GOOD), st.integers(0, 250), st.integers(0, 255))
def test_one_wrong_octet_raises_nothing_else(case: tuple[bytes, object, object], at: int, octet: int) -> None:
    octets = bytearray(case[0])
    octets[at % len(octets)] = octet
    try:
        parse_proxy_header(octets, LIMIT)
    except BadProxyHeader:
        pass
