"""The pages of the board as HTML. Whatever a user has written passes `escape`, here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from yarl import URL

from examples.board.assets import ASSETS
from examples.board.messages import LONGEST, Draft, Message
from examples.board.storage import Page

UrlFor = Callable[..., URL]
"""`request.url_for`: the address of a named route."""

_HUES = 6
"""Colours of the round badges; style.css has a class for each."""


def list_page(url_for: UrlFor, page: Page) -> str:
    """The messages of a page of the list, and the way to its neighbours."""
    cards = "".join(_card(url_for, message) for message in page.messages)
    where = "" if page.number == 1 else f" (page {page.number})"
    return _document(
        url_for,
        f"Messages{where}",
        f'<div class="bar"><h1>Messages</h1><p class="muted">{_count(page.total)}</p></div>\n'
        f'<ol class="cards">{cards}</ol>\n{_pager(url_for, page)}',
    )


def message_page(url_for: UrlFor, message: Message) -> str:
    """One message."""
    return _document(
        url_for,
        f"Message by {message.author}",
        f'<article class="card whole"><h1 class="sr-only">Message by {escape(message.author)}</h1>\n'
        f"{_byline(message, _time(message))}{_text(message)}</article>\n"
        f'<p><a href="{_to(url_for, "messages")}">← All messages</a></p>',
    )


def form_page(url_for: UrlFor, draft: Draft, problems: Mapping[str, str] | None = None) -> str:
    """The form, filled with a draft, and what is wrong with it."""
    problems = problems or {}
    alert = '<p class="alert" role="alert">This cannot be posted yet. Please look below.</p>\n' if problems else ""
    author = (
        f'<input id="author" name="author" value="{escape(draft.author)}" autocomplete="nickname" '
        f"{_constraints('author', problems)}>"
    )
    # The line feed after the tag is not part of the text: a browser drops it.
    text = (
        f'<textarea id="text" name="text" rows="8" {_constraints("text", problems)}>\n{escape(draft.text)}</textarea>'
    )
    return _document(
        url_for,
        "Error: new message" if problems else "New message",
        f'<h1>New message</h1>\n{alert}<form class="card" method="post" action="{_to(url_for, "new")}">\n'
        f"{_field('author', 'Your name', author, problems)}{_field('text', 'Message', text, problems)}"
        f'<div class="buttons"><button class="button">Post message</button>\n'
        f'<a href="{_to(url_for, "messages")}">Cancel</a></div>\n</form>',
    )


def error_page(url_for: UrlFor, status: int, title: str, detail: str) -> str:
    """What went wrong, and a way out."""
    return _document(
        url_for,
        title,
        f'<div class="error"><p class="status" aria-hidden="true">{status}</p>\n<h1>{escape(title)}</h1>\n'
        f'<p class="muted">{escape(detail)}</p>\n'
        f'<p><a class="button" href="{_to(url_for, "messages")}">Go to the messages</a></p></div>',
    )


def _document(url_for: UrlFor, title: str, main: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · Board</title>
<link rel="icon" type="image/svg+xml" href="{_asset(url_for, "icon.svg")}">
<link rel="stylesheet" href="{_asset(url_for, "style.css")}">
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header><nav aria-label="Site">
<a class="brand" href="{_to(url_for, "messages")}"><img src="{_asset(url_for, "icon.svg")}" alt="">Board</a>
<a class="button" href="{_to(url_for, "new")}">New message</a>
</nav></header>
<main id="main">
{main}
</main>
<footer><p>Served by aioweb · <a href="{_to(url_for, "api.messages")}">JSON API</a></p></footer>
</body>
</html>
"""


def _card(url_for: UrlFor, message: Message) -> str:
    link = f'<a class="cover" href="{_to(url_for, "message", id=message.id)}">{_time(message)}</a>'
    return f'<li><article class="card">{_byline(message, link)}{_text(message)}</article></li>\n'


def _byline(message: Message, when: str) -> str:
    hue = sum(message.author.encode()) % _HUES
    initial = escape(message.author[:1].upper())
    return (
        f'<div class="byline"><span class="badge hue-{hue}" aria-hidden="true">{initial}</span>'
        f'<span><bdi class="author">{escape(message.author)}</bdi> <span class="muted">{when}</span></span></div>\n'
    )


def _time(message: Message) -> str:
    created = message.created
    return f'<time datetime="{created.isoformat()}">{created:%d %b %Y, %H:%M} UTC</time>'


def _text(message: Message) -> str:
    return f'<p class="text" dir="auto">{escape(message.text)}</p>'


def _count(total: int) -> str:
    return "1 message" if total == 1 else f"{total} messages"


def _pager(url_for: UrlFor, page: Page) -> str:
    if page.count == 1:
        return ""
    home = url_for("messages")
    newer = f'<a rel="prev" href="{escape(str(home.with_query(page=page.number - 1)))}">← Newer</a>'
    older = f'<a rel="next" href="{escape(str(home.with_query(page=page.number + 1)))}">Older →</a>'
    return (
        f'<nav class="pager" aria-label="Pages"><span>{newer if page.number > 1 else ""}</span>\n'
        f'<span class="muted">Page {page.number} of {page.count}</span>\n'
        f"<span>{older if page.number < page.count else ''}</span></nav>"
    )


def _constraints(name: str, problems: Mapping[str, str]) -> str:
    invalid = f' aria-invalid="true" aria-describedby="{name}-problem"' if name in problems else ""
    return f'required maxlength="{LONGEST[name]}"{invalid}'


def _field(name: str, label: str, control: str, problems: Mapping[str, str]) -> str:
    problem = f'<p class="problem" id="{name}-problem">{escape(problems[name])}</p>\n' if name in problems else ""
    return f'<div class="field"><label for="{name}">{label}</label>\n{problem}{control}</div>\n'


def _to(url_for: UrlFor, name: str, /, **parts: object) -> str:
    return escape(str(url_for(name, **parts)))


def _asset(url_for: UrlFor, name: str) -> str:
    return _to(url_for, "asset", version=ASSETS[name].version, name=name)
