"""Which peers are meant: networks, single addresses, Unix sockets. Who trusts proxies says it with these."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from aioweb.protocol.forwarded import Address, parse_address

UNIX: Final = "unix"
ANYBODY: Final = "*"
_REMEMBERED: Final = 1024


class Networks:
    """A set of peers.

    Args:
        named: networks ("10.0.0.0/8"), addresses ("::1"), "unix" for everybody on a Unix socket, "*" for whoever
            connects; networks of `ipaddress` too.

    Raises TypeError for what is none of them and for a str in place of a list, ValueError for a str that names nothing,
    a network with bits of a host, and for no network at all.
    """

    def __init__(self, named: Iterable[str | IPv4Network | IPv6Network]) -> None:
        if isinstance(named, str):
            raise TypeError(f"networks are given as a list, not as {named!r}")
        self._named = tuple(str(name) if isinstance(name, (IPv4Network, IPv6Network)) else name for name in named)
        if not self._named:
            raise ValueError("name at least one network, such as '10.0.0.0/8', '127.0.0.1' or 'unix'")
        self._has_everybody = ANYBODY in self._named
        self._has_unix = UNIX in self._named
        self._networks = tuple(_read_network(name) for name in self._named if name not in (UNIX, ANYBODY))
        self._has_host = lru_cache(maxsize=_REMEMBERED)(self._look_up)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(self._named)}>"

    def has_peer(self, peername: Any) -> bool:
        """Tell whether the peer of a socket is one of them.

        Args:
            peername: (host, port) or more; for a Unix socket the path of its other end, mostly ""; None if unknown.
        """
        if isinstance(peername, (tuple, list)):
            return self._has_everybody or self._has_host(peername[0])
        return self._has_everybody or (self._has_unix and isinstance(peername, (str, bytes)))

    def has_address(self, address: Address) -> bool:
        """Tell whether an address that somebody has named is one of them; "*" stands for no such address."""
        return any(address in network for network in self._networks if network.version == address.version)

    def _look_up(self, host: str) -> bool:
        # The zone of a link-local address tells the interface that it was met on.
        address = parse_address(host.partition("%")[0])
        return address is not None and self.has_address(address)


def _read_network(name: object) -> IPv4Network | IPv6Network:
    if not isinstance(name, str):
        raise TypeError(f"a network is a str such as '10.0.0.0/8', '127.0.0.1' or 'unix', not {name!r}")
    try:
        return ip_network(name)
    except ValueError as error:
        raise ValueError(f"{name!r} is neither a network nor an address nor 'unix': {error}") from None
