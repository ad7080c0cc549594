"""What the head of a response is going to say: status, headers, cookies; the configuring half of every response.

It knows names and values. How the message is framed, whether the connection persists and what HEAD or 304 leave out is
the ground's, so Content-Length, Transfer-Encoding and Connection among the headers are wishes that are handed down,
never lines that are written. Whatever a head may not hold is refused with a ValueError that names it: reason, type and
cookies when they are set, other fields when the head is encoded.

Headers and cookies are built when somebody asks for them. What a response does not set stands in its class, not in the
object; `__slots__` would be no faster, and HTTPException could not be a Response and an Exception at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import NoReturn

from multidict import CIMultiDict

from aioweb import hdrs
from aioweb.protocol.cookies import ResponseCookies
from aioweb.protocol.encode import REASONS, check_reason, encode_fields
from aioweb.protocol.fields import (
    OCTET_STREAM,
    ContentType,
    ETag,
    format_content_type,
    format_etag,
    format_http_date,
    parse_content_length,
    parse_etags,
    parse_http_date,
    read_content_type,
)
from aioweb.protocol.framing import Framing
from aioweb.server.writer import StreamWriter
from aioweb.web.fieldview import FieldView

HeadersLike = Mapping[str, str] | Iterable[tuple[str, str]]
"""What may be given as `headers`: a mapping (a multidict is one) or pairs."""

_FRAMING_FIELDS = frozenset({"content-length", "transfer-encoding", "connection"})
WITHOUT_CONTENT = frozenset({*range(100, 200), 204, 205, 304})
"""Statuses whose responses carry no content."""


@lru_cache(maxsize=256)
def encode_content_type(value: str) -> bytes:
    """The field line of Content-Type. Applications use a handful; the bound is for those that make them up."""
    return encode_fields(((hdrs.CONTENT_TYPE, value),))


@lru_cache(maxsize=256)
def join_content_type(content_type: str, charset: str | None) -> str:
    """A Content-Type of a media type without parameters, and its charset. Raises ValueError for anything else."""
    if ";" in content_type:
        raise ValueError(f"charset must not be in content_type argument: {content_type!r}")
    return format_content_type(content_type, None if charset is None else {"charset": charset})


class ResponseHeaders(CIMultiDict[str]):
    """The headers of a response that may still change."""

    __slots__ = ()


class SentHeaders(ResponseHeaders):
    """What the headers of a response become when its head is sent: a change could not reach anybody, so it raises.

    The object stays and changes its class, so whoever took `response.headers` before is told as well, and headers that
    may change pay nothing for it.
    """

    __slots__ = ()

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise RuntimeError("the head of this response was sent; its headers cannot change any more")

    __setitem__ = __delitem__ = add = extend = update = merge = setdefault = _refuse
    clear = pop = popone = popall = popitem = _refuse


class ResponseHead(FieldView):
    """Status, headers and cookies of a response; `StreamResponse` adds how it is sent.

    Args:
        status: 100 to 999.
        reason: the reason phrase; None looks it up by the status.
        headers: the headers to begin with.

    Raises ValueError for an impossible status and for control characters in `reason`.
    """

    _status = 200
    _reason: str | None = None
    _headers: ResponseHeaders | None = None
    _content_type: str | None = None  # the whole value, as long as there are no _headers; then it stands there
    _cookies: ResponseCookies | None = None
    _close = False
    _framing: Framing | None = None  # of the head that was sent

    def __init__(self, *, status: int = 200, reason: str | None = None, headers: HeadersLike | None = None) -> None:
        if status != 200 or reason is not None:
            self.set_status(status, reason)
        if headers is not None:
            self._headers = ResponseHeaders(headers)

    # -- status and connection -----------------------------------------------------------------------------------------

    @property
    def prepared(self) -> bool:
        """The head was sent: status, headers and cookies cannot change any more."""
        return self._framing is not None

    @property
    def status(self) -> int:
        """The status code."""
        return self._status

    @property
    def reason(self) -> str:
        """The reason phrase; empty for a status that has none."""
        return REASONS.get(self._status, "") if self._reason is None else self._reason

    def set_status(self, status: int, reason: str | None = None) -> None:
        """Set the status code and the reason phrase; None looks it up.

        Raises ValueError for a status outside of 100 to 999 and for control characters in `reason`, RuntimeError after
        `prepare`.
        """
        self._check_changeable("status")
        if not isinstance(status, int) or not 100 <= status <= 999:
            raise ValueError(f"status must be a number from 100 to 999, not {status!r}")
        self._reason = None if reason is None else check_reason(reason)
        self._status = int(status)

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection persists after this response; None as long as nobody decided."""
        if self._close:
            return False
        return None if self._framing is None else self._framing.keep_alive

    def force_close(self) -> None:
        """Close the connection after this response. There is no way back."""
        self._close = True

    @property
    def chunked(self) -> bool:
        """The content goes out in chunks; before `prepare`: `enable_chunked_encoding` asked for it."""
        if self._framing is not None:
            return self._framing.chunked
        return self._headers is not None and self._headers.get(hdrs.TRANSFER_ENCODING, "").lower() == "chunked"

    def enable_chunked_encoding(self, chunk_size: int | None = None) -> None:
        """Send the content in chunks, one for each write, though its length be known (never to HTTP/1.0 clients).

        `chunk_size` is accepted for old code and has no effect. Raises RuntimeError if Content-Length is set, and
        after `prepare`.
        """
        if hdrs.CONTENT_LENGTH in self.headers:
            raise RuntimeError("Content-Length is set: it and chunked encoding exclude each other")
        self.headers[hdrs.TRANSFER_ENCODING] = "chunked"

    # -- headers -------------------------------------------------------------------------------------------------------

    @property
    def headers(self) -> CIMultiDict[str]:
        """The headers, to read and to change until the head is sent; then a change is a RuntimeError."""
        headers = self._headers
        if headers is None:
            kind = ResponseHeaders if self._framing is None else SentHeaders
            headers = self._headers = kind(
                () if self._content_type is None else {hdrs.CONTENT_TYPE: self._content_type}
            )
            self._content_type = None
        return headers

    @property
    def content_length(self) -> int | None:
        """Content-Length in bytes; None without one. Setting None removes it.

        Setting raises ValueError for a negative number, RuntimeError with chunked encoding and after `prepare`.
        """
        declared = None if self._headers is None else self._headers.get(hdrs.CONTENT_LENGTH)
        return None if declared is None else parse_content_length(declared)

    @content_length.setter
    def content_length(self, value: int | None) -> None:
        if value is not None:
            if self.chunked:
                raise RuntimeError("chunked encoding is enabled: it and Content-Length exclude each other")
            if value < 0:
                raise ValueError(f"content_length must be 0 or more, not {value!r}")
        self._set_header(hdrs.CONTENT_LENGTH, None if value is None else str(int(value)))

    @property
    def content_type(self) -> str:
        """The media type in lower case; `application/octet-stream` without one. Setting keeps its parameters.

        Setting None removes Content-Type. Raises ValueError for what is no media type and for parameters in it,
        RuntimeError after `prepare`.
        """
        return self._read_type().media_type

    @content_type.setter
    def content_type(self, value: str | None) -> None:
        if value is not None:
            join_content_type(value, None)
            value = format_content_type(value, self._read_type().parameters)
        self._set_type(value)

    @property
    def charset(self) -> str | None:
        """The charset parameter of Content-Type; None without one. Setting None removes it.

        Setting raises ValueError for what no parameter may hold, RuntimeError for `application/octet-stream`, which is
        no text, and after `prepare`.
        """
        return self._read_type().charset

    @charset.setter
    def charset(self, value: str | None) -> None:
        media_type, parameters = self._read_type()
        if media_type == OCTET_STREAM:
            raise RuntimeError(f"{OCTET_STREAM} has no charset; set content_type to a type of text first")
        others = {name: text for name, text in parameters.items() if name != "charset"}
        if value is not None:
            others["charset"] = value.strip().lower()
        self._set_type(format_content_type(media_type, others))

    @property
    def last_modified(self) -> datetime | None:
        """The date in Last-Modified; None without a valid one.

        Set it to a datetime (a naive one is UTC) or to seconds since the epoch (a fraction is rounded up, lest the
        date lie before the change), to a str that goes out as it is, or to None, which removes it.
        """
        value = None if self._headers is None else self._headers.get(hdrs.LAST_MODIFIED)
        return None if value is None else parse_http_date(value)

    @last_modified.setter
    def last_modified(self, value: datetime | float | str | None) -> None:
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()
        if isinstance(value, int | float):
            value = format_http_date(math.ceil(value))
        elif not isinstance(value, str | None):
            raise TypeError(f"last_modified must be a datetime, a number, a str or None, not {value!r}")
        self._set_header(hdrs.LAST_MODIFIED, value)

    @property
    def etag(self) -> ETag | None:
        """The entity tag; None without one. Set it to an `ETag`, to the text of a strong one, or to None.

        Setting raises ValueError for quotes and controls in the tag, RuntimeError after `prepare`.
        """
        value = None if self._headers is None else self._headers.get(hdrs.ETAG)
        tags = () if value is None else parse_etags(value)
        return tags[0] if tags else None

    @etag.setter
    def etag(self, value: ETag | str | None) -> None:
        tag = ETag(value) if isinstance(value, str) else value
        self._set_header(hdrs.ETAG, None if tag is None else format_etag(tag))

    # -- cookies -------------------------------------------------------------------------------------------------------

    @property
    def cookies(self) -> ResponseCookies:
        """The cookies that the response sets, by name."""
        if self._cookies is None:
            self._cookies = ResponseCookies()
        return self._cookies

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        expires: str | datetime | None = None,
        domain: str | None = None,
        max_age: int | str | None = None,
        path: str = "/",
        secure: bool | None = None,
        httponly: bool | None = None,
        version: str | int | None = None,
        samesite: str | None = None,
        partitioned: bool | None = None,
    ) -> None:
        """Set a cookie, or change the one of this name: attributes that are None stay as they are.

        Args:
            name, value: a token, and any text without controls.
            expires, max_age: when it ends: an HTTP date or a datetime; seconds from now.
            domain, path: where the client sends it.
            secure, httponly: over TLS only; hidden from scripts.
            samesite: "Strict", "Lax" or "None".
            partitioned: one jar for each top-level site (CHIPS).
            version: of RFC 2109, for old code.

        Raises ValueError for what no cookie may hold, RuntimeError after `prepare`.
        """
        self._check_changeable("cookies")
        self.cookies.set(
            name,
            value,
            expires=expires,
            domain=domain,
            max_age=max_age,
            path=path,
            secure=secure,
            httponly=httponly,
            version=version,
            samesite=samesite,
            partitioned=partitioned,
        )

    def del_cookie(
        self,
        name: str,
        *,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        httponly: bool | None = None,
        samesite: str | None = None,
    ) -> None:
        """Make the client forget a cookie; `path` and `domain` are those that it was set with.

        Raises ValueError for what no cookie may hold, RuntimeError after `prepare`.
        """
        self._check_changeable("cookies")
        self.cookies.delete(name, path=path, domain=domain, secure=secure, httponly=httponly, samesite=samesite)

    # -- for those who send it -----------------------------------------------------------------------------------------

    def _check_changeable(self, what: str) -> None:
        if self._framing is not None:
            raise RuntimeError(f"the head of this response was sent; its {what} cannot change any more")

    def _set_header(self, name: str, value: str | None) -> None:
        if value is not None:
            self.headers[name] = value
        else:
            self.headers.popall(name, None)

    def _full_type(self) -> str | None:
        return self._content_type if self._headers is None else self._headers.get(hdrs.CONTENT_TYPE)

    def _read_type(self) -> ContentType:
        return read_content_type(self._full_type() or OCTET_STREAM)

    def _set_type(self, value: str | None) -> None:
        if self._headers is not None:
            self._set_header(hdrs.CONTENT_TYPE, value)
        else:
            self._check_changeable("type")
            self._content_type = value

    def _wants_close(self) -> bool:
        if self._close or self._headers is None:
            return self._close
        given = self._headers.getall(hdrs.CONNECTION, ())
        return bool(given) and "close" in map(str.strip, ",".join(given).lower().split(","))

    def _says_framing(self) -> bool:
        """Headers have something to say about how the content is framed, or about the connection."""
        headers = self._headers
        return headers is not None and (
            hdrs.CONTENT_LENGTH in headers or hdrs.TRANSFER_ENCODING in headers or hdrs.CONNECTION in headers
        )

    def _encode_head(self, writer: StreamWriter, has_content: bool, *, says_framing: bool = True) -> bytes:
        """The field lines of the head, without those of its framing."""
        defaults = writer.default_fields
        headers = self._headers
        if headers is None:
            is_typed = self._content_type is not None
            lines = b"" if self._content_type is None else encode_content_type(self._content_type)
        else:
            is_typed = hdrs.CONTENT_TYPE in headers
            pairs = list(headers.items())
            if says_framing:
                pairs = [pair for pair in pairs if pair[0].lower() not in _FRAMING_FIELDS]
            lines = encode_fields(pairs)
            if hdrs.DATE in headers or hdrs.SERVER in headers:
                defaults = b"" if hdrs.DATE in headers else writer.date_field
                defaults += b"" if hdrs.SERVER in headers else writer.server_field
        # RFC 9110 section 8.3: content without a type makes the client guess, and a wrong guess is somebody's script.
        if has_content and not is_typed and self._status not in WITHOUT_CONTENT:
            lines += encode_content_type(OCTET_STREAM)
        if self._cookies:
            lines += encode_fields([(hdrs.SET_COOKIE, cookie.encode()) for cookie in self._cookies.values()])
        return lines + defaults
