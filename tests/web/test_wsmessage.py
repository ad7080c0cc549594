"""Messages of a WebSocket and their types, by old and new names."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import aioweb
from aioweb import web
from aioweb.web.wsmessage import CLOSED_MESSAGE, CLOSING_MESSAGE, END


def test_a_message_is_its_type_its_data_and_an_extra() -> None:
    kind, data, extra = message = web.WSMessage(web.WSMsgType.CLOSE, 1000, "bye")
    assert (kind, data, extra) == (web.WSMsgType.CLOSE, 1000, "bye")
    assert message.tp is message.type is web.WSMsgType.CLOSE


def test_text_is_read_as_json_by_what_one_likes() -> None:
    message = web.WSMessage(web.WSMsgType.TEXT, '{"price": 1.10}')
    assert message.json() == {"price": 1.1}
    assert message.json(loads=lambda text: json.loads(text, parse_float=Decimal)) == {"price": Decimal("1.10")}
    with pytest.raises(ValueError, match="Expecting value"):
        web.WSMessage(web.WSMsgType.TEXT, "no JSON").json()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CONTINUATION", 0),
        ("TEXT", 1),
        ("BINARY", 2),
        ("CLOSE", 8),
        ("PING", 9),
        ("PONG", 10),
        ("CLOSED", 20),
        ("ERROR", 21),
        ("CLOSING", 22),
    ],
)
def test_every_type_has_its_number_and_its_name_of_2015(name: str, number: int) -> None:
    assert web.WSMsgType[name] == number
    assert getattr(web.MsgType, name.lower()) is web.WSMsgType[name]


def test_the_types_are_at_the_root_too() -> None:
    assert aioweb.MsgType is aioweb.WSMsgType is web.WSMsgType is web.MsgType


def test_nothing_follows_these_types() -> None:
    assert {CLOSED_MESSAGE.type, CLOSING_MESSAGE.type, web.WSMsgType.CLOSE, web.WSMsgType.ERROR} == END


def test_close_codes_have_names() -> None:
    assert web.WSCloseCode.OK == 1000
    assert web.WSCloseCode.GOING_AWAY == 1001
    assert web.WSCloseCode.MESSAGE_TOO_BIG == 1009
    assert web.WSCloseCode.TRY_AGAIN_LATER == 1013


@pytest.mark.parametrize("kind", [str, str.encode])
def test_what_is_nested_too_deeply_is_no_json(kind: Callable[[str], Any]) -> None:
    with pytest.raises(json.JSONDecodeError, match="Nested too deeply") as caught:
        web.WSMessage(web.WSMsgType.TEXT, kind("[" * 100_000)).json()
    assert isinstance(caught.value, ValueError)
