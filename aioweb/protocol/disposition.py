r"""Content-Disposition: RFC 6266, RFC 7578 section 4.2 for forms, RFC 8187 and RFC 2231 for what is not ASCII.

The reader never raises. Clients write the same name in many ways: browsers in the charset of the page with %22, %0D and
%0A for the three characters that would break the field, and a backslash as itself; curl, httpx and older libraries with
quoted-pairs; libraries for mail with RFC 2231; old Internet Explorers send a whole path. Each comes out as it was
meant. What can be read in two ways, or only in part, is not read at all: who would then say what is a file?

Patterns are linear: no two neighbouring repeats match the same character (CVE-2024-24762).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote_to_bytes

import attrs

from aioweb.protocol.grammar import BAD_IN_VALUE, TOKEN

FORM_DATA = "form-data"
"""The kind of every part of a form (RFC 7578 section 4.2)."""

_MAX_PARAMETERS = 32
_MAX_FILENAME = 200

_TOKEN = TOKEN.pattern
# RFC 6266 section 4.1
#   content-disposition = "Content-Disposition" ":" disposition-type *( ";" disposition-parm )
#   disposition-parm    = token "=" ( token / quoted-string )
_KIND = re.compile(rf"[ \t]*({_TOKEN})(?=[ \t]*(?:;|\Z))")
# White space around "=" was legal in RFC 2616. A value without quotes is whatever holds no quote and no semicolon, for
# some libraries leave the quotes away before spaces and UTF-8. The second quoted form is for a name that ends in a
# backslash, which browsers do not escape; it counts where the first one cannot be read.
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"(?=[ \t]*(?:;|\Z))|"([^"]*)"(?=[ \t]*(?:;|\Z))'
_BARE = r'([^;" \t][^;"]*)(?=;|\Z)'
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({_TOKEN})[ \t]*=[ \t]*(?:{_QUOTED}|{_BARE}))?", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
# In a form only these two are quoted-pairs: a backslash before anything else separates the folders of a path.
_FORM_QUOTED_PAIR = re.compile(r'\\(["\\])')
# What browsers escape, and nothing else: they send "100%25.txt" for a file of this name.
_FORM_ESCAPE = re.compile(r"%(22|0[DdAa])")

# RFC 8187 section 3.2.1: ext-value = charset "'" [ language ] "'" value-chars, strict about its percent signs only.
_EXTENDED = re.compile(r"([^'%]*)'[^'%]*'((?:[^%]|%[0-9A-Fa-f]{2})*)", re.DOTALL)
# RFC 2231 section 3: the sections of a value that was cut, name*0, name*1*, ...
_SECTION = re.compile(r"([^*]+)\*(0|[1-9][0-9]?)(\*?)")
_CHARSETS = {"utf-8": "utf-8", "iso-8859-1": "latin-1", "us-ascii": "ascii"}

# What Windows, the strictest, allows in no file name, and what hides the end of a name or turns its direction.
_UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f\\\\/:*?"<>|\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+')
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])[ ]*(?:\..*)?", re.IGNORECASE | re.DOTALL
)


@attrs.frozen
class Disposition:
    """A Content-Disposition that was read."""

    kind: str
    """`form-data`, `attachment`, `inline` ..., in lower case."""
    parameters: Mapping[str, str]
    """Names in lower case, values decoded; read-only."""
    name: str | None
    """The name of the form field; None without one."""
    filename: str | None
    """What the client called the file, without any path; None without one. Browsers send "" if no file was chosen.

    It may be anything but a path: see `safe_filename`.
    """


@lru_cache(maxsize=256)
def read_disposition(value: str) -> Disposition | None:
    """Read a Content-Disposition whose octets were decoded as UTF-8, others as surrogates (PEP 383).

    Octets that are not UTF-8 are taken for Latin-1. `filename*` wins over `filename`, as RFC 6266 section 4.3 says,
    and so do the sections of RFC 2231; where an extended value cannot be decoded, the plain one counts.

    Returns None for what breaks the grammar or holds a control, for a parameter that stands twice, and for more than
    32 parameters. The last 256 different values are remembered; a part's head is bounded, so the cache is as well.
    """
    start = _KIND.match(value)
    if start is None or BAD_IN_VALUE.search(value) is not None:
        return None
    kind = start[1].lower()
    sent = _scan(value, start.end(), kind == FORM_DATA)
    if sent is None:
        return None
    parameters = _decode(sent) if any("*" in name for name in sent) else sent
    if parameters is None:
        return None
    filename = parameters.get("filename")
    return Disposition(
        kind,
        MappingProxyType(parameters),
        parameters.get("name"),
        None if filename is None else _without_path(filename),
    )


def _scan(value: str, position: int, is_form: bool) -> dict[str, str] | None:
    """The parameters as sent, quotes and escapes undone; None if they cannot be read to their end."""
    parameters: dict[str, str] = {}
    for _ in range(_MAX_PARAMETERS + 1):
        match = _PARAMETER.match(value, position)
        if match is None:
            break
        position = match.end()
        name, quoted, unescaped, bare = match.groups()
        if name is None:
            continue
        name = name.lower()
        if name in parameters:
            return None
        if bare is not None:
            text = bare.rstrip(" \t")
        elif unescaped is not None:
            text = _undo_form_escapes(unescaped) if is_form else unescaped
        elif is_form:
            text = _undo_form_escapes(_FORM_QUOTED_PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted)
        else:
            text = _QUOTED_PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted
        parameters[name] = text if text.isascii() else _repair(text)
    else:
        return None
    return None if value[position:].strip(" \t") else parameters


def _undo_form_escapes(text: str) -> str:
    if "%" not in text:
        return text
    return _FORM_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def _repair(text: str) -> str:
    """Text of Latin-1, if its octets were no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    return text


def _decode(sent: dict[str, str]) -> dict[str, str] | None:
    """Put extended values (RFC 8187) and sections (RFC 2231) in the place of plain ones; None for a doubled section."""
    plain: dict[str, str] = {}
    extended: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in sent.items():
        if "*" not in name:
            plain[name] = value
        elif (match := _SECTION.fullmatch(name)) is not None:
            pieces = sections.setdefault(match[1], {})
            if int(match[2]) in pieces:
                return None
            pieces[int(match[2])] = (value, bool(match[3]))
        elif name[-1] == "*" and name != "*" and (decoded := _decode_extended(value)) is not None:
            extended[name[:-1]] = decoded
    for name, pieces in sections.items():
        joined = _join_sections(pieces)
        if joined is not None:
            extended.setdefault(name, joined)
    return plain | extended


def _decode_extended(value: str) -> str | None:
    match = _EXTENDED.fullmatch(value)
    return None if match is None else _decode_octets(unquote_to_bytes(match[2].encode()), match[1])


def _join_sections(pieces: dict[int, tuple[str, bool]]) -> str | None:
    """The sections of one value, from 0 to the first that is missing."""
    charset, octets = "utf-8", b""
    for number in range(len(pieces)):
        if number not in pieces:
            break
        value, is_encoded = pieces[number]
        if is_encoded and number == 0:
            match = _EXTENDED.fullmatch(value)
            if match is None:
                return None
            charset, value = match[1], match[2]
        octets += unquote_to_bytes(value.encode()) if is_encoded else value.encode()
    return _decode_octets(octets, charset) if 0 in pieces else None


def _decode_octets(octets: bytes, charset: str) -> str | None:
    codec = _CHARSETS.get(charset.lower())
    try:
        return None if codec is None else octets.decode(codec)
    except UnicodeDecodeError:
        return None


def _without_path(filename: str) -> str:
    filename = filename.rstrip("/\\")
    filename = filename[max(filename.rfind("/"), filename.rfind("\\")) + 1 :]
    return "" if filename in {".", ".."} else filename


def safe_filename(filename: str) -> str:
    """What `filename` can be saved as on any system: without path, separators, controls and characters that Windows
    forbids or that turn the direction of text, no device of Windows, no dot or space at either end, at most 200 octets
    of UTF-8 with its extension kept; `file` if nothing is left.

    Two different names may become the same one, and the file may exist already: whoever saves it looks after that.
    """
    name = _UNSAFE.sub("_", _without_path(filename)).strip(". ")
    if _RESERVED.fullmatch(name) is not None:
        name = f"_{name}"
    stem, dot, extension = name.rpartition(".")
    if len(name.encode()) > _MAX_FILENAME:
        suffix = (dot + extension).encode()
        if not stem or len(suffix) > 32:
            stem, suffix = name, b""
        kept = stem.encode()[: _MAX_FILENAME - len(suffix)].decode("utf-8", "ignore").rstrip(". ")
        name = kept + suffix.decode()
    return name or "file"


def format_disposition(kind: str, *, name: str | None = None, filename: str | None = None, **parameters: str) -> str:
    r"""Write a Content-Disposition.

    `form-data` is written as browsers do: UTF-8 in quotes, `"`, CR and LF as %22, %0D and %0A; a backslash is doubled.
    Others as RFC 6266 says: ASCII in quotes, and for what ASCII cannot say an extended value (RFC 8187) beside it.

    Args:
        kind: `form-data`, `attachment`, `inline` or another token.
        name: of the form field.
        filename: of the file; its path, if it has one, is not removed.
        parameters: more of them.

    Raises ValueError for a kind or a parameter's name that is no token, a control other than CR and LF in a form, and
    a surrogate that stands for no octet; TypeError for what is no str.
    """
    if TOKEN.fullmatch(kind) is None:
        raise ValueError(f"Content-Disposition: the kind {kind!r:.80} is not a token")
    given = {"name": name, "filename": filename, **parameters}
    write = _write_form_parameter if kind.lower() == FORM_DATA else _write_parameter
    return "; ".join([kind, *(write(key, value) for key, value in given.items() if value is not None)])


def _write_form_parameter(name: str, value: str) -> str:
    _check_parameter(name, value)
    escaped = value.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    if BAD_IN_VALUE.search(escaped) is not None:
        raise ValueError(f"Content-Disposition: a control character or a lone surrogate in {name}={value!r:.80}")
    return f'{name}="{escaped}"'


def _write_parameter(name: str, value: str) -> str:
    _check_parameter(name, value)
    plain = "".join(char if " " <= char <= "~" and char not in '"\\%' else "_" for char in value)
    if plain == value:
        return f'{name}="{value}"'
    try:
        octets = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"Content-Disposition: a lone surrogate in {name}={value!r:.80}") from None
    # RFC 8187 section 3.2.1: attr-char.
    return f"{name}=\"{plain}\"; {name}*=UTF-8''{quote(octets, safe='!#$&+^`|')}"


def _check_parameter(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"Content-Disposition: {name} must be str, not {value!r:.80}")
    if TOKEN.fullmatch(name) is None or "*" in name:
        raise ValueError(f"Content-Disposition: the parameter name {name!r:.80} is not a token without *")
