"""What there is to show of an exception: its chain and groups, frames with the lines around them, and variables.

It is read while the exception is still hot, and everything is text afterwards. Nothing in here raises, however broken
an object may be, and every amount is bounded: exceptions, frames, variables, characters. How it looks is the business
of debugpage.py.
"""

from __future__ import annotations

import builtins
import linecache
import os
import reprlib
import traceback
from collections.abc import Iterator
from itertools import islice
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from aioweb.server.masking import MASK, is_secret, mask, mask_source

_MAX_FAILURES: Final = 10
_FIRST_FRAMES: Final = 10
_LAST_FRAMES: Final = 30
"""Of a recursion that went too deep, its beginning and its end tell all."""
_MAX_VARIABLES: Final = 40
_MAX_REPR: Final = 300
_MAX_SHOWN: Final = 2000
"""Characters of one object, and of a variable that holds many."""
_MAX_MESSAGE: Final = 4000
_MAX_LINE: Final = 300
_AROUND: Final = 4
"""Lines of source before and behind the one that is executed."""
_OF_PYTHON: Final = os.path.dirname(os.__file__)
_OURS: Final = os.path.dirname(os.path.dirname(__file__))


class Frame(NamedTuple):
    """One call on the way to an exception."""

    file: str
    line: int
    function: str
    source: list[tuple[int, str]]
    """Numbers and texts of the lines around; empty if there is no source."""
    variables: list[tuple[str, str]]
    """Names and reprs of the local variables, secrets masked."""
    is_application: bool
    """It is neither the standard library's, nor a package's, nor aioweb's."""

    @property
    def text(self) -> str:
        """The line that was executed."""
        return next((text.strip() for number, text in self.source if number == self.line), "")


class Failure(NamedTuple):
    """One exception of a chain or group."""

    relation: str
    """What it is to the one above it: "cause", "context", or "member n of m"; "" for the outermost."""
    name: str
    message: str
    notes: list[str]
    frames: list[Frame]
    """Outermost call first."""
    left_out: int
    """How many frames are missing behind the first ten."""

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


def report_failures(exception: BaseException) -> list[Failure]:
    """Read an exception, and those that it was caused by, was raised while handling, or groups; it comes first."""
    found: list[Failure] = []
    seen: set[int] = set()
    todo = [("", exception)]
    while todo and len(found) < _MAX_FAILURES:
        relation, current = todo.pop(0)
        if id(current) not in seen:
            seen.add(id(current))
            found.append(_report(relation, current))
            todo = [*islice(_related(current), _MAX_FAILURES), *todo]
    return found


def _related(exception: BaseException) -> Iterator[tuple[str, BaseException]]:
    try:
        # By its attribute: the groups of a backport, and errors that hold several, are groups as well.
        members = getattr(exception, "exceptions", None)
    except Exception:
        members = None
    if isinstance(members, (list, tuple)):
        for number, member in enumerate(members, 1):
            if isinstance(member, BaseException):
                yield f"member {number} of {len(members)}", member
    if exception.__cause__ is not None:
        yield "cause", exception.__cause__
    elif exception.__context__ is not None and not exception.__suppress_context__:
        yield "context", exception.__context__


def _report(relation: str, exception: BaseException) -> Failure:
    calls = list(traceback.walk_tb(exception.__traceback__))
    left_out = max(0, len(calls) - _FIRST_FRAMES - _LAST_FRAMES)
    shown = calls[:_FIRST_FRAMES] + calls[_FIRST_FRAMES + left_out :]
    module, name = type(exception).__module__, type(exception).__qualname__
    notes = vars(exception).get("__notes__")
    return Failure(
        relation=relation,
        name=name if module in ("builtins", "__main__") else f"{module}.{name}",
        message=mask(_text_of(exception)),
        notes=[mask(_text_of(note)) for note in notes[:20]] if isinstance(notes, list) else [],
        frames=[_read_frame(frame, line) for frame, line in shown],
        left_out=left_out,
    )


def _text_of(value: object) -> str:
    try:
        text = str(value)
    except Exception as error:
        return f"<its text cannot be made: {type(error).__name__}>"
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}..."


def _read_frame(frame: FrameType, line: int) -> Frame:
    code = frame.f_code
    return Frame(
        file=code.co_filename,
        line=line,
        function=getattr(code, "co_qualname", code.co_name),
        source=_lines_around(frame, line),
        variables=_variables(frame),
        is_application=_is_application(code),
    )


def _is_application(code: CodeType) -> bool:
    file = code.co_filename
    return not (file.startswith((_OF_PYTHON, _OURS, "<")) or "site-packages" in file)


def _lines_around(frame: FrameType, line: int) -> list[tuple[int, str]]:
    try:
        lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    except Exception:  # a loader of somebody else
        return []
    first = max(1, line - _AROUND)
    around = lines[first - 1 : line + _AROUND]
    return [(number, mask_source(text.rstrip()[:_MAX_LINE])) for number, text in enumerate(around, first)]


def _variables(frame: FrameType) -> list[tuple[str, str]]:
    variables = islice(frame.f_locals.items(), _MAX_VARIABLES)
    return [
        (name, MASK if is_secret(name) else show(value))
        for name, value in variables
        # Those of a module are its globals.
        if not name.startswith("__")
    ]


def show(value: object) -> str:
    """The repr of a value: cut where it is long, masked where it spells a secret, and never an exception."""
    text = _REPR.repr(value)
    return mask(text) if len(text) <= _MAX_SHOWN else f"{mask(text[:_MAX_SHOWN])}..."


class _Repr(reprlib.Repr):
    """Containers are cut by reprlib; here is what it leaves unbounded, unmasked or unguarded."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = 12

    def repr1(self, x: Any, level: int) -> str:
        try:
            return super().repr1(x, level)
        except Exception as error:
            return f"<{type(x).__name__}: its repr raises {type(error).__name__}>"

    def repr_str(self, x: str, level: int) -> str:
        # The end is cut and not, as reprlib does, the middle: what stands behind a gap could not be masked.
        shown = builtins.repr(mask(x[:_MAX_REPR]))
        return shown if len(x) <= _MAX_REPR else f"{shown}..."

    def repr_bytes(self, x: bytes, level: int) -> str:
        shown = mask(builtins.repr(x[:_MAX_REPR]))
        return shown if len(x) <= _MAX_REPR else f"{shown}..."

    repr_bytearray = repr_bytes

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0 and x:
            return "{...}"
        pieces = []
        for key, value in islice(x.items(), self.maxdict):
            is_masked = isinstance(key, (str, bytes)) and is_secret(str(key))
            pieces.append(f"{self.repr1(key, level - 1)}: {MASK if is_masked else self.repr1(value, level - 1)}")
        return f"{{{', '.join(pieces)}{', ...' if len(x) > self.maxdict else ''}}}"

    def repr_instance(self, x: Any, level: int) -> str:
        shown = builtins.repr(x)
        return mask(shown) if len(shown) <= _MAX_REPR else f"{mask(shown[:_MAX_REPR])}..."


_REPR: Final = _Repr()
