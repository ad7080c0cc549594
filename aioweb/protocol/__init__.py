"""The ground floor: HTTP/1.1 without I/O. Bytes in, events out; nothing here imports asyncio, socket or a clock.

connection = Connection(Limits())
connection.receive_data(b"GET / HTTP/1.1\\r\\nHost: example.org\\r\\n\\r\\n")
head = connection.next_event()
octets = connection.send_response(200, "OK", b"", b"hello")
"""

from aioweb.protocol.connection import Connection
from aioweb.protocol.errors import (
    BadChunk,
    BadField,
    BadFraming,
    BadRequestLine,
    ContentTooLarge,
    FieldsTooLarge,
    IncompleteMessage,
    ProtocolError,
    UnknownTransferCoding,
    UriTooLong,
    VersionNotSupported,
)
from aioweb.protocol.events import (
    NEED_DATA,
    PAUSED,
    Data,
    EndOfMessage,
    FieldSection,
    HttpVersion,
    HttpVersion10,
    HttpVersion11,
    RequestHead,
)
from aioweb.protocol.limits import Limits

__all__ = (
    "NEED_DATA",
    "PAUSED",
    "BadChunk",
    "BadField",
    "BadFraming",
    "BadRequestLine",
    "Connection",
    "ContentTooLarge",
    "Data",
    "EndOfMessage",
    "FieldSection",
    "FieldsTooLarge",
    "HttpVersion",
    "HttpVersion10",
    "HttpVersion11",
    "IncompleteMessage",
    "Limits",
    "ProtocolError",
    "RequestHead",
    "UnknownTransferCoding",
    "UriTooLong",
    "VersionNotSupported",
)
