"""A message board: the layout of a small aioweb application.

    __main__.py      starts it
    application.py   puts it together: read it first
    middlewares.py   what every request passes: error pages, the check against forged posts
    routes.py        every address, its name and its handler
    pages.py         handlers that answer with HTML
    api.py           handlers that answer with JSON
    markup.py        HTML, and nothing but HTML
    assets.py        the style sheet and the icon
    lookup.py        what a request asks for, found or 404
    storage.py       messages on sqlite3
    messages.py      what a message is, and what is wrong with a draft
    settings.py      what can be set from outside

A file imports only files below it in this list; storage, messages and settings know nothing of requests.
"""
