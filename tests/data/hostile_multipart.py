"""Hostile multipart content: what a decoder makes of it, and what a server answers to a form that sends it.

Data only: the tests of the ground deliver it to the decoder, others send it through sockets. The content ends where the
octets end. All limits are the defaults.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class HostileMultipart:
    """One hostile content."""

    name: str
    """What is wrong with it, for the id of a test; first the advisory of a server that suffered from it, if any."""
    octets: bytes
    status: int
    """Of the decoder's error; 200 for content that is multipart, and hostile in some other way."""
    said: str = ""
    """Stands in the message of the error."""
    complete: tuple[bytes, ...] = ()
    """The contents of the parts that are complete before the error."""
    boundary: str = "x"
    form_status: int | None = None
    """What answers it as multipart/form-data, if that is not `status`."""

    def __str__(self) -> str:
        return self.name

    @property
    def content_type(self) -> str:
        """What announces it."""
        return f'multipart/form-data; boundary="{self.boundary}"'

    @property
    def answer(self) -> int:
        """The status of the response to a form."""
        return self.form_status or self.status


def _field(content: bytes, name: bytes = b"a") -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + content + b"\r\n"


def _head(*lines: bytes) -> bytes:
    """A form of one field whose head has these lines."""
    return b"--x\r\n" + b"\r\n".join(lines) + b"\r\n\r\n1\r\n--x--\r\n"


_DISPOSITION = b'Content-Disposition: form-data; name="a"'
_END = b"--x--\r\n"
_TRUNCATED = "in the middle of a multipart message"
_NOT_CRLF = "boundary is not followed by CRLF"
_BAD_LINE = "no field, is folded or holds a control"
_WHOLE = _field(b"1") + _field(b"2") + _END

_TRUNCATIONS = (
    HostileMultipart("nothing at all", b"", 400, _TRUNCATED),
    HostileMultipart("a preamble only", b"hello\r\n" * 1000, 400, _TRUNCATED),
    HostileMultipart("another boundary than announced", _WHOLE.replace(b"--x", b"--y"), 400, _TRUNCATED),
    *(
        HostileMultipart(f"CVE-2024-30251: truncated at octet {end}", _WHOLE[:end], 400, _TRUNCATED, complete)
        for end, complete in (
            *((end, ()) for end in (1, 2, 3, 5, 30, 45, 47, 49, 50, 51, 52, 55, 56)),
            *((end, (b"1",)) for end in (57, 58, 104, 107, 108)),
        )
    ),
    HostileMultipart(
        "a delimiter that is not the last one at the end", _field(b"1") + b"--x\r\n", 400, _TRUNCATED, (b"1",)
    ),
    HostileMultipart("one hyphen of two at the end", _field(b"1") + b"--x-", 400, _TRUNCATED),
)

_FLOODS = (
    HostileMultipart(
        "CVE-2023-25577: 100,000 empty parts",
        b"--x\r\n\r\n\r\n" * 100_000 + _END,
        413,
        "more than 1000 parts",
        (b"",) * 1000,
        form_status=400,
    ),
    HostileMultipart(
        "CVE-2023-30798: 100,000 fields", _field(b"1") * 100_000 + _END, 413, "more than 1000 parts", (b"1",) * 1000
    ),
    HostileMultipart(
        "CVE-2026-34516: an endless field line in a head", b"--x\r\nA: " + b"b" * 2**20, 413, "longer than 8190 bytes"
    ),
    HostileMultipart(
        "CVE-2026-34516: an endless head", b"--x\r\n" + b"A: b\r\n" * 200_000, 413, "longer than 8190 bytes"
    ),
    HostileMultipart("an endless name of a field", b"--x\r\n" + b"A" * 2**20, 413, "longer than 8190 bytes"),
    HostileMultipart("33 fields in a head", _head(_DISPOSITION, *[b"A: b"] * 32), 413, "more than 32 fields"),
    HostileMultipart("endless padding", b"--x" + b" \t" * 2**19, 400, _TRUNCATED),
    HostileMultipart(
        "CVE-2024-53981: an endless preamble of near-boundaries", b"\r\n--\r\n--y" * 2**17, 400, _TRUNCATED
    ),
    HostileMultipart("near-boundaries in content", _field(b"\r\n--\r\n-" * 2**17), 400, _TRUNCATED),
    HostileMultipart("CVE-2023-46136: carriage returns in content", _field(b"\r" * 2**20), 400, _TRUNCATED),
    HostileMultipart("hyphens in content", _field(b"-" * 2**20), 400, _TRUNCATED),
    HostileMultipart(
        "a boundary of one repeated character, nearly", b"\r\n--" + b"a" * 69, 400, _TRUNCATED, boundary="a" * 70
    ),
)

_BOUNDARIES = (
    HostileMultipart("a boundary that another one begins with", _field(b"1") + b"--xy\r\n" + _END, 400, _NOT_CRLF),
    HostileMultipart("the same in the preamble", b"--xy\r\n" + _WHOLE, 400, _NOT_CRLF),
    HostileMultipart("the same behind the last one", _field(b"1") + b"--x--y\r\n", 400, _NOT_CRLF),
    HostileMultipart("one hyphen behind a boundary", _field(b"1") + b"--x-\r\n" + _END, 400, _NOT_CRLF),
    HostileMultipart("padding before the last hyphens", _field(b"1") + b"--x --\r\n", 400, _NOT_CRLF),
    HostileMultipart("another space than SP and HTAB as padding", b"--x\x0b\r\n" + _WHOLE, 400, _NOT_CRLF),
    HostileMultipart("CR behind a boundary", _WHOLE.replace(b"--x\r\n", b"--x\r"), 400, _NOT_CRLF),
    HostileMultipart("LF behind a boundary", _WHOLE.replace(b"--x\r\n", b"--x\n"), 400, _NOT_CRLF),
    HostileMultipart("LF behind the last boundary", _field(b"1") + b"--x--\n", 400, _NOT_CRLF),
    HostileMultipart("LF before a boundary", b"--x\r\n" + _DISPOSITION + b"\r\n\r\n1\n--x--\r\n", 400, _TRUNCATED),
    HostileMultipart("LF only", _WHOLE.replace(b"\r\n", b"\n"), 400, _NOT_CRLF),
    HostileMultipart("CR only", _WHOLE.replace(b"\r\n", b"\r"), 400, _NOT_CRLF),
    HostileMultipart("two boundaries in a row", b"--x\r\n" + _WHOLE, 400, "boundary in the head"),
    HostileMultipart("a boundary in a head", b"--x\r\n" + _DISPOSITION + b"\r\n" + _WHOLE, 400, "boundary in the head"),
    HostileMultipart(
        "a boundary in a head that looks like a field",
        b"--x:y\r\nA: b\r\n--x:y\r\nB: c\r\n\r\n1\r\n--x:y--\r\n",
        400,
        "boundary in the head",
        boundary="x:y",
    ),
)

_HEADS = (
    HostileMultipart("LF in a head", _head(_DISPOSITION + b"\nA: b"), 400, _BAD_LINE),
    HostileMultipart("CR in a head", _head(_DISPOSITION + b"\rA: b"), 400, _BAD_LINE),
    HostileMultipart("a folded field", _head(b"Content-Disposition: form-data;", b' name="a"'), 400, _BAD_LINE),
    HostileMultipart("a folded first line", _head(b" " + _DISPOSITION), 400, _BAD_LINE),
    HostileMultipart("a space before the colon", _head(b'Content-Disposition : form-data; name="a"'), 400, _BAD_LINE),
    HostileMultipart("a line without a colon", _head(_DISPOSITION, b"Content-Type"), 400, _BAD_LINE),
    HostileMultipart("an empty field name", _head(_DISPOSITION, b": b"), 400, _BAD_LINE),
    HostileMultipart("a field name that is not ASCII", _head(_DISPOSITION, "Ключ: b".encode()), 400, _BAD_LINE),
    HostileMultipart("NUL in a field name", _head(_DISPOSITION, b"A\x00: b"), 400, _BAD_LINE),
    HostileMultipart("NUL in a name", _head(_DISPOSITION.replace(b'"a"', b'"a\x00"')), 400, _BAD_LINE),
    HostileMultipart("NUL in a filename", _head(_DISPOSITION + b'; filename="a.php\x00.png"'), 400, _BAD_LINE),
    HostileMultipart("DEL in a filename", _head(_DISPOSITION + b'; filename="a\x7f"'), 400, _BAD_LINE),
    HostileMultipart("two Content-Dispositions", _head(_DISPOSITION, _DISPOSITION), 400, "repeats a field"),
    HostileMultipart(
        "two Content-Types", _head(b"content-type: a/b", _DISPOSITION, b"Content-Type: c/d"), 400, "repeats a field"
    ),
)

_FORMS = (
    HostileMultipart("a part without a head", b"--x\r\n\r\n1\r\n" + _END, 200, complete=(b"1",), form_status=400),
    HostileMultipart("no disposition", _head(b"Content-Type: text/plain"), 200, complete=(b"1",), form_status=400),
    HostileMultipart("no name", _head(b"Content-Disposition: form-data"), 200, complete=(b"1",), form_status=400),
    HostileMultipart(
        "a filename without a name",
        _head(b'Content-Disposition: form-data; filename="a"'),
        200,
        complete=(b"1",),
        form_status=400,
    ),
    HostileMultipart("two names", _head(_DISPOSITION + b'; name="b"'), 200, complete=(b"1",), form_status=400),
    HostileMultipart(
        "two filenames",
        _head(_DISPOSITION + b'; filename="a.png"; filename="a.php"'),
        200,
        complete=(b"1",),
        form_status=400,
    ),
    HostileMultipart(
        "a filename without its last quote",
        _head(_DISPOSITION + b'; filename="a'),
        200,
        complete=(b"1",),
        form_status=400,
    ),
    HostileMultipart(
        "CRLF in a filename", _head(_DISPOSITION + b'; filename="a\r\nX: b"'), 200, complete=(b"1",), form_status=400
    ),
    HostileMultipart(
        "a head that an empty line in a filename ends",
        _head(_DISPOSITION + b'; filename="a\r\n\r\nb"'),
        200,
        complete=(b'b"\r\n\r\n1',),
        form_status=400,
    ),
)

HOSTILE_MULTIPART = (*_TRUNCATIONS, *_FLOODS, *_BOUNDARIES, *_HEADS, *_FORMS)
"""Content that is refused."""

HARMLESS_MULTIPART = (
    HostileMultipart("no part", b"--x--", 200),
    HostileMultipart("no last CRLF", _WHOLE[:-2], 200, complete=(b"1", b"2")),
    HostileMultipart("half of the last CRLF", _WHOLE[:-1], 200, complete=(b"1", b"2")),
    HostileMultipart("an empty line before, an epilogue behind", b"\r\n" + _END + b"--x\r\n" * 9, 200),
    HostileMultipart("an empty part", _field(b"") + _END, 200, complete=(b"",)),
    HostileMultipart("a delimiter right behind a head", _field(b"")[:-2] + _END, 200, complete=(b"",)),
    HostileMultipart("content of CRLFs", _field(b"\r\n\r\n") + _END, 200, complete=(b"\r\n\r\n",)),
    HostileMultipart("a boundary behind LF", _field(b"\n--x--\n") + _END, 200, complete=(b"\n--x--\n",)),
    HostileMultipart("a boundary behind CR", _field(b"\r--x--\r") + _END, 200, complete=(b"\r--x--\r",)),
    HostileMultipart("a boundary without its hyphens", _field(b"a\r\n-x\r\n") + _END, 200, complete=(b"a\r\n-x\r\n",)),
    HostileMultipart("a boundary in upper case", _field(b"\r\n--X--\r\n") + _END, 200, complete=(b"\r\n--X--\r\n",)),
    HostileMultipart("1,000 parts", _field(b"1") * 1000 + _END, 200, complete=(b"1",) * 1000),
    HostileMultipart("padding", _WHOLE.replace(b"--x\r\n", b"--x \t\r\n"), 200, complete=(b"1", b"2")),
    HostileMultipart(
        "CRLF in a filename as browsers send it",
        _head(_DISPOSITION + b'; filename="a%0D%0AX: b"'),
        200,
        complete=(b"1",),
    ),
    HostileMultipart(
        "a path in a filename", _head(_DISPOSITION + b'; filename="../../etc/passwd"'), 200, complete=(b"1",)
    ),
    HostileMultipart(
        "octets that are no UTF-8 in a name", _head(_DISPOSITION.replace(b'"a"', b'"\xff"')), 200, complete=(b"1",)
    ),
)
"""Content that only looks hostile: what is made of it must be just this."""

HOSTILE_CONTENT_TYPES = (
    ("multipart/form-data", "without a boundary"),
    ("multipart/form-data; boundary=", "without a boundary"),
    ('multipart/form-data; boundary=""', "without a boundary"),
    ('multipart/form-data; boundary="x', "without a boundary"),
    ("multipart/form-data; boundary*=UTF-8''x", "without a boundary"),
    ("multipart/form-data; Boundary=x; boundary=y", "two boundaries"),
    ("multipart/form-data; boundary=" + "x" * 71, "at most 70"),
    ('multipart/form-data; boundary="x "', "illegal"),
    ('multipart/form-data; boundary="x\ty"', "illegal"),
    ('multipart/form-data; boundary="x\r\n"', "illegal"),
    ('multipart/form-data; boundary="x\\"y"', "illegal"),
    ('multipart/form-data; boundary="x\\\\y"', "illegal"),
    ('multipart/form-data; boundary="é"', "illegal"),
)
"""Values of Content-Type whose boundary is refused with 400, and what stands in the message. Not all can be sent."""
