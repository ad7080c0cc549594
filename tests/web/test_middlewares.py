"""Middlewares without a server: what is one, how a chain is composed, and which paths are tried."""

from __future__ import annotations

import functools
import types
from typing import Any

import pytest

from aioweb.web.application import Application
from aioweb.web.exceptions import HTTPFound, HTTPNotFound, HTTPPermanentRedirect
from aioweb.web.middlewares import Middlewares, compose, is_modern, middleware, normalize_path_middleware
from aioweb.web.response import Response
from aioweb.web.router import UrlDispatcher
from aioweb.web.views import View
from tests.web.fake_requests import make

APP: Any = "the application"


async def innermost(request: Any) -> Any:
    return [*request, "handler"]


async def factory(app: Any, handler: Any) -> Any:
    async def made(request: Any) -> Any:
        return await handler([*request, f"factory of {app}"])

    return made


async def modern(request: Any, handler: Any) -> Any:
    return await handler([*request, "modern"])


# -- which generation --------------------------------------------------------------------------------------------------


def named(*names: str, defaults: int = 0) -> Any:
    """A coroutine function with these parameters."""
    namespace: dict[str, Any] = {}
    parameters = [*names[: len(names) - defaults], *(f"{name}=None" for name in names[len(names) - defaults :])]
    exec(f"async def function({', '.join(parameters)}): ...", namespace)
    return namespace["function"]


@pytest.mark.parametrize("first", ["request", "req", "_request", "_req"])
def test_the_name_of_the_first_parameter_tells_a_modern_one(first: str) -> None:
    assert is_modern(named(first, "handler")) is True
    assert is_modern(named(first, "next_one")) is True


@pytest.mark.parametrize("first", ["app", "application", "_app", "_application"])
def test_the_name_of_the_first_parameter_tells_a_factory(first: str) -> None:
    assert is_modern(named(first, "handler")) is False


def test_parameters_with_defaults_do_not_count_unless_all_have_one() -> None:
    assert is_modern(named("request", "handler", "option", defaults=1)) is True
    assert is_modern(named("app", "handler", "option", "other", defaults=2)) is False
    assert is_modern(named("request", "handler", defaults=2)) is True


@pytest.mark.parametrize(
    "names", [(), ("request",), ("app",), ("one", "two"), ("self", "request", "handler"), ("*args",)]
)
def test_what_cannot_be_told_is_refused_with_what_to_write(names: tuple[str, ...]) -> None:
    shown = ", ".join(name for name in names if "*" not in name)
    with pytest.raises(TypeError, match=rf"takes \({shown}\): write `@web.middleware` above"):
        is_modern(named(*names))


def test_a_function_without_a_signature_cannot_be_told_but_may_be_marked() -> None:
    function = named("request", "handler")
    function.__signature__ = 1
    with pytest.raises(TypeError, match=r"takes \(\)"):
        is_modern(function)
    assert is_modern(middleware(function)) is True


def test_the_mark_decides_whatever_the_names() -> None:
    assert is_modern(middleware(named("app", "handler"))) is True


class Holder:
    """Methods and a call that are coroutine functions."""

    async def modern(self, request: Any, handler: Any) -> Any:
        return await handler([*request, "method"])

    async def __call__(self, app: Any, handler: Any) -> Any:
        return await factory("an object", handler)


def test_methods_objects_and_partials_are_looked_through() -> None:
    assert is_modern(Holder().modern) is True
    assert is_modern(Holder()) is False
    assert is_modern(functools.partial(named("option", "request", "handler"), 1)) is True
    assert is_modern(functools.partial(functools.partial(named("a", "b", "app", "handler"), 1), 2)) is False
    assert is_modern(functools.wraps(factory)(named("*args"))) is False


def test_a_bound_method_can_be_marked() -> None:
    class Unclear:
        async def method(self, one: Any, two: Any) -> Any: ...

    with pytest.raises(TypeError, match="method"):
        is_modern(Unclear().method)
    assert is_modern(middleware(Unclear().method)) is True


def test_a_marked_generator_is_a_coroutine_function() -> None:
    @types.coroutine
    def old(app: Any, handler: Any) -> Any:
        yield

    assert is_modern(old) is False


def plain_generator(app: Any, handler: Any) -> Any:
    yield


async def async_generator(app: Any, handler: Any) -> Any:
    yield


@pytest.mark.parametrize(
    "wrong", [len, print, View, 1, "text", None, lambda app, handler: handler, plain_generator, async_generator]
)
def test_anything_else_is_refused(wrong: Any) -> None:
    for refuse in (is_modern, middleware):
        with pytest.raises(TypeError, match=r"must be a coroutine function \(async def\)"):
            refuse(wrong)


def test_the_list_refuses_at_every_door() -> None:
    items = Middlewares([factory, modern])
    assert items == [factory, modern]
    for refuse in (items.append, lambda item: items.extend([item]), lambda item: items.__setitem__(0, item)):
        with pytest.raises(TypeError, match="coroutine function"):
            refuse(len)
    items.freeze()
    with pytest.raises(RuntimeError, match="the list of middlewares cannot be changed"):
        items.append(modern)
    assert items == [factory, modern]


# -- the chain ---------------------------------------------------------------------------------------------------------


async def test_an_empty_chain_is_the_handler() -> None:
    assert await compose(APP, [], innermost) is innermost


async def test_the_first_stands_outermost_and_generations_mix() -> None:
    chain: Any = await compose(APP, [modern, factory, Holder().modern, Holder()], innermost)
    order = ["modern", "factory of the application", "method", "factory of an object", "handler"]
    assert await chain([]) == order
    assert await chain([]) == order


@pytest.mark.parametrize(
    "parameters", ["request, handler", "request, handler, /", "request, *, handler", "request, *rest", "*both"]
)
async def test_the_handler_reaches_every_kind_of_second_parameter(parameters: str) -> None:
    namespace: dict[str, Any] = {}
    value = {"rest": "rest[0]", "both": "both[1]"}.get(parameters.rpartition("*")[2], "handler")
    exec(f"async def item({parameters}): return await {value}(['reached'])", namespace)
    chain: Any = await compose(APP, [middleware(namespace["item"])], innermost)
    assert await chain([]) == ["reached", "handler"]


async def test_a_decorator_may_name_its_arguments_as_it_likes() -> None:
    @functools.wraps(modern)
    async def wrapper(one: Any, two: Any) -> Any:
        return await modern(one, two)

    chain: Any = await compose(APP, [wrapper], innermost)
    assert await chain([]) == ["modern", "handler"]


async def test_a_modern_middleware_costs_no_frame_of_ours() -> None:
    chain = await compose(APP, [modern], innermost)
    assert isinstance(chain, functools.partial)


async def test_a_factory_may_return_every_kind_of_handler() -> None:
    def made(request: Any) -> Any:
        return [*request, "a plain function"]

    async def plain(app: Any, handler: Any) -> Any:
        return made

    chain: Any = await compose(APP, [modern, plain], innermost)
    assert await chain([]) == ["modern", "a plain function"]


@pytest.mark.parametrize("nothing", [None, 1, Response()])
async def test_a_factory_that_returns_no_handler_is_named(nothing: Any) -> None:
    async def careless(app: Any, handler: Any) -> Any:
        return nothing

    with pytest.raises(TypeError, match=r"the middleware factory .*careless.* returned .* and not a handler"):
        await compose(APP, [careless], innermost)


# -- normalize_path_middleware -----------------------------------------------------------------------------------------


def test_append_and_remove_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        normalize_path_middleware(remove_slash=True)


class Awaited(UrlDispatcher):
    """A router that is awaited."""

    async def resolve(self, request: Any) -> Any:
        return self.match(request.method, request.head.path)


async def normalized(target: str, *known: str, method: str = "GET", router: Any = None, **options: Any) -> Any:
    """What the middleware answers to a target: a location, or "passed on"."""
    app = Application(router=router)
    for path in known:
        app.router.add_get(path, innermost)
    request = make(method, target)
    request.match_info = app.router.match(method, request.head.path)
    request.match_info.add_app(app)

    async def handler(request: Any) -> Any:
        return "passed on"

    item: Any = normalize_path_middleware(**options)
    try:
        return await item(request, handler)
    except HTTPPermanentRedirect as redirect:
        return redirect.headers["Location"]


@pytest.mark.parametrize(
    ("target", "known", "options", "answer"),
    [
        ("/a", ["/a"], {}, "passed on"),
        ("/a", ["/b"], {}, "passed on"),
        ("/a", ["/a/"], {}, "/a/"),
        ("/a?b=c", ["/a/"], {}, "/a/?b=c"),
        ("/a?", ["/a/"], {}, "/a/"),
        ("/a/", ["/a"], {}, "passed on"),
        ("/a/", ["/a"], {"append_slash": False, "remove_slash": True}, "/a"),
        ("///", ["/"], {"append_slash": False, "remove_slash": True}, "/"),
        ("//a//b", ["/a/b"], {}, "/a/b"),
        ("//a//b", ["/a/b/"], {}, "/a/b/"),
        ("//a//b", ["/a/b"], {"merge_slashes": False}, "passed on"),
        # The least changed first.
        ("/a//b", ["/a/b", "/a//b/", "/a/b/"], {}, "/a/b"),
        ("/a//b", ["/a//b/", "/a/b/"], {}, "/a//b/"),
    ],
)
async def test_paths_that_are_tried(target: str, known: list[str], options: dict[str, Any], answer: str) -> None:
    assert await normalized(target, *known, **options) == answer


async def test_a_405_is_an_answer_and_no_reason_to_look_for_another_path() -> None:
    assert await normalized("/a", "/a", "/a/", method="POST") == "passed on"


async def test_a_path_that_knows_another_method_is_known() -> None:
    assert await normalized("/a", "/a/", method="POST") == "/a/"


async def test_a_router_of_your_own_is_awaited() -> None:
    assert await normalized("/a?b", "/a/", router=Awaited()) == "/a/?b"
    assert await normalized("/a", "/b/", router=Awaited()) == "passed on"


async def test_another_redirect_can_be_chosen() -> None:
    with pytest.raises(HTTPFound):
        await normalized("/a", "/a/", redirect_class=HTTPFound)


async def test_what_has_no_other_path_gets_its_404_from_the_handler() -> None:
    app = Application()
    request = make("GET", "/a")
    request.match_info = app.router.match("GET", "/a")
    request.match_info.add_app(app)
    item: Any = normalize_path_middleware(append_slash=False)
    with pytest.raises(HTTPNotFound):
        await item(request, request.match_info.handler)


async def test_a_factory_of_old_without_a_yield_is_one() -> None:
    @types.coroutine
    def factory(app: Any, handler: Any) -> Any:
        @types.coroutine
        def middleware(request: Any) -> Any:
            response = yield from handler(request)
            return (response, "seen")

        return middleware

    async def handler(request: Any) -> Any:
        return "answer"

    composed = await compose(None, [factory], handler)
    assert await composed(None) == ("answer", "seen")  # type: ignore[arg-type,comparison-overlap]
