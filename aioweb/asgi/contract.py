"""The words of ASGI 3 that both directions use: scopes, messages, and who passes them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
"""What a connection is: its type, its path, its headers ..."""
Message = MutableMapping[str, Any]
"""One event; its "type" says which."""
Receive = Callable[[], Awaitable[Message]]
"""Gives an application the next message."""
Send = Callable[[Message], Awaitable[None]]
"""Takes a message of an application, and waits as long as its client is slow."""
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An application as ASGI 3 calls it."""

HTTP_SPEC = "2.5"
"""The version of the HTTP part of the specification that we speak; WebSockets are described in the same one."""


def takes(called: Any, *arguments: object) -> bool:
    """Tell whether it can be called with as many arguments; True for what does not say, as compiled functions may."""
    try:
        inspect.signature(called).bind(*arguments)
    except TypeError:
        return False
    except ValueError:
        return callable(called)
    return True
