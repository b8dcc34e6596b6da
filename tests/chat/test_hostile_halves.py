"""Members who lie about halves of a lobby, people who are out of it, newcomers who want to read what was before them.

Left out: lies about words (``test_hostile_members``) and a leader that lies (``test_hostile_leader``).
"""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import packages, views
from conclave.chat.lobbies import terms
from conclave.chat.lobbies.audience import RUMOUR_KEPT_SECONDS
from conclave.chat.work import Work
from conclave.lobby import order as orders
from conclave.values import replace
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import Frame
from conclave.wire.order import (
    AskInfo,
    EntryKind,
    Fetch,
    Head,
    Ordered,
    Originals,
    Recall,
    Refusal,
    Refused,
    Run,
    Submit,
)
from conclave.wire.posts import Welcome, open_post, pack_parcel
from tests.chat.desks import Table
from tests.chat.halves import restored
from tests.chat.room import ALL, let_in, own_group, package_for, says_before, shows


def room(*others: str) -> tuple[Table, bytes]:
    """A lobby that ayse leads; everybody reaches everybody. ``others`` are not in it."""
    table = Table(*ALL, *others)
    for one in ALL[1:]:
        table.link("ayse", one)
    return table, table.lobby("ayse", *ALL[1:])


@pytest.mark.parametrize(
    ("leader", "common"), [("ayse", 0), ("elif", 0), *(("elif", common) for common in (1, 2, 4, 7, 12))]
)
def test_a_lie_about_a_term_makes_nobody_say_again_what_was_said(leader: str, common: int) -> None:
    """elif, who came last, wants to hear what was before her: from others' mouths, in an order of her own making."""
    table, group = room("elif")
    says_before(table, "deniz")
    let_in(table, "ayse", "elif")
    table.run(70, 5)
    order = table.state("burak", group).order
    assert order is not None
    table.link("burak", "elif")
    runs = (Run(50, 0, leader, common + 1, order.seq + 3), Run(1, 0, "ayse", 1, common))
    lie = Head(group, order.seq + 3, bytes(32), runs[: 1 + (common > 0)])
    before = len(table.frames)
    table.put("burak", ev.Arrived("elif", lie))
    table.run(120)
    assert table.words("elif") == []
    said = [frame for who, _, frame in table.frames[before:] if isinstance(frame, Submit) and who == "deniz"]
    assert len(said) <= 1, "a receipt, for what the others gave back"
    assert len({table.view(one).leader for one in ALL}) == 1  # she may make another one lead, as every member may


@pytest.mark.parametrize("home", ["restored", "as it was"])
def test_a_lie_about_a_half_makes_nobody_say_again_what_was_before_whoever_tells_it(home: str) -> None:
    """elif, who came last, leads rightly; burak knows of it."""
    table, group = room("elif")
    says_before(table, "burak")
    let_in(table, "ayse", "elif")
    table.put("ayse", ev.SetDeputies("ops", ("elif",)))
    table.run(5)
    table.part({"ayse"}, {"burak", "cem", "deniz", "elif"})
    table.run(60)
    assert table.view("burak").leader == "elif"
    table.part({"ayse"}, {"burak"}, {"cem", "deniz", "elif"})
    if home == "restored":
        restored(table, "burak")
    shows(table, group, "elif", "burak")
    table.run(120)
    assert table.view("burak").leader == "elif"
    assert table.words("elif") == []


@pytest.mark.parametrize("home", ["restored", "as it was"])
def test_who_was_away_says_again_to_who_came_in_and_leads_what_was_said_in_its_half_and_no_more(home: str) -> None:
    """burak has not heard of elif; that her order parted from his so early she alone says."""
    table, group = room("elif")
    says_before(table, "burak")
    table.run(30, 5)
    table.part({"ayse", "cem", "elif"}, {"burak", "deniz"})
    table.run(30)
    table.say("burak", "#ops", "of this half")
    let_in(table, "ayse", "elif")
    table.put("ayse", ev.SetDeputies("ops", ("elif",)))
    table.run(5)
    table.part({"ayse"}, {"cem", "elif"}, {"burak"}, {"deniz"})
    table.run(60)
    table.part({"ayse", "cem", "elif"}, {"burak"}, {"deniz"})
    table.run(30)
    assert (table.view("ayse").leader, table.words("elif")) == ("elif", [])
    if home == "restored":
        restored(table, "burak")
    order = table.state("elif", group).order
    assert order is not None
    table.drop = lambda one, other, frame: (
        (one, other) == ("elif", "burak") and isinstance(frame, Head) and frame.runs == order.runs
    )
    table.part({"ayse", "burak", "cem", "elif"}, {"deniz"})
    table.link("ayse", "burak")
    table.link("burak", "cem")
    shows(table, group, "elif", "burak")
    table.drop = lambda *_: False
    table.run(120)
    assert table.view("burak").leader == "elif"
    assert table.words("elif") == ["of this half"]


def ex_member() -> tuple[Table, bytes, list[Frame]]:
    """deniz is put out; what is sent to her from now on is in the list, and does not arrive."""
    table, group = room()
    table.say("ayse", "#ops", "one")
    table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    table.run(5)
    for number in range(5):
        table.say("ayse", "#ops", f"without deniz {number}")
    seen: list[Frame] = []

    def drop(_: str, other: str, frame: Frame) -> bool:
        if other == "deniz":
            seen.append(frame)
        return other == "deniz"

    table.drop = drop
    return table, group, seen


@pytest.mark.parametrize("by", ["ayse", "burak"])
def test_who_is_out_is_shown_nothing_of_the_order_behind_its_end(by: str) -> None:
    table, group, seen = ex_member()
    table.link(by, "deniz")
    head = next(one for one in seen if isinstance(one, Head))
    order = table.state(by, group).order
    assert order is not None
    assert head.seq < order.seq
    assert max(run.last for run in head.runs) == head.seq
    assert head.hash != order.hash


@pytest.mark.parametrize("leaving", [False, True], ids=["lost", "leaving"])
def test_an_ex_member_does_not_take_the_lead(*, leaving: bool) -> None:
    table, group, _ = ex_member()
    order = table.state("burak", group).order
    assert order is not None
    if leaving:
        table.drop = lambda _, other, frame: other == "deniz" or isinstance(frame, Submit)
        table.put("ayse", ev.LeaveLobby("ops"))
    else:
        table.cut("ayse", "burak")
    table.link("deniz", "burak")
    top = order.runs[0]
    run = Run(top.term, top.rank, top.leader, top.first, order.seq + 5)
    table.put("burak", ev.Arrived("deniz", Head(group, order.seq + 5, bytes(32), (run, *order.runs[1:]))))
    term = Ordered(group, orders.LAST_TERM, order.seq + 1, order.hash, "deniz", 1, 0, EntryKind.TERM, b"junk")
    table.put("burak", ev.Arrived("deniz", term))
    assert table.view("burak").leader == "ayse"
    assert table.view("burak").term == 1


def test_a_newcomer_is_given_nothing_from_before_it_by_those_who_came_in_anew() -> None:
    table, group = room("elif")
    table.say("ayse", "#ops", "before elif")
    table.part({"ayse", "burak"}, {"cem", "deniz", "elif"})
    table.run(20)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))  # a commit in the half that loses: it has to come in anew
    let_in(table, "cem", "elif")
    table.part()
    table.run(90)
    assert "elif" in table.view("burak").roster
    for name in ("ayse", "burak", "cem"):
        if frozenset((name, "elif")) not in table.links:
            table.link(name, "elif")
        before = len(table.frames)
        table.put(name, ev.Arrived("elif", Recall(group, 0, 1 << 62)))
        given = [frame for one, _, frame in table.frames[before:] if one == name and isinstance(frame, Originals)]
        assert given
        assert not any(b"before elif" in data for frame in given for _, data in frame.items)


def test_who_asks_to_come_in_again_and_again_holds_up_nobody() -> None:
    table, group = room()
    table.run(70, 10)
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(20)
    table.put("ayse", ev.SetDeputies("ops", ("burak",)))
    table.part()
    for _ in range(60):
        table.put("cem", ev.Arrived("deniz", AskInfo(group)))
        table.run(1)
    assert not any(table.view(one).healing for one in ALL)


def test_what_a_stranger_asks_of_leaves_nothing_behind() -> None:
    table, _ = room("zeki")
    table.link("ayse", "zeki")
    table.drop = lambda _, other, frame: other == "zeki" and not isinstance(frame, Refused)
    table.put("ayse", ev.Arrived("zeki", Fetch(b"x" * 16, 1, 1)))
    assert [frame for _, other, frame in table.frames if other == "zeki"] == [
        Refused(b"x" * 16, 0, 0, Refusal.NOT_IN)
    ]
    table.cut("ayse", "zeki")
    for _ in range(5):
        table.wait(600)
    assert "zeki" not in views.wanted(table.desks["ayse"])
    assert not table.stores["ayse"].posts("zeki", 1, 9)
    assert not table.mail.get("zeki")


def test_an_old_word_that_somebody_was_out_puts_it_out_no_more() -> None:
    """deniz was out, and cem did not know it. By now she is in again, and nothing that she said then arrives late."""
    table, _ = room()
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    table.run(5)
    table.part({"cem", "deniz"}, {"ayse", "burak"})
    table.drop = lambda one, other, _: (one, other) == ("deniz", "cem")
    table.run(30)  # cem looks for who leads, and deniz says that she is not in: that does not arrive
    table.drop = lambda *_: False
    table.part({"ayse", "burak", "deniz"}, {"cem"})
    let_in(table, "ayse", "deniz")
    table.part()
    table.run(120)
    assert "deniz" in table.view("ayse").roster
    assert table.stages()["deniz"] == "member"


def test_who_is_not_in_is_told_so_by_any_member_of_whom_it_fetches() -> None:
    table, group = room("zeki")
    table.link("burak", "zeki")
    table.put("burak", ev.Arrived("zeki", Fetch(group, 1, 9)))
    assert [frame.reason for _, other, frame in table.frames if other == "zeki" and isinstance(frame, Refused)] == [
        Refusal.OUTSIDER
    ]


# A group of somebody's own making.


@pytest.mark.parametrize("who", ["zeki", "deniz", "cem"], ids=["never in", "put out", "a member"])
def test_nobody_moves_a_member_into_a_group_of_its_own_by_an_unasked_welcome(who: str) -> None:
    table, group = room("zeki")
    if who == "deniz":
        table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    table.run(5)
    for ends in [ends for ends in table.links if who in ends]:
        table.cut(*ends)
    before = table.view("burak")
    welcome = own_group(table, who, "burak", group)
    for _ in range(3):
        table.put("burak", ev.Arrived(who, welcome))
        table.wait(3)
    after = table.view("burak")
    assert (after.leader, after.roster) == (before.leader, before.roster)
    assert any("answers nothing of ours" in text for text in table.troubles("burak"))


def test_what_was_accepted_is_known_after_a_restart() -> None:
    """Somebody of a half that lost is asked in anew, and dies between its answer and the welcome."""
    table, group = room("elif")
    table.part({"ayse", "burak", "elif"}, {"cem", "deniz"})
    table.run(20)
    let_in(table, "ayse", "elif")
    table.put("cem", ev.SetDeputies("ops", ("deniz",)))
    table.drop = lambda _, other, frame: (
        other == "elif" and isinstance(frame, Post) and frame.kind is PostKind.WELCOME
    )
    table.part()
    table.run(30)
    table.restart("elif")
    work = Work(table.desks["elif"], table.now, table.random)
    assert packages.holders(work, group)
    table.drop = lambda *_: False
    table.run(120)
    assert "elif" in table.view("burak").roster
    assert table.view("elif").roster == table.view("ayse").roster


# Terms.


def test_a_term_far_ahead_is_believed_of_nobody() -> None:
    """Else who claims the last one, and is not heard again, leaves none to the others."""
    table, group = room()
    table.run(70, 5)
    order = table.state("deniz", group).order
    assert order is not None
    for term in (orders.LAST_TERM, order.run.term + terms.AT_ONCE + 1):
        lie = Head(group, order.seq, order.hash, (Run(term, 0, "deniz", order.seq + 1, order.seq), *order.runs))
        for name in ALL[:3]:
            table.put(name, ev.Arrived("deniz", lie))
            assert table.view(name).term == 1
    table.part(set(ALL[:3]), {"deniz"})
    table.put("ayse", ev.RemoveFrom("ops", "deniz"))
    table.say("burak", "#ops", "hello?")
    table.run(30)
    assert [table.words(name) for name in ALL[:3]] == [["hello?"]] * 3
    assert "deniz" not in table.view("cem").roster


def claims(table: Table, name: str, by: str, term: int) -> int:
    """``by`` shows ``name`` a term of its own; the term that ``name`` knows then."""
    (group,) = table.desks[name].lobbies
    order = table.state(name, group).order
    assert order is not None
    run = Run(term, 0, by, order.seq + 1, order.seq)
    table.step(name, ev.Arrived(by, Head(group, order.seq, order.hash, (run, *order.runs))))
    lead = table.state(name, group).lead
    assert lead is not None
    return lead.term


def test_what_was_believed_of_one_is_spent_and_made_up_for_in_time() -> None:
    table, _ = room()
    ahead = 1 + terms.AT_ONCE
    assert claims(table, "cem", "burak", ahead) == ahead
    assert claims(table, "cem", "burak", ahead + 9) == ahead, "what was believed is spent"
    table.now += 9 * terms.EACH_SECONDS
    assert claims(table, "cem", "burak", ahead + 9) == ahead + 9
    table.now -= 9 * terms.EACH_SECONDS
    assert claims(table, "cem", "burak", ahead + 18) == ahead + 18, "a clock that is set back stops nothing"


def test_many_terms_are_believed_of_most_of_the_others() -> None:
    table, _ = room("elif")
    table.link("cem", "elif")
    far = 1_000_000
    for by in ("burak", "burak", "elif"):
        assert claims(table, "cem", by, far) == 1
    assert claims(table, "cem", "deniz", far - 5) == far - 5, "burak says so many too"
    most = terms.at_first(Work(table.desks["burak"], table.now, table.random))
    assert claims(table, "burak", "deniz", most + 1) == 1
    for by in ("cem", "ayse"):
        assert claims(table, "burak", by, most + 1) == 1, "some are left in any case"


def test_a_lie_about_a_term_does_not_divide_newcomers_from_those_who_are_in_for_long() -> None:
    table, _ = room("elif")
    table.now += 30 * 86_400.0
    let_in(table, "ayse", "elif")
    table.run(3600, 20)
    for name in ("ayse", "burak", "cem", "elif"):
        if frozenset((name, "deniz")) not in table.links:
            table.link(name, "deniz")
        claims(table, name, "deniz", 30 * 86_400)
    table.part({"ayse", "burak", "cem", "elif"}, {"deniz"})
    table.run(120)
    assert len({(table.view(name).leader, table.view(name).term) for name in ("ayse", "burak", "cem", "elif")}) == 1


def test_who_does_not_believe_one_of_the_others_leaves_and_is_asked_in_again() -> None:
    """deniz made the others believe a term, and nobody is left to tell burak of it but one."""
    table, group = room()
    table.run(70, 5)
    table.part({"ayse", "cem"}, {"burak"}, {"deniz"})
    for name in ("ayse", "cem"):
        desk, lobby = table.desks[name], table.state(name, group)
        assert lobby.order is not None
        run = Run(5000, 0, "ayse", lobby.order.seq + 1, lobby.order.seq)
        lead = replace(run, first=0, last=0)
        lobby = replace(lobby, lead=lead, order=orders.new_term(lobby.order, run))
        table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.part({"ayse", "burak"}, {"cem"}, {"deniz"})
    table.run(60)
    assert table.view("burak").term < 5000
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(120)
    assert table.stages()["burak"] == "ended"
    table.put("ayse", ev.InviteTo("ops", ("burak",)))
    table.run(5)
    table.put("burak", ev.AnswerRequest("ayse", lobby="ops", accept=True))
    table.run(30)
    table.say("ayse", "#ops", "again")
    assert table.words("burak") == ["again"]
    assert table.view("burak").authenticator == table.view("ayse").authenticator


def test_how_many_terms_are_believed_is_kept() -> None:
    table, group = room()
    claims(table, "cem", "burak", terms.AT_ONCE)
    before = table.state("cem", group).healing
    table.restart("cem")
    after = table.state("cem", group).healing
    assert before.terms < terms.AT_ONCE
    assert (after.terms, after.terms_at) == (before.terms, before.terms_at)


@pytest.mark.parametrize("member", [False, True], ids=["newcomer", "member"])
def test_a_welcome_under_a_term_that_no_lobby_comes_to_is_refused(*, member: bool) -> None:
    table, group = room("elif")
    table.run(5)
    victim = "burak" if member else "elif"
    table.link("cem", victim)
    table.drop = lambda one, other, _: "cem" in (one, other)
    package = package_for(table, "cem", victim, group)
    first = terms.at_first(Work(table.desks[victim], table.now, table.random))
    term = 2 * terms.AT_ONCE if member else first + 1
    welcome = own_group(table, "cem", victim, group, package=package, term=term)
    table.put(victim, ev.Arrived("cem", replace(welcome, number=2)))
    assert any("so many terms" in text for text in table.troubles(victim))
    if member:
        assert table.view("burak").leader == "ayse"


def test_a_welcome_that_moves_a_member_on_takes_from_the_terms_that_are_believed() -> None:
    table, group = room()
    table.run(5)
    table.link("cem", "burak")
    table.drop = lambda one, other, _: "cem" in (one, other)
    post = own_group(table, "cem", "burak", group, package=package_for(table, "cem", "burak", group))
    welcome, order = open_post(post), table.state("burak", group).order
    assert isinstance(welcome, Welcome)
    assert order is not None
    run = Run(order.run.term + terms.AT_ONCE, 0, "cem", order.seq + 1, order.seq)
    welcome = replace(welcome, seq=order.seq, hash=order.hash, runs=(run, *order.runs))
    kind, body = pack_parcel(welcome)
    table.put("burak", ev.Arrived("cem", replace(post, number=2, kind=kind, body=body)))
    assert table.view("burak").term == run.term
    assert claims(table, "burak", "cem", run.term + 1) == run.term


def test_two_who_put_each_other_out_stop_telling_so() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.lobby("ayse", "burak")
    table.run(70, 5)
    table.part({"ayse"}, {"burak"})
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    table.put("burak", ev.RemoveFrom("ops", "ayse"))
    table.run(60)
    table.part()
    table.link("ayse", "burak")
    table.run(60)
    before = len(table.frames)
    table.run(60)
    assert not [one for *_, one in table.frames[before:] if isinstance(one, Head | Refused)]
    assert {table.view("ayse").leader, table.view("burak").leader} == {"ayse", "burak"}


def test_a_lone_one_and_a_half_that_put_each_other_out_tell_so_ever_more_rarely() -> None:
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem"), ("burak", "cem")):
        table.link(one, other)
    table.lobby("ayse", "burak", "cem")
    table.run(70, 5)
    table.part({"ayse", "cem"}, {"burak"})
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    for one in ("ayse", "cem"):
        table.put("burak", ev.RemoveFrom("ops", one))
    table.run(60)
    table.part()
    for name in ("", *table.desks):
        if name:
            table.restart(name)
        table.run(300)
        before = len(table.frames)
        table.run(900)
        about = [x for *ends, x in table.frames[before:] if "burak" in ends and isinstance(x, Head | Refused)]
        assert 0 < len(about) < 30
    assert table.view("ayse").roster == ("ayse", "cem")
    table.put("burak", ev.LeaveLobby("ops"))
    table.run(900)
    before = len(table.frames)
    table.run(900)
    assert not [x for *ends, x in table.frames[before:] if "burak" in ends and isinstance(x, Head | Refused)]


# A leader of whom others say that it is out.


def test_one_member_alone_does_not_make_a_leader_believe_that_it_is_out() -> None:
    table, group = room()
    table.run(70, 5)
    table.part({"ayse", "deniz"}, {"burak"}, {"cem"})
    for _ in range(20):
        table.put("ayse", ev.Arrived("deniz", Refused(group, 1, 0, Refusal.OUTSIDER)))
        table.run(10, 5)
    assert table.stages()["ayse"] == "leading"
    assert "deniz" not in table.view("ayse").roster


def test_a_nap_between_two_of_its_words_puts_no_member_out_that_says_we_are_out() -> None:
    table, group = room()
    table.run(70, 5)
    for _ in range(2):
        table.put("ayse", ev.Arrived("deniz", Refused(group, 1, 0, Refusal.OUTSIDER)))
        table.now += 300
    table.run(5)
    assert "deniz" in table.view("ayse").roster


def test_what_somebody_said_of_us_before_it_followed_us_is_forgotten() -> None:
    table, group = room()
    table.run(70, 5)
    for name in ALL[1:]:
        table.put("ayse", ev.Arrived(name, Refused(group, 1 << 30, 0, Refusal.OUTSIDER)))
        table.say(name, "#ops", f"{name} follows")
    table.now += 61
    table.put("ayse", ev.Arrived("deniz", Refused(group, 1 << 30, 0, Refusal.OUTSIDER)))
    assert table.stages()["ayse"] == "leading"
    assert table.state("ayse", group).watch.put_out == {"deniz"}


def test_that_we_were_out_before_we_came_in_again_puts_us_out_no_more() -> None:
    table, group = room()
    table.run(70, 5)
    table.put("ayse", ev.LeaveLobby("ops"))
    table.run(30)
    leader = table.view("burak").leader
    entered = table.state(leader, group).healing.since(leader)
    assert entered > 0
    for name in {"burak", "cem", "deniz"} - {leader}:
        table.put(leader, ev.Arrived(name, Refused(group, entered, 0, Refusal.OUTSIDER)))
    assert table.state(leader, group).watch.put_out == frozenset()


def test_a_rumour_that_one_keeps_alive_takes_no_place_of_another() -> None:
    table, group = room("elif")
    table.run(70, 5)
    order = table.state("ayse", group).order
    assert order is not None

    def tell(name: str, leader: str, term: int) -> None:
        run = Run(order.run.term + term, 1, leader, order.seq + 1, order.seq)
        table.put("ayse", ev.Arrived(name, Head(group, order.seq, order.hash, (run, *order.runs))))

    for number in range(7):
        tell("burak", "nobody-there", 900 + number)
        tell("cem", "elif", 2)
        assert {"nobody-there", "elif"} <= views.wanted(table.desks["ayse"])
        table.now += 20
    table.run(RUMOUR_KEPT_SECONDS + 1, 5)
    assert not {"nobody-there", "elif"} & views.wanted(table.desks["ayse"])
