"""The bridges to ASGI 3, in both directions.

to_asgi(app)                     an aioweb application, for an ASGI server: uvicorn, hypercorn, granian
mount(app, "/prefix", asgi_app)  an ASGI application, such as one of Starlette, in an aioweb application

outward.py    to_asgi, and the life of what it serves
exchange.py   one scope of a server, answered over a connection in memory
wire.py       HTTP between the two, as octets
frames.py     WebSocket frames between the two
inward.py     mount, and the scope of a request
answers.py    what a mounted application sends, as a response of aioweb
sockets.py    a WebSocket of a mounted application
lifespan.py   a mounted application starts and ends
contract.py   the words of ASGI
"""

from aioweb.asgi.contract import ASGIApplication, Message, Receive, Scope, Send
from aioweb.asgi.inward import ASGIHandler, mount
from aioweb.asgi.outward import to_asgi

__all__ = ("ASGIApplication", "ASGIHandler", "Message", "Receive", "Scope", "Send", "mount", "to_asgi")
