"""The fixtures, in the plugins under which tests run: pytest-asyncio in both modes, anyio, and beside pytest-aiohttp.

Each set-up is a project of its own, whose pytest finds our plugin by its entry point.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

APP = """
import asyncio
import pytest
from aioweb import web
from aioweb.testing import TestClient, TestServer

ENDED = []

def create_app():
    async def hello(request):
        return web.Response(text="hello")
    async def forget(request):
        request.app["lost"] = asyncio.create_task(asyncio.sleep(3600), name="lost")
        return web.Response()
    async def ended(app):
        ENDED.append(app)
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/forget", forget)
    app.on_cleanup.append(ended)
    return app
"""

TESTS = """
@fixture
async def client(aioweb_client):
    return await aioweb_client(create_app())

@fixture
async def yielded(aioweb_client):
    client = await aioweb_client(create_app(), in_memory=False)
    yield client
    assert not client.server.started

@mark
async def test_a_client(aioweb_client):
    assert not ENDED
    client = await aioweb_client(create_app())
    assert await (await client.get("/")).text() == "hello"
    assert client.server.in_memory

def test_it_was_closed():
    assert len(ENDED) == 1

@mark
async def test_a_fixture(client, yielded):
    for one in (client, yielded):
        assert await (await one.get("/")).text() == "hello"

@mark
@pytest.mark.parametrize("in_memory", [True, False])
async def test_names_of_aiohttp(aiohttp_client, aiohttp_server, aiohttp_raw_server, aiohttp_unused_port, in_memory):
    async def handler(request):
        return web.Response(text="raw")
    raw = await aiohttp_raw_server(handler, in_memory=in_memory)
    server = await aiohttp_server(create_app(), in_memory=in_memory)
    assert isinstance(server, TestServer)
    assert await (await (await aiohttp_client(raw)).get("/")).text() == "raw"
    client = await aiohttp_client(server)
    assert isinstance(client, TestClient)
    assert await (await client.get("/")).text() == "hello"
    other = await aiohttp_client(create_app(), server_kwargs={"in_memory": False, "port": aiohttp_unused_port()})
    assert other.server is not server and not other.server.in_memory

class TestMethods:
    @mark
    async def test_a_method(self, aioweb_client, unused_port):
        assert unused_port() != 0
        assert (await (await aioweb_client(create_app())).get("/")).status == 200

def test_all_were_closed():
    assert len(ENDED) == 8
"""

SET_UPS = {
    "asyncio auto": ("asyncio_mode = auto", "fixture = pytest.fixture", "mark = lambda test: test", []),
    "asyncio strict": (
        "asyncio_mode = strict",
        "import pytest_asyncio\nfixture = pytest_asyncio.fixture",
        "mark = pytest.mark.asyncio",
        [],
    ),
    "anyio alone": ("", "fixture = pytest.fixture", "mark = pytest.mark.anyio", ["-p", "no:asyncio"]),
    "anyio beside asyncio": ("asyncio_mode = strict", "fixture = pytest.fixture", "mark = pytest.mark.anyio", []),
}
ANYIO_BACKEND = "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"


@pytest.mark.parametrize("set_up", SET_UPS)
def test_the_fixtures_work_under(set_up: str, pytester: pytest.Pytester) -> None:
    settings, fixture, mark, options = SET_UPS[set_up]
    loop_scope = "asyncio_default_fixture_loop_scope = function" if "asyncio" in settings else ""
    pytester.makeini(f"[pytest]\n{settings}\n{loop_scope}\nfilterwarnings = error\n")
    backend = ANYIO_BACKEND if "anyio" in set_up else ""
    pytester.makepyfile(test_it=f"{APP}\n{fixture}\n{mark}\n{backend}\n{TESTS}")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)
    done.assert_outcomes(passed=7)


def test_the_tests_of_the_guide_pass(pytester: pytest.Pytester) -> None:
    guide = (Path(__file__).parents[2] / "docs/howto/test-a-handler.md").read_text("utf-8")
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(test_it="\n".join(re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)))
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error")
    done.assert_outcomes(passed=10)


STAND_IN = """
import pytest

@pytest.fixture
def aiohttp_client():
    return "the client of aiohttp"
"""


@pytest.mark.parametrize("order", [["aioweb.testing.plugin", "stand_in"], ["stand_in", "aioweb.testing.plugin"]])
def test_the_names_of_aiohttp_are_left_to_its_plugin(order: list[str], pytester: pytest.Pytester) -> None:
    """pytest-aiohttp cannot be here beside us: its fixtures would be there for every test of this project."""
    pytester.makepyfile(stand_in=STAND_IN)
    pytester.makepyfile(
        test_it="""
        def test_theirs(aiohttp_client):
            assert aiohttp_client == "the client of aiohttp"

        def test_ours(aioweb_client):
            assert callable(aioweb_client)

        def test_no_mixture(request):
            import pytest
            with pytest.raises(pytest.FixtureLookupError):
                request.getfixturevalue("aiohttp_server")
        """
    )
    options = [option for name in order for option in ("-p", name)]
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:aioweb", *options)
    done.assert_outcomes(passed=3)


# -- what goes wrong; in this process, so that its coverage is measured --------------------------------------------


def run(pytester: pytest.Pytester, tests: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(test_it=APP + tests)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:randomly")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioweb.testing.server.PATIENCE", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_test_that_leaves_a_task_fails_and_names_it(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
async def test_leaving(aioweb_client):
    client = await aioweb_client(create_app())
    await client.get("/forget")
    assert (await client.get("/")).status == 200
""",
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*tasks are left behind: <Task pending name='lost'*"])


@pytest.mark.usefixtures("impatient")
def test_a_test_that_fails_does_so_by_itself_and_is_closed(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
async def test_failing(aioweb_client):
    await (await aioweb_client(create_app())).get("/forget")
    assert 1 == 2

async def test_failing_at_its_end_too(aioweb_client):
    async def fail(app):
        raise ZeroDivisionError
    app = create_app()
    app.on_shutdown.append(fail)
    await aioweb_client(app)
    assert 1 == 3

def test_after():
    assert len(ENDED) == 2
""",
    )
    done.assert_outcomes(failed=2, passed=1)
    done.stdout.fnmatch_lines(["*assert 1 == 2", "*assert 1 == 3"])
    done.stdout.no_fnmatch_line("*left behind*")
    done.stdout.no_fnmatch_line("E *ZeroDivisionError*")


def test_all_are_closed_although_one_fails_to(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
async def test_two(aioweb_server):
    async def fail(app):
        raise ZeroDivisionError
    app = create_app()
    app.on_shutdown.append(fail)
    await aioweb_server(create_app())
    await aioweb_server(app)

def test_after():
    assert len(ENDED) == 2
""",
    )
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(["*ZeroDivisionError*"])


def test_a_failed_start_fails_the_test(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
async def test_start(aioweb_client):
    async def fail(app):
        raise ZeroDivisionError
    app = create_app()
    app.on_startup.append(fail)
    await aioweb_client(app)

def test_after():
    assert len(ENDED) == 1
""",
    )
    done.assert_outcomes(failed=1, passed=1)


def test_what_a_test_that_never_runs_has_opened_is_closed(pytester: pytest.Pytester) -> None:
    """Its loop is still there: it belongs to the session."""
    done = run(
        pytester,
        """
@pytest.fixture(loop_scope="session")
async def client(aioweb_client):
    return await aioweb_client(create_app())

@pytest.fixture
def broken(client):
    raise ZeroDivisionError

@pytest.mark.asyncio(loop_scope="session")
async def test_never(broken):
    pass

def test_after():
    assert len(ENDED) == 1
""".replace("@pytest.fixture(loop_scope", "import pytest_asyncio\n@pytest_asyncio.fixture(loop_scope"),
    )
    done.assert_outcomes(errors=1, passed=1)


def test_a_fixture_on_another_loop_is_told_so(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
import pytest_asyncio

@pytest_asyncio.fixture(loop_scope="session")
async def client(aioweb_client):
    return await aioweb_client(create_app())

async def test_elsewhere(client):
    await client.get("/")
""",
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*a fixture and its test need the same loop_scope*"])


def test_a_client_of_another_class_may_be_made(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
class Client(TestClient):
    async def hello(self):
        return await (await self.get("/")).text()

@pytest.fixture
def aioweb_client_cls():
    return Client

async def test_class(aioweb_client):
    assert await (await aioweb_client(create_app())).hello() == "hello"
""",
    )
    done.assert_outcomes(passed=1)
