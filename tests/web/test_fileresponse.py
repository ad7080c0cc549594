"""FileResponse over real sockets: what a file says of itself, what is asked of it, and what is no file."""

from __future__ import annotations

import gzip
import os
import time
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from aioweb.protocol.fields import parse_http_date
from tests.conftest import Serve
from tests.web.files import BEFORE, DATE, SIZES, WHEN, answering, get, make

# -- a file ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, *SIZES])
async def test_a_file_of_any_size_arrives(serve: Serve, tmp_path: Path, size: int) -> None:
    path = make(tmp_path, size)
    answer = await get(serve, path)
    assert answer.status == 200
    assert answer.body == path.read_bytes()
    assert answer.headers["Content-Length"] == str(size)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Last-Modified"] == DATE
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"].startswith('"')
    assert "Vary" not in answer.headers


@pytest.mark.parametrize("size", [0, *SIZES])
async def test_head_tells_the_same_without_content(serve: Serve, tmp_path: Path, size: int) -> None:
    path = make(tmp_path, size)
    peer = await (await serve(answering(lambda request: web.FileResponse(path)))).connect()
    head, whole = await peer.request("HEAD", "/"), await peer.request("GET", "/")
    volatile = {"Date"}
    assert {k: v for k, v in head.headers.items() if k not in volatile} == {
        k: v for k, v in whole.headers.items() if k not in volatile
    }


async def test_a_small_file_leaves_in_one_write(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path)
    peer = await (await serve(answering(lambda request: web.FileResponse(path)))).connect()
    await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await peer.reader.read(1 << 16)).endswith(path.read_bytes())


@pytest.mark.parametrize("path_type", [str, Path, os.fsencode])
async def test_a_path_may_be_given_as_text_or_path(serve: Serve, tmp_path: Path, path_type: Any) -> None:
    path = make(tmp_path)
    if path_type is os.fsencode:
        with pytest.raises(TypeError, match="a path is expected"):
            web.FileResponse(path_type(path))
    else:
        assert (await get(serve, path_type(path))).body == path.read_bytes()


async def test_the_handler_may_prepare_and_then_the_file_has_left(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path, 300_000)
    content = path.read_bytes()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.FileResponse(path)
        writer = await response.prepare(request)
        assert await response.prepare(request) is writer
        assert response.prepared
        assert response.body_length == 300_000
        os.unlink(path)
        with pytest.raises(RuntimeError, match="after write_eof"):
            response.write(b"more")
        return response

    app = web.Application()
    app.router.add_get("/", handler)
    assert (await (await serve(app)).request("GET", "/")).body == content


async def test_one_response_answers_one_request(serve: Serve, tmp_path: Path) -> None:
    response = web.FileResponse(make(tmp_path))
    address = await serve(answering(lambda request: response))
    assert (await address.request("GET", "/")).status == 200
    assert (await address.request("GET", "/")).status == 500


async def test_hooks_see_the_headers_and_may_add_some(serve: Serve, tmp_path: Path) -> None:
    seen = {}

    async def hook(request: web.Request, response: web.StreamResponse) -> None:
        seen.update(response.headers)
        response.headers["X-Hook"] = "was here"

    app = answering(lambda request: web.FileResponse(make(tmp_path)))
    app.on_response_prepare.append(hook)
    answer = await (await serve(app)).request("GET", "/")
    assert answer.headers["X-Hook"] == "was here"
    assert seen["ETag"] == answer.headers["ETag"]


async def test_headers_that_were_set_count_more_than_the_file(serve: Serve, tmp_path: Path) -> None:
    def respond(request: web.Request) -> web.FileResponse:
        headers = {"Content-Type": "x/y", "Last-Modified": BEFORE, "Content-Length": "7", "X-Own": "1"}
        response = web.FileResponse(make(tmp_path), headers=headers)
        response.etag = "mine"
        return response

    address = await serve(answering(respond))
    answer = await address.request("GET", "/")
    assert answer.headers["Content-Type"] == "x/y"
    assert answer.headers["Last-Modified"] == BEFORE
    assert answer.headers["ETag"] == '"mine"'
    assert answer.headers["Content-Length"] == "1000"
    assert answer.headers["X-Own"] == "1"
    assert (await address.request("GET", "/", 'If-None-Match: "mine"')).status == 304
    assert (await address.request("GET", "/", f"If-Modified-Since: {BEFORE}")).status == 304


async def test_a_file_of_the_future_was_not_changed_after_now(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path)
    os.utime(path, (time.time() + 10**6,) * 2)
    answer = await get(serve, path)
    changed = parse_http_date(answer.headers["Last-Modified"])
    assert changed is not None
    assert changed.timestamp() <= time.time()


@pytest.mark.parametrize(("status", "reason"), [(404, None), (201, "Here It Is"), (503, None)])
async def test_another_status_sends_the_whole_file(
    serve: Serve, tmp_path: Path, status: int, reason: str | None
) -> None:
    path = make(tmp_path)
    answer = await get(serve, path, "Range: bytes=0-1", "If-None-Match: *", status=status, reason=reason)
    assert answer.status == status
    assert reason in (None, answer.reason)
    assert answer.body == path.read_bytes()
    assert "Accept-Ranges" not in answer.headers


async def test_other_methods_get_the_whole_file(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path)
    answer = await get(serve, path, "Range: bytes=0-1", 'If-Match: "x"', method="POST")
    assert (answer.status, answer.body) == (200, path.read_bytes())


async def test_a_file_to_http_1_0(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path, 300_000)
    address = await serve(answering(lambda request: web.FileResponse(path)))
    answer = await address.request("GET", "/", http="1.0")
    assert answer.headers["Content-Length"] == "300000"
    assert answer.body == path.read_bytes()


# -- preconditions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1000, 300_000])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_file_that_the_client_has_is_a_304(serve: Serve, tmp_path: Path, size: int, method: str) -> None:
    path = make(tmp_path, size)
    headers = {"Cache-Control": "max-age=5", "Content-Disposition": "inline", "Content-Length": str(size)}
    address = await serve(answering(lambda request: web.FileResponse(path, headers=headers)))
    peer = await address.connect()
    tag = (await peer.request("GET", "/")).headers["ETag"]
    for line in (f"If-None-Match: {tag}", f'If-None-Match: "x", W/{tag}', f"If-Modified-Since: {DATE}"):
        answer = await peer.request(method, "/", line)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert answer.headers["Last-Modified"] == DATE
        assert answer.headers["Cache-Control"] == "max-age=5"
        assert not {"Content-Type", "Content-Length", "Content-Disposition"} & answer.headers.keys()


async def test_a_file_that_changed_is_sent(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path)
    address = await serve(answering(lambda request: web.FileResponse(path)))
    tag = (await address.request("GET", "/")).headers["ETag"]
    os.utime(path, ns=(WHEN * 10**9 + 1, WHEN * 10**9 + 1))
    answer = await address.request("GET", "/", f"If-None-Match: {tag}", f"If-Modified-Since: {DATE}")
    assert (answer.status, answer.body) == (200, path.read_bytes())


async def test_a_file_that_is_not_what_the_client_takes_it_for_is_a_412(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path)
    address = await serve(answering(lambda request: web.FileResponse(path, headers={"Cache-Control": "max-age=5"})))
    for line in ('If-Match: "x"', f"If-Unmodified-Since: {BEFORE}"):
        answer = await address.request("GET", "/", line)
        assert answer.status == 412
        assert b"412 Precondition Failed" in answer.body
        assert not {"ETag", "Last-Modified", "Cache-Control"} & answer.headers.keys()
    tag = (await address.request("GET", "/")).headers["ETag"]
    assert (await address.request("GET", "/", f"If-Match: {tag}", "Range: bytes=0-0")).status == 206


# -- ranges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_range_of_a_file(serve: Serve, tmp_path: Path, size: int) -> None:
    path = make(tmp_path, size)
    content = path.read_bytes()
    address = await serve(answering(lambda request: web.FileResponse(path)))
    peer = await address.connect()
    for value, part in [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=0-", slice(0, None)),
        ("bytes=-1", slice(-1, None)),
        (f"bytes={size // 2}-{size * 2}", slice(size // 2, None)),
        (f"bytes=-{size * 2}", slice(0, None)),
    ]:
        answer = await peer.request("GET", "/", f"Range: {value}")
        start, stop, _ = part.indices(size)
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["Content-Length"] == str(stop - start)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.body == content[part]


@pytest.mark.parametrize("size", [1000, 300_000])
async def test_several_ranges_of_a_file(serve: Serve, tmp_path: Path, size: int) -> None:
    path = make(tmp_path, size)
    content = path.read_bytes()
    peer = await (await serve(answering(lambda request: web.FileResponse(path)))).connect()
    answers = [await peer.request("GET", "/", "Range: bytes=-10,0-9,100-899") for _ in range(2)]
    for answer in answers:
        assert answer.status == 206
        assert "Content-Range" not in answer.headers
        message = BytesParser().parsebytes(
            f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode() + answer.body
        )
        parts: Any = message.get_payload()
        assert [(part["Content-Range"], part["Content-Type"], part.get_payload(decode=True)) for part in parts] == [
            (f"bytes {size - 10}-{size - 1}/{size}", "text/plain; charset=utf-8", content[-10:]),
            (f"bytes 0-9/{size}", "text/plain; charset=utf-8", content[:10]),
            (f"bytes 100-899/{size}", "text/plain; charset=utf-8", content[100:900]),
        ]
    assert answers[0].headers["Content-Type"] != answers[1].headers["Content-Type"], "the boundary can be foreseen"


async def test_ranges_that_overlap_are_one(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path)
    answer = await get(serve, path, "Range: bytes=5-9,0-6,10-")
    assert (answer.status, answer.body) == (206, path.read_bytes())
    assert answer.headers["Content-Range"] == "bytes 0-999/1000"


@pytest.mark.parametrize(
    "value",
    ["bytes=5-4", "lines=0-1", "bytes=a-b", "bytes=", "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 60, 2))],
)
async def test_a_range_that_is_none_is_ignored(serve: Serve, tmp_path: Path, value: str) -> None:
    answer = await get(serve, make(tmp_path), f"Range: {value}")
    assert (answer.status, len(answer.body)) == (200, 1000)


@pytest.mark.parametrize("value", ["bytes=1000-", "bytes=-0", "bytes=5000-6000,7000-"])
async def test_a_range_that_cannot_be_had_is_a_416(serve: Serve, tmp_path: Path, value: str) -> None:
    answer = await get(serve, make(tmp_path), f"Range: {value}", headers={"Content-Disposition": "inline"})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */1000"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert not {"ETag", "Last-Modified", "Content-Disposition"} & answer.headers.keys()


async def test_an_empty_file_has_no_ranges(serve: Serve, tmp_path: Path) -> None:
    answer = await get(serve, make(tmp_path, 0), "Range: bytes=0-")
    assert (answer.status, answer.body) == (200, b"")


async def test_if_range_keeps_a_changed_file_whole(serve: Serve, tmp_path: Path) -> None:
    address = await serve(answering(lambda request: web.FileResponse(make(tmp_path))))
    tag = (await address.request("GET", "/")).headers["ETag"]
    for value, status in [(tag, 206), (DATE, 206), ('"x"', 200), (f"W/{tag}", 200), (BEFORE, 200)]:
        answer = await address.request("GET", "/", "Range: bytes=0-1", f"If-Range: {value}")
        assert answer.status == status


# -- siblings ----------------------------------------------------------------------------------------------------------


async def test_a_packed_sibling_is_a_representation_of_its_own(serve: Serve, tmp_path: Path) -> None:
    path = make(tmp_path, 1000, "app.js")
    for suffix in ("br", "gz"):
        sibling = tmp_path / f"app.js.{suffix}"
        sibling.write_bytes(b"packed by " + suffix.encode())
        os.utime(sibling, (WHEN, WHEN))
    address = await serve(answering(lambda request: web.FileResponse(path)))
    peer = await address.connect()
    plain = await peer.request("GET", "/")
    gz = await peer.request("GET", "/", "Accept-Encoding: gzip")
    br = await peer.request("GET", "/", "Accept-Encoding: gzip, br")
    assert plain.body == path.read_bytes()
    assert (gz.body, gz.headers["Content-Encoding"]) == (b"packed by gz", "gzip")
    assert (br.body, br.headers["Content-Encoding"]) == (b"packed by br", "br")
    assert "Content-Encoding" not in plain.headers
    for answer in (plain, gz, br):
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert len({answer.headers["ETag"] for answer in (plain, gz, br)}) == 3
    tag = gz.headers["ETag"]
    assert (await peer.request("GET", "/", "Accept-Encoding: gzip", f"If-None-Match: {tag}")).status == 304
    assert (await peer.request("GET", "/", f"If-None-Match: {tag}")).status == 200
    part = await peer.request("GET", "/", "Accept-Encoding: br", "Range: bytes=0-5")
    assert (part.body, part.headers["Content-Range"]) == (b"packed", "bytes 0-5/12")
    assert part.headers["Content-Encoding"] == "br"


@pytest.mark.parametrize("options", [{"disposition": "attachment"}, {"headers": {"Content-Encoding": "identity"}}])
async def test_a_download_and_a_coding_that_was_set_have_no_siblings(
    serve: Serve, tmp_path: Path, options: dict[str, Any]
) -> None:
    path = make(tmp_path, 10, "a.js")
    make(tmp_path, 20, "a.js.gz")
    answer = await get(serve, path, "Accept-Encoding: gzip", **options)
    assert len(answer.body) == 10
    assert "Vary" not in answer.headers


@pytest.mark.parametrize("size", [1000, 300_000])
async def test_a_file_without_siblings_is_compressed_if_that_is_wanted(serve: Serve, tmp_path: Path, size: int) -> None:
    path = make(tmp_path, size)

    def respond(request: web.Request) -> web.FileResponse:
        response = web.FileResponse(path)
        response.enable_compression()
        return response

    peer = await (await serve(answering(respond))).connect()
    plain = await peer.request("GET", "/")
    packed = await peer.request("GET", "/", "Accept-Encoding: gzip")
    assert plain.body == path.read_bytes()
    assert (plain.headers["Content-Length"], plain.headers["Vary"]) == (str(size), "Accept-Encoding")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == path.read_bytes()
    assert packed.headers["ETag"] == f"W/{plain.headers['ETag']}"
    assert "Accept-Ranges" not in packed.headers
    part = await peer.request("GET", "/", "Accept-Encoding: gzip", "Range: bytes=1-2")
    assert (part.status, part.body) == (206, path.read_bytes()[1:3])
    again = await peer.request("GET", "/", "Accept-Encoding: gzip", f"If-None-Match: {packed.headers['ETag']}")
    assert again.status == 304


# -- downloads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "disposition"),
    [
        ({"filename": "Report.pdf"}, 'attachment; filename="Report.pdf"'),
        ({"filename": "a.txt", "disposition": "inline"}, 'inline; filename="a.txt"'),
        ({"disposition": "attachment"}, 'attachment; filename="file.txt"'),
        ({}, None),
    ],
)
async def test_the_name_of_a_download(
    serve: Serve, tmp_path: Path, options: dict[str, str], disposition: str | None
) -> None:
    answer = await get(serve, make(tmp_path), **options)
    assert answer.headers.get("Content-Disposition") == disposition


async def test_the_name_of_a_download_in_any_script(serve: Serve, tmp_path: Path) -> None:
    answer = await get(serve, make(tmp_path), filename='Отчёт "1".pdf')
    value = answer.headers["Content-Disposition"]
    assert value.isascii()
    assert "filename*=UTF-8''%D0%9E%D1%82%D1%87%D1%91%D1%82" in value
    assert answer.headers["Content-Type"] == "application/pdf"


def test_a_name_that_no_head_may_hold_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        web.FileResponse(tmp_path, filename="a", disposition="attachment\r\nX: y")


def test_the_helper_writes_the_same() -> None:
    assert web.content_disposition("attachment", filename="a b.txt") == 'attachment; filename="a b.txt"'
