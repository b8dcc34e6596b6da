"""What is to be said by mail of what was fetched finds no room in its sender's mailbox, and is left again."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import DepositPosts
from conclave.wire.order import Head
from tests.chat.desks import Table, read_frame, together
from tests.chat.test_mail import pair

__all__ = ["pair"]


def fetched_to_no_avail(table: Table) -> None:
    """ayse fetches burak's mail, and there is no room in his mailbox for what she has to say of it."""
    table.failing["burak"] = "full"
    assert table.collect("ayse")
    table.failing.clear()


@pytest.mark.parametrize("how", ["", "over a restart", "twice"])
def test_what_finds_no_room_that_says_what_was_taken_is_left_again(pair: Table, how: str) -> None:
    pair.mail_life = 14 * 86_400.0
    pair.part({"ayse"}, {"burak"})
    pair.say("burak", "@ayse", "by mail")
    pair.run(20)
    assert pair.statuses("burak", "@ayse")[-1] == "in mailbox"
    fetched_to_no_avail(pair)
    if how == "twice":
        pair.say("burak", "@ayse", "once more")
        pair.run(20)
        fetched_to_no_avail(pair)
    if how == "over a restart":
        pair.restart("ayse")
    mails = pair.mails
    pair.run(2000, 10)
    assert pair.mails == mails + 1
    pair.collect("burak")
    assert set(pair.statuses("burak", "@ayse")) == {"delivered"}
    pair.restart("ayse")
    pair.run(2000, 10)
    assert pair.mails == mails + 1


@pytest.mark.parametrize("out", [False, True])
def test_what_is_told_by_a_link_or_to_who_is_out_is_not_left_as_mail_too(pair: Table, *, out: bool) -> None:
    pair.part({"ayse"}, {"burak"})
    pair.say("burak", "@ayse", "by mail")
    pair.run(20)
    fetched_to_no_avail(pair)
    if out:
        pair.put("ayse", ev.Expelled("burak", "lost"))
    else:
        pair.link("ayse", "burak")
        assert set(pair.statuses("burak", "@ayse")) == {"delivered"}
        pair.cut("ayse", "burak")
    mails = pair.mails
    pair.run(4000, 10)
    assert pair.mails == mails


def test_posts_on_their_way_are_not_left_twice_where_an_answer_to_mail_finds_no_room(pair: Table) -> None:
    pair.part({"ayse"}, {"burak"})
    pair.say("burak", "@ayse", "by mail")
    pair.run(20)
    box, pair.mail["ayse"] = pair.mail["ayse"], {}
    pair.say("ayse", "@burak", "under way")
    leave, pair._mail = pair._mail, lambda *_: None  # type: ignore[method-assign]
    pair.run(10)
    pair._mail, pair.mail["ayse"] = leave, box  # type: ignore[method-assign]
    fetched_to_no_avail(pair)
    posts = len([one for one in pair.effects["ayse"] if isinstance(one, DepositPosts)])
    pair.run(2000, 10)
    assert len([one for one in pair.effects["ayse"] if isinstance(one, DepositPosts)]) == posts


def test_how_far_a_follower_came_by_mail_is_told_though_there_was_no_room_at_first() -> None:
    table = together("ayse", "burak", "cem")
    table.stock()
    table.part({"ayse", "burak"}, {"cem"})
    table.say("ayse", "#ops", "one")
    table.run(20)
    table.mail["cem"] = {}  # lost
    table.say("ayse", "#ops", "two")
    table.run(20)
    table.failing["ayse"] = "full"
    assert table.collect("cem")
    table.failing.clear()
    table.run(2000, 10)
    left = [read_frame(one) for _, frames in table.mail["ayse"].values() for one in frames]
    assert any(isinstance(one, Head) for one in left)
