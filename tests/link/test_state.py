"""The table of transitions, and the machine taking each row of it."""

from __future__ import annotations

from itertools import product

import pytest

from conclave.errors import LocalError
from conclave.link.state import TRANSITIONS, State, Step, follow
from conclave.wire.link import CloseReason
from tests.link.pair import Pair


@pytest.mark.parametrize(("state", "step"), list(product(State, Step)))
def test_only_the_table_moves_a_link(state: State, step: Step) -> None:
    if (state, step) in TRANSITIONS:
        assert follow(state, step) is TRANSITIONS[state, step]
    else:
        with pytest.raises(LocalError):
            follow(state, step)


def test_every_state_but_the_first_is_reached_and_every_state_but_the_last_is_left() -> None:
    assert set(TRANSITIONS.values()) == set(State) - {State.HANDSHAKE}
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.CLOSED}


def test_the_way_of_a_link_in_good_order() -> None:
    pair = Pair()
    ayse, burak = pair.ayse, pair.burak

    def states() -> list[State]:
        return [ayse.link.state, burak.link.state]

    assert states() == [State.HANDSHAKE, State.HANDSHAKE]
    burak.give(ayse.take(), pair.now)
    ayse.give(burak.take(), pair.now)
    assert states() == [State.HELLO, State.HANDSHAKE]  # SECURED, for the dialler only
    burak.give(ayse.take(), pair.now)
    assert states() == [State.HELLO, State.OPEN]  # SECURED and GREETED in one reading
    ayse.give(burak.take(), pair.now)
    assert states() == [State.OPEN, State.OPEN]  # GREETED: accepted, and not before
    ayse.link.close(CloseReason.DONE, "bye", pair.now)
    assert states() == [State.CLOSING, State.OPEN]  # FAREWELL
    burak.give(ayse.take(), pair.now)
    assert states() == [State.CLOSING, State.CLOSED]  # ENDED
    ayse.give(burak.take(), pair.now)
    assert states() == [State.CLOSED, State.CLOSED]  # ANSWERED


@pytest.mark.parametrize("state", [State.HANDSHAKE, State.HELLO, State.OPEN])
def test_ended_from(state: State) -> None:
    pair = Pair()
    if state is State.HELLO:
        pair.burak.give(pair.ayse.take(), pair.now)
        pair.ayse.give(pair.burak.take(), pair.now)
    elif state is State.OPEN:
        pair.run()
    assert pair.ayse.link.state is state
    pair.ayse.link.receive_eof()
    assert pair.ayse.link.state is State.CLOSED


@pytest.mark.parametrize("how", ["eof", "time"])
def test_gave_up(how: str) -> None:
    pair = Pair().run()
    pair.ayse.link.close(CloseReason.GOING_AWAY, "", pair.now)
    if how == "eof":
        pair.ayse.link.receive_eof()
    else:
        pair.ayse.link.tick(pair.now + 4.9)
        assert pair.ayse.link.state is State.CLOSING
        pair.ayse.link.tick(pair.now + 5)
    pair.run()
    assert pair.ayse.link.state is State.CLOSED
    closed = pair.ayse.closed
    assert closed is not None
    assert (closed.reason, closed.clean, closed.by_us) == (CloseReason.GOING_AWAY, False, True)
