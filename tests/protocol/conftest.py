"""The fixture that runs a module of tests in both tongues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.protocol.tongues import TONGUES, speaking


@pytest.fixture(scope="module", params=TONGUES)
def tongue(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every function that has a twin is spoken in this tongue: "Python", then "C"."""
    with speaking(request.param):
        yield request.param
