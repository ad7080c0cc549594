"""Does a client make progress with what it sends or reads? Asked at the ticks of the clock: no octet pays for it."""

from __future__ import annotations

from aioweb.server.clock import NEVER


class Progress:
    """What a client had moved when it was last looked at. Made when somebody begins to watch it."""

    __slots__ = ("_moved", "_stalled_at", "_watched")

    def __init__(self) -> None:
        self._watched: str | None = None
        self._moved = 0
        self._stalled_at = NEVER

    def stalled(self, watched: str | None, moved: int, now: float, deadline: float) -> bool:
        """Tell whether the client has stood still until the deadline that its last progress was given.

        Args:
            watched: what is watched; if that changes all begins anew. None: nothing is expected of the client.
            moved: a measure that grows with progress.
            now: the time of the clock.
            deadline: until when it has to move again, if it has moved.
        """
        if watched is None or watched != self._watched or moved > self._moved:
            self._watched, self._moved, self._stalled_at = watched, moved, deadline
            return False
        return now >= self._stalled_at
