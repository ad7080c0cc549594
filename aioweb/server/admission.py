"""Who may come in: `Limits.connections` at a time, and what becomes of those who come when all places are taken.

    room    a connection that has waited for a request for a while, half a second or more, closes in favour of a new one
    wait    else the new one waits, unread, until another one leaves; meanwhile the listeners accept nobody, so that all
            others wait in the backlog of the kernel. This is the default.
    refuse  or it is answered with 503 at once. Few such answers may linger; behind them connections are just cut.

The loop accepts in bursts, of `backlog` connections at most: those who wait unread are no more than that.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Collection
from math import inf
from typing import Final, Literal, Protocol

from aioweb.protocol.errors import ProtocolError
from aioweb.server.failures import ServerFull

WhenFull = Literal["wait", "refuse"]
"""What becomes of a connection for which there is no place: it waits for one, or is refused with 503."""

_WAITING: Final = 1024
"""Connections that wait unread; only listeners that nobody can tell to pause let so many in. Others are refused."""
_ANSWERED: Final = 128
"""Refused connections that may still be reading their answer; others are cut."""
_ON_THE_WAY: Final = 1024
"""Connections beyond the limit that may be on the way in, such as in a TLS handshake, where nobody waits."""
_LOOK_AGAIN: Final = 0.5
"""Seconds between two looks for a connection that is idle, while others wait."""
_QUIET: Final = 60.0
"""Seconds between two warnings that all places are taken."""


def check_when_full(when_full: WhenFull) -> None:
    """Raise ValueError for what is no `WhenFull`."""
    if when_full not in ("wait", "refuse"):
        raise ValueError(f"when_full is 'wait' or 'refuse', not {when_full!r}")


class Guest(Protocol):
    """A connection, as it is seen from the door."""

    deadline: float
    """When its time is over; of several that are idle, the one that has been so for longest comes first."""

    @property
    def quiet(self) -> bool:
        """It waits for a request, and has for a while."""

    def admit(self) -> None:
        """There is a place: begin."""

    def hold(self) -> None:
        """There is none: read nothing."""

    def refuse(self, error: ProtocolError) -> None:
        """There will be none: say so, and close when that has arrived."""

    def close(self) -> None:
        """Close behind what was said."""


class Listener(Protocol):
    """What accepts connections, and can leave them in the backlog for a while."""

    def pause(self) -> None:
        """Accept nobody."""

    def resume(self) -> None:
        """Accept again."""


class Arrivals:
    """Those whom the loop has accepted and who are not here yet: it may speak TLS with them first.

    The loop tells nobody when that fails: after `patience` seconds who is not here will not come.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: OrderedDict[object, float] = OrderedDict()

    def add(self, who: object, now: float) -> None:
        """Somebody is on the way."""
        self._since[who] = now

    def discard(self, who: object) -> None:
        """He is here."""
        self._since.pop(who, None)

    def count(self, now: float) -> int:
        """How many are on the way."""
        while self._since and now - next(iter(self._since.values())) >= self._patience:
            self._since.popitem(last=False)
        return len(self._since)


class Admission:
    """The door of a server that has a limit of connections.

    Args:
        limit: connections that are served at a time.
        when_full: what becomes of further ones.
        present: all connections of the server, those included that wait or were refused.
        arriving: those on their way in, such as in a TLS handshake.
        listeners: what can be told to accept nobody.
    """

    def __init__(
        self,
        limit: int,
        when_full: WhenFull,
        *,
        present: Collection[Guest],
        arriving: Arrivals,
        listeners: Collection[Listener],
        logger: logging.Logger,
    ) -> None:
        self._limit: float = limit
        self._refuses = when_full == "refuse"
        self._spare = _ON_THE_WAY if self._refuses else 0
        self._present = present
        self._arriving = arriving
        self._listeners = listeners
        self._logger = logger
        self._waiting: deque[Guest] = deque()
        self._refused: set[Guest] = set()
        self._idle: list[Guest] = []
        self._looked_at = self._told_at = -_QUIET
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def _inside(self) -> int:
        return len(self._present) - len(self._waiting) - len(self._refused)

    def _has_room(self, now: float) -> bool:
        """There is a place for all who are on the way in."""
        return self._inside + self._arriving.count(now) <= self._limit + self._spare

    def knock(self, now: float) -> None:
        """Somebody is on the way in: if there are enough, no others are to come."""
        if not self._paused and not self._has_room(now):
            self._paused = True
            # Later: a listener of uvloop is still busy with the one that it has accepted.
            asyncio.get_running_loop().call_soon(self._pause)

    def enter(self, guest: Guest) -> None:
        """Somebody is here, and in `present`: admit, hold or refuse."""
        if len(self._present) <= self._limit or self._inside <= self._limit:
            guest.admit()
            return
        made_room = self._make_room()
        if not made_room:
            self._tell()
        if (made_room or not self._refuses) and len(self._waiting) < _WAITING:
            self._waiting.append(guest)
            guest.hold()
            self._watch()
        else:
            self._refused.add(guest)
            guest.refuse(ServerFull("all connections are in use"))
            if len(self._refused) > _ANSWERED:
                guest.close()

    def leave(self, guest: Guest) -> None:
        """Somebody has gone, and is not in `present` any more."""
        self._refused.discard(guest)
        if guest in self._waiting:
            self._waiting.remove(guest)
        while self._waiting and self._inside < self._limit:
            self._waiting.popleft().admit()
        if self._paused:
            self._resume()

    def open_wide(self) -> None:
        """The server stops: whoever has come this far is answered."""
        self._limit = inf
        while self._waiting:
            self._waiting.popleft().admit()
        if self._timer is not None:
            self._timer.cancel()

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest; tell whether there was one."""
        now = asyncio.get_running_loop().time()
        while True:
            while self._idle:
                guest = self._idle.pop()
                if guest.quiet:
                    guest.close()
                    return True
            if now - self._looked_at < _LOOK_AGAIN:
                return False  # a look at all of them is dear, and a flood of clients would cause one after the other
            self._looked_at = now
            self._idle = sorted((guest for guest in self._present if guest.quiet), key=_by_deadline, reverse=True)

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        """Connections may have become idle, and handshakes have failed, of which the loop tells nobody."""
        self._timer = None
        for _ in range(len(self._waiting)):
            if not self._make_room():
                break
        self._resume()
        if self._waiting or self._paused:
            self._watch()
        else:
            self._idle.clear()

    def _pause(self) -> None:
        if not self._paused:
            return  # somebody has left since
        for listener in list(self._listeners):
            listener.pause()
        self._watch()

    def _resume(self) -> None:
        if self._paused and not self._waiting and self._has_room(asyncio.get_running_loop().time()):
            self._paused = False
            for listener in list(self._listeners):
                listener.resume()

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= _QUIET:
            self._told_at = now
            fate = "refused" if self._refuses else "left waiting"
            self._logger.warning("%d connections are in use, as many as may be: others are %s", self._limit, fate)


def _by_deadline(guest: Guest) -> float:
    return guest.deadline
