"""The pages of the board as HTML. Whatever a user has written passes `escape`, here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from yarl import URL

from examples.board.messages import LONGEST, Draft, Message
from examples.board.pictures import LARGEST, VIDEOS, in_megabytes
from examples.board.storage import Page

UrlFor = Callable[..., URL]
"""`request.url_for`: the address of a named route."""

_HUES = 6
"""Colours of the round badges; style.css has a class for each."""


def list_page(url_for: UrlFor, page: Page) -> str:
    """The messages of a page of the list, and the way to its neighbours."""
    cards = "".join(card(url_for, message) for message in page.messages)
    is_first = page.number == 1
    # What is new comes to the first page by itself: live.js.
    newest = page.messages[0].id if page.messages else 0
    live = f' data-news="{_to(url_for, "news")}" data-newest="{newest}"' if is_first else ""
    return _document(
        url_for,
        "Messages" if is_first else f"Messages (page {page.number})",
        f'<div class="bar"><h1>Messages</h1><p class="muted" id="count">{count(page.total)}</p></div>\n'
        f'<ol class="cards"{live}>{cards}</ol>\n{_pager(url_for, page)}',
        script="live.js" if is_first else None,
    )


def card(url_for: UrlFor, message: Message) -> str:
    """A message in a list."""
    link = f'<a class="cover" href="{_to(url_for, "message", id=message.id)}">{_time(message)}</a>'
    content = f"{_byline(message, link)}{_text(message)}{_picture(url_for, message)}"
    return f'<li><article class="card">{content}</article></li>\n'


def count(total: int) -> str:
    """How many messages there are."""
    return "1 message" if total == 1 else f"{total} messages"


def message_page(url_for: UrlFor, message: Message) -> str:
    """One message."""
    return _document(
        url_for,
        f"Message by {message.author}",
        f'<article class="card whole"><h1 class="sr-only">Message by {escape(message.author)}</h1>\n'
        f"{_byline(message, _time(message))}{_text(message)}{_picture(url_for, message)}</article>\n"
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
    picture = (
        f'<p class="muted hint" id="picture-hint">Optional. JPEG, PNG, GIF, WebP, AVIF, MP4 or WebM, '
        f"up to {in_megabytes(LARGEST)}.</p>\n"
        f'<input id="picture" name="picture" type="file" accept="image/*,video/mp4,video/webm" '
        f'data-largest="{LARGEST}"{_state("picture", problems, "picture-hint")}>'
    )
    # upload.js shows it while the picture is on its way; without scripts the browser has its own way to show that.
    progress = (
        '<div class="progress" hidden><label for="progress">Sending</label>\n'
        '<progress id="progress" max="100" value="0"></progress> <span></span></div>\n'
    )
    return _document(
        url_for,
        "Error: new message" if problems else "New message",
        f"<h1>New message</h1>\n{alert}"
        f'<form class="card" method="post" enctype="multipart/form-data" action="{_to(url_for, "new")}">\n'
        f"{_field('author', 'Your name', author, problems)}{_field('text', 'Message', text, problems)}"
        f"{_field('picture', 'Picture or short video', picture, problems)}{progress}"
        f'<div class="buttons"><button class="button">Post message</button>\n'
        f'<a href="{_to(url_for, "messages")}">Cancel</a></div>\n</form>',
        script="upload.js",
    )


def chat_page(url_for: UrlFor, author: str) -> str:
    """The chat; chat.js fills it."""
    return _document(
        url_for,
        "Chat",
        f'<div class="bar"><h1>Chat</h1><p class="muted" id="status" role="status"></p></div>\n'
        f'<noscript><p class="alert">The chat needs JavaScript. The messages do not.</p></noscript>\n'
        f'<ol class="card lines" id="lines" role="log" aria-label="Chat" tabindex="0"></ol>\n'
        f'<form class="say" id="say" data-socket="{_to(url_for, "chat.socket")}">\n'
        f'<div><label for="author">Your name</label>\n<input id="author" value="{escape(author)}" '
        f'autocomplete="nickname" required maxlength="{LONGEST["author"]}"></div>\n'
        f'<div><label for="text">Message</label>\n<input id="text" autocomplete="off" enterkeyhint="send" '
        f'required maxlength="{LONGEST["text"]}"></div>\n'
        f'<button class="button">Send</button></form>\n<p class="problem" id="problem" role="alert"></p>',
        script="chat.js",
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


def _document(url_for: UrlFor, title: str, main: str, script: str | None = None) -> str:
    scripts = "" if script is None else f'<script defer src="{_asset(url_for, script)}"></script>\n'
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · Board</title>
<link rel="icon" type="image/svg+xml" href="{_asset(url_for, "icon.svg")}">
<link rel="stylesheet" href="{_asset(url_for, "style.css")}">
{scripts}</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header><nav aria-label="Site">
<a class="brand" href="{_to(url_for, "messages")}"><img src="{_asset(url_for, "icon.svg")}" alt="">Board</a>
<a class="link" href="{_to(url_for, "chat")}">Chat</a>
<a class="button" href="{_to(url_for, "new")}">New message</a>
</nav></header>
<main id="main">
{main}
</main>
<footer><p>Served by aioweb · <a href="{_to(url_for, "api.messages")}">JSON API</a></p></footer>
</body>
</html>
"""


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


def _picture(url_for: UrlFor, message: Message) -> str:
    if message.picture is None:
        return ""
    source = _to(url_for, "picture", name=message.picture)
    if message.picture.endswith(VIDEOS):
        return f'<video class="picture" src="{source}" controls preload="metadata" playsinline></video>'
    return f'<img class="picture" src="{source}" alt="Picture by {escape(message.author)}" loading="lazy">'


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
    return f'required maxlength="{LONGEST[name]}"{_state(name, problems)}'


def _state(name: str, problems: Mapping[str, str], *described_by: str) -> str:
    """What assistive technology says of a field beside its label."""
    if name in problems:
        described_by = (f"{name}-problem", *described_by)
    invalid = ' aria-invalid="true"' if name in problems else ""
    return invalid + (f' aria-describedby="{" ".join(described_by)}"' if described_by else "")


def _field(name: str, label: str, control: str, problems: Mapping[str, str]) -> str:
    problem = f'<p class="problem" id="{name}-problem">{escape(problems[name])}</p>\n' if name in problems else ""
    return f'<div class="field"><label for="{name}">{label}</label>\n{problem}{control}</div>\n'


def _to(url_for: UrlFor, name: str, /, **parts: object) -> str:
    return escape(str(url_for(name, **parts)))


def _asset(url_for: UrlFor, name: str) -> str:
    return _to(url_for, "assets", filename=name)
