"""A real server and clients that others have written."""

from __future__ import annotations

import hashlib
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h11
import pytest

from aioweb import web
from tests.conftest import Address, Serve
from tests.interop.clients import Aiohttp, Client, Curl, Httpx, find_program, run

CLIENTS = {"httpx": Httpx, "aiohttp": Aiohttp, "curl": Curl}
LARGE = bytes(range(256)) * 20_000
"""Some 5 MB."""

routes = web.RouteTableDef()


@routes.get("/")
async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Привет", headers={"X-Many": "é"})


@routes.get("/port")
async def port(request: web.Request) -> web.Response:
    """The port of the client tells one connection from another."""
    return web.Response(text=f"{request.get_extra_info('peername')[1]}\n")


@routes.get("/stream/{kind}")
async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    if request.match_info["kind"] == "length":
        response.content_length = len(LARGE)
    await response.prepare(request)
    for start in range(0, len(LARGE), 100_000):
        await response.write(LARGE[start : start + 100_000])
    return response


@routes.get("/empty")
async def empty(request: web.Request) -> web.Response:
    return web.Response(status=204)


@routes.post("/form")
async def form(request: web.Request) -> web.Response:
    return web.json_response({"content_type": request.content_type, **await request.post()})


@routes.post("/json")
async def from_json(request: web.Request) -> web.Response:
    return web.json_response({"got": await request.json(), "content_type": request.content_type})


@routes.route("*", "/echo")
async def echo(request: web.Request) -> web.Response:
    body = await request.content.read()
    return web.Response(body=body, headers={"X-Method": request.method, "X-Length": str(request.content_length)})


@routes.post("/read")
async def read(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


@routes.post("/ignore")
async def ignore(request: web.Request) -> web.Response:
    return web.Response(text="not read")


@routes.get("/cookies/set")
async def set_cookies(request: web.Request) -> web.Response:
    response = web.Response()
    response.set_cookie("plain", "1")
    response.set_cookie("quoted", "a b;c")
    response.set_cookie("deep", "2", path="/cookies")
    response.set_cookie("elsewhere", "3", path="/other")
    return response


@routes.get("/cookies/del")
async def del_cookies(request: web.Request) -> web.Response:
    response = web.Response()
    response.del_cookie("plain")
    return response


@routes.get("/cookies")
async def get_cookies(request: web.Request) -> web.Response:
    return web.json_response(dict(sorted(request.cookies.items())))


@routes.get("/redirect/{count:[0-9]}")
async def redirect(request: web.Request) -> web.Response:
    count = int(request.match_info["count"])
    if not count:
        return web.Response(text="there")
    raise web.HTTPFound(f"/redirect/{count - 1}")


@routes.post("/post-and-see")
async def post_and_see(request: web.Request) -> web.Response:
    await request.post()
    raise web.HTTPSeeOther("/seen")


@routes.get("/seen")
async def seen(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.method} after")


@routes.get("/fail")
async def fail(request: web.Request) -> web.Response:
    raise ZeroDivisionError


async def refuse(request: web.Request) -> web.Response:
    return web.Response(status=403, text="no, thanks")


def make_app() -> web.Application:
    app = web.Application()
    app.add_routes(routes)
    app.router.add_post("/refused", echo, expect_handler=refuse)
    return app


@pytest.fixture
async def address(serve: Serve) -> Address:
    """Where everything above is served."""
    return await serve(make_app())


@pytest.fixture(params=CLIENTS)
async def client(request: Any, tmp_path: Path) -> AsyncIterator[Client]:
    """Each of the clients."""
    async with CLIENTS[request.param](tmp_path) as client:
        yield client


@pytest.fixture
async def curl(tmp_path: Path) -> AsyncIterator[Curl]:
    """The program, for what only it can do."""
    async with Curl(tmp_path) as client:
        assert isinstance(client, Curl)
        yield client


# -- what every client does --------------------------------------------------------------------------------------------


async def test_get(address: Address, client: Client) -> None:
    reply = await client.request("GET", f"{address.url}/")
    assert (reply.status, reply.body.decode()) == (200, "Привет")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Content-Length"] == "12"
    assert "Date" in reply.headers


async def test_head_has_the_head_of_get_and_no_content(address: Address, client: Client) -> None:
    for path, length in (("/", "12"), ("/stream/length", str(len(LARGE))), ("/stream/chunks", None)):
        reply = await client.request("HEAD", address.url + path)
        assert (reply.status, reply.body, reply.headers.get("Content-Length")) == (200, b"", length)
    assert (await client.request("GET", f"{address.url}/")).body.decode() == "Привет"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
async def test_methods(address: Address, client: Client, method: str) -> None:
    reply = await client.request(method, f"{address.url}/echo", content=b"content")
    assert (reply.status, reply.headers["X-Method"], reply.body) == (200, method, b"content")


async def test_no_content(address: Address, client: Client) -> None:
    for _ in range(2):
        reply = await client.request("GET", f"{address.url}/empty")
        assert (reply.status, reply.body) == (204, b"")


async def test_urlencoded_form(address: Address, client: Client) -> None:
    reply = await client.post_form(f"{address.url}/form", {"имя": "Мир & мир", "b": "1+1=2%"})
    form = web.json_response({"content_type": "application/x-www-form-urlencoded", "имя": "Мир & мир", "b": "1+1=2%"})
    assert (reply.status, reply.body) == (200, form.body)


async def test_json(address: Address, client: Client) -> None:
    reply = await client.post_json(f"{address.url}/json", {"ключ": [1, None, "a"]})
    answer = web.json_response({"got": {"ключ": [1, None, "a"]}, "content_type": "application/json"})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert reply.body == answer.body


async def test_cookies_go_round(address: Address, client: Client) -> None:
    await client.request("GET", f"{address.url}/cookies/set")
    reply = await client.request("GET", f"{address.url}/cookies")
    assert reply.body == web.json_response({"deep": "2", "plain": "1", "quoted": "a b;c"}).body
    await client.request("GET", f"{address.url}/cookies/del")
    reply = await client.request("GET", f"{address.url}/cookies")
    assert reply.body == web.json_response({"deep": "2", "quoted": "a b;c"}).body


async def test_redirects_are_followed(address: Address, client: Client) -> None:
    stay = await client.request("GET", f"{address.url}/redirect/3")
    assert (stay.status, stay.headers["Location"]) == (302, "/redirect/2")
    reply = await client.request("GET", f"{address.url}/redirect/3", follow=True)
    assert (reply.status, reply.redirects, reply.body) == (200, 3, b"there")


async def test_a_form_is_posted_and_its_result_is_got(address: Address, client: Client) -> None:
    reply = await client.post_form(f"{address.url}/post-and-see", {"a": "b"}, follow=True)
    assert (reply.status, reply.redirects, reply.body) == (200, 1, b"GET after")


async def test_the_connection_is_used_again(address: Address, client: Client) -> None:
    lines = await client.one_connection(f"{address.url}/port", 10)
    assert len(lines) == 10
    assert len(set(lines)) == 1


async def test_chunked_upload(address: Address, client: Client) -> None:
    reply = await client.request("POST", f"{address.url}/echo", pieces=[b"one ", b"two ", b"three" * 10_000])
    assert (reply.status, reply.headers["X-Length"]) == (200, "None")
    assert reply.body == b"one two " + b"three" * 10_000


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_large_body_both_ways(address: Address, client: Client, in_pieces: bool) -> None:
    content: dict[str, Any] = {"content": LARGE}
    if in_pieces:
        content = {"pieces": [LARGE[start : start + 77_777] for start in range(0, len(LARGE), 77_777)]}
    reply = await client.request("PUT", f"{address.url}/echo", **content)
    assert reply.status == 200
    assert hashlib.sha256(reply.body).digest() == hashlib.sha256(LARGE).digest()


@pytest.mark.parametrize("kind", ["length", "chunks"])
async def test_a_large_stream_down(address: Address, client: Client, kind: str) -> None:
    reply = await client.request("GET", f"{address.url}/stream/{kind}")
    assert hashlib.sha256(reply.body).digest() == hashlib.sha256(LARGE).digest()
    assert ("Content-Length" in reply.headers) == (kind == "length")


async def test_404_and_405(address: Address, client: Client) -> None:
    missing = await client.request("GET", f"{address.url}/nowhere")
    assert (missing.status, missing.body) == (404, b"404: Not Found")
    not_allowed = await client.request("DELETE", f"{address.url}/form")
    assert (not_allowed.status, not_allowed.headers["Allow"]) == (405, "POST")
    with_content = await client.request("POST", f"{address.url}/nowhere", content=bytes(50_000))
    assert with_content.status == 404


async def test_413_arrives_though_the_client_is_still_sending(address: Address, client: Client) -> None:
    for content in ({"content": LARGE}, {"pieces": [LARGE]}):
        reply = await client.request("POST", f"{address.url}/read", **content)  # type: ignore[arg-type]
        assert reply.status == 413
        assert reply.body.startswith(b"413: at most 1048576 bytes")


async def test_an_answer_to_content_that_nobody_reads(address: Address, client: Client) -> None:
    for size in (10, 100_000, 5_000_000):
        reply = await client.request("POST", f"{address.url}/ignore", content=bytes(size))
        assert (reply.status, reply.body) == (200, b"not read")


async def test_500(address: Address, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    reply = await client.request("GET", f"{address.url}/fail")
    assert reply.status == 500
    assert b"ZeroDivisionError" not in reply.body
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["Error handling GET /fail"]
    assert (await client.request("GET", f"{address.url}/")).status == 200


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key."""
    path = tmp_path / "certificate.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-subj", "/CN=aioweb test", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", tmp_path / "key.pem", "-out", path)
    await run(find_program("openssl"), "req", "-x509", *curve, "-days", "1", *names, *files)
    path.write_bytes(path.read_bytes() + (tmp_path / "key.pem").read_bytes())
    return path


@pytest.mark.parametrize("kind", CLIENTS)
async def test_tls(serve: Serve, certificate: Path, tmp_path: Path, kind: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def secure(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.scheme} {request.secure} {request.url.scheme}\n")

    app = make_app()
    app.router.add_get("/secure", secure)
    address = await serve(app, ssl_context=context)
    url = f"https://127.0.0.1:{address.port}"
    async with CLIENTS[kind](tmp_path, certificate) as client:
        assert await client.one_connection(f"{url}/secure", 2) == [b"https True https\n"] * 2
        assert len(set(await client.one_connection(f"{url}/port", 3))) == 1
        assert (await client.request("PUT", f"{url}/echo", content=LARGE)).body == LARGE
        assert (await client.request("GET", f"{url}/stream/chunks")).body == LARGE
        assert (await client.request("POST", f"{url}/read", content=LARGE)).status == 413


# -- what one of them does ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/stream/length", "/stream/chunks"])
async def test_curl_speaks_http_1_0(address: Address, curl: Curl, path: str) -> None:
    reply, heads = await curl.fetch(address.url + path, "--http1.0")
    assert (reply.status, len(heads)) == (200, 1)
    assert reply.headers["Connection"] == "close"
    assert "Transfer-Encoding" not in reply.headers
    assert len(reply.body) == (12 if path == "/" else len(LARGE))


async def test_curl_keeps_an_http_1_0_connection_if_it_asks_for_it(address: Address, curl: Curl) -> None:
    url = " ".join([f"{address.url}/port"] * 3)
    lines = (await curl.curl(url, "--http1.0", "--header", "Connection: keep-alive")).splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 1


async def test_curl_posts_with_http_1_0(address: Address, curl: Curl) -> None:
    reply, _ = await curl.fetch(f"{address.url}/echo", "--http1.0", "--data", "content")
    assert (reply.status, reply.body) == (200, b"content")


async def test_curl_is_invited_when_it_expects_it(address: Address, curl: Curl) -> None:
    # Uninvited curl would begin after this time.
    options = ("--header", "Expect: 100-continue", "--expect100-timeout", "60", "--max-time", "10")
    reply, heads = await curl.fetch(f"{address.url}/echo", *options, "--data", "content")
    assert (reply.status, reply.body) == (200, b"content")
    assert heads[0] == b"HTTP/1.1 100 Continue"
    assert len(heads) == 2


@pytest.mark.parametrize("framing", [(), ("--header", "Transfer-Encoding: chunked")], ids=["length", "chunked"])
async def test_curl_uploads_a_file_as_it_is(
    address: Address, curl: Curl, tmp_path: Path, framing: tuple[str, ...]
) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    # curl expects an invitation for a file of this size by itself.
    options = ("--upload-file", tmp_path / "large", "--expect100-timeout", "60", "--max-time", "10")
    reply, heads = await curl.fetch(f"{address.url}/echo", *options, *framing)
    assert (reply.status, reply.headers["X-Method"]) == (200, "PUT")
    assert reply.headers["X-Length"] == ("None" if framing else str(len(LARGE)))
    assert reply.body == LARGE
    assert heads[0] == b"HTTP/1.1 100 Continue"


@pytest.mark.parametrize(("path", "status"), [("/refused", 403), ("/nowhere", 404), ("/port", 405)])
async def test_curl_sends_nothing_when_it_is_refused(address: Address, curl: Curl, path: str, status: int) -> None:
    options = ("--header", "Expect: 100-continue", "--expect100-timeout", "60", "--max-time", "10")
    output = await curl.curl(
        address.url + path,
        *options,
        "--data",
        "content",
        "--output",
        "-",
        "--write-out",
        "|%{http_code}|%{size_upload}",
    )
    assert output.split(b"|")[1:] == [b"%d" % status, b"0"]


async def test_aiohttp_is_invited_when_it_expects_it(address: Address, tmp_path: Path) -> None:
    async with Aiohttp(tmp_path) as client:
        assert isinstance(client, Aiohttp)
        for _ in range(2):
            reply = await client.send("POST", f"{address.url}/echo", data=b"content", expect100=True)
            assert (reply.status, reply.body) == (200, b"content")
        reply = await client.send("POST", f"{address.url}/refused", data=b"content", expect100=True)
        assert (reply.status, reply.body) == (403, b"no, thanks")


async def test_pipelined_requests_are_answered_in_their_order(address: Address) -> None:
    peer = await address.connect()
    lines = "Host: localhost\r\n"
    post = f"POST /echo HTTP/1.1\r\n{lines}Content-Length: 4\r\n\r\nbody"
    chunks = f"POST /echo HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    gets = [f"{method} {path} HTTP/1.1\r\n{lines}\r\n" for method, path in (("GET", "/"), ("HEAD", "/"))]
    await peer.send("".join([gets[0], post, gets[1], chunks, gets[0]]).encode())
    answers = [await peer.response(method) for method in ("GET", "POST", "HEAD", "POST", "GET")]
    hello = "Привет".encode()
    assert [answer.body for answer in answers] == [hello, b"body", b"", b"abc", hello]
    assert {answer.status for answer in answers} == {200}


async def test_h11_reads_a_pipeline_of_every_framing(address: Address) -> None:
    connection = h11.Connection(h11.CLIENT)
    peer = await address.connect()
    for method, path in (("GET", "/"), ("HEAD", "/"), ("GET", "/empty"), ("GET", "/stream/chunks"), ("GET", "/port")):
        request = h11.Request(method=method, target=path, headers=[("Host", "localhost")])
        await peer.send((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
        size, event = 0, connection.next_event()
        while not isinstance(event, h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await peer.reader.read(65536))
            elif isinstance(event, h11.Data):
                size += len(event.data)
            event = connection.next_event()
        assert size == {"/": 12 if method == "GET" else 0, "/empty": 0, "/stream/chunks": len(LARGE)}.get(path, size)
        connection.start_next_cycle()


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_program_skips_its_tests_but_not_in_ci(monkeypatch: Any, ci: str, outcome: type[Exception]) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(outcome, match="there is no curl on this machine"):
        find_program("curl")
