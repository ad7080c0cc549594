"""What a connection becomes that has left HTTP by a 101 (RFC 9110 section 15.2.2): the seam of WebSockets.

The handler of the request that asked for the switch runs on and speaks the other protocol through its writer; when it
returns, the connection closes. What arrives goes to the `Tunnel`, and nobody else looks at it.
"""

from __future__ import annotations

from typing import Protocol


class Tunnel(Protocol):
    """The other protocol, as the connection sees it. See `StreamWriter.switch`."""

    def data_received(self, data: bytes) -> None:
        """Octets have arrived."""

    def connection_lost(self) -> None:
        """The socket is closed: nothing more arrives, nothing more can be written."""

    def deadline_passed(self, now: float) -> None:
        """The time that was asked for by `StreamWriter.look_again` has come; who wants to be looked at again says so.

        It may come early, and while a client is slow it comes at each tick.
        """

    def failed(self) -> None:
        """The handler has failed: tell the client, as far as it may know, and end."""

    def handler_ended(self) -> None:
        """The handler has ended, in whatever way: the last chance to tell the client something."""

    def stop(self) -> None:
        """The server stops: say goodbye, and let the handler end."""
