"""Forms and multipart content, as clients that others have written send and read them."""

from __future__ import annotations

import email
import email.policy
import io
import json
import random
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from aioweb import web
from tests.conftest import Serve
from tests.interop.clients import Aiohttp, Curl, Httpx

PICTURE = random.Random(7).randbytes(300_000)  # above Limits.form_memory: on disk
NOTE = "один\r\n--два\n".encode()


async def show_form(request: web.Request) -> web.Response:
    """What came, the files by name, type, size and sum of octets."""
    seen: list[Any] = []
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            data = value.file.read()
            seen.append([name, value.filename, value.content_type, len(data), sum(data)])
        else:
            seen.append([name, value])
    return web.json_response(seen)


async def show_parts(request: web.Request) -> web.Response:
    """The same, streamed."""
    seen: list[Any] = []
    async for part in await request.multipart():
        size = total = 0
        async for piece in part:
            size += len(piece)
            total += sum(piece)
        if part.filename:
            seen.append([part.name, part.filename, part.content_type, size, total])
        else:
            seen.append([part.name, size])
    return web.json_response(seen)


async def write_parts(request: web.Request) -> web.Response:
    """Multipart content for clients that read it."""
    writer = web.MultipartWriter("mixed")
    writer.append("тест")
    with web.MultipartWriter("related") as inner:
        inner.append_json({"a": 1})
        inner.append(NOTE, {"Content-Transfer-Encoding": "base64"})
    writer.append(inner)
    writer.append(io.BytesIO(PICTURE)).set_content_disposition("attachment", filename="я.png")
    return web.Response(body=writer)


@pytest.fixture
async def url(serve: Serve) -> str:
    app = web.Application(client_max_size=2**20)
    app.router.add_post("/post", show_form)
    app.router.add_post("/stream", show_parts)
    app.router.add_get("/parts", write_parts)
    return (await serve(app)).url


def picture(name: str, filename: str, content_type: str) -> list[Any]:
    return [name, filename, content_type, len(PICTURE), sum(PICTURE)]


def note(name: str, filename: str, content_type: str) -> list[Any]:
    return [name, filename, content_type, len(NOTE), sum(NOTE)]


def streamed(fields: list[list[Any]]) -> list[list[Any]]:
    """What `show_parts` says of what `show_form` says."""
    return [[one[0], len(one[1].encode())] if len(one) == 2 else one for one in fields]


async def test_curl(url: str, tmp_path: Path) -> None:
    (tmp_path / "picture.bin").write_bytes(PICTURE)
    (tmp_path / 'я "x".txt').write_bytes(NOTE)
    fields = [
        ["title", "Тест; a=b"],
        picture("f", "picture.bin", "application/octet-stream"),
        picture("f", "other.png", "image/png"),
        note("n", 'я "x".txt', "text/plain"),
        ["text", NOTE.decode()],
    ]
    quoted = str(tmp_path / 'я "x".txt').replace('"', '\\"')
    options = [
        *("--form-string", "title=Тест; a=b"),
        *("-F", f"f=@{tmp_path}/picture.bin"),
        *("-F", f"f=@{tmp_path}/picture.bin;filename=other.png;type=image/png"),
        *("-F", f'n=@"{quoted}"'),
        *("-F", f'text=<"{quoted}"'),
    ]
    async with Curl(tmp_path) as client:
        assert isinstance(client, Curl)
        assert json.loads(await client.curl(f"{url}/post", *options)) == fields
        assert json.loads(await client.curl(f"{url}/stream", *options)) == streamed(fields)
        chunked = ["--header", "Transfer-Encoding: chunked", *options]
        assert json.loads(await client.curl(f"{url}/post", *chunked)) == fields


async def test_curl_encodes_parts_and_nests_files(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(NOTE)
    (tmp_path / "b.txt").write_bytes(NOTE)
    options = [
        *("-F", f"a=@{tmp_path}/a.txt;encoder=base64"),
        *("-F", f"b=@{tmp_path}/a.txt;encoder=quoted-printable"),
        *("-F", f"c=@{tmp_path}/a.txt,{tmp_path}/b.txt"),
    ]
    async with Curl(tmp_path) as client:
        assert isinstance(client, Curl)
        assert json.loads(await client.curl(f"{url}/post", *options)) == [
            note("a", "a.txt", "text/plain"),
            note("b", "a.txt", "text/plain"),
            note("c", "a.txt", "text/plain"),
            note("c", "b.txt", "text/plain"),
        ]


async def test_curl_learns_at_once_that_a_file_is_too_large(url: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2**21))
    async with Curl(tmp_path) as client:
        assert isinstance(client, Curl)
        reply, _ = await client.fetch(f"{url}/post", "-F", f"f=@{tmp_path}/large")
    assert reply.status == 413


async def test_httpx(url: str, tmp_path: Path) -> None:
    files = [
        ("f", ('я "x".png', io.BytesIO(PICTURE), "image/png")),
        ("f", ("b.txt", NOTE, "text/plain")),
    ]
    fields = [
        ["title", "Тест"],
        ["empty", ""],
        picture("f", 'я "x".png', "image/png"),
        note("f", "b.txt", "text/plain"),
    ]
    async with Httpx(tmp_path) as client:
        assert isinstance(client, Httpx)
        data = {"title": "Тест", "empty": ""}
        answer = await client.client.post(f"{url}/post", data=data, files=files)
        assert answer.json() == fields
        files[0][1][1].seek(0)
        answer = await client.client.post(f"{url}/stream", data=data, files=files)
        assert answer.json() == streamed(fields)


async def test_httpx_reads_its_own_refusal(url: str, tmp_path: Path) -> None:
    async with Httpx(tmp_path) as client:
        assert isinstance(client, Httpx)
        with pytest.raises(httpx.HTTPStatusError, match="413"):
            (await client.client.post(f"{url}/post", files={"f": bytes(2**21)})).raise_for_status()


def aiohttp_form(**options: Any) -> aiohttp.FormData:
    form = aiohttp.FormData(**options)
    form.add_field("title", "Тест")
    form.add_field("f", io.BytesIO(PICTURE), filename='я "x".png', content_type="image/png")
    form.add_field("n", NOTE, filename="b.txt")
    return form


@pytest.mark.parametrize("quote_fields", [True, False])
async def test_aiohttp(url: str, tmp_path: Path, quote_fields: bool) -> None:
    # With quote_fields it percent-encodes the whole filename. Browsers escape three characters only, so a percent sign
    # before others is one, and nobody can tell what this client meant.
    filename = '%D1%8F%20"x".png' if quote_fields else 'я "x".png'
    fields = [["title", "Тест"], picture("f", filename, "image/png"), note("n", "b.txt", "application/octet-stream")]
    async with Aiohttp(tmp_path) as client:
        assert isinstance(client, Aiohttp)
        for path, wanted in (("post", fields), ("stream", streamed(fields))):
            reply = await client.send("POST", f"{url}/{path}", data=aiohttp_form(quote_fields=quote_fields))
            assert json.loads(reply.body) == wanted


async def test_aiohttps_writer(url: str, tmp_path: Path) -> None:
    with aiohttp.MultipartWriter("form-data") as writer:
        part = writer.append(NOTE)
        part.set_content_disposition("form-data", name="n", filename="b.txt")
        part = writer.append("text")
        part.set_content_disposition("form-data", name="t")
    async with Aiohttp(tmp_path) as client:
        assert isinstance(client, Aiohttp)
        reply = await client.send("POST", f"{url}/post", data=writer)
    assert json.loads(reply.body) == [note("n", "b.txt", "application/octet-stream"), ["t", "text"]]


async def test_aiohttps_reader_reads_what_we_write(url: str, tmp_path: Path) -> None:
    async with Aiohttp(tmp_path) as client:
        assert isinstance(client, Aiohttp)
        async with client.session.get(f"{url}/parts") as answer:
            reader = aiohttp.MultipartReader.from_response(answer)
            assert await (await reader.next()).text() == "тест"
            inner = await reader.next()
            assert await (await inner.next()).json() == {"a": 1}
            assert await (await inner.next()).read(decode=True) == NOTE
            part = await reader.next()
            assert part.filename == "я.png"
            assert await part.read() == PICTURE


async def test_a_mail_program_reads_what_we_write(url: str, tmp_path: Path) -> None:
    async with Httpx(tmp_path) as client:
        assert isinstance(client, Httpx)
        answer = await client.client.get(f"{url}/parts")
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    assert isinstance(message, EmailMessage)
    text, inner, file = message.iter_parts()
    assert text.get_payload(decode=True) == "тест".encode()
    assert [part.get_payload(decode=True) for part in inner.iter_parts()] == [b'{"a": 1}', NOTE]
    assert file.get_content_disposition() == "attachment"
    assert "filename*=UTF-8''%D1%8F.png" in answer.text
