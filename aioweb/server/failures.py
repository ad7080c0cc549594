"""What a client is told when nobody above has answered it: its handler has failed, or it never sent a request.

Where an answer is not possible any more, because another one has begun, the connection is cut: the only honesty left.
"""

from __future__ import annotations

from typing import Any, ClassVar

from aioweb.protocol.connection import Connection
from aioweb.protocol.encode import REASONS, encode_fields
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import RequestHead
from aioweb.server.contract import ServerView
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.stream import BodyError
from aioweb.server.writer import StreamWriter


class HeadTimeout(ProtocolError):
    """The head of a request did not arrive in time (RFC 9110 section 15.5.9)."""

    status = 408


class ServerFull(ProtocolError):
    """The server has no place for another connection (RFC 9110 section 15.6.4)."""

    status = 503
    fields: ClassVar = [("Retry-After", "1")]
    """What the answer says beside its content."""


def answer_failure(server: ServerView, head: RequestHead, writer: StreamWriter, error: BaseException) -> None:
    """A handler failed and no roof above caught it: 500 where that makes sense, else a cut."""
    if isinstance(error, (ProtocolError, BodyError)):
        # The client's fault, which the handler let through.
        status, detail = error.status, str(error)
        server.logger.debug("%s %s: %s", head.method, head.target, error)
    else:
        status, detail = 500, ""
        server.logger.error("Error handling %s %s", head.method, head.target, exc_info=error)
    if writer.started:
        writer.abort()
        return
    try:
        content_type, page = writer.error_page(status, detail, error if status == 500 and server.debug else None)
        fields = encode_fields([("Content-Type", content_type)])
        writer.send(status, REASONS[status], fields + writer.default_fields, page, close=True)
    except ClientDisconnectedError:
        pass


def refuse_request(server: ServerView, ground: Connection, peername: Any, error: ProtocolError) -> bytes:
    """Tell of what never became a request, and return the octets that answer it; behind them the connection closes."""
    server.logger.debug("Refused a request of %s: %d %s", peername, error.status, error)
    for notify in server.observers.request_refused:
        notify(error.status, str(error), peername)
    content_type, page = server.error_page(error.status, str(error), None, None, ())
    own = getattr(error, "fields", ())
    fields = encode_fields([("Content-Type", content_type), *own]) + server.clock.default_fields
    return ground.send_response(error.status, REASONS[error.status], fields, page, keep_alive=False)
