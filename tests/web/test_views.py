"""Handlers of every kind, and View."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from types import SimpleNamespace
from typing import Any

import pytest

from aioweb.web.exceptions import HTTPMethodNotAllowed
from aioweb.web.views import View, check_expect_handler, prepare_handler


async def coroutine_function(request):
    await asyncio.sleep(0)
    return request


def plain_function(request):
    return request


def gives_a_coroutine(request):
    return coroutine_function(request)


@types.coroutine
def marked_generator(request):
    yield from asyncio.sleep(0)
    return request


class Methods:
    async def coroutine(self, request):
        return request

    def plain(self, request):
        return request

    def generator(self, request):
        yield from coroutine_function(request)
        return request

    @staticmethod
    def static(request):
        return request


class AsyncCallable:
    async def __call__(self, request):
        return request


class PlainCallable:
    def __call__(self, request):
        return request


class GeneratorCallable:
    def __call__(self, request):
        return (yield from coroutine_function(request))


async def two_arguments(other, request):
    return request


HANDLERS = [
    coroutine_function,
    plain_function,
    gives_a_coroutine,
    marked_generator,
    Methods().coroutine,
    Methods().plain,
    Methods().generator,
    Methods.static,
    AsyncCallable(),
    PlainCallable(),
    GeneratorCallable(),
    functools.partial(two_arguments, 1),
    functools.partial(Methods().generator),
    lambda request: request,
    lambda request: Methods().generator(request),
]


@pytest.mark.parametrize("handler", HANDLERS)
async def test_every_kind_of_handler_is_called_and_awaited(handler):
    call = prepare_handler(handler)
    assert await call("request") == "request"
    assert await call("again") == "again"


async def test_an_undecorated_generator_function_may_yield_from_coroutines():
    def handler(request):
        yield from asyncio.sleep(0)
        return (yield from coroutine_function(request))

    assert await prepare_handler(handler)("request") == "request"


@pytest.mark.parametrize(
    "handler", [coroutine_function, marked_generator, Methods().coroutine, AsyncCallable(), Methods().generator]
)
def test_what_can_be_awaited_is_not_wrapped(handler):
    assert prepare_handler(handler) is handler


def test_a_wrapped_handler_keeps_its_name():
    assert prepare_handler(plain_function).__name__ == "plain_function"  # type: ignore[attr-defined]


@pytest.mark.parametrize("handler", [None, "handler", 5, object()])
def test_what_is_not_callable_is_refused(handler):
    with pytest.raises(TypeError) as caught:
        prepare_handler(handler)
    assert repr(handler) in str(caught.value)


def test_a_coroutine_is_refused_with_advice_and_without_a_warning():
    with pytest.raises(TypeError, match="without calling it"):
        prepare_handler(coroutine_function("request"))  # type: ignore[arg-type]


def test_an_asynchronous_generator_is_refused():
    async def handler(request):
        yield request

    with pytest.raises(TypeError, match="asynchronous generator"):
        prepare_handler(handler)


@pytest.mark.parametrize("handler", [None, coroutine_function, marked_generator, AsyncCallable(), Methods().coroutine])
def test_coroutine_functions_are_expect_handlers(handler):
    check_expect_handler(handler)


@pytest.mark.parametrize("handler", [plain_function, PlainCallable(), "text", 1])
def test_others_are_no_expect_handlers(handler):
    with pytest.raises(TypeError, match="must be a coroutine function"):
        check_expect_handler(handler)


class Page(View):
    async def get(self):
        return f"GET {self.request.path}"

    def post(self):
        return "POST"

    def put(self):
        yield from coroutine_function("")
        return "PUT"


def ask(view: type[View], method: str) -> Any:
    request: Any = SimpleNamespace(method=method, path="/page")
    return prepare_handler(view)(request)


@pytest.mark.parametrize(
    ("method", "said"), [("GET", "GET /page"), ("HEAD", "GET /page"), ("POST", "POST"), ("PUT", "PUT")]
)
async def test_a_view_answers_by_the_method_of_that_name(method, said):
    assert await ask(Page, method) == said


@pytest.mark.parametrize("method", ["DELETE", "REQUEST", "get", "_ANSWER", "PURGE"])
async def test_a_view_refuses_other_methods_with_those_that_it_has(method):
    with pytest.raises(HTTPMethodNotAllowed) as caught:
        await ask(Page, method)
    assert caught.value.headers["Allow"] == "GET, HEAD, POST, PUT"
    assert caught.value.method == method


async def test_a_view_with_its_own_head_uses_it():
    class Own(Page):
        async def head(self):
            return "HEAD"

    assert await ask(Own, "HEAD") == "HEAD"


def test_a_view_class_is_called_as_it_is():
    assert prepare_handler(Page) is Page
    assert not inspect.iscoroutinefunction(Page)
