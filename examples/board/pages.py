"""Handlers that answer with HTML, and with the pictures in it."""

from __future__ import annotations

from aioweb import web
from examples.board import markup
from examples.board.lookup import find_author, find_message, find_page, remember_author
from examples.board.messages import LONGEST, Draft, Message
from examples.board.pictures import LARGEST, PICTURES, BadPicture, Pictures, in_megabytes
from examples.board.storage import STORAGE, Storage

_LARGEST_FORM = 2 * LARGEST
"""Bytes of a form with a picture that are read. A picture that is not far too large leaves the rest of it readable."""

_TOO_MUCH = (
    f"That was too much: a picture may have {in_megabytes(LARGEST)} and a text {LONGEST['text']} characters. "
    "What you wrote is still there if you go back."
)

_PICTURE_HEADERS = {
    # Under its address there will never be anything else.
    "Cache-Control": "public, max-age=31536000, immutable",
    # Shown alone it is on a page of the browser's making, with styles inside. Whatever it is taken for, no script runs.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'",
}


async def show_list(request: web.Request) -> web.Response:
    """A page of the list of messages."""
    page = await find_page(request)
    return _html(markup.list_page(request.url_for, page))


async def show_message(request: web.Request) -> web.Response:
    """One message."""
    message = await find_message(request)
    return _html(markup.message_page(request.url_for, message))


async def show_picture(request: web.Request) -> web.FileResponse:
    """A picture or a video; FileResponse answers whoever asks for a range of it, or has it already."""
    pictures: Pictures = request.app[PICTURES]
    return web.FileResponse(pictures.path(request.match_info["name"]), headers=_PICTURE_HEADERS)


async def show_form(request: web.Request) -> web.Response:
    """The empty form."""
    return _html(markup.form_page(request.url_for, Draft(author=find_author(request))))


async def post_form(request: web.Request) -> web.Response:
    """Post a message and go to it, or show the form again with what is wrong."""
    is_upload = request.content_type == "multipart/form-data"
    if is_upload:
        request.client_max_size = _LARGEST_FORM
    try:
        form = await request.post()
    except web.HTTPRequestEntityTooLarge:
        problems = {"picture" if is_upload else "text": _TOO_MUCH}
        return _html(markup.form_page(request.url_for, Draft(author=find_author(request)), problems), status=413)
    draft = Draft.of(form)
    problems = draft.problems()
    file = form.get("picture")
    if not isinstance(file, web.FileField):
        file = None
    elif problems:
        problems["picture"] = "Please choose it again."  # browsers do not let a page fill this field
    if problems:
        return _html(markup.form_page(request.url_for, draft, problems), status=400)
    try:
        message = await _post(request, draft, file)
    except BadPicture as error:
        return _html(markup.form_page(request.url_for, draft, {"picture": str(error)}), status=error.status)
    # 303: the browser gets the message with GET, so a reload does not post it again.
    response = web.HTTPSeeOther(request.url_for("message", id=message.id))
    remember_author(request, response, message.author)
    return response


async def _post(request: web.Request, draft: Draft, file: web.FileField | None) -> Message:
    storage: Storage = request.app[STORAGE]
    if file is None:
        return await storage.add(draft)
    pictures: Pictures = request.app[PICTURES]
    name = await pictures.add(file.file)
    try:
        return await storage.add(draft, name)
    except BaseException:
        await pictures.remove(name)
        raise


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")
