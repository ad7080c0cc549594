"""Parts of multipart content as they are read: rows E8 to E11, on a stream that is fed by hand."""

from __future__ import annotations

import asyncio
import base64
import gzip
from typing import Any

import pytest
from multidict import CIMultiDict

import aioweb
from aioweb.protocol.limits import Limits
from aioweb.server.stream import BodyInterrupted, StreamReader
from aioweb.web.exceptions import HTTPBadRequest, HTTPException, HTTPRequestEntityTooLarge
from aioweb.web.parts import BodyPartReader, MultipartReader
from tests.data.multipart import RECORDED, Golden
from tests.web.fake_requests import content

TYPE = "multipart/mixed; boundary=x"
END = b"--x--\r\n"
DEFAULTS = Limits()


def part(data: bytes, *lines: str, boundary: bytes = b"x") -> bytes:
    head = b"".join(line.encode("utf-8", "surrogateescape") + b"\r\n" for line in lines)
    return b"--" + boundary + b"\r\n" + head + b"\r\n" + data + b"\r\n"


def reader(*pieces: bytes, content_type: str = TYPE, limits: Limits = DEFAULTS, kind: Any = MultipartReader) -> Any:
    return kind(CIMultiDict({"Content-Type": content_type}), content(*pieces), limits=limits)


async def first(data: bytes, *lines: str, limits: Limits = DEFAULTS) -> BodyPartReader:
    one = await reader(part(data, *lines) + END, limits=limits).next()
    assert isinstance(one, BodyPartReader)
    return one


# -- E8: the reader ----------------------------------------------------------------------------------------------------


async def test_parts_come_one_after_the_other_and_then_none() -> None:
    parts = reader(part(b"1") + part(b"2") + END)
    assert not parts.at_eof()
    assert await (await parts.next()).read() == b"1"
    assert await (await parts.next()).read() == b"2"
    assert not parts.at_eof()
    assert await parts.next() is None
    assert parts.at_eof()
    assert await parts.next() is None


async def test_the_reader_can_be_iterated() -> None:
    assert [await one.text() async for one in reader(part(b"1") + part("я".encode()) + END)] == ["1", "я"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_where_the_octets_are_cut_means_nothing(size: int) -> None:
    data = b"preamble\r\n" + part(b"1\r\n-\r\n--", "A: b") + part(b"") + part(b"\r") + END + b"epilogue"
    parts = reader(*(data[at : at + size] for at in range(0, len(data), size)))
    assert [await one.read() async for one in parts] == [b"1\r\n-\r\n--", b"", b"\r"]


async def test_what_was_left_unread_is_skipped() -> None:
    parts = reader(part(b"abc" * 9) + part(b"2") + END)
    one = await parts.next()
    assert await one.read_chunk(2) == b"ab"
    two = await parts.next()
    assert await two.read() == b"2"
    with pytest.raises(RuntimeError, match="went on to the next part"):
        await one.read()
    assert await two.read() == b""


async def test_release_reads_to_the_end() -> None:
    parts = reader(part(b"1") + part(b"2") + END)
    await parts.next()
    await parts.release()
    assert parts.at_eof()
    assert await parts.next() is None


def nested() -> bytes:
    inner = part(b"a", boundary=b"y") + part(b"b", boundary=b"y") + b"--y--\r\nepilogue"
    return part(b"1") + part(inner, "Content-Type: multipart/related; boundary=y", "A: b") + part(b"2") + END


async def test_a_nested_multipart_is_a_reader() -> None:
    seen: list[Any] = []
    async for one in reader(nested()):
        if isinstance(one, MultipartReader):
            seen.append((one.headers["A"], [await inner.read() async for inner in one]))
        else:
            seen.append(await one.read())
    assert seen == [b"1", ("b", [b"a", b"b"]), b"2"]


async def test_a_nested_multipart_may_be_left_in_its_middle() -> None:
    parts = reader(nested())
    await parts.next()
    inside = await parts.next()
    left = await inside.next()
    assert await (await parts.next()).read() == b"2"
    assert await parts.next() is None
    for gone in (inside.next, left.read):
        with pytest.raises(RuntimeError, match="went on"):
            await gone()


async def test_nesting_is_bounded() -> None:
    data = b"1"
    for depth in range(8, -1, -1):
        line = f"Content-Type: multipart/mixed; boundary=x{depth + 1}"
        data = part(data, line, boundary=b"x%d" % depth) + b"--x%d--\r\n" % depth
    parts = reader(data, content_type="multipart/mixed; boundary=x0")
    with pytest.raises(HTTPRequestEntityTooLarge) as caught:
        for _ in range(9):
            parts = await parts.next()
    assert "levels deep" in str(caught.value.text)


async def test_the_parts_of_nested_multiparts_count_together() -> None:
    parts = reader(nested(), limits=Limits(parts=4))
    await parts.next()
    inside = await parts.next()
    await inside.release()
    with pytest.raises(HTTPRequestEntityTooLarge) as caught:
        await parts.next()
    assert caught.value.text == "413: more than 4 parts"


@pytest.mark.parametrize(
    ("data", "content_type", "said"),
    [
        (part(b"1"), TYPE, "in the middle of a multipart message"),
        (b"", TYPE, "in the middle of a multipart message"),
        (part(b"1") + END, "multipart/mixed", "without a boundary"),
        (part(b"1") + END, "text/plain", "without a boundary"),
        (b"--x\r\n Folded: 1\r\n\r\n" + END, TYPE, "is folded"),
    ],
)
async def test_what_is_no_multipart_is_a_400(data: bytes, content_type: str, said: str) -> None:
    with pytest.raises(HTTPBadRequest, match="Bad Request") as caught:
        await reader(data, content_type=content_type).release()
    assert str(caught.value.text).startswith("400: ")
    assert said in str(caught.value.text)


async def test_content_without_a_content_type_has_no_boundary() -> None:
    with pytest.raises(HTTPBadRequest):
        MultipartReader({}, content(b""))


async def test_the_reader_waits_for_the_client_and_hears_that_it_is_gone() -> None:
    stream = content(b"--x\r\n\r\nab", eof=False)
    parts = MultipartReader({"Content-Type": TYPE}, stream)
    one = await parts.next()
    assert await one.readany() == b"ab"
    reading = asyncio.ensure_future(one.readany())
    await asyncio.sleep(0)
    assert not reading.done()
    stream.set_exception(BodyInterrupted("gone"))
    with pytest.raises(BodyInterrupted):
        await reading


async def test_a_reading_that_is_cancelled_takes_nothing() -> None:
    stream = content(b"--x\r\n\r\nab", eof=False)
    parts = MultipartReader({"Content-Type": TYPE}, stream)
    one = await parts.next()
    assert await one.readany() == b"ab"
    reading = asyncio.ensure_future(one.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    stream.feed_data(b"cd\r\n" + END)
    stream.feed_eof()
    assert await one.read() == b"cd"


async def test_any_stream_with_read_will_do() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(part(b"1") + END)
    stream.feed_eof()
    parts = aioweb.MultipartReader({"Content-Type": TYPE}, stream)
    assert await (await parts.next()).read() == b"1"


async def test_nothing_is_read_ahead() -> None:
    paused: list[bool] = []
    stream = StreamReader(1000, lambda: paused.append(False), asyncio.get_running_loop())
    stream.feed_data(b"--x\r\n\r\n")
    parts = MultipartReader({"Content-Type": TYPE}, stream)
    one = await parts.next()
    for _ in range(100):
        assert stream.feed_data(b"a" * 2000)  # full
        assert not paused
        assert len(await one.read_chunk(10)) == 10
        assert paused.pop() is False
        for _ in range(199):
            assert len(await one.read_chunk(10)) == 10


# -- E9: the part ------------------------------------------------------------------------------------------------------


async def test_e9_read_read_chunk_readline_and_readany_take_turns() -> None:
    one = await first(b"line\n" + b"a" * 20 + b"\nrest")
    assert await one.readline() == b"line\n"
    assert await one.read_chunk(5) == b"aaaaa"
    assert await one.readline() == b"a" * 15 + b"\n"
    assert not one.at_eof()
    assert await one.readany() == b"rest"
    assert await one.readany() == await one.readline() == await one.read_chunk() == await one.read() == b""
    assert one.at_eof()


@pytest.mark.parametrize("size", [1, 3, 8])
async def test_lines_are_put_together_from_pieces(size: int) -> None:
    data = part(b"abc\r\ndef\n\ng") + END
    one = await reader(*(data[at : at + size] for at in range(0, len(data), size))).next()
    assert [await one.readline() for _ in range(5)] == [b"abc\r\n", b"def\n", b"\n", b"g", b""]


async def test_the_loop_of_the_documentation_of_aiohttp_ends() -> None:
    one = await first(b"a" * 20000)
    size = 0
    while not one.at_eof():
        size += len(await one.read_chunk())
    assert size == 20000


async def test_a_chunk_is_no_longer_than_asked_for() -> None:
    one = await first(b"a" * 20000)
    assert len(await one.read_chunk()) == BodyPartReader.chunk_size == 8192
    with pytest.raises(ValueError, match="above 0"):
        await one.read_chunk(0)


async def test_release_drops_the_rest_without_complaint() -> None:
    one = await first(b"abc")
    await one.release()
    assert one.at_eof()
    assert await one.read() == b""


async def test_e9_text_json_and_form() -> None:
    assert await (await first("тест".encode())).text() == "тест"
    assert await (await first("тест".encode("cp1251"), "Content-Type: text/plain; charset=cp1251")).text() == "тест"
    assert await (await first("тест".encode("koi8-r"))).text(encoding="koi8-r") == "тест"
    assert await (await first(b'{"a": [1]}', "Content-Type: application/json")).json() == {"a": [1]}
    assert await (await first('"я"'.encode("cp1251"))).json(encoding="cp1251") == "я"
    assert await (await first(b"")).json() is None
    assert await (await first(b"1.5")).json(loads=lambda text: text) == "1.5"
    assert await (await first(b"a=1&a=+2&b=&c=%D1%8F")).form() == [("a", "1"), ("a", " 2"), ("b", ""), ("c", "я")]
    assert await (await first(b"a=%FF")).form(encoding="cp1251") == [("a", "я")]


@pytest.mark.parametrize(
    ("data", "method"),
    [(b"\xff", "text"), (b"\xff", "form"), (b"a=%ff", "form"), (b"{", "json"), (b"[" * 100_000, "json")],
)
async def test_what_is_not_what_it_should_be_is_a_400(data: bytes, method: str) -> None:
    with pytest.raises(HTTPBadRequest):
        await getattr(await first(data), method)()


async def test_an_encoding_of_the_handler_is_the_handlers_fault_only_if_it_is_none() -> None:
    with pytest.raises(HTTPBadRequest):
        await (await first(b"\xff")).text(encoding="utf-8")
    with pytest.raises(LookupError):
        await (await first(b"a")).text(encoding="nonsense")


@pytest.mark.parametrize("method", ["read", "text", "json", "form", "readline"])
async def test_what_is_collected_is_bounded(method: str) -> None:
    limits = Limits(client_max_size=4)
    await getattr(await first(b"1234", limits=limits), method)()
    with pytest.raises(HTTPRequestEntityTooLarge) as caught:
        await getattr(await first(b"12345", limits=limits), method)()
    assert caught.value.text == "413: a part may have at most 4 bytes"


async def test_what_is_streamed_is_not_bounded() -> None:
    limits = Limits(client_max_size=4)
    one = await first(b"12345", limits=limits)
    assert await one.read_chunk(9) == b"12345"
    assert [piece async for piece in await first(b"12345", limits=limits)] == [b"12345"]


async def test_no_limit_is_no_limit() -> None:
    assert len(await (await first(b"1" * 2**21, limits=Limits(client_max_size=0))).read()) == 2**21


async def test_the_fields_of_a_form_in_a_part_are_bounded() -> None:
    with pytest.raises(HTTPRequestEntityTooLarge):
        await (await first(b"a&b&c", limits=Limits(client_max_fields=2))).form()


async def test_e9_headers_name_filename_and_type() -> None:
    one = await first(
        b"1", 'Content-Disposition: form-data; name="файл"; filename="C:\\a\\nul.txt"', "Content-Type: Image/PNG; a=b"
    )
    assert one.headers["content-type"] == "Image/PNG; a=b"
    assert (one.name, one.filename, one.safe_filename) == ("файл", "nul.txt", "_nul.txt")
    assert (one.content_type, one.charset, one.content_length) == ("image/png", None, None)
    assert repr(one) == "<BodyPartReader 'файл'>"
    bare = await first(b"1")
    assert (bare.name, bare.filename, bare.safe_filename, bare.content_type) == (None, None, None, "text/plain")


async def test_e9_get_charset() -> None:
    assert (await first(b"", "Content-Type: text/plain; charset=koi8-r")).get_charset("utf-8") == "koi8-r"
    assert (await first(b"")).get_charset("latin-1") == "latin-1"


async def test_the_field_charset_of_a_form_is_for_the_fields_behind_it() -> None:
    data = (
        part("я".encode(), 'Content-Disposition: form-data; name="a"')
        + part(b"windows-1251", 'Content-Disposition: form-data; name="_charset_"')
        + part("я".encode("cp1251"), 'Content-Disposition: form-data; name="b"')
        + part("я".encode(), 'Content-Disposition: form-data; name="c"', "Content-Type: text/plain; charset=utf-8")
        + END
    )
    parts = reader(data, content_type="multipart/form-data; boundary=x")
    assert [(one.name, await one.text()) async for one in parts] == [("a", "я"), ("b", "я"), ("c", "я")]
    assert parts.charset == "windows-1251"
    assert [one.name async for one in reader(data)] == ["a", "_charset_", "b", "c"]


@pytest.mark.parametrize("charset", [b"nonsense", b"\xff", b"", b"utf-8" * 999])
async def test_a_charset_that_is_none_is_a_400(charset: bytes) -> None:
    data = part(charset, 'Content-Disposition: form-data; name="_charset_"') + END
    with pytest.raises(HTTPBadRequest):
        await reader(data, content_type="multipart/form-data; boundary=x").next()


# -- E10: codings ------------------------------------------------------------------------------------------------------

BASE64 = "Content-Transfer-Encoding: base64"
GZIP = "Content-Encoding: gzip"


async def test_e10_codings_are_undone_when_asked_for() -> None:
    packed = base64.encodebytes(gzip.compress("тест".encode())).replace(b"\n", b"\r\n")
    assert await (await first(packed, BASE64, GZIP)).read() == packed
    assert await (await first(packed, BASE64, GZIP)).read(decode=True) == "тест".encode()
    assert await (await first(packed, BASE64, GZIP)).text() == "тест"
    assert b"".join([piece async for piece in await first(packed, BASE64, GZIP)]) == "тест".encode()
    assert (await first(b"", BASE64, GZIP)).decode(packed) == "тест".encode()
    assert (await first(b"", "Content-Transfer-Encoding: binary")).decode(b"abc") == b"abc"


async def test_e10_chunks_can_be_decoded_as_they_come() -> None:
    packed = base64.encodebytes(gzip.compress(b"abc" * 1000))
    one = await first(packed, BASE64, GZIP)
    whole = b""
    while chunk := await one.read_chunk(7):
        whole += one.decode(chunk)
    assert whole == b"abc" * 1000


async def test_what_is_decoded_is_bounded_too() -> None:
    packed, limits = gzip.compress(b"1" * 1000), Limits(client_max_size=100)
    with pytest.raises(HTTPRequestEntityTooLarge):
        await (await first(packed, GZIP, limits=limits)).read(decode=True)
    with pytest.raises(HTTPRequestEntityTooLarge):
        (await first(packed, GZIP, limits=limits)).decode(packed)
    assert sum([len(piece) async for piece in await first(packed, GZIP, limits=limits)]) == 1000


@pytest.mark.parametrize(
    ("lines", "data", "status"),
    [
        ([BASE64], b"Y", 400),
        ([GZIP], b"abc", 400),
        ([GZIP], gzip.compress(b"abc")[:-1], 400),
        (["Content-Transfer-Encoding: uuencode"], b"", 415),
        (["Content-Encoding: nonsense"], b"", 415),
    ],
)
async def test_codings_that_cannot_be_undone(lines: list[str], data: bytes, status: int) -> None:
    with pytest.raises(HTTPException) as caught:
        await (await first(data, *lines)).text()
    assert caught.value.status == status
    assert await (await first(data, *lines)).read() == data


# -- E11: subclasses ---------------------------------------------------------------------------------------------------


class Attachments(MultipartReader):
    """Gives the attachments of a document."""


class Documents(MultipartReader):
    """Gives pairs of a document and its attachments."""

    multipart_reader_cls = Attachments

    async def next(self) -> Any:
        found = await super().next()
        if self.at_eof():
            return None
        if not isinstance(found, Attachments):
            return await found.json(), []
        document = await (await found.next()).json()
        return document, [await one.read() async for one in found]


async def test_e11_a_subclass_gives_what_it_likes() -> None:
    inner = part(b'{"id": 1}', boundary=b"y") + part(b"a", boundary=b"y") + part(b"b", boundary=b"y") + b"--y--"
    data = part(inner, "Content-Type: multipart/related; boundary=y") + part(b'{"id": 2}') + END
    documents = reader(data, kind=Documents)
    assert [pair async for pair in documents] == [({"id": 1}, [b"a", b"b"]), ({"id": 2}, [])]
    again = reader(data, kind=Documents)
    await again.release()
    assert again.at_eof()


async def test_e11_a_reader_of_its_own_class_is_the_default() -> None:
    class Own(MultipartReader):
        pass

    parts = reader(nested(), kind=Own)
    await parts.next()
    assert type(await parts.next()) is Own


async def test_e11_parts_may_be_of_another_class() -> None:
    class Part(BodyPartReader):
        async def first_letter(self) -> str:
            return (await self.text())[0]

    class Own(MultipartReader):
        part_reader_cls = Part

    assert await (await reader(part(b"abc") + END, kind=Own).next()).first_letter() == "a"


# -- what clients send -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("golden", RECORDED, ids=str)
async def test_what_real_clients_send_is_read(golden: Golden) -> None:
    parts = MultipartReader({"Content-Type": golden.content_type}, content(golden.body))
    expected = [meant for meant in golden.parts if meant.name != "_charset_"]
    async for one in parts:
        meant = expected.pop(0)
        if isinstance(one, MultipartReader):
            await one.release()
        else:
            assert (one.name, one.filename, await one.read()) == (meant.name, meant.filename, meant.content)
            assert one.headers.get("Content-Type") == meant.content_type
    assert expected == []
