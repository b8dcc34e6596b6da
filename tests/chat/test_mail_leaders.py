"""What a lobby's members and leaders leave for each other while leaders, and epochs, change."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups
from conclave.chat.lobby_state import Step
from conclave.chat.words.content import Content, Term, encode_content
from conclave.chat.work import Work
from conclave.errors import VerificationError
from conclave.lobby import order as orders
from conclave.lobby.order import Order
from conclave.mls import group as mls
from conclave.mls.group import State
from conclave.wire.frames import Frame
from conclave.wire.order import EntryKind, Ordered, Refusal, Refused, Run, Submit
from tests.chat.desks import Table, together
from tests.chat.halves import ask_in


@pytest.fixture
def table() -> Table:
    """A lobby of four that ayse leads, with an authority that keeps mail for two weeks."""
    table = together("ayse", "burak", "cem", "deniz")
    table.mail_life = 14 * 86_400.0
    table.stock()
    table.run(10)
    return table


def fetched(table: Table, *names: str) -> None:
    """Each in turn fetches what was left for it by now, twice."""
    for name in names * 2:
        table.run(60, 5)
        table.collect(name)


@pytest.mark.parametrize("commits", [1, 6])
def test_words_left_for_the_leader_in_an_epoch_that_is_over_come(table: Table, commits: int) -> None:
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.say("burak", "#ops", "one")
    table.run(60, 2)
    for number in range(commits):
        table.put("ayse", ev.SetDeputies("ops", (("cem",), ("deniz",))[number % 2]))
        table.run(2)
    fetched(table, "ayse", "burak", "ayse")
    table.say("burak", "#ops", "two")
    fetched(table, "ayse", "burak")
    assert table.words("cem")[-2:] == ["one", "two"]
    assert table.statuses("burak", "#ops")[-2:] == ["sent", "sent"]


def test_words_behind_a_commit_that_came_too_late_come(table: Table) -> None:
    """burak's link breaks with a commit of his under way, and another is ordered before it."""
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.put("burak", ev.SetDeputies("ops", ("deniz",)))
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.drop = lambda *_: False
    table.put("ayse", ev.SetDeputies("ops", ("cem",)))
    table.say("burak", "#ops", "one")
    table.run(60, 2)
    fetched(table, "ayse", "burak", "ayse")
    assert table.words("cem")[-1] == "one"


def refuse(*_: object, **__: object) -> None:
    """As ``examine``."""
    raise VerificationError("its authority took it back")


def test_words_behind_a_commit_that_the_leader_refuses_come(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.put("burak", ev.SetDeputies("ops", ("deniz",)))
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.say("burak", "#ops", "one")
    table.run(60, 2)
    with monkeypatch.context() as judged:
        judged.setattr("conclave.chat.lobbies.changing.examine", refuse)
        table.collect("ayse")
    assert table.words("cem")[-1] == "together"
    fetched(table, "burak", "ayse")
    assert table.words("cem")[-1] == "one"


def test_words_left_for_who_leads_no_more_come_once_it_leads_again(table: Table) -> None:
    table.part({"ayse"}, {"cem", "deniz"}, {"burak"})
    table.say("burak", "#ops", "one")
    table.run(60, 2)
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.run(30)
    fetched(table, "ayse")
    assert table.view("ayse").leader == "cem"
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(60)
    table.say("ayse", "#ops", "I lead again")
    fetched(table, "burak", "ayse")
    assert table.words("deniz")[-2:] == ["I lead again", "one"]


# --- who leads by now ---


def test_who_leads_by_now_is_followed_by_the_mail_that_it_leaves(table: Table) -> None:
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.put("ayse", ev.LeaveLobby("ops"))
    table.run(60, 2)
    table.say("cem", "#ops", "I lead now")
    fetched(table, "burak")
    assert table.words("burak")[-1] == "I lead now"
    assert table.view("burak").leader == table.view("deniz").leader == "cem"
    table.say("burak", "#ops", "good")
    fetched(table, "cem")
    assert table.words("deniz")[-1] == "good"
    assert not table.troubles("burak")


def test_who_leads_is_followed_though_it_came_in_unseen() -> None:
    table = together("ayse", "burak", "cem", beside=("elif",))
    table.stock()
    table.part({"ayse", "cem", "elif"}, {"burak"})
    table.put("ayse", ev.InviteTo("ops", ("elif",)))
    table.run(5)
    table.put("elif", ev.AnswerRequest("ayse", accept=True, lobby="ops"))
    table.run(60, 2)
    table.put("ayse", ev.SetDeputies("ops", ("elif",)))
    table.run(2)
    table.put("ayse", ev.LeaveLobby("ops"))
    table.run(60, 2)
    table.say("elif", "#ops", "I lead now")
    fetched(table, "burak")
    assert table.words("burak")[-1] == "I lead now"
    assert table.view("burak").leader == table.view("cem").leader == "elif"


def test_where_nobody_reaches_anybody_one_follows_a_leader_that_left_and_the_others_follow_it(table: Table) -> None:
    table.part({"ayse"}, {"burak"}, {"cem"}, {"deniz"})
    table.put("ayse", ev.LeaveLobby("ops"))
    for _ in range(30):
        table.run(10, 2)
        for name in table.desks:
            table.collect(name)
    assert {table.view(name).leader for name in ("burak", "cem", "deniz")} == {"burak"}
    table.say("deniz", "#ops", "by mail alone")
    fetched(table, "burak", "cem")
    assert table.words("cem")[-1] == "by mail alone"


def test_where_two_led_in_turn_it_is_followed_through_the_terms_of_both(table: Table) -> None:
    table.part({"ayse"}, {"cem", "deniz"}, {"burak"})
    table.run(60, 2)
    assert table.view("deniz").leader == "cem"
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.run(30)
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(60)
    table.say("ayse", "#ops", "I lead again")
    fetched(table, "burak")
    assert table.words("burak")[-1] == "I lead again"
    assert table.view("burak").term == table.view("ayse").term == 3


def test_a_leader_that_was_away_follows_the_next_by_mail(table: Table) -> None:
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(60, 2)
    leader = table.view("cem").leader
    assert leader != "ayse"
    table.say(leader, "#ops", "without ayse")
    fetched(table, "ayse")
    assert table.words("ayse")[-1] == "without ayse"
    assert table.view("ayse").leader == leader


def test_halves_that_reach_each_other_by_mail_alone_keep_their_leaders(table: Table) -> None:
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(30, 2)
    table.say("cem", "#ops", "in our half")
    fetched(table, "ayse", "burak", "cem", "deniz")
    assert (table.view("ayse").leader, table.view("burak").leader) == ("ayse", "ayse")
    assert (table.view("cem").leader, table.view("deniz").leader) == ("cem", "cem")
    assert table.view("cem").term == 2
    table.part()
    table.run(60)
    assert {table.view(name).leader for name in table.desks} == {"cem"}


def test_what_was_of_no_use_when_it_was_fetched_is_left_anew(table: Table) -> None:
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(30, 2)
    table.say("cem", "#ops", "in our half")
    fetched(table, "burak")
    assert table.view("burak").leader == "ayse"
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    fetched(table, "cem", "burak")
    assert table.words("burak")[-1] == "together"
    table.run(3600, 60)
    fetched(table, "burak")
    assert table.words("burak")[-1] == "in our half"
    assert table.view("burak").leader == "cem"
    left = table.mails
    table.run(10_000, 60)
    assert table.mails <= left + 4


def test_what_halves_cannot_take_of_each_other_is_left_anew_ever_more_seldom(table: Table) -> None:
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(30, 2)
    table.say("cem", "#ops", "in our half")
    fetched(table, "burak", "cem")
    left = []
    for _ in range(2):
        before = table.mails
        for _ in range(8):
            table.run(3600, 600)
            fetched(table, "burak", "ayse", "cem", "deniz")
        left.append(table.mails - before)
    assert table.words("burak")[-1] == "together"
    assert left[0] > 2 * left[1] > 0


# --- who lies ---


def leave(table: Table, sender: str, *frames: Frame) -> None:
    """``sender`` left these for burak, who fetches them."""
    table.mails += 1
    table.put("burak", ev.Mailed(sender, frames, table.mails, "d1"))


def apart(table: Table) -> Order:
    """burak is reached by mail alone; his order."""
    table.part({"ayse", "cem", "deniz"}, {"burak"})
    table.run(10)
    order = table.state("burak", table.desks["burak"].labels["#ops"]).order
    assert order is not None
    return order


@pytest.mark.parametrize("kind", [EntryKind.MESSAGE, EntryKind.COMMIT, EntryKind.TERM])
@pytest.mark.parametrize("sender", ["cem", "deniz"])
def test_a_member_who_leaves_what_nobody_said_makes_nobody_deaf_to_the_leader(
    table: Table, kind: EntryKind, sender: str
) -> None:
    order = apart(table)
    _, entry, _ = orders.write(order, sender, 10**15, order.epoch, kind, b"junk")
    behind = orders.new_term(order, Run(order.run.term + 1, 0, "cem", 0, 0))
    _, term, _ = orders.write(behind, sender, 10**15, 0, kind, b"junk")
    leave(table, "cem", entry)
    leave(table, "cem", orders.head(behind), term)
    assert table.view("burak").seq == order.seq
    table.say("ayse", "#ops", "I lead")
    fetched(table, "burak")
    assert table.words("burak")[-1] == "I lead"
    assert table.view("burak").leader == "ayse"


def test_who_follows_by_mail_who_is_not_there_is_led_again_where_it_meets_others(table: Table) -> None:
    """cem takes a term that the others hear of from burak alone, and says nothing more."""
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.run(60, 2)
    table.say("cem", "#ops", "I lead")
    fetched(table, "burak")
    assert table.view("burak").leader == "cem"
    table.part({"ayse", "burak"}, {"cem"}, {"deniz"})
    table.run(60)
    assert table.view("burak").leader == table.view("ayse").leader != "cem"
    table.say("burak", "#ops", "we go on")
    table.say("ayse", "#ops", "so we do")
    table.run(30)
    assert {*table.words("ayse")[-2:]} == {*table.words("burak")[-2:]} == {"we go on", "so we do"}
    table.part()
    table.run(60)
    assert table.words("cem")[-2:] == table.words("deniz")[-2:] == table.words("ayse")[-2:]


def a_term(order: Order, state: State, work: Work, number: int) -> tuple[Order, Ordered]:
    """cem takes the next term behind ``order``, as she does."""
    run = Run(order.run.term + 1, groups.rank(state, "cem"), "cem", 0, 0)
    order = orders.new_term(order, run)
    content = encode_content(Content(b"t" * 16, 0, work.now, Term(run.term, order.seq - 1, order.hash)))
    sealed = groups.seal(work, order.group, content, groups.write_stand(order, number))
    order, entry, _ = orders.write(order, "cem", number, run.rank, EntryKind.TERM, sealed.payload)
    return order, entry


JUNK = ("none", "deniz", "burak", "commit", "twice", "gone")


@pytest.mark.parametrize("junk", JUNK)
def test_who_takes_a_term_and_leaves_junk_with_it_makes_nobody_deaf_or_mute_to_mail(table: Table, junk: str) -> None:
    """cem's envelope: before her term a commit with another number inside, or behind it a term that nobody took."""
    order = apart(table)
    work, number = Work(table.desks["cem"], table.now, table.random), 10**13
    state = work.session(order.group)
    assert state is not None
    left: list[Frame] = []
    if junk == "commit":
        reasons = groups.write_reasons({}, number + 77)
        verify = work.judges.members
        staged = mls.commit(state, [], verify=verify, now=work.now, random=work.random, authenticated_data=reasons)
        order, commit, _ = orders.write(order, "cem", number, state.number, EntryKind.COMMIT, staged.message)
        left.append(commit)
        state = mls.merge(staged.state or state, staged)
        work.keep_session(state)
    later, term = a_term(order, state, work, number + 1)
    if junk == "twice":  # its key is used up by what comes before it
        order, words, _ = orders.write(order, "cem", number + 1, state.number, EntryKind.MESSAGE, term.payload)
        later = orders.new_term(order, later.run)
        later, term, _ = orders.write(later, "cem", number + 1, term.epoch, EntryKind.TERM, term.payload)
        left.append(words)
    left.append(term)
    if junk in table.desks:
        more = orders.new_term(later, Run(later.run.term + 1, 0, junk, 0, 0))
        left.append(orders.write(more, junk, number, 0, EntryKind.TERM, b"junk")[1])
    if junk == "gone":
        left.append(Refused(order.group, 0, order.epoch, Refusal.GONE))
    leave(table, "cem", *left)
    lobby = table.state("burak", order.group)
    assert lobby.healing.step is Step.SOUND
    assert lobby.leader == ("ayse" if junk == "commit" else "cem")
    table.say("burak", "#ops", "does anybody hear me")
    table.run(60, 2)
    assert table.statuses("burak", "#ops")[-1] == "in mailbox"


def test_words_that_another_ordered_before_the_leader_came_in_anew_are_not_ordered_again(table: Table) -> None:
    """What burak left for ayse she fetches only when she leads once more: cem ordered it while she was apart."""
    table.part({"ayse"}, {"cem", "deniz"}, {"burak"})
    table.say("burak", "#ops", "one")
    table.run(60, 2)
    table.put("ayse", ev.SetDeputies("ops", ("ayse",)))
    table.run(5)
    table.part({"burak", "cem", "deniz"}, {"ayse"})
    table.run(60, 2)
    table.part()
    table.run(60, 2)
    table.put("cem", ev.LeaveLobby("ops"))
    table.run(30, 2)
    assert table.view("burak").leader == "ayse"
    for name in ("ayse", "burak", "deniz"):
        table.collect(name)
    table.say("burak", "#ops", "two")
    table.run(30, 2)
    for name in ("ayse", "burak", "deniz"):
        assert [text for text in table.words(name) if text in ("one", "two")] == ["one", "two"]
        assert not table.troubles(name)


def test_words_that_nobody_ordered_before_the_leader_came_in_come_all_the_same() -> None:
    """elif comes in while they are under way, and leads next: their author protects them anew."""
    table = together("ayse", "burak", "cem", beside=("elif",))
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.say("burak", "#ops", "one")
    ask_in(table, "ayse", "elif")
    table.put("ayse", ev.SetDeputies("ops", ("elif",)))
    table.run(5)
    table.put("ayse", ev.LeaveLobby("ops"))
    table.run(20)
    assert table.view("cem").leader == "elif"
    table.drop = lambda *_: False
    table.run(30)
    for name in ("burak", "cem", "elif"):
        assert table.words(name)[-1] == "one"
        assert not table.troubles(name)
