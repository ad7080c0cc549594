"""Pictures on the board: what is taken, what is refused and how, and what is served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.board.application import create_app
from examples.board.pictures import LARGEST, PICTURES, open_pictures
from examples.board.settings import Settings
from examples.board.storage import STORAGE

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10
KINDS = {
    "jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    "png": (b"\x89PNG\r\n\x1a\n", "image/png"),
    "gif": (b"GIF89a\1\0\1\0", "image/gif"),
    "webp": (b"RIFF\x1a\0\0\0WEBPVP8L", "image/webp"),
    "avif": (b"\0\0\0\x20ftypavif", "image/avif"),
    "mp4": (b"\0\0\0\x20ftypisom", "video/mp4"),
    "webm": (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm", "video/webm"),
}


@pytest.fixture
def app(tmp_path: Path) -> Any:
    return create_app(Settings(database=":memory:", pictures=str(tmp_path / "new" / "pictures")))


@pytest.fixture
def folder(app: Any, tmp_path: Path) -> Path:
    return tmp_path / "new" / "pictures"


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return [path.name for path in folder.iterdir()]


async def post(client: httpx.AsyncClient, content: bytes, filename: str = "a.png", **fields: str) -> httpx.Response:
    data = {"author": "Ann", "text": "Look", **fields}
    return await client.post("/new", data=data, files={"picture": (filename, content, "image/png")})


async def source(client: httpx.AsyncClient, posted: httpx.Response) -> str:
    """The address of the picture in a message that was just posted."""
    assert posted.status_code == 303, posted.text
    found = re.search(
        r'<(?:img|video) class="picture" src="([^"]+)"', (await client.get(posted.headers["Location"])).text
    )
    assert found is not None
    return found[1]


# -- what is taken -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", KINDS)
async def test_a_picture_is_what_its_first_octets_say(client: httpx.AsyncClient, suffix: str) -> None:
    beginning, content_type = KINDS[suffix]
    content = beginning + bytes(200)
    address = await source(client, await post(client, content, "not-what-it-is.txt"))
    assert re.fullmatch(rf"/pictures/[0-9a-f]{{32}}\.{suffix}", address)
    answer = await client.get(address)
    assert answer.content == content
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_pictures_and_videos_are_shown_in_the_list_and_named_by_the_api(client: httpx.AsyncClient) -> None:
    picture = await source(client, await post(client, PNG))
    video = await source(client, await post(client, KINDS["mp4"][0], author='A "B"'))
    page = (await client.get("/")).text
    assert f'<img class="picture" src="{picture}" alt="Picture by Ann" loading="lazy">' in page
    assert f'<video class="picture" src="{video}" controls' in page
    messages = (await client.get("/api/messages")).json()["messages"]
    assert [message["picture"] for message in messages] == [video, picture, None]
    assert (await client.get("/api/messages/2")).json()["picture"] == picture


@pytest.mark.parametrize("filename", ["../../outside.png", "/etc/passwd", "C:\\a.png", "a.png\0.html", "ü.png"])
async def test_the_name_that_a_client_gives_is_never_used(
    client: httpx.AsyncClient, folder: Path, tmp_path: Path, filename: str
) -> None:
    address = await source(client, await post(client, PNG, filename))
    assert names(folder) == [address.rpartition("/")[2]]
    assert names(tmp_path) == ["new"]


async def test_a_picture_is_served_in_ranges_and_only_once(client: httpx.AsyncClient) -> None:
    address = await source(client, await post(client, PNG))
    part = await client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, PNG[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(PNG)}"
    again = await client.get(address, headers={"If-None-Match": part.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "immutable" in again.headers["Cache-Control"]
    assert (await client.get(address, headers={"Range": "bytes=9999-"})).status_code == 416


async def test_a_form_without_a_picture_is_a_message_without_one(client: httpx.AsyncClient) -> None:
    # So a browser sends a file field in which nothing was chosen.
    content = (
        b'--b\r\nContent-Disposition: form-data; name="author"\r\n\r\nAnn\r\n'
        b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nHello\r\n'
        b'--b\r\nContent-Disposition: form-data; name="picture"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n"
    )
    answer = await client.post("/new", content=content, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 303
    assert (await client.get("/api/messages/2")).json()["picture"] is None


@pytest.mark.parametrize("name", ["0" * 32 + ".png", "../board.sqlite3", "0" * 32 + ".svg", "x.png", ""])
async def test_a_picture_that_is_not_there_is_a_404(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/pictures/{name}")).status_code == 404


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'><script>", b"<html>", b"RIFF____WAVE", b"MZ"]
)
async def test_what_is_no_picture_is_refused_on_the_form(
    client: httpx.AsyncClient, folder: Path, content: bytes
) -> None:
    page = await post(client, content, text="keep me")
    assert page.status_code == 400
    assert "Please choose a picture (JPEG, PNG, GIF, WebP, AVIF) or a video (MP4, WebM)." in page.text
    assert 'aria-describedby="picture-problem picture-hint"' in page.text
    assert ">\nkeep me</textarea>" in page.text
    assert names(folder) == []
    assert (await client.get("/api/messages")).json()["total"] == 1


async def test_the_largest_picture_is_taken_and_one_octet_more_is_refused_with_what_was_written(
    client: httpx.AsyncClient, folder: Path
) -> None:
    largest = PNG + bytes(LARGEST - len(PNG))
    address = await source(client, await post(client, largest))
    assert (await client.head(address)).headers["Content-Length"] == str(LARGEST)
    page = await post(client, largest + b"\0", text="keep me")
    assert page.status_code == 413
    assert "At most 20 MB, please; this has 21 MB." in page.text
    assert ">\nkeep me</textarea>" in page.text
    assert len(names(folder)) == 1


async def test_far_too_much_is_refused_unread_and_the_form_shown_again(client: httpx.AsyncClient, folder: Path) -> None:
    await post(client, PNG)  # so the author is known
    page = await post(client, bytes(2 * LARGEST))
    assert page.status_code == 413
    assert "That was too much: a picture may have 20 MB" in page.text
    assert 'name="author" value="Ann"' in page.text
    assert len(names(folder)) == 1


async def test_a_form_with_a_fault_asks_for_the_picture_again(client: httpx.AsyncClient, folder: Path) -> None:
    page = await post(client, PNG, text="")
    assert page.status_code == 400
    assert page.text.count('aria-invalid="true"') == 2
    assert "Please choose it again." in page.text
    assert names(folder) == []


async def test_a_text_in_place_of_a_file_is_no_picture(client: httpx.AsyncClient, folder: Path) -> None:
    answer = await client.post("/new", data={"author": "Ann", "text": "Hello", "picture": "a.png"})
    assert answer.status_code == 303
    assert (await client.get("/api/messages/2")).json()["picture"] is None


async def test_a_picture_whose_message_cannot_be_stored_does_not_stay(
    client: httpx.AsyncClient, app: Any, folder: Path
) -> None:
    app[STORAGE] = None
    assert (await post(client, PNG)).status_code == 500
    assert names(folder) == []


# -- the folder ----------------------------------------------------------------------------------------------------


async def test_a_file_that_cannot_be_copied_leaves_nothing(tmp_path: Path) -> None:
    class Failing:
        def __init__(self) -> None:
            self.reads = 0

        def seek(self, *position: int) -> int:
            return 0

        def read(self, size: int) -> bytes:
            self.reads += 1
            if self.reads == 3:
                raise OSError("the disk is gone")
            return PNG

    with open_pictures(tmp_path) as pictures, pytest.raises(OSError, match="the disk is gone"):
        await pictures.add(Failing())  # type: ignore[arg-type]
    assert names(tmp_path) == []


async def test_a_board_that_forgets_forgets_its_pictures() -> None:
    app = create_app(Settings(database=":memory:"))
    await app.startup()
    folder = app[PICTURES].path("")
    assert names(folder) == []
    await app.cleanup()
    with pytest.raises(FileNotFoundError):
        names(folder)
