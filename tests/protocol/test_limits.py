"""The one class with every number. That each limit holds, at n and n + 1, is tested where it is read."""

from __future__ import annotations

import math
import re
from pathlib import Path

import attrs
import pytest

from aioweb.protocol import limits
from aioweb.protocol.limits import Limits

TIMES = [field.name for field in attrs.fields(Limits) if field.name.endswith(("_timeout", "_time"))]
SIZES = [field.name for field in attrs.fields(Limits) if field.name not in TIMES]


def test_the_defaults_are_safe():
    defaults = attrs.asdict(Limits())
    # These two bound what the application spends, not what a client can make the server hold: it has to say how much.
    assert (defaults.pop("requests"), defaults.pop("handler_timeout")) == (0, None)
    assert all(defaults[name] > 0 for name in SIZES if name in defaults)
    assert all(defaults[name] is not None for name in TIMES if name in defaults)
    # What trusted servers allow bounds us too: SECURITY.md, "Defaults that others chose".
    assert max(defaults["line"], defaults["field"]) <= 8192
    assert defaults["fields"] <= 128
    assert max(defaults["head"], defaults["trailers"]) <= 65536
    assert max(defaults[name] for name in TIMES if name in defaults) <= 75


def test_every_limit_tells_its_unit_and_reason():
    source = Path(limits.__file__).read_text()
    for name in [*SIZES, *TIMES]:
        assert re.search(rf'^    {name}: [^\n]+\n    """[A-Z]', source, re.MULTILINE), name


def test_limits_are_keyword_only_and_never_change():
    with pytest.raises(TypeError):
        Limits(1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Limits().line = 1
    with pytest.raises(TypeError):
        Limits(lines=1)


def test_equal_limits_are_equal():
    assert Limits(line=1) == Limits(line=1) != Limits(line=2)


@pytest.mark.parametrize("name", SIZES)
def test_a_size_is_a_whole_number(name):
    for good in (0, 1, 2**40):
        assert getattr(Limits(**{name: good}), name) == good
    for bad in (-1, 1.0, "1", None, True, math.inf):
        with pytest.raises(
            ValueError, match=rf"Limits\.{name} is a whole number, 0 or more, not {re.escape(repr(bad))}"
        ):
            Limits(**{name: bad})


@pytest.mark.parametrize("name", TIMES)
def test_a_time_is_a_number_of_seconds_or_none(name):
    for good in (None, 1, 0.001, 3600.0):
        assert getattr(Limits(**{name: good}), name) == good
    for bad in (0, -1, -0.5, "1", True, False, math.nan):
        with pytest.raises(ValueError, match=rf"Limits\.{name} is a number of seconds above 0, or None, not"):
            Limits(**{name: bad})
