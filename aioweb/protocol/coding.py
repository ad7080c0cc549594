"""Content codings (RFC 9110 section 8.4): gzip, deflate, br and zstd, undone and applied in steps.

    make_decoder     what a peer has encoded -> the content, a bounded piece for each step
    make_encoder     content -> gzip, deflate, br or zstd, whole or as a stream
    negotiate        Accept-Encoding and what we have -> the coding of a response

brotli and zstd are packages that may be missing (`available_codings`); they are imported when first needed.

What a client encodes is hostile until proven otherwise. A step of a decoder gives no more than was asked for and looks
at no more than a slice of its input, so neither memory nor the time of a step depend on the content. All of it costs
what `Limits.decoding_ratio` allows, in memory of whoever keeps it and in time of whoever does not (CVE-2025-69223).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, Final

from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.fields import parse_accept
from aioweb.protocol.limits import Limits

IDENTITY: Final = "identity"
"""No coding at all (RFC 9110 section 12.5.3)."""

STEP: Final = 65536
"""Bytes that a step of a decoder gives at most, unless asked for another number."""

_SLICE = 16384  # what a step takes of its input: zlib copies what it leaves
_FREE = 1024**2  # bytes of content that no ratio is asked of: a small form of spaces is no bomb
_MOST_CODINGS = 2
# What is compressed already hardly becomes smaller by being compressed again. Where it does, it is a bomb in a bomb.
_NESTED_RATIO = 8
# gzip and zstd may be put one behind the other. Making a decoder takes longer than what is left to undo of nothing.
_FREE_MEMBERS, _MEMBER = 1024, 512

_ALIASES = {"x-gzip": "gzip"}  # RFC 9110 section 8.4.1.3
# RFC 9659: encoders of this content coding must keep to a window of 8 MiB.
_ZSTD_WINDOW = 23
# Of a stream that lives for hours, memory counts: these take 120 to 310 KiB each, the ones for whole contents 1 MiB.
_LEVELS = {"gzip": 6, "deflate": 6, "br": 4, "zstd": 3}
_STREAM_LEVELS = {"gzip": 6, "deflate": 6, "br": 5, "zstd": 1}
_BROTLI_STREAM_WINDOW, _ZSTD_STREAM_WINDOW = 16, 17

_DEFAULT_LIMITS = Limits()

BytesLike = bytes | bytearray | memoryview


class BadCoding(ProtocolError):
    """The content is not what its Content-Encoding says, or it is cut short, or something stands behind its end."""


class DecodedTooLarge(ProtocolError):
    """The content becomes more than `Limits.decoding_ratio` times larger by undoing its coding."""

    status = 413


class UnknownCoding(ProtocolError):
    """The content has a coding that cannot be undone here, or too many of them (RFC 9110 section 15.5.16)."""

    status = 415

    @property
    def headers(self) -> dict[str, str]:
        """The field that tells the client what would do: Accept-Encoding (RFC 9110 section 12.5.3)."""
        return {"Accept-Encoding": ", ".join(available_codings())}


# -- the libraries -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _brotli() -> Any:
    """The package brotli, if it can bound its output (from version 1.2 on); else None."""
    try:
        library: Any = import_module("brotli")
    except ImportError:
        return None
    return library if hasattr(library.Decompressor, "can_accept_more_data") else None


@lru_cache(maxsize=1)
def _zstd() -> Any:
    """The module of the standard library (from Python 3.14 on), or its twin; None without either."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


@lru_cache(maxsize=1)
def available_codings() -> tuple[str, ...]:
    """The codings that can be undone and applied here, best first: of "zstd", "br", "gzip" and "deflate".

    Best is what makes content small for the least work of the server. The first call imports what there is.
    """
    optional = (("zstd", _zstd), ("br", _brotli))
    return (*(name for name, library in optional if library() is not None), "gzip", "deflate")


# -- decoding ----------------------------------------------------------------------------------------------------------


class _Stage:
    """One coding that is undone. `_run` does it; here is what all have in common: slices, errors, and a count."""

    coding = ""
    error: type[Exception] = zlib.error
    """What the library raises for input that it does not understand."""

    def __init__(self) -> None:
        self.made = 0
        """Bytes given so far."""
        self.complete = True
        """The input may end here."""
        self._data = b""
        self._at = 0  # what of it was taken
        self._busy = False  # there may be more without taking any of it

    @property
    def pending(self) -> bool:
        """There may be more content without further input."""
        return self._busy or self._at < len(self._data)

    def step(self, data: bytes, room: int) -> bytes:
        """At most `room` bytes of content; b"" says nothing but that this step has given none."""
        if data:
            self._data, self._at = data, 0
        piece = b""
        if not self._busy:
            piece = self._data[self._at : self._at + _SLICE]
            if not piece:
                return b""
            self._at += len(piece)
        try:
            out = self._run(piece, room)
        except self.error as error:
            raise BadCoding(f"the content is not valid {self.coding}: {str(error)[:100]}") from None
        self.made += len(out)
        return out

    def _run(self, data: bytes, room: int) -> bytes:
        raise NotImplementedError


class _Members(_Stage):
    """A coding whose contents may stand one behind the other: gzip (RFC 1952 section 2.2) and zstd (RFC 8878)."""

    def __init__(self) -> None:
        super().__init__()
        self._stream: Any = None
        self._members = 0

    def _run(self, data: bytes, room: int) -> bytes:
        stream = self._stream
        if stream is None:
            stream = self._stream = self._begin(data)
            self.complete = False
        out = self._decompress(stream, data, room)
        if stream.eof:
            self._stream, self._busy, self.complete = None, False, True
            self._at -= len(stream.unused_data)
            self._members += 1
            if self._members > _FREE_MEMBERS and self._members * _MEMBER > self.made + len(out):
                raise BadCoding(f"the content is made of too many pieces of {self.coding}")
        return out

    def _begin(self, data: bytes) -> Any:
        raise NotImplementedError

    def _decompress(self, stream: Any, data: bytes, room: int) -> bytes:
        raise NotImplementedError


class _Gzip(_Members):
    coding = "gzip"
    _tail = b""

    def _begin(self, data: bytes) -> Any:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)

    def _decompress(self, stream: Any, data: bytes, room: int) -> bytes:
        out: bytes = stream.decompress(data or self._tail, room)
        self._tail = stream.unconsumed_tail
        # A full step may have left something in the window of zlib.
        self._busy = bool(self._tail) or len(out) == room
        return out


class _Deflate(_Gzip):
    coding = "deflate"

    def _begin(self, data: bytes) -> Any:
        if self._members:
            raise BadCoding("something stands behind the end of the deflate content")
        # RFC 9110 section 8.4.1.2: deflate is the zlib format, whose first octet ends in 8 (RFC 1950 section 2.2). Some
        # clients send DEFLATE without it: there the same bits begin a stored block whose padding is not zero, which no
        # encoder writes.
        is_zlib = data[0] & 0x0F == 8
        return zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


class _Zstd(_Members):
    coding = "zstd"

    def __init__(self) -> None:
        super().__init__()
        self.error = _zstd().ZstdError

    def _begin(self, data: bytes) -> Any:
        library = _zstd()
        return library.ZstdDecompressor(options={library.DecompressionParameter.window_log_max: _ZSTD_WINDOW})

    def _decompress(self, stream: Any, data: bytes, room: int) -> bytes:
        out: bytes = stream.decompress(data, room)
        self._busy = not stream.needs_input
        return out


class _Brotli(_Stage):
    coding = "br"

    def __init__(self) -> None:
        super().__init__()
        self.error = _brotli().error
        self._stream = _brotli().Decompressor()
        self._given = b""  # brotli gives whole blocks of its own size, the last of which goes beyond the limit
        self._has_more = False

    def _run(self, data: bytes, room: int) -> bytes:
        if not self._given:
            stream = self._stream
            if data and stream.is_finished():
                raise BadCoding("something stands behind the end of the br content")
            self._given = stream.process(data, output_buffer_limit=room)
            self.complete = stream.is_finished()
            # `can_accept_more_data` tells of input only; after a full step there may be more output too.
            is_full = len(self._given) >= room
            self._has_more = not self.complete and (is_full or not stream.can_accept_more_data())
        out, self._given = self._given[:room], self._given[room:]
        self._busy = self._has_more or len(self._given) > 0
        return out


_STAGES: dict[str, Callable[[], _Stage]] = {"gzip": _Gzip, "deflate": _Deflate, "br": _Brotli, "zstd": _Zstd}


class ContentDecoder:
    """Undoes the codings of one content. `make_decoder` makes it, one for each content.

    Call `decode(data)`, then `decode()` as long as there is something `pending`, and so on with what arrives next; at
    its end `finish()`. After an exception the decoder is spent.
    """

    __slots__ = ("_last", "_outer", "_ratio", "_received")

    def __init__(self, codings: Sequence[str], ratio: int) -> None:
        stages = [_STAGES[coding]() for coding in codings]
        self._last = stages[0]
        # The coding that was applied last is undone first.
        self._outer = stages[1] if len(stages) > 1 else None
        self._ratio = ratio
        self._received = 0

    @property
    def pending(self) -> bool:
        """There may be more content without further input, which must wait until there is not."""
        return self._last.pending or (self._outer is not None and self._outer.pending)

    def decode(self, data: bytes = b"", room: int = STEP) -> bytes:
        """At most `room` bytes of content (above 0); b"" says nothing but that this step has given none.

        `data` is what follows of the encoded content; None may be given while something is `pending`.

        Raises BadCoding for what is no such content, DecodedTooLarge beyond `Limits.decoding_ratio`.
        """
        if data and self.pending:
            raise RuntimeError("decode() takes further input when nothing is pending")
        self._received += len(data)
        if self._outer is not None:
            data = b"" if self._last.pending else self._outer.step(data, room)
            self._check_ratio(self._outer, min(self._ratio, _NESTED_RATIO))
        out = self._last.step(data, room)
        self._check_ratio(self._last, self._ratio)
        return out

    def _check_ratio(self, stage: _Stage, ratio: int) -> None:
        if stage.made > _FREE and 0 < ratio * self._received < stage.made:
            raise DecodedTooLarge(
                f"the content becomes more than {ratio} times larger by undoing its coding (decoding_ratio)"
            )

    def finish(self) -> None:
        """Say that no more input comes. Raises BadCoding if the content is cut short; none at all is not."""
        for stage in (self._outer, self._last):
            if stage is not None and not stage.complete:
                raise BadCoding(f"the {stage.coding} content is cut short")


def split_codings(value: str) -> list[str]:
    """The codings in a Content-Encoding, in the order in which they were applied, in lower case.

    Without `identity`, which is none, and without aliases.
    """
    names = (name.strip(" \t").lower() for name in value.split(","))
    return [_ALIASES.get(name, name) for name in names if name and name != IDENTITY]


def make_decoder(content_encoding: str, limits: Limits = _DEFAULT_LIMITS) -> ContentDecoder | None:
    """What undoes a Content-Encoding, the last coding first; None if that names no coding but identity.

    Args:
        content_encoding: the value of the field, of several fields joined by commas.
        limits: `decoding_ratio` is taken from here.

    Raises UnknownCoding for a coding that is not available, and for more than two.
    """
    codings = split_codings(content_encoding)
    if not codings:
        return None
    if len(codings) > _MOST_CODINGS:
        raise UnknownCoding(f"the content has {len(codings)} codings, {_MOST_CODINGS} at most")
    for coding in codings:
        if coding not in available_codings():
            raise UnknownCoding(f"the content has a coding that is unknown here: {coding[:40]!a}")
    return ContentDecoder(codings, limits.decoding_ratio)


# -- encoding ----------------------------------------------------------------------------------------------------------


class ContentEncoder:
    """Applies one coding to one content: three methods of its library under our names. `make_encoder` makes it."""

    __slots__ = ("encode", "finish", "flush")

    def __init__(
        self, encode: Callable[[BytesLike], bytes], flush: Callable[[], bytes], finish: Callable[..., bytes]
    ) -> None:
        self.encode = encode
        """Take some content; returns what can be sent now, often b"" until more has come."""
        self.flush = flush
        """Returns everything that is needed to decode what was encoded so far."""
        self.finish = finish
        """Take the last content, if any; returns all that is left. What is given here as a whole costs less."""


def make_encoder(
    coding: str, level: int | None = None, *, stream: bool = False, strategy: int | None = None
) -> ContentEncoder:
    """What applies a coding.

    Args:
        coding: one of `available_codings()`.
        level: how hard to try, by the library's own scale; None for one that suits answers made for each request.
        stream: the content comes in pieces, for a long time perhaps: take less memory, and become a little larger.
        strategy: of zlib, for gzip and deflate; the others have none.

    Raises ValueError for a coding that is not available.
    """
    if coding not in available_codings():
        raise ValueError(f"coding must be one of {', '.join(available_codings())}, not {coding!r}")
    if level is None:
        level = (_STREAM_LEVELS if stream else _LEVELS)[coding]
    if coding == "br":
        window = {"lgwin": _BROTLI_STREAM_WINDOW} if stream else {}
        brotli = _brotli().Compressor(quality=level, **window)
        return ContentEncoder(brotli.process, brotli.flush, lambda data=b"": brotli.process(data) + brotli.finish())
    if coding == "zstd":
        library = _zstd()
        known = library.CompressionParameter
        options = {known.compression_level: level}
        # The highest levels would look back further than every decoder has to.
        if stream:
            options[known.window_log] = _ZSTD_STREAM_WINDOW
        elif level > 19:
            options[known.window_log] = _ZSTD_WINDOW
        zstd = library.ZstdCompressor(options=options)
        # Content that comes in one call has a known size: zstd then takes memory, and time to clear it, for that only.
        return ContentEncoder(
            zstd.compress,
            partial(zstd.flush, zstd.FLUSH_BLOCK),
            lambda data=b"": zstd.compress(data, zstd.FLUSH_FRAME),
        )
    bits = zlib.MAX_WBITS + (16 if coding == "gzip" else 0)
    strategy = zlib.Z_DEFAULT_STRATEGY if strategy is None else strategy
    deflate = zlib.compressobj(level, zlib.DEFLATED, bits, zlib.DEF_MEM_LEVEL, strategy)
    flush = partial(deflate.flush, zlib.Z_SYNC_FLUSH)
    return ContentEncoder(deflate.compress, flush, lambda data=b"": deflate.compress(data) + deflate.flush())


# -- the choice --------------------------------------------------------------------------------------------------------


def negotiate(accept_encoding: str | None, offered: Iterable[str]) -> str | None:
    """Choose the coding of a response (RFC 9110 section 12.5.3).

    Args:
        accept_encoding: the value of the field, of several fields joined by commas; None without one.
        offered: the codings that the server has, best first. Among those that the client likes equally well, the first
            one wins, and each wins over identity.

    Returns: one of `offered`, or "identity"; None if the client accepts nothing of all that.
    """
    if accept_encoding is None:
        # Any coding would be acceptable. But who does not know the field will not know a coding either.
        return IDENTITY
    qualities: dict[str, float] = {}
    for name, quality in parse_accept(accept_encoding):
        qualities.setdefault(_ALIASES.get(name, name), quality)
    others = qualities.get("*")
    chosen, best = None, 0.0
    for coding in offered:
        quality = qualities.get(coding, others or 0.0)
        if quality > best:
            chosen, best = coding, quality
    # Identity is acceptable unless it, or `*`, is excluded; of what is not named, it is the least wanted.
    identity = qualities.get(IDENTITY, others)
    if chosen is not None and (identity is None or best >= identity):
        return chosen
    return None if identity == 0.0 else IDENTITY
