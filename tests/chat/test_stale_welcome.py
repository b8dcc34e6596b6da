"""A half asks somebody in again, and has lost by the time that its Welcome arrives."""

from __future__ import annotations

from conclave.chat import events as ev
from conclave.chat import views
from conclave.wire.delivery import Post, PostKind
from tests.chat.desks import Table, together
from tests.chat.halves import take_terms

HALF, OTHER = {"ayse", "burak", "gul"}, {"cem", "elif"}


def asked_in_apart() -> Table:
    """elif's half, whose epochs are further, put ayse out, asked her in again, and has lost: her Welcome waits."""
    table = together("ayse", "burak", "cem", "elif", "gul")
    table.say("elif", "@ayse", "hello")
    table.part({"ayse", "elif"}, {"burak", "cem", "gul"})
    table.say("ayse", "@elif", "hello")
    table.part(HALF, OTHER)
    table.run(30)
    leader = table.view("cem").leader
    take_terms(table, "burak", "ayse", HALF, OTHER)
    assert table.view("burak").term > table.view("cem").term
    for _ in range(12):
        for deputy in ("cem", "elif"):
            table.put(leader, ev.SetDeputies("ops", (deputy,)))
            table.run(2)
    table.put(leader, ev.RemoveFrom("ops", "ayse"))
    table.run(5)
    table.put("elif", ev.InviteTo("ops", ("ayse",)))
    # For a moment elif and ayse are linked: she is asked, and answers. No head is heard yet.
    table.drop = lambda one, other, frame: (
        {one, other} == {"ayse", "elif"}
        and not (isinstance(frame, Post) and frame.kind in (PostKind.INVITE, PostKind.ANSWER))
    )
    table.reach = lambda one, other: {one, other} <= HALF or {one, other} <= OTHER or {one, other} == {"ayse", "elif"}
    table.run(8)
    table.part(HALF, OTHER)
    table.drop = lambda *_: False
    return table


def test_a_welcome_of_a_half_that_has_lost_since_is_declined() -> None:
    """Nothing that its sender posts arrives before it is taken or declined."""
    table = asked_in_apart()
    assert views.queued(table.desks["elif"])
    table.part()
    table.run(300)
    table.say("elif", "@ayse", "are you there?")
    table.run(60)
    assert "are you there?" in table.words("ayse", "@elif")
    assert not views.queued(table.desks["elif"])
    assert {table.view(name).leader for name in table.desks} == {table.view("burak").leader}
