"""The states of one exchange and the table of its moves, and nothing else.

Two rules. Rule 1: everything that changes a state stands in the two tables; a move that is not there is a mistake of
the caller. Rule 2: this file knows no octets.

A server's connection sees the request come in and the response go out at the same time, so there are two small
machines side by side. An exchange is over when both are DONE; `Connection.start_next_cycle` then puts both to IDLE.
IntEnum because its members hash at the speed of int, and these tables are used several times a request.
"""

from enum import IntEnum


class Receiving(IntEnum):
    """Where the request is."""

    IDLE = 0  # its head is awaited
    CONTENT = 1  # its content is awaited
    DONE = 2  # it is complete; whatever follows belongs to the next one
    FAILED = 3  # it broke the protocol, or ended too early: nothing more is read


class Sending(IntEnum):
    """Where the response is."""

    IDLE = 0  # no final head yet
    CONTENT = 1  # the head is out, the content is not complete
    DONE = 2  # complete
    SWITCHED = 3  # 101, or a 2xx to CONNECT: the connection speaks another protocol now


class Move(IntEnum):
    """What happens to either of them."""

    HEAD = 0  # a head with content to follow
    WHOLE = 1  # a head, and all content there is
    CONTENT = 2
    END = 3
    FAIL = 4
    INFORMATIONAL = 5
    SWITCH = 6


RECEIVING_MOVES: dict[tuple[Receiving, Move], Receiving] = {
    (Receiving.IDLE, Move.HEAD): Receiving.CONTENT,
    (Receiving.IDLE, Move.WHOLE): Receiving.DONE,
    (Receiving.IDLE, Move.FAIL): Receiving.FAILED,
    (Receiving.CONTENT, Move.CONTENT): Receiving.CONTENT,
    (Receiving.CONTENT, Move.END): Receiving.DONE,
    (Receiving.CONTENT, Move.FAIL): Receiving.FAILED,
}

SENDING_MOVES: dict[tuple[Sending, Move], Sending] = {
    (Sending.IDLE, Move.INFORMATIONAL): Sending.IDLE,
    (Sending.IDLE, Move.HEAD): Sending.CONTENT,
    (Sending.IDLE, Move.WHOLE): Sending.DONE,
    (Sending.IDLE, Move.SWITCH): Sending.SWITCHED,
    (Sending.CONTENT, Move.CONTENT): Sending.CONTENT,
    (Sending.CONTENT, Move.END): Sending.DONE,
}
