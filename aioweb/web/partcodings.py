"""The codings of one part of multipart content: Content-Transfer-Encoding, and inside of it Content-Encoding.

Undone and applied piece by piece: what is kept between two pieces is never longer than a line of base64 or an escape.
HTTP needs no transfer encoding (RFC 7578 section 4.7), but libraries that come from mail write it still.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from aioweb import hdrs
from aioweb.protocol.coding import ContentDecoder, ContentEncoder, make_decoder, make_encoder, split_codings
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.limits import Limits
from aioweb.web.exceptions import (
    HTTPBadRequest,
    HTTPException,
    HTTPRequestEntityTooLarge,
    HTTPUnsupportedMediaType,
)

_PLAIN = frozenset({"", "identity", "binary", "7bit", "8bit"})

# RFC 2045 section 6.8: whatever is not of the alphabet, line breaks above all, means nothing.
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_BASE64_LINE = 57
"""Octets that make a line of 76 characters, the longest that RFC 2045 section 6.8 allows."""
# RFC 2045 section 6.7: an octet in hexadecimal digits, or a line break that is none.
_ESCAPE = re.compile(rb"=(?:([0-9A-Fa-f]{2})|\r?\n)")
_CUT_ESCAPE = re.compile(rb"=[0-9A-Fa-f\r]?")

_ANSWERS: dict[int, type[HTTPException]] = {413: HTTPRequestEntityTooLarge, 415: HTTPUnsupportedMediaType}


class Base64Decoder:
    """Undoes base64. Raises HTTPBadRequest for what has padding in its middle, or is no whole number of groups."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_padded = False

    def decode(self, data: bytes) -> bytes:
        """The octets of the groups that are complete with `data`."""
        digits = self._rest + data.translate(None, _NOT_BASE64)
        whole = len(digits) // 4 * 4
        groups, self._rest = digits[:whole], digits[whole:]
        if groups and self._is_padded:
            raise _bad("base64")
        padding = len(groups) - len(groups.rstrip(b"="))
        if padding > 2 or b"=" in groups[: whole - padding]:
            raise _bad("base64")
        self._is_padded = self._is_padded or padding > 0
        return binascii.a2b_base64(groups)

    def finish(self) -> None:
        """Check that the last group is complete."""
        if self._rest:
            raise _bad("base64")


class QuotedPrintableDecoder:
    """Undoes quoted-printable. What is no escape stands for itself, as RFC 2045 section 6.7 advises."""

    def __init__(self) -> None:
        self._rest = b""

    def decode(self, data: bytes) -> bytes:
        """The octets up to the last escape that is complete with `data`."""
        text = self._rest + data
        cut = text.rfind(b"=", max(0, len(text) - 2))
        if cut < 0 or _CUT_ESCAPE.fullmatch(text, cut) is None:
            cut = len(text)
        self._rest = text[cut:]
        return _ESCAPE.sub(_read_escape, text[:cut])

    def finish(self) -> None:
        """Check that the last escape is complete. A lone `=` at the end is a line break that is none."""
        if len(self._rest.rstrip(b"\r")) > 1:
            raise _bad("quoted-printable")


class Base64Encoder:
    """Applies base64, in lines of 76 characters."""

    def __init__(self) -> None:
        self._rest = b""

    def encode(self, data: bytes) -> bytes:
        """The lines that are complete with `data`."""
        data = self._rest + data
        whole = len(data) // _BASE64_LINE * _BASE64_LINE
        self._rest = data[whole:]
        return base64.encodebytes(data[:whole]).replace(b"\n", b"\r\n")

    def finish(self) -> bytes:
        """The last line."""
        return base64.encodebytes(self._rest).replace(b"\n", b"\r\n")


class QuotedPrintableEncoder:
    """Applies quoted-printable, line breaks in the content included, so that it need not be text."""

    def encode(self, data: bytes) -> bytes:
        """`data` in whole lines, whose last one goes on with what follows."""
        return binascii.b2a_qp(data, istext=False).replace(b"=\n", b"=\r\n") + b"=\r\n" if data else b""

    def finish(self) -> bytes:
        """Nothing is kept."""
        return b""


def is_coded(headers: Mapping[str, str]) -> bool:
    """The head of a part names a coding that changes its content."""
    if headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "").lower() not in _PLAIN:
        return True
    content_coding = headers.get(hdrs.CONTENT_ENCODING)
    return content_coding is not None and bool(split_codings(content_coding))


class PartDecoder:
    """Undoes the codings of one part; `make_part_decoder` makes it."""

    def __init__(self, transfer: Base64Decoder | QuotedPrintableDecoder | None, content: ContentDecoder | None) -> None:
        self._transfer = transfer
        self._content = content

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What becomes of `data`, in pieces of a bounded size; take all of them before the next data.

        Raises HTTPBadRequest for what is not of its coding, HTTPRequestEntityTooLarge beyond `Limits.decoding_ratio`.
        """
        if self._transfer is not None:
            data = self._transfer.decode(data)
        content = self._content
        if content is None:
            if data:
                yield data
            return
        try:
            while data or content.pending:
                piece = content.decode(data)
                data = b""
                if piece:
                    yield piece
        except ProtocolError as error:
            raise refuse(error)

    def finish(self) -> None:
        """Check that nothing is cut short. Raises HTTPBadRequest."""
        try:
            if self._transfer is not None:
                self._transfer.finish()
            if self._content is not None:
                self._content.finish()
        except ProtocolError as error:
            raise refuse(error)


def make_part_decoder(headers: Mapping[str, str], limits: Limits) -> PartDecoder | None:
    """What undoes the codings that the head of a part names; None if it names none.

    Raises HTTPUnsupportedMediaType for a coding that is unknown.
    """
    if not is_coded(headers):
        return None
    transfer_coding = headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "").lower()
    transfer: Base64Decoder | QuotedPrintableDecoder | None = None
    if transfer_coding == "base64":
        transfer = Base64Decoder()
    elif transfer_coding == "quoted-printable":
        transfer = QuotedPrintableDecoder()
    elif transfer_coding not in _PLAIN:
        raise HTTPUnsupportedMediaType(text="415: a part has an unknown Content-Transfer-Encoding")
    try:
        content = make_decoder(headers.get(hdrs.CONTENT_ENCODING, ""), limits)
    except ProtocolError as error:
        raise refuse(error)
    return PartDecoder(transfer, content)


class PartEncoder:
    """Applies the codings of one part; `make_part_encoder` makes it."""

    def __init__(self, content: ContentEncoder | None, transfer: Base64Encoder | QuotedPrintableEncoder | None) -> None:
        self._content = content
        self._transfer = transfer

    def encode(self, data: bytes) -> bytes:
        """What can be written now that `data` is known; perhaps nothing."""
        if self._content is not None:
            data = self._content.encode(data)
        return data if self._transfer is None else self._transfer.encode(data)

    def finish(self) -> bytes:
        """The end."""
        data = b"" if self._content is None else self._content.finish()
        return data if self._transfer is None else self._transfer.encode(data) + self._transfer.finish()


def make_part_encoder(headers: Mapping[str, str]) -> PartEncoder | None:
    """What applies the codings that the head of a part names; None if it names none.

    Raises ValueError for a coding that is not available, and for more than one Content-Encoding.
    """
    if not is_coded(headers):
        return None
    transfer_coding = headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "").lower()
    codings = split_codings(headers.get(hdrs.CONTENT_ENCODING, ""))
    if len(codings) > 1:
        raise ValueError(f"a part is written with one Content-Encoding at most, not with {codings}")
    transfer: Base64Encoder | QuotedPrintableEncoder | None = None
    if transfer_coding == "base64":
        transfer = Base64Encoder()
    elif transfer_coding == "quoted-printable":
        transfer = QuotedPrintableEncoder()
    elif transfer_coding not in _PLAIN:
        raise ValueError(f"Content-Transfer-Encoding must be base64, quoted-printable or none, not {transfer_coding!r}")
    return PartEncoder(make_encoder(codings[0]) if codings else None, transfer)


def refuse(error: ProtocolError) -> HTTPException:
    """What the ground found wrong with multipart content, as the answer to raise."""
    return _ANSWERS.get(error.status, HTTPBadRequest)(text=f"{error.status}: {error}")


def _read_escape(match: re.Match[bytes]) -> bytes:
    return b"" if match[1] is None else binascii.unhexlify(match[1])


def _bad(coding: str) -> HTTPBadRequest:
    return HTTPBadRequest(text=f"400: a part is not valid {coding}")
