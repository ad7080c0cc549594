"""The page that tells of an error when no handler did: for refused requests and for handlers that failed.

It is HTML, JSON (problem details, RFC 9457) or plain text, as the client's Accept says. Given an exception, it is the
page of debugpage.py.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from aioweb.protocol.encode import REASONS
from aioweb.protocol.fields import parse_accept
from aioweb.server.debugpage import Facts, render_html, render_json, render_text
from aioweb.server.failurereport import report_failures

ErrorPage = Callable[[int, str, "BaseException | None", "str | None"], "tuple[str, bytes]"]
"""What renders a page: it is called and answers like `error_page`, the default."""

_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{detail}</p></body></html>
"""
_HTML: Final = "text/html"
_TEXT: Final = "text/plain"
_OFFERED: Final = (_TEXT, _HTML, "application/problem+json", "application/json")
"""Of what a client accepts equally well, the first is taken."""


def error_page(
    status: int,
    detail: str = "",
    exception: BaseException | None = None,
    accept: str | None = None,
    facts: Facts = (),
) -> tuple[str, bytes]:
    """Render the page of an error.

    Args:
        status: the HTTP status.
        detail: one sentence for the reader; "" for the standard one of the status.
        exception: shown with its traceback, the lines around each frame, and the variables there. Only for debug mode:
            variables hold secrets, and not all of them are known by their names.
        accept: the Accept field of the request; None if it had none or was never understood.
        facts: what else to show beside an exception, see `aioweb.server.debugpage.Facts`.

    Returns: content type and content. HTML for those who accept it or say nothing at all, problem details (RFC 9457)
    for those who prefer JSON, else plain text.
    """
    title = f"{status} {REASONS[status]}" if status in REASONS else str(status)
    kind = choose_media_type(accept)
    content_type = kind if "json" in kind else f"{kind}; charset=utf-8"
    if exception is not None:
        failures = report_failures(exception)
        if kind == _HTML:
            page = render_html(title, failures, facts)
        elif kind == _TEXT:
            page = render_text(title, failures, facts)
        else:
            page = render_json(problem(status, str(failures[0])), failures, facts)
        return content_type, page.encode("utf-8", "replace")
    detail = detail or _standard_detail(status)
    if kind == _HTML:
        page = _PAGE.format(title=html.escape(title), detail=html.escape(detail))
    elif kind == _TEXT:
        page = f"{title}\n\n{detail}\n"
    else:
        page = json.dumps(problem(status, detail)) + "\n"
    return content_type, page.encode("utf-8", "replace")


def problem(status: int, detail: str) -> dict[str, Any]:
    """Problem details (RFC 9457 section 3) of a problem that is no more than its status."""
    members = {"type": "about:blank", "title": REASONS.get(status, str(status)), "status": status}
    return members | ({"detail": detail} if detail else {})


def _standard_detail(status: int) -> str:
    try:
        known = HTTPStatus(status)
    except ValueError:
        return ""
    return known.description or known.phrase


def choose_media_type(accept: str | None) -> str:
    """The media type that a client likes best for a page (RFC 9110 section 12.5.1).

    Of equal quality what it names counts more than what a `*` covers, and then what it names first. HTML if it says
    nothing; text if it accepts none of what there is, for an error is told in any case.
    """
    if accept is None:
        return _HTML
    ranges = [(media_range.partition(";")[0], quality) for media_range, quality in parse_accept(accept)]
    best, chosen = (0.0, 0, 0), _TEXT
    for media_type in _OFFERED:
        preference = _preference(media_type, ranges)
        if preference[0] and preference > best:
            best, chosen = preference, media_type
    return chosen


def _preference(media_type: str, ranges: list[tuple[str, float]]) -> tuple[float, int, int]:
    """Quality, how exactly it was named, and how early: that of the most exact range."""
    exactness = {media_type: 2, f"{media_type.partition('/')[0]}/*": 1, "*/*": 0}
    found = [
        (exactness[media_range], -position, quality)
        for position, (media_range, quality) in enumerate(ranges)
        if media_range in exactness
    ]
    if not found:
        return 0.0, 0, 0
    exact, early, quality = max(found)
    return quality, exact, early
