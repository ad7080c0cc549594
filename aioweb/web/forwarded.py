"""What is believed of fields in which proxies tell who is behind them: address, scheme, host and prefix of the client.

Anybody can write such a field. So a field counts only if the operator has named it, because a proxy of theirs sets it
or appends to it, and only in requests of connections that come from such a proxy. In a list the last entry is that of
the proxy which has connected; if that entry names another trusted proxy, the one before it is that proxy's, and so on.
The outermost trusted proxy has the last word, and nothing is read behind the first entry that is no address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from multidict import CIMultiDictProxy

from aioweb.log import server_logger
from aioweb.protocol.forwarded import forwarded_from_right, parse_node
from aioweb.protocol.grammar import HOST, ORIGIN_FORM
from aioweb.server.networks import Networks

_FORWARDED: Final = "Forwarded"
_FOR: Final = "X-Forwarded-For"
_REAL_IP: Final = "X-Real-IP"
_PROTO: Final = "X-Forwarded-Proto"
_HOST: Final = "X-Forwarded-Host"
_PORT: Final = "X-Forwarded-Port"
_PREFIX: Final = "X-Forwarded-Prefix"
_FIELDS: Final = (_FORWARDED, _FOR, _REAL_IP, _PROTO, _HOST, _PORT, _PREFIX)
# Some proxies tell the scheme of a WebSocket.
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MOST_HOPS: Final = 64
_REMEMBERED: Final = 1024


class Behind(NamedTuple):
    """What the trusted proxies of a request tell of its client. None, and "", where they tell nothing."""

    remote: str | None = None
    """The address of the client, or of the outermost proxy that could not tell it."""
    scheme: str | None = None
    """ "http" or "https"."""
    host: str | None = None
    """Who was asked, with a port if it is not the scheme's own."""
    port: int | None = None
    """The port that was asked, if it is told beside a host without one."""
    root_path: str = ""
    """What was cut off the front of the path: "" or a slash and more, without a slash at its end."""


NOBODY: Final = Behind()


class TrustedProxies:
    """The proxies that may speak for their clients, and the fields that they write: `forwarded=` of a server.

    Where such a proxy has connected, `request.remote`, `scheme`, `secure`, `host` and `url`, the access log, the routes
    of domains and the check of a WebSocket's origin follow what it says. Requests of all others are what they are.

        web.run_app(app, path="/run/app.sock", forwarded=web.TrustedProxies("unix"))

    Args:
        networks: where the proxies are: "10.0.0.0/8", "::1"; "unix" for whoever connects by a Unix socket; "*" for
            whoever connects at all, where only a proxy can, but its address is not known. Name nothing that clients
            may come from.
        fields: what the proxies write, and do not let through as a client has sent it: X-Forwarded-For or X-Real-IP,
            X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port, X-Forwarded-Prefix; or Forwarded (RFC 7239) alone.

    Raises TypeError and ValueError for networks that are none, and for fields that are unknown or speak of the same.
    """

    def __init__(self, *networks: Any, fields: Iterable[str] = (_FOR, _PROTO)) -> None:
        self._networks = Networks(networks)
        self.fields: frozenset[str] = _read_names(fields)
        """The names of the fields that count."""
        # Clients come again: reading an address takes 10 us, remembering it 0.1.
        self._look_up = lru_cache(maxsize=_REMEMBERED)(self._read_node)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._networks!r} {' '.join(sorted(self.fields))}>"

    def has_peer(self, peername: Any) -> bool:
        """Tell whether the peer of a connection is one of them; `peername` is that of its socket."""
        return self._networks.has_peer(peername)

    def read(self, headers: CIMultiDictProxy[str]) -> Behind:
        """What the fields of a request tell that has come from one of them. What is malformed is left out."""
        if _FORWARDED in self.fields:
            return self._read_forwarded(headers.getall(_FORWARDED, ()))
        remote, hops = self._find_client(headers)
        told = {name: _member(headers.getall(name, ()), hops) for name in self.fields if name in headers}
        scheme = _SCHEMES.get(_good(_PROTO, told.get(_PROTO), _is_scheme).lower())
        port = _good(_PORT, told.get(_PORT), _is_port)
        return Behind(
            remote,
            scheme,
            _good(_HOST, told.get(_HOST), _is_host) or None,
            int(port) if port else None,
            _good(_PREFIX, told.get(_PREFIX), _is_prefix).rstrip("/"),
        )

    def _read_node(self, text: str) -> tuple[str | None, bool]:
        """The address in the name of a node, None if it has none, and whether that is a trusted proxy."""
        address = parse_node(text)
        return (None, False) if address is None else (str(address), self._networks.has_address(address))

    def _find_client(self, headers: CIMultiDictProxy[str]) -> tuple[str | None, int]:
        """The address of the client, and how many entries of lists were written by trusted proxies."""
        if _REAL_IP in self.fields:
            values = headers.getall(_REAL_IP, ())
            remote = self._look_up(values[0])[0] if len(values) == 1 else None
            if remote is None and values:
                _tell(_REAL_IP, ", ".join(values))
            return remote, 1
        remote = None
        hops = 0
        for entry in reversed(_members(headers.getall(_FOR, ())) if _FOR in self.fields else ()):
            hops += 1
            address, is_proxy = self._look_up(entry)
            if address is None:
                _tell(_FOR, entry)
                break
            remote = address
            if hops == _MOST_HOPS or not is_proxy:
                break
        return remote, hops or 1

    def _read_forwarded(self, values: Sequence[str]) -> Behind:
        remote = scheme = host = None
        for hops, element in enumerate(forwarded_from_right(values), 1):
            if element is None:
                _tell(_FORWARDED, ", ".join(values))
                break
            scheme = _SCHEMES.get(_good("proto", element.get("proto"), _is_scheme).lower(), scheme)
            host = _good("host", element.get("host"), _is_host) or host
            address, is_proxy = self._look_up(element.get("for", ""))
            if address is None:
                break  # `unknown`, a name that was made up, or nothing: whoever said that has the last word
            remote = address
            if hops == _MOST_HOPS or not is_proxy:
                break
        return Behind(remote, scheme, host)


def _read_names(fields: Iterable[str]) -> frozenset[str]:
    if isinstance(fields, str):
        raise TypeError(f"fields are given as a list of names, not as {fields!r}")
    known = {name.lower(): name for name in _FIELDS}
    names = set()
    for name in fields:
        if not isinstance(name, str):
            raise TypeError(f"the name of a field is a str, not {name!r}")
        if name.lower() not in known:
            raise ValueError(f"of {name!r} nothing can be read; of {', '.join(_FIELDS)} it can")
        names.add(known[name.lower()])
    if not names:
        raise ValueError("name the fields that the proxies write")
    # A proxy that writes one of these lets the other one through as a client has sent it.
    if _FORWARDED in names and len(names) > 1:
        raise ValueError(f"Forwarded says what X-Forwarded-* say: a proxy writes one or the other, not {sorted(names)}")
    if {_FOR, _REAL_IP} <= names:
        raise ValueError("X-Forwarded-For and X-Real-IP both give the address of the client; name one of them")
    return frozenset(names)


def _members(values: Iterable[str]) -> list[str]:
    members = [member.strip(" \t") for value in values for member in value.split(",")]
    return [member for member in members if member]


def _member(values: Iterable[str], hops: int) -> str:
    """Of a list the entry of the outermost trusted proxy; a shorter one was set, and not appended to."""
    members = _members(values)
    return members[-min(hops, len(members))] if members else ""


def _good(name: str, value: str | None, is_good: Callable[[str], bool]) -> str:
    if value and not is_good(value):
        _tell(name, value)
        return ""
    return value or ""


def _is_scheme(value: str) -> bool:
    return value.lower() in _SCHEMES


def _is_host(value: str) -> bool:
    return HOST.fullmatch(value) is not None


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 5 and 0 < int(value) <= 65535


def _is_prefix(value: str) -> bool:
    # Two slashes would make a host of it, dots another path.
    good = ORIGIN_FORM.fullmatch(value) is not None and "?" not in value and "//" not in value
    return good and not {".", ".."} & set(value.split("/"))


def _tell(name: str, value: str) -> None:
    server_logger.debug("%s of a trusted proxy cannot be read: %.200r", name, value)


def with_port(host: str, port: int | None, scheme: str) -> str:
    """The host with the port that was told beside it, unless it has one or the scheme implies it."""
    has_port = ":" in host and not host.endswith("]")
    return host if port is None or has_port or port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
