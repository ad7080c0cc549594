"""The states of a connection on this floor; the transitions are those of connection.py.

WAITING -> HEAD                         there were too many connections when this one came
HEAD -> EXCHANGE -> HEAD                a request, its response, the next request
EXCHANGE -> DRAINING -> HEAD            the handler left content unread: what is not much is read and dropped
EXCHANGE -> TUNNEL -> LINGERING         the request was answered with 101, and the other protocol has ended
any of them -> LINGERING -> CLOSED      the client may still be sending what nobody wants
any of them -> CLOSED                   nothing of that
"""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """What a connection waits for."""

    WAITING = "a place among those that are served"
    HEAD = "the head of a request"
    EXCHANGE = "its handler"
    TUNNEL = "its handler, which speaks another protocol with the client"
    DRAINING = "the rest of a request that is answered; then the next one"
    LINGERING = "the client's end: it was answered for the last time and may still be sending"
    CLOSED = "its last octets to leave"
