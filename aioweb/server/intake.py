"""The way of a request's content from the ground to its stream."""

from __future__ import annotations

from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.events import Data, EndOfMessage
from aioweb.server.flow import Flow
from aioweb.server.stream import StreamReader


def pass_content(ground: Connection, body: StreamReader, flow: Flow) -> bool:
    """Pass on what has arrived of the content; tell whether more is to come."""
    try:
        while True:
            event = ground.next_event()
            if isinstance(event, Data):
                if body.feed_data(event.data):
                    flow.pause_reading()
            elif isinstance(event, EndOfMessage):
                body.feed_eof(event.trailers)
                return False
            else:
                return True
    except ProtocolError as error:
        body.set_exception(error)
        return False
