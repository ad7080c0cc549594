"""Forwarded, read from both sides, and the names of nodes."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.forwarded import forwarded_from_right, parse_address, parse_forwarded, parse_node
from tests.protocol.lineartime import assert_linear

# What a proxy may write: tokens, and quoted strings with whatever they may hold.
TOKENS = st.text("abcXYZ019-_.", min_size=1, max_size=6)
QUOTED = st.text('ab,;="\\[]: 1', max_size=8)
ELEMENTS = st.dictionaries(TOKENS.map(str.lower), st.one_of(TOKENS, QUOTED), min_size=1, max_size=3)
ANYTHING = st.text('for="\\,; \tab1.[]:=', max_size=40)


def write(element: dict[str, str]) -> str:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in element.items()}
    return ";".join(f'{name}="{value}"' for name, value in escaped.items())


@pytest.mark.parametrize(
    ("values", "elements"),
    [
        ([], []),
        ([""], []),
        ([" , ,"], []),
        (["for=a"], [{"for": "a"}]),
        (["for=a, for=b;proto=http", "for=c"], [{"for": "c"}, {"for": "b", "proto": "http"}, {"for": "a"}]),
        (['for="a,b", for="[::1]:80"'], [{"for": "[::1]:80"}, {"for": "a,b"}]),
        ([r'for="x, for=\"1\"";proto=http'], [{"for": 'x, for="1"', "proto": "http"}]),
        (["for=a; by = b, for=c"], [{"for": "c"}, None]),
        (["for=a, for", "for=c"], [{"for": "c"}, None]),
        (["for=a;for=b, for=c,"], [{"for": "c"}, None]),
        # What a client sends to swallow what the proxy appends, or to stand in its place.
        (['for=6.6.6.6, x="', "for=real"], [{"for": "real"}, None]),
        (['for=6.6.6.6, x=", for=real'], [{"for": "real"}, None]),
        (['for=6.6.6.6, x=", for="[2001:db8::1]"'], [{"for": "[2001:db8::1]"}, None]),
        (['for=6.6.6.6, x="\\, for="[2001:db8::1]"'], [{"for": "[2001:db8::1]"}, None]),
        (['for=6.6.6.6, "'], [None]),
    ],
)
def test_elements_are_read_from_the_right(values: list[str], elements: list[dict[str, str] | None]) -> None:
    assert list(forwarded_from_right(values)) == elements


@given(st.lists(ELEMENTS, max_size=4))
def test_both_sides_read_the_same(elements: list[dict[str, str]]) -> None:
    value = ", ".join(map(write, elements))
    assert [dict(element) for element in parse_forwarded([value])] == elements
    assert list(forwarded_from_right([value])) == elements[::-1]


@given(ANYTHING, st.lists(ELEMENTS, min_size=1, max_size=3))
def test_nothing_on_the_left_changes_what_stands_on_the_right(sent: str, added: list[dict[str, str]]) -> None:
    value = ", ".join([sent, *map(write, added)])
    read = list(forwarded_from_right([value]))
    assert read[: len(added)] == added[::-1]


@given(st.lists(ANYTHING, max_size=3))
def test_whatever_arrives_is_read_without_an_error(values: list[str]) -> None:
    read = list(forwarded_from_right(values))
    assert None not in read[:-1]
    if None not in read:
        assert read[::-1] == [dict(element) for element in parse_forwarded(values)]


@pytest.mark.parametrize(
    ("before", "again", "behind"),
    [
        ("", ",", '"'),
        ('x="', ",y=", '"'),
        ("", 'a="b",', '"'),
        ("", "a=b;", "x"),
        ('a="', ',\\"', ""),
        ("", ",a=", '"'),
    ],
)
def test_the_time_is_linear(before: str, again: str, behind: str) -> None:
    assert_linear(lambda size: before + again * size + behind, lambda value: list(forwarded_from_right([value])))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:4711\t", "192.0.2.1"),
        ("192.0.2.1:_abc", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ],
)
def test_an_address_is_read_of_a_node(text: str, address: str) -> None:
    assert parse_node(text) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    """ unknown _hidden example.org 1.2.3 1.2.3.04 1.2.3.4: 1.2.3.4:123456 1.2.3.4:a 1.2.3.4/8 1.2.3.4\t1.2.3.4
    [::1 [::1]80 [::1]] ::1] [] fe80::1%eth0 [fe80::1%1] [1.2.3 \u0661.2.3.4""".replace("\n", "").split(" "),
)
def test_all_other_nodes_have_no_address(text: str) -> None:
    assert parse_node(text) is None


@given(st.text())
def test_whatever_is_no_node_is_none(text: str) -> None:
    parse_node(text)
    parse_address(text)
