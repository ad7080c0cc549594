"""FEATURES section U: the code of the talk (seeds/003), modernised only where Python has moved on.

`@asyncio.coroutine` is `types.coroutine` here, as Python 3.11 took it away; everything else stands as on the slides.
gunicorn (U1), sessions (U8), templates (U9), static files (U11) and schemas (U15) belong to later issues.
"""

from __future__ import annotations

import json
import types
from contextlib import contextmanager
from typing import Any

import pytest

from aioweb import web

FORM = "Content-Type: application/x-www-form-urlencoded"


async def test_u1_hello_world_with_a_str_body(serve) -> None:
    @types.coroutine
    def index(request):
        return web.Response(body="Hello, world!", content_type="text/plain")
        yield

    app = web.Application()
    app.router.add_route("GET", "/", index)
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert answer.body == b"Hello, world!"
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_u1_a_plain_function_is_a_handler_too(serve) -> None:
    def index(request):
        return web.Response(body="Hello, world!")

    app = web.Application()
    app.router.add_route("GET", "/", index)
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b"Hello, world!"


async def test_u2_get_holds_the_query_and_has_defaults(serve) -> None:
    @types.coroutine
    def search(request):
        """Search by query from GET params."""
        query = request.GET["query"]
        locale = request.GET.get("locale", "uk_UA")
        return web.Response(text=f"{query} {locale}")
        yield

    app = web.Application()
    app.router.add_route("GET", "/search", search)
    address = await serve(app)
    assert (await address.request("GET", "/search?query=%D1%8F+b")).body == "я b uk_UA".encode()
    assert (await address.request("GET", "/search?query=a&locale=en_US")).body == b"a en_US"


async def test_u3_post_data_is_awaited_and_then_there_as_post(serve) -> None:
    @types.coroutine
    def submit(request):
        """Submit form POST data."""
        data = yield from request.post()
        # Now POST data available as ``request.POST``
        assert request.POST is data
        return web.json_response([*request.POST.items()])

    app = web.Application()
    app.router.add_route("POST", "/submit", submit)
    address = await serve(app)
    answer = await address.request("POST", "/submit", FORM, body=b"name=a+b&tag=1&tag=%D1%8F")
    assert json.loads(answer.body) == [["name", "a b"], ["tag", "1"], ["tag", "я"]]


@pytest.mark.parametrize("template", ["/projects/{project_id}", r"/projects/{project_id:\d+}"])
async def test_u4_match_info_holds_the_parts_of_the_path(serve, template: str) -> None:
    @types.coroutine
    def project(request):
        project_id = request.match_info["project_id"]
        return web.Response(text=project_id)
        yield

    app = web.Application()
    app.router.add_route("GET", template, project)
    address = await serve(app)
    assert (await address.request("GET", "/projects/42")).body == b"42"
    assert (await address.request("GET", "/projects/x")).status == (404 if r"\d" in template else 200)


async def test_u5_a_post_redirects_to_the_named_route_of_its_get(serve) -> None:
    @types.coroutine
    def add_project(request):
        data = yield from request.post()
        request.app["projects"].append(data["name"])
        url = request.app.router["projects"].url()
        return web.HTTPFound(url)

    @types.coroutine
    def projects(request):
        return web.json_response(request.app["projects"])
        yield

    app = web.Application()
    app["projects"] = []
    app.router.add_route("GET", "/projects", projects, name="projects")
    app.router.add_route("POST", "/projects", add_project)
    address = await serve(app)
    answer = await address.request("POST", "/projects", FORM, body=b"name=aioweb")
    assert (answer.status, answer.headers["Location"]) == (302, "/projects")
    assert (await address.request("GET", answer.headers["Location"])).body == b'["aioweb"]'


def immutable_settings(module: Any, **options: Any) -> types.MappingProxyType[str, Any]:
    """As `rororo.settings` does it: the names in capitals, and nobody can change them."""
    values = {name: value for name, value in vars(module).items() if name.isupper()}
    return types.MappingProxyType({**values, **options})


async def test_u6_settings_live_in_the_application_and_a_factory_makes_it(serve) -> None:
    settings = types.SimpleNamespace(DEBUG=False, DEFAULT_LOCALE="uk_UA")

    @types.coroutine
    def search(request):
        settings = request.app["settings"]
        locale = request.GET.get("locale", settings["DEFAULT_LOCALE"])
        with pytest.raises(TypeError):
            settings["DEBUG"] = True
        return web.Response(text=locale)
        yield

    def create_app(**options):
        settings_dict = immutable_settings(settings, **options)
        app = web.Application()
        app["settings"] = settings_dict
        app.router.add_route("GET", "/search", search)
        return app

    for options, locale in (({}, b"uk_UA"), ({"DEFAULT_LOCALE": "en_US"}, b"en_US")):
        address = await serve(create_app(**options))
        assert (await address.request("GET", "/search")).body == locale


@types.coroutine
def trivial_middleware(app, handler):
    @types.coroutine
    def middleware(request):
        return (yield from handler(request))

    return middleware
    yield


async def fail(request):
    raise {"404": web.HTTPNotFound, "500": web.HTTPInternalServerError, "302": lambda: web.HTTPFound("/")}[
        request.match_info["status"]
    ]()


async def test_u7_the_trivial_and_the_error_handler_middleware(serve) -> None:
    @types.coroutine
    def error(request, err):
        return web.Response(status=err.status, text=f"custom page for {err.status}")
        yield

    @types.coroutine
    def errorhandler_middleware(app, handler):
        @types.coroutine
        def middleware(request):
            try:
                return (yield from handler(request))
            except web.HTTPError as err:
                # As its special case we could pass ``err`` as second argument to error handler
                return (yield from error(request, err))

        return middleware
        yield

    app = web.Application(middlewares=[trivial_middleware, errorhandler_middleware])
    app.router.add_route("GET", "/{status}", fail)
    address = await serve(app)
    assert (await address.request("GET", "/404")).body == b"custom page for 404"
    assert (await address.request("GET", "/500")).body == b"custom page for 500"
    assert (await address.request("GET", "/no/such/route")).body == b"custom page for 404"
    assert (await address.request("POST", "/404")).body == b"custom page for 405"
    # A redirect is no error: it passes.
    assert (await address.request("GET", "/302")).headers["Location"] == "/"


async def test_u7_two_factories_of_companions_work_together(serve) -> None:
    # The toolbar and the sessions themselves come with later issues; this is how they hook in.
    async def toolbar_middleware_factory(app, handler):
        async def toolbar(request):
            response = await handler(request)
            response.text = response.text.replace("</body>", f"<i>{request['user_id']}</i></body>")
            return response

        return toolbar

    def session_middleware(storage):
        async def factory(app, handler):
            async def middleware(request):
                request["user_id"] = storage
                return await handler(request)

            return middleware

        return factory

    @types.coroutine
    def page(request):
        return web.Response(text="<body>page</body>", content_type="text/html")
        yield

    app = web.Application(middlewares=[toolbar_middleware_factory, session_middleware("ann")])
    app.router.add_route("GET", "/", page)
    address = await serve(app)
    assert (await address.request("GET", "/")).body == b"<body>page<i>ann</i></body>"


def json_response(data, **kwargs):
    # Sometimes user needs to override default content type for JSON
    kwargs.setdefault("content_type", "application/json")
    # The slide gives the content by position, which `Response` took in no generation.
    return web.Response(body=json.dumps(data), **kwargs)


async def test_u10_a_json_response_of_your_own_and_the_one_in_the_box(serve) -> None:
    async def own(request):
        return json_response({"a": 1})

    async def other_type(request):
        return json_response({"a": 1}, content_type="application/vnd.api+json", status=201)

    async def in_the_box(request):
        return web.json_response({"a": 1})

    app = web.Application()
    for handler in (own, other_type, in_the_box):
        app.router.add_route("GET", f"/{handler.__name__}", handler)
    address = await serve(app)
    answers = [await address.request("GET", path) for path in ("/own", "/other_type", "/in_the_box")]
    assert [json.loads(answer.body) for answer in answers] == [{"a": 1}] * 3
    assert [answer.headers["Content-Type"].partition(";")[0] for answer in answers] == [
        *("application/json", "application/vnd.api+json", "application/json")
    ]
    assert [answer.status for answer in answers] == [200, 201, 200]


class Engine:
    """Stands for the engine of aiopg: connects once, and knows users."""

    made: list[str] = []

    def __init__(self, dsn: str) -> None:
        self.made.append(dsn)
        self.users = {"1": "ann"}


async def create_engine(dsn: str) -> Engine:
    return Engine(dsn)


async def test_u12_the_database_middleware_connects_once_and_keeps_the_engine(serve) -> None:
    @types.coroutine
    def db_middleware(app, handler):
        @types.coroutine
        def middleware(request):
            db = app.get("db")
            if not db:
                app["db"] = db = yield from create_engine(app["dsn"])
            request.app["db"] = db
            return (yield from handler(request))

        return middleware
        yield

    @types.coroutine
    def user_profile(request):
        user_id = request.match_info["user_id"]
        user = request.app["db"].users.get(user_id)
        if not user:
            raise web.HTTPNotFound()
        return web.Response(text=user)
        yield

    Engine.made = []
    app = web.Application(middlewares=[db_middleware])
    app["dsn"] = "postgres://user:password@127.0.0.1:5432/database"
    app.router.add_route("GET", r"/users/{user_id:\d+}", user_profile)
    address = await serve(app)
    answers = [await address.request("GET", path) for path in ("/users/1", "/users/2", "/users/1")]
    assert [answer.status for answer in answers] == [200, 404, 200]
    assert Engine.made == ["postgres://user:password@127.0.0.1:5432/database"]


@contextmanager
def add_route_context(app, views, url_prefix=None, name_prefix=None):
    def add_route(method, url, name):
        view = getattr(views, name)
        url = "/".join((url_prefix.rstrip("/"), url.lstrip("/"))) if url_prefix else url
        name = ".".join((name_prefix, name)) if name_prefix else name
        return app.router.add_route(method, url, view, name=name)

    # The slide returns here, which contextlib has never taken.
    yield add_route


async def test_u13_a_route_context_prefixes_paths_and_names(serve) -> None:
    @types.coroutine
    def index(request):
        router = request.app.router
        project_url = router["api.project"].url(parts={"project_id": 42})
        project_url = project_url.replace("42", "{project_id}")
        return json_response(
            {
                "urls": {
                    "add_project": router["api.add_project"].url(),
                    "project": project_url,
                    "projects": router["api.projects"].url(),
                }
            }
        )
        yield

    def named(name: str) -> Any:
        async def view(request):
            return web.Response(text=" ".join([name, *request.match_info.values()]))

        return view

    names = ("projects", "add_project", "project", "edit_project", "delete_project")
    api_views = types.SimpleNamespace(index=index, **{name: named(name) for name in names})
    app = web.Application()
    with add_route_context(app, api_views, "/api", "api") as add_route:
        add_route("GET", "/", "index")
        add_route("GET", "/projects", "projects")
        add_route("POST", "/projects", "add_project")
        add_route("GET", r"/project/{project_id:\d+}", "project")
        add_route("PUT", r"/project/{project_id:\d+}", "edit_project")
        add_route("DELETE", r"/project/{project_id:\d+}", "delete_project")
    address = await serve(app)
    answer = await address.request("GET", "/api/")
    assert json.loads(answer.body) == {
        "urls": {"add_project": "/api/projects", "project": "/api/project/{project_id}", "projects": "/api/projects"}
    }
    for method, path, said in (
        ("GET", "/api/projects", b"projects"),
        ("POST", "/api/projects", b"add_project"),
        ("GET", "/api/project/42", b"project 42"),
        ("PUT", "/api/project/42", b"edit_project 42"),
        ("DELETE", "/api/project/42", b"delete_project 42"),
    ):
        assert (await address.request(method, path)).body == said


@pytest.mark.parametrize("debug", [True, False])
async def test_u14_an_application_subclass_with_settings_and_a_debug_handler(serve, debug: bool) -> None:
    class Application(web.Application):
        def __init__(self, **kwargs):
            self["settings"] = kwargs.pop("settings")
            super().__init__(**kwargs)

        def make_handler(self, **kwargs):
            kwargs["debug"] = self["settings"]["DEBUG"]
            kwargs["loop"] = self.loop
            return self._handler_factory(self, self.router, **kwargs)

    async def broken(request):
        raise RuntimeError("to be seen with DEBUG only")

    app = Application(settings={"DEBUG": debug})
    app.router.add_route("GET", "/", broken)
    address = await serve(app)
    answer = await address.request("GET", "/")
    assert answer.status == 500
    assert (b"to be seen with DEBUG only" in answer.body) is debug
