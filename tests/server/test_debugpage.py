"""The page of an exception in debug mode: three forms, everything escaped, nothing that runs."""

from __future__ import annotations

import json
import re

from aioweb.server.debugpage import render_html, render_json, render_text
from aioweb.server.failurereport import Failure, Frame, report_failures

EVIL = "<script>alert(1)</script>\x1b[31m"
LIBRARY = Frame("/usr/lib/python3/x.py", 7, "library", [(6, "before"), (7, "    at()")], [("a", "1")], False)
OWN = Frame(f"/srv/{EVIL}.py", 3, f"own{EVIL}", [(3, f"    {EVIL}"), (4, "")], [(f"v{EVIL}", EVIL)], True)
INNER = Frame("/usr/lib/python3/y.py", 9, "inner", [], [], False)


def failure(relation: str = "", *frames: Frame, left_out: int = 0) -> Failure:
    return Failure(relation, "ValueError", EVIL, [EVIL], list(frames), left_out)


def test_whatever_is_shown_in_html_is_escaped() -> None:
    page = render_html(EVIL, [failure("", OWN), failure("cause", OWN)], [(EVIL, [(EVIL, EVIL)])])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 12


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    page = render_html("500 Internal Server Error", [failure("", LIBRARY, OWN)], [])
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"<(script|link|img|iframe|form|input|object)|\son\w+=|javascript:|https?://", page)


def test_the_innermost_frame_of_the_application_is_open() -> None:
    page = render_html("500", [failure("", OWN, LIBRARY, OWN._replace(function="mine"), INNER)], [])
    opened = re.findall(r"<details([^>]*)><summary>(\w+)", page)
    assert opened == [(' class="own"', "own"), ("", "library"), (' class="own" open', "mine"), ("", "inner")]
    assert "open><summary>inner" in render_html("500", [failure("", LIBRARY, INNER)], [])
    assert "<details" not in render_html("500", [failure("")], [])


def test_many_calls_of_libraries_are_folded_into_one_line() -> None:
    page = render_html("500", [failure("", *[LIBRARY] * 3, OWN, LIBRARY, INNER, OWN, *[INNER] * 4)], [])
    calls = re.findall(r"<summary>([\w ]+?)(?: <|<|&)", page)
    few, many = ["library", "inner"], ["4 calls in libraries", *["inner"] * 4]
    assert calls == ["3 calls in libraries", *["library"] * 3, "own", *few, "own", *many]
    assert "calls in libraries" not in render_html("500", [failure("", LIBRARY, LIBRARY, INNER)], [])


def test_the_line_that_was_executed_is_marked() -> None:
    page = render_html("500", [failure("", LIBRARY)], [])
    assert '<span><b>6</b>before</span><span class="at"><b>7</b>    at()</span>' in page
    assert "<td>a</td><td>1</td>" in page


def test_relations_are_said_in_words() -> None:
    chain = [failure("", OWN), failure("cause"), failure("context"), failure("member 1 of 2")]
    page = render_html("500", chain, [])
    places = [page.index(words) for words in ("It was caused by", "raised while this was handled", "member 1 of 2")]
    assert places == sorted(places)
    text = render_text("500", chain, [])
    words = ("This is member 1 of 2 of:", "While this was handled", "This was the cause of:")
    assert [text.index(said) for said in words] == sorted(text.index(said) for said in words)


def test_text_is_as_python_prints_it_and_ends_with_the_exception() -> None:
    try:
        number = 1
        raise LookupError(f"no {number}")
    except LookupError as error:
        page = render_text("500 Internal Server Error", report_failures(error), [("Request", [("Line", "GET /")])])
    lines = page.splitlines()
    assert lines[:5] == ["500 Internal Server Error", "", "Request", "  Line: GET /", ""]
    assert lines[5] == "Traceback (most recent call last):"
    assert lines[6].startswith(f'  File "{__file__}", line ')
    assert lines[7] == '    raise LookupError(f"no {number}")'
    assert "      | number = 1" in lines
    assert lines[-1] == "LookupError: no 1"


def test_variables_of_libraries_are_not_in_the_text() -> None:
    text = render_text("500", [failure("", LIBRARY, INNER)], [])
    assert "a = 1" not in text
    assert '  File "/usr/lib/python3/y.py", line 9, in inner\nValueError' in text


def test_a_terminal_gets_no_escape_sequences() -> None:
    text = render_text(EVIL, [failure("", OWN)], [(EVIL, [(EVIL, EVIL)])])
    assert "\x1b" not in text
    assert r"\x1b[31m" in text


def test_json_has_everything() -> None:
    page = json.loads(render_json({"status": 500}, [failure("", OWN), failure("cause")], [("My Facts", [("a", "b")])]))
    assert list(page) == ["status", "exceptions", "my_facts"]
    assert page["my_facts"] == [["a", "b"]]
    first, second = page["exceptions"]
    assert (first["relation"], second["relation"]) == (None, "cause")
    assert first["message"] == EVIL
    assert first["frames"][0]["source"] == EVIL.strip()
    assert first["frames"][0]["variables"] == {f"v{EVIL}": EVIL}


def test_calls_that_are_left_out_are_counted() -> None:
    long = failure("", *[LIBRARY] * 40, left_out=900)
    assert render_html("500", [long], []).count("... 900 calls are left out ...") == 1
    text = render_text("500", [long], [])
    assert text.index("900 calls") > text.index("line 7")
