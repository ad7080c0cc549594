"""What the fields of a message say about its content, for everything that has `headers`: requests, responses, parts.

It keeps nothing: a Content-Type that was read lately is found in the bounded cache of `protocol.mediatypes`.
"""

from __future__ import annotations

from collections.abc import Mapping

from aioweb.protocol.fields import OCTET_STREAM, parse_content_length, read_content_type


class FieldView:
    """Mixin: `content_type`, `charset` and `content_length`, read from `headers` whenever they are asked for.

    The class that mixes it in provides `headers`, a mapping that ignores the case of its keys.
    """

    __slots__ = ()

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields of the message, by names in any case."""
        raise NotImplementedError

    def _field(self, name: str) -> str | None:
        """The first value of a field, None without one; for who can read one without making `headers`."""
        return self.headers.get(name)

    @property
    def content_type(self) -> str:
        """`type/subtype` of Content-Type in lower case; application/octet-stream without one, or if it is junk."""
        value = self._field("Content-Type")
        return OCTET_STREAM if value is None else read_content_type(value).media_type

    @property
    def charset(self) -> str | None:
        """The charset parameter of Content-Type as sent; None without one."""
        value = self._field("Content-Type")
        return None if value is None else read_content_type(value).charset

    @property
    def content_length(self) -> int | None:
        """Content-Length in bytes; None without one, or if it is no number."""
        value = self._field("Content-Length")
        return None if value is None else parse_content_length(value)
