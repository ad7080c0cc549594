"""Forms of multipart/form-data: fields, files, where files are kept, and when they end."""

from __future__ import annotations

import asyncio
import errno
import gc
import io
import logging
import tempfile
from functools import partial
from typing import Any, BinaryIO

import attrs
import pytest

from aioweb.protocol.limits import Limits
from aioweb.web.exceptions import HTTPBadRequest, HTTPException, HTTPInsufficientStorage, HTTPRequestEntityTooLarge
from aioweb.web.forms import DiskFile, FileField, FormFiles
from aioweb.web.request import Request
from tests.data.multipart import RECORDED, Golden
from tests.web.fake_requests import content, make

TYPE = "multipart/form-data; boundary=x"
BLOCK = 262144


def field(name: str, data: bytes, *lines: str) -> bytes:
    return part(data, f'Content-Disposition: form-data; name="{name}"', *lines)


def file(name: str, filename: str, data: bytes, *lines: str) -> bytes:
    return part(data, f'Content-Disposition: form-data; name="{name}"; filename="{filename}"', *lines)


def part(data: bytes, *lines: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in lines)
    return b"--x\r\n" + head.encode("utf-8", "surrogateescape") + b"\r\n" + data + b"\r\n"


def post(*parts: bytes, content_type: str = TYPE, end: bytes = b"--x--\r\n", **limits: int) -> Any:
    """A request with this form."""
    body = content(*parts, end)
    return make("POST", "/", ("Content-Type", content_type), body=body, limits=Limits(client_max_size=0, **limits))


async def finish(request: Request) -> None:
    """What the end of a request does."""
    if request.form_files is not None:
        request.form_files.close()
    await asyncio.get_running_loop().shutdown_default_executor()


# -- fields and files --------------------------------------------------------------------------------------------------


async def test_fields_are_text_and_keep_their_order() -> None:
    form = await post(field("a", b"1"), field("b", "я\r\n".encode()), field("a", b"")).post()
    assert list(form.items()) == [("a", "1"), ("b", "я\r\n"), ("a", "")]
    assert form.getall("a") == ["1", ""]


async def test_a_part_with_a_filename_is_a_file() -> None:
    request = post(file("f", "C:\\я.png", b"\0\xff", "Content-Type: Image/PNG; a=b", "X-A: b"))
    found = (await request.post())["f"]
    assert isinstance(found, FileField)
    assert (found.name, found.filename, found.safe_filename) == ("f", "я.png", "я.png")
    assert found.content_type == "image/png"
    assert found.headers["X-A"] == "b"
    assert found.file.read() == b"\0\xff"
    assert found.file.seek(1) == 1
    assert found.file.read() == b"\xff"
    await finish(request)


async def test_a_file_can_be_taken_apart_as_in_aiohttp_0_17_and_does_not_change() -> None:
    found = (await post(file("f", "a.txt", b"1")).post())["f"]
    name, filename, opened, content_type = found
    assert (name, filename, opened.read(), content_type) == ("f", "a.txt", b"1", "text/plain")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        found.name = "g"


async def test_the_field_of_a_form_that_no_file_was_chosen_for_is_empty_text() -> None:
    request = post(file("f", "", b"", "Content-Type: application/octet-stream"))
    assert list((await request.post()).items()) == [("f", "")]


async def test_the_text_of_a_field_is_in_its_charset() -> None:
    koi8 = "тест".encode("koi8-r")
    form = await post(
        field("a", koi8, "Content-Type: text/plain; charset=koi8-r"),
        field("_charset_", b"koi8-r"),
        field("b", koi8),
    ).post()
    assert list(form.items()) == [("a", "тест"), ("b", "тест")]


async def test_codings_of_fields_and_files_are_undone() -> None:
    form = await post(
        field("a", b"0YLQtdGB\r\n0YI=", "Content-Transfer-Encoding: base64"),
        field("b", b"=D1=\r\n=82", "Content-Transfer-Encoding: quoted-printable"),
        file("c", "c", b"YWJj", "Content-Transfer-Encoding: BASE64"),
        field("d", b"8", "Content-Transfer-Encoding: 8bit"),
    ).post()
    assert (form["a"], form["b"], form["d"]) == ("тест", "т", "8")
    assert form["c"].file.read() == b"abc"


async def test_files_of_a_nested_multipart_are_files_of_its_field() -> None:
    inner = (
        b'--y\r\nContent-Disposition: file; filename="1"\r\n\r\na\r\n'
        b'--y\r\nContent-Disposition: file; filename="2"\r\n\r\nb\r\n--y--\r\n'
    )
    form = await post(field("f", inner, "Content-Type: multipart/mixed; boundary=y"), field("a", b"1")).post()
    assert [(one.name, one.filename, one.file.read()) for one in form.getall("f")] == [
        ("f", "1", b"a"),
        ("f", "2", b"b"),
    ]
    assert form["a"] == "1"


async def test_a_form_without_fields_is_empty() -> None:
    request = post()
    assert len(await request.post()) == 0
    assert request.POST is await request.post()


FORMS = [one for one in RECORDED if one.content_type.startswith("multipart/form-data")]


@pytest.mark.parametrize("golden", FORMS, ids=str)
async def test_forms_of_real_clients(golden: Golden) -> None:
    expected = [
        (meant.name, meant.filename or None, meant.content)
        for meant in golden.parts
        if meant.name != "_charset_" and not (meant.content_type or "").startswith("multipart/")
    ]
    seen: list[Any] = []
    for name, value in (await post(golden.body, content_type=golden.content_type, end=b"").post()).items():
        if isinstance(value, FileField):
            seen.append((name, value.filename, value.file.read()))
        else:
            seen.append((name, None, value.encode()))
    if expected:
        assert seen == expected
    else:  # curl, with two files of one name: a nested multipart
        assert seen == [("pics", "b.bin", bytes(range(16)))] * 2


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "limits", "fits", "said"),
    [
        ([field("a", b"1")] * 3, {"client_max_fields": 2}, {"client_max_fields": 3}, "more than 2 form fields"),
        ([field("a", b"1")] * 3, {"parts": 2}, {"parts": 3}, "more than 2 parts"),
        ([field("a", b"12"), field("b", b"34")], {"form_field": 3}, {"form_field": 4}, "at most 3 bytes"),
        ([field("a", b"12"), field("b", b"34")], {"form_field": 3}, {"form_field": 0}, "the fields of a form"),
        ([file("a", "a", b"1234")] * 2, {"form_file": 3}, {"form_file": 4}, "a file of a form may have at most 3"),
        ([file("a", "a", b"1234")], {"form_file": 3}, {"form_file": 0}, "a file of a form"),
        ([field("a", b"1")], {"part_head": 43}, {"part_head": 44}, "longer than 43 bytes"),
        ([field("a", b"1", "A: b")], {"part_fields": 1}, {"part_fields": 2}, "more than 1 fields"),
    ],
)
async def test_each_limit_is_a_413_that_names_it(
    parts: list[bytes], limits: dict[str, int], fits: dict[str, int], said: str
) -> None:
    await post(*parts, **fits).post()
    request = post(*parts, **limits)
    with pytest.raises(HTTPRequestEntityTooLarge) as caught:
        await request.post()
    assert said in str(caught.value.text)
    with pytest.raises(RuntimeError, match="POST"):
        _ = request.POST  # no half of a form
    await finish(request)


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
@pytest.mark.parametrize("end", [b"--x--\r\n", b"--x--\r\n" + b"epilogue" * 99])
async def test_the_whole_form_is_bounded_with_all_that_stands_around_it(more: int, fits: bool, end: bytes) -> None:
    parts = [b"preamble\r\n", field("a", b"1"), file("b", "b", b"2" * (1000 + more))]
    request = post(*parts, end=end)
    request.client_max_size = sum(map(len, parts)) + len(end) - more
    if fits:
        assert (await request.post())["a"] == "1"
        assert request.content.at_eof()
    else:
        with pytest.raises(HTTPRequestEntityTooLarge) as caught:
            await request.post()
        assert caught.value.text == f"413: a form may have at most {request.client_max_size} bytes"


async def test_a_length_that_is_too_much_is_refused_before_anything_is_read() -> None:
    fields = [("Content-Type", TYPE), ("Content-Length", "1000")]
    request = make("POST", "/", *fields, body=content(eof=False), limits=Limits(client_max_size=999))
    with pytest.raises(HTTPRequestEntityTooLarge) as caught:
        await request.post()
    assert caught.value.text == "413: at most 999 bytes of content are allowed, and 1000 came"


@pytest.mark.parametrize(
    ("parts", "end", "said"),
    [
        ([field("a", b"1")], b"", "in the middle"),
        ([field("a", b"1")], b"--x", "in the middle"),
        ([part(b"1")], b"--x--", "has no name"),
        ([part(b"1", "Content-Disposition: form-data; name")], b"--x--", "has no name"),
        ([field("a", b"\xff")], b"--x--", "not valid utf-8"),
        ([field("a", b"1", "Content-Type: text/plain; charset=nonsense")], b"--x--", "unknown charset"),
        ([field("_charset_", b"utf-7")], b"--x--", "unknown charset"),
        ([field("a", b"1", "Content-Transfer-Encoding: base64")], b"--x--", "not valid base64"),
        ([file("a", "a", b"1", "Content-Encoding: gzip")], b"--x--", "cut short"),
    ],
)
async def test_what_is_no_form_is_a_400(parts: list[bytes], end: bytes, said: str) -> None:
    with pytest.raises(HTTPBadRequest) as caught:
        await post(*parts, end=end).post()
    assert said in str(caught.value.text)


async def test_a_coding_that_is_unknown_is_a_415() -> None:
    with pytest.raises(HTTPException) as caught:
        await post(field("a", b"1", "Content-Transfer-Encoding: uuencode")).post()
    assert caught.value.status == 415


# -- where files are ---------------------------------------------------------------------------------------------------


def sizes(*given: int) -> list[bytes]:
    return [file("f", f"{number}", bytes([number]) * size) for number, size in enumerate(given)]


def is_on_disk(one: FileField) -> bool:
    return not isinstance(one.file, io.BytesIO)


@pytest.mark.parametrize(
    ("given", "memory", "on_disk"),
    [
        ((1000, 2000), 3000, [False, False]),
        ((1000, 2001), 3000, [False, True]),
        ((3001, 3000), 3000, [True, False]),
        ((0, 1, 0), 0, [False, True, False]),
        ((10 * BLOCK + 7, 5), 100, [True, False]),
    ],
)
async def test_files_are_in_memory_up_to_a_sum_and_then_on_disk(
    given: tuple[int, ...], memory: int, on_disk: list[bool]
) -> None:
    request = post(*sizes(*given), form_memory=memory)
    found = (await request.post()).getall("f")
    assert [is_on_disk(one) for one in found] == on_disk
    for number, (one, size) in enumerate(zip(found, given, strict=True)):
        assert one.file.tell() == 0
        assert one.file.read() == bytes([number]) * size
    await finish(request)
    assert all(one.file.closed for one in found)


async def test_a_temporary_file_is_written_in_large_blocks_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: list[int] = []
    append = DiskFile.append

    def note(self: DiskFile, data: memoryview) -> BinaryIO:
        with pytest.raises(RuntimeError):  # no loop runs in this thread
            asyncio.get_running_loop()
        blocks.append(len(data))
        return append(self, data)

    monkeypatch.setattr(DiskFile, "append", note)
    body = content(b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n', eof=False)
    request = make("POST", "/", ("Content-Type", TYPE), body=body, limits=Limits(client_max_size=0))
    reading = asyncio.ensure_future(request.post())
    for _ in range(300):
        body.feed_data(b"1" * 10_000)
        await asyncio.sleep(0)
    body.feed_data(b"\r\n--x--")
    body.feed_eof()
    assert len((await reading)["f"].file.read()) == sum(blocks) == 3_000_000
    assert all(block >= BLOCK for block in blocks[:-1])
    assert len(blocks) > 1
    await finish(request)


async def test_a_temporary_file_has_no_name(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    request = post(*sizes(1000), form_memory=0)
    assert is_on_disk((await request.post())["f"])
    assert list(tmp_path.iterdir()) == []
    await finish(request)


async def test_files_of_a_form_that_fails_are_closed() -> None:
    request = post(*sizes(1000, 2000), form_memory=1000, end=b"")
    with pytest.raises(HTTPBadRequest):
        await request.post()
    await finish(request)
    gc.collect()  # a file that is left open is a ResourceWarning


async def test_a_file_that_is_being_written_when_the_reading_is_cancelled_is_closed() -> None:
    request = post(file("f", "f", b"1" * BLOCK)[:-2], end=b"", form_memory=0)
    reading = asyncio.ensure_future(request.post())
    while request.form_files is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await finish(request)
    gc.collect()


def test_a_file_is_not_opened_after_its_request() -> None:
    late = DiskFile()
    late.close()
    with pytest.raises(ValueError, match="the request is over"):
        late.append(b"1")


async def test_no_room_on_the_disk_is_a_507_and_one_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(open, "/dev/full", "w+b", buffering=0))
    request = post(*sizes(1000), form_memory=0)
    with caplog.at_level(logging.ERROR), pytest.raises(HTTPInsufficientStorage):
        await request.post()
    assert len(caplog.records) == 1
    assert "No room for the files of a form in" in caplog.text
    await finish(request)
    gc.collect()


async def test_a_full_disk_that_is_noticed_late_does_not_disturb_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # A buffered file notices when it is closed at the latest.
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(open, "/dev/full", "w+b"))
    request = post(*sizes(1000), form_memory=0)
    with pytest.raises(HTTPInsufficientStorage):
        await request.post()
    await finish(request)


async def test_a_file_beyond_what_the_file_system_takes_is_a_507(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> BinaryIO:
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(HTTPInsufficientStorage):
        await post(*sizes(1000), form_memory=0).post()


async def test_another_error_of_the_disk_is_an_error_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> BinaryIO:
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(PermissionError):
        await post(*sizes(1000), form_memory=0).post()


async def test_files_are_closed_once_and_a_request_without_any_has_nothing_to_close() -> None:
    files = FormFiles()
    held = io.BytesIO(b"1")
    files.hold(held)
    files.close()
    files.close()
    assert held.closed
    assert make("GET").form_files is None


# -- one content, one reader -------------------------------------------------------------------------------------------


async def test_post_is_kept_for_the_next_call() -> None:
    request = post(field("a", b"1"))
    assert await request.post() is await request.post() is request.POST is request.form


async def test_post_and_multipart_read_what_read_has_kept() -> None:
    request = post(field("a", b"1"))
    data = await request.read()
    assert (await request.post())["a"] == "1"
    assert await (await (await request.multipart()).next()).text() == "1"
    assert await request.read() is data


@pytest.mark.parametrize("second", ["read", "text", "multipart"])
async def test_what_post_has_taken_is_gone(second: str) -> None:
    request = post(field("a", b"1"))
    await request.post()
    with pytest.raises(RuntimeError, match=r"taken by request.post\(\)"):
        await getattr(request, second)()


@pytest.mark.parametrize("second", ["read", "post", "multipart"])
async def test_what_multipart_takes_is_gone(second: str) -> None:
    request = post(field("a", b"1"))
    await request.multipart()
    with pytest.raises(RuntimeError, match=r"taken by request.multipart\(\)"):
        await getattr(request, second)()


async def test_content_that_was_read_from_the_stream_is_missed() -> None:
    for method in ("post", "multipart"):
        request = post(field("a", b"1"))
        await request.content.read()
        with pytest.raises(RuntimeError, match=f"request.{method}.. finds no content"):
            await getattr(request, method)()


async def test_the_files_of_a_clone_end_with_the_request() -> None:
    request = post(*sizes(1000), form_memory=0)
    clone = request.clone(method="PUT")
    found = (await clone.post())["f"]
    await finish(request)
    assert found.file.closed
    with pytest.raises(RuntimeError, match="clone"):
        clone.clone()


async def test_multipart_of_what_is_none_is_a_415() -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "", "multipart"):
        with pytest.raises(HTTPException) as caught:
            await post(content_type=content_type).multipart()
        assert caught.value.text == "415: the content is not multipart"


async def test_the_limits_that_a_handler_sets_hold() -> None:
    request = post(field("a", b"1"), field("b", b"2"))
    request.client_max_fields = 1
    with pytest.raises(HTTPRequestEntityTooLarge):
        await request.post()
    request = post(field("a", b"123"))
    request.client_max_size = 2
    with pytest.raises(HTTPRequestEntityTooLarge):
        await (await (await request.multipart()).next()).read()
    request = post(field("a", b"123"), part_fields=9)
    request.client_max_size = -1
    assert await (await (await request.multipart()).next()).read() == b"123"
