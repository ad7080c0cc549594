"""The page of an error."""

from __future__ import annotations

import pytest

from aioweb.server.errorpage import error_page


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def failed(message: str = "<script>{0}%s") -> BaseException:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_those_who_say_nothing_get_html() -> None:
    content_type, page = error_page(404)
    assert content_type == "text/html; charset=utf-8"
    assert page.startswith(b"<!DOCTYPE html>")
    assert b"<title>404 Not Found</title>" in page
    assert b"<h1>404 Not Found</h1><p>Nothing matches the given URI</p></body>" in page


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"])
def test_browsers_get_html(accept: str) -> None:
    assert error_page(500, accept=accept)[0] == "text/html; charset=utf-8"


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_others_get_plain_text(accept: str) -> None:
    content_type, page = error_page(400, "a <b> & c", accept=accept)
    assert content_type == "text/plain; charset=utf-8"
    assert page == b"400 Bad Request\n\na <b> & c\n"


def test_what_a_client_has_sent_is_escaped() -> None:
    _, page = error_page(400, "<script>&{detail}%s")
    assert b"<p>&lt;script&gt;&amp;{detail}%s</p>" in page


def test_a_detail_that_is_no_utf8_is_shown_as_far_as_it_is() -> None:
    assert b"<p>a?b</p>" in error_page(400, "a\udc80b")[1]


def test_a_status_that_nobody_knows_has_a_page_too() -> None:
    assert b"<h1>599</h1><p></p>" in error_page(599)[1]
    assert error_page(599, "why", accept="*/*")[1] == b"599\n\nwhy\n"


def test_a_traceback_is_shown_only_if_it_is_given() -> None:
    assert b"Traceback" not in error_page(500)[1]
    _, page = error_page(500, exception=failed())
    assert b"<h2>Traceback</h2><pre>Traceback (most recent call last)" in page
    assert b"ValueError: &lt;script&gt;{0}%s" in page
    assert b"<script>" not in page
    _, page = error_page(500, exception=failed(), accept="*/*")
    assert b"\n\nTraceback (most recent call last)" in page
    assert page.endswith(b"ValueError: <script>{0}%s\n")


def test_an_exception_that_cannot_be_shown_has_a_page_too() -> None:
    assert b"UnprintableError" in error_page(500, exception=UnprintableError())[1]
