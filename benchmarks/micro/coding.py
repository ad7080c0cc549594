"""What undoing a Content-Encoding costs: aioweb's bounded decoder next to the libraries in one call.

The content is 1 MiB of JSON as a client would compress it, of random octets, and of zeros, which become a thousand
times smaller. The input comes in pieces of 64 KiB, as from a socket. aioweb's decoder never gives more than 64 KiB in
a step and watches the ratio; "in one call" is the library without either, as a careless server would use it.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import zlib
from collections.abc import Callable

from benchmarks.timing import best_us

SIZE = 2**20
PIECE = 65536


def _json() -> bytes:
    choose = random.Random(1)
    words = ["the", "town", "looked", "before", "flood", "picture", "author", "votes", "bridge", "river", "market"]
    messages = [
        {
            "id": number,
            "author": choose.choice(words),
            "text": " ".join(choose.choices(words, k=20)),
            "votes": number % 7,
        }
        for number in range(8000)
    ]
    return json.dumps(messages).encode()[:SIZE]


CONTENTS = {"JSON": _json(), "random": random.Random(2).randbytes(SIZE), "zeros": bytes(SIZE)}

Call = Callable[[], int]
"""Undoes the coding. Returns: the size of the content."""


def in_one_call(content: bytes) -> Call:
    """zlib alone."""
    encoded = gzip.compress(content, 6)
    return lambda: len(zlib.decompress(encoded, 16 + zlib.MAX_WBITS))


def aiohttp_pieces(content: bytes) -> Call:
    """aiohttp's decompressor, with the bound that its parser sets for every piece."""
    from aiohttp.compression_utils import ZLibDecompressor

    pieces = _pieces(gzip.compress(content, 6))

    def decode() -> int:
        decompressor, size = ZLibDecompressor(encoding="gzip"), 0
        for piece in pieces:
            size += len(decompressor.decompress_sync(piece, max_length=2**18))
            while decompressor.data_available:
                size += len(decompressor.decompress_sync(b"", max_length=2**18))
        return size

    return decode


def aioweb_steps(name: str) -> Callable[[bytes], Call]:
    """aioweb's decoder of that coding."""

    def prepare(content: bytes) -> Call:
        from aioweb.protocol.coding import make_decoder, make_encoder
        from aioweb.protocol.limits import Limits

        limits = Limits(decoding_ratio=0)
        try:
            encoder = make_encoder(name)
        except ValueError as exc:
            raise ImportError(str(exc)) from None
        pieces = _pieces(encoder.encode(content) + encoder.finish())

        def decode() -> int:
            decoder = make_decoder(name, limits)
            assert decoder is not None
            size = 0
            for piece in pieces:
                size += len(decoder.decode(piece))
                while decoder.pending:
                    size += len(decoder.decode())
            decoder.finish()
            return size

        return decode

    return prepare


def _pieces(encoded: bytes) -> list[bytes]:
    return [encoded[at : at + PIECE] for at in range(0, len(encoded), PIECE)]


DECODERS: dict[str, Callable[[bytes], Call]] = {
    "zlib in one call": in_one_call,
    "aiohttp, gzip": aiohttp_pieces,
    **{f"aioweb, {name}": aioweb_steps(name) for name in ("gzip", "deflate", "br", "zstd")},
}


def main() -> None:
    """Print the table; a decoder that is not installed has a row that says so."""
    print(f"Decoding to 1 MiB, us (minimum of repeats), Python {sys.version.split()[0]}\n")
    print("| decoder | " + " | ".join(CONTENTS) + " |")
    print("| --- |" + " ---: |" * len(CONTENTS))
    for name, prepare in DECODERS.items():
        try:
            cells = [f"{_measure(prepare, content):,.0f}" for content in CONTENTS.values()]
        except ImportError as exc:
            cells = [f"not installed: {exc}"] + [""] * (len(CONTENTS) - 1)
        print(f"| {name} | {' | '.join(cells)} |")


def _measure(prepare: Callable[[bytes], Call], content: bytes) -> float:
    decode = prepare(content)
    assert decode() == len(content), "the decoder does not give the whole content"
    return best_us(decode, repeats=10)


if __name__ == "__main__":
    main()
