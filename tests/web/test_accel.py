"""accel_redirect: the head that lets a proxy send a file."""

from __future__ import annotations

from typing import Any

import pytest

from aioweb import web


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/protected/a.txt", "/protected/a.txt"),
        ("/a b/100%?#&+\u00e4", "/a%20b/100%25%3F%23%26%2B%C3%A4"),
        ("/a\r\nX-Evil: 1", "/a%0D%0AX-Evil%3A%201"),
        ("/caf\udce9", "/caf%E9"),
        ("/..a/a..", "/..a/a.."),
    ],
)
def test_the_path_is_quoted(path: str, value: str) -> None:
    response = web.accel_redirect(path)
    assert response.headers["X-Accel-Redirect"] == value
    assert (response.status, response.body) == (200, None)


@pytest.mark.parametrize(
    ("options", "content_type", "disposition"),
    [
        ({}, "application/pdf", None),
        ({"filename": "\u00e4.csv"}, "text/csv; charset=utf-8", "attachment; filename*=UTF-8''%C3%A4.csv"),
        ({"content_type": "image/png"}, "image/png", None),
    ],
)
def test_type_and_name_are_told(options: dict[str, Any], content_type: str, disposition: str | None) -> None:
    headers = web.accel_redirect("/x.pdf", **options).headers
    assert headers["Content-Type"] == content_type
    said = headers.get("Content-Disposition")
    assert said is disposition is None or (said is not None and said.endswith("filename*=UTF-8''%C3%A4.csv"))


def test_what_is_packed_arrives_packed() -> None:
    headers = web.accel_redirect("/site.html.gz").headers
    assert headers["Content-Type"] == "application/gzip"
    assert "Content-Encoding" not in headers


def test_other_proxies_know_another_field() -> None:
    headers = web.accel_redirect("/srv/a b", field="X-Sendfile", headers={"Cache-Control": "private"}).headers
    assert headers["X-Sendfile"] == "/srv/a%20b"
    assert headers["Cache-Control"] == "private"
    assert "X-Accel-Redirect" not in headers


@pytest.mark.parametrize("path", ["", "a", "@named", "/../etc/passwd", "/a/..", "/a\0", "http://a/"])
def test_a_path_that_leads_elsewhere_is_an_error(path: str) -> None:
    with pytest.raises(ValueError, match=r"begins with a slash and has no '\.\.'"):
        web.accel_redirect(path)
