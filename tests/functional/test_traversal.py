"""Ways out of a folder, over raw sockets: not one is open, and none tells what is behind it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from aioweb import web
from tests.conftest import Answer, Serve

SECRET = b"the secret"
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "links": {"follow_symlinks": True},
    "everything": {"follow_symlinks": True, "show_index": True, "index": "index.html", "hidden": True},
}

# Below /static; `secret` stands for a path to the secret that is really there.
TARGETS = [
    "/static/../secret",
    "/static/../../secret",
    "/static/../../../../../../../../etc/passwd",
    "/static/..%2fsecret",
    "/static/%2e%2e/secret",
    "/static/%2E%2E/secret",
    "/static/.%2e/secret",
    "/static/%2e%2e%2fsecret",
    "/static/%2e%2e%5csecret",
    "/static/..\\secret",
    "/static/..%5csecret",
    "/static/..%255csecret",
    "/static/%252e%252e/secret",
    "/static/%252e%252e%252fsecret",
    "/static/%c0%ae%c0%ae/secret",
    "/static/%c0%ae%c0%ae%c0%afsecret",
    "/static/..%c0%afsecret",
    "/static/..%ef%bc%8fsecret",
    "/static/%u002e%u002e/secret",
    "/static/....//secret",
    "/static/...//secret",
    "/static/..;/secret",
    "/static/..%00/secret",
    "/static/../secret%00.css",
    "/static/a.css%00/../../secret",
    "/static/css/../../secret",
    "/static/css/..%2f..%2fsecret",
    "/static/css/%2e%2e/%2e%2e/secret",
    "/static/./../secret",
    "/static/.//../secret",
    "/static//../secret",
    "/static/%2f..%2fsecret",
    "/static/{absolute}",
    "/static/{escaped}",
    "/static//{absolute}",
    "/static/file:{absolute}",
    "/static/file://{absolute}",
    "/static/C:/secret",
    "/static/C:%5csecret",
    "/static/%5c%5clocalhost%5csecret",
    "/static/~/secret",
    "/static/~root/.bashrc",
    "/static/$HOME/.bashrc",
    "/static/NUL",
    "/static/aux.txt",
    "/static/CON/../../secret",
    "/static/a.css::$DATA",
    "/static/a.css.",
    "/static/a.css%20",
    "/static/css/.",
    "/static/css/./../a.css",
    "/static-private/secret",
    "/static../secret",
    "/static%2f..%2fsecret",
    "/static;/../secret",
    "/static/link",
    "/static/links/secret",
    "/static/links/../secret",
    "/static/css/up/../secret",
    "/static/css/up/secret",
    "/static/css/up/public-private/secret",
    "/static/private/secret",
    "/static/proc/self/environ",
    "/static/self",
    "/static/fifo",
    "/static/" + "../" * 200 + "secret",
    "/static/" + "%2e%2e%2f" * 200 + "secret",
    "/static/" + "a/" * 1000,
    "/static/" + "x" * 5000,
    "/static/\xff\xfe/../secret",
    "http://localhost/static/../secret",
    "http://localhost/static/%2e%2e/secret",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "public-private").mkdir()
    (tmp_path / "public-private" / "secret").write_bytes(SECRET)
    folder = tmp_path / "public"
    (folder / "css").mkdir(parents=True)
    (folder / "a.css").write_text("a{}")
    (folder / "link").symlink_to("../secret")
    (folder / "links").symlink_to("..")
    (folder / "private").symlink_to("../public-private")
    (folder / "css" / "up").symlink_to("../..")
    (folder / "proc").symlink_to("/proc")
    (folder / "self").symlink_to("/proc/self/environ")
    os.mkfifo(folder / "fifo")
    return folder


def essence(answer: Answer) -> tuple[Any, ...]:
    return answer.status, answer.body, [pair for pair in answer.headers.items() if pair[0] != "Date"]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_no_way_out_of_a_folder_is_open(serve: Serve, folder: Path, options: dict[str, Any]) -> None:
    app = web.Application()
    app.router.add_static("/static", folder, **options)
    address = await serve(app)
    assert (await address.request("GET", "/static/a.css")).body == b"a{}"
    nothing = essence(await address.request("GET", "/static/nothing"))
    absolute = str(folder.parent / "secret")
    wrong = []
    for target in TARGETS:
        target = target.replace("{absolute}", absolute).replace("{escaped}", absolute.replace("/", "%2f"))
        peer = await address.connect()
        await peer.send(b"GET %b HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n" % target.encode("latin-1"))
        answer = await peer.response()
        await peer.close()
        # A target that is no target is refused before anybody looks for a file.
        if answer.status != 400 and essence(answer) != nothing:
            wrong.append((target[:80], answer.status, answer.body[:80]))
    assert wrong == []


async def test_what_is_there_and_what_is_not_look_the_same_cve_2025_69226(serve: Serve, folder: Path) -> None:
    app = web.Application()
    app.router.add_static("/static", folder, follow_symlinks=True, show_index=True, index="index.html")
    address = await serve(app)
    inside_out = [
        ("links/secret", "links/missing"),
        ("css/up/public-private", "css/up/public-nothing"),
        ("link", "linc"),
    ]
    for there, missing in [
        ("../secret", "../missing"),
        ("%2e%2e/public-private", "%2e%2e/public-nothing"),
        *inside_out,
    ]:
        for method in ("GET", "HEAD", "POST"):
            answers = [essence(await address.request(method, f"/static/{path}")) for path in (there, missing)]
            assert answers[0] == answers[1]
