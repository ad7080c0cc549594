"""FEATURES.md row N5: sub-applications, nested three deep, for prefixes and for hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aioweb import web


async def show(request: web.Request) -> web.Response:
    """A handler that answers with the parts of the path."""
    return web.json_response(dict(request.match_info))


def traced(name: str, trace: list[str]) -> web.Application:
    """An application that writes down when its middleware and its signals run."""

    @web.middleware
    async def watch(request, handler):
        trace.append(f"{name} in")
        assert request.app["name"] == name
        try:
            return await handler(request)
        finally:
            assert request.app["name"] == name, "also on the way out"
            trace.append(f"{name} out")

    async def prepare(request, response):
        trace.append(f"{name} prepare")

    def told(what):
        async def receiver(app):
            assert app["name"] == name
            trace.append(f"{name} {what}")

        return receiver

    async def context(app):
        trace.append(f"{name} up")
        yield
        trace.append(f"{name} down")

    app = web.Application(middlewares=[watch])
    app["name"] = name
    app.on_response_prepare.append(prepare)
    app.on_startup.append(told("startup"))
    app.on_shutdown.append(told("shutdown"))
    app.on_cleanup.append(told("cleanup"))
    app.cleanup_ctx.append(context)
    return app


def nest(trace: list[str]) -> tuple[web.Application, ...]:
    """Three applications, each below the one before."""
    root, admin, user = (traced(name, trace) for name in ("root", "admin", "user"))
    root.router.add_get("/", show, name="index")
    admin.router.add_get("/", show, name="index")
    user.router.add_get("/", show, name="list")
    user.router.add_get("/{id:[0-9]+}", show, name="item")
    # In this order every prefix has to travel through what is nested already.
    admin.add_subapp("/user", user, name="user")
    root.add_subapp("/admin/", admin, name="admin")
    return root, admin, user


@pytest.mark.parametrize("inner_first", [True, False])
async def test_n5_prefixes_add_up_in_any_order(inner_first, serve):
    root, admin, user = web.Application(), web.Application(), web.Application()
    if inner_first:
        admin.add_subapp("/b", user)
        root.add_subapp("/a", admin)
    else:
        root.add_subapp("/a", admin)
        admin.add_subapp("/b", user)
    # Routes that come later are below the prefix, too.
    user.router.add_get("/c", show, name="c")
    user.router.add_post("/c", show, name="c")
    user.add_routes([web.get("/d/{x}", show, name="d")])
    assert len(user.router.resources()) == 2
    address = await serve(root)
    assert (await address.request("GET", "/a/b/c")).status == 200
    assert (await address.request("POST", "/a/b/c")).status == 200
    assert (await address.request("GET", str(user.url_for("d", x=1)))).status == 200
    assert (await address.request("GET", "/c")).status == 404


async def test_n5_requests_reach_each_level(serve):
    root, *_ = nest([])
    address = await serve(root)
    for path, parts in [("/", {}), ("/admin/", {}), ("/admin/user/", {}), ("/admin/user/7", {"id": "7"})]:
        answer = await address.request("GET", path)
        assert (answer.status, json.loads(answer.body)) == (200, parts), path
    for path in ("/admin", "/user/7", "/admin/user/x", "/admin/7", "/adminuser", "/admin%2Fuser/7"):
        assert (await address.request("GET", path)).status == 404, path
    answer = await address.request("POST", "/admin/user/7")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_n5_middlewares_and_signals_are_chained_outermost_first(serve):
    trace: list[str] = []
    root, *_ = nest(trace)
    address = await serve(root)
    names = ["root", "admin", "user"]
    assert {f"{name} {what}" for name in names for what in ("up", "startup")} == set(trace)
    trace.clear()
    await address.request("GET", "/admin/user/7")
    assert trace[:3] == [f"{name} in" for name in names]
    assert trace[3:6] == [f"{name} out" for name in reversed(names)]
    assert trace[6:] == [f"{name} prepare" for name in names]
    trace.clear()
    await address.request("GET", "/")
    assert trace == ["root in", "root out", "root prepare"]
    trace.clear()
    await address.request("GET", "/nowhere")
    assert trace == ["root in", "root out", "root prepare"]
    trace.clear()
    assert (await address.request("GET", "/admin/user/nowhere")).status == 404
    assert trace[:3] == [f"{name} in" for name in names], "what is below the prefix is the sub-application's 404"


async def test_n5_starts_and_stops_are_complete():
    trace: list[str] = []
    root, *_ = nest(trace)
    await root.startup()
    started, trace[:] = list(trace), []
    await root.shutdown()
    await root.cleanup()
    for name in ("root", "admin", "user"):
        assert started.index(f"{name} up") < started.index(f"{name} startup")
        assert [line for line in trace if line.startswith(f"{name} ")] == [
            f"{name} shutdown",
            f"{name} down",
            f"{name} cleanup",
        ]


async def test_n5_an_application_below_may_catch_its_own_404(serve):
    @web.middleware
    async def pages(request, handler):
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return web.Response(status=404, text="no such user")

    root, user = web.Application(), web.Application(middlewares=[pages])
    root.add_subapp("/user", user)
    address = await serve(root)
    assert (await address.request("GET", "/user/1")).body == b"no such user"
    assert (await address.request("GET", "/1")).body == b"404: Not Found"


async def test_n5_config_dict_looks_outward(serve):
    seen: list[Any] = []
    shared = web.AppKey("shared", str)

    async def handler(request):
        config = request.config_dict
        seen.append((config["only root"], config["only user"], config["both"], config[shared], config.get("none")))
        seen.append(set(config) >= {"only root", "only user"})
        with pytest.raises(TypeError):
            config["new"] = 1
        return web.Response()

    @web.middleware
    async def outer(request, handler):
        seen.append("only user" in request.config_dict)
        return await handler(request)

    root, admin, user = web.Application(middlewares=[outer]), web.Application(), web.Application()
    root["only root"] = root["both"] = "root"
    user["only user"] = user["both"] = "user"
    admin[shared] = "admin"
    user.router.add_get("/", handler)
    admin.add_subapp("/b", user)
    root.add_subapp("/a", admin)
    address = await serve(root)
    assert (await address.request("GET", "/a/b/")).status == 200
    assert seen == [False, ("root", "user", "user", "admin", None), True]


async def test_n5_match_info_knows_the_applications(serve):
    seen: list[Any] = []

    async def handler(request):
        seen.append(request.match_info.apps)
        seen.append((request.app, request.match_info.current_app))
        return web.Response()

    root, admin, user = nest([])
    user.router.add_get("/handler", handler)
    address = await serve(root)
    assert (await address.request("GET", "/admin/user/handler")).status == 200
    assert seen == [(root, admin, user), (user, user)]


# -- names -------------------------------------------------------------------------------------------------------------


def test_n5_contract_11_names_across_applications():
    root, admin, user = nest([])
    assert str(root.url_for("index")) == "/"
    assert str(root.url_for("admin:index")) == "/admin/"
    assert str(root.url_for("admin:user:item", id=7)) == "/admin/user/7"
    assert str(admin.url_for("user:item", id=7)) == "/admin/user/7"
    assert str(user.url_for("item", id=7)) == "/admin/user/7"
    assert user.router["item"].url(parts={"id": 7}) == "/admin/user/7"
    for name in ("item", "user:item", "admin:item", "admin:user", "admin:user:", ":index", "nobody:index"):
        with pytest.raises((KeyError, RuntimeError)) as caught:
            root.url_for(name, id=7)
        assert name.rpartition(":")[2] in str(caught.value) or name in str(caught.value)


async def test_n5_contract_11_a_request_names_routes_of_its_own_application_first_then_of_those_around(serve):
    seen: list[str] = []

    async def handler(request):
        seen.append(str(request.url_for("index")))
        seen.append(str(request.url_for("item", id=1)))
        seen.append(str(request.url_for("home")))
        seen.append(str(request.url_for("shop:cart")))
        seen.append(str(request.url_for("admin:index")))
        with pytest.raises(KeyError, match="nowhere"):
            request.url_for("nowhere")
        return web.Response()

    root, admin, shop = web.Application(), web.Application(), web.Application()
    root.router.add_get("/", show, name="index")
    root.router.add_get("/home", show, name="home")
    admin.router.add_get("/", handler, name="index")
    admin.router.add_get("/{id}", show, name="item")
    shop.router.add_get("/cart", show, name="cart")
    root.add_subapp("/admin", admin, name="admin")
    root.add_subapp("/shop", shop, name="shop")
    address = await serve(root)
    assert (await address.request("GET", "/admin/")).status == 200
    assert seen == ["/admin/", "/admin/1", "/home", "/shop/cart", "/admin/"]


def test_n5_a_name_below_is_taken_once():
    root = web.Application()
    root.add_subapp("/a", web.Application(), name="same")
    with pytest.raises(ValueError, match="same"):
        root.add_subapp("/b", web.Application(), name="same")


# -- hosts -------------------------------------------------------------------------------------------------------------


async def test_n5_domains_and_masks(serve):
    root, exact, mask, port = (web.Application() for _ in range(4))
    for app, name in [(root, "root"), (exact, "exact"), (mask, "mask"), (port, "port")]:
        app.router.add_get("/", lambda request, name=name: web.Response(text=name))
        app.router.add_get("/item/{id}", show, name="item")
    fresh = web.Application()
    fresh.add_domain("api.example.org", exact, name="api")
    fresh.add_domain("local.example.org:8080", port)
    fresh.add_domain("*.example.org", mask)
    fresh.router.add_get("/", lambda request: web.Response(text="root"))
    address = await serve(fresh)
    for host, name in [
        ("api.example.org", "exact"),
        ("API.Example.org:99", "exact"),
        ("api.example.org.", "exact"),
        ("local.example.org:8080", "port"),
        ("local.example.org", "mask"),
        ("x.example.org", "mask"),
        ("a.b.example.org", "mask"),
        ("example.org", "root"),
        ("xexample.org", "root"),
        ("api.example.org.evil.com", "root"),
    ]:
        assert (await address.request("GET", "/", f"Host: {host}")).body == name.encode(), host
    assert (await address.request("GET", "/nowhere", "Host: api.example.org")).status == 404
    assert (await address.request("POST", "/", "Host: api.example.org")).status == 405
    assert str(fresh.url_for("api:item", id=1)) == "/item/1"


async def test_n5_a_domain_may_hold_prefixes(serve):
    root, api, users = web.Application(), web.Application(), web.Application()
    users.router.add_get("/{id}", show, name="item")
    api.add_subapp("/users", users, name="users")
    root.add_domain("api.example.org", api, name="api")
    address = await serve(root)
    assert (await address.request("GET", "/users/1", "Host: api.example.org")).status == 200
    assert (await address.request("GET", "/users/1")).status == 404
    assert str(root.url_for("api:users:item", id=1)) == "/users/1"


@pytest.mark.parametrize("domain", ["", "a b", "http://a", "a/b", "-", ".example.org", "a..b", "a:b", "ex@mple.org"])
def test_n5_what_is_no_domain_is_refused(domain):
    with pytest.raises(ValueError) as caught:
        web.Application().add_domain(domain, web.Application())
    assert repr(domain) in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "/", "admin", "//", "/{x}"])
def test_n5_what_is_no_prefix_is_refused(prefix):
    with pytest.raises(ValueError):
        web.Application().add_subapp(prefix, web.Application())


def test_n5_what_is_no_application_is_refused():
    for add in (web.Application().add_subapp, web.Application().add_domain):
        with pytest.raises(TypeError, match="object"):
            add("/a", object())
    with pytest.raises(TypeError):
        web.Application().add_subapp(5, web.Application())
    with pytest.raises(TypeError):
        web.Application().add_domain(5, web.Application())


def test_n5_an_application_is_below_one_other_only_and_never_below_itself():
    app, other = web.Application(), web.Application()
    with pytest.raises(RuntimeError):
        app.add_subapp("/self", app)
    app.add_subapp("/other", other)
    with pytest.raises(RuntimeError):
        other.add_subapp("/app", app)
    other.router.add_get("/a", show, name="a")
    with pytest.raises(RuntimeError):
        web.Application().add_subapp("/again", other)
    with pytest.raises(RuntimeError):
        web.Application().add_domain("example.org", other)
    assert str(other.url_for("a")) == "/other/a", "who is refused is not moved"


async def test_n5_what_has_started_takes_no_application_and_is_added_nowhere(serve):
    app = web.Application()
    await serve(app)
    with pytest.raises(RuntimeError, match="started"):
        app.add_subapp("/a", web.Application())
    with pytest.raises(RuntimeError, match="started"):
        web.Application().add_subapp("/a", app)


# -- routers of one's own ----------------------------------------------------------------------------------------------


async def test_n5_an_application_with_a_router_of_its_own_below_a_prefix(serve):
    class Info(web.UrlMappingMatchInfo):
        """What the router below answers."""

    class Everything(web.AbstractRouter):
        async def resolve(self, request):
            route = web.Route("*", answer)
            return Info({"path": request.path}, route)

    async def answer(request):
        return web.json_response({**request.match_info, "apps": len(request.match_info.apps)})

    root, below = web.Application(), web.Application(router=Everything())
    root.router.add_get("/a", show)
    root.add_subapp("/below", below, name="below")
    address = await serve(root)
    assert json.loads((await address.request("GET", "/below/x")).body) == {"path": "/below/x", "apps": 2}
    assert (await address.request("GET", "/a")).status == 200
    assert (await address.request("GET", "/belowx")).status == 404
    with pytest.raises(KeyError, match="below:x"):
        root.url_for("below:x")


async def test_n5_an_application_below_may_override_how_it_resolves(serve):
    class Shouting(web.UrlDispatcher):
        async def resolve(self, request):
            return await super().resolve(request.clone(rel_url=request.raw_path.lower()))

    root, below = web.Application(), web.Application(router=Shouting())
    below.router.add_get("/a", show)
    root.add_subapp("/below", below)
    address = await serve(root)
    assert (await address.request("GET", "/below/A")).status == 200
    assert (await address.request("GET", "/BELOW/a")).status == 404
