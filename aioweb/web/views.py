"""Handlers: everything that may answer a request, made callable in one way, and `View`, a handler that is a class.

What users give is looked at once, when a route is registered. Coroutine functions, `types.coroutine` generators, views
and objects whose `__call__` is one of them are called as they are; only a plain callable is wrapped.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any, Final

from aioweb.web.exceptions import HTTPMethodNotAllowed
from aioweb.web.request import Request
from aioweb.web.streamresponse import StreamResponse

HandlerLike = Callable[[Any], Any]
"""What may be given as a handler: called with the request, it returns a response, or what gives one when awaited."""

PreparedHandler = Callable[[Any], Awaitable[Any]]
"""A handler that is called with the request and then awaited, whatever it was before."""

_METHODS: Final = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")


class View:
    """A handler with a method for each HTTP method: `async def get(self)`, `post`, `put` and so on.

    One is made per request. Methods may be of every kind that handlers are, without the argument. HEAD is answered by
    `get` where there is no `head`; a method that is not defined is answered by 405, with those that are in Allow.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method in _METHODS:
            _mark_generator(getattr(cls, method.lower(), None))

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def request(self) -> Request:
        """The request to answer."""
        return self._request

    def __await__(self) -> Generator[Any, None, StreamResponse]:
        return self._answer().__await__()

    async def _answer(self) -> Any:
        method = self._request.method
        answer = getattr(self, method.lower(), None) if method in _METHODS else None
        if answer is None and method == "HEAD":
            answer = getattr(self, "get", None)
        if answer is None:
            raise HTTPMethodNotAllowed(method, self._allowed_methods())
        return await finish(answer())

    def _allowed_methods(self) -> Iterable[str]:
        allowed = {method for method in _METHODS if getattr(self, method.lower(), None) is not None}
        return allowed | {"HEAD"} if "GET" in allowed else allowed


def prepare_handler(handler: HandlerLike) -> PreparedHandler:
    """Make of a handler something that is called with the request and awaited.

    A generator function that `types.coroutine` did not mark (a handler of aiohttp 0.17) is marked, so it may
    `yield from` coroutines.

    Raises TypeError for what cannot be a handler.
    """
    if not callable(handler):
        if inspect.iscoroutine(handler):
            handler.close()
            raise TypeError(f"a handler must be callable, not {handler!r}: give the function without calling it")
        raise TypeError(f"a handler must be callable, not {handler!r}")
    if _is_view(handler):
        return handler
    function = _function_of(handler)
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"{handler!r} is an asynchronous generator; a handler returns its response")
    if _mark_generator(function):
        return handler
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(function):
        return handler

    async def call(request: Any) -> Any:
        return await finish(handler(request))

    return functools.update_wrapper(call, handler, updated=())


def _mark_generator(function: Any) -> bool:
    """Let a generator function be awaited, and yield from coroutines. False for what is none."""
    if not inspect.isgeneratorfunction(function):
        return False
    types.coroutine(function)
    return True


def _is_view(handler: object) -> bool:
    return isinstance(handler, type) and issubclass(handler, View)


def check_expect_handler(handler: Callable[[Any], Awaitable[Any]] | None) -> None:
    """Raise TypeError for an expect handler that is neither None nor a coroutine function."""
    if handler is None:
        return
    function = _function_of(handler)
    if not any(map(inspect.iscoroutinefunction, (handler, function))) and not _is_marked_generator(function):
        raise TypeError(f"an expect handler must be a coroutine function, not {handler!r}")


def _function_of(handler: Any) -> Any:
    """The function that runs in the end: of a method, a partial, an object with `__call__`."""
    while True:
        if isinstance(handler, functools.partial):
            handler = handler.func
        elif inspect.ismethod(handler):
            handler = handler.__func__
        elif inspect.isroutine(handler) or isinstance(handler, type):
            return handler
        elif callable(handler):
            handler = type(handler).__call__
        else:
            return handler


def _is_marked_generator(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & inspect.CO_ITERABLE_COROUTINE)


async def finish(result: Any) -> Any:
    """What a handler returned, awaited if it is to be awaited; a generator is run."""
    if isinstance(result, types.GeneratorType):
        return await _run_generator(result)
    return await result if hasattr(result, "__await__") else result


@types.coroutine
def _run_generator(generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return (yield from generator)
