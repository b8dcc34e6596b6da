"""A lobby is cut in two, goes on in both halves, and is one again."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.deeds import Unwind
from conclave.chat.effects import PutEntry
from conclave.chat.lobby_state import Step
from conclave.chat.reading import unwound
from conclave.lobby import order as orders
from conclave.store.memory import MemoryStore
from conclave.values import replace
from conclave.wire.order import (
    EntryKind,
    Fetch,
    Info,
    Ordered,
    Refusal,
    Refused,
    Run,
    Submit,
    encode_ordered,
)
from tests.chat.desks import Table
from tests.chat.halves import ALL, ONE, OTHER, agreed, cut, heal, once, table

__all__ = ["table"]


def test_halves_without_commits_converge_and_nothing_is_lost_or_twice(table: Table) -> None:
    cut(table)
    for name in ALL:
        table.say(name, "#ops", f"{name} apart")
    epoch = table.view("burak").epoch
    heal(table)
    once(table, *(f"{name} apart" for name in ALL))
    assert table.view("ayse").leader == "cem"  # the higher term counts
    assert table.view("ayse").epoch - epoch <= 4  # no rejoining, only keys renewed after the reconnect
    assert not any(line.seq == 0 for name in ALL for line in table.lines(name, "#ops") if line.text.endswith("apart"))


def test_a_losing_half_with_commits_comes_in_again(table: Table) -> None:
    cut(table)
    for name in ("ayse", "burak", "cem"):
        table.say(name, "#ops", f"{name} apart")
    table.run(120, 10)  # keys were renewed on both sides
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.say("burak", "#ops", "in another epoch")
    heal(table, 120)
    once(table, "ayse apart", "burak apart", "cem apart", "in another epoch", lines=False)
    assert "this half of the lobby joined cem's again" in table.texts("ayse", "#ops")
    assert not any(table.view(name).healing for name in ALL)
    table.say("burak", "#ops", "together again")
    assert table.words("deniz")[-1] == "together again"


def test_each_message_is_its_authors_own_signature_everywhere(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    identity = table.say("burak", "#ops", "in the half that loses")
    heal(table, 120)
    originals = [table.stores[name].original("#ops", "burak", identity) for name in ALL]
    assert all(originals)


def test_the_authors_own_half_may_be_gone_and_others_share_its_words(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.say("ayse", "#ops", "from ayse")
    table.say("burak", "#ops", "and from burak")
    table.part(OTHER | {"burak"}, {"ayse"})  # burak meets the others, ayse does not
    table.run(120)
    agreed(table, "burak", "cem", "deniz")
    assert sorted(table.words("cem")) == ["and from burak", "from ayse", "together"]
    heal(table, 120)
    once(table, "from ayse", "and from burak", lines=False)


def test_a_removal_in_the_losing_half_stands_though_the_removed_spoke_in_the_other(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.RemoveFrom("ops", "deniz", "too loud"))
    table.say("deniz", "#ops", "I am here")
    table.say("burak", "#ops", "without deniz")
    heal(table, 120)
    rest = ("ayse", "burak", "cem")
    agreed(table, *rest)
    assert table.view("cem").roster == ("cem", "ayse", "burak")
    assert sorted(table.words("ayse")) == ["I am here", "together", "without deniz"]
    assert table.stages()["deniz"] == "ended"
    table.say("cem", "#ops", "after")
    assert "after" not in table.words("deniz")


def test_a_removal_in_the_half_that_counts_stands_too(table: Table) -> None:
    cut(table)
    table.put("cem", ev.RemoveFrom("ops", "burak", "too loud"))
    table.say("burak", "#ops", "I am here")
    heal(table, 120)
    rest = ("ayse", "cem", "deniz")
    agreed(table, *rest)
    assert "burak" not in table.view("ayse").roster
    assert table.stages()["burak"] == "ended"
    table.say("cem", "#ops", "after")
    assert "after" not in table.words("burak")
    assert table.words("ayse")[-1] == "after"


def test_somebody_let_in_in_the_losing_half_is_asked_in_anew_without_being_bothered(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    table.say("elif", "#ops", "new here")
    heal(table, 180)
    agreed(table, *ALL, "elif", lines=False)
    assert set(table.view("cem").roster) == {*ALL, "elif"}
    assert {name: sorted(table.words(name)) for name in ALL} == {key: ["new here", "together"] for key in ALL}
    assert table.words("elif") == ["new here"]
    assert views.requests(table.desks["elif"]) == ()


def test_somebody_let_in_in_the_losing_half_is_asked_in_by_others_where_its_leader_was_put_out(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    table.say("elif", "#ops", "new here")
    table.put("cem", ev.RemoveFrom("ops", "ayse"))
    heal(table, 180)
    rest = ("burak", "cem", "deniz", "elif")
    agreed(table, *rest, lines=False)
    assert table.stages()["ayse"] == "ended"
    assert set(table.view("cem").roster) == set(rest)
    assert "new here" in table.words("cem")
    assert views.requests(table.desks["elif"]) == ()


def test_who_was_let_in_in_the_losing_half_and_is_asked_by_nobody_does_not_wait_for_ever(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    table.put("cem", ev.RemoveFrom("ops", "ayse"))
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    heal(table, 120)
    assert table.stages() == {
        "ayse": "ended",
        "burak": "ended",
        "cem": "leading",
        "deniz": "member",
        "elif": "member",
    }
    assert table.view("elif").healing
    table.run(600, 5)
    assert table.stages()["elif"] == "ended"
    assert "nobody asked you into the other half of the lobby" in table.texts("elif", "#ops")[-1]


def test_who_put_out_the_leader_that_counts_and_was_put_out_by_it_is_out(table: Table) -> None:
    """Whatever invitations of its own are open."""
    cut(table)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.put("cem", ev.RemoveFrom("ops", "ayse"))
    heal(table, 180)
    assert table.stages()["ayse"] == "ended"
    rest = ("burak", "deniz")
    agreed(table, *rest, lines=False)
    assert table.stages()["cem"] == "ended"  # removed in the half that lost: that stands too
    assert set(table.view("burak").roster) == set(rest)


def test_who_entered_and_who_went_in_the_half_that_counts_is_said_in_the_other(table: Table) -> None:
    table.part(ONE, OTHER | {"elif"})
    table.run(25)
    table.put("cem", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("cem", accept=True, lobby="ops"))
    table.run(2)
    table.put("cem", ev.RemoveFrom("ops", "deniz"))
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.run(5)
    heal(table, 120)
    agreed(table, "ayse", "burak", "cem", "elif", lines=False)
    for name in ("ayse", "burak"):
        texts = table.texts(name, "#ops")
        at = texts.index("this half of the lobby joined cem's again")
        assert texts[at + 1 : at + 3] == ["elif entered", "deniz is out"]
        table.restart(name)
        healing = table.state(name, table.desks[name].labels["#ops"]).healing
        assert set(healing.gone) == {"deniz"}
        assert "elif" not in healing.entered  # when it came in nobody has told
    assert not [text for text in table.texts("cem", "#ops") if "is out" in text]


def test_who_is_let_in_in_the_losing_half_alone_is_out_until_it_is_asked_in_anew(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(2)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(2)
    group = table.desks["burak"].labels["#ops"]
    for second in range(120):
        table.part(*([{*ALL}, {"elif"}] if second < 20 else []))  # it answers once both are in again
        table.run(1)
        for name in ("ayse", "burak"):  # else they would tell it that it was put out
            assert "elif" not in table.state(name, group).healing.gone
    agreed(table, *ALL, "elif", lines=False)
    texts = table.texts("burak", "#ops")
    assert [text for text in texts if text.startswith("elif ")] == ["elif entered", "elif is out", "elif entered"]


def test_who_was_put_out_in_the_losing_half_is_said_to_be_in_until_that_is_done_here(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    table.run(2)
    heal(table, 120)
    agreed(table, "ayse", "burak", "cem", lines=False)
    texts = table.texts("burak", "#ops")
    assert [text for text in texts if text.startswith("deniz ")] == [
        "deniz was removed: by ayse", "deniz entered", "deniz was removed: by ayse",
    ]  # fmt: skip


def test_who_is_welcomed_again_is_told_who_came_and_went_since_what_it_has(table: Table) -> None:
    """burak hears of nothing, not even that he was put out, before he is let in again."""
    table.drop = lambda _, other, frame: other == "burak" and isinstance(frame, Ordered)
    for name in ("burak", "deniz"):
        table.put("ayse", ev.RemoveFrom("ops", name))
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(1)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(1)
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(1)
    told = table.texts("burak", "#ops")
    assert told[told.index("burak entered: ayse let you in", 1) + 1 :] == ["elif entered", "deniz is out"]
    assert set(table.state("burak", table.desks["burak"].labels["#ops"]).healing.gone) == {"deniz"}
    table.drop = lambda _one, _other, _frame: False
    table.run(30)
    agreed(table, "ayse", "burak", "cem", "elif", lines=False)


def test_where_nobody_is_left_in_the_half_that_counts_the_other_goes_on(table: Table) -> None:
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    for name in ALL:
        table.say(name, "#ops", f"{name} apart")
    table.run(70, 10)
    table.drop = lambda _one, _other, frame: isinstance(frame, Info)
    heal(table, 10)
    assert table.view("ayse").healing
    assert table.view("burak").healing
    table.part(ONE, {"cem"}, {"deniz"})
    table.drop = lambda *_: False
    table.run(20)
    assert table.view("ayse").healing  # somebody of the other half may lead yet
    table.run(40)
    agreed(table, *ONE, lines=False)
    assert table.view("ayse").leader in ONE
    table.say("burak", "#ops", "still here")
    assert table.words("ayse")[-1] == "still here"
    heal(table, 120)
    once(table, *(f"{name} apart" for name in ALL), "still here", lines=False)


def test_who_follows_one_that_leads_no_more_hears_of_it(table: Table) -> None:
    """burak, put out by the half that counts, reaches his old leader alone, who came in there without hearing why.

    That another leads is told him; he believes it when he hears it from that one itself.
    """
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    table.part()
    table.reach = lambda one, other: "burak" not in (one, other) or "ayse" in (one, other)
    table.run(16)
    assert "cem" in views.wanted(table.desks["burak"])
    assert table.view("burak").leader == "ayse"
    heal(table)
    assert table.stages() == {"ayse": "member", "burak": "ended", "cem": "leading", "deniz": "member"}


def test_who_leaves_a_half_that_is_no_more_and_is_out_in_the_other_is_out(table: Table) -> None:
    """burak leaves while ayse, who leads his half, is gone; cem put him out, and believes that he knows."""
    group = table.desks["ayse"].labels["#ops"]
    cut(table)
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    table.run(5)
    table.put("ayse", ev.LeaveLobby("ops"))
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.put("burak", ev.LeaveLobby("ops"))
    table.drop = lambda *_: True
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.link("burak", "cem")
    table.drop = lambda *_: False
    desk, lobby = table.desks["cem"], table.state("cem", group)
    people = lobby.watch.followers
    assert people is not None
    lobby = replace(lobby, healing=replace(lobby.healing, owed=frozenset()))
    lobby = replace(lobby, watch=replace(lobby.watch, followers=people.drop("burak")))
    table.desks["cem"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.run(90)
    assert table.stages()["burak"] == "ended"
    assert set(table.view("cem").roster) == {"ayse", "cem", "deniz"}


def test_everybody_is_cut_off_from_everybody_and_comes_together(table: Table) -> None:
    table.part(*({name} for name in ALL))
    table.run(30)
    for name in ALL:
        table.say(name, "#ops", f"{name} alone")
    table.run(30)
    heal(table, 90)
    once(table, *(f"{name} alone" for name in ALL))


def test_cut_again_and_again(table: Table) -> None:
    said = []
    for number, half in enumerate((ONE, {"ayse", "cem"}, {"burak", "cem", "deniz"})):
        table.part(half, set(ALL) - half)
        table.run(25)
        for name in ALL:
            said.append(f"{name} {number}")
            table.say(name, "#ops", said[-1])
        table.run(15)
        heal(table, 90)
        once(table, *said)


def test_a_restart_at_any_point_of_healing_changes_nothing(table: Table) -> None:
    cut(table)
    for name in ALL:
        table.say(name, "#ops", f"{name} apart")
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.part()
    for round_ in range(30):
        table.run(1)
        table.restart(ALL[round_ % 4])
    table.run(90)
    once(table, *(f"{name} apart" for name in ALL), lines=False)


def test_who_was_put_out_and_leads_in_the_same_term_hears_it_without_end_of_talk(table: Table) -> None:
    """ayse's half puts cem out, then ayse goes and burak leads; cem, who heard nothing, leads the other half."""
    table.link("ayse", "cem")
    table.run(70, 5)
    cut(table)
    table.put("ayse", ev.RemoveFrom("ops", "cem"))
    table.run(5)
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.run(40)
    before = len(table.frames)
    table.part({"burak", "cem", "deniz"}, {"ayse"})
    table.link("burak", "cem")
    table.run(120)
    assert table.stages()["cem"] == "ended"
    assert len(table.frames) - before < 2000


def test_who_leads_a_half_from_which_all_others_put_it_out_is_out(table: Table) -> None:
    """Its term is the higher one; but removals of either half stand."""
    cut(table)
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    table.run(60)
    table.put("burak", ev.RemoveFrom("ops", "cem"))
    table.run(5)
    desk, group = table.desks["cem"], table.desks["cem"].labels["#ops"]
    lobby = table.state("cem", group)
    assert lobby.order is not None
    run = Run(60, 0, "cem", 0, 0)
    lobby = replace(lobby, lead=run, order=orders.new_term(lobby.order, run))
    table.desks["cem"] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.part()
    for one in ("ayse", "burak", "deniz"):
        table.link("cem", one)
    table.run(120)
    assert table.stages()["cem"] == "ended"
    assert set(table.view("ayse").roster) == {"ayse", "burak", "deniz"}


@pytest.mark.parametrize("reason", [Refusal.OUTSIDER, Refusal.GONE])
def test_whose_way_in_is_refused_asks_for_another(table: Table, reason: Refusal) -> None:
    """It may have been put out meanwhile; what it asks for then tells so."""
    group = table.desks["burak"].labels["#ops"]
    cut(table)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.put("cem", ev.SetDeputies("ops", ("deniz",)))
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit | Fetch)
    heal(table, 20)
    lobby = table.state("burak", group)
    assert lobby.healing.step is Step.ENTER
    table.put("burak", ev.Arrived(lobby.leader, Refused(group, 0, 0, reason)))
    assert table.state("burak", group).healing.step is Step.REJOIN
    table.put(lobby.leader, ev.RemoveFrom("ops", "burak"))
    table.drop = lambda *_: False
    table.run(60)
    assert table.stages()["burak"] == "ended"


def test_who_was_put_out_and_went_back_before_that_is_given_the_entries_that_say_so(table: Table) -> None:
    """It had them once: so the one who leads believes that it knows."""
    group = table.desks["ayse"].labels["#ops"]
    table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    table.run(5)
    lobby = table.state("ayse", group)
    assert lobby.watch.followers is not None
    assert "deniz" not in lobby.watch.followers
    out_by, _ = lobby.healing.gone["deniz"]
    table.link("ayse", "deniz")
    before = len(table.frames)
    table.put("ayse", ev.Arrived("deniz", Fetch(group, out_by - 1, 9)))
    given = [one.seq for _, to, one in table.frames[before:] if to == "deniz" and isinstance(one, Ordered)]
    assert given == [out_by - 1, out_by]


def test_of_what_a_half_has_little_is_in_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member makes an order long in a minute, and parts from its start."""
    group, store = bytes(16), MemoryStore()
    for seq in range(1, 65):
        payload = bytes((seq,)) * orders.WORDS_BYTES
        entry = Ordered(group, 1, seq, bytes(32), "mallory", seq, 1, EntryKind.MESSAGE, payload)
        store.commit([PutEntry(group, seq, encode_ordered(entry))])
    read: list[int] = []
    entries = store.entries

    def counted(group: bytes, first: int, count: int) -> list[bytes]:
        found = entries(group, first, count)
        read.append(len(found))
        return found

    monkeypatch.setattr(store, "entries", counted)
    cut = unwound(store, Unwind(group, "#ops", 1)).cut
    assert [one.seq for one in cut] == list(range(2, 65))
    assert len({one.payload for one in cut}) == len(cut)
    assert all(len(part) <= 16 for one in cut for part in one if isinstance(part, bytes))
    assert max(read) <= 16
    assert 1 in read, "behind many that are large one alone is read"


@pytest.mark.parametrize("reason", ["away", "", "suspended", "certificate revoked", "put out by the authority"])
def test_who_was_removed_stays_out_whatever_words_are_the_reason(table: Table, reason: str) -> None:
    table.part(ONE, OTHER | {"elif"})
    table.run(30)
    table.put("ayse", ev.RemoveFrom("#ops", "deniz", reason))
    table.run(10)
    assert "deniz" not in table.view("burak").roster
    heal(table, 300)
    for name in ("ayse", "burak", "cem"):
        assert "deniz" not in table.view(name).roster
