"""The page of an exception in debug mode: as HTML for a browser, as text for a terminal, as JSON for a program.

It needs nothing from elsewhere and runs no script; what folds is `<details>`. There is no console in it and there will
be none: who reaches a page of errors is not somebody to run code (CVE-2024-34069 was such a console). Whatever it
shows was made text by failurereport.py, and is escaped here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any, Final

from aioweb.server.failurereport import Failure, Frame
from aioweb.server.masking import MASK, is_secret, mask

Facts = Iterable[tuple[str, list[tuple[str, str]]]]
"""What else is known, in sections: a title, and names with values. Values of secret names are masked when shown."""

_WARNING: Final = "This page is shown because debug mode is on. It tells what only you should know."

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --mark: #e5484d; --strong: #e5484d22; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1.5rem; }
h1 { font-size: 1rem; font-weight: normal; margin: 0; opacity: .7; }
h2 { font-size: 1.4rem; margin: .2rem 0 1rem; overflow-wrap: anywhere; white-space: pre-wrap; }
h3 { font-size: 1rem; margin: 2rem 0 .5rem; }
pre, code, td { font: 13px/1.5 ui-monospace, monospace; }
pre { margin: 0; overflow-x: auto; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; }
summary { cursor: pointer; padding: .3rem .7rem; }
summary .where { opacity: .65; }
details.own > summary { background: var(--soft); font-weight: 600; }
.source { padding: .4rem 0; border-top: 1px solid var(--line); }
.source span { display: block; padding: 0 .7rem; min-width: max-content; }
.source span b { display: inline-block; width: 3.5em; opacity: .5; font-weight: normal; }
.source span.at { background: var(--strong); box-shadow: inset 3px 0 var(--mark); }
table { border-collapse: collapse; width: 100%; }
details details { margin: .4rem .7rem; }
details table { border-top: 1px solid var(--line); }
td { border-bottom: 1px solid var(--soft); padding: .15rem .7rem; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { width: 14rem; opacity: .75; }
.relation, footer { opacity: .7; margin-top: 2rem; }
"""

_MANY: Final = 3
_BELOW: Final = {"cause": "It was caused by", "context": "It was raised while this was handled:"}
_ABOVE: Final = {"cause": "This was the cause of:", "context": "While this was handled, there came:"}


def render_html(title: str, failures: list[Failure], facts: Facts) -> str:
    """The page as HTML, the exception that ended the request first; `title` is the status line."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        # Should anything ever slip through the escaping, it would not run.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(failures[0].name)} - {escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>"
    ]
    for failure in failures:
        if failure.relation:
            parts.append(f'<p class="relation">{escape(_BELOW.get(failure.relation, failure.relation))}</p>')
        parts += _failure_as_html(failure)
    for section, rows in facts:
        parts.append(f"<h3>{escape(section)}</h3>{_table(_masked(rows))}")
    parts.append(f"<footer>{_WARNING}</footer></body></html>\n")
    return "\n".join(parts)


def _failure_as_html(failure: Failure) -> Iterable[str]:
    yield f"<h2>{escape(str(failure))}</h2>"
    for note in failure.notes:
        yield f"<p>{escape(note)}</p>"
    opened = _frame_of_interest(failure.frames)
    of_libraries: list[str] = []
    for number, frame in enumerate(failure.frames):
        call = _frame_as_html(frame, frame is opened)
        if failure.left_out and number == len(failure.frames) // 4:
            call = f"<p>... {failure.left_out} calls are left out ...</p>{call}"
        if frame.is_application or frame is opened:
            yield from _fold(of_libraries)
            of_libraries = []
            yield call
        else:
            of_libraries.append(call)
    yield from _fold(of_libraries)


def _fold(calls: list[str]) -> list[str]:
    """Calls of libraries, one within the other: many of them take one line."""
    if len(calls) < _MANY:
        return calls
    return [f"<details><summary>{len(calls)} calls in libraries</summary>{''.join(calls)}</details>"]


def _frame_as_html(frame: Frame, is_open: bool) -> str:
    own, open_ = ' class="own"' if frame.is_application else "", " open" if is_open else ""
    where = f'<span class="where">{escape(frame.file)}:{frame.line}</span>'
    source = f'<pre class="source">{_lines(frame)}</pre>' if frame.source else ""
    variables = _table(frame.variables) if frame.variables else ""
    return f"<details{own}{open_}><summary>{escape(frame.function)} {where}</summary>{source}{variables}</details>"


def _lines(frame: Frame) -> str:
    marked = {frame.line: ' class="at"'}
    return "".join(f"<span{marked.get(at, '')}><b>{at}</b>{escape(text) or ' '}</span>" for at, text in frame.source)


def _frame_of_interest(frames: list[Frame]) -> Frame | None:
    """The innermost one of the application, for it is hardly ever the library that is wrong; else the innermost."""
    candidates = [frame for frame in frames if frame.is_application] or frames
    return candidates[-1] if candidates else None


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _masked(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, MASK if is_secret(name) else mask(value)) for name, value in rows]


def render_text(title: str, failures: list[Failure], facts: Facts) -> str:
    """The page for a terminal: as Python prints tracebacks, the exception that ended the request comes last."""
    lines = [title, ""]
    for section, rows in facts:
        lines += [section, *(f"  {name}: {value}" for name, value in _masked(rows)), ""]
    for failure in reversed(failures):
        lines += ["Traceback (most recent call last):", *_frames_as_text(failure), str(failure), *failure.notes]
        if failure.relation:
            lines += ["", _ABOVE.get(failure.relation, f"This is {failure.relation} of:"), ""]
    return _printable("\n".join(lines)) + "\n"


def _frames_as_text(failure: Failure) -> Iterable[str]:
    for number, frame in enumerate(failure.frames):
        if failure.left_out and number == len(failure.frames) // 4:
            yield f"  ... {failure.left_out} calls are left out ..."
        yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
        if frame.text:
            yield f"    {frame.text}"
        if frame.is_application:
            yield from (f"      | {name} = {value}" for name, value in frame.variables)


def _printable(text: str) -> str:
    # A terminal obeys escape sequences, and some of this was sent by a client.
    return "".join([char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text])


def render_json(problem: dict[str, Any], failures: list[Failure], facts: Facts) -> str:
    """The page as problem details (RFC 9457): the members of `problem`, `exceptions`, and one for each section."""
    exceptions = [
        {
            "relation": failure.relation or None,
            "type": failure.name,
            "message": failure.message,
            "notes": failure.notes,
            "frames": [
                {
                    "file": frame.file,
                    "line": frame.line,
                    "function": frame.function,
                    "source": frame.text,
                    "variables": dict(frame.variables),
                }
                for frame in failure.frames
            ],
        }
        for failure in failures
    ]
    sections = {section.lower().replace(" ", "_"): _masked(rows) for section, rows in facts}
    return json.dumps({**problem, "exceptions": exceptions, **sections}, indent=2) + "\n"
