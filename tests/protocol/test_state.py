"""The table of moves: every state is reached, what is over stays over, and what is not in it cannot happen."""

from __future__ import annotations

import pytest

from aioweb.protocol.connection import Connection
from aioweb.protocol.state import RECEIVING_MOVES, SENDING_MOVES, Move, Receiving, Sending

TABLES = [
    pytest.param(RECEIVING_MOVES, Receiving, {Receiving.DONE, Receiving.FAILED}, id="receiving"),
    pytest.param(SENDING_MOVES, Sending, {Sending.DONE, Sending.SWITCHED}, id="sending"),
]


@pytest.mark.parametrize(("table", "states", "ends"), TABLES)
def test_every_state_is_reached_from_idle(table, states, ends):
    reached = {states.IDLE}
    for _ in states:
        reached |= {after for (before, _), after in table.items() if before in reached}
    assert reached == set(states)


@pytest.mark.parametrize(("table", "states", "ends"), TABLES)
def test_what_is_over_stays_over(table, states, ends):
    assert {state for state in states if not any(before is state for before, _ in table)} == ends


@pytest.mark.parametrize(("table", "states", "ends"), TABLES)
def test_no_move_leads_back_to_idle_but_one_that_stays_there(table, states, ends):
    assert {before for (before, _), after in table.items() if after is states.IDLE} <= {states.IDLE}


def test_every_move_is_used():
    assert {move for _, move in [*RECEIVING_MOVES, *SENDING_MOVES]} == set(Move)


# How the connection gets into each state of sending, and how it makes each move, with nothing but its public face.
REACH = {
    Sending.IDLE: lambda c: None,
    Sending.CONTENT: lambda c: c.send_head(200, "OK", b"", None),
    Sending.DONE: lambda c: c.send_response(200, "OK", b"", b""),
    Sending.SWITCHED: lambda c: c.send_head(101, "Switching Protocols", b"", None),
}
MAKE = {
    Move.HEAD: lambda c: c.send_head(200, "OK", b"", None),
    Move.WHOLE: lambda c: c.send_response(200, "OK", b"", b""),
    Move.CONTENT: lambda c: c.send_data(b"x"),
    Move.END: lambda c: c.send_end(),
    Move.INFORMATIONAL: lambda c: c.send_informational(103),
    Move.SWITCH: lambda c: c.send_response(101, "Switching Protocols", b"", b""),
}
AFTER = {  # response_started, response_complete
    Sending.IDLE: (False, False),
    Sending.CONTENT: (True, False),
    Sending.DONE: (True, True),
    Sending.SWITCHED: (True, True),
}


@pytest.mark.parametrize("move", MAKE)
@pytest.mark.parametrize("state", REACH)
def test_a_connection_makes_the_moves_of_the_table_and_refuses_all_others(state, move):
    connection = Connection()
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.next_event()
    REACH[state](connection)
    if (state, move) in SENDING_MOVES:
        MAKE[move](connection)
        state = SENDING_MOVES[state, move]
    else:
        with pytest.raises(RuntimeError, match=f"of a response that is {state.name}"):
            MAKE[move](connection)
    assert (connection.response_started, connection.response_complete) == AFTER[state]
