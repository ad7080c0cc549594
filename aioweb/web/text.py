"""Text in the charset that a client chose, and the fields that it writes urlencoded: in forms, parts and queries.

The charset is looked up in a list of our own, never by asking `codecs`: Python remembers each name that it did not
find, for ever, and knows "charsets" that are programs (`unicode_escape`), take quadratic time (`punycode`) or are no
charset of the web (`utf-7`). What a client gets wrong is an HTTPException of the 400s.
"""

from __future__ import annotations

from encodings import normalize_encoding
from encodings.aliases import aliases
from urllib.parse import unquote_plus

from multidict import MultiDict

from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestEntityTooLarge

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


def parse_form(data: bytes, charset: str | None, max_fields: int) -> MultiDict[str]:
    """Read an urlencoded form.

    Args:
        data: the whole content.
        charset: of the content, and of its percent-encoded octets; None is UTF-8.
        max_fields: more are too many; 0 or less is no limit.

    Returns: the fields in their order, blank ones too. `;` separates nothing.

    Raises HTTPRequestEntityTooLarge for too many fields, HTTPBadRequest for what is not of the charset.
    """
    codec = find_codec(charset)
    text = decode_text(data, charset)
    check_count(text, max_fields)
    try:
        return parse_urlencoded(text, codec, "strict")
    except UnicodeError:
        raise HTTPBadRequest(text=f"400: the form is not valid {codec}")


def check_count(text: str, max_fields: int) -> None:
    """Count the fields, empty places between two `&` too, before any is built.

    Raises HTTPRequestEntityTooLarge for more than `max_fields`, if that is above 0.
    """
    if 0 < max_fields <= text.count("&"):
        raise HTTPRequestEntityTooLarge(
            max_fields, text.count("&") + 1, text=f"413: more than {max_fields} form fields"
        )


def parse_urlencoded(text: str, codec: str = "utf-8", errors: str = "replace") -> MultiDict[str]:
    """The pairs of an urlencoded text, in their order: `+` is a space, a percent sign without two digits is itself.

    Octets that are not of `codec` are treated as `errors` says; by default each becomes U+FFFD.
    """
    pairs = [piece.partition("=") for piece in text.split("&") if piece]
    if "%" not in text and "+" not in text:
        return MultiDict([(name, value) for name, _, value in pairs])
    return MultiDict(
        [(unquote_plus(name, codec, errors), unquote_plus(value, codec, errors)) for name, _, value in pairs]
    )
