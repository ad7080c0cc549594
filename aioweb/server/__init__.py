"""The middle floor: asyncio on one side, the sans-I/O ground on the other. It serves `handler(head, body, writer)`.

server = Server(handler)
listener = await loop.create_server(server, "127.0.0.1", 8080)
"""

from aioweb.server.connection import HTTPConnection
from aioweb.server.contract import Handler
from aioweb.server.flow import DRAINED, ClientDisconnectedError
from aioweb.server.observe import NO_OBSERVERS, Observer, Observers
from aioweb.server.server import Server
from aioweb.server.sites import BaseSite, NamedPipeSite, SockSite, TCPSite, UnixSite
from aioweb.server.stream import EMPTY_BODY, BodyError, BodyInterrupted, BodyTimeout, BodyTooLarge, StreamReader
from aioweb.server.unixsocket import unix_socket
from aioweb.server.writer import StreamWriter

__all__ = (
    "DRAINED",
    "EMPTY_BODY",
    "NO_OBSERVERS",
    "BaseSite",
    "BodyError",
    "BodyInterrupted",
    "BodyTimeout",
    "BodyTooLarge",
    "ClientDisconnectedError",
    "HTTPConnection",
    "Handler",
    "NamedPipeSite",
    "Observer",
    "Observers",
    "Server",
    "SockSite",
    "StreamReader",
    "StreamWriter",
    "TCPSite",
    "UnixSite",
    "unix_socket",
)
