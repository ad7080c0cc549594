"""Let the proxy in front send a file: X-Accel-Redirect of nginx, X-Sendfile of Apache and lighttpd.

The application decides who may have it, and answers with a head that names it; the octets never pass here.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from aioweb import hdrs
from aioweb.web.fileresponse import content_disposition
from aioweb.web.filetypes import guess_type
from aioweb.web.response import Response
from aioweb.web.responsehead import HeadersLike, ResponseHeaders

X_ACCEL_REDIRECT: Final = "X-Accel-Redirect"


def accel_redirect(
    path: str,
    *,
    filename: str | None = None,
    content_type: str | None = None,
    headers: HeadersLike | None = None,
    field: str = X_ACCEL_REDIRECT,
) -> Response:
    """A response that the proxy in front replaces with a file of its own.

    For nginx `path` is the path of a location that is `internal`, as it would stand in a URL before it is quoted; for a
    proxy that knows X-Sendfile it is that of a file. Without such a proxy the client gets an empty answer that tells
    the path: use it only behind one.

    Args:
        path: what the proxy sends; not quoted.
        filename: the client is to save it under this name; None to show it.
        content_type: its media type; None guesses by the names.
        headers: further fields. nginx lets through those about caching and cookies, and drops most others.
        field: the name of the field that the proxy knows: X-Accel-Redirect, or X-Sendfile.

    Raises ValueError for a path that does not begin with a slash, or leads upward, or holds a NUL.
    """
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ValueError(f"the path begins with a slash and has no '..', other than {path!r}")
    fields = ResponseHeaders(headers or ())
    # Both kinds of proxy undo the quotes. A question mark would begin a query, a line end another field.
    fields[field] = quote(path, errors="surrogateescape")
    fields[hdrs.CONTENT_TYPE] = content_type or guess_type(filename or path, unpack=False)[0]
    if filename is not None:
        fields[hdrs.CONTENT_DISPOSITION] = content_disposition("attachment", filename=filename)
    return Response(headers=fields)
