"""What every request passes, and what every response carries."""

from __future__ import annotations

from http import HTTPStatus

from aioweb import web
from examples.board import markup
from examples.board.api import problem_response

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}

_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does something else.",
    500: "Something went wrong here. It was written down, and somebody will look at it.",
}

_SECURITY_HEADERS = {
    # Nothing is loaded from elsewhere, only scripts in files of ours run, and forms go nowhere else.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


@web.middleware
async def show_errors(request: web.Request, handler: web.Handler) -> web.StreamResponse:
    """Give errors a face: a page for readers, JSON for programs. Outermost, so that it sees all of them."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise  # a redirect is an exception as well
        return _with_face(request, error)
    except (web.BodyError, web.ProtocolError, web.ClientDisconnectedError):
        raise  # the client's doing, and aioweb has the answer
    except Exception as error:
        if request.app.debug:
            raise  # aioweb logs it, and shows the traceback
        request.app.logger.error("Error handling %r", request, exc_info=error)
        return _with_face(request, web.HTTPInternalServerError())


def _with_face(request: web.Request, error: web.HTTPException) -> web.Response:
    detail = (error.text or "").removeprefix(f"{error.status}: ")
    if detail == error.reason:  # nobody has said more
        detail = _SENTENCES.get(error.status) or HTTPStatus(error.status).description
    if request.path.startswith("/api/"):
        response = problem_response(error.status, detail)
    else:
        text = markup.error_page(request.url_for, error.status, error.reason, detail)
        response = web.Response(text=text, status=error.status, content_type="text/html")
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


@web.middleware
async def refuse_forgeries(request: web.Request, handler: web.Handler) -> web.StreamResponse:
    """Refuse what a page of another site made the browser send (CSRF).

    Browsers say where a request comes from, in Sec-Fetch-Site or, if they are older, in Origin. Other clients say
    nothing, and nobody can forge a request through them.
    """
    if request.method not in _SAFE_METHODS:
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        if site is not None:
            is_ours = site in {"same-origin", "none"}
        else:
            is_ours = origin is None or origin.partition("://")[2] == request.host
        if not is_ours:
            raise web.HTTPForbidden(text="This was sent by a page of another site.")
    return await handler(request)


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: also a 404 and an error page have them. What a handler has set itself stays."""
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
