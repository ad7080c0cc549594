"""WSGI applications (PEP 3333) inside of an aioweb application.

    from aioweb import web, wsgi

    app = web.Application()
    wsgi.mount(app, "/shop", flask_app)

    handler.py    mount() and WSGIHandler: what the router calls, on the loop
    call.py       one call of the application, in a thread, and what it asks of the loop meanwhile
    environ.py    the environ of a request
    threads.py    the threads

A WSGI application blocks, so it runs in a thread. It never touches a connection: what it wants of the client, to read
and to write, is done by the task of its request, on the loop, while its thread waits.
"""

from aioweb.wsgi.call import WSGIApplication
from aioweb.wsgi.handler import WSGIHandler, mount

__all__ = ("WSGIApplication", "WSGIHandler", "mount")
