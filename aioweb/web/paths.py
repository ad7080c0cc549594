r"""Paths: the one form in which they are compared, and the templates of routes.

The match form. A request path is percent-decoded once, as UTF-8, except for four characters: an escaped `/`, `%`, `{`
or `}` stays `%2F`, `%25`, `%7B`, `%7D`. So an escaped slash never separates, a percent sign that is left always begins
one of these four escapes (nothing is decoded twice: `%252F` cannot become a slash), and a regex sees text, not octets.
Escapes that are malformed or no UTF-8 mean themselves: `%zz` is the three characters `%zz`. Nothing here raises for
what a client sent. The literals of a template take the same form, however they were written.

Templates. `{name}`, `{name:regex}`, `<name>` and `<name:regex>` are parts. A regex may hold one level of its own
brackets; it sees the match form, `.` is any character, and `\d` and `\w` are ASCII, as they are in an escaped path
(write `(?u:\w+)` for the letters of all scripts). `Template.build` is the inverse of `Template.match`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote
from uuid import UUID

import attrs

_ESCAPES: Final = re.compile(r"%(?:[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*)?")
_KEPT: Final = str.maketrans({"/": "%2F", "%": "%25", "{": "%7B", "}": "%7D"})
# RFC 3986 section 3.3: pchar = unreserved / pct-encoded / sub-delims / ":" / "@"
_UNESCAPED: Final = "/!$&'()*+,;=:@~"

_NAME: Final = re.compile(r"[a-zA-Z][_a-zA-Z0-9]*")
_PART: Final = re.compile(r"\{(?:[^{}]|\{[^{}]*\})*\}|<(?:[^<>]|<[^<>]*>)*>")
_DEFAULT_REGEX: Final = "[^{}/]+"
_FLAGS: Final = re.ASCII | re.DOTALL
_NUMBERED_REFERENCE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]|\(\?\([0-9]")

# Regexes that match no slash for sure: characters that are none, classes of such, negated classes that name the slash,
# groups, alternatives and repeats of these. Others may, too; not to know costs time only, never a wrong answer.
# A dash may begin a range that runs over the slash ("--9"), so two dashes are not for sure.
_SLASHLESS: Final = re.compile(
    r"(?!.*--)(?:[A-Za-z0-9_\-]|\\[dw.\-]|\[(?:[A-Za-z0-9_\-]|\\[dw])+\]|\[\^[^\\\]]*/[^\\\]]*\]"
    r"|\(\?:|[()|+*?]|\{[0-9]+(?:,[0-9]*)?\})+"
)


def match_form(path: str) -> str:
    """The form in which paths are compared; see the top of this file. `match_form(match_form(x)) == match_form(x)`.

    A path without a percent sign is its own match form: who is in a hurry asks `"%" in path` first.
    """
    return _ESCAPES.sub(_decode_run, path)


def _decode_run(run: re.Match[str]) -> str:
    escapes = run[0]
    if escapes == "%":
        return "%25"
    octets = bytes.fromhex(escapes.replace("%", ""))
    try:
        return octets.decode().translate(_KEPT)
    except UnicodeDecodeError:
        return "".join(_decode_leniently(escapes, octets.decode("utf-8", "surrogateescape")))


def _decode_leniently(escapes: str, text: str) -> Iterator[str]:
    """Characters, and for an octet that is none its escape as it was sent, as literal text."""
    at = 0
    for character in text:
        if "\udc80" <= character <= "\udcff":
            yield f"%25{escapes[at + 1 : at + 3]}"
            at += 3
        else:
            yield character.translate(_KEPT)
            at += 3 * len(character.encode())


def decode_value(form: str) -> str:
    """What a piece of a path in match form means: its four escapes are decoded, too."""
    if "%" not in form:
        return form
    # The percent sign last: "%252F" means "%2F".
    return form.replace("%2F", "/").replace("%7B", "{").replace("%7D", "}").replace("%25", "%")


def quote_form(form: str) -> str:
    """A path in match form as it is sent: ASCII, percent-encoded."""
    return quote(form, safe="%" + _UNESCAPED)


def _value_text(part: str, value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"the value of part {part!r} must be a str, an int or a UUID, not {value!r}")


@attrs.frozen(eq=False)
class _Part:
    name: str
    regex: str
    pattern: re.Pattern[str]

    @property
    def is_slashless(self) -> bool:
        """No value of the part can hold a slash."""
        return _SLASHLESS.fullmatch(self.regex) is not None or self.regex == _DEFAULT_REGEX

    def form_of(self, value: object) -> str:
        """The value in match form. Its slashes stay slashes if the part can hold them, else they are escaped."""
        text = _value_text(self.name, value)
        form = text.translate(_KEPT)
        if "/" in text:
            unescaped = form.replace("%2F", "/")
            if self.pattern.fullmatch(unescaped):
                return unescaped
        return form


@attrs.frozen(eq=False)
class Template:
    """The path of a resource: literals and parts. Made by `parse_template`, immutable."""

    source: str
    """As it was given."""
    canonical: str
    """As it is sent, with `{name}` for each part: `/a%20b/{rest}`."""
    pattern: re.Pattern[str]
    """What a path in match form has to match in whole."""
    names: tuple[str, ...]
    """The names of the parts, in order."""
    segments: tuple[str | None, ...]
    """The leading segments that the index knows: text of a literal one, None for one with parts that hold no slash."""
    is_open: bool
    """A path may go on after `segments`."""
    literal: str | None
    """The only path (in match form) that matches, None if there are several."""
    _pieces: tuple[str | _Part, ...]

    def match(self, form: str) -> dict[str, str] | None:
        """The decoded values of the parts if the path, in match form, matches; else None."""
        found = self.pattern.fullmatch(form)
        if found is None:
            return None
        values = found.groupdict()
        if len(values) > len(self.names):
            # Named groups of a regex are the regex's own.
            values = {name: values[name] for name in self.names}
        if "%" in form:
            for name, value in values.items():
                values[name] = decode_value(value)
        return values

    def build(self, values: Mapping[str, object]) -> str:
        """The path with these values, percent-encoded. Values for other names are ignored.

        A path that would begin with two slashes, and so name a host in a reference (RFC 3986 section 4.2), begins with
        `/%2F`. Raises KeyError for a part without a value, TypeError for a value that is no str, int or UUID.
        """
        forms = []
        for piece in self._pieces:
            if isinstance(piece, str):
                forms.append(piece)
            elif piece.name in values:
                forms.append(piece.form_of(values[piece.name]))
            else:
                raise KeyError(f"no value for part {piece.name!r} of {self.canonical!r}, given are {sorted(values)}")
        form = "".join(forms)
        return quote_form(f"/%2F{form[2:]}" if form.startswith("//") else form)

    def with_pattern(self, pattern: re.Pattern[str]) -> Template:
        """The same with another pattern, whose named groups are the parts. For routes of aiohttp 0.17."""
        names = tuple(pattern.groupindex)
        return attrs.evolve(self, pattern=pattern, names=names, segments=(), is_open=True, literal=None)


def parse_template(path: str) -> Template:
    """Read the path of a resource.

    Raises TypeError for what is no str, and ValueError with path and part for a path that does not begin with a slash
    (the empty path may: it is the prefix itself in a sub-application), unbalanced brackets, a bad name or regex, or two
    parts of one name.
    """
    if not isinstance(path, str):
        raise TypeError(f"a path must be a str, not {path!r}")
    if path and not path.startswith("/"):
        raise ValueError(f"path {path!r} must begin with a slash")
    pieces = tuple(_parse_pieces(path))
    names = tuple(piece.name for piece in pieces if isinstance(piece, _Part))
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"path {path!r} has two parts of the name {name!r}")
    segments, is_open = _lead(pieces)
    return Template(
        source=path,
        canonical="".join(quote_form(piece) if isinstance(piece, str) else f"{{{piece.name}}}" for piece in pieces),
        pattern=_compile(path, pieces),
        names=names,
        segments=segments,
        is_open=is_open,
        literal=None if is_open or names else "".join(map(str, pieces)),
        pieces=pieces,
    )


def _parse_pieces(path: str) -> Iterator[str | _Part]:
    end = 0
    for part in _PART.finditer(path):
        if literal := _literal(path, path[end : part.start()]):
            yield literal
        yield _parse_part(path, part[0])
        end = part.end()
    if literal := _literal(path, path[end:]):
        yield literal


def _literal(path: str, text: str) -> str:
    for bracket in "{}<>":
        if bracket in text:
            raise ValueError(f"path {path!r} has an unbalanced {bracket!r} in {text!r}")
    return match_form(text)


def _parse_part(path: str, part: str) -> _Part:
    name, colon, regex = part[1:-1].partition(":")
    if not _NAME.fullmatch(name):
        raise ValueError(f"path {path!r}, part {part!r}: a name is a letter, then letters, digits, underscores")
    if not colon:
        regex = _DEFAULT_REGEX
    if _NUMBERED_REFERENCE.search(regex):
        raise ValueError(f"path {path!r}, part {part!r}: refer to a group by its name, (?P<x>...)(?P=x)")
    if not regex:
        raise ValueError(f"path {path!r}, part {part!r}: the regex is empty")
    try:
        pattern = re.compile(regex, _FLAGS)
    except (re.error, ValueError) as error:
        raise ValueError(f"path {path!r}, part {part!r}: bad regex: {error}") from None
    if pattern.flags != _FLAGS:
        raise ValueError(f"path {path!r}, part {part!r}: write flags for a group, such as (?i:...)")
    return _Part(name, regex, pattern)


def _compile(path: str, pieces: tuple[str | _Part, ...]) -> re.Pattern[str]:
    text = "".join(
        re.escape(piece) if isinstance(piece, str) else f"(?P<{piece.name}>{piece.regex})" for piece in pieces
    )
    # `build` writes a second slash at the beginning as "%2F".
    if text.startswith("//"):
        text = f"/(?:/|%2F){text[2:]}"
    try:
        return re.compile(text, _FLAGS)
    except re.error as error:
        raise ValueError(f"path {path!r}: the regexes of the parts do not go together: {error}") from None


def _lead(pieces: tuple[str | _Part, ...]) -> tuple[tuple[str | None, ...], bool]:
    """`Template.segments` and `Template.is_open`."""
    segments: list[str | None] = []
    text, has_parts = "", False
    if pieces and isinstance(pieces[0], str) and pieces[0].startswith("//"):
        return (), True
    for piece in pieces:
        if isinstance(piece, str):
            first, *others = piece.split("/")
            text += first
            for other in others:
                segments.append(None if has_parts else text)
                text, has_parts = other, False
        elif piece.is_slashless:
            has_parts = True
        else:
            return tuple(segments[1:]), True
    segments.append(None if has_parts else text)
    # What stands before the first slash is no segment.
    return tuple(segments[1:]), False
