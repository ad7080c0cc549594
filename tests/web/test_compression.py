"""Compressed responses: which are, by which coding, and what their heads say."""

from __future__ import annotations

import pickle
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from multidict import CIMultiDict

from aioweb import web
from aioweb.protocol.coding import available_codings
from aioweb.protocol.events import FieldSection, HttpVersion11, RequestHead
from aioweb.web.compression import EXECUTOR_SIZE, MINIMUM_SIZE, Compression
from tests.web.coded import ALL, CODINGS, TEXT, app_of, compressed, plain

# -- the choice, by head -----------------------------------------------------------------------------------------------


def choose(
    accepted: str | None = "gzip", size: int | None = 5000, status: int = 200, fields: Any = (), **wish: Any
) -> tuple[str | None, CIMultiDict[str]]:
    raw = b"" if accepted is None else b"Accept-Encoding: %s\r\n" % accepted.encode()
    head = RequestHead("GET", "/", "/", "", None, HttpVersion11, FieldSection(raw=raw + b"\r\n"), False, True)
    headers = CIMultiDict({"Content-Type": "text/html", **dict(fields)})
    return Compression(**wish).choose(head, status, headers, size), headers


@pytest.mark.parametrize("size", [MINIMUM_SIZE, 10**9, None])
def test_content_is_compressed_and_vary_tells(size: int | None) -> None:
    coding, headers = choose(size=size)
    assert coding == "gzip"
    assert headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", [None, "", "identity", "compress", "gzip;q=0", "*;q=0"])
def test_vary_tells_of_plain_content_too(accepted: str | None) -> None:
    coding, headers = choose(accepted)
    assert coding is None
    assert headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("size", [0, 1, MINIMUM_SIZE - 1])
def test_small_content_stays_as_it_is_for_everybody(size: int) -> None:
    coding, headers = choose(size=size)
    assert coding is None
    assert "Vary" not in headers


def test_the_minimum_is_met_to_the_octet() -> None:
    assert choose(size=10, minimum_size=10)[0] == "gzip"
    assert choose(size=9, minimum_size=10)[0] is None
    assert choose(size=0, minimum_size=0)[0] is None


@pytest.mark.parametrize(
    "content_type",
    [
        *("image/png", "IMAGE/JPEG; q=1", "image/webp", "video/mp4", "audio/mpeg", "font/woff2", "font/woff"),
        *("application/zip", "application/gzip", "application/zstd", "application/pdf", "application/epub+zip"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "multipart/x-mixed-replace; boundary=x",
    ],
)
def test_what_is_compressed_already_stays_as_it_is(content_type: str) -> None:
    coding, headers = choose(fields={"Content-Type": content_type})
    assert coding is None
    assert "Vary" not in headers


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/json", "application/javascript", "application/xml", "text/event-stream"),
        *("image/svg+xml", "image/x-icon", "font/ttf", "application/wasm", "application/octet-stream", "junk"),
    ],
)
def test_other_kinds_are_compressed(content_type: str) -> None:
    assert choose(fields={"Content-Type": content_type})[0] == "gzip"


@pytest.mark.parametrize(
    "fields",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity"},
        {"Content-Range": "bytes 0-9/10"},
        {"Cache-Control": "public, No-Transform"},
        {"Content-MD5": "x"},
        {"Digest": "sha-256=x"},
        {"Content-Digest": "sha-256=:x:"},
        {"Repr-Digest": "sha-256=:x:"},
    ],
)
@pytest.mark.parametrize("force", [None, "gzip"])
def test_what_must_arrive_as_it_is_does(fields: dict[str, str], force: str | None) -> None:
    coding, headers = choose(fields=fields, force=force)
    assert coding is None
    assert "Vary" not in headers


@pytest.mark.parametrize(("status", "coding"), [(200, "gzip"), (404, "gzip"), (500, "gzip"), (302, "gzip")])
def test_errors_are_compressed_too(status: int, coding: str) -> None:
    assert choose(status=status)[0] == coding


@pytest.mark.parametrize("status", [101, 204, 205, 206, 304])
def test_a_status_without_whole_content_stays_as_it_is(status: int) -> None:
    assert choose(status=status)[0] is None
    assert choose(status=status, force="gzip")[0] is None


@pytest.mark.parametrize(
    ("vary", "then"),
    [
        ("Cookie", ["Cookie", "Accept-Encoding"]),
        ("*", ["*"]),
        ("accept-encoding", ["accept-encoding"]),
        ("Cookie , Accept-Encoding", ["Cookie , Accept-Encoding"]),
    ],
)
def test_vary_says_it_once(vary: str, then: list[str]) -> None:
    assert choose(fields={"Vary": vary})[1].getall("Vary") == then


def test_several_fields_of_the_client_are_one() -> None:
    section = FieldSection(raw=b"Accept-Encoding: br;q=0.5\r\nAccept-Encoding: gzip\r\n\r\n")
    head = RequestHead("GET", "/", "/", "", None, HttpVersion11, section, False, True)
    assert Compression().choose(head, 200, CIMultiDict({"Content-Type": "text/html"}), None) == "gzip"


def test_the_codings_are_those_that_are_offered_best_first() -> None:
    assert choose("gzip, deflate, br, zstd")[0] == available_codings()[0]
    assert choose("gzip, deflate, br, zstd", codings=[web.ContentCoding.br, "gzip"])[0] == "br"
    assert choose("gzip, deflate, br, zstd", codings=["gzip", "br"])[0] == "gzip"
    assert choose("zstd", codings=["gzip", "br"])[0] is None


@pytest.mark.parametrize("wish", [{"force": "compress"}, {"force": 7}, {"codings": ["gzip", "lzw"]}])
def test_an_unknown_coding_is_refused_at_once(wish: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one of zstd, br, gzip, deflate, identity, not"):
        web.Response().enable_compression(**wish)


@pytest.mark.parametrize("name", ["brotli", "backports.zstd"])
def test_a_coding_without_its_package_is_refused_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import aioweb.web.compression as module

    monkeypatch.setattr(module, "available_codings", lambda: ("gzip", "deflate"))
    coding = {"brotli": web.ContentCoding.br, "backports.zstd": web.ContentCoding.zstd}[name]
    with pytest.raises(ValueError, match=r"install aioweb\[speedups\]"):
        web.Response().enable_compression(coding)


# -- content at hand ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_response_is_compressed_whole_with_its_length(serve, coding: str) -> None:
    address = await serve(app_of(lambda _: compressed(web.Response(text=TEXT))))
    answer = await address.request("GET", "/", f"Accept-Encoding: {coding}")
    assert answer.headers["Content-Encoding"] == coding
    assert int(answer.headers["Content-Length"]) == len(answer.body) < len(TEXT) // 5
    assert "Transfer-Encoding" not in answer.headers
    assert plain(answer) == TEXT.encode()


async def test_a_response_stays_plain_for_who_wants_that(serve) -> None:
    address = await serve(app_of(lambda _: compressed(web.Response(text=TEXT))))
    answer = await address.request("GET", "/")
    assert "Content-Encoding" not in answer.headers
    assert (answer.headers["Vary"], answer.body) == ("Accept-Encoding", TEXT.encode())


@pytest.mark.parametrize(
    ("force", "coding"),
    [
        (web.ContentCoding.gzip, "gzip"),
        (web.ContentCoding.deflate, "deflate"),
        (web.ContentCoding.br, "br"),
        (web.ContentCoding.zstd, "zstd"),
        (web.ContentCoding.identity, None),
        ("gzip", "gzip"),
        (True, "deflate"),
        (False, "zstd"),
        (None, "zstd"),
    ],
)
async def test_force_decides_for_the_client(serve, force: Any, coding: str | None) -> None:
    address = await serve(app_of(lambda _: compressed(web.Response(text=TEXT), force)))
    answer = await address.request("GET", "/", "Accept-Encoding: zstd")
    assert answer.headers.get("Content-Encoding") == coding
    assert plain(answer) == TEXT.encode()
    assert ("Vary" in answer.headers) is (force in (False, None))


async def test_force_compresses_what_is_small_or_compressed_already(serve) -> None:
    address = await serve(app_of(lambda _: compressed(web.Response(body=b"a", content_type="image/png"), "gzip")))
    answer = await address.request("GET", "/")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert plain(answer) == b"a"


async def test_the_strategy_is_that_of_zlib(serve) -> None:
    address = await serve(
        app_of(lambda request: compressed(web.Response(text=TEXT), "gzip", int(request.query_string)))
    )
    sizes = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY):
        answer = await address.request("GET", f"/?{strategy}")
        assert plain(answer) == TEXT.encode()
        sizes.append(len(answer.body))
    assert sizes[0] < sizes[1] / 2


async def test_what_does_not_become_smaller_stays_as_it_is(serve) -> None:
    noise = bytes(range(256)) * 2
    address = await serve(app_of(lambda _: compressed(web.Response(body=noise), minimum_size=1, codings=["gzip"])))
    big = await address.request("GET", "/", ALL)
    assert big.headers["Content-Encoding"] == "gzip"
    noise = bytes(range(256))
    answer = await address.request("GET", "/", ALL)
    assert "Content-Encoding" not in answer.headers
    assert (answer.body, answer.headers["Vary"]) == (noise, "Accept-Encoding")


@pytest.mark.parametrize(
    ("tag", "sent"), [('"abc"', 'W/"abc"'), ('W/"abc"', 'W/"abc"'), (None, None)], ids=["strong", "weak", "none"]
)
async def test_a_strong_entity_tag_becomes_weak(serve, tag: str | None, sent: str | None) -> None:
    headers = {} if tag is None else {"ETag": tag}
    address = await serve(app_of(lambda _: compressed(web.Response(text=TEXT, headers=headers))))
    assert (await address.request("GET", "/", ALL)).headers.get("ETag") == sent
    assert (await address.request("GET", "/")).headers.get("ETag") == tag


async def test_head_says_what_get_says(serve) -> None:
    address = await serve(app_of(lambda _: compressed(web.Response(text=TEXT, headers={"ETag": '"a"'}))))
    heads = [(await address.request(method, "/", ALL)).headers for method in ("GET", "HEAD")]
    for head in heads:
        del head["Date"]
    assert heads[0] == heads[1]
    assert heads[0]["Content-Encoding"] == "zstd"


async def test_a_declared_length_makes_way(serve) -> None:
    length = str(len(TEXT))
    address = await serve(app_of(lambda _: compressed(web.Response(text=TEXT, headers={"Content-Length": length}))))
    answer = await address.request("GET", "/", ALL)
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert plain(answer) == TEXT.encode()
    assert (await address.request("GET", "/")).headers["Content-Length"] == length


async def test_chunked_content_is_compressed_too(serve) -> None:
    def make(_: web.Request) -> web.Response:
        response = compressed(web.Response(text=TEXT))
        response.enable_chunked_encoding()
        return response

    answer = await (await serve(app_of(make))).request("GET", "/", ALL)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert plain(answer) == TEXT.encode()


async def test_one_response_answers_clients_of_all_kinds(serve) -> None:
    shared = compressed(web.Response(text=TEXT, headers={"ETag": '"a"'}))
    address = await serve(app_of(lambda _: shared))
    for coding in ("gzip", "br", "", "deflate", "br"):
        answer = await address.request("GET", "/", f"Accept-Encoding: {coding}")
        assert answer.headers.get("Content-Encoding", "") == coding
        assert answer.headers.getall("Vary") == ["Accept-Encoding"]
        assert plain(answer) == TEXT.encode()
    assert shared.text == TEXT


async def test_a_response_says_what_is_asked_of_it() -> None:
    response = web.Response(text=TEXT)
    assert response.compression is False
    response.enable_compression()
    assert response.compression is True
    again = pickle.loads(pickle.dumps(response))
    assert again.compression is True
    assert again.text == TEXT


async def test_it_is_too_late_after_the_head(serve) -> None:
    async def make(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with pytest.raises(RuntimeError, match="coding"):
            response.enable_compression()
        return response

    assert (await (await serve(app_of(make))).request("GET", "/")).status == 200


async def test_http_1_0_gets_compressed_content(serve) -> None:
    address = await serve(app_of(lambda _: compressed(web.Response(text=TEXT))))
    answer = await address.request("GET", "/", "Accept-Encoding: gzip", http="1.0")
    assert plain(answer) == TEXT.encode()


# -- off the loop ------------------------------------------------------------------------------------------------------


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that compressed whole contents."""
    names: list[str] = []
    encode = Compression.encode

    def note(self: Compression, coding: str, content: bytes) -> bytes:
        names.append(threading.current_thread().name)
        return encode(self, coding, content)

    monkeypatch.setattr(Compression, "encode", note)
    return names


@pytest.mark.parametrize(("size", "off_loop"), [(EXECUTOR_SIZE, False), (EXECUTOR_SIZE + 1, True)])
async def test_large_content_is_compressed_off_the_loop(serve, threads: list[str], size: int, off_loop: bool) -> None:
    address = await serve(app_of(lambda _: compressed(web.Response(body=b"a" * size))))
    answer = await address.request("GET", "/", ALL)
    assert plain(answer) == b"a" * size
    assert (threads != [threading.current_thread().name]) is off_loop


async def test_the_executor_and_its_measure_are_arguments(serve, threads: list[str]) -> None:
    with ThreadPoolExecutor(1, "ours") as executor:
        address = await serve(
            app_of(
                lambda _: compressed(web.Response(text=TEXT, zlib_executor_size=len(TEXT) - 1, zlib_executor=executor))
            )
        )
        assert plain(await address.request("GET", "/", ALL)) == TEXT.encode()
    assert threads[0].startswith("ours")
