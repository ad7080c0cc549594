"""Content codings: what is encoded comes back, however it is cut; what is hostile costs little."""

from __future__ import annotations

import gzip
import random
import sys
import tracemalloc
import zlib
from importlib import import_module
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol import coding as module
from aioweb.protocol.coding import (
    STEP,
    BadCoding,
    ContentDecoder,
    DecodedTooLarge,
    UnknownCoding,
    available_codings,
    make_decoder,
    make_encoder,
    negotiate,
    split_codings,
)
from aioweb.protocol.limits import Limits

CODINGS = ("zstd", "br", "gzip", "deflate")
MIB = 1024**2
NO_RATIO = Limits(decoding_ratio=0)
# Repeats, and what cannot be compressed at all.
CONTENT = b"It was the best of times, it was the worst of times. " * 4000 + bytes(range(256)) * 3


def encode(coding: str, data: bytes) -> bytes:
    """By our encoders, in the order of the field: "gzip, br" is gzip first."""
    for name in split_codings(coding):
        encoder = make_encoder(name)
        data = encoder.encode(data) + encoder.finish()
    return data


def decoder_of(coding: str, limits: Limits = Limits()) -> ContentDecoder:  # noqa: B008
    decoder = make_decoder(coding, limits)
    assert decoder is not None
    return decoder


def decode(coding: str, pieces: list[bytes], room: int = STEP, limits: Limits = NO_RATIO) -> bytes:
    decoder = decoder_of(coding, limits)
    out = []
    for piece in pieces:
        if piece:
            out.append(decoder.decode(piece, room))
        while decoder.pending:
            out.append(decoder.decode(room=room))
    decoder.finish()
    assert all(len(step) <= room for step in out)
    return b"".join(out)


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


# -- decoding ----------------------------------------------------------------------------------------------------------


def test_all_codings_are_here_to_be_tested() -> None:
    assert available_codings() == CODINGS


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        ("gzip", gzip.compress(CONTENT)),
        ("x-gzip", gzip.compress(CONTENT)),
        ("GZip", gzip.compress(CONTENT)),
        ("gzip", gzip.compress(CONTENT[:999]) + gzip.compress(b"") + gzip.compress(CONTENT[999:])),
        ("deflate", zlib.compress(CONTENT)),
        ("deflate", raw_deflate(CONTENT)),
        ("br", import_module("brotli").compress(CONTENT)),
        ("zstd", encode("zstd", CONTENT)),
        ("zstd", encode("zstd", CONTENT[:999]) + encode("zstd", CONTENT[999:])),
        # A skippable frame, RFC 8878 section 3.1.2.
        ("zstd", bytes.fromhex("502a4d18 03000000 aabbcc") + encode("zstd", CONTENT)),
        ("identity, gzip", gzip.compress(CONTENT)),
        ("gzip, br", encode("br", gzip.compress(CONTENT))),
        ("br ,, gzip", gzip.compress(encode("br", CONTENT))),
        ("gzip, gzip", gzip.compress(gzip.compress(CONTENT))),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 4096, 10**6])
def test_content_comes_back_however_it_is_cut(coding: str, encoded: bytes, size: int) -> None:
    pieces = [encoded[start : start + size] for start in range(0, len(encoded), size)]
    assert decode(coding, pieces) == CONTENT
    assert decode(coding, pieces, room=1000) == CONTENT


cut_content = st.tuples(st.binary(max_size=400), st.integers(0, 3000), st.lists(st.integers(0, 5000), max_size=6))


@pytest.mark.parametrize("coding", [*CODINGS, "br, gzip", "gzip, zstd"])
@given(content=cut_content, room=st.sampled_from([1, 100, STEP]))
def test_any_cut_gives_the_same_and_encoding_is_undone(
    coding: str, content: tuple[bytes, int, list[int]], room: int
) -> None:
    seed, repeats, cuts = content
    data = seed * (repeats // max(len(seed), 1))
    encoded = encode(coding, data)
    ends = sorted({min(cut, len(encoded)) for cut in cuts} | {0, len(encoded)})
    assert decode(coding, [encoded[a:b] for a, b in pairwise(ends)], room) == data


@pytest.mark.parametrize("coding", [*CODINGS, "gzip, gzip"])
@given(data=st.binary(max_size=300), flip=st.integers(0, 500), octet=st.integers(0, 255))
def test_hostile_octets_raise_nothing_else(coding: str, data: bytes, flip: int, octet: int) -> None:
    broken = bytearray(encode(coding, CONTENT[-300:]))
    broken[flip % len(broken)] = octet
    for hostile in (data, bytes(broken), bytes(broken) + data):
        try:
            decode(coding, [hostile])
        except (BadCoding, DecodedTooLarge) as error:
            assert error.status in (400, 413)  # noqa: PT017


@pytest.mark.parametrize("coding", [*CODINGS, "br, gzip", "gzip, br"])
def test_content_that_is_cut_short_is_refused(coding: str) -> None:
    encoded = encode(coding, CONTENT)
    for end in (1, 2, 5, len(encoded) // 2, len(encoded) - 1):
        with pytest.raises(BadCoding, match="cut short"):
            decode(coding, [encoded[:end]])


def test_raw_deflate_that_is_cut_short_is_refused() -> None:
    with pytest.raises(BadCoding, match="the deflate content is cut short"):
        decode("deflate", [raw_deflate(CONTENT)[:-1]])


@pytest.mark.parametrize("coding", [*CODINGS, "br, gzip"])
@pytest.mark.parametrize("apart", [True, False])
def test_something_behind_the_end_is_refused(coding: str, apart: bool) -> None:
    encoded = encode(coding, CONTENT)
    for garbage in (b"garbage", b"\0" * 20):
        with pytest.raises(BadCoding):
            decode(coding, [encoded, garbage] if apart else [encoded + garbage])


@pytest.mark.parametrize("coding", [*CODINGS, "br, gzip"])
def test_no_content_at_all_is_none(coding: str) -> None:
    assert decode(coding, []) == b""


def test_a_checksum_is_checked() -> None:
    encoded = bytearray(gzip.compress(CONTENT))
    encoded[-6] ^= 1
    with pytest.raises(BadCoding, match="not valid gzip"):
        decode("gzip", [bytes(encoded)])


def test_a_window_of_zstd_is_8_mib_at_most() -> None:
    zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    for log, fits in ((23, True), (24, False)):
        compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
        encoded = compressor.compress(b"a" * 100) + compressor.flush()
        if fits:
            assert decode("zstd", [encoded]) == b"a" * 100
        else:
            with pytest.raises(BadCoding):
                decode("zstd", [encoded])


def test_input_must_wait_for_what_is_pending() -> None:
    decoder = decoder_of("gzip")
    decoder.decode(gzip.compress(CONTENT), 10)
    assert decoder.pending
    with pytest.raises(RuntimeError, match="nothing is pending"):
        decoder.decode(b"more")


# -- bombs -------------------------------------------------------------------------------------------------------------


def bomb(coding: str, size: int) -> bytes:
    encoders = [make_encoder(name) for name in split_codings(coding)]

    def through(data: bytes, last: bool) -> bytes:
        for encoder in encoders:
            data = encoder.encode(data) + (encoder.finish() if last else b"")
        return data

    return b"".join([*(through(bytes(MIB), False) for _ in range(size // MIB)), through(b"", True)])


@pytest.mark.parametrize("coding", [*CODINGS, "gzip, gzip", "deflate, br", "zstd, zstd"])
def test_a_bomb_is_stopped_early_and_costs_a_step_of_memory(coding: str) -> None:
    encoded = bomb(coding, 100 * MIB)
    assert len(encoded) < 200_000
    decoder = decoder_of(coding, Limits())
    made = largest = 0
    tracemalloc.start()
    with pytest.raises(DecodedTooLarge, match="decoding_ratio") as caught:
        for start in range(0, len(encoded), 1000):
            made += len(decoder.decode(encoded[start : start + 1000]))
            while decoder.pending:
                largest = max(largest, len(piece := decoder.decode()))
                made += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.status == 413
    assert largest <= STEP
    assert peak < MIB
    assert made <= max(MIB, 200 * len(encoded)) + STEP


def test_a_bomb_in_a_bomb_is_stopped_before_it_has_become_a_bomb() -> None:
    encoded = bomb("gzip, gzip", 500 * MIB)
    assert len(encoded) < 5000
    decoder = decoder_of("gzip, gzip", Limits())
    with pytest.raises(DecodedTooLarge):
        decoder.decode(encoded)
        while decoder.pending:
            decoder.decode()


@pytest.mark.parametrize("coding", CODINGS)
def test_the_ratio_counts_from_a_mebibyte_on(coding: str) -> None:
    limits = Limits(decoding_ratio=2)
    assert decode(coding, [encode(coding, bytes(MIB))], limits=limits) == bytes(MIB)
    with pytest.raises(DecodedTooLarge):
        decode(coding, [encode(coding, bytes(MIB + 1))], limits=limits)
    assert len(decode(coding, [encode(coding, bytes(3 * MIB))], limits=NO_RATIO)) == 3 * MIB


def test_the_ratio_is_met_to_the_octet() -> None:
    encoded = encode("gzip", bytes(2 * MIB))
    ratio = -(-2 * MIB // len(encoded))
    assert decode("gzip", [encoded], limits=Limits(decoding_ratio=ratio)) == bytes(2 * MIB)
    with pytest.raises(DecodedTooLarge):
        decode("gzip", [encoded], limits=Limits(decoding_ratio=ratio - 1))


@pytest.mark.parametrize("coding", ["gzip", "zstd", "gzip, gzip", "zstd, gzip"])
def test_endless_empty_members_are_refused(coding: str) -> None:
    inner, *outer = split_codings(coding)
    for size, good in ((1024, True), (1025, False)):
        hostile = encode(inner, b"") * size
        for name in outer:
            hostile = encode(name, hostile)
        if good:
            assert decode(coding, [hostile]) == b""
        else:
            with pytest.raises(BadCoding, match="too many pieces"):
                decode(coding, [hostile])


def test_a_file_of_many_blocks_is_welcome_one_of_crumbs_is_not() -> None:
    block = bytes(range(256)) * 2
    assert decode("gzip", [gzip.compress(block) * 3000]) == block * 3000
    with pytest.raises(BadCoding, match="too many pieces of gzip"):
        decode("gzip", [gzip.compress(block[1:]) * 3000])


@pytest.mark.parametrize("coding", CODINGS)
def test_a_step_looks_at_a_slice_of_its_input_only(coding: str) -> None:
    """Else 10 MiB in one piece would be copied for every step."""
    content = random.Random(1).randbytes(4 * MIB)
    decoder = decoder_of(coding)
    assert len(decoder.decode(encode(coding, content))) <= 4 * 16384


# -- what is asked of the names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "identity", " Identity , identity", ","])
def test_no_coding_needs_no_decoder(value: str) -> None:
    assert make_decoder(value) is None


@pytest.mark.parametrize("value", ["compress", "utf-8", "gzip, quux", "aws-chunked,gzip", "gzip;q=1", "\udcff<b>"])
def test_an_unknown_coding_says_what_is_known(value: str) -> None:
    with pytest.raises(UnknownCoding) as caught:
        make_decoder(value)
    assert caught.value.status == 415
    assert caught.value.headers == {"Accept-Encoding": "zstd, br, gzip, deflate"}
    assert str(caught.value).isascii()


def test_two_codings_are_the_most() -> None:
    assert make_decoder("gzip, br") is not None
    with pytest.raises(UnknownCoding, match="3 codings, 2 at most"):
        make_decoder("gzip, br, gzip")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the optional packages."""
    caches = (module.available_codings, *(getattr(module, name) for name in ("_brotli", "_zstd")))
    for name in ("brotli", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    for cache in caches:
        cache.cache_clear()
    yield
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("bare")
def test_without_the_packages_there_are_gzip_and_deflate() -> None:
    assert available_codings() == ("gzip", "deflate")
    for coding in ("br", "zstd"):
        with pytest.raises(UnknownCoding) as caught:
            make_decoder(coding)
        assert caught.value.headers == {"Accept-Encoding": "gzip, deflate"}
        with pytest.raises(ValueError, match="one of gzip, deflate, not"):
            make_encoder(coding)


# -- encoding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("stream", [True, False])
def test_what_was_flushed_can_be_read(coding: str, stream: bool) -> None:
    encoder, decoder = make_encoder(coding, stream=stream), decoder_of(coding)
    for number in range(3):
        event = f"data: {number}\n\n".encode()
        sent = encoder.encode(event) + encoder.flush()
        read = decoder.decode(sent)
        while decoder.pending:
            read += decoder.decode()
        assert read == event
    if rest := encoder.finish():
        decoder.decode(rest)
    decoder.finish()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_an_encoder_takes_what_may_be_written(coding: str, kind: type) -> None:
    encoder = make_encoder(coding)
    assert decode(coding, [encoder.encode(kind(CONTENT)) + encoder.finish()]) == CONTENT
    assert decode(coding, [make_encoder(coding).finish(kind(CONTENT))]) == CONTENT


@pytest.mark.parametrize(("coding", "low", "high"), [("gzip", 1, 9), ("deflate", 1, 9), ("br", 1, 11), ("zstd", 1, 22)])
def test_a_level_says_how_hard_to_try(coding: str, low: int, high: int) -> None:
    def size(level: int) -> int:
        encoder = make_encoder(coding, level)
        encoded = encoder.encode(CONTENT) + encoder.finish()
        assert decode(coding, [encoded]) == CONTENT  # in a window that every decoder has, at any level
        return len(encoded)

    assert size(high) < size(low)


def test_the_same_content_is_encoded_alike_at_any_time() -> None:
    """No time and no name of a file in it: an entity tag of the encoded content stays true."""
    assert encode("gzip", CONTENT)[:10] == bytes.fromhex("1f8b0800000000000003")


@pytest.mark.parametrize("coding", ["identity", "x-gzip", "compress", ""])
def test_an_encoder_of_an_unknown_coding_is_refused(coding: str) -> None:
    with pytest.raises(ValueError, match="coding must be one of zstd, br, gzip, deflate"):
        make_encoder(coding)


# -- the choice --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("deflate", "deflate"),
        ("compress, quux", "identity"),
        # What browsers send, and curl.
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate", "gzip"),
        ("deflate, gzip, br", "br"),
        # The client's wish comes first.
        ("br;q=0.9, gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.7, zstd;q=0.6", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=0.5, identity", "identity"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=0", "identity"),
        ("zstd;q=0, br;q=0, gzip;q=0, deflate", "deflate"),
        ("gzip, gzip;q=0", "gzip"),
        # Whatever is not named.
        ("*", "zstd"),
        ("zstd;q=0, *", "br"),
        ("gzip, *;q=0.1", "gzip"),
        ("gzip;q=0.2, *;q=0.5", "zstd"),
        ("gzip, *;q=0", "gzip"),
        ("identity;q=0.5, *;q=0", "identity"),
        ("zstd;q=0.2, br;q=0.2, gzip;q=0.2, deflate;q=0.2, *;q=0.3", "identity"),
        # Not even plain content.
        ("identity;q=0", None),
        ("*;q=0", None),
        ("compress, identity;q=0", None),
        ("gzip, identity;q=0", "gzip"),
        ("*;q=0.5, identity;q=0", "zstd"),
        # Malformed weights are left out, and what breaks the list ends it.
        ("gzip;q=high", "identity"),
        ("gzip, ;;", "gzip"),
    ],
)
def test_the_coding_of_a_response_is_chosen(accepted: str | None, chosen: str | None) -> None:
    assert negotiate(accepted, CODINGS) == chosen


def test_only_what_is_offered_is_chosen() -> None:
    assert negotiate("zstd, gzip", ["br", "gzip"]) == "gzip"
    assert negotiate("zstd, gzip", ["br"]) == "identity"
    assert negotiate("*", []) == "identity"


@given(st.text(alphabet="gziprbtsd*;q=0.15, "), st.lists(st.sampled_from(CODINGS), unique=True))
def test_a_choice_is_among_the_offered(accepted: str, offered: list[str]) -> None:
    assert negotiate(accepted, offered) in [*offered, "identity", None]
