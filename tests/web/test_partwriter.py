"""Multipart content as it is written: rows E12 and E13."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.web.bodies import StreamBody
from aioweb.web.parts import MultipartReader
from aioweb.web.partwriter import BodyPartWriter, MultipartWriter
from tests.web.fake_requests import content


async def written(writer: MultipartWriter | BodyPartWriter) -> bytes:
    return b"".join([piece async for piece in writer])


def reader_of(writer: MultipartWriter, data: bytes) -> MultipartReader:
    return MultipartReader(writer.headers, content(data))


# -- E12: the writer ---------------------------------------------------------------------------------------------------


async def test_e12_the_octets_of_a_small_multipart() -> None:
    with MultipartWriter("mixed", boundary="x") as writer:
        writer.append("я", {"A": "b"})
        writer.append(b"\0")
    expected = (
        "--x\r\nA: b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nя\r\n"
        "--x\r\nContent-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\n\0\r\n--x--\r\n"
    ).encode()
    assert await written(writer) == b"".join(writer.serialize()) == expected
    assert writer.size == len(expected)


async def test_e12_no_parts_are_a_multipart_without_parts() -> None:
    writer = MultipartWriter(boundary="x")
    assert await written(writer) == b"--x--\r\n"
    assert writer.size == 7
    assert await reader_of(writer, b"--x--\r\n").next() is None


def test_e12_len_iteration_boundary_and_headers() -> None:
    writer = MultipartWriter("related")
    assert len(writer) == 0
    assert writer  # a multipart without parts is one
    parts = [writer.append("1"), writer.append(b"2")]
    assert len(writer) == 2
    assert list(writer) == parts
    assert writer.content_type == "multipart/related"
    assert writer.headers["Content-Type"] == f"multipart/related; boundary={writer.boundary}"
    assert len(writer.boundary) >= 32
    assert writer.boundary != MultipartWriter().boundary
    assert isinstance(writer, StreamBody)


def test_e12_json_and_forms_have_their_types() -> None:
    writer = MultipartWriter()
    json = writer.append_json({"a": ["я"]})
    assert (json.obj, json.content_type) == ('{"a": ["\\u044f"]}', "application/json")
    form = writer.append_form([("a", "я"), ("b", 1), ("a", "")])
    assert (form.obj, form.content_type) == ("a=%D1%8F&b=1&a=", "application/x-www-form-urlencoded")
    assert writer.append_form({"a": [1, 2]}).obj == "a=1&a=2"
    assert writer.append_json(1, {"Content-Type": "application/x+json"}, dumps=lambda _: "[]").obj == "[]"
    assert list(writer)[-1].headers["Content-Type"] == "application/x+json"


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb", "a ", "я", 'a"b', "a;b"])
def test_a_boundary_that_cannot_be_written_is_refused(boundary: str) -> None:
    with pytest.raises(ValueError, match="boundary"):
        MultipartWriter(boundary=boundary)


@pytest.mark.parametrize("subtype", ["", "a b", "mixed\r\nA: b", "mixed; a=b"])
def test_a_subtype_that_cannot_be_written_is_refused(subtype: str) -> None:
    with pytest.raises(ValueError, match="multipart"):
        MultipartWriter(subtype)


INJECTED = [
    {"A": "b\r\nSet-Cookie: c=d"},
    {"A": "b\n\n"},
    {"A": "\0"},
    {"A\r\nB": "c"},
    {"": "a"},
    {"Content-Type": "text/plain\r\n\r\n<script>"},
    {"Content-Disposition": 'form-data; name="a"\r\nX: y'},
]


@pytest.mark.parametrize("headers", INJECTED, ids=str)
async def test_fields_that_would_end_a_head_are_refused_at_once_and_later(headers: dict[str, str]) -> None:
    writer = MultipartWriter()
    with pytest.raises(ValueError):
        writer.append("a", headers)
    assert len(writer) == 0
    writer.append("a").headers.update(headers)
    with pytest.raises(ValueError):
        await written(writer)


@pytest.mark.parametrize("value", ["a\0b", "a\x1bb", "\ud800"])
def test_a_disposition_that_cannot_be_written_is_refused(value: str) -> None:
    part = MultipartWriter().append("a")
    with pytest.raises(ValueError):
        part.set_content_disposition("form-data", filename=value)
    with pytest.raises(ValueError):
        part.set_content_disposition(f"form-data; a={value}")


async def test_line_breaks_in_a_name_are_escaped_as_browsers_do() -> None:
    writer = MultipartWriter("form-data")
    writer.append("a").set_content_disposition("form-data", name='x"\r\nY: z')
    data = await written(writer)
    assert b'name="x%22%0D%0AY: z"' in data
    part = await reader_of(writer, data).next()
    assert part.name == 'x"\r\nY: z'


async def test_e12_a_nested_multipart_may_still_grow() -> None:
    with MultipartWriter(boundary="x") as writer, MultipartWriter("related", boundary="y") as inner:
        part = writer.append(inner, {"A": "b"})
        inner.append("1")
        inner.append("2")
        writer.append("3")
    assert part.headers["Content-Type"] == "multipart/related; boundary=y"
    data = await written(writer)
    assert len(data) == writer.size
    assert data == b"".join(writer.serialize())
    reader = reader_of(writer, data)
    nested = await reader.next()
    assert nested.headers["A"] == "b"
    assert [await one.text() async for one in nested] == ["1", "2"]
    assert await (await reader.next()).text() == "3"
    assert await reader.next() is None


def test_a_nested_multipart_has_no_codings() -> None:
    with pytest.raises(ValueError, match="no codings"):
        MultipartWriter().append(MultipartWriter(), {"Content-Transfer-Encoding": "base64"})


TREES: st.SearchStrategy[list[Any]] = st.recursive(
    st.lists(st.one_of(st.binary(max_size=50), st.text(st.characters(codec="utf-8"), max_size=50)), max_size=4),
    lambda inner: st.lists(st.one_of(st.binary(max_size=9), inner), max_size=3),
    max_leaves=6,
)
CODINGS: list[dict[str, str]] = [
    {},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "deflate", "Content-Transfer-Encoding": "base64"},
    {"Content-Transfer-Encoding": "quoted-printable"},
    {"Content-Transfer-Encoding": "binary"},
]


def depth(tree: Any) -> int:
    return 1 + max([depth(one) for one in tree if isinstance(one, list)], default=0)


def write_tree(tree: list[Any], coding: dict[str, str]) -> MultipartWriter:
    writer = MultipartWriter()
    for one in tree:
        if isinstance(one, list):
            writer.append(write_tree(one, coding))
        else:
            writer.append(one, coding)
    return writer


async def read_tree(reader: MultipartReader) -> list[Any]:
    tree: list[Any] = []
    async for one in reader:
        if isinstance(one, MultipartReader):
            tree.append(await read_tree(one))
        elif one.content_type == "text/plain":
            tree.append(await one.text())
        else:
            tree.append(await one.read(decode=True))
    return tree


@given(tree=TREES.filter(lambda tree: depth(tree) <= 4), coding=st.sampled_from(CODINGS))
def test_e12_what_is_written_is_read_back(tree: list[Any], coding: dict[str, str]) -> None:
    async def round_trip() -> list[Any]:
        writer = write_tree(tree, coding)
        data = b"".join(writer.serialize())
        assert writer.size in (len(data), None)
        assert await written(writer) == data
        return await read_tree(reader_of(writer, data))

    assert asyncio.run(round_trip()) == tree


# -- E13: the part -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "headers", "fields"),
    [
        ("я", {}, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": "2"}),
        ("я", {"content-type": "text/html; charset=cp1251"}, {"Content-Length": "1"}),
        (b"abc", {}, {"Content-Type": "application/octet-stream", "Content-Length": "3"}),
        (bytearray(b"abc"), {"Content-Type": "a/b"}, {"Content-Type": "a/b", "Content-Length": "3"}),
        (memoryview(b"abc"), {"Content-Length": "9"}, {"Content-Length": "3"}),
        (io.BytesIO(b"abc"), {}, {"Content-Type": "application/octet-stream", "Content-Length": "3"}),
        (io.StringIO("abc"), {}, {"Content-Type": "text/plain; charset=utf-8"}),
    ],
    ids=str,
)
def test_e13_types_and_lengths_follow_from_the_content(obj: Any, headers: dict[str, str], fields: Any) -> None:
    part = MultipartWriter().append(obj, headers)
    assert part.obj is obj
    assert {name: part.headers[name] for name in fields} == fields
    assert ("Content-Length" in part.headers) == ("Content-Length" in fields)
    assert part.filename is None


async def test_e13_a_file_has_a_name_and_a_type(tmp_path: Path) -> None:
    path = tmp_path / "я.png"
    path.write_bytes(b"0123456789" * 100_000)
    with path.open("rb") as file:
        file.seek(10)
        writer = MultipartWriter()
        part = writer.append(file)
        assert part.filename == "я.png"
        assert part.headers["Content-Type"] == "image/png"
        assert part.headers["Content-Disposition"].startswith("attachment; filename=")
        assert part.size == 10**6 - 10
        data = await written(writer)
        assert len(data) == writer.size
        assert await written(writer) == data  # a file that can go back is read again
        assert await (await reader_of(writer, data).next()).read() == path.read_bytes()[10:]
    named = BodyPartWriter(io.BytesIO(b""), {"Content-Disposition": 'attachment; filename="b"'})
    assert named.filename == "b"


async def test_a_file_is_read_by_another_thread() -> None:
    threads: list[int] = []

    class Slow(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            threads.append(threading.get_ident())
            return 0 if len(threads) > 3 else buffer.__setitem__(slice(0, 1), b"a") or 1

    writer = MultipartWriter()
    part = writer.append(Slow())
    assert part.size is writer.size is None
    assert (await written(writer)).count(b"a") >= 3
    assert threading.get_ident() not in threads
    await writer.aclose()
    assert part.obj.closed


async def test_a_file_of_text_is_written_in_its_charset(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("тест", "utf-8")
    writer = MultipartWriter()
    with (tmp_path / "a.txt").open(encoding="utf-8") as file:
        writer.append(file, {"Content-Type": "text/plain; charset=koi8-r"})
        data = await written(writer)
    assert "тест".encode("koi8-r") in data


async def test_a_file_that_becomes_shorter_fails_and_one_that_grows_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    writer = MultipartWriter(boundary="x")
    with path.open("rb", buffering=0) as file:
        writer.append(file)
        path.write_bytes(b"abcdef")
        assert b"\r\n\r\nabc\r\n--x--" in await written(writer)
        path.write_bytes(b"a")
        with pytest.raises(RuntimeError, match="2 bytes shorter"):
            await written(writer)


async def test_an_async_iterable_is_a_part() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"

    writer = MultipartWriter()
    part = writer.append(pieces(), {"Content-Transfer-Encoding": "base64"})
    assert part.size is None
    with pytest.raises(TypeError, match="async for"):
        list(writer.serialize())
    assert b"YWJjZGVm" in await written(writer)
    await writer.aclose()


async def test_a_part_that_was_read_can_be_written_again() -> None:
    source = MultipartWriter()
    source.append("abc")
    part = await reader_of(source, await written(source)).next()
    writer = MultipartWriter()
    writer.append(part)
    assert b"abc" in await written(writer)


@pytest.mark.parametrize("obj", [None, 1, {"a": 1}, ["a"], object()], ids=str)
def test_what_is_no_content_is_refused(obj: Any) -> None:
    with pytest.raises(TypeError, match="a part is str, bytes"):
        MultipartWriter().append(obj)


@pytest.mark.parametrize(
    "headers", [{"Content-Transfer-Encoding": "uuencode"}, {"Content-Encoding": "nonsense"}], ids=str
)
def test_a_coding_that_nobody_has_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        MultipartWriter().append("a", headers)


async def test_codings_that_are_named_later_are_applied_and_the_length_is_left_out() -> None:
    writer = MultipartWriter()
    writer.append("abc").headers["Content-Encoding"] = "gzip"
    data = await written(writer)
    assert b"Content-Length" not in data
    assert await (await reader_of(writer, data).next()).text() == "abc"


@pytest.mark.parametrize(
    ("kind", "params", "written"),
    [
        ("attachment", {"filename": "a.png"}, 'attachment; filename="a.png"'),
        ("form-data", {"name": "я", "filename": 'a"b'}, 'form-data; name="я"; filename="a%22b"'),
        ("inline", {}, "inline"),
        ("attachment", {"filename": "я"}, "attachment; filename=\"_\"; filename*=UTF-8''%D1%8F"),
    ],
)
def test_e13_content_disposition(kind: str, params: dict[str, str], written: str) -> None:
    part = MultipartWriter().append("a")
    part.set_content_disposition(kind, **params)
    assert part.headers["Content-Disposition"] == written
    assert part.filename == params.get("filename")


async def test_parts_of_a_form_have_a_name_and_no_length(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")
    writer = MultipartWriter("form-data")
    writer.append("1")
    named = writer.append("2", {"Content-Disposition": 'form-data; name="b"'})
    with (tmp_path / "a.txt").open("rb") as file:
        writer.append(file)
        data = await written(writer)
    assert len(data) == writer.size
    assert "Content-Length" not in named.headers
    seen = [(one.name, one.filename, await one.text()) async for one in reader_of(writer, data)]
    assert seen == [("section-0", None, "1"), ("b", None, "2"), ("section-2", "a.txt", "abc")]


def test_a_part_can_be_made_before_it_is_appended() -> None:
    part = BodyPartWriter("a")
    writer = MultipartWriter()
    assert writer.append(part, {"A": "b"}) is part
    assert part.headers["A"] == "b"
    assert repr(part) == "<BodyPartWriter text/plain of str>"
    assert repr(writer) == "<MultipartWriter multipart/mixed, 1 parts>"
