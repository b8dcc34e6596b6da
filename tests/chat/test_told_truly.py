"""What people are told of who is in and who leads is what is so, whatever a member says or commits."""

from __future__ import annotations

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.chat.notices import LeaderChanged
from conclave.chat.words.content import Content, History, Term, Text, encode_content
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire import order as f
from tests.chat.desks import together
from tests.chat.people import JUDGES
from tests.chat.room import Room


def test_nobody_is_said_to_lead_who_does_not() -> None:
    room = Room()
    room.submit(encode_content(Content(b"i" * 16, 0, 1.0, Term(9, 1, bytes(32)))))
    for name in ("ayse", "cem"):
        assert room.table.view(name).leader == "ayse"
        assert "burak leads now" not in room.table.texts(name, "#ops")
        assert not room.table.notices(name, LeaderChanged)


def test_who_is_put_out_is_not_said_to_have_left() -> None:
    """burak puts cem out, and gives as the reason the word by which it is known that somebody asked for it."""
    table = together("ayse", "burak", "cem", "deniz")
    group = table.desks["ayse"].labels["#ops"]
    state, order = table.desks["burak"].sessions.get(group), table.state("ayse", group).order
    assert state is not None
    assert order is not None
    number = (order.numbers.get("burak") or 0) + 1
    staged = mls.commit(
        state,
        [mls.Remove(groups.roster(state)["cem"])],
        verify=JUDGES.members,
        now=table.now,
        random=table.random,
        authenticated_data=groups.write_reasons({"cem": groups.LEFT}, number),
    )
    submit = f.Submit(group, 1, number, state.number, f.EntryKind.COMMIT, staged.message)
    table.put("ayse", ev.Arrived("burak", submit))
    for name in ("ayse", "cem", "deniz"):
        assert "cem" not in table.view("ayse").roster
        told = {"cem": "you were removed"}.get(name, "cem left, as burak says")
        assert told in table.texts(name, "#ops")
        assert "cem left" not in table.texts(name, "#ops")


def test_a_leader_is_not_said_to_show_two_orders_because_a_member_says_so() -> None:
    room = Room()
    room.table.say("cem", "#ops", "two")
    order = room.table.state("burak", room.group).order
    assert order is not None
    body = encode_content(Content(b"i" * 16, 9, 1.0, Text("three")))
    room.submit(body, order=replace(order, hash=bytes(32)))
    assert "ayse shows two, or burak lies" in room.table.troubles("cem")[-1]


def test_nobody_is_said_to_be_shown_something_who_is_not_in() -> None:
    room = Room()
    room.submit(encode_content(Content(b"i" * 16, 0, 1.0, History("you", 5, ()))))
    assert "burak shows you 5 lines from before you came in" not in room.table.texts("cem", "#ops")


def test_who_set_the_deputies_is_said() -> None:
    """They lead before all others: whoever can make somebody one is not to do so unseen."""
    table = together("ayse", "burak", "cem")
    table.put("burak", ev.SetDeputies("#ops", ("cem", "burak")))
    table.run(3)
    table.put("cem", ev.SetDeputies("#ops", ()))
    table.run(3)
    for name in ("ayse", "burak", "cem"):
        told = [one for one in table.texts(name, "#ops") if "deputies" in one]
        assert told == ["burak set the deputies: cem, burak", "cem set the deputies: none"]
