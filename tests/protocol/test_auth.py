"""Basic credentials: RFC 7617."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.auth import BasicAuth


def header(credentials: bytes) -> str:
    return f"Basic {b64encode(credentials).decode()}"


def test_credentials_are_a_tuple_with_defaults():
    auth = BasicAuth("nkim")
    assert auth == ("nkim", "", "latin1")
    assert (auth.login, auth.password, auth.encoding) == auth


def test_the_example_of_the_rfc_is_written_and_read():
    auth = BasicAuth("Aladdin", "open sesame")
    assert auth.encode() == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert BasicAuth.decode("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == auth


def test_a_password_may_hold_colons_and_be_empty():
    assert BasicAuth.decode(header(b"a:b:c")) == BasicAuth("a", "b:c")
    assert BasicAuth.decode(header(b"a:")) == BasicAuth("a", "")
    assert BasicAuth.decode(header(b":")) == BasicAuth("", "")


def test_the_scheme_has_no_case_and_may_be_followed_by_spaces():
    assert BasicAuth.decode(header(b"a:b").replace("Basic ", "bASIC   ")) == BasicAuth("a", "b")


def test_the_encoding_is_the_callers():
    octets = "имя:пароль".encode()
    assert BasicAuth.decode(header(octets), encoding="utf-8") == BasicAuth("имя", "пароль", "utf-8")
    assert BasicAuth("имя", "пароль", "utf-8").encode() == header(octets)
    with pytest.raises(ValueError):
        BasicAuth("имя").encode()


@pytest.mark.parametrize(
    ("login", "password"),
    [(None, "x"), ("x", None), (b"x", "y"), ("a:b", "x"), ("a\n", "x"), ("a", "x\0"), ("a\x7f", "")],
)
def test_impossible_credentials_are_refused(login, password):
    with pytest.raises(ValueError):
        BasicAuth(login, password)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Bearer QTpC",
        "BasicQTpC",
        "Basic\tQTpC",
        "Basic QTp",
        "Basic QTpC=",
        "Basic Q TpC",
        "Basic QTpC, Basic QTpC",
        "Basic ключ",
        "Basic \udce9",
        header(b"no colon"),
        header(b"a\nb:c"),
        header(b"a:\x00"),
    ],
)
def test_junk_is_a_value_error(value):
    with pytest.raises(ValueError):
        BasicAuth.decode(value)


def test_octets_that_are_not_of_the_encoding_are_a_value_error():
    with pytest.raises(ValueError, match="not utf-8") as caught:
        BasicAuth.decode(header(b"secret:\xff"), encoding="utf-8")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_password_stays_out_of_the_repr():
    assert "sesame" not in repr(BasicAuth("Aladdin", "open sesame"))


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))


@given(printable.filter(lambda text: ":" not in text), printable)
def test_what_is_written_is_read_back(login, password):
    auth = BasicAuth(login, password)
    assert BasicAuth.decode(auth.encode()) == auth


@given(st.text() | st.binary().map(header))
def test_any_text_is_credentials_or_a_value_error(value):
    try:
        assert isinstance(BasicAuth.decode(value), BasicAuth)
    except ValueError:
        pass
