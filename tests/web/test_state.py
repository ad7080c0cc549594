"""State: typed keys, and a mapping that is made by its first write."""

from __future__ import annotations

from collections.abc import MutableMapping

import pytest

from aioweb.web.response import Response
from aioweb.web.state import NO_STATE, ResponseKey


def test_a_response_is_a_mapping_for_those_it_passes() -> None:
    response = Response()
    key = ResponseKey("count", int)
    assert len(response) == 0
    assert response
    assert "a" not in response
    assert response.get("a", 5) == 5
    with pytest.raises(KeyError):
        response["a"]
    with pytest.raises(KeyError):
        del response["a"]
    response["a"] = 1
    response[key] = 2
    response.update(b=3)
    assert response.setdefault("b", 4) == 3
    assert dict(response) == {"a": 1, key: 2, "b": 3}
    assert response.pop("b") == 3
    del response["a"]
    assert list(response.items()) == [(key, 2)]
    assert isinstance(response, MutableMapping)
    assert len(Response()) == 0
    assert not NO_STATE


def test_a_response_equals_only_itself() -> None:
    first, second = Response(), Response()
    assert first != second
    assert len({first, second, first}) == 2


def test_keys_of_one_name_are_two_keys() -> None:
    first, second = ResponseKey("a", int), ResponseKey[int]("a")
    response = Response()
    response[first], response[second] = 1, 2
    assert (response[first], response[second]) == (1, 2)
    assert (repr(first), repr(second)) == ("<ResponseKey(a, type=int)>", "<ResponseKey(a)>")
