"""Secrets, known by their names, and how they are kept out of sight."""

from __future__ import annotations

import time

import pytest

from aioweb.server.masking import is_secret, mask, mask_source

NAMES = ["password", "DB_PASSWORD", "passwd", "pwd", "client_secret", "token", "csrf_token", "Authorization"]
NAMES += ["Proxy-Authorization", "Cookie", "set-cookie", "X-Api-Key", "apikey", "private_key", "credentials"]
NAMES += ["session_id", "auth", "basic-auth"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["author", "request", "passenger", "key", "Host", "X-Request-ID", "pass_through"])
def test_other_names_are_not_secret(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "spelled",
    [
        "{name}=hunter2",
        "{name}: hunter2",
        "a=1&{name}=hunter2&b=2",
        "{{'{name}': 'hunter2'}}",
        "Settings({name}='hunter2', port=1)",
        "<CIMultiDict('{name}': 'hunter2', 'Host': 'a')>",
        "[('{name}', 'hunter2'), ('a', 'b')]",
        "[(b'{name}', b'hunter2')]",
        "{{'{name}': 'a \\'hunter2'}}",
        '{{"{name}": "a \\"hunter2"}}',
        "{{'{name}': 'hunter2",
        "{{'{name}': 'hunter2\\",
        "{name}: Bearer hunter2",
    ],
)
def test_the_value_of_such_a_name_is_masked(name: str, spelled: str) -> None:
    masked = mask(spelled.format(name=name))
    assert "hunter2" not in masked
    assert "***" in masked
    assert name in masked


def test_the_rest_of_a_text_stays() -> None:
    assert mask("a=1&token=x&b=2") == "a=1&token=***&b=2"
    assert mask("{'token': 'x', 'b': 'y'}") == "{'token': ***, 'b': 'y'}"
    assert mask("the token is wrong") == "the token is wrong"


def test_of_source_only_literals_are_masked() -> None:
    assert mask_source("password = 'hunter2'  # why") == "password = ***  # why"
    assert mask_source('connect(token="a", host="b")') == 'connect(token=***, host="b")'
    assert mask_source("password = request.query['p']") == "password = request.query['p']"


@pytest.mark.parametrize(
    "text", ["token" * 20_000, "token='" + "\\" * 99_999, "token=" + " " * 99_999, "a" * 99_999], ids=range(4)
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    mask(text)
    mask_source(text)
    assert time.process_time() - started < 2
