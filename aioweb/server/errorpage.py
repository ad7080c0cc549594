"""The page that tells of an error when no handler did: for refused requests and for handlers that failed."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable
from http import HTTPStatus

from aioweb.protocol.encode import REASONS

ErrorPage = Callable[[int, str, "BaseException | None", "str | None"], "tuple[str, bytes]"]
"""What renders a page: it is called and answers like `error_page`, the default."""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{detail}</p>{trace}</body></html>
"""


def error_page(
    status: int, detail: str = "", exception: BaseException | None = None, accept: str | None = None
) -> tuple[str, bytes]:
    """Render the page of an error.

    Args:
        status: the HTTP status.
        detail: one sentence for the reader; "" for the standard one of the status.
        exception: shown with its traceback, escaped. Only for debug mode: it holds secrets.
        accept: the Accept field of the request; None if it had none or was never understood.

    Returns: content type (with charset) and content. HTML for those who name it or nothing at all, else plain text.
    """
    try:
        known = HTTPStatus(status)
        title, text = f"{status} {REASONS[status]}", detail or known.description or known.phrase
    except ValueError:
        title, text = str(status), detail
    trace = "".join(traceback.format_exception(exception)) if exception is not None else ""
    if accept is not None and "text/html" not in accept:
        return "text/plain; charset=utf-8", f"{title}\n\n{text}\n{trace and chr(10)}{trace}".encode("utf-8", "replace")
    if trace:
        trace = f"<h2>Traceback</h2><pre>{html.escape(trace)}</pre>"
    page = _PAGE.format(title=html.escape(title), detail=html.escape(text), trace=trace)
    return "text/html; charset=utf-8", page.encode("utf-8", "replace")
