"""WebSocket without I/O: RFC 6455 and RFC 7692 by hand. Frames and messages in bytes, nothing of sockets or clocks.

    asked = read_handshake(head)
    fields = response_fields(asked)
    connection = WebSocketConnection()
    connection.receive_data(octets)
    event = connection.next_event()
    octets = connection.send_text("hello")

handshake.py is the beginning, frames.py one frame by itself, deflate.py compression, connection.py everything else.
"""

from aioweb.protocol.websocket.connection import MAX_MSG_SIZE, WebSocketConnection
from aioweb.protocol.websocket.deflate import PerMessageDeflate
from aioweb.protocol.websocket.frames import CloseCode, Opcode, WebSocketError, is_close_code
from aioweb.protocol.websocket.handshake import (
    BadHandshake,
    Handshake,
    accept_key,
    choose_deflate,
    choose_protocol,
    is_upgrade,
    origin_allowed,
    read_handshake,
    response_fields,
)
from aioweb.protocol.websocket.messages import (
    Close,
    Message,
    Ping,
    Pong,
    PreparedMessage,
    State,
    prepare_message,
)

__all__ = (
    "MAX_MSG_SIZE",
    "BadHandshake",
    "Close",
    "CloseCode",
    "Handshake",
    "Message",
    "Opcode",
    "PerMessageDeflate",
    "Ping",
    "Pong",
    "PreparedMessage",
    "State",
    "WebSocketConnection",
    "WebSocketError",
    "accept_key",
    "choose_deflate",
    "choose_protocol",
    "is_close_code",
    "is_upgrade",
    "origin_allowed",
    "prepare_message",
    "read_handshake",
    "response_fields",
)
