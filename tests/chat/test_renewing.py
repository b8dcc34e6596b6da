"""Fresh keys of a pair that the other could not take: both begin another group, and go on in turns there."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.state import Judges
from conclave.wire.delivery import Post, PostKind
from tests.chat.desks import Table
from tests.chat.people import JUDGES, own

DAY = 86_500.0


def renewed(table: Table) -> list[str]:
    """Who committed, each commit once."""
    seen = {
        (one, frame.number) for one, _, frame in table.frames
        if isinstance(frame, Post) and frame.kind is PostKind.HANDSHAKE
    }  # fmt: skip
    return sorted(one for one, _ in seen)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(("who", "other"), [("ayse", "burak"), ("burak", "ayse")])
@pytest.mark.parametrize("author_speaks", [True, False])
def test_who_alone_speaks_does_so_under_fresh_keys_though_a_commit_was_declined(
    who: str, other: str, *, author_speaks: bool, restarted: bool
) -> None:
    table = Table(who, other)
    table.link(who, other)
    table.say(other, f"@{who}", "hello")  # it made the group, so the first turn is not its own
    table.say(who, f"@{other}", "hi")
    table.put(other, ev.JudgesChanged(Judges(JUDGES.newcomers)))  # it does not believe the next certificate yet
    table.own[who] = own(who, 2)
    table.put(who, ev.OwnChanged(table.own[who]))
    table.run(70, 10)
    assert f"{who} could not renew its keys" in " ".join(table.troubles(other))
    table.put(other, ev.JudgesChanged(JUDGES))
    if restarted:
        table.restart(who)
        table.restart(other)
        table.link(who, other)
    table.frames.clear()
    speaker, hearer = (who, other) if author_speaks else (other, who)
    for day in range(4):
        table.say(speaker, f"@{hearer}", f"{day}")
        table.run(DAY, DAY / 10)
    assert table.words(hearer, f"@{speaker}")[-4:] == ["0", "1", "2", "3"]
    assert {who, other} == set(renewed(table))
    states = [views.pair_state(table.desks[one], two) for one, two in ((who, other), (other, who))]
    assert len({one.authenticator for one in states if one}) == 1
