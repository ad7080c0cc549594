"""Admission: who comes in, who waits, who is refused, and who has to make room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aioweb.protocol.errors import ProtocolError
from aioweb.protocol.limits import Limits
from aioweb.server.admission import Admission, Arrivals, WhenFull
from aioweb.server.server import Server
from tests.server.fake_transport import hello

LIMIT = 3
PATIENCE = 0.1


class Guest:
    """A connection at the door of a house."""

    def __init__(self, house: House, deadline: float = 0.0, quiet: bool = False) -> None:
        self.house = house
        self.deadline = deadline
        self.quiet = quiet
        self.state = "new"

    def admit(self) -> None:
        self.state = "admitted"

    def hold(self) -> None:
        self.state = "waiting"

    def refuse(self, error: ProtocolError) -> None:
        self.state = f"refused {error.status}"

    def close(self) -> None:
        self.state = "closed"
        self.quiet = False

    def leave(self) -> None:
        self.house.guests.discard(self)
        self.house.admission.leave(self)


class House:
    """A server, as its door sees it: also a listener, which counts."""

    def __init__(self, when_full: WhenFull) -> None:
        self.guests: set[Any] = set()
        self.arriving = Arrivals(PATIENCE)
        self.paused: list[bool] = []
        self.admission = Admission(
            LIMIT,
            when_full,
            present=self.guests,
            arriving=self.arriving,
            listeners={self},
            logger=logging.getLogger("aioweb.server"),
        )

    def pause(self) -> None:
        self.paused.append(True)

    def resume(self) -> None:
        self.paused.append(False)

    def come(self, **options: Any) -> Guest:
        """Somebody comes: first he is on the way in, then he is there."""
        guest = Guest(self, **options)
        self.expect(guest)
        self.arriving.discard(guest)
        self.guests.add(guest)
        self.admission.enter(guest)
        return guest

    def expect(self, who: object) -> None:
        self.arriving.add(who, asyncio.get_running_loop().time())
        self.admission.knock(asyncio.get_running_loop().time())

    def fill(self, **options: Any) -> list[Guest]:
        return [self.come(**options) for _ in range(LIMIT)]


@pytest.fixture
async def waiting() -> AsyncIterator[House]:
    house = House("wait")
    yield house
    house.admission.open_wide()


@pytest.fixture
async def refusing() -> AsyncIterator[House]:
    house = House("refuse")
    yield house
    house.admission.open_wide()


def states(guests: list[Guest]) -> list[str]:
    return [guest.state for guest in guests]


async def test_as_many_as_there_are_places_come_in_and_listeners_are_left_alone(waiting: House) -> None:
    assert states(waiting.fill()) == ["admitted"] * LIMIT
    await asyncio.sleep(0)
    assert waiting.paused == []


async def test_others_wait_in_order_while_nobody_is_accepted(waiting: House) -> None:
    inside = waiting.fill()
    outside = [waiting.come(), waiting.come()]
    await asyncio.sleep(0)
    assert waiting.paused == [True]
    assert states(outside) == ["waiting"] * 2
    inside[0].leave()
    assert states(outside) == ["admitted", "waiting"]
    assert waiting.paused == [True]
    inside[1].leave()
    assert states(outside) == ["admitted"] * 2
    assert waiting.paused == [True, False]


async def test_who_leaves_while_he_waits_is_forgotten(waiting: House) -> None:
    inside = waiting.fill()
    first, second = waiting.come(), waiting.come()
    first.leave()
    inside[0].leave()
    assert (first.state, second.state) == ("waiting", "admitted")


async def test_a_place_that_is_free_before_the_listeners_have_paused_does_not_pause_them(waiting: House) -> None:
    inside = waiting.fill()
    guest = waiting.come()
    inside[0].leave()
    await asyncio.sleep(0)
    assert guest.state == "admitted"
    assert waiting.paused[-1:] in ([], [False])


async def test_the_one_that_is_idle_for_longest_makes_room(waiting: House) -> None:
    inside = [waiting.come(deadline=deadline, quiet=deadline < 3) for deadline in (2, 1, 3)]
    first, second, third = waiting.come(), waiting.come(), waiting.come()
    assert states(inside) == ["closed", "closed", "admitted"]
    inside[1].leave()
    inside[0].leave()
    assert states([first, second, third]) == ["admitted", "admitted", "waiting"]


async def test_who_has_become_busy_since_he_was_seen_stays(waiting: House) -> None:
    inside = [waiting.come(deadline=deadline, quiet=True) for deadline in range(LIMIT)]
    waiting.come()
    inside[1].quiet = False
    waiting.come()
    assert states(inside) == ["closed", "admitted", "closed"]


async def test_who_becomes_idle_later_makes_room_for_who_waits(waiting: House) -> None:
    inside = waiting.fill()
    guest = waiting.come()
    inside[2].quiet = True
    while inside[2].state != "closed":
        await asyncio.sleep(0.01)
    inside[2].leave()
    assert guest.state == "admitted"


async def test_handshakes_take_places_and_a_failed_one_gives_it_back(waiting: House) -> None:
    for number in range(LIMIT):
        waiting.expect(number)
    await asyncio.sleep(0)
    assert waiting.paused == []
    waiting.expect("one more")
    await asyncio.sleep(0)
    assert waiting.paused == [True]
    while waiting.paused != [True, False]:  # nobody tells the server that they will not come
        await asyncio.sleep(0.01)


async def test_others_are_refused_and_take_no_place(refusing: House) -> None:
    inside = refusing.fill()
    refused = [refusing.come(), refusing.come()]
    assert states(refused) == ["refused 503"] * 2
    inside[0].leave()
    assert refusing.come().state == "admitted", "those who read their refusal still are not counted"
    refused[0].leave()
    assert refusing.come().state == "refused 503"
    await asyncio.sleep(0)
    assert refusing.paused == []


async def test_who_is_idle_makes_room_before_anybody_is_refused(refusing: House) -> None:
    inside = [refusing.come(quiet=number == 1) for number in range(LIMIT)]
    first, second = refusing.come(), refusing.come()
    assert (inside[1].state, first.state, second.state) == ("closed", "waiting", "refused 503")
    inside[1].leave()
    assert first.state == "admitted"


async def test_only_some_refusals_linger(refusing: House) -> None:
    refusing.fill()
    refused = [refusing.come() for _ in range(200)]
    assert states(refused) == ["refused 503"] * 128 + ["closed"] * 72


async def test_listeners_that_do_not_pause_let_in_no_more_than_can_be_borne(waiting: House) -> None:
    waiting.fill()
    outside = [waiting.come() for _ in range(1030)]
    assert states(outside) == ["waiting"] * 1024 + ["refused 503"] * 6


async def test_a_look_at_all_is_rare(waiting: House) -> None:
    looks = 0

    class Watched(Guest):
        @property
        def quiet(self) -> bool:
            nonlocal looks
            looks += 1
            return False

        @quiet.setter
        def quiet(self, value: bool) -> None:
            pass

    for _ in range(LIMIT):
        guest = Watched(waiting)
        waiting.guests.add(guest)
        waiting.admission.enter(guest)
    for _ in range(100):
        waiting.come()
    assert looks == LIMIT


async def test_a_stop_lets_everybody_in(waiting: House) -> None:
    waiting.fill()
    outside = [waiting.come(), waiting.come()]
    waiting.admission.open_wide()
    assert states(outside) == ["admitted"] * 2
    assert waiting.come().state == "admitted"


async def test_it_is_told_once_in_a_while(waiting: House, caplog: pytest.LogCaptureFixture) -> None:
    waiting.fill()
    for _ in range(5):
        waiting.come()
    assert [record.getMessage() for record in caplog.records] == [
        "3 connections are in use, as many as may be: others are left waiting"
    ]


@pytest.mark.parametrize("connections", [0, 5])
async def test_another_policy_is_refused_with_and_without_a_limit(connections: int) -> None:
    with pytest.raises(ValueError, match="when_full is 'wait' or 'refuse', not 'queue'"):
        Server(hello, limits=Limits(connections=connections), when_full="queue")  # type: ignore[arg-type]
