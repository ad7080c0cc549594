"""The match form of paths, and templates."""

from __future__ import annotations

import re
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.web.paths import decode_value, match_form, parse_template, quote_form

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
ESCAPES = ["%2F", "%2f", "%25", "%7B", "%D0", "%bf", "%ff", "%00"]
NEAR_ESCAPES = st.lists(st.sampled_from([*ESCAPES, *"%2Ff/aé{"])).map("".join)


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("/a", "/a"),
        ("/a%20b", "/a b"),
        ("/%D0%BF%d0%bb", "/пл"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb", "/a%2Fb"),
        ("/100%25", "/100%25"),
        ("/%252F", "/%252F"),
        ("/%7bx%7D", "/%7Bx%7D"),
        ("/%zz", "/%25zz"),
        ("/%", "/%25"),
        ("/%4", "/%254"),
        ("/%ff", "/%25ff"),
        ("/%D0", "/%25D0"),
        ("/%D0%BF%fF%20", "/п%25fF "),
        ("/%ED%A0%80", "/%25ED%25A0%2580"),
        ("/%%32F", "/%252F"),
        ("/%00", "/\0"),
        ("*", "*"),
    ],
)
def test_a_path_takes_its_match_form(raw, form):
    assert match_form(raw) == form


@given(TEXT | NEAR_ESCAPES)
def test_a_match_form_is_its_own_match_form_and_has_only_four_escapes(path):
    form = match_form(path)
    assert match_form(form) == form
    assert re.fullmatch(r"(?:[^%]|%2F|%25|%7B|%7D)*", form, re.DOTALL)


@given(TEXT)
def test_quoted_text_means_that_text(text):
    assert decode_value(match_form(quote(text, safe=""))) == text


@given(TEXT | NEAR_ESCAPES)
def test_a_quoted_form_takes_the_same_form_again(path):
    form = match_form(path)
    quoted = quote_form(form)
    assert quoted.isascii()
    assert match_form(quoted) == form.replace("{", "%7B").replace("}", "%7D")


@given(st.lists(st.sampled_from(["%ff", "%D0", "%zz", "%", "z", "%C3"])).map("".join))
def test_what_is_no_utf_8_means_itself(text):
    assert decode_value(match_form(text)) == text


def test_a_long_run_of_bad_escapes_takes_linear_time():
    assert match_form("%ff" * 100_000) == "%25ff" * 100_000


@pytest.mark.parametrize(
    ("path", "raw", "values"),
    [
        ("/a", "/a", {}),
        ("/a", "/a/", None),
        ("/a/", "/a", None),
        ("/a", "//a", None),
        ("/{x}", "/5", {"x": "5"}),
        ("/<x>", "/5", {"x": "5"}),
        ("/{x}", "/", None),
        ("/{x}", "/a/b", None),
        ("/{x}", "/{a}", None),
        ("/{x}", "/%7Ba%7D", {"x": "{a}"}),
        ("/{x}", "/a%2Fb", {"x": "a/b"}),
        ("/{x}", "/a%252Fb", {"x": "a%2Fb"}),
        ("/{x}", "/%ff%zz", {"x": "%ff%zz"}),
        ("/{x}", "/%D0%BF%20", {"x": "п "}),
        ("/{x:[0-9]+}", "/12", {"x": "12"}),
        ("/{x:[0-9]+}", "/12a", None),
        ("/<x:[0-9]+>", "/12", {"x": "12"}),
        (r"/{x:\d{2,3}}", "/123", {"x": "123"}),
        (r"/{x:\d{2,3}}", "/1", None),
        (r"/<x:\d{2,3}>", "/12", {"x": "12"}),
        (r"/{x:\d+}", "/%D9%A3", None),
        (r"/{x:(?u:\w+)}", "/%D0%BF", {"x": "п"}),
        ("/{rest:.*}", "/a/b%0Ac", {"rest": "a/b\nc"}),
        ("/{x:a|b}", "/b", {"x": "b"}),
        ("/{x:a|b}c", "/ac", {"x": "a"}),
        ("/{x:(a)(?:b)+}/{y}", "/abb/c", {"x": "abb", "y": "c"}),
        (r"/{x:(?P<twin>.)(?P=twin)}/{y}", "/aa/c", {"x": "aa", "y": "c"}),
        ("/{x}-{y}.png", "/1-2.png", {"x": "1", "y": "2"}),
        ("/{x}-{y}.png", "/1-2_png", None),
        ("/v{major}.{minor}/doc", "/v1.2/doc", {"major": "1", "minor": "2"}),
        ("/<a>/{b}", "/1/2", {"a": "1", "b": "2"}),
        ("/плоский/{x}", "/%D0%BF%D0%BB%D0%BE%D1%81%D0%BA%D0%B8%D0%B9/1", {"x": "1"}),
        ("/a b/{rest:.*}", "/a%20b/", {"rest": ""}),
        ("/a%20b/{rest:.*}", "/a%20b/c/d", {"rest": "c/d"}),
        ("/a%2Fb", "/a%2fb", {}),
        ("/a%2Fb", "/a/b", None),
        ("/100%", "/100%25", {}),
        ("/a.b", "/axb", None),
        ("//a", "//a", {}),
        ("//a", "/%2Fa", {}),
        ("//a", "/a", None),
    ],
)
def test_a_template_matches(path, raw, values):
    assert parse_template(path).match(match_form(raw)) == values


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a", "'a' must begin"),
        ("{x}", "must begin"),
        ("/{x", "unbalanced '{' in '/{x'"),
        ("/x}", "unbalanced '}'"),
        ("/{x{y}", "unbalanced '{'"),
        ("/<x", "unbalanced '<'"),
        ("/{}", "part '{}'"),
        ("/{1x}", "part '{1x}'"),
        ("/{_x}", "part '{_x}'"),
        ("/{x-y}", "part '{x-y}'"),
        ("/{ x }", "part '{ x }'"),
        ("/{é}", "part '{é}'"),
        ("/a/{x:+}", "'/a/{x:+}', part '{x:+}': bad regex"),
        ("/{x:(}", "part '{x:(}': bad regex"),
        ("/{x:a)(b}", "part '{x:a)(b}': bad regex"),
        ("/{x:}", "part '{x:}': the regex is empty"),
        (r"/{x:(.)\1}", "refer to a group by its name"),
        ("/{x:(?i)a}", "write flags for a group"),
        ("/{x}/{x}", "'/{x}/{x}' has two parts of the name 'x'"),
        ("/{x}/<x>", "two parts"),
        ("/{x}/{y:(?P<x>a)}", "do not go together"),
    ],
)
def test_a_bad_template_is_refused_with_path_and_part(path, said):
    with pytest.raises(ValueError) as caught:
        parse_template(path)
    assert said in str(caught.value)
    assert repr(path) in str(caught.value)


def test_a_template_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="must be a str, not b'/'"):
        parse_template(b"/")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "values", "built"),
    [
        ("/", {}, "/"),
        ("/a b/ж", {}, "/a%20b/%D0%B6"),
        ("/{x}/b", {"x": "ж ?#"}, "/%D0%B6%20%3F%23/b"),
        ("/{x}", {"x": 5}, "/5"),
        ("/{x}", {"x": UUID(int=1)}, "/00000000-0000-0000-0000-000000000001"),
        ("/{x}", {"x": "a/b"}, "/a%2Fb"),
        ("/{x:.*}", {"x": "a/b"}, "/a/b"),
        ("/{x:.*}", {"x": "/evil.example"}, "/%2Fevil.example"),
        ("//a", {}, "/%2Fa"),
        ("/{x}", {"x": "{%}"}, "/%7B%25%7D"),
        ("/{x}", {"x": "a@b:c;d=e+f,g'(h)!$&*~-_."}, "/a@b:c;d=e+f,g'(h)!$&*~-_."),
        ("/{x}", {"x": "1", "more": "ignored"}, "/1"),
    ],
)
def test_a_template_builds_a_path(path, values, built):
    assert parse_template(path).build(values) == built


@pytest.mark.parametrize("value", [None, 1.5, True, b"x", ["x"]])
def test_only_text_ints_and_uuids_are_values(value):
    with pytest.raises(TypeError, match="part 'x' must be a str, an int or a UUID"):
        parse_template("/{x}").build({"x": value})


def test_a_missing_value_is_named():
    with pytest.raises(KeyError, match=r"part 'y' of '/\{x\}/\{y\}', given are"):
        parse_template("/{x}/{y}").build({"x": 1})


TEMPLATES = st.sampled_from(
    ["/{x}", "/a/{x}/b/<y>", "/a b/ж/{x}", "/{x:.+}", "/{x:[0-9]+}.{y}", "/f/{x}/{rest:.+}", "/%2F{x}%25", "/<x:.+>"]
)


@given(TEMPLATES, st.dictionaries(st.sampled_from(["x", "y", "rest"]), TEXT.filter(bool), min_size=3))
def test_what_a_template_builds_it_matches_with_the_same_values(path, values):
    template = parse_template(path)
    values = {name: values[name] for name in template.names}
    if "[0-9]+" in path:
        values["x"] = str(len(values["x"]))
    built = template.build(values)
    assert not built.startswith("//")
    assert built.isascii()
    assert template.match(match_form(built)) == values


@pytest.mark.parametrize(
    ("path", "segments", "is_open"),
    [
        ("", (), False),
        ("/", ("",), False),
        ("/a/b", ("a", "b"), False),
        ("/a/{x}/b", ("a", None, "b"), False),
        ("/a/v{x}.{y}/b", ("a", None, "b"), False),
        (r"/{x:\d+}/b", (None, "b"), False),
        ("/{x:[a-z-]+|[0-9]{3}}", (None,), False),
        ("/{x:[^/]+}", (None,), False),
        ("/a/b{x:.*}/c", ("a",), True),
        ("/{x:[+-9]}", (), True),
        ("/{x:[--9]}", (), True),
        ("/{x:[^a]}", (), True),
        (r"/{x:\W}", (), True),
        ("/{x:(?!a)b}", (), True),
        ("//a", (), True),
    ],
)
def test_the_index_is_told_which_segments_lead(path, segments, is_open):
    template = parse_template(path)
    assert (template.segments, template.is_open) == (segments, is_open)


@pytest.mark.filterwarnings("ignore:Possible")
@given(st.text("ab/-09[]^().*+?|\\dwW:{}", max_size=12))
def test_a_part_that_is_taken_for_slashless_matches_no_slash(regex):
    try:
        template = parse_template(f"/{{x:{regex}}}")
    except ValueError:
        return
    if template.segments:
        for text in ("/", "a/", "/a", "a/b", "9/-", "//"):
            assert template.match("/" + text) is None
