"""The fixture that runs a module of tests in both tongues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.protocol.tongues import ALL, TONGUES


@pytest.fixture(scope="module", params=TONGUES)
def tongue(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every function that has a twin is spoken in this tongue: "Python", then "C"."""
    with pytest.MonkeyPatch.context() as patch:
        for twins in ALL:
            function = twins.spoken(request.param)
            for user in twins.users:
                patch.setattr(user, twins.name, function)
        yield request.param
