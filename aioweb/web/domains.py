"""Rules that pick the requests of a sub-application, by host."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, Final

from yarl import URL


class AbstractRuleMatching(ABC):
    """Which requests belong to a sub-application; override `match`, and `match_host` if the host decides."""

    @abstractmethod
    async def match(self, request: Any) -> bool:
        """The request belongs to the application."""

    def match_host(self, host: str | None) -> bool:
        """The same, if the host (with the port, as in Host) is all that matters; then nothing has to be awaited."""
        raise NotImplementedError(f"{self!r} has to be awaited")

    @abstractmethod
    def get_info(self) -> dict[str, Any]:
        """What kind of rule it is, for introspection."""

    @property
    @abstractmethod
    def canonical(self) -> str:
        """The rule as text."""


_HOST: Final = re.compile(r"(?P<name>[a-z0-9_*](?:[a-z0-9_*.\-]{0,252}))(?::(?P<port>[0-9]{1,5}))?")


class Domain(AbstractRuleMatching):
    """The requests for one host: `example.org`, for all ports, or `example.org:8080`.

    The name may be international. Raises TypeError for what is no str, ValueError for what is no host.
    """

    def __init__(self, domain: str) -> None:
        if not isinstance(domain, str):
            raise TypeError(f"a domain must be a str, not {domain!r}")
        found = _HOST.fullmatch(self._to_ascii(domain.strip()).lower())
        if found is None or ".." in found["name"]:
            raise ValueError(f"{domain!r} is not a domain: a name such as example.org is expected")
        self._name, self._port = found["name"], found["port"]

    @staticmethod
    def _to_ascii(domain: str) -> str:
        if domain.isascii():
            return domain
        name, colon, port = domain.partition(":")
        try:
            return f"{URL.build(scheme='http', host=name).raw_host}{colon}{port}"
        except ValueError as error:
            raise ValueError(f"{domain!r} is not a domain: {error}") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.canonical}>"

    @property
    def canonical(self) -> str:
        """The host in lower case and ASCII, with the port if one was given."""
        return self._name if self._port is None else f"{self._name}:{self._port}"

    def get_info(self) -> dict[str, Any]:
        """The host, as `domain`."""
        return {"domain": self.canonical}

    async def match(self, request: Any) -> bool:
        """The request is for this host."""
        return self.match_host(request.host)

    def match_host(self, host: str | None) -> bool:
        """It is this host, and this port if the rule has one."""
        if not host:
            return False
        name, _, port = host.lower().partition(":")
        return (self._port is None or self._port == port) and self.match_domain(name.removesuffix("."))

    def match_domain(self, host: str) -> bool:
        """It is this host; `host` is a name in lower case without a port."""
        return host == self._name


class MaskDomain(Domain):
    """The requests for all hosts of a mask: `*.example.org`, where `*` is any text, dots included."""

    def __init__(self, domain: str) -> None:
        super().__init__(domain)
        self._mask = re.compile(re.escape(self._name).replace(r"\*", ".*"))

    def match_domain(self, host: str) -> bool:
        """The mask covers the host; `host` is a name in lower case without a port."""
        return self._mask.fullmatch(host) is not None
