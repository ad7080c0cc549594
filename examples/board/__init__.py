"""A message board: the layout of a small aioweb application.

    __main__.py      starts it
    application.py   puts it together: read it first
    middlewares.py   what every request passes: error pages, the check against forged posts
    routes.py        every address, its name and its handler
    pages.py         handlers that answer with HTML, and with pictures
    api.py           handlers that answer with JSON
    live.py          new messages as server-sent events
    chat.py          the chat, on WebSockets
    markup.py        HTML, and nothing but HTML
    lookup.py        what a request asks for, found or 404
    storage.py       messages on sqlite3
    pictures.py      pictures and videos in a folder
    messages.py      what a message is, and what is wrong with a draft
    settings.py      what can be set from outside
    assets/          style sheet, icon and scripts, served as they are

A file imports only files below it in this list; storage, pictures, messages and settings know nothing of requests.
Every page works without scripts but the chat; each script makes one page livelier.
"""
