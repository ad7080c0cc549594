"""aioweb: the API of aiohttp.web on a strict HTTP/1.1 parser written by hand.

from aioweb import web

async def hello(request):
    return web.Response(text="Hello, world")

app = web.Application()
app.router.add_get("/", hello)
web.run_app(app)
"""

from functools import cached_property as reify

from aioweb import hdrs, web
from aioweb._version import __version__
from aioweb.protocol.events import HttpVersion, HttpVersion10, HttpVersion11
from aioweb.protocol.fields import BasicAuth, parse_mimetype
from aioweb.web.parts import MultipartReader
from aioweb.web.wsmessage import WSMsgType

MsgType = WSMsgType
"""The name of `WSMsgType` in aiohttp 0.17."""

__all__ = (
    "BasicAuth",
    "HttpVersion",
    "HttpVersion10",
    "HttpVersion11",
    "MsgType",
    "MultipartReader",
    "WSMsgType",
    "__version__",
    "hdrs",
    "parse_mimetype",
    "reify",
    "web",
)
