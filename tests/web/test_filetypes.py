"""Types by names: the same on every machine."""

from __future__ import annotations

import mimetypes

import pytest

from aioweb.web.filetypes import CONTENT_TYPES, SIBLINGS, guess_type


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.min.js", "text/javascript; charset=utf-8"),
        ("A.JS", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("a.webp", "image/webp"),
        ("a.woff2", "font/woff2"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.mp4", "video/mp4"),
        ("a.bin", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("", "application/octet-stream"),
        (".txt", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("a.rtf", mimetypes.guess_type("a.rtf")[0]),
    ],
)
def test_the_suffix_tells_the_type(name: str, content_type: str) -> None:
    assert guess_type(name) == (content_type, None)


@pytest.mark.parametrize(
    ("name", "content_type", "coding"),
    [
        ("a.txt.gz", "text/plain; charset=utf-8", "gzip"),
        ("a.js.br", "text/javascript; charset=utf-8", "br"),
        ("a.json.zst", "application/json", "zstd"),
        ("a.svgz", "image/svg+xml", "gzip"),
        ("a.tar.gz", "application/gzip", None),
        ("a.tgz", "application/gzip", None),
        ("a.gz", "application/gzip", None),
        ("a.unheard-of.gz", "application/gzip", None),
        ("a.tar.zst", "application/zstd", None),
        ("a.txt.bz2", "application/x-bzip2", None),
        ("a.txt.xz", "application/x-xz", None),
    ],
)
def test_packed_files_are_what_is_in_them_and_archives_are_themselves(
    name: str, content_type: str, coding: str | None
) -> None:
    assert guess_type(name) == (content_type, coding)


@pytest.mark.parametrize(
    ("name", "content_type"), [("a.txt.gz", "application/gzip"), ("a.js.br", "application/x-brotli")]
)
def test_a_download_is_what_it_is(name: str, content_type: str) -> None:
    assert guess_type(name, unpack=False) == (content_type, None)


def test_the_system_cannot_overrule_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mimetypes, "guess_type", lambda name: ("text/plain", None))
    assert guess_type("a.js") == ("text/javascript; charset=utf-8", None)


def test_an_application_can_add_a_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTENT_TYPES, ".ours", "application/x-ours")
    assert guess_type("a.ours") == ("application/x-ours", None)


def test_siblings_have_suffixes_with_types_of_their_own() -> None:
    assert all(suffix in CONTENT_TYPES for suffix in SIBLINGS.values())
    assert list(SIBLINGS) == ["zstd", "br", "gzip"]
