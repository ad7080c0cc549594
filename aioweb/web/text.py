"""Text in the charset that a client chose.

The charset is looked up in a list of our own, never by asking `codecs`: Python remembers each name that it did not
find, for ever, and knows "charsets" that are programs (`unicode_escape`), take quadratic time (`punycode`) or are no
charset of the web (`utf-7`). What a client gets wrong is an HTTPBadRequest.
"""

from __future__ import annotations

from encodings import normalize_encoding
from encodings.aliases import aliases

from aioweb.web.exceptions import HTTPBadRequest

_NO_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "utf_7", "uu_codec", "zlib_codec"}
_CODECS = {name: codec for name, codec in aliases.items() if codec not in _NO_CHARSETS | {"mbcs"}}
_CODECS |= {codec: codec for codec in (*_CODECS.values(), "utf_8_sig", "iso8859_1", "koi8_t", "koi8_u", "cp874")}


def find_codec(charset: str | None) -> str:
    """The name of Python's codec for a charset in any spelling; UTF-8 for None.

    Raises HTTPBadRequest for a charset that is unknown.
    """
    if charset is None or charset == "utf-8":
        return "utf-8"
    codec = _CODECS.get(normalize_encoding(charset).lower())
    if codec is None:
        raise HTTPBadRequest(text="400: unknown charset")
    return codec


def decode_text(data: bytes, charset: str | None) -> str:
    """What a client sent, as text. Raises HTTPBadRequest for an unknown charset, and for bytes that are not of it."""
    codec = find_codec(charset)
    try:
        return data.decode(codec)
    except UnicodeError:
        raise HTTPBadRequest(text=f"400: the content is not valid {codec}")
