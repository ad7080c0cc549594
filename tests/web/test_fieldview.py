"""What every message with fields says about its content (FEATURES.md, D11)."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from aioweb.web.fieldview import FieldView


class Message(FieldView):
    __slots__ = ("_headers",)

    def __init__(self, **fields):
        self._headers = CIMultiDictProxy(CIMultiDict({k.replace("_", "-"): v for k, v in fields.items()}))

    @property
    def headers(self):
        return self._headers


def test_a_message_without_fields_has_the_defaults():
    message = Message()
    assert message.content_type == "application/octet-stream"
    assert message.charset is None
    assert message.content_length is None


def test_content_type_and_charset_are_read():
    message = Message(content_type='Text/HTML; charset="UTF-8"')
    assert (message.content_type, message.charset) == ("text/html", "UTF-8")


@pytest.mark.parametrize("junk", ["", "text", "text/html, text/plain", "; charset=utf-8"])
def test_a_junk_content_type_is_that_of_unknown_content(junk):
    message = Message(content_type=junk)
    assert (message.content_type, message.charset) == ("application/octet-stream", None)


@pytest.mark.parametrize(
    ("value", "length"),
    [("0", 0), ("0012", 12), ("9" * 18, 10**18 - 1)],
)
def test_content_length_is_a_number(value, length):
    assert Message(content_length=value).content_length == length


@pytest.mark.parametrize("value", ["", "-1", "+1", "1_0", "1.0", "0x1", "١", "1, 1", "1\n", "9" * 19, "9" * 5000])
def test_a_junk_content_length_is_none(value):
    assert Message(content_length=value).content_length is None


def test_changed_headers_are_seen_at_once():
    message = Message(content_type="text/html")
    assert message.content_type == "text/html"
    message._headers = CIMultiDict({"CONTENT-TYPE": "text/plain"})
    assert message.content_type == "text/plain"


def test_the_mixin_has_no_state_and_no_headers_of_its_own():
    assert FieldView.__slots__ == ()
    assert not hasattr(Message(), "__dict__")
    with pytest.raises(NotImplementedError):
        FieldView().content_type  # noqa: B018
