"""The charsets of clients."""

from __future__ import annotations

import encodings
import string

import pytest

from aioweb.web.exceptions import HTTPBadRequest
from aioweb.web.text import decode_text, find_codec


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        (None, "utf-8"),
        ("utf-8", "utf-8"),
        ("UTF8", "utf_8"),
        ("US-ASCII", "ascii"),
        ("ISO_8859-1:1987", "latin_1"),
        ("iso-8859-15", "iso8859_15"),
        ("windows-1251", "cp1251"),
        ("KOI8-R", "koi8_r"),
        ("koi8-u", "koi8_u"),
        ("Shift_JIS", "shift_jis"),
        ("GB2312", "gb2312"),
        ("euc-kr", "euc_kr"),
        ("utf-16le", "utf_16_le"),
    ],
)
def test_charsets_of_the_web_are_known_in_every_spelling(charset: str | None, codec: str) -> None:
    assert find_codec(charset) == codec
    "x".encode(codec).decode(codec)


PYTHON_ONLY = ["unicode_escape", "raw-unicode-escape", "idna", "punycode", "undefined", "charmap", "mbcs", "utf-7"]
NO_TEXT = ["rot13", "rot_13", "zlib", "zip", "bz2_codec", "hex", "base64", "quopri", "uu"]
NONSENSE = ["", "x-unknown", "ю", "a\0b", "../aliases", "x" * 8000]


@pytest.mark.parametrize("charset", [*PYTHON_ONLY, *NO_TEXT, *NONSENSE])
def test_a_charset_that_is_none_is_a_400(charset: str) -> None:
    with pytest.raises(HTTPBadRequest) as caught:
        decode_text(b"abc", charset)
    assert caught.value.text == "400: unknown charset"


def test_every_codec_that_is_known_makes_text_without_surrogates_or_is_a_400() -> None:
    for name in sorted({*encodings.aliases.aliases, *encodings.aliases.aliases.values()}):
        for data in (b"\x00\xff\xd8\x00+2AA-", string.printable.encode()):
            try:
                decode_text(data, name).encode()
            except HTTPBadRequest:
                pass


def test_unknown_charsets_are_not_remembered() -> None:
    before = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(100):
        with pytest.raises(HTTPBadRequest):
            find_codec(f"x-charset-{number}")
    assert len(encodings._cache) == before  # type: ignore[attr-defined]


def test_text_is_strict() -> None:
    assert decode_text("тест".encode("koi8-r"), "koi8-r") == "тест"
    with pytest.raises(HTTPBadRequest) as caught:
        decode_text(b"\xff", None)
    assert caught.value.text == "400: the content is not valid utf-8"
