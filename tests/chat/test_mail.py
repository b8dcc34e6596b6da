"""What waits for somebody who is away goes to the mailbox, and comes from there as if by a link."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.deeds import Deposit, DepositEntries, DepositPosts, MailDone, Wake
from conclave.chat.mail import POSTS_AT_ONCE
from conclave.chat.notices import LineMarked
from conclave.wire.order import Submit
from tests.chat.desks import Table, read_frame


@pytest.fixture
def pair() -> Table:
    """Two who know each other, and are not linked."""
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.cut("ayse", "burak")
    return table


def wakes(table: Table, name: str) -> list[float]:
    return [one.at for one in table.effects[name] if isinstance(one, Wake)]


def test_words_for_who_is_away_are_woken_for_and_mailed(pair: Table) -> None:
    pair.wait(60)
    pair.effects["ayse"].clear()
    pair.say("ayse", "@burak", "later")
    assert min(wakes(pair, "ayse")) <= pair.now + pair.settings.mail_after
    pair.wait(5)
    assert pair.statuses("ayse", "@burak")[-1] == "in mailbox"


def test_words_mailed_and_words_linked_are_one_stream(pair: Table) -> None:
    pair.say("ayse", "@burak", "one")
    pair.wait(6)
    pair.say("ayse", "@burak", "two")
    pair.wait(6)
    pair.link("ayse", "burak")
    pair.say("ayse", "@burak", "three")
    pair.collect("burak")
    assert pair.words("burak", "@ayse")[-3:] == ["one", "two", "three"]
    assert set(pair.statuses("ayse", "@burak")) == {"delivered"}


def test_an_envelope_twice_or_in_another_order_shows_nothing_twice(pair: Table) -> None:
    for text in ("one", "two"):
        pair.say("ayse", "@burak", text)
        pair.wait(6)
    box = dict(pair.mail["burak"])
    for mail in (*sorted(box, reverse=True), *sorted(box)):
        sender, frames = box[mail]
        pair.put("burak", ev.Mailed(sender, tuple(read_frame(one) for one in frames), mail))
    assert pair.words("burak", "@ayse")[-2:] == ["one", "two"]
    assert [one.mail for one in pair.effects["burak"] if isinstance(one, MailDone)][-4:]
    assert not pair.mail["burak"]


def test_without_the_authority_it_is_tried_again(pair: Table) -> None:
    pair.authority = False
    pair.say("ayse", "@burak", "one")
    pair.wait(6)
    assert pair.statuses("ayse", "@burak")[-1] == "waiting"
    pair.authority = True
    pair.wait(6)
    assert pair.statuses("ayse", "@burak")[-1] == "waiting"  # not yet again
    pair.wait(30)
    assert pair.statuses("ayse", "@burak")[-1] == "in mailbox"


@pytest.mark.parametrize(("reason", "seconds"), [("away", 30), ("full", 900), ("unknown", 3600), ("refused", 3600)])
def test_what_did_not_go_is_tried_later(pair: Table, reason: str, seconds: int) -> None:
    pair.say("ayse", "@burak", "one")
    pair.step("ayse", ev.DepositFailed("burak", 9, reason))
    pair.wait(seconds - 1)
    assert pair.statuses("ayse", "@burak")[-1] == "waiting"
    pair.wait(1)
    assert pair.statuses("ayse", "@burak")[-1] == "in mailbox"


@pytest.mark.parametrize(("reason", "blamed"), [("refused", True), ("ours", False), ("fault", False)])
def test_what_is_our_own_fault_is_not_said_of_the_other(pair: Table, reason: str, *, blamed: bool) -> None:
    pair.failing["burak"] = reason
    pair.say("ayse", "@burak", "one")
    pair.wait(6)
    (told,) = pair.troubles("ayse")
    assert told.startswith("no mail can be left for burak")
    assert ("it, or its key, is refused" in told) is blamed


def test_a_full_mailbox_is_told_once_and_tried_when_its_owner_was_here(pair: Table) -> None:
    pair.failing["burak"] = "full"
    for text in ("one", "two"):
        pair.say("ayse", "@burak", text)
        pair.wait(6)
    pair.wait(901)
    told = "burak's mailbox is full; it is tried again in 15 minutes, or when burak is here"
    assert pair.troubles("ayse") == [told]
    assert views.unmailed(pair.desks["ayse"]) == {"burak": "burak's mailbox is full"}
    pair.failing.clear()
    pair.link("ayse", "burak")
    assert views.unmailed(pair.desks["ayse"]) == {}
    pair.cut("ayse", "burak")
    pair.say("ayse", "@burak", "three")
    pair.wait(6)
    assert pair.statuses("ayse", "@burak")[-1] == "in mailbox"
    pair.failing["burak"] = "full"
    pair.say("ayse", "@burak", "four")
    pair.wait(6)
    assert pair.troubles("ayse") == [told, told]


def test_that_the_authority_is_away_is_not_told_of_a_mailbox(pair: Table) -> None:
    pair.authority = False
    pair.say("ayse", "@burak", "one")
    pair.wait(6)
    assert pair.troubles("ayse") == []


def test_a_members_full_mailbox_is_told_and_tried_when_it_was_here() -> None:
    table = led_by_ayse("burak")
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.failing["burak"] = "full"
    table.say("ayse", "#ops", "one")
    table.run(15)
    assert table.troubles("ayse") == [
        "burak's mailbox is full; it is tried again in 15 minutes, or when burak is here"
    ]
    table.failing.clear()
    table.link("ayse", "burak")
    table.cut("ayse", "burak")
    table.say("ayse", "#ops", "two")
    table.run(15)
    table.collect("burak")
    assert table.words("burak") == ["hello", "one", "two"]


def test_a_leaders_full_mailbox_is_tried_when_it_was_here() -> None:
    table = led_by_ayse("burak", "cem")
    table.part({"ayse"}, {"burak"}, {"cem"})
    table.failing["ayse"] = "full"
    table.say("burak", "#ops", "one")
    table.run(40)
    assert "ayse" in views.unmailed(table.desks["burak"])
    table.failing.clear()
    table.link("ayse", "burak")
    table.cut("ayse", "burak")
    table.say("burak", "#ops", "two")
    table.run(40)
    assert table.statuses("burak", "#ops")[-1] == "in mailbox"


def test_mail_that_has_waited_for_as_long_as_it_may_is_left_anew(pair: Table) -> None:
    pair.mail_life = 60.0
    pair.say("ayse", "@burak", "one")
    pair.wait(6)
    pair.say("ayse", "@burak", "two")
    pair.wait(6)
    pair.desks["ayse"] = pair.restored("ayse")
    pair.failing["burak"] = "full"
    pair.say("ayse", "@burak", "three")
    pair.wait(6)
    pair.failing.clear()
    pair.effects["ayse"].clear()
    pair.mail.clear()  # as the authority does
    pair.wait(44)
    assert not [one for one in pair.effects["ayse"] if isinstance(one, DepositPosts)]
    assert min(wakes(pair, "ayse")) <= pair.now + 10
    pair.wait(10)
    assert [one.status for one in pair.notices("ayse", LineMarked)] == [  # type: ignore[attr-defined]
        "waiting", "waiting", "in mailbox", "in mailbox", "in mailbox"
    ]  # fmt: skip
    pair.collect("burak")
    assert pair.words("burak", "@ayse")[-3:] == ["one", "two", "three"]


def test_a_lobbys_mail_that_has_waited_for_as_long_as_it_may_is_left_anew() -> None:
    table = led_by_ayse("burak")
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.mail_life = 60.0
    table.say("ayse", "#ops", "one")
    table.run(20)
    table.restart("ayse")
    table.mail.clear()
    table.run(30)
    assert not table.mail
    table.run(40)
    table.collect("burak")
    assert table.words("burak") == ["hello", "one"]


def test_words_in_an_absent_leaders_mailbox_are_left_anew() -> None:
    table = led_by_ayse("burak", "cem")
    table.part({"ayse"}, {"burak"}, {"cem"})
    table.mail_life = 60.0
    table.say("burak", "#ops", "one")
    table.run(40)
    assert table.statuses("burak", "#ops")[-1] == "in mailbox"
    table.mail.clear()
    table.run(70)
    assert any(sender == "burak" for sender, _ in table.mail["ayse"].values())


def test_words_in_a_leaders_mailbox_wait_there_for_as_long_as_those_of_its_present_absence() -> None:
    table = led_by_ayse("burak", "cem")
    table.mail_life = 600.0
    for text in ("one", "two"):
        table.part({"ayse"}, {"burak"}, {"cem"})
        table.say("burak", "#ops", text)
        table.run(40)
        assert table.statuses("burak", "#ops")[-1] == "in mailbox"
        if text == "one":
            table.part()
            table.collect("ayse")
            table.run(500, 10)
    table.effects["burak"].clear()
    table.reach = lambda _one, _other: False
    table.wait(90)  # the first ones would be gone by now
    assert not [one for one in table.effects["burak"] if isinstance(one, Deposit)]
    table.wait(500)
    assert [one for one in table.effects["burak"] if isinstance(one, Deposit)]


@pytest.mark.parametrize("reason", ["", "full"])
def test_what_is_in_one_leaders_mailbox_is_left_in_the_next_ones_too(reason: str) -> None:
    table = led_by_ayse("burak", "cem", "deniz")
    table.put("ayse", ev.SetDeputies("ops", ("cem",)))
    table.run(5)
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.failing = {"ayse": reason}
    table.say("burak", "#ops", "one")
    table.run(30)
    assert table.statuses("burak", "#ops")[-1] == ("waiting" if reason else "in mailbox")
    table.drop = lambda one, _, frame: one == "burak" and isinstance(frame, Submit)
    table.part({"ayse"}, {"burak", "cem", "deniz"})
    table.run(10)
    assert table.view("burak").leader == "cem"
    table.part({"ayse"}, {"burak"}, {"cem", "deniz"})
    table.run(30)
    assert [one.status.value for one in table.lines("burak", "#ops") if one.text == "one"] == ["in mailbox"]
    assert table.texts("burak", "#ops")[-1] == "cem leads now"
    table.collect("cem")
    assert table.words("cem")[-1] == "one"


def test_a_long_outbox_goes_in_pieces(pair: Table) -> None:
    for number in range(2 * POSTS_AT_ONCE + 3):
        pair.say("ayse", "@burak", str(number))
    pair.wait(6)
    counts = [one.count for one in pair.effects["ayse"] if isinstance(one, DepositPosts)]
    assert max(counts) == POSTS_AT_ONCE
    assert sum(counts) == 2 * POSTS_AT_ONCE + 3
    pair.collect("burak")
    assert pair.words("burak", "@ayse")[-1] == str(2 * POSTS_AT_ONCE + 2)


def test_who_is_not_linked_hears_by_mail_what_arrived(pair: Table) -> None:
    pair.say("ayse", "@burak", "one")
    pair.wait(6)
    pair.collect("burak")
    assert [one for one in pair.effects["burak"] if isinstance(one, Deposit) and one.peer == "ayse"]
    pair.collect("ayse")
    assert pair.statuses("ayse", "@burak")[-1] == "delivered"


def test_a_lobbys_member_that_is_away_gets_the_order_by_mail() -> None:
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem")):
        table.link(one, other)
    table.lobby("ayse", "burak", "cem")
    table.cut("ayse", "cem")
    table.wait(1)
    table.say("burak", "#ops", "while cem sleeps")
    for _ in range(4):
        table.wait(5)
    assert [one for one in table.effects["ayse"] if isinstance(one, DepositEntries)]
    table.collect("cem")
    assert table.words("cem") == ["while cem sleeps"]


def deposits(table: Table, name: str) -> list[DepositEntries]:
    return [one for one in table.effects[name] if isinstance(one, DepositEntries)]


def test_what_was_ordered_is_mailed_again_where_that_failed() -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for other in ("burak", "cem", "deniz"):
        table.link("ayse", other)
    table.lobby("ayse", "burak", "cem", "deniz")
    for away in ("cem", "deniz"):
        table.cut("ayse", away)
    table.wait(1)
    table.authority = False
    table.say("burak", "#ops", "while cem sleeps")
    for _ in range(5):
        table.wait(5)
    table.say("burak", "#ops", "and goes on sleeping")
    table.authority = True
    assert not any(table.mail.values())
    for _ in range(8):
        table.wait(5)
    for away in ("cem", "deniz"):
        table.collect(away)
        assert table.words(away) == ["while cem sleeps", "and goes on sleeping"]
    done = len(deposits(table, "ayse"))
    table.run(600, 60)
    assert len(deposits(table, "ayse")) <= done + 4  # what else was ordered goes once, and nothing again


@pytest.mark.parametrize(("reason", "seconds"), [("away", 30), ("full", 900), ("unknown", 3600), ("refused", 3600)])
def test_a_members_mailbox_is_tried_later_and_does_not_hold_up_the_others(reason: str, seconds: int) -> None:
    table = Table("ayse", "burak", "cem", "deniz")
    for other in ("burak", "cem", "deniz"):
        table.link("ayse", other)
    table.lobby("ayse", "burak", "cem", "deniz")
    table.run(90, 10)
    for away in ("cem", "deniz"):
        table.cut("ayse", away)
    table.wait(10)
    table.failing["cem"] = reason
    table.say("burak", "#ops", "one")
    table.wait(10)
    first = next(one.first for one in deposits(table, "ayse") if one.peer == "cem")
    table.failing.clear()
    table.say("burak", "#ops", "two")
    table.effects["ayse"].clear()
    table.wait(6)
    table.wait(6)
    assert "deniz" in {one.peer for one in deposits(table, "ayse")}
    again = [one.first for one in deposits(table, "ayse") if one.peer == "cem"]
    assert again == []
    table.wait(seconds)
    tried = [one.first for one in deposits(table, "ayse") if one.peer == "cem"]
    assert tried.count(first) == 1


def test_what_fits_no_envelope_waits_for_a_link_and_nothing_is_left_behind_it() -> None:
    table = led_by_ayse("burak")
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.failing["burak"] = "too-large"
    table.say("ayse", "#ops", "one")
    table.run(15)
    assert len(deposits(table, "ayse")) == 1
    for _ in range(2):
        table.say("ayse", "#ops", "more")
        table.run(15)
        assert len(deposits(table, "ayse")) == 1
        table.restart("ayse")
        table.effects["ayse"].clear()
        table.run(15)  # once more, as where it stands is not known
    assert table.troubles("ayse") == []
    table.failing.clear()
    table.reach = lambda _one, _other: True
    table.run(5)
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.say("ayse", "#ops", "two")
    table.run(15)
    table.collect("burak")
    assert table.words("burak") == ["hello", "one", "more", "more", "two"]


def test_who_reaches_nobody_leaves_its_words_in_the_leaders_mailbox() -> None:
    table = Table("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem")):
        table.link(one, other)
    table.lobby("ayse", "burak", "cem")
    for one, other in (("ayse", "burak"), ("ayse", "cem")):
        table.cut(one, other)
    table.say("burak", "#ops", "good night")
    for _ in range(4):
        table.wait(5)
    assert table.statuses("burak", "#ops")[-1:] == ["in mailbox"]
    sender, frames = next(iter(table.mail["ayse"].values()))
    assert sender == "burak"
    assert all(isinstance(read_frame(one), Submit) for one in frames)
    assert b"good night" not in b"".join(frames)
    table.collect("ayse")
    assert table.words("ayse") == ["good night"]
    table.link("ayse", "burak")
    table.wait(5)
    assert table.statuses("burak", "#ops")[-1:] == ["sent"]
    assert table.words("ayse") == table.words("burak") == ["good night"]


def test_what_is_in_an_envelope_is_opaque_to_the_authority(pair: Table) -> None:
    pair.say("ayse", "@burak", "a word that nobody else reads")
    pair.wait(6)
    frames = b"".join(one for _, frames in pair.mail["burak"].values() for one in frames)
    assert b"nobody" not in frames


def led_by_ayse(*members: str) -> Table:
    """A lobby that ayse leads, everybody linked to her, and all receipts given."""
    table = Table("ayse", *members)
    for other in members:
        table.link("ayse", other)
    table.lobby("ayse", *members)
    table.say("ayse", "#ops", "hello")
    table.run(30, 1)
    return table


def test_a_leader_that_restarts_mails_on_from_where_it_was() -> None:
    """Its end came before it mailed: what follows builds on what was said before."""
    table = led_by_ayse("burak")
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.say("ayse", "#ops", "one")
    table.restart("ayse")
    table.say("ayse", "#ops", "two")
    table.run(15)
    table.say("ayse", "#ops", "three")
    table.run(15)
    table.collect("burak")
    assert table.words("burak") == ["hello", "one", "two", "three"]


def test_what_a_mailbox_has_is_kept_over_a_restart_and_not_left_there_again() -> None:
    table = led_by_ayse("burak")
    group = table.desks["ayse"].labels["#ops"]
    table.reach = lambda _one, _other: False
    table.cut("ayse", "burak")
    table.say("ayse", "#ops", "one")
    table.run(15)
    said = table.lines("ayse", "#ops")[-1].seq
    mailed = table.view("ayse").mailed["burak"]
    assert mailed.first == said
    assert mailed.upto == table.view("ayse").seq
    assert not table.view("burak").mailed
    table.restart("ayse")
    table.effects["ayse"].clear()
    table.run(60)
    assert deposits(table, "ayse") == []
    table.reach = lambda _one, _other: True
    table.link("ayse", "burak")
    table.run(15)
    assert not table.state("ayse", group).mailed  # it has told that it has all


def test_what_was_mailed_to_who_is_out_is_not_remembered() -> None:
    table = led_by_ayse("burak", "cem")
    group = table.desks["ayse"].labels["#ops"]
    table.part({"ayse", "cem"}, {"burak"})
    table.say("ayse", "#ops", "one")
    table.put("ayse", ev.RemoveFrom("ops", "burak"))
    table.run(15)
    assert "burak" in table.state("ayse", group).watch.mailing
    table.part()
    table.link("ayse", "burak")
    table.run(15)
    assert table.stages()["burak"] == "ended"
    assert not table.state("ayse", group).watch.mailing
    assert not table.state("ayse", group).mailed


def test_a_leader_that_crashed_mails_from_where_the_last_receipt_was() -> None:
    """Nothing was kept of who was linked when it was killed."""
    table = led_by_ayse("burak", "cem")
    for other in ("burak", "cem"):
        table.reach = lambda _one, _other: False
        table.links.discard(frozenset(("ayse", other)))
    table.desks["ayse"] = table.restored("ayse")
    table.run(30)
    assert deposits(table, "ayse") == []  # who has all words is left alone
    table.say("ayse", "#ops", "one")
    table.run(15)
    for other in ("burak", "cem"):
        table.collect(other)
        assert table.words(other) == ["hello", "one"]


def test_who_follows_again_forgets_what_it_mailed_as_the_leader() -> None:
    """Another's order may have other entries under the same numbers."""
    table = led_by_ayse("burak", "cem")
    group = table.desks["ayse"].labels["#ops"]
    table.part({"burak", "cem"}, {"ayse"})
    table.say("ayse", "#ops", "alone")
    table.run(240)
    table.part()
    table.run(120)
    followers = [name for name in table.desks if table.view(name).leader != name]
    assert len(followers) == 2
    assert not any(table.state(name, group).mailed for name in followers)
