"""Middlewares: what they may look like, how a chain of them is composed, and the ones that come in the box.

There are two generations, and they mix. The old one is a factory, called and awaited once with the application and the
next handler; it returns the handler that stands in front:

    async def factory(app, handler):
        async def middleware(request):
            return await handler(request)
        return middleware

The modern one is called for each request, and marked:

    @web.middleware
    async def middleware(request, handler):
        return await handler(request)

A chain is composed once, when the application starts; the first of the list stands outermost.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

from aioweb.web.compression import MINIMUM_SIZE, Compression, ContentCoding
from aioweb.web.exceptions import HTTPMove, HTTPPermanentRedirect
from aioweb.web.fileresponse import FileResponse
from aioweb.web.request import Request
from aioweb.web.router import UrlDispatcher
from aioweb.web.signals import FreezableList
from aioweb.web.streamresponse import StreamResponse
from aioweb.web.views import prepare_handler

Handler = Callable[[Request], Awaitable[StreamResponse]]
"""What answers a request."""

Middleware = Callable[..., Awaitable[Any]]
"""A middleware of either generation."""

_F = TypeVar("_F", bound=Callable[..., Any])

_POSITIONAL_OR_KEYWORD: Final = inspect.Parameter.POSITIONAL_OR_KEYWORD
_MARK: Final = "__middleware_version__"
_APPLICATION_NAMES = frozenset({"app", "application", "_app", "_application"})
_REQUEST_NAMES = frozenset({"request", "req", "_request", "_req"})


def middleware(function: _F) -> _F:
    """Mark a coroutine function `(request, handler)` as a modern middleware. Raises TypeError for anything else."""
    if not _is_coroutine_function(function):
        raise TypeError(f"a middleware must be a coroutine function (async def), not {function!r}")
    # A bound method takes no attribute; its function does.
    setattr(getattr(function, "__func__", function), _MARK, 1)
    return function


class Middlewares(FreezableList[Middleware]):
    """The middlewares of an application, outermost first. What is no middleware is refused when it is put in."""

    def __init__(self, items: Iterable[Middleware] = ()) -> None:
        super().__init__(items, "list of middlewares")

    def check(self, item: Middleware) -> None:
        """Raise TypeError for what is no middleware of either generation."""
        is_modern(item)


def is_modern(item: Any) -> bool:
    """Tell the generations apart: True for `(request, handler)`, False for a factory `(app, handler)`.

    The mark of `@web.middleware` decides; without it the name of the first parameter. Raises TypeError for what is no
    coroutine function of two arguments, and for names that leave it open.
    """
    if not _is_coroutine_function(item):
        raise TypeError(f"a middleware must be a coroutine function (async def), not {item!r}")
    if getattr(item, _MARK, None) == 1:
        return True
    names = _required_names(item)
    if len(names) == 2 and names[0] in _APPLICATION_NAMES:
        return False
    if len(names) == 2 and names[0] in _REQUEST_NAMES:
        return True
    raise TypeError(
        f"{item!r} takes ({', '.join(names)}): write `@web.middleware` above `async def mw(request, handler)`, "
        "or name the arguments of a factory (app, handler)"
    )


async def compose(
    app: Any,
    middlewares: Iterable[Middleware],
    handler: Handler,
    guard: Callable[[Handler], Handler] = lambda handler: handler,
) -> Handler:
    """Put middlewares in front of a handler; the first stands outermost. Factories are awaited here, once.

    `guard` is put in front of the handler, and of each middleware.
    """
    handler = guard(handler)
    for item in reversed(list(middlewares)):
        if is_modern(item):
            handler = _put_in_front(item, handler)
        else:
            made = item(app, handler)
            if inspect.isawaitable(made):
                made = await made
            if not callable(made):
                raise TypeError(f"the middleware factory {item!r} returned {made!r} and not a handler")
            handler = prepare_handler(made)
        handler = guard(handler)
    return handler


def _put_in_front(item: Middleware, handler: Handler) -> Handler:
    # The signature of what is called, not of what it wraps: a decorator may name its arguments as it likes.
    second = _parameters(item, follow_wrapped=False)[1:2]
    if second and second[0].kind in (_POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        # A partial by keyword is called in C: no frame of ours between a middleware and the next.
        return functools.partial(item, **{second[0].name: handler})
    return lambda request: item(request, handler)


def _required_names(item: Any) -> list[str]:
    """The names of the positional parameters without a default; of all of them if each has one."""
    positional = [
        parameter
        for parameter in _parameters(item)
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, _POSITIONAL_OR_KEYWORD)
    ]
    required = [parameter for parameter in positional if parameter.default is inspect.Parameter.empty]
    return [parameter.name for parameter in required or positional]


def _parameters(item: Any, *, follow_wrapped: bool = True) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(item, follow_wrapped=follow_wrapped).parameters.values())
    except (TypeError, ValueError):
        return []


# What types.coroutine makes of a function without a yield, such as most factories of old, that nothing else tells.
_WRAPPED_BY_TYPES: Final = types.coroutine(lambda: None).__code__


def _is_coroutine_function(item: Any) -> bool:
    while isinstance(item, functools.partial):
        item = item.func
    for candidate in (item, getattr(type(item), "__call__", None)):  # noqa: B004  # the function behind an instance
        if inspect.iscoroutinefunction(candidate):
            return True
        code = getattr(getattr(candidate, "__func__", candidate), "__code__", None)
        if code is not None and (code.co_flags & inspect.CO_ITERABLE_COROUTINE or code is _WRAPPED_BY_TYPES):
            return True
    return False


_SLASHES: Final = re.compile("//+")


def normalize_path_middleware(
    *,
    append_slash: bool = True,
    remove_slash: bool = False,
    merge_slashes: bool = True,
    redirect_class: type[HTTPMove] = HTTPPermanentRedirect,
) -> Middleware:
    """Make a middleware that redirects a path that no route knows to one that a route knows.

    Args:
        append_slash: try the path with a slash at its end.
        remove_slash: try the path without the slash at its end; excludes append_slash.
        merge_slashes: try the path with each run of slashes as one.
        redirect_class: the redirect; 308 keeps the method and the content.

    The query stays as it is. The target never begins with two slashes, which a browser would take for another host
    (CVE-2021-21330). Raises ValueError if both append_slash and remove_slash are set.
    """
    if append_slash and remove_slash:
        raise ValueError("append_slash and remove_slash exclude each other; set one of them to False")

    @middleware
    async def normalize_path(request: Request, handler: Handler) -> StreamResponse:
        if request.match_info.http_exception is None or request.match_info.http_exception.status != 404:
            return await handler(request)
        for path in _candidates(request.head.path, append_slash, remove_slash, merge_slashes):
            if await _is_known(request, path):
                target, query = f"{request.root_path}{path}", request.head.query
                raise redirect_class(f"{target}?{query}" if query else target)
        return await handler(request)

    return normalize_path


def compress_middleware(
    *, minimum_size: int = MINIMUM_SIZE, codings: Iterable[ContentCoding | str] | None = None
) -> Middleware:
    """Make a middleware that compresses the responses behind it: content at hand, streams, events, and HTTP exceptions.

    It asks `enable_compression` of each response at the moment when its head is decided, so everything that is said
    there of types, sizes, Vary and entity tags holds. These it leaves alone:

    - A response that has decided itself: one of secrets that shows what a client sent (BREACH) calls
      `enable_compression(web.ContentCoding.identity)`.
    - Files: they have packed siblings, which cost nothing, ranges and their kernel.

    Args:
        minimum_size: bytes; smaller content stays as it is.
        codings: what clients may choose from, best first; by default zstd, br, gzip, deflate, as far as their packages
            are there.

    Raises ValueError for a coding that is unknown or not available.
    """
    offered = None if codings is None else tuple(codings)
    Compression(codings=offered)  # it says now what would not do later

    async def enable(_: Request, response: StreamResponse) -> None:
        if not response.compression and not isinstance(response, FileResponse):
            response.enable_compression(minimum_size=minimum_size, codings=offered)

    @middleware
    async def compress(request: Request, handler: Handler) -> StreamResponse:
        request.response_prepare_hooks = (*request.response_prepare_hooks, enable)
        return await handler(request)

    return compress


def _candidates(path: str, append_slash: bool, remove_slash: bool, merge_slashes: bool) -> list[str]:
    """The other spellings of a path, the least changed first."""
    spellings = [path]
    if merge_slashes:
        spellings.append(_SLASHES.sub("/", path))
    if append_slash and not path.endswith("/"):
        spellings += [f"{spelling}/" for spelling in spellings]
    if remove_slash and path.endswith("/"):
        spellings += [spelling.rstrip("/") or "/" for spelling in spellings]
    safe = ("/" + spelling.lstrip("/") for spelling in spellings[1:])
    return [spelling for spelling in dict.fromkeys(safe) if spelling != path]


async def _is_known(request: Request, path: str) -> bool:
    """The router of the outermost application finds a route, or at least another method, for this path."""
    router = request.match_info.apps[0].router
    if type(router).resolve is UrlDispatcher.resolve and not router.needs_resolve:
        # Not by a clone: a middleware may have read the content, and then there is none.
        match_info = router.match(request.method, path, request.host)
    else:
        match_info = await router.resolve(request.clone(rel_url=path))
    return match_info.http_exception is None or match_info.http_exception.status == 405
