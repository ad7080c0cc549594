"""The codings of parts, cut anywhere."""

from __future__ import annotations

import base64
import gzip
import quopri
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.limits import Limits
from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestEntityTooLarge, HTTPUnsupportedMediaType
from aioweb.web.partcodings import is_coded, make_part_decoder, make_part_encoder

DEFAULTS = Limits()
CODED = [
    {"Content-Transfer-Encoding": "base64"},
    {"Content-Transfer-Encoding": "Quoted-Printable"},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "deflate"},
    {"Content-Encoding": "gzip", "Content-Transfer-Encoding": "base64"},
    {"Content-Encoding": "deflate", "Content-Transfer-Encoding": "quoted-printable"},
]
PLAIN = [
    {},
    {"Content-Transfer-Encoding": "binary"},
    {"Content-Transfer-Encoding": "7bit"},
    {"Content-Transfer-Encoding": "8BIT"},
    {"Content-Transfer-Encoding": ""},
    {"Content-Encoding": "identity"},
]


def decode(headers: dict[str, str], pieces: Iterable[bytes], limits: Limits = DEFAULTS) -> bytes:
    decoder = make_part_decoder(headers, limits)
    assert decoder is not None
    made = b"".join(made for piece in pieces for made in decoder.decode(piece))
    decoder.finish()
    return made


def encode(headers: dict[str, str], pieces: Iterable[bytes]) -> bytes:
    encoder = make_part_encoder(headers)
    assert encoder is not None
    return b"".join(map(encoder.encode, pieces)) + encoder.finish()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("headers", CODED, ids=str)
@given(data=st.binary(max_size=300), sizes=st.tuples(st.integers(1, 100), st.integers(1, 50)))
def test_what_is_encoded_is_decoded_wherever_it_is_cut(
    headers: dict[str, str], data: bytes, sizes: tuple[int, int]
) -> None:
    assert decode(headers, cut(encode(headers, cut(data, sizes[0])), sizes[1])) == data


@pytest.mark.parametrize("headers", PLAIN, ids=str)
def test_what_changes_nothing_is_no_coding(headers: dict[str, str]) -> None:
    assert not is_coded(headers)
    assert make_part_decoder(headers, Limits()) is None
    assert make_part_encoder(headers) is None


@given(data=st.binary(max_size=300))
def test_others_read_what_is_written(data: bytes) -> None:
    lines = encode({"Content-Transfer-Encoding": "base64"}, cut(data, 100))
    assert base64.decodebytes(lines) == data
    assert max(map(len, lines.split(b"\r\n"))) <= 76
    printable = encode({"Content-Transfer-Encoding": "quoted-printable"}, [data])
    assert quopri.decodestring(printable) == data
    assert max(map(len, printable.split(b"\r\n"))) <= 76
    assert printable.isascii()


@given(data=st.binary(max_size=300), size=st.integers(1, 9))
def test_what_others_write_is_read(data: bytes, size: int) -> None:
    assert decode({"Content-Transfer-Encoding": "base64"}, cut(base64.encodebytes(data), size)) == data
    text = data.replace(b"\r", b"")  # of mixed ends of lines quopri writes one kind
    assert decode({"Content-Transfer-Encoding": "quoted-printable"}, cut(quopri.encodestring(text), size)) == text
    assert decode({"Content-Encoding": "gzip"}, cut(gzip.compress(data), size)) == data
    assert decode({"Content-Encoding": "deflate"}, cut(zlib.compress(data), size)) == data


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"Y\r\nW J\tj", b"abc"),
        (b"YQ==", b"a"),
        (b"Y-W_Jj!", b"abc"),  # RFC 2045 section 6.8: what is not of the alphabet is ignored
        (b"", b""),
    ],
)
def test_base64_as_it_is_found(written: bytes, meant: bytes) -> None:
    for size in range(1, 9):
        assert decode({"Content-Transfer-Encoding": "base64"}, cut(written, size)) == meant


@pytest.mark.parametrize("written", [b"Y", b"YQ", b"YQ=", b"Y===", b"====", b"YQ==YQ==", b"Y=Q=", b"YQ==\r\nYQ"])
def test_base64_that_is_none_is_a_400(written: bytes) -> None:
    for size in range(1, 9):
        with pytest.raises(HTTPBadRequest) as caught:
            decode({"Content-Transfer-Encoding": "base64"}, cut(written, size))
        assert caught.value.text == "400: a part is not valid base64"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"a=3Db=3d", b"a=b="),
        (b"a=\r\nb=\nc", b"abc"),
        (b"a=", b"a"),
        (b"a=\r", b"a"),
        (b"=zz ==41 =4 =\rx", b"=zz =A =4 =\rx"),
        (b"a \r\nb\n", b"a \r\nb\n"),
    ],
)
def test_quoted_printable_as_it_is_found(written: bytes, meant: bytes) -> None:
    for size in range(1, 9):
        assert decode({"Content-Transfer-Encoding": "quoted-printable"}, cut(written, size)) == meant


def test_quoted_printable_that_is_cut_short_is_a_400() -> None:
    with pytest.raises(HTTPBadRequest):
        decode({"Content-Transfer-Encoding": "quoted-printable"}, [b"a=4"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Transfer-Encoding": "uuencode"}, 415),
        ({"Content-Encoding": "compress"}, 415),
        ({"Content-Encoding": "gzip, gzip, gzip"}, 415),
    ],
)
def test_a_coding_that_is_unknown_is_a_415_and_cannot_be_written(headers: dict[str, str], status: int) -> None:
    assert is_coded(headers)
    with pytest.raises(HTTPUnsupportedMediaType):
        make_part_decoder(headers, Limits())
    with pytest.raises(ValueError):
        make_part_encoder(headers)


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"a" * 99)[:-1]])
def test_a_content_coding_that_is_none_is_a_400(data: bytes) -> None:
    with pytest.raises(HTTPBadRequest):
        decode({"Content-Encoding": "gzip"}, [data])


def test_a_bomb_is_a_413_before_it_is_unpacked() -> None:
    headers = {"Content-Encoding": "gzip", "Content-Transfer-Encoding": "base64"}
    bomb = encode(headers, [bytes(2**20)] * 64)
    decoder = make_part_decoder(headers, Limits())
    assert decoder is not None
    made = 0
    with pytest.raises(HTTPRequestEntityTooLarge) as caught:
        for piece in cut(bomb, 1000):
            for part in decoder.decode(piece):
                assert len(part) <= 65536
                made += len(part)
    assert "decoding_ratio" in str(caught.value.text)
    assert made < 2**21
