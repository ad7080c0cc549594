"""TestClient: what it sends, what it keeps, how it ends. Each test in memory and on a socket."""

from __future__ import annotations

import asyncio
import io
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from multidict import MultiDict
from yarl import URL

from aioweb import web
from aioweb.testing import RawTestServer, TestClient, TestServer
from tests.testing.served import ROOM, Room, create_app


async def test_an_answer_has_status_headers_and_content(client: TestClient) -> None:
    answer = await client.get("/hello")
    assert (answer.status, answer.reason, answer.ok, answer.method) == (200, "OK", True, "GET")
    assert answer.headers.getall("x-twice") == ["1", "2"]
    assert answer.url == client.make_url("/hello")
    assert (await answer.json())["remote"] == "127.0.0.1"
    assert repr(answer) == f"<TestResponse GET {answer.url} 200 OK>"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
async def test_every_method_has_its_function(method: str, client: TestClient) -> None:
    async with getattr(client, method)("/") as answer:
        assert (await answer.json())["method"] == method.upper()


async def test_head_has_no_content_and_follows_no_redirect(client: TestClient) -> None:
    answer = await client.head("/login")
    assert (answer.status, await answer.read()) == (302, b"")


async def test_any_method_may_be_sent(client: TestClient) -> None:
    assert (await (await client.request("BREW", "/")).json())["method"] == "BREW"


async def test_a_query_may_be_given_apart(client: TestClient) -> None:
    answer = await client.get("/", params={"a": "1 2", "b": ["3", "4"]})
    assert (await answer.json())["query"] == [["a", "1 2"], ["b", "3"], ["b", "4"]]
    answer = await client.get("/?c=5")
    assert (await answer.json())["query"] == [["c", "5"]]


@pytest.mark.parametrize("path", ["//x//y", "/ä", "/a%20b"])
async def test_a_path_arrives_as_it_is(path: str, client: TestClient) -> None:
    answer = await client.get(path)
    assert (await answer.json())["path"] == path.replace("%20", " ")


async def test_a_url_of_this_server_may_be_asked(client: TestClient) -> None:
    assert (await client.get(client.make_url("/x"))).status == 200
    assert (await client.get(URL("/x"))).status == 200


async def test_a_url_of_another_server_is_refused(client: TestClient) -> None:
    with pytest.raises(ValueError, match=r"'http://example\.org/' is not there"):
        await client.get("http://example.org/")


async def test_headers_of_the_client_and_the_request_go_along(aioweb_client: Any) -> None:
    client = await aioweb_client(create_app(), headers={"X-A": "1"})
    headers = (await (await client.get("/", headers=[("X-B", "2"), ("Host", "api.example.org")])).json())["headers"]
    assert (headers["X-A"], headers["X-B"], headers["Host"]) == ("1", "2", "api.example.org")


# -- content -------------------------------------------------------------------------------------------------------


async def pieces(*given: bytes):
    for piece in given:
        yield piece


@pytest.mark.parametrize(
    ("data", "content", "kind"),
    [
        ("é", "é".encode(), "text/plain; charset=utf-8"),
        (b"abc", b"abc", "application/octet-stream"),
        (bytearray(b"abc"), b"abc", "application/octet-stream"),
        (io.BytesIO(b"abc"), b"abc", "application/octet-stream"),
        (MultiDict([("a", "1"), ("b", "2"), ("a", "3")]), b"a=1&a=3&b=2", "application/x-www-form-urlencoded"),
        ([("a", 1), ("b", "ä")], b"a=1&b=%C3%A4", "application/x-www-form-urlencoded"),
        ({"a": ["1", "2"]}, b"a=1&a=2", "application/x-www-form-urlencoded"),
    ],
)
async def test_content_of_many_kinds_is_sent(data: Any, content: bytes, kind: str, client: TestClient) -> None:
    if hasattr(data, "seek"):
        data.seek(0)
    seen = await (await client.post("/", data=data)).json()
    assert (seen["content"].encode("latin-1"), seen["headers"]["Content-Type"]) == (content, kind)


async def test_an_asynchronous_iterable_is_sent_in_chunks(client: TestClient) -> None:
    answer = await client.post("/sizes", data=pieces(b"abc", b"def"))
    assert await answer.json() == {"total": 6, "chunked": True}


async def test_a_multipart_writer_brings_its_content_type(client: TestClient) -> None:
    writer = web.MultipartWriter("form-data")
    writer.append("1").set_content_disposition("form-data", name="a")
    answer = await (await client.post("/form", data=writer)).json()
    assert answer == {"type": "multipart/form-data", "fields": [["a", "1"]]}


async def test_a_content_type_of_ones_own_counts(client: TestClient) -> None:
    answer = await client.post("/", data=b"{}", headers={"content-type": "application/json"})
    assert (await answer.json())["headers"]["Content-Type"] == "application/json"


async def test_json_is_sent(client: TestClient) -> None:
    seen = await (await client.post("/", json={"a": [1]})).json()
    assert (seen["content"], seen["headers"]["Content-Type"]) == ('{"a":[1]}', "application/json")


async def test_data_of_another_kind_is_refused(client: TestClient) -> None:
    with pytest.raises(TypeError, match="not 5"):
        client.post("/", data=5)


async def test_a_file_in_a_form_makes_it_multipart(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_text("a cat")
    with (tmp_path / "cat.png").open("rb") as file:
        answer = await client.post("/form", data={"a": "1", "file": file, "note": ("n.txt", "hi", "text/x-note")})
    assert await answer.json() == {
        "type": "multipart/form-data",
        "fields": [["a", "1"], ["file", "cat.png", "image/png", "a cat"], ["note", "n.txt", "text/x-note", "hi"]],
    }


# -- what it keeps -------------------------------------------------------------------------------------------------


async def test_cookies_are_kept_by_their_path_and_redirects_followed(client: TestClient) -> None:
    answer = await client.get("/login")
    assert (await answer.json())["cookies"] == {"user": "ann"}
    assert [earlier.status for earlier in answer.history] == [302]
    assert answer.history[0].cookies["user"]["httponly"] is True
    assert client.cookies["user"] == "ann"
    assert (await (await client.get("/admin")).json())["cookies"] == {"user": "ann", "admin": "no"}


async def test_cookies_of_one_request_are_not_kept(client: TestClient) -> None:
    seen = await (await client.get("/", cookies={"once": "1"})).json()
    assert seen["cookies"] == {"once": "1"}
    assert (await (await client.get("/")).json())["cookies"] == {}


async def test_a_redirect_may_be_looked_at(client: TestClient) -> None:
    answer = await client.get("/login", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/hello")


@pytest.mark.parametrize("auth", [("ann", "x:y"), web.BasicAuth("ann", "x:y")])
async def test_auth_is_sent(auth: Any, client: TestClient) -> None:
    seen = await (await client.get("/", auth=auth)).json()
    assert web.BasicAuth.decode(seen["headers"]["Authorization"]) == web.BasicAuth("ann", "x:y")


async def test_auth_and_cookies_of_the_client_are_sent(aioweb_client: Any) -> None:
    client = await aioweb_client(create_app(), auth=("ann", "x"), cookies={"a": "1"})
    seen = await (await client.get("/")).json()
    assert seen["cookies"] == {"a": "1"}
    assert "Authorization" in seen["headers"]


async def test_answers_that_nobody_reads_hold_nothing_up(client: TestClient) -> None:
    answers = [await client.get("/") for _ in range(105)]
    assert {answer.status for answer in answers} == {200}


async def test_a_connection_is_used_again(client: TestClient) -> None:
    for _ in range(5):
        await (await client.get("/")).read()
    assert len(client.server.server.connections) == 1


async def test_a_connection_that_the_server_has_closed_is_not_used_again(aioweb_client: Any) -> None:
    client = await aioweb_client(create_app(), server_kwargs={"keepalive_timeout": 0.02})
    await (await client.get("/")).read()
    (connection,) = client.server.server.connections
    while connection.transport is not None:
        await asyncio.sleep(0.01)
    assert (await client.get("/")).status == 200


# -- waiting -------------------------------------------------------------------------------------------------------


async def test_many_may_be_asked_at_once(client: TestClient, room: Room) -> None:
    asked = [asyncio.ensure_future(client.get("/slow")) for _ in range(20)]
    await room.entered.wait()
    room.gate.set()
    assert [await (await answer).text() for answer in asked] == ["slow"] * 20


async def test_a_slow_answer_runs_into_the_timeout(client: TestClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.get("/slow", timeout=0.05)


async def test_a_server_that_does_not_read_runs_into_the_timeout(client: TestClient) -> None:
    with pytest.raises(httpx.WriteTimeout):
        await client.post("/late_reader", data=pieces(*[bytes(2**20)] * 16), timeout=0.2)


async def test_an_upload_waits_for_its_reader(client: TestClient, room: Room) -> None:
    taken = 0

    async def count():
        nonlocal taken
        for _ in range(16):
            yield bytes(2**20)
            taken += 1

    asked = asyncio.ensure_future(client.post("/late_reader", data=count()))
    await room.entered.wait()
    before = -1
    while before != taken:
        before = taken
        await asyncio.sleep(0.05)
    assert taken < 16
    room.gate.set()
    assert await (await asked).text() == str(16 * 2**20)


async def test_an_answer_that_breaks_off_raises(client: TestClient) -> None:
    answer = await client.get("/broken")
    assert answer.status == 200
    with pytest.raises(httpx.RemoteProtocolError):
        await answer.read()


async def test_in_memory_nobody_else_can_be_reached() -> None:
    async with TestClient(create_app()) as client:
        for url in ("http://example.org/", "https://127.0.0.1/", "ftp://127.0.0.1/"):
            with pytest.raises(httpx.TransportError):
                await client.httpx.get(url)


# -- its life ------------------------------------------------------------------------------------------------------


async def test_a_client_that_has_not_started_says_so() -> None:
    client = TestClient(create_app())
    with pytest.raises(RuntimeError, match="start_server"):
        await client.get("/")
    with pytest.raises(RuntimeError, match="start_server"):
        client.make_url("/")


@pytest.mark.parametrize("nothing", [None, object(), "app"])
def test_what_cannot_be_asked_is_refused(nothing: Any) -> None:
    with pytest.raises(TypeError, match="a test server or an Application"):
        TestClient(nothing)


async def test_start_and_close_may_be_called_twice() -> None:
    client = TestClient(create_app())
    for _ in range(2):
        await client.start_server()
    assert (await client.get("/")).status == 200
    for _ in range(2):
        await client.close()
    assert not client.server.started
    async with client:
        assert (await client.get("/")).status == 200


async def test_it_knows_what_it_asks() -> None:
    app = create_app()
    async with TestClient(app) as client:
        assert (client.app, client.host, client.port) == (app, "127.0.0.1", 80)
    assert TestClient(RawTestServer(None)).app is None


async def test_a_handler_without_an_application_is_asked() -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.path)

    async with TestClient(RawTestServer(handler, in_memory=False)) as client:
        assert await (await client.get("/x")).text() == "/x"


async def test_close_ends_what_is_still_open(client: TestClient, room: Room) -> None:
    answer = await client.get("/stream")
    flooded = await client.get("/flood")
    socket = await client.ws_connect("/echo")
    asked = asyncio.ensure_future(client.get("/slow"))
    await room.entered.wait()
    await client.close()
    assert socket.close_code == 1000
    assert room.said == ["closed 1000", "cancelled"]
    with pytest.raises(httpx.TransportError):
        await asked
    assert answer.httpx.is_closed
    assert flooded.httpx.is_closed


async def test_tls_is_asked_on_a_socket() -> None:
    certificate = Path(__file__).parents[1] / "data/localhost.pem"
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(certificate)
    client_context = ssl.create_default_context(cafile=str(certificate))
    server = TestServer(create_app(), in_memory=False, host="localhost", ssl_context=server_context)
    async with TestClient(server, verify=client_context) as client:
        assert client.make_url("/").scheme == "https"
        assert (await client.get("/")).status == 200
        socket = await client.ws_connect("/echo")
        await socket.send_str("hi")
        assert await socket.receive_str() == "hi"
    async with TestClient(server) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.ws_connect("/echo")


async def test_the_signals_of_the_application_are_sent() -> None:
    app = create_app()
    said: list[str] = []
    for name in ("on_startup", "on_shutdown", "on_cleanup"):

        async def note(_: web.Application, name: str = name) -> None:
            said.append(name)

        getattr(app, name).append(note)
    async with TestClient(app):
        assert said == ["on_startup"]
    assert said == ["on_startup", "on_shutdown", "on_cleanup"]
    assert app[ROOM].said == []
