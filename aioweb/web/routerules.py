"""What a route asks for its requests beyond its handler: time, size, and what becomes of it when the client goes.

A route says it, or the table, group or resource that it is in, or the application: the nearest word counts. What
nobody says is left to the server and its `Limits`. It is settled when the application starts, so that a request of a
route without a wish never looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from aioweb.server.contract import ClientGone, cancels


def _check_timeout(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
        raise ValueError(f"timeout is a number of seconds, 0 for no limit, or None, not {value!r}")


def _check_status(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    if value not in (None, 503, 504):
        raise ValueError(f"timeout_status is 503 or 504, not {value!r}")


def _check_size(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ValueError(f"client_max_size is a number of bytes, 0 for no limit, or None, not {value!r}")


def _check_client_gone(_: object, attribute: attrs.Attribute[str], value: Any) -> None:
    if value is not None:
        cancels(value)


@attrs.frozen(kw_only=True)
class RouteRules:
    """The wishes of a route; None leaves one to what is around it. Raises ValueError for what cannot be meant."""

    timeout: float | None = attrs.field(default=None, validator=_check_timeout)
    """Seconds that the handler gets, and the middlewares of the route; then it is cancelled. 0 for no limit."""

    timeout_status: int | None = attrs.field(default=None, validator=_check_status)
    """The answer then: 503 (the default), or 504 where the handler waits for another server."""

    client_max_size: int | None = attrs.field(default=None, validator=_check_size)
    """Content that `request.read()` and its kin collect, bytes; 0 for no limit."""

    client_gone: ClientGone | None = attrs.field(default=None, validator=_check_client_gone)
    """What becomes of the handler when its client goes: "cancel" or "finish"."""

    def over(self, around: RouteRules) -> RouteRules:
        """These wishes, and those of what is around where there is none."""
        own = {name: wish for name, wish in attrs.asdict(self).items() if wish is not None}
        return attrs.evolve(around, **own) if own else around

    @property
    def concern_requests(self) -> bool:
        """Something is to be said to each request when it is routed."""
        return self.client_max_size is not None or self.client_gone is not None


NO_RULES: Final = RouteRules()
"""The rules of a route without a wish."""


def read_rules(given: Mapping[str, Any]) -> RouteRules:
    """The rules among keyword arguments. Raises TypeError for what is none, ValueError for a wrong value."""
    if not given:
        return NO_RULES
    names = [field.name for field in attrs.fields(RouteRules)]
    for name in given:
        if name not in names:
            raise TypeError(f"unknown argument {name!r}; of a route's own limits there are {', '.join(names)}")
    return RouteRules(**given)


def apply_rules(request: Any) -> None:
    """Tell a request that was routed what its route asks for. Middlewares find it so."""
    rules: RouteRules = getattr(getattr(request.match_info, "route", None), "rules", NO_RULES)
    if rules.client_max_size is not None:
        request.client_max_size = rules.client_max_size
    if rules.client_gone is not None:
        request.handler_cancellation = cancels(rules.client_gone)
