"""The page of an error, in the kind that the client accepts."""

from __future__ import annotations

import json

import pytest

from aioweb.server.errorpage import choose_media_type, error_page

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
PROBLEM = "application/problem+json"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def failed(message: str = "<script>{0}%s") -> BaseException:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_those_who_say_nothing_get_html() -> None:
    content_type, page = error_page(404)
    assert content_type == HTML
    assert page.startswith(b"<!DOCTYPE html>")
    assert b"<title>404 Not Found</title>" in page
    assert b"<h1>404 Not Found</h1><p>Nothing matches the given URI</p></body>" in page


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html", HTML),
        (CHROME, HTML),
        ("text/html;q=0.5, text/plain;q=0.4", HTML),
        ("text/plain;q=0.5, text/html;q=0.4", TEXT),
        ("*/*", TEXT),  # curl
        ("text/*", TEXT),
        ("text/*, text/plain;q=0", HTML),
        ("*/*, text/plain;q=0.1, text/html;q=0.1", PROBLEM),
        ("application/json", JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/json, text/plain, */*", JSON),  # axios
        ("application/problem+json, application/json", PROBLEM),
        ("application/*", PROBLEM),
        ("text/html;q=0, */*;q=0", TEXT),
        ("image/png", TEXT),
        ("text/html;q=much", TEXT),
        ("", TEXT),
        (",;,q=1", TEXT),
    ],
)
def test_the_page_is_of_the_kind_that_the_client_likes_best(accept: str, content_type: str) -> None:
    assert error_page(500, accept=accept)[0] == content_type
    assert content_type.startswith(choose_media_type(accept))


def test_a_page_of_text_is_its_title_and_its_detail() -> None:
    assert error_page(400, "a <b> & c", accept="*/*") == (TEXT, b"400 Bad Request\n\na <b> & c\n")


@pytest.mark.parametrize("accept", [JSON, PROBLEM])
def test_json_is_problem_details_of_rfc_9457(accept: str) -> None:
    content_type, page = error_page(413, 'too "large"', accept=accept)
    assert content_type == accept
    assert json.loads(page) == {
        "type": "about:blank",
        "title": "Content Too Large",
        "status": 413,
        "detail": 'too "large"',
    }


def test_what_a_client_has_sent_is_escaped() -> None:
    _, page = error_page(400, "<script>&{detail}%s")
    assert b"<p>&lt;script&gt;&amp;{detail}%s</p>" in page


def test_a_detail_that_is_no_utf8_is_shown_as_far_as_it_is() -> None:
    assert b"<p>a?b</p>" in error_page(400, "a\udc80b")[1]
    assert json.loads(error_page(400, "a\udc80b", accept=JSON)[1])["detail"] == "a\udc80b"


def test_a_status_that_nobody_knows_has_a_page_too() -> None:
    assert b"<h1>599</h1><p></p>" in error_page(599)[1]
    assert error_page(599, "why", accept="*/*")[1] == b"599\n\nwhy\n"
    assert json.loads(error_page(599, accept=JSON)[1]) == {"type": "about:blank", "title": "599", "status": 599}


@pytest.mark.parametrize("accept", [None, "*/*", JSON])
def test_a_traceback_is_shown_only_if_it_is_given(accept: str | None) -> None:
    assert b"ValueError" not in error_page(500, accept=accept)[1]
    content_type, page = error_page(500, exception=failed(), accept=accept)
    assert content_type == error_page(500, accept=accept)[0]
    assert b"ValueError" in page
    assert b"test_errorpage.py" in page
    assert (b"<script>" in page) is (accept is not None)


def test_json_in_debug_mode_says_what_it_was() -> None:
    page = json.loads(error_page(500, exception=failed("why"), accept=PROBLEM)[1])
    assert (page["title"], page["status"], page["detail"]) == ("Internal Server Error", 500, "ValueError: why")
    assert [exception["type"] for exception in page["exceptions"]] == ["ValueError"]


def test_facts_are_shown_beside_an_exception() -> None:
    facts = [("Request", [("Line", "GET /<a>?token=abc&b=c HTTP/1.1")]), ("Fields", [("Cookie", "sid=7")])]
    html = error_page(500, exception=failed(), facts=facts)[1]
    assert b"<h3>Request</h3>" in html
    assert b"GET /&lt;a&gt;?token=***&amp;b=c HTTP/1.1" in html
    assert b"sid" not in html
    assert b"Request\n  Line: GET /<a>?token=***&b=c HTTP/1.1\n" in error_page(500, "", failed(), "*/*", facts)[1]
    assert json.loads(error_page(500, "", failed(), JSON, facts)[1])["fields"] == [["Cookie", "***"]]
    assert b"Fields" not in error_page(500, facts=facts)[1]
