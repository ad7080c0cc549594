"""Flask and Django, their real releases, below a prefix of an aioweb application."""

from __future__ import annotations

import io
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import django
import flask
import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse

from aioweb import web, wsgi
from aioweb.testing import TestClient

OCTETS = bytes(range(256)) * 1000
IDENTITY = {"Accept-Encoding": "identity"}

# -- one application, written twice ------------------------------------------------------------------------------------


def make_flask(file: Path) -> Any:
    app = flask.Flask("flask_site")
    app.secret_key = "secret"
    app.ended = threading.Event()  # type: ignore[attr-defined]

    @app.get("/")
    def hello() -> str:
        return "Hello"

    @app.post("/form")
    def form() -> Any:
        file = flask.request.files["file"]
        return {"name": flask.request.form["name"], "file": [file.filename, len(file.read())]}

    @app.post("/echo")
    def echo() -> Any:
        content = flask.request.stream
        return flask.Response(iter(lambda: content.read(1000), b""))

    @app.post("/size")
    def size() -> Any:
        return {"size": len(flask.request.get_data()), "json": flask.request.is_json}

    @app.get("/count")
    def count() -> Any:
        def lines() -> Iterator[str]:
            for number in range(3):
                yield f"{number} {flask.request.args['word']}\n"

        response = flask.Response(flask.stream_with_context(lines()), mimetype="text/plain")
        response.call_on_close(app.ended.set)  # type: ignore[attr-defined]
        return response

    @app.get("/file")
    def send() -> Any:
        return flask.send_file(file, mimetype="application/octet-stream", conditional=True)

    @app.get("/where/<path:rest>", endpoint="where")
    def where(rest: str) -> Any:
        request = flask.request
        return {
            "rest": rest,
            "url": request.url,
            "here": flask.url_for("where", rest=rest),
            "root": request.root_path,
            "remote": request.remote_addr,
        }

    @app.get("/visit")
    def visit() -> str:
        flask.session["visits"] = flask.session.get("visits", 0) + 1
        return f"{flask.session['visits']}"

    @app.get("/go")
    def go() -> Any:
        return flask.redirect(flask.url_for("hello"))

    @app.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError

    return app


DJANGO: dict[str, Any] = {}


def django_echo(request: HttpRequest) -> Any:
    return StreamingHttpResponse(iter(lambda: request.read(1000), b""), content_type="application/octet-stream")


def django_form(request: HttpRequest) -> Any:
    file = request.FILES["file"]
    return JsonResponse({"name": request.POST["name"], "file": [file.name, len(file.read())]})


def django_count(request: HttpRequest) -> Any:
    response = StreamingHttpResponse(f"{n} {request.GET['word']}\n" for n in range(3))
    closing, response.close = response.close, lambda: (closing(), DJANGO["ended"].set())  # type: ignore[assignment, func-returns-value]
    return response


def django_where(request: HttpRequest, rest: str) -> Any:
    return JsonResponse(
        {
            "rest": rest,
            "url": request.build_absolute_uri(),
            "here": reverse("where", args=[rest]),
            "root": request.META["SCRIPT_NAME"],
            "remote": request.META["REMOTE_ADDR"],
        }
    )


def django_visit(request: HttpRequest) -> Any:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


def django_fail(request: HttpRequest) -> Any:
    raise ZeroDivisionError


urlpatterns = [
    path("", lambda request: HttpResponse("Hello"), name="hello"),
    path("form", django_form),
    path("echo", django_echo),
    path("size", lambda request: JsonResponse({"size": len(request.body), "json": False})),
    path("count", django_count),
    path("file", lambda request: FileResponse(DJANGO["file"].open("rb"), filename="file.bin")),
    path("where/<path:rest>", django_where, name="where"),
    path("visit", django_visit),
    path("go", lambda request: HttpResponse(status=302, headers={"Location": reverse("hello")})),
    path("fail", django_fail),
]


def make_django(file: Path) -> Any:
    DJANGO.update(file=file, ended=threading.Event())
    if not settings.configured:
        settings.configure(
            SECRET_KEY="secret",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            MIDDLEWARE=[
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware",
            ],
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            LOGGING_CONFIG=None,
        )
        django.setup(set_prefix=False)
    return get_wsgi_application()


Site = tuple[TestClient, threading.Event]


@pytest.fixture(params=[make_flask, make_django], ids=["flask", "django"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """A client of the framework's application below /site, and what is set when a stream has been closed."""
    file = tmp_path / "file.bin"
    file.write_bytes(OCTETS)
    framework_app = request.param(file)
    app = web.Application()
    wsgi.mount(app, "/site", framework_app)
    wsgi.mount(app, "/collected", framework_app, readpayload=True)
    ended = framework_app.ended if hasattr(framework_app, "ended") else DJANGO["ended"]
    async with TestClient(app, in_memory=False) as client:
        yield client, ended


# -- what both do ------------------------------------------------------------------------------------------------------


async def test_hello_and_its_errors(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = site
    async with client.get("/site/") as answer:
        assert (answer.status, await answer.text()) == (200, "Hello")
    assert (await client.get("/site")).status in (200, 308)
    assert (await client.head("/site/")).status == 200
    assert (await client.get("/site/nothing")).status == 404
    assert (await client.get("/elsewhere")).status == 404
    assert (await client.get("/site/fail")).status == 500
    # The framework's own error, and none of ours.
    assert [record.name.partition(".")[0] for record in caplog.records if record.levelname == "ERROR"] == [
        "django" if "django" in caplog.records[-1].name else "flask_site"
    ]


async def test_a_form_with_a_file(site: Site) -> None:
    client, _ = site
    form = {"name": "Bügel", "file": ("x.bin", io.BytesIO(OCTETS), "application/octet-stream")}
    for place in ("/site", "/collected"):
        answer = await client.post(f"{place}/form", data=form)
        assert await answer.json() == {"name": "Bügel", "file": ["x.bin", len(OCTETS)]}
        form["file"][1].seek(0)  # type: ignore[index, union-attr]


async def test_content_is_streamed_in_and_out(site: Site) -> None:
    client, _ = site
    answer = await client.post("/site/echo", data=OCTETS)
    assert await answer.read() == OCTETS


async def test_content_without_a_length_is_collected(site: Site) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(1000)

    client, _ = site
    answer = await client.post("/collected/size", data=pieces())
    assert await answer.json() == {"size": 10_000, "json": False}


async def test_a_stream_is_sent_and_closed(site: Site) -> None:
    client, ended = site
    answer = await client.get("/site/count", params={"word": "é"})
    assert await answer.text() == "0 é\n1 é\n2 é\n"
    await client.get("/site/")
    assert ended.wait(5)


async def test_a_file(site: Site) -> None:
    client, _ = site
    answer = await client.get("/site/file", headers=IDENTITY)
    assert await answer.read() == OCTETS
    assert answer.headers["Content-Length"] == str(len(OCTETS))
    answer = await client.get("/site/file", headers={**IDENTITY, "Range": "bytes=1-9"})
    assert await answer.read() == (OCTETS[1:10] if answer.status == 206 else OCTETS)


async def test_urls_are_those_of_the_client(site: Site) -> None:
    client, _ = site
    target = "/site/where/a%20b/%C3%BC"
    answer = await (await client.get(target)).json()
    assert answer == {
        "rest": "a b/ü",
        "url": answer["url"],
        "here": target,
        "root": "/site",
        "remote": "127.0.0.1",
    }
    assert answer["url"].startswith(f"http://127.0.0.1:{client.port}/site/where/a")
    answer = await client.get("/site/go", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/site/")


async def test_sessions_are_kept(site: Site) -> None:
    client, _ = site
    assert [await (await client.get("/site/visit")).text() for _ in range(3)] == ["1", "2", "3"]


async def test_flask_refuses_too_much_without_reading_it(tmp_path: Path) -> None:
    flask_app = make_flask(tmp_path)
    flask_app.config["MAX_CONTENT_LENGTH"] = 1000
    app = web.Application()
    wsgi.mount(app, "/site", flask_app)
    async with TestClient(app) as client:
        assert (await client.post("/site/size", data=bytes(1001))).status == 413
        assert (await client.post("/site/size", data=bytes(1000))).status == 200
