"""examples/board over a real server: every page, every answer of the API, and the program itself."""

from __future__ import annotations

import html
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.board.application import create_app
from examples.board.messages import Draft
from examples.board.settings import Settings
from examples.board.storage import STORAGE, open_storage

ROOT = Path(__file__).resolve().parents[2]
HUGE = [f"messages/{'9' * digits}" for digits in (18, 19, 300)]


async def post(client: httpx.AsyncClient, author: str = "Ann", text: str = "Hello", **headers: str) -> httpx.Response:
    return await client.post("/new", data={"author": author, "text": text}, headers=headers)


# -- pages ---------------------------------------------------------------------------------------------------------


async def test_an_empty_board_welcomes_its_first_reader(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Welcome!" in page.text
    assert "1 message<" in page.text


async def test_a_posted_message_is_shown_at_its_own_address(client: httpx.AsyncClient) -> None:
    answer = await post(client, "Ann", "Hello\r\nworld")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/messages/2")
    page = await client.get(answer.headers["Location"])
    assert page.status_code == 200
    assert '<p class="text" dir="auto">Hello\nworld</p>' in page.text
    assert "<title>Message by Ann · Board</title>" in page.text


async def test_the_newest_message_comes_first(client: httpx.AsyncClient) -> None:
    await post(client, text="older")
    await post(client, text="newer")
    page = (await client.get("/")).text
    assert page.index("newer") < page.index("older") < page.index("Welcome!")


async def test_long_lists_have_pages(client: httpx.AsyncClient) -> None:
    for number in range(10):
        await post(client, text=f"note {number}")
    first, second = (await client.get("/")).text, (await client.get("/?page=2")).text
    assert re.findall(r"note \d", first) == [f"note {number}" for number in range(9, -1, -1)]
    assert "Welcome!" not in first
    assert 'rel="next" href="/?page=2"' in first
    assert 'rel="prev"' not in first
    assert "Welcome!" in second
    assert 'rel="prev" href="/?page=1"' in second
    assert 'rel="next"' not in second
    assert "Page 2 of 2" in second


@pytest.mark.parametrize("page", ["0", "2", "-1", "1.0", "one", "", "9" * 9, "9" * 30, "١"])
async def test_a_page_that_is_not_there_is_a_404(client: httpx.AsyncClient, page: str) -> None:
    answer = await client.get("/", params={"page": page})
    assert answer.status_code == 404
    assert "There is no page with this number." in answer.text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "&amp;", "</textarea>", "' x='"])
async def test_what_users_write_is_never_markup(client: httpx.AsyncClient, text: str) -> None:
    text = f"a{text}z"
    where = (await post(client, text, text)).headers["Location"]
    pages = [await client.get("/"), await client.get(where), await client.get("/new")]
    pages += [await post(client, text, ""), await post(client, "", text)]
    for page in pages:
        assert text not in page.text
        assert html.escape(text) in page.text


async def test_the_form_is_empty_at_first_and_then_knows_the_author(client: httpx.AsyncClient) -> None:
    assert 'name="author" value=""' in (await client.get("/new")).text
    cookie = (await post(client, 'Jörg "🎉"; x')).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert 'value="Jörg &quot;🎉&quot;; x"' in (await client.get("/new")).text


@pytest.mark.parametrize(
    ("author", "text", "problem"),
    [
        ("", "Hello", "Please enter a name."),
        (" \n ", "Hello", "Please enter a name."),
        ("Ann", " \r\n ", "Please write something."),
        ("a" * 41, "Hello", "At most 40 characters, please; these are 41."),
        ("Ann", "a" * 2001, "At most 2000 characters, please; these are 2001."),
        ("Ann\0", "Hello", "It holds characters that are not text."),
    ],
)
async def test_a_bad_form_comes_back_with_its_values(
    client: httpx.AsyncClient, author: str, text: str, problem: str
) -> None:
    page = await post(client, author, text)
    assert page.status_code == 400
    assert page.text.count('aria-invalid="true"') == 1
    assert problem in page.text
    assert f'value="{author.strip()}"' in page.text
    assert f">\n{text.strip()}</textarea>" in page.text
    assert (await client.get("/api/messages")).json()["total"] == 1


async def test_an_empty_form_has_two_problems(client: httpx.AsyncClient) -> None:
    page = await client.post("/new")
    assert page.text.count('aria-invalid="true"') == 2
    assert "<title>Error: new message · Board</title>" in page.text


async def test_the_longest_message_is_posted(client: httpx.AsyncClient) -> None:
    assert (await post(client, "ж" * 40, "🎉" * 2000)).status_code == 303


async def test_assets_have_addresses_that_may_be_kept_for_ever(client: httpx.AsyncClient) -> None:
    kinds = {
        "style.css": "text/css; charset=utf-8",
        "icon.svg": "image/svg+xml",
        "live.js": "text/javascript; charset=utf-8",
    }
    page = (await client.get("/")).text
    for kind, content_type in kinds.items():
        found = re.search(rf'(?:href|src)="(/assets/{kind}\?v=[^"]+)"', page)
        assert found is not None
        answer = await client.get(found[1])
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        again = await client.get(found[1], headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("path", ["/assets/other", "/assets/", "/assets/../markup.py", "/assets/%2e%2e/markup.py"])
async def test_an_asset_that_is_not_there_is_a_page(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert "<h1>Not Found</h1>" in answer.text


# -- errors and safety ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["nothing", "messages/99", "messages/x", *HUGE])
async def test_nothing_found_is_a_page(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(f"/{path}")
    assert page.status_code == 404
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Not Found</h1>" in page.text


async def test_a_wrong_method_is_a_page_that_names_the_right_ones(client: httpx.AsyncClient) -> None:
    page = await client.delete("/new")
    assert page.status_code == 405
    assert page.headers["Allow"] == "GET, HEAD, POST"
    assert "<h1>Method Not Allowed</h1>" in page.text


async def test_too_much_content_is_a_page(client: httpx.AsyncClient) -> None:
    page = await post(client, text="a" * 2**20)
    assert page.status_code == 413
    assert "<h1>" in page.text


async def test_a_failing_handler_is_a_page_without_details_and_a_traceback_in_the_log(
    client: httpx.AsyncClient, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app[STORAGE] = None
    for path, kind in (("/", "text/html"), ("/api/messages", "application/problem+json")):
        caplog.clear()
        page = await client.get(path)
        assert page.status_code == 500
        assert page.headers["Content-Type"].startswith(kind)
        assert "Something went wrong here." in page.text
        assert "NoneType" not in page.text
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [record.getMessage() for record in errors] == [f"Error handling <Request GET {path}>"]
        assert errors[0].exc_info is not None


async def test_content_that_breaks_the_protocol_is_no_failure_of_the_handler(
    serve: Any, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address = await serve(app)
    peer = await address.connect()
    await peer.send(
        b"POST /new HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    )
    assert (await peer.head()).status == 100  # the handler waits for the content now
    await peer.send(b"no size\r\n")
    assert (await peer.response()).status == 400
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("path", ["/", "/new", "/nothing", "/api/messages", "/api/nothing"])
async def test_every_answer_carries_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://board.example", "Host": "board.example"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
async def test_a_form_of_another_site_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await post(client, **headers)).status_code == status
    if status == 403:
        for answer in (
            await client.post("/api/messages", json={"author": "Ann", "text": "Hello"}, headers=headers),
            await client.get("/", headers=headers),
        ):
            assert answer.status_code == (403 if answer.request.method == "POST" else 200)
        assert (await client.get("/api/messages")).json()["total"] == 1


# -- the API -------------------------------------------------------------------------------------------------------


async def test_the_api_posts_shows_and_lists(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/messages", json={"author": " Ann ", "text": "Hello"})
    assert (answer.status_code, answer.headers["Location"]) == (201, "/api/messages/2")
    message = answer.json()
    assert message | {"created": ""} == {
        "id": 2,
        "url": "/api/messages/2",
        "author": "Ann",
        "text": "Hello",
        "created": "",
        "picture": None,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", message["created"])
    assert (await client.get("/api/messages/2")).json() == message
    page = (await client.get("/api/messages")).json()
    assert (page["page"], page["pages"], page["total"]) == (1, 1, 2)
    assert page["messages"][0] == message


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"{", 400, "the content is not valid JSON"),
        (b"[]", 400, "A message is a JSON object with the fields author and text."),
        (b"null", 400, "A message is a JSON object with the fields author and text."),
        (b"{}", 400, "The message cannot be posted."),
        (b'{"author": 1, "text": {}}', 400, "The message cannot be posted."),
        (b'{"author": "Ann", "text": "\\ud800"}', 400, "The message cannot be posted."),
        (b'{"author": "Ann", "text": "\\u0000"}', 400, "The message cannot be posted."),
        (b'"' + b"a" * 2**20 + b'"', 413, None),
    ],
)
async def test_the_api_says_what_is_wrong(
    client: httpx.AsyncClient, content: bytes, status: int, detail: str | None
) -> None:
    answer = await client.post("/api/messages", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["status"] == status
    assert detail is None or answer.json()["detail"] == detail


async def test_the_api_names_the_fields_that_are_wrong(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/messages", json={"author": "Ann"})
    assert answer.json() == {
        "title": "Bad Request",
        "status": 400,
        "detail": "The message cannot be posted.",
        "problems": {"text": "Please write something."},
    }


async def test_the_api_takes_nothing_but_json(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/messages", content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


async def test_errors_of_the_api_are_json(client: httpx.AsyncClient) -> None:
    missing = await client.get("/api/messages/999")
    assert missing.json() == {
        "title": "Not Found",
        "status": 404,
        "detail": "There is no message with this number.",
    }
    refused = await client.put("/api/messages")
    assert (refused.status_code, refused.json()["title"]) == (405, "Method Not Allowed")
    assert refused.headers["Allow"] == "GET, HEAD, POST"


# -- storage, settings and the program -----------------------------------------------------------------------------


async def test_messages_survive_a_restart(serve: Any, tmp_path: Path) -> None:
    database = str(tmp_path / "board.sqlite3")
    async with open_storage(database) as storage:
        assert (await storage.page(1)).total == 1
    async with open_storage(database) as storage:
        message = await storage.message(1)
        assert message is not None
        assert message.author == "The board"
        assert (await storage.page(1)).total == 1


async def test_a_database_from_before_there_were_pictures_is_taken(tmp_path: Path) -> None:
    database = str(tmp_path / "board.sqlite3")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY AUTOINCREMENT, author, text, created)")
        connection.execute("INSERT INTO message (author, text, created) VALUES ('Ann', 'old', 0)")
    async with open_storage(database) as storage:
        await storage.add(Draft("Ann", "new"), "a.png")
        page = await storage.page(1)
    assert [(message.text, message.picture) for message in page.messages] == [("new", "a.png"), ("old", None)]


async def test_a_file_that_is_no_database_ends_the_start(tmp_path: Path) -> None:
    database = tmp_path / "board.sqlite3"
    database.write_bytes(b"this is a text" * 100)
    with pytest.raises(Exception, match="not a database"):
        await create_app(Settings(database=str(database))).startup()


def test_settings_come_from_the_environment() -> None:
    assert Settings.from_environment({}) == Settings()
    given = {"BOARD_DATABASE": "a", "BOARD_PICTURES": "b", "BOARD_HOST": "::1", "BOARD_PORT": "0", "OTHER": ""}
    assert Settings.from_environment(given) == Settings(database="a", pictures="b", host="::1", port=0)


@pytest.mark.parametrize(
    ("database", "pictures", "folder"),
    [
        ("board.sqlite3", None, Path("board.pictures")),
        ("/var/board.sqlite3", None, Path("/var/board.pictures")),
        ("/var/board.sqlite3", "/srv/pictures", Path("/srv/pictures")),
        (":memory:", None, None),
        (":memory:", "here", Path("here")),
    ],
)
def test_pictures_are_beside_the_database(database: str, pictures: str | None, folder: Path | None) -> None:
    assert Settings(database=database, pictures=pictures).pictures_folder == folder


@pytest.mark.parametrize("port", ["", "x", "-1", "65536", "1" * 30, "٣"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ValueError, match="BOARD_PORT must be a number from 0 to 65535"):
        Settings.from_environment({"BOARD_PORT": port})


def start(tmp_path: Path, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "BOARD_DATABASE": str(tmp_path / "board.sqlite3"), "BOARD_PORT": "0", **variables}
    command = [sys.executable, "-W", "error", "-m", "examples.board"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_the_program_serves_says_where_and_stops_by_ctrl_c(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            page = httpx.get(found[0], trust_env=False)
            process.send_signal(signal.SIGINT)
            _, log = process.communicate(timeout=10)
        finally:
            process.kill()
    assert "Welcome!" in page.text
    assert process.returncode == 0
    assert '"GET / HTTP/1.1" 200' in log
    assert "Traceback" not in log


def test_the_program_says_what_is_wrong_with_its_settings(tmp_path: Path) -> None:
    with start(tmp_path, BOARD_PORT="http") as process:
        out, log = process.communicate(timeout=10)
    assert process.returncode == 1
    assert (out, log) == ("", "BOARD_PORT must be a number from 0 to 65535, not 'http'\n")
