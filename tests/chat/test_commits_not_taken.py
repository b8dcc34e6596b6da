"""A commit that is ordered, and that somebody cannot take: the others go on by it, and who cannot comes in anew."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.mls import group as mls
from conclave.mls.treekem import UpdatePath
from conclave.values import replace
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Ordered, Submit
from tests.chat.desks import Table, together
from tests.chat.people import JUDGES, own
from tests.chat.test_commits_given_up import handed_in
from tests.mls.forge import forge_commit

ANEW = "this half of the lobby joined ayse's again"


@pytest.fixture
def table() -> Table:
    return together("ayse", "burak", "cem")


def state_of(table: Table, name: str) -> mls.State:
    state = table.desks[name].sessions.get(table.desks[name].labels["#ops"])
    assert state is not None
    return state


def hand_in(table: Table, payload: bytes) -> None:
    """burak has ayse order a commit, and is not heard any more."""
    state = state_of(table, "burak")
    order = table.state("ayse", state.epoch.context.group_id).order
    assert order is not None
    number = (order.numbers.get("burak") or 0) + 1
    table.drop = lambda one, other, _: "burak" in (one, other)
    submit = Submit(order.group, 1, number, state.number, EntryKind.COMMIT, payload)
    table.put("ayse", ev.Arrived("burak", submit))
    assert state_of(table, "ayse").number > state.number


def hear_each_other(table: Table) -> None:
    table.run(30)
    for name in ("ayse", "cem"):
        table.say(name, "#ops", f"from {name}")
    table.run(60, 2)
    for name in ("ayse", "cem"):
        assert {"from ayse", "from cem"} <= {*table.words(name)}


def test_whose_part_of_a_commit_is_spoilt_comes_in_anew(table: Table) -> None:
    def spoil(path: UpdatePath) -> UpdatePath:
        """What is sealed to cem alone: leaves are 0 ayse, 1 burak, 2 cem."""
        low, top = path.nodes
        secrets = tuple(replace(one, ciphertext=bytes(len(one.ciphertext))) for one in top.secrets)
        return replace(path, nodes=(low, replace(top, secrets=secrets)))

    hand_in(table, forge_commit(state_of(table, "burak"), edit_path=spoil))
    hear_each_other(table)
    assert ANEW in table.texts("cem", "#ops")


def test_who_was_away_takes_a_package_that_ended_meanwhile(table: Table) -> None:
    deniz = own("deniz")
    lifetime = int(table.now) - 10, int(table.now) + 60
    package = mls.OwnKeyPackage.create(
        mls.cipher_suite(deniz.suite), deniz.credential, deniz.signature_key, lifetime, table.random,
        extensions=(0xF0C1,),
    ).package  # fmt: skip
    table.part({"ayse", "burak"}, {"cem"})
    state = state_of(table, "burak")
    add = [mls.Add(package)]
    hand_in(table, mls.commit(state, add, verify=JUDGES.members, now=table.now, random=table.random).message)
    table.now += 120
    table.part()
    hear_each_other(table)
    assert "deniz entered" in table.texts("cem", "#ops")
    assert ANEW not in table.texts("cem", "#ops")


def test_the_words_in_whose_place_our_own_commit_is_shown_as_anothers_come(table: Table) -> None:
    submit = handed_in(table)

    def hides(one: str, other: str, frame: Frame) -> bool:
        if (one, other) != ("ayse", "burak") or not isinstance(frame, Ordered) or frame.sender != "cem":
            return False
        table.drop = lambda *_: False
        false = replace(frame, kind=EntryKind.COMMIT, epoch=submit.epoch, payload=submit.payload)
        table.step("burak", ev.Arrived("ayse", false))
        return True

    table.drop = hides
    table.say("cem", "#ops", "hello burak")
    table.run(60)
    assert "hello burak" in table.words("burak")
    assert len({table.view(name).epoch for name in table.desks}) == 1
