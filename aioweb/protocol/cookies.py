"""Cookie as it arrives, Set-Cookie as it leaves: RFC 6265, and what browsers made of it since (RFC 6265bis).

Reading is lenient, linear and silent: a pair that is no cookie is left out, and nobody is told (CVE-2025-69230).
Writing is strict: whatever could end an attribute, a field or a response is a ValueError when it is *set*
(CVE-2026-3644), what only browsers would refuse (a `__Host-` cookie with a domain ...) when the cookie is complete.

The names are those that users know from `http.cookies`, and so is the order of the attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime, timezone
from typing import Any, Final

import attrs

from aioweb.protocol.dates import format_http_date
from aioweb.protocol.grammar import BAD_IN_VALUE, TOKEN

EXPIRED: Final = "Thu, 01 Jan 1970 00:00:00 GMT"
"""The Expires of a deleted cookie."""

# RFC 6265 section 4.2.1
#   cookie-string = cookie-pair *( ";" SP cookie-pair );  cookie-pair = cookie-name "=" cookie-value;  name = token
# More names than tokens are about (`a[b]`, `x/y`), so all visible ASCII passes that delimits nothing in any grammar of
# cookies. What stays out has been used to sneak a `__Host-` name past the browser: controls, quotes, other scripts'
# white space in front of the name (never str.strip() without its argument here).
_READ_NAME = re.compile(r"[!#-+\--:<>-\[\]-~]+")
# A name that we write is a token; the colon is legal for http.cookies and in use.
_WRITTEN_NAME = re.compile(rf"(?:{TOKEN.pattern}|:)+")
# RFC 6265 section 4.1.1
#   cookie-octet = %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E    (no control, white space, DQUOTE, comma, ";", "\")
#   av-octet     = any CHAR except CTLs or ";"
_COOKIE_OCTETS = re.compile(r"[!#-+\--:<-\[\]-~]*")
_AV_OCTETS = re.compile(r"[ -:<-~]*")
# Other values are quoted as http.cookies does: \" and \\, and octal for what cannot stand there even in quotes.
# Characters above Latin-1 stay what they are; browsers send the octets of their UTF-8 back. Surrogates of PEP 383 are
# such octets; other surrogates no codec can write.
_MUST_QUOTE = re.compile(r'["\\\t,;\x80-\xff]')
_BAD_IN_COOKIE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
_QUOTED = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
_DIGITS = re.compile(r"-?[0-9]{1,18}")
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None"}


def parse_cookie(value: str, *, limit: int = 512) -> dict[str, str]:
    """Read the Cookie field of a request (RFC 6265 section 4.2), in time linear in its length.

    Pairs are cut at each semicolon, as browsers and RFC 6265 do, also inside of quotes: a reader that goes on to the
    closing quote can be made to swallow the cookies behind. Of one name the first counts: user agents send the cookie
    with the longest path first (section 5.4), which is the one that was set for this place. A pair without name or
    equals sign, with a name that is no name or with a control in its value is left out (CVE-2023-23934).

    Args:
        value: The field value; several fields are joined by `"; "` before.
        limit: Look at no more pairs than these; browsers keep less than 200 for a site.

    Returns:
        Names and values; of a quoted value its content, with `\\"` and octal escapes undone. These may stand for
        controls: a value is the client's text, and `SetCookie` refuses it if they do.
    """
    cookies: dict[str, str] = {}
    has_controls = BAD_IN_VALUE.search(value) is not None
    for pair in value.split(";", limit)[:limit]:
        name, equals, content = pair.partition("=")
        name = name.strip(" \t")
        if not equals or name in cookies or _READ_NAME.fullmatch(name) is None:
            continue
        if has_controls and BAD_IN_VALUE.search(content) is not None:
            continue
        cookies[name] = _decode_value(content.strip(" \t"))
    return cookies


def _decode_value(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    text = text[1:-1]
    return _QUOTED.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    octal, character = match.groups()
    return chr(int(octal, 8)) if octal else str(character)


def _encode_value(value: str) -> str:
    if _COOKIE_OCTETS.fullmatch(value) is not None:
        return value
    return '"' + _MUST_QUOTE.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return "\\" + character if character in '"\\' else f"\\{ord(character):03o}"


# -- converters and validators of the attributes: attrs runs them at the start and at each assignment ----------------


def _to_text(value: str | int | None) -> str | None:
    return str(value) if isinstance(value, int) else value


def _to_value(value: str | int) -> str:
    return str(value) if isinstance(value, int) else value


def _to_date(value: str | datetime | None) -> str | None:
    if not isinstance(value, datetime):
        return value
    return format_http_date((value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp())


def _to_seconds(value: str | int | None) -> Any:  # text that is no number is left to the validator
    if isinstance(value, str) and _DIGITS.fullmatch(value) is not None:
        return int(value)
    return None if value == "" else value


def _to_same_site(value: str | None) -> str | None:
    return _SAME_SITE.get(value.lower(), value) if isinstance(value, str) else value


def _check_name(_: object, __: object, name: str) -> None:
    if not isinstance(name, str) or _WRITTEN_NAME.fullmatch(name) is None:
        raise ValueError(f"cookie {_show(name)}: the name is not a token (RFC 6265 section 4.1.1)")


def _check_value(cookie: SetCookie, _: object, value: str) -> None:
    if not isinstance(value, str) or _BAD_IN_COOKIE.search(value) is not None:
        raise _refusal(cookie, "value", value, "text without control characters")


def _check_text(cookie: SetCookie, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and (not isinstance(value, str) or _AV_OCTETS.fullmatch(value) is None):
        raise _refusal(cookie, attribute.name, value, "ASCII text without control characters and semicolons")


def _check_seconds(cookie: SetCookie, _: object, value: int | None) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _refusal(cookie, "max_age", value, "a whole number of seconds")


def _check_same_site(cookie: SetCookie, _: object, value: str | None) -> None:
    if value not in (None, "", "Strict", "Lax", "None"):
        raise _refusal(cookie, "samesite", value, "Strict, Lax or None")


def _refusal(cookie: SetCookie, attribute: str, value: object, expected: str) -> ValueError:
    return ValueError(f"cookie {_show(cookie.name)}: {attribute} must be {expected}, not {_show(value)}")


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 64 else f"{text[:61]}..."


# The attributes as written, in the order of http.cookies, and the fields of SetCookie that hold them.
_WRITTEN: Final = {
    "Domain": "domain",
    "expires": "expires",
    "HttpOnly": "httponly",
    "Max-Age": "max_age",
    "Partitioned": "partitioned",
    "Path": "path",
    "SameSite": "samesite",
    "Secure": "secure",
    "Version": "version",
}
_FIELDS: Final = {label.lower(): field for label, field in _WRITTEN.items()}


@attrs.define
class SetCookie:
    """One cookie that a response sets, with its attributes (RFC 6265 section 4.1).

    Attributes are also items, named as on the wire and in any case: `cookie["max-age"] = 10` is `cookie.max_age = 10`.
    An attribute that is not set is None or False as an attribute and `""` as an item.

    Raises ValueError, naming cookie and attribute, as soon as something is set that cannot be written.
    """

    name: str = attrs.field(validator=_check_name, on_setattr=attrs.setters.frozen)
    """A token, or with colons; it never changes."""
    value: str = attrs.field(converter=_to_value, validator=_check_value)
    """Any text without controls (HTAB is none here); what is not a cookie-octet is quoted when written."""
    domain: str | None = attrs.field(kw_only=True, default=None, validator=_check_text)
    """The host, with all below it, that gets the cookie; None is this host alone."""
    expires: str | None = attrs.field(kw_only=True, default=None, converter=_to_date, validator=_check_text)
    """When it ends: an HTTP date, or a datetime, which is UTC if naive."""
    httponly: bool = attrs.field(kw_only=True, default=False, converter=bool)
    """Scripts do not see it."""
    max_age: int | None = attrs.field(kw_only=True, default=None, converter=_to_seconds, validator=_check_seconds)
    """Seconds that it lives, 0 or less to end it now; wins over `expires`."""
    partitioned: bool = attrs.field(kw_only=True, default=False, converter=bool)
    """One jar for each top-level site (CHIPS). Needs `secure`."""
    path: str | None = attrs.field(kw_only=True, default=None, validator=_check_text)
    """The paths that get it, with all below."""
    samesite: str | None = attrs.field(kw_only=True, default=None, converter=_to_same_site, validator=_check_same_site)
    """Strict, Lax or None (the text, in any case), about requests from other sites. "None" needs `secure`."""
    secure: bool = attrs.field(kw_only=True, default=False, converter=bool)
    """Sent over TLS only."""
    version: str | None = attrs.field(kw_only=True, default=None, converter=_to_text, validator=_check_text)
    """Of RFC 2109; browsers ignore it."""

    @property
    def key(self) -> str:
        """The name, as `http.cookies.Morsel` calls it."""
        return self.name

    @property
    def coded_value(self) -> str:
        """The value as it is written, quoted if it must be."""
        return _encode_value(self.value)

    @property
    def is_deletion(self) -> bool:
        """It does nothing but end a cookie of the client."""
        return self.value == "" and self.max_age == 0

    def check(self) -> None:
        """Raise ValueError if browsers would refuse this combination of attributes.

        `SameSite=None` and `Partitioned` need Secure, and so does the prefix `__Secure-`; `__Host-` needs Secure and
        the path `/`, and forbids a domain (RFC 6265bis section 4.1.3). Secure is never added silently: over plain
        HTTP the cookie would vanish, and nobody could tell why.
        """
        prefix = self.name[:9].lower()
        is_host_only = prefix.startswith("__host-")
        if not self.secure:
            for reason, applies in (
                ("SameSite=None", self.samesite == "None"),
                ("Partitioned", self.partitioned),
                ("the prefix __Secure-", prefix == "__secure-"),
                ("the prefix __Host-", is_host_only),
            ):
                if applies:
                    raise ValueError(f"cookie {_show(self.name)}: {reason} needs secure=True")
        if is_host_only and (self.path != "/" or self.domain):
            raise ValueError(f"cookie {_show(self.name)}: the prefix __Host- needs path='/' and no domain")

    def encode(self) -> str:
        """The value of its Set-Cookie field. Raises ValueError like `check`."""
        self.check()
        parts = [f"{self.name}={self.coded_value}"]
        for label, field in _WRITTEN.items():
            value = getattr(self, field)
            if value is True:
                parts.append(label)
            elif value is not None and value is not False and value != "":
                parts.append(f"{label}={value}")
        return "; ".join(parts)

    def output(self, attrs: object = None, header: str = "Set-Cookie:") -> str:
        """The whole field line, as `http.cookies` spells it; `attrs` is accepted for its users, and ignored."""
        return f"{header} {self.encode()}"

    def OutputString(self, attrs: object = None) -> str:
        """`encode()` under the name of `http.cookies`; `attrs` is accepted for its users, and ignored."""
        return self.encode()

    __str__ = output

    def keys(self) -> list[str]:
        """The names of all attributes, set or not, in lower case."""
        return list(_FIELDS)

    def get(self, key: str, default: Any = None) -> Any:
        """The attribute as an item; `default` if there is no attribute of that name."""
        return self[key] if key.lower() in _FIELDS else default

    def __iter__(self) -> Iterator[str]:
        return iter(_FIELDS)

    def __getitem__(self, key: str) -> Any:
        value = getattr(self, _FIELDS[key.lower()])
        return "" if value is None or value is False else value

    def __setitem__(self, key: str, value: Any) -> None:
        field = _FIELDS.get(key.lower())
        if field is None:
            raise ValueError(f"cookie {_show(self.name)}: {_show(key)} is no attribute; there are {', '.join(_FIELDS)}")
        setattr(self, field, value)

    def __delitem__(self, key: str) -> None:
        setattr(self, _FIELDS[key.lower()], None)


class ResponseCookies(MutableMapping[str, SetCookie]):
    """The cookies that a response sets, by name, in the order in which they were first set.

    Filled like `http.cookies.SimpleCookie`: `cookies["a"] = "value"`, then `cookies["a"]["max-age"] = 60`; or in one
    step by `set`. A name has one cookie, whatever its path and domain.
    """

    __slots__ = ("_cookies",)

    def __init__(self, cookies: str | Mapping[str, str | SetCookie] = "") -> None:
        """Start with `cookies`, which are taken as `load` takes them."""
        self._cookies: dict[str, SetCookie] = {}
        self.load(cookies)

    def set(
        self,
        name: str,
        value: str,
        *,
        path: str | None = "/",
        expires: str | datetime | None = None,
        domain: str | None = None,
        max_age: int | str | None = None,
        secure: bool | None = None,
        httponly: bool | None = None,
        samesite: str | None = None,
        partitioned: bool | None = None,
        version: str | int | None = None,
    ) -> SetCookie:
        """Set a cookie, or change one: attributes that are None stay as they are. A deleted cookie starts anew.

        Args are the fields of `SetCookie`. Raises ValueError for what cannot be written and for a combination that
        browsers refuse; nothing has changed then.
        """
        given = {
            "path": path,
            "expires": expires,
            "domain": domain,
            "max_age": max_age,
            "secure": secure,
            "httponly": httponly,
            "samesite": samesite,
            "partitioned": partitioned,
            "version": version,
        }
        changes: dict[str, Any] = {field: text for field, text in given.items() if text is not None}
        cookie = attrs.evolve(self._standing(name) or SetCookie(name, ""), value=value, **changes)
        cookie.check()
        self._cookies[name] = cookie
        return cookie

    def delete(
        self,
        name: str,
        *,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        httponly: bool | None = None,
        samesite: str | None = None,
    ) -> SetCookie:
        """Make the client forget a cookie: empty and expired. Path and domain are those that it was set with.

        A name with the prefix `__Host-` or `__Secure-` gets Secure by itself, without it browsers would not listen.
        """
        is_prefixed = name.lower().startswith(("__host-", "__secure-"))
        cookie = SetCookie(
            name,
            "",
            path=path,
            domain=domain,
            expires=EXPIRED,
            max_age=0,
            secure=is_prefixed if secure is None else secure,
            httponly=bool(httponly),
            samesite=samesite,
        )
        cookie.check()
        self._cookies[name] = cookie
        return cookie

    def load(self, cookies: str | Mapping[str, str | SetCookie]) -> None:
        """Add the cookies of a mapping, or of text like `a=1; Path=/; Secure; b=2`: attributes follow their cookie.

        The text is yours, not a client's: it raises ValueError for what cannot be written. Flags and attributes that
        nobody knows are left out.
        """
        if not isinstance(cookies, str):
            for name, value in cookies.items():
                self[name] = value
            return
        last: SetCookie | None = None
        for pair in cookies.split(";"):
            name, equals, text = (part.strip(" \t") for part in pair.partition("="))
            field = _FIELDS.get(name.lower())
            if field is not None:
                if last is not None:
                    setattr(last, field, _decode_value(text) if equals else True)
            elif equals:
                self[name] = _decode_value(text)
                last = self._cookies[name]

    def output(self, attrs: object = None, header: str = "Set-Cookie:", sep: str = "\r\n") -> str:
        """All field lines, as `http.cookies` spells them; `attrs` is accepted for its users, and ignored."""
        return sep.join(cookie.output(header=header) for cookie in self._cookies.values())

    __str__ = output

    def _standing(self, name: str) -> SetCookie | None:
        cookie = self._cookies.get(name)
        return None if cookie is None or cookie.is_deletion else cookie

    def __getitem__(self, name: str) -> SetCookie:
        return self._cookies[name]

    def __setitem__(self, name: str, value: str | SetCookie) -> None:
        """Set the value and keep the attributes, unless the cookie was deleted; or take a SetCookie of this name."""
        standing = self._standing(name)
        if isinstance(value, SetCookie):
            if value.name != name:
                raise ValueError(f"cookie {_show(name)}: the SetCookie has another name, {_show(value.name)}")
            self._cookies[name] = value
        elif standing is not None:
            standing.value = value
        else:
            self._cookies[name] = SetCookie(name, value)

    def __delitem__(self, name: str) -> None:
        del self._cookies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cookies)

    def __len__(self) -> int:
        return len(self._cookies)

    def __repr__(self) -> str:
        return f"<ResponseCookies {' '.join(self._cookies)}>"
