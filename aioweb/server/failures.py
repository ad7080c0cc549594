"""What a client is told when nobody above has answered it: its handler has failed, or it never sent a request.

Where an answer is not possible any more, because another one has begun, the connection is cut: the only honesty left.
"""

from __future__ import annotations

from aioweb.protocol.connection import Connection
from aioweb.protocol.encode import REASONS, encode_fields
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import RequestHead
from aioweb.server.contract import ServerView
from aioweb.server.flow import ClientDisconnectedError
from aioweb.server.stream import BodyError
from aioweb.server.writer import StreamWriter


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


def render_refusal(server: ServerView, ground: Connection, error: ProtocolError) -> bytes:
    """The octets that answer what never became a request; the connection closes behind them."""
    content_type, page = server.error_page(error.status, str(error), None, None, ())
    fields = encode_fields([("Content-Type", content_type)]) + server.clock.default_fields
    return ground.send_response(error.status, REASONS[error.status], fields, page, keep_alive=False)
