"""Cookies: what browsers send, what servers may set (RFC 6265; FEATURES.md D9, F7 to F9, F18)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.cookies import EXPIRED, ResponseCookies, SetCookie, parse_cookie

# -- Cookie ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cookies"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; b=2;c=3 ;\td=4", {"a": "1", "b": "2", "c": "3", "d": "4"}),
        ("a=", {"a": ""}),
        ('a=""', {"a": ""}),
        ("a=b=c==", {"a": "b=c=="}),
        ("a = b", {"a": "b"}),
        ("a=b c, d", {"a": "b c, d"}),
        ("a=ключ", {"a": "ключ"}),
        ("a=\udcff", {"a": "\udcff"}),
        ('a="b c"', {"a": "b c"}),
        (r'a="\"\\\073\054\351\x"', {"a": '"\\;,éx'}),
        (r'a="\012"', {"a": "\n"}),
        (r'a="\400\08"', {"a": "40008"}),
        ('a="\\"', {"a": "\\"}),
        ('a="', {"a": '"'}),
        ('a="b', {"a": '"b'}),
        ('a=b"', {"a": 'b"'}),
        (r"a=\073", {"a": r"\073"}),
        # Names that are about, though no tokens.
        ("a[b]=1; x/y=2; u:v=3; (z)=4; p@q=5", {"a[b]": "1", "x/y": "2", "u:v": "3", "(z)": "4", "p@q": "5"}),
        # Attributes mean nothing here.
        ("$Version=1; a=b; $Path=/; Path=/; HttpOnly", {"$Version": "1", "a": "b", "$Path": "/", "Path": "/"}),
        # Bad ones beside good ones.
        (";;; ;a=1;;", {"a": "1"}),
        ("junk; a=1; more junk", {"a": "1"}),
        ("a b=1; c=2", {"c": "2"}),
        ('"a"=1; c=2', {"c": "2"}),
        ("a,b=1; c=2", {"c": "2"}),
        ("ключ=1; c=2", {"c": "2"}),
        ("a=\x00; b=\r\n; c=2; d\x7f=3", {"c": "2"}),
        ("a=1\t2", {"a": "1\t2"}),
    ],
)
def test_cookies_are_read(value, cookies):
    assert parse_cookie(value) == cookies


def test_of_one_name_the_first_counts_as_its_path_is_the_longest():
    assert parse_cookie("a=deep; b=1; a=shallow") == {"a": "deep", "b": "1"}


def test_a_bad_cookie_does_not_hide_a_good_one_of_its_name():
    assert parse_cookie("a=\x01; a=good") == {"a": "good"}


@pytest.mark.parametrize("nameless", ["=__Host-a=evil", "==__Host-a=evil", " =x", "=", "__Host-a"])
def test_a_nameless_cookie_is_dropped_and_shadows_nothing_cve_2023_23934(nameless):
    assert parse_cookie(f"{nameless}; __Host-a=good") == {"__Host-a": "good"}


@pytest.mark.parametrize("space", ["\u2003", "\xa0", "\u3000", "\x85", "\x0b", "\x1f", "\u200b"])
def test_other_white_space_does_not_make_a_host_cookie(space):
    assert parse_cookie(f"{space}__Host-a=evil; __Host-a{space}=evil; b=1") == {"b": "1"}


def test_a_quote_does_not_swallow_the_cookies_behind_it():
    assert parse_cookie('a="x; session=secret; b=y"') == {"a": '"x', "session": "secret", "b": 'y"'}


def test_the_number_of_cookies_is_bounded():
    value = ";".join(f"c{number}=x" for number in range(513))
    assert len(parse_cookie(value)) == 512
    assert parse_cookie("a=1;b=2;c=3", limit=2) == {"a": "1", "b": "2"}


@given(st.text(st.sampled_from(list('ab=;"\\ \t017,\x00é'))) | st.text())
def test_any_text_is_cookies(value):
    for name, text in parse_cookie(value).items():
        assert name
        assert isinstance(text, str)


# -- Set-Cookie ------------------------------------------------------------------------------------------------------


def test_every_attribute_is_written():
    cookie = SetCookie(
        "a",
        "b",
        path="/p",
        domain="example.com",
        expires="Thu, 01 Jan 2026 00:00:00 GMT",
        max_age=10,
        secure=True,
        httponly=True,
        samesite="lax",
        partitioned=True,
        version=1,
    )
    assert cookie.encode() == (
        "a=b; Domain=example.com; expires=Thu, 01 Jan 2026 00:00:00 GMT; HttpOnly; Max-Age=10; Partitioned; Path=/p;"
        " SameSite=Lax; Secure; Version=1"
    )


def test_the_spelling_is_that_of_the_standard_library():
    items = {"path": "/p", "domain": "d", "expires": "123", "max-age": 0, "secure": True, "httponly": True}
    items |= {"samesite": "Strict", "version": "2.0"}
    theirs, ours = SimpleCookie(), ResponseCookies()
    for cookies in (theirs, ours):
        cookies["a"] = "b"
        for key, value in items.items():
            cookies["a"][key] = value
    assert str(ours) == str(theirs)
    assert ours["a"].OutputString() == theirs["a"].OutputString()
    assert ours["a"].output(header="X:") == theirs["a"].output(header="X:")
    assert all(ours["a"][key] == theirs["a"][key] for key in items)
    assert ours["a"].key == theirs["a"].key
    assert ours["a"].coded_value == theirs["a"].coded_value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a/b+c==", "a/b+c=="),
        ("{x}(y)<z>@?", "{x}(y)<z>@?"),
        (5, "5"),
        (" a b ", '" a b "'),
        ("a;b", r'"a\073b"'),
        ("a,b", r'"a\054b"'),
        ('"', r'"\""'),
        ("\\", r'"\\"'),
        ("a\tb", r'"a\011b"'),
        ("é", r'"\351"'),
        ("ж", '"ж"'),
    ],
)
def test_a_value_that_is_no_cookie_value_is_quoted(value, written):
    assert SetCookie("a", value).encode() == f"a={written}"


safe_text = st.text(st.characters(exclude_categories=["Cs"]).filter(lambda c: c == "\t" or (c >= " " and c != "\x7f")))


@given(safe_text)
def test_what_is_set_comes_back_from_a_browser(value):
    wire = SetCookie("a", value).encode().encode("utf-8", "surrogateescape")
    assert b";" not in wire
    kept_by_the_browser = wire.partition(b";")[0].strip(b" \t")
    assert parse_cookie(kept_by_the_browser.decode("utf-8", "surrogateescape") + "; z=1") == {"a": value, "z": "1"}


@given(safe_text)
def test_what_is_set_is_understood_by_the_standard_library(value):
    theirs = SimpleCookie()
    theirs["a"] = value
    assert parse_cookie(theirs["a"].OutputString()) == {"a": value}


@given(st.text())
def test_any_value_is_written_or_refused_at_once(value):
    try:
        cookie = SetCookie("a", value)
    except ValueError:
        assert any(character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff" for character in value)
    else:
        assert cookie.encode().isprintable() or not value.isprintable()


BAD = ["\r\nX: y", "a\rb", "a\nb", "a\0b", "a\x1bb", "a\x7fb"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("attribute", ["value", "path", "domain", "expires", "samesite", "version", "max_age"])
def test_controls_are_refused_when_set_cve_2026_3644(attribute, bad):
    cookie = SetCookie("sid", "x", path="/")
    before = cookie.encode()
    with pytest.raises(ValueError) as caught:
        setattr(cookie, attribute, bad)
    assert "'sid'" in str(caught.value)
    assert attribute in str(caught.value)
    assert not set(str(caught.value)) & set("\r\n\0\x1b\x7f")
    assert cookie.encode() == before
    with pytest.raises(ValueError):
        SetCookie(**{"name": "sid", "value": "x", attribute: bad})


@pytest.mark.parametrize("attribute", ["path", "domain", "expires", "samesite", "version", "max-age"])
def test_an_attribute_does_not_smuggle_another_one(attribute):
    cookies = ResponseCookies({"sid": "x"})
    with pytest.raises(ValueError, match="sid"):
        cookies["sid"][attribute] = "1; HttpOnly"
    with pytest.raises(ValueError, match="sid"):
        cookies["sid"][attribute] = "ю"


@pytest.mark.parametrize(
    "name", ["", "a b", "a=b", "a;b", "a,b", '"a"', "a\n", "\0", "ключ", "a/b", "(a)", None, 5, b"a"]
)
def test_a_name_that_is_no_token_is_refused(name):
    with pytest.raises(ValueError, match="name is not a token"):
        SetCookie(name, "x")


def test_a_name_with_a_colon_is_legal_as_it_is_for_the_standard_library():
    assert SetCookie("ns:a", "x").encode() == "ns:a=x"


def test_the_name_never_changes():
    with pytest.raises(AttributeError):
        SetCookie("a", "x").name = "b"


@pytest.mark.parametrize("value", [None, b"x", 1.5, "\ud800"])
def test_a_value_that_is_no_text_is_refused(value):
    with pytest.raises(ValueError, match="cookie 'a': value"):
        SetCookie("a", value)


def test_octets_that_a_client_sent_can_be_sent_back():
    received = b"a=\xff\xc3".decode("utf-8", "surrogateescape")
    cookie = SetCookie("a", parse_cookie(received)["a"])
    assert cookie.encode().encode("utf-8", "surrogateescape") == b'a="\xff\xc3"'


@pytest.mark.parametrize("max_age", [True, 1.5, "1.5", "١", "+1", "1_0", "", None, "9" * 19, "9" * 5000])
def test_max_age_is_a_whole_number(max_age):
    if max_age in ("", None):
        assert SetCookie("a", "x", max_age=max_age).max_age is None
        return
    with pytest.raises(ValueError, match="cookie 'a': max_age"):
        SetCookie("a", "x", max_age=max_age)


def test_max_age_may_be_text_zero_or_negative():
    assert SetCookie("a", "x", max_age="10").max_age == 10
    assert SetCookie("a", "x", max_age=0).encode() == "a=x; Max-Age=0"
    assert SetCookie("a", "x", max_age="-1").encode() == "a=x; Max-Age=-1"


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1994, 11, 6, 8, 49, 37),
        datetime(1994, 11, 6, 8, 49, 37, 999, tzinfo=timezone.utc),
        datetime(1994, 11, 6, 11, 49, 37, tzinfo=timezone(timedelta(hours=3))),
    ],
)
def test_expires_may_be_a_datetime(moment):
    assert SetCookie("a", "x", expires=moment).encode() == "a=x; expires=Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("given_", "kept"), [("STRICT", "Strict"), ("lax", "Lax"), ("nOnE", "None"), ("", ""), (None, None)]
)
def test_samesite_has_no_case(given_, kept):
    assert SetCookie("a", "x", samesite=given_).samesite == kept


@pytest.mark.parametrize("samesite", ["Strictly", "yes", True, 1])
def test_samesite_is_one_of_three(samesite):
    with pytest.raises(ValueError, match="cookie 'a': samesite must be Strict, Lax or None"):
        SetCookie("a", "x", samesite=samesite)


@pytest.mark.parametrize(
    ("name", "attributes", "missing"),
    [
        ("a", {"samesite": "None"}, "SameSite=None needs secure"),
        ("a", {"partitioned": True}, "Partitioned needs secure"),
        ("__Secure-a", {"path": "/"}, "__Secure- needs secure"),
        ("__secure-a", {"path": "/"}, "__Secure- needs secure"),
        ("__Host-a", {"path": "/"}, "__Host- needs secure"),
        ("__HOST-a", {"path": "/"}, "__Host- needs secure"),
        ("__Host-a", {"secure": True, "path": "/a"}, "__Host- needs path"),
        ("__Host-a", {"secure": True}, "__Host- needs path"),
        ("__Host-a", {"secure": True, "path": "/", "domain": "example.com"}, "no domain"),
    ],
)
def test_what_browsers_would_refuse_is_not_written(name, attributes, missing):
    cookie = SetCookie(name, "x", **attributes)
    with pytest.raises(ValueError, match=missing) as caught:
        cookie.encode()
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("a", {"samesite": "None", "secure": True, "partitioned": True}),
        ("__Secure-a", {"secure": True, "path": "/a", "domain": "example.com"}),
        ("__Host-a", {"secure": True, "path": "/"}),
        ("__Hostess", {}),
    ],
)
def test_what_browsers_accept_is_written(name, attributes):
    assert SetCookie(name, "x", **attributes).encode().startswith(f"{name}=x")


def test_attributes_are_items_in_any_case():
    cookie = SetCookie("a", "x")
    assert set(cookie) == set(cookie.keys()) == {*SimpleCookie("a=x")["a"].keys(), "partitioned"} - {"comment"}
    assert "Path" not in cookie.keys()  # noqa: SIM118
    assert all(cookie[key] == "" for key in cookie)
    cookie["Max-Age"] = "5"
    cookie["HTTPONLY"] = 1
    assert (cookie.max_age, cookie["max-age"], cookie.get("MAX-AGE")) == (5, 5, 5)
    assert cookie.httponly is cookie["httponly"] is True
    del cookie["max-age"]
    del cookie["httponly"]
    assert cookie == SetCookie("a", "x")
    assert cookie.get("color", "none") == "none"


def test_an_unknown_attribute_is_refused():
    cookie = SetCookie("a", "x")
    with pytest.raises(ValueError, match="'color' is no attribute"):
        cookie["color"] = "red"
    with pytest.raises(KeyError):
        cookie["color"]
    with pytest.raises(AttributeError):
        cookie.color = "red"


# -- response.cookies ------------------------------------------------------------------------------------------------


@pytest.fixture
def cookies():
    return ResponseCookies()


def test_cookies_are_a_mapping(cookies):
    assert cookies == {}
    assert not cookies
    assert str(cookies) == ""
    cookies["a"] = "1"
    cookies["b"] = SetCookie("b", "2", path="/")
    assert list(cookies) == ["a", "b"]
    assert cookies["a"].value == "1"
    assert str(cookies) == "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/"
    assert repr(cookies) == "<ResponseCookies a b>"
    del cookies["a"]
    assert "a" not in cookies
    assert cookies.get("a") is None
    with pytest.raises(KeyError):
        cookies["a"]


def test_a_set_cookie_under_another_name_is_refused(cookies):
    with pytest.raises(ValueError, match="another name, 'b'"):
        cookies["a"] = SetCookie("b", "1")


def test_a_cookie_is_set_for_the_whole_site(cookies):
    assert cookies.set("a", "1") is cookies["a"]
    assert str(cookies) == "Set-Cookie: a=1; Path=/"


def test_set_changes_only_the_given_fields(cookies):
    cookies.set("a", "1", path="/p", domain="d", max_age=5, secure=True, httponly=True, samesite="Lax", expires="123")
    cookies.set("a", "2", path=None, httponly=False, max_age="6")
    assert str(cookies) == "Set-Cookie: a=2; Domain=d; expires=123; Max-Age=6; Path=/p; SameSite=Lax; Secure"
    cookies.set("a", "3", version="2.0", partitioned=True)
    assert str(cookies) == (
        "Set-Cookie: a=3; Domain=d; expires=123; Max-Age=6; Partitioned; Path=/; SameSite=Lax; Secure; Version=2.0"
    )


def test_a_refused_set_changes_nothing(cookies):
    cookies.set("a", "1", path="/p")
    for attributes in ({"samesite": "none"}, {"partitioned": True}, {"domain": "x;y"}, {"max_age": "soon"}):
        with pytest.raises(ValueError):
            cookies.set("a", "2", **attributes)
    with pytest.raises(ValueError):
        cookies.set("__Host-b", "2")
    assert str(cookies) == "Set-Cookie: a=1; Path=/p"


def test_an_assigned_value_keeps_the_attributes(cookies):
    cookies.set("a", "1", path="/p")
    cookie = cookies["a"]
    cookies["a"] = "2"
    cookies["a"]["max-age"] = 10
    assert cookie.encode() == "a=2; Max-Age=10; Path=/p"


def test_a_deleted_cookie_is_empty_and_expired(cookies):
    cookies.set("a", "1", httponly=True)
    assert cookies.delete("a") is cookies["a"]
    assert cookies["a"].is_deletion
    assert str(cookies) == f"Set-Cookie: a=; expires={EXPIRED}; Max-Age=0; Path=/"
    cookies.delete("a", path="/p", domain="d", secure=True, httponly=True, samesite="None")
    assert str(cookies) == (
        f"Set-Cookie: a=; Domain=d; expires={EXPIRED}; HttpOnly; Max-Age=0; Path=/p; SameSite=None; Secure"
    )


@pytest.mark.parametrize("revive", [lambda c: c.set("a", "2", path=None), lambda c: c.__setitem__("a", "2")])
def test_a_deleted_cookie_starts_anew(cookies, revive):
    cookies.delete("a", path="/p")
    revive(cookies)
    assert str(cookies) == "Set-Cookie: a=2"


@pytest.mark.parametrize("name", ["__Host-a", "__secure-a"])
def test_deleting_a_prefixed_cookie_is_heard_by_browsers(cookies, name):
    cookies.delete(name)
    assert str(cookies).endswith("; Path=/; Secure")


def test_a_deletion_that_browsers_would_refuse_is_refused(cookies):
    with pytest.raises(ValueError, match="needs path"):
        cookies.delete("__Host-a", path="/p")
    assert cookies == {}


def test_cookies_are_loaded_from_text_with_their_attributes(cookies):
    cookies.load(r'Path=/lost; a=1; Path=/p; Max-Age=5; HttpOnly; b="\073"; secure; color; ; c=')
    assert str(cookies) == (
        'Set-Cookie: a=1; HttpOnly; Max-Age=5; Path=/p\r\nSet-Cookie: b="\\073"; Secure\r\nSet-Cookie: c='
    )


def test_cookies_are_loaded_from_a_mapping(cookies):
    cookies.load({"a": "1", "b": SetCookie("b", "2", path="/")})
    assert str(ResponseCookies(cookies)) == str(cookies) == "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/"


def test_loading_what_cannot_be_written_is_refused(cookies):
    with pytest.raises(ValueError, match="max_age"):
        cookies.load("a=1; Max-Age=soon")
    with pytest.raises(ValueError, match="token"):
        cookies.load("a b=1")
