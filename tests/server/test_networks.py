"""Networks: which peers are meant."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from aioweb.server.networks import Networks

ALL = Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "unix", ip_network("172.16.0.0/12")])


@pytest.mark.parametrize(
    ("peername", "known"),
    [
        (("10.1.2.3", 80), True),
        (["10.1.2.3", 80], True),
        (("11.1.2.3", 80), False),
        (("192.0.2.7", 80), True),
        (("192.0.2.8", 80), False),
        (("172.31.0.1", 80), True),
        (("::ffff:10.1.2.3", 80, 0, 0), True),
        (("2001:db8:1::2", 80, 0, 0), True),
        (("2001:db8:1::2%eth0", 80, 0, 2), True),
        (("::1", 80, 0, 0), True),
        (("::2", 80, 0, 0), False),
        (("example.org", 80), False),
        ("", True),
        ("/run/client.sock", True),
        (b"\0abstract", True),
        (None, False),
    ],
)
def test_peers_are_known_by_their_address(peername: Any, known: bool) -> None:
    assert ALL.has_peer(peername) is known


def test_unix_sockets_are_unknown_unless_they_are_named() -> None:
    assert not Networks(["0.0.0.0/0", "::/0"]).has_peer("")
    assert not Networks(["unix"]).has_peer(("127.0.0.1", 80))


@pytest.mark.parametrize("peername", [("192.0.2.1", 80), ("::1", 80, 0, 0), "", None])
def test_an_asterisk_is_whoever_connects_but_no_address_that_is_told(peername: Any) -> None:
    assert Networks(["*"]).has_peer(peername)
    assert not Networks(["*"]).has_address(ip_address("192.0.2.1"))


def test_addresses_that_are_told_are_looked_up() -> None:
    assert ALL.has_address(ip_address("10.0.0.1"))
    assert ALL.has_address(ip_address("2001:db8::1"))
    assert not ALL.has_address(ip_address("192.0.2.1"))
    assert not ALL.has_address(ip_address("::10.0.0.1"))


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ("10.0.0.0/8", TypeError, "as a list, not as '10.0.0.0/8'"),
        ([], ValueError, "name at least one network"),
        ([10], TypeError, "not 10"),
        ([["10.0.0.0/8"]], TypeError, r"not \['10"),
        (["10.0.0.1/8"], ValueError, "has host bits set"),
        (["proxy.example"], ValueError, "'proxy.example' is neither a network nor an address"),
    ],
)
def test_what_names_no_peers_is_an_error(named: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Networks(named)


def test_it_tells_what_it_is() -> None:
    assert repr(Networks(["10.0.0.0/8", "unix"])) == "<Networks 10.0.0.0/8 unix>"
