"""Request ids: one name for a request, in its response, in every line that is logged meanwhile, and upstream.

app = web.Application(middlewares=[web.request_id_middleware()])
handler.addFilter(web.RequestIdFilter())          a handler of logging, whose format has %(request_id)s

The id stands in a context variable of the request's task: whatever runs there, or in a task that began there, has it.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aioweb.protocol.grammar import TOKEN
from aioweb.web.middlewares import Handler, Middleware, middleware
from aioweb.web.request import Request, RequestKey
from aioweb.web.streamresponse import StreamResponse

REQUEST_ID: Final = RequestKey("REQUEST_ID", str)
"""The id of a request: `request[web.REQUEST_ID]`, behind `request_id_middleware`."""

_current: ContextVar[str | None] = ContextVar("request_id", default=None)
# What UUIDs, trace ids, base64 and hosts are written with: nothing that means something to a log, a shell or a page.
_SANE: Final = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")


def make_request_id() -> str:
    """A new id: 32 hexadecimal digits, at random."""
    return uuid.uuid4().hex


def request_id() -> str | None:
    """The id of the request that this code works for; None where there is none."""
    return _current.get()


def request_id_middleware(
    *,
    header: str = "X-Request-ID",
    accept: bool | Callable[[Request], bool] = True,
    make: Callable[[], str] = make_request_id,
) -> Middleware:
    """Make a middleware that gives each request an id; put it outermost.

    The id is in `request[web.REQUEST_ID]`, in `web.request_id()`, and in a field of every response, error pages and
    WebSockets included; see `RequestIdFilter` for the lines of a log.

    Args:
        header: the field of requests and responses.
        accept: take the id that the client sends, if it is sane: one, of 1 to 128 letters, digits and `._~+/=:@-`.
            False takes none; a callable is asked with the request: `lambda request: request.proxies is not None` takes
            those of trusted proxies (see `TrustedProxies`).
        make: makes the id of all others.

    Raises ValueError for a header that is no name of a field.
    """
    if not TOKEN.fullmatch(header):
        raise ValueError(f"{header!r} is not a name of a field")

    @middleware
    async def give_id(request: Request, handler: Handler) -> StreamResponse:
        sent = request.headers.getall(header, [])
        is_welcome = len(sent) == 1 and _SANE.fullmatch(sent[0]) and (accept(request) if callable(accept) else accept)
        id_ = request[REQUEST_ID] = sent[0] if is_welcome else make()
        _current.set(id_)

        async def tell_client(_: Any, response: StreamResponse) -> None:
            response.headers[header] = id_

        request.response_prepare_hooks = (*request.response_prepare_hooks, tell_client)
        return await handler(request)

    return give_id


class RequestIdFilter(logging.Filter):
    """Puts the id of the request into every record, as `request_id`, for formats with `%(request_id)s`.

    Add it to handlers: the filters of a logger are not asked for the records of its children.

    Args:
        missing: what stands in records of no request.
    """

    def __init__(self, missing: str = "-") -> None:
        super().__init__()
        self.missing = missing

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; True, for every record passes."""
        record.request_id = _current.get() or self.missing
        return True
