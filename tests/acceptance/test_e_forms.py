"""FEATURES.md section E and the form part of N11, row by row, through real sockets.

Each row has more cases in tests/web: test_forms.py, test_parts.py, test_partwriter.py, test_partcodings.py.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDictProxy

import aioweb
from aioweb import web
from tests.conftest import Address, Serve
from tests.data.multipart import RECORDED, Golden
from tests.web.fake_requests import content

URLENCODED = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=x"
END = b"--x--\r\n"


def field(name: str, data: bytes, *lines: str, rest: str = "") -> bytes:
    head = [f'Content-Disposition: form-data; name="{name}"{rest}', *lines]
    return b"--x\r\n" + "".join(f"{line}\r\n" for line in head).encode() + b"\r\n" + data + b"\r\n"


def file(name: str, filename: str, data: bytes, *lines: str) -> bytes:
    return field(name, data, *lines, rest=f'; filename="{filename}"')


def show(value: Any) -> Any:
    if isinstance(value, web.FileField):
        return [value.name, value.filename, value.content_type, value.file.read().decode("latin-1")]
    return value


async def show_form(request: web.Request) -> web.Response:
    form = await request.post()
    assert isinstance(form, MultiDictProxy)
    assert form is request.POST
    return web.json_response([[name, show(value)] for name, value in form.items()])


@pytest.fixture
async def form_of(serve: Serve) -> Any:
    """`await form_of(method, line, body)` posts a form and gives what `post()` made of it."""
    app = web.Application()
    app.router.add_route("*", "/", show_form)
    address = await serve(app)

    async def ask(method: str, *lines: str, body: bytes = b"", status: int = 200) -> Any:
        answer = await address.request(method, "/", *lines, body=body)
        assert answer.status == status, answer.body
        return json.loads(answer.body) if status == 200 else answer.body.decode()

    return ask


# -- E1 to E7: request.post() ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_e1_methods_with_a_form(form_of: Any, method: str) -> None:
    assert await form_of(method, URLENCODED, body=b"a=1") == [["a", "1"]]
    assert await form_of(method, MULTIPART, body=field("a", b"1") + END) == [["a", "1"]]


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PROPFIND"])
async def test_e1_other_methods_have_an_empty_form(form_of: Any, method: str) -> None:
    assert await form_of(method, URLENCODED, body=b"a=1") == []
    assert await form_of(method, MULTIPART, body=field("a", b"1") + END) == []


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("Content-Type:", [["a", "1"]]),
        (URLENCODED, [["a", "1"]]),
        ("Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8", [["a", "1"]]),
        ("Content-Type: text/plain", []),
        ("Content-Type: application/json", []),
        ("Content-Type: multipart/mixed; boundary=x", []),
        ("X-None: 1", []),
    ],
)
async def test_e2_types_of_forms(form_of: Any, line: str, fields: Any) -> None:
    assert await form_of("POST", line, body=b"a=1") == fields


async def test_e3_urlencoded_order_duplicates_blanks_and_charset(form_of: Any) -> None:
    fields = [["b", "1"], ["a", ""], ["b", "2;c=3"], ["", "x y"]]
    assert await form_of("POST", URLENCODED, body=b"b=1&a&b=2;c=3&=x+y") == fields
    assert await form_of("POST", f"{URLENCODED}; charset=cp1251", body=b"a=%FF\xff") == [["a", "яя"]]
    assert "not valid utf-8" in await form_of("POST", URLENCODED, body=b"a=%FF", status=400)


async def test_e4_a_file_field(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        found = (await request.post())["f"]
        assert isinstance(found, web.FileField)
        name, filename, file, content_type = found
        assert file is found.file
        assert file.readable()
        assert file.seekable()
        assert (file.read(2), file.seek(0), file.read()) == (b"\0\xff", 0, b"\0\xff\r\n")
        kept.append(file)
        return web.json_response([name, filename, content_type])

    kept: list[Any] = []
    app = web.Application()
    app.router.add_post("/", handler)
    address = await serve(app)
    answer = await address.request("POST", "/", MULTIPART, body=file("f", "a.png", b"\0\xff\r\n") + END)
    assert json.loads(answer.body) == ["f", "a.png", "text/plain"]
    assert kept[0].closed  # with the request


async def test_e5_many_files_with_one_key(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response([one.filename for one in (await request.post()).getall("f")])

    app = web.Application()
    app.router.add_post("/", handler)
    address = await serve(app)
    body = file("f", "1", b"") + field("a", b"") + file("f", "2", b"") + END
    assert json.loads((await address.request("POST", "/", MULTIPART, body=body)).body) == ["1", "2"]


async def test_e6_content_transfer_encoding_of_a_field(form_of: Any) -> None:
    body = (
        field("a", base64.encodebytes("тест".encode()), "Content-Transfer-Encoding: base64")
        + field("b", b"=D1=82=D0=\r\n=B5", "Content-Transfer-Encoding: quoted-printable")
        + file("c", "c", b"YWJj", "Content-Transfer-Encoding: base64")
        + END
    )
    assert await form_of("POST", MULTIPART, body=body) == [
        ["a", "тест"],
        ["b", "те"],
        ["c", ["c", "c", "text/plain", "abc"]],
    ]


@pytest.mark.parametrize(
    ("parameters", "filename"),
    [
        ('filename="a b.txt"', "a b.txt"),
        ("filename=a.txt", "a.txt"),
        ('filename="файл.txt"', "файл.txt"),
        (r'filename="a\"b.txt"', 'a"b.txt'),
        ('filename="a%22b.txt"', 'a"b.txt'),
        ('filename="100%25.txt"', "100%25.txt"),
        ("filename*=UTF-8''%D1%84.txt", "ф.txt"),
        ("filename=plain.txt; filename*=utf-8'ru'%D1%84.txt", "ф.txt"),
        ("filename*=ISO-8859-1''caf%E9.txt", "café.txt"),
        ('filename*0="long "; filename*1="name.txt"', "long name.txt"),
        ("filename*0*=UTF-8''%D1%84; filename*1=.txt", "ф.txt"),
        (r'filename="C:\Windows\a.txt"', "a.txt"),
        ('filename="../../etc/passwd"', "passwd"),
    ],
)
async def test_e7_filenames_in_every_form(form_of: Any, parameters: str, filename: str) -> None:
    body = field("f", b"", rest=f"; {parameters}") + END
    assert await form_of("POST", MULTIPART, body=body) == [["f", ["f", filename, "text/plain", ""]]]


@pytest.mark.parametrize("golden", [one for one in RECORDED if "form-data" in one.content_type], ids=str)
async def test_e7_what_real_clients_sent(form_of: Any, golden: Golden) -> None:
    fields = await form_of("POST", f"Content-Type: {golden.content_type}", body=golden.body)
    names = [(value[1] if isinstance(value, list) else None) for _, value in fields]
    if "one name" in golden.client:
        assert names == ["b.bin", "b.bin"]
    else:
        assert names == [meant.filename or None for meant in golden.parts if meant.name != "_charset_"]


# -- E8 to E11: the reader ---------------------------------------------------------------------------------------------


def write_message() -> web.MultipartWriter:
    with web.MultipartWriter("mixed") as writer:
        writer.append("first")
        with web.MultipartWriter("related") as inner:
            inner.append_json({"id": 1})
            inner.append(b"attached" * 99)
        writer.append(inner)
        writer.append("я", {"Content-Type": "text/plain; charset=koi8-r"})
        writer.append("x" * 999, {"Content-Encoding": "gzip", "Content-Transfer-Encoding": "base64"})
    return writer


async def send(address: Address, writer: web.MultipartWriter, path: str = "/") -> Any:
    line = f"Content-Type: {writer.headers['Content-Type']}"
    return await address.request("POST", path, line, body=b"".join(writer.serialize()))


async def test_e8_a_walk_through_a_nested_multipart(serve: Serve) -> None:
    async def walk(reader: aioweb.MultipartReader) -> list[Any]:
        seen: list[Any] = []
        while (part := await reader.next()) is not None:
            if isinstance(part, web.MultipartReader):
                seen.append(await walk(part))
            elif len(seen) != 1:  # the second one of each is skipped
                seen.append(await part.text())
            else:
                seen.append(None)
        assert reader.at_eof()
        return seen

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(await walk(await request.multipart()))

    app = web.Application()
    app.router.add_post("/", handler)
    answer = await send(await serve(app), write_message())
    assert json.loads(answer.body) == ["first", ['{"id": 1}', None], "я", "x" * 999]


async def test_e8_release_lets_the_connection_go_on(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        reader = await request.multipart()
        part = await reader.next()
        await part.read_chunk(2)
        await reader.release()
        return web.Response(text=str(request.content.at_eof()))

    app = web.Application()
    app.router.add_post("/", handler)
    peer = await (await serve(app)).connect()
    for _ in range(2):
        answer = await peer.request("POST", "/", MULTIPART, body=file("a", "a", b"abc" * 9999) + field("b", b"") + END)
        assert answer.status == 200


async def test_e9_each_method_on_one_body(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        reader = await request.multipart()
        seen: dict[str, Any] = {}
        async for part in reader:
            match part.name:
                case "read":
                    seen["read"] = [(await part.read()).decode(), (await part.read()).decode(), part.at_eof()]
                case "chunk":
                    seen["chunk"] = [(await part.read_chunk(2)).decode(), len(await part.read_chunk())]
                case "line":
                    seen["line"] = [(await part.readline()).decode() for _ in range(3)]
                case "text":
                    seen["text"] = [part.get_charset("utf-8"), await part.text()]
                case "json":
                    seen["json"] = await part.json()
                case "form":
                    seen["form"] = await part.form(encoding="utf-8")
                case "release":
                    await part.release()
                    seen["release"] = part.at_eof()
                case "decode":
                    seen["decode"] = [part.decode(await part.read()).decode(), part.filename, part.headers["X-A"]]
        return web.json_response(seen)

    app = web.Application()
    app.router.add_post("/", handler)
    body = (
        field("read", b"abc")
        + field("chunk", b"abc")
        + field("line", b"one\r\ntwo")
        + field("text", "я".encode("cp1251"), "Content-Type: text/plain; charset=cp1251")
        + field("json", b'{"a": 1}')
        + field("form", b"a=1&a=2")
        + field("release", b"abc")
        + file("decode", "a.txt", b"YWJj", "Content-Transfer-Encoding: base64", "X-A: b")
        + END
    )
    assert json.loads((await (await serve(app)).request("POST", "/", MULTIPART, body=body)).body) == {
        "read": ["abc", "", True],
        "chunk": ["ab", 1],
        "line": ["one\r\n", "two", ""],
        "text": ["cp1251", "я"],
        "json": {"a": 1},
        "form": [["a", "1"], ["a", "2"]],
        "release": True,
        "decode": ["abc", "a.txt", "b"],
    }


CODED = [
    (["Content-Encoding: gzip"], gzip.compress(b"abc\r\n")),
    (["Content-Encoding: deflate"], zlib.compress(b"abc\r\n")),
    (["Content-Encoding: identity"], b"abc\r\n"),
    (["Content-Transfer-Encoding: base64"], base64.b64encode(b"abc\r\n")),
    (["Content-Transfer-Encoding: quoted-printable"], b"a=62c=0D=0A"),
    (["Content-Transfer-Encoding: binary"], b"abc\r\n"),
    (["Content-Transfer-Encoding: 7bit"], b"abc\r\n"),
    (["Content-Transfer-Encoding: 8bit"], b"abc\r\n"),
]


@pytest.mark.parametrize(("lines", "data"), CODED, ids=[lines[0] for lines, _ in CODED])
async def test_e10_codings_of_parts_there_and_back(serve: Serve, lines: list[str], data: bytes) -> None:
    async def handler(request: web.Request) -> web.Response:
        part = await (await request.multipart()).next()
        writer = web.MultipartWriter()
        writer.append(await part.read(decode=True), {**dict([lines[0].split(": ")])})
        return web.Response(body=writer)

    app = web.Application()
    app.router.add_post("/", handler)
    answer = await (await serve(app)).request("POST", "/", MULTIPART, body=field("a", data, *lines) + END)
    part = await aioweb.MultipartReader(answer.headers, content(answer.body)).next()
    assert await part.read(decode=True) == b"abc\r\n"
    assert lines[0] == ": ".join(next(iter(part.headers.items())))


class Pairs(web.MultipartReader):
    """A document and its attachments at a time, like the example in the documentation of aiohttp."""

    multipart_reader_cls = web.MultipartReader

    async def next(self) -> Any:
        part = await super().next()
        if self.at_eof():
            return None
        document = await (await part.next()).json()
        return document, [len(await attachment.read()) async for attachment in part]


async def test_e11_a_subclass_of_the_reader(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        reader = Pairs(request.headers, request.content)
        return web.json_response([pair async for pair in reader])

    app = web.Application()
    app.router.add_post("/", handler)
    writer = web.MultipartWriter()
    for number in range(3):
        inner = web.MultipartWriter("related")
        inner.append_json(number)
        for size in range(number):
            inner.append(b"1" * size)
        writer.append(inner)
    answer = await send(await serve(app), writer)
    assert json.loads(answer.body) == [[0, []], [1, [0]], [2, [0, 1]]]


# -- E12, E13: the writer ----------------------------------------------------------------------------------------------


async def test_e12_a_writer_is_the_body_of_a_response(serve: Serve, tmp_path: Any) -> None:
    (tmp_path / "я.png").write_bytes(b"picture" * 100_000)
    opened: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        writer = write_message()
        opened.append((tmp_path / "я.png").open("rb"))
        writer.append(opened[0])
        return web.Response(body=writer)

    app = web.Application()
    app.router.add_get("/", handler)
    answer = await (await serve(app)).request("GET", "/")
    assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=")
    assert answer.headers["Transfer-Encoding"] == "chunked"  # nobody knows how long the packed part becomes
    reader = aioweb.MultipartReader(answer.headers, content(answer.body))
    assert await (await reader.next()).text() == "first"
    assert await (await (await reader.next()).next()).json() == {"id": 1}
    assert await (await reader.next()).text() == "я"
    assert await (await reader.next()).text() == "x" * 999
    picture = await reader.next()
    assert (picture.filename, picture.content_type) == ("я.png", "image/png")
    assert len(await picture.read()) == 700_000
    assert opened[0].closed


async def test_e12_the_length_is_announced_where_it_is_known(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        with web.MultipartWriter("form-data", boundary="x") as writer:
            writer.append("1").set_content_disposition("form-data", name="a")
        return web.Response(body=writer)

    app = web.Application()
    app.router.add_get("/", handler)
    answer = await (await serve(app)).request("GET", "/")
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.headers["Content-Type"] == "multipart/form-data; boundary=x"


def test_e13_header_values() -> None:
    writer = web.MultipartWriter()
    part = writer.append("text")
    assert isinstance(part, web.BodyPartWriter)
    assert part.headers == CIMultiDict({"Content-Type": "text/plain; charset=utf-8", "Content-Length": "4"})
    part.set_content_disposition("attachment", filename="я.txt")
    assert part.filename == "я.txt"
    assert part.headers["Content-Disposition"] == "attachment; filename=\"_.txt\"; filename*=UTF-8''%D1%8F.txt"


# -- E14, E15: what is malformed ---------------------------------------------------------------------------------------


@given(value=st.text(st.characters(codec="utf-8"), max_size=60).map(lambda text: f"form-data{text}"))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_e14_no_content_disposition_breaks_the_server(value: str) -> None:
    async def read() -> None:
        data = b"--x\r\nContent-Disposition: " + value.encode() + b"\r\n\r\n1\r\n--x--"
        reader = aioweb.MultipartReader({"Content-Type": "multipart/form-data; boundary=x"}, content(data))
        try:
            async for part in reader:
                assert await part.read() == b"1"
                assert (part.filename is None) == (part.safe_filename is None)
        except web.HTTPBadRequest:
            pass

    asyncio.run(read())


MALFORMED = {
    "no last boundary": (field("a", b"1"), 400),
    "another boundary": (field("a", b"1").replace(b"--x", b"--y") + b"--y--\r\n", 400),
    "an endless head": (b"--x\r\n" + b"A: b\r\n" * 20_000, 413),
    "a field that is folded": (b"--x\r\nA: b\r\n c\r\n\r\n1\r\n" + END, 400),
    "no name": (b"--x\r\n\r\n1\r\n" + END, 400),
    "too many parts": (field("a", b"") * 1001 + END, 413),
}


@pytest.mark.parametrize(("body", "status"), MALFORMED.values(), ids=MALFORMED)
async def test_e15_what_is_malformed_is_refused(form_of: Any, body: bytes, status: int) -> None:
    assert (await form_of("POST", MULTIPART, body=body, status=status)).startswith(f"{status}: ")


async def test_e15_content_that_ends_too_early_is_no_form(serve: Serve) -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        try:
            seen.append(dict(await request.post()))
        except web.BodyError as error:
            seen.append(type(error))
            raise
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handler)
    peer = await (await serve(app)).connect()
    head = f"POST / HTTP/1.1\r\nHost: a\r\n{MULTIPART}\r\nContent-Length: 1000\r\n\r\n".encode()
    await peer.send(head + field("a", b"1"))
    peer.writer.write_eof()
    await peer.until_closed()
    assert seen == [web.BodyInterrupted]


# -- N11 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [URLENCODED, MULTIPART])
@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
async def test_n11_a_form_has_one_mebibyte_at_most(form_of: Any, line: str, more: int, status: int) -> None:
    before, after = (field("a", b"")[:-2], b"\r\n" + END) if line == MULTIPART else (b"a=", b"")
    body = before + b"1" * (2**20 - len(before) - len(after) + more) + after
    said = await form_of("POST", line, body=body, status=status)
    assert status == 200 or said == f"413: at most {2**20} bytes of content are allowed, and {2**20 + 1} came"


@pytest.mark.parametrize(("count", "status"), [(1000, 200), (1001, 413)])
async def test_n11_a_form_has_a_thousand_fields_at_most(form_of: Any, count: int, status: int) -> None:
    assert len(await form_of("POST", URLENCODED, body=b"&".join([b"a=1"] * count), status=status)) in (1000, 31)
    await form_of("POST", MULTIPART, body=field("a", b"1") * count + END, status=status)


async def test_n11_the_limits_can_be_set_for_a_server_and_for_a_request(serve: Serve) -> None:
    async def large(request: web.Request) -> web.Response:
        request.client_max_size = 3 * 2**20
        request.client_max_fields = 1
        return web.Response(text=str(len((await request.post())["a"].file.read())))

    app = web.Application(client_max_size=100)
    app.router.add_post("/small", show_form)
    app.router.add_post("/large", large)
    address = await serve(app)
    two = file("a", "a", b"1" * 2**21)
    assert (await address.request("POST", "/large", MULTIPART, body=two + END)).body == b"2097152"
    many = await address.request("POST", "/large", MULTIPART, body=two + field("b", b"") + END)
    assert (many.status, many.body) == (413, b"413: more than 1 form fields")
    answer = await address.request("POST", "/small", MULTIPART, body=field("a", b"1" * 100) + END)
    assert answer.status == 413
    body = field("a", b"1" * 100) + END
    peer = await address.connect()
    await peer.send(f"POST /small HTTP/1.1\r\nHost: a\r\n{MULTIPART}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    await peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert (await peer.response()).body == b"413: a form may have at most 100 bytes"
