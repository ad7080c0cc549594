"""Forms.

Read here: application/x-www-form-urlencoded, and the query of a URL, which is written the same way. Multipart forms
are not read yet.

What a client gets wrong is an HTTPException of the 400s.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_plus

from multidict import MultiDict

from aioweb.web.exceptions import HTTPBadRequest, HTTPRequestEntityTooLarge
from aioweb.web.text import decode_text, find_codec

FormField = str
"""What a field of a form is."""

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


def parse_form(data: bytes, charset: str | None, max_fields: int) -> MultiDict[FormField]:
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
    fields: MultiDict[str] = MultiDict()
    for piece in text.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            fields.add(unquote_plus(name, codec, errors), unquote_plus(value, codec, errors))
    return fields
