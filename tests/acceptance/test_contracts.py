"""Contracts 4 and 11 of the design: routes, and the comforts that belong to the core."""

from __future__ import annotations

import asyncio
import json
import random
import re

import pytest

from aioweb import web


async def show(request: web.Request) -> web.Response:
    """A handler that answers with the parts of the path."""
    return web.json_response(dict(request.match_info))


def adding(name: str):
    """A middleware that adds its name to X-Seen; the innermost is first."""

    @web.middleware
    async def middleware(request, handler):
        response = await handler(request)
        response.headers.add("X-Seen", name)
        return response

    return middleware


# -- contract 4: routes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["/{name}", "/{name:[^{}/]+}", "/<name>", "/<name:[^{}/]+>"])
async def test_contract_4_four_spellings_of_a_part_mean_the_same(template, serve):
    app = web.Application()
    route = app.router.add_get(template, show)
    address = await serve(app)
    for value in ("a", "a b", "ä", "a/b", "50%"):
        answer = await address.request("GET", route.url(parts={"name": value}))
        assert json.loads(answer.body) == {"name": value}
    for path in ("/", "/a/b"):
        assert (await address.request("GET", path)).status == 404


def test_contract_4_the_index_agrees_with_a_linear_scan():
    templates = [
        *("/", "/a", "/a/", "/a/b", "/{x}", "/a/{x}", "/{x}/b", "/{x:.*}", "/a/{x:.+}", "/{x}/{y}", "/a{x}", "/{x}a"),
        *("/{x:[0-9]+}", "/{x:[0-9]+}/b", "/a b", "/{x}//", "//a", "/{x:a|a/b}", "/a/{x}/c", "/{x}-{y}", "/ä/{x}"),
    ]
    segments = ["", "a", "b", "c", "7", "a%20b", "%2F", "a-b", "%C3%A4", "%", "ba"]
    choose = random.Random(4)
    for _ in range(200):
        router = web.UrlDispatcher()
        for number, template in enumerate(choose.sample(templates, 6)):
            router.add_route(choose.choice(["GET", "POST", "*"]), template, show, name=f"n{number}")
        for _ in range(20):
            path = "/" + "/".join(choose.choices(segments, k=choose.randint(1, 3)))
            found = router.match("GET", path)
            matching = [route for route in router.routes() if route.match(path) is not None]
            answering = [route for route in matching if route.method in ("GET", "*")]
            if answering:
                assert found.route is answering[0], (path, list(router.routes()))
                assert dict(found) == answering[0].match(path)
            else:
                assert found.http_exception.status == (405 if matching else 404), (path, list(router.routes()))


# -- contract 11: prefix -----------------------------------------------------------------------------------------------


async def test_contract_11_a_prefix_groups_routes_of_one_router(serve):
    app = web.Application()
    with app.router.prefix("/api", name="api", middlewares=[adding("api")]) as api:
        api.add_get("/users", show, name="users")
        api.add_post("/users", show, name="users")
        api.add_routes([web.get("/users/{id}", show, name="user", middlewares=[adding("route")])])
        with api.prefix("/{version:v[12]}", name="new", middlewares=[adding("new")]) as new:
            new.add_view("/items", show, name="items")
    app.router.add_get("/plain", show)
    assert list(app.router) == ["api.users", "api.user", "api.new.items"]
    address = await serve(app)
    for path, seen in [
        ("/api/users", ["api"]),
        ("/api/users/7", ["route", "api"]),
        ("/api/v2/items", ["new", "api"]),
        ("/plain", []),
    ]:
        answer = await address.request("GET", path)
        assert (answer.status, answer.headers.getall("X-Seen", [])) == (200, seen), path
    assert (await address.request("POST", "/api/users")).status == 200
    assert (await address.request("GET", "/api")).status == 404
    assert (await address.request("GET", "/api/v3/items")).status == 404
    assert str(app.url_for("api.new.items", version="v1")) == "/api/v1/items"


@pytest.mark.parametrize("prefix", ["", "/", "api", "/api/", "/{"])
def test_contract_11_what_is_no_prefix_is_refused(prefix):
    with pytest.raises(ValueError) as caught:
        web.UrlDispatcher().prefix(prefix)
    assert repr(prefix) in str(caught.value)


def test_contract_11_u13_a_context_of_routes_as_the_talk_has_it():
    router = web.UrlDispatcher()
    with router.prefix("/api", name="api") as api:
        for method, path, name in [
            ("GET", "/projects", "projects"),
            ("POST", "/projects", "projects"),
            ("GET", r"/projects/{project_id:\d+}", "project"),
            ("PUT", r"/projects/{project_id:\d+}", "project"),
            ("DELETE", r"/projects/{project_id:\d+}", "project"),
            ("GET", "/", "index"),
        ]:
            api.add_route(method, path, show, name=name)
    assert router["api.projects"].url() == "/api/projects"
    assert router["api.project"].url(parts={"project_id": 5}) == "/api/projects/5"
    assert router["api.index"].url() == "/api/"


# -- contract 11: names ------------------------------------------------------------------------------------------------


async def test_contract_11_a_request_builds_urls_by_name(serve):
    async def handler(request):
        return web.json_response(
            [str(request.url_for("user", id=7)), str(request.url_for("admin:user", id="a b").with_query(q=1))]
        )

    app, admin = web.Application(), web.Application()
    app.router.add_get("/", handler)
    app.router.add_get("/users/{id}", show, name="user")
    admin.router.add_get("/users/{id}", show, name="user")
    app.add_subapp("/admin", admin, name="admin")
    address = await serve(app)
    urls = json.loads((await address.request("GET", "/")).body)
    assert urls == ["/users/7", "/admin/users/a%20b?q=1"]
    for url in urls:
        assert (await address.request("GET", url)).status == 200


async def test_contract_11_a_missing_part_is_named_and_a_part_may_be_called_name(serve):
    async def handler(request):
        assert str(request.url_for("page", name="x", self="y")) == "/x/y"
        with pytest.raises(KeyError, match="'self'"):
            request.url_for("page", name="x")
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    app.router.add_get("/{name}/{self}", show, name="page")
    address = await serve(app)
    assert (await address.request("GET", "/")).status == 200


# -- contract 11: middlewares ------------------------------------------------------------------------------------------


async def test_contract_11_middlewares_on_route_resource_and_table(serve):
    routes = web.RouteTableDef(middlewares=[adding("table")], prefix="/t", name="t")
    routes.get("/plain", name="plain")(show)
    routes.get("/more", middlewares=[adding("route"), adding("inner")])(show)
    app = web.Application(middlewares=[adding("app")])
    app.add_routes(routes)
    resource = app.router.add_resource("/resource", middlewares=[adding("resource")])
    resource.add_route("GET", show)
    resource.add_route("POST", show, middlewares=[adding("route")])
    app.router.add_get("/alone", show, middlewares=[adding("route")])
    app.router.add_get("/none", show)
    address = await serve(app)
    for method, path, seen in [
        ("GET", "/t/plain", ["table", "app"]),
        ("GET", "/t/more", ["inner", "route", "table", "app"]),
        ("GET", "/resource", ["resource", "app"]),
        ("POST", "/resource", ["route", "resource", "app"]),
        ("GET", "/alone", ["route", "app"]),
        ("GET", "/none", ["app"]),
    ]:
        answer = await address.request(method, path)
        assert (answer.status, answer.headers.getall("X-Seen")) == (200, seen), path
    assert str(app.url_for("t.plain")) == "/t/plain"


async def test_contract_11_middlewares_of_a_route_may_be_factories_and_are_composed_once(serve):
    made = []

    async def factory(app, handler):
        made.append(app)

        async def middleware(request):
            assert request.match_info["x"] == "1"
            if request.method == "DELETE":
                return web.Response(status=403)
            return await handler(request)

        return middleware

    app, below = web.Application(), web.Application()
    below.router.add_route("*", "/{x}", show, middlewares=[factory])
    app.add_subapp("/below", below)
    address = await serve(app)
    for _ in range(3):
        assert (await address.request("GET", "/below/1")).status == 200
    assert (await address.request("DELETE", "/below/1")).status == 403
    assert made == [below]


async def test_contract_11_middlewares_on_a_view(serve):
    class Item(web.View):
        async def get(self):
            return web.Response(text="item")

    app = web.Application()
    app.router.add_view("/", Item, middlewares=[adding("view")])
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert (answer.body, answer.headers["X-Seen"]) == (b"item", "view")


@pytest.mark.parametrize("middleware", [None, "name", 5])
def test_contract_11_what_is_no_middleware_is_refused(middleware):
    router = web.UrlDispatcher()
    for add in (
        lambda: router.add_get("/", show, middlewares=[middleware]),
        lambda: router.add_resource("/", middlewares=[middleware]),
        lambda: router.prefix("/a", middlewares=[middleware]),
        lambda: web.RouteTableDef(middlewares=[middleware]),
    ):
        with pytest.raises(TypeError, match=re.escape(repr(middleware))):
            add()
    assert len(router.resources()) == 0


# -- contract 11: spawn ------------------------------------------------------------------------------------------------


async def test_contract_11_a_spawned_task_outlives_its_request_and_is_awaited_at_the_stop():
    done = []
    go = asyncio.Event()

    async def nested():
        for _ in range(20):
            await asyncio.sleep(0)
        done.append("nested")

    async def work():
        await go.wait()
        app.spawn(nested())
        done.append("work")

    app = web.Application()
    await app.startup()
    task = app.spawn(work(), name="work")
    assert isinstance(task, asyncio.Task)
    assert task.get_name() == "work"
    await app.shutdown()
    asyncio.get_running_loop().call_soon(go.set)
    await app.cleanup()
    assert sorted(done) == ["nested", "work"]
    assert task.done()


async def test_contract_11_what_a_handler_spawns_goes_on_when_the_client_is_gone(serve):
    go, done = asyncio.Event(), asyncio.Event()

    async def work():
        await go.wait()
        done.set()

    async def handler(request):
        request.app.spawn(work())
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", handler)
    address = await serve(app, handler_cancellation=True)
    peer = await address.connect()
    assert (await peer.request("POST", "/")).status == 202
    peer.abort()
    go.set()
    await asyncio.wait_for(done.wait(), 5)


async def test_contract_11_the_failure_of_a_spawned_task_is_logged_once(serve, caplog):
    async def work():
        raise LookupError("the reason")

    failed = []

    class Watch(web.Observer):
        def task_failed(self, task, error):
            failed.append((task.get_name(), error))

    app = web.Application()
    app.observers.append(Watch())
    await serve(app)
    task = app.spawn(work(), name="mailer")
    with pytest.raises(LookupError):
        await task
    await asyncio.sleep(0)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "mailer" in record.getMessage()
    assert record.exc_info[0] is LookupError
    assert failed == [("mailer", task.exception())]


async def test_contract_11_a_task_that_does_not_end_is_cancelled_at_the_stop(caplog):
    ended = []

    async def work(spawn_again):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(spawn_again)
            if spawn_again:
                app.spawn(work(False))

    app = web.Application(limits=web.Limits(lingering_time=0.05))
    await app.startup()
    app.spawn(work(True))
    await asyncio.sleep(0)
    await app.shutdown()
    await app.cleanup()
    assert ended[0] is True
    assert len(asyncio.all_tasks()) == 1, "nothing is left"
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "to be cancelled is no failure"


async def test_contract_11_each_application_waits_for_its_own_tasks_before_its_contexts_end():
    order = []

    def context(name):
        async def run(app):
            yield
            order.append(f"{name} closed")

        return run

    async def work(name):
        await asyncio.sleep(0)
        order.append(f"{name} worked")

    app, below = web.Application(), web.Application()
    for each, name in [(app, "app"), (below, "below")]:
        each.cleanup_ctx.append(context(name))
    app.add_subapp("/below", below)
    await app.startup()
    app.spawn(work("app"))
    below.spawn(work("below"))
    await app.shutdown()
    await app.cleanup()
    assert sorted(order) == ["app closed", "app worked", "below closed", "below worked"]
    for name in ("app", "below"):
        assert order.index(f"{name} worked") < order.index(f"{name} closed")


@pytest.mark.parametrize("wrong", [None, show, 5])
async def test_contract_11_what_is_no_coroutine_is_refused(wrong):
    with pytest.raises(TypeError):
        web.Application().spawn(wrong)
