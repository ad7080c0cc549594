"""mount() and WSGIHandler: where a WSGI application stands in an aioweb application."""

from __future__ import annotations

import io
import logging
from typing import Any, Final

from aioweb import web
from aioweb.log import web_logger
from aioweb.wsgi.call import Call, ContentStream, WSGIApplication
from aioweb.wsgi.environ import is_decoded, make_environ
from aioweb.wsgi.threads import NoRoom, Threads

_THREADS: Final = 16
_WAITING: Final = 100
_BUFFER: Final = 65536


class WSGIHandler:
    """A handler that lets a WSGI application answer, in threads of its own. `mount` makes and registers one.

    It is a handler as any other: for a route, or for a `web.Server`. Where a route leads to it, the path of the route
    is SCRIPT_NAME; what follows, if the route ends with a part `/{path:.*}`, is PATH_INFO.

    Args:
        wsgi_app: `wsgi_app(environ, start_response)`. A coroutine function may be given too: it runs on the loop, and
            its result is sent from a thread.
        threads: how many requests are answered at the same time.
        waiting: how many wait for a thread; beyond that the answer is 503.
        readpayload: collect the content of a request before a thread is taken, up to `client_max_size` (then 413), so
            that its length is known, a slow upload keeps no thread, and `wsgi.input` never waits. If False, the
            application reads what the client sends as it comes.
        script_name: in front of SCRIPT_NAME, for a proxy that takes a part of the path away; one that is trusted and
            sends X-Forwarded-Prefix needs none.
        logger: where failures go that no answer tells of.

    Raises TypeError for what is no application, ValueError for less than one thread, or less than none that wait.
    """

    def __init__(
        self,
        wsgi_app: WSGIApplication,
        *,
        threads: int = _THREADS,
        waiting: int = _WAITING,
        readpayload: bool = False,
        script_name: str = "",
        logger: logging.Logger = web_logger,
    ) -> None:
        if not callable(wsgi_app):
            raise TypeError(f"a WSGI application must be callable, not {wsgi_app!r}")
        if threads < 1 or waiting < 0:
            raise ValueError(f"threads must be 1 or more, and waiting 0 or more, not {threads!r} and {waiting!r}")
        self._wsgi_app = wsgi_app
        self._threads = Threads(threads, waiting)
        self._is_multithread = threads > 1
        self._readpayload = readpayload
        self._script_name = script_name
        self._logger = logger

    def __repr__(self) -> str:
        return f"<WSGIHandler {self._wsgi_app!r}>"

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request by the application.

        Raises HTTPServiceUnavailable if too many requests wait, HTTPRequestEntityTooLarge for too much content that is
        to be collected, and what the application raises.
        """
        call = Call(self._wsgi_app, request, self._logger)
        length = None if is_decoded(request) else request.head.fields.content_length
        content: io.BufferedIOBase
        if not request.body_exists:
            content = io.BytesIO()
        elif self._readpayload:
            collected = await request.read()
            content, length = io.BytesIO(collected), len(collected)
        else:
            content = io.BufferedReader(ContentStream(call.read), _BUFFER)
        environ = make_environ(
            request, depth=web.mount_depth(request), script_name=self._script_name, content=content, length=length
        )
        environ["wsgi.multithread"] = self._is_multithread
        try:
            return await call.answer(environ, self._threads.submit)
        except NoRoom:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"}) from None
        finally:
            if not call.ended.is_set() and isinstance(request, web.Request):
                # Given up, but its thread is at work still: a stop waits for that, as for all that was spawned.
                request.app.spawn(call.ended.wait(), name=f"thread of {request!r}")

    def close(self, _: object = None) -> None:
        """Let the threads end. `mount` sees to it; after this the handler can be used again."""
        self._threads.close()


def mount(
    app: web.Application, prefix: str, wsgi_app: WSGIApplication, *, name: str | None = None, **options: Any
) -> WSGIHandler:
    """Serve a WSGI application below a path prefix of an application.

    Every method and every path below is its to answer, also with 404. Its threads end with the application.

    Args:
        app: where it is mounted. Routes that were added before come first.
        prefix: such as "/shop"; "/" or "" for all paths.
        wsgi_app: the application.
        name: `app.url_for(name, path="items/1")` is a URL below the prefix.
        options: those of `WSGIHandler`.

    Returns: the handler.

    Raises what `WSGIHandler` and `UrlDispatcher.add_mount` raise.
    """
    handler = WSGIHandler(wsgi_app, **options)
    app.router.add_mount(prefix, handler, name=name)
    app.on_cleanup.append(handler.close)
    return handler
