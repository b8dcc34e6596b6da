"""Mail that its receiver fetched and did not take: it is left anew once it may be taken, or declined."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.chat.deeds import DepositPosts, Resend
from conclave.chat.delivery import ANEW_MOST_SECONDS, ANEW_SECONDS
from conclave.chat.mail import POSTS_AT_ONCE
from conclave.chat.pairs.talk import REJECTIONS_MOST
from conclave.wire.delivery import DECLINED_POSTS, Ack, Post
from conclave.wire.frames import Frame
from conclave.wire.posts import Answer, Choice, Message, pack_parcel
from tests.chat.desks import Table, together


@pytest.fixture
def apart() -> Table:
    """Two strangers who are never linked, with an authority that keeps mail for a month."""
    table = Table("ayse", "burak")
    table.mail_life = 30 * 86_400.0
    table.part({"ayse"}, {"burak"})
    table.stock()
    return table


def fetch(table: Table, *names: str) -> None:
    """Each in turn fetches what was left for it by now."""
    for name in names:
        table.run(10, 5)
        table.collect(name)


@pytest.fixture
def friends(apart: Table) -> Table:
    """The same two, once they know each other."""
    apart.say("ayse", "@burak", "hello")
    fetch(apart, "burak")
    apart.say("burak", "@ayse", "hi")
    fetch(apart, "ayse", "burak")
    assert apart.statuses("ayse", "@burak") == apart.statuses("burak", "@ayse") == ["delivered"]
    return apart


@pytest.mark.parametrize("restarted", [False, True])
def test_words_that_a_busy_person_left_come_once_it_is_free(apart: Table, *, restarted: bool) -> None:
    apart.put("burak", ev.SetBusy(on=True))
    for text in ("hello", "hello?"):
        apart.say("ayse", "@burak", text)
    fetch(apart, "burak", "ayse")
    assert apart.texts("burak", "@ayse") == []
    if restarted:
        apart.restart("ayse")
    apart.put("burak", ev.SetBusy(on=False))
    fetch(apart, "ayse")
    assert apart.statuses("ayse", "@burak") == ["waiting", "waiting"]
    fetch(apart, "burak", "ayse")
    assert apart.texts("burak", "@ayse") == ["hello", "hello?"]
    assert apart.statuses("ayse", "@burak") == ["delivered", "delivered"]


@pytest.mark.parametrize("accept", [True, False])
def test_words_beyond_what_a_stranger_may_say_come_or_fail_once_it_is_answered(apart: Table, *, accept: bool) -> None:
    for number in range(12):
        apart.say("ayse", "@burak", str(number))
    fetch(apart, "burak")
    assert len(apart.texts("burak", "@ayse")) == 10
    apart.put("burak", ev.AnswerRequest("ayse", accept=accept))
    fetch(apart, "ayse", "burak", "ayse")
    assert len(apart.texts("burak", "@ayse")) == (12 if accept else 10)
    assert apart.statuses("ayse", "@burak") == ["delivered"] * 10 + ["delivered" if accept else "not sent"] * 2


def test_words_fetched_before_their_author_heard_of_its_rejection_fail_and_later_ones_come(friends: Table) -> None:
    friends.put("burak", ev.AnswerRequest("ayse", accept=False))
    friends.say("ayse", "@burak", "one")
    fetch(friends, "burak", "ayse")
    assert friends.statuses("ayse", "@burak")[1:] == ["not sent"]
    friends.say("burak", "@ayse", "sorry")
    fetch(friends, "ayse")
    for text in ("two", "three"):
        friends.say("ayse", "@burak", text)
    fetch(friends, "burak", "ayse")
    assert friends.words("burak", "@ayse") == ["hello", "hi", "sorry", "two", "three"]
    assert friends.statuses("ayse", "@burak")[1:] == ["not sent", "delivered", "delivered"]


def test_more_words_than_can_be_declined_at_once_all_fail(friends: Table) -> None:
    friends.put("burak", ev.AnswerRequest("ayse", accept=False))
    many = DECLINED_POSTS // 2 + POSTS_AT_ONCE
    for number in range(many):
        friends.say("ayse", "@burak", str(number))
    fetch(friends, "ayse", "burak", "ayse")
    friends.run(ANEW_SECONDS, 5)
    fetch(friends, "burak", "ayse")
    assert friends.statuses("ayse", "@burak")[1:] == ["not sent"] * many
    assert views.queued(friends.desks["ayse"]) == {}


def test_a_deposit_that_ends_only_when_all_is_left_anew_does_not_count_for_that(
    apart: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart.put("burak", ev.SetBusy(on=True))
    apart.say("ayse", "@burak", "hello")
    fetch(apart, "burak", "ayse")
    with monkeypatch.context() as slow:
        slow.setattr(apart, "_mail", lambda *_: None)
        apart.say("ayse", "@burak", "hello?")
        apart.run(10, 5)
    upto = max(one.first + one.count - 1 for one in apart.effects["ayse"] if isinstance(one, DepositPosts))
    apart.put("burak", ev.SetBusy(on=False))
    apart.wait(10)
    apart.collect("ayse")
    apart.put("ayse", ev.Deposited("burak", upto))
    fetch(apart, "burak")
    assert apart.texts("burak", "@ayse") == ["hello", "hello?"]


def test_words_beyond_what_may_be_said_to_a_lost_home_come_once_it_accepts(friends: Table) -> None:
    friends.lose_home("burak")
    friends.published.pop("burak")
    friends.stock("burak")
    for number in range(12):
        friends.say("ayse", "@burak", str(number))
    fetch(friends, *("burak", "ayse") * 4)
    assert friends.words("burak", "@ayse") == [str(number) for number in range(10)]
    friends.put("burak", ev.AnswerRequest("ayse", accept=True))
    fetch(friends, "ayse", "burak", "ayse")
    assert friends.words("burak", "@ayse") == [str(number) for number in range(12)]
    assert friends.statuses("ayse", "@burak") == ["delivered"] * 13


def test_words_beyond_those_come_too_where_that_home_was_first_heard_refusing_a_lobby(friends: Table) -> None:
    friends.lose_home("burak")
    friends.published.pop("burak")
    friends.stock("burak")
    friends.part({"ayse", "burak"})
    friends.link("ayse", "burak")
    friends.put("ayse", ev.OpenLobby("ops", bytes(16), ("burak",)))
    friends.put("burak", ev.AnswerRequest("ayse", accept=False, lobby="ops"))
    friends.run(5)
    friends.part({"ayse"}, {"burak"})
    for number in range(12):
        friends.say("ayse", "@burak", str(number))
    fetch(friends, *("burak", "ayse") * 4)
    assert friends.words("burak", "@ayse") == [str(number) for number in range(10)]
    friends.put("burak", ev.AnswerRequest("ayse", accept=True))
    friends.run(ANEW_SECONDS, 5)
    fetch(friends, "ayse", "burak", "ayse")
    assert friends.words("burak", "@ayse") == [str(number) for number in range(12)]
    assert friends.statuses("ayse", "@burak") == ["delivered"] * 13


def unblocked(table: Table, words: int) -> None:
    """burak blocked and unblocked ayse before he fetched what she said; she has heard both, and left it anew."""
    for number in range(words):
        table.say("ayse", "@burak", str(number))
    table.put("burak", ev.AnswerRequest("ayse", accept=False, block=True))
    table.put("burak", ev.Unblock("ayse"))
    fetch(table, "ayse")
    table.run(2 * ANEW_SECONDS, 5)


def test_words_to_who_lifted_a_block_come_once_it_accepts(friends: Table) -> None:
    unblocked(friends, 12)
    fetch(friends, "burak", "ayse")
    friends.put("burak", ev.AnswerRequest("ayse", accept=True))
    fetch(friends, "ayse")
    friends.run(2 * ANEW_SECONDS, 5)
    fetch(friends, "burak", "ayse")
    assert friends.statuses("ayse", "@burak") == ["delivered"] * 13


def test_words_to_who_lifted_a_block_come_once_it_is_free(friends: Table) -> None:
    unblocked(friends, 2)
    friends.put("burak", ev.SetBusy(on=True))
    fetch(friends, "burak", "ayse")
    friends.put("burak", ev.SetBusy(on=False))
    fetch(friends, "ayse")
    friends.run(2 * ANEW_SECONDS, 5)
    fetch(friends, "burak", "ayse")
    assert friends.statuses("ayse", "@burak") == ["delivered"] * 3


ENDS = ("ayse", "burak"), ("burak", "ayse")


def strangers_again(table: Table) -> None:
    """Each said twelve words to the other, and holds it for a stranger by now."""
    for one, other in ENDS:
        for number in range(12):
            table.say(one, f"@{other}", str(number))
        table.put(one, ev.AnswerRequest(other, accept=False, block=True))
        table.put(one, ev.Unblock(other))


@pytest.mark.parametrize("accept", [True, False])
def test_an_answer_is_heard_though_both_left_words_that_stand_before_it(apart: Table, *, accept: bool) -> None:
    strangers_again(apart)
    fetch(apart, *("ayse", "burak") * 2)
    for one, other in ENDS:
        assert apart.statuses(one, f"@{other}") == ["delivered"] * 10 + ["in mailbox"] * 2
        apart.put(one, ev.AnswerRequest(other, accept=accept))
    fetch(apart, *("ayse", "burak") * 3)
    for one, other in ENDS:
        assert apart.statuses(one, f"@{other}") == ["delivered"] * 10 + ["delivered" if accept else "not sent"] * 2
        assert views.queued(apart.desks[one]) == {}


def test_that_both_are_free_is_heard_though_both_left_words_that_stand_before_it(apart: Table) -> None:
    strangers_again(apart)
    for name in ("ayse", "burak"):
        apart.put(name, ev.SetBusy(on=True))
    fetch(apart, *("ayse", "burak") * 2)
    for one, other in ENDS:
        assert apart.statuses(one, f"@{other}") == ["in mailbox"] * 12
        apart.put(one, ev.SetBusy(on=False))
    fetch(apart, *("ayse", "burak") * 2)
    for one, other in ENDS:
        assert apart.statuses(one, f"@{other}")[:10] == ["delivered"] * 10


@pytest.mark.parametrize("linked", [True, False])
def test_whoever_answers_the_same_on_and_on_gets_nothing_more_by_it(friends: Table, *, linked: bool) -> None:
    for number in range(20):
        friends.say("ayse", "@burak", f"{number}")
    if linked:
        friends.drop = lambda _one, other, _frame: other == "burak"
        friends.link("ayse", "burak")
    else:
        friends.run(120)
    peer = friends.desks["burak"].peers.get("ayse")
    assert peer is not None
    kind, body = pack_parcel(Answer(b"", Choice.ACCEPT))
    friends.effects["ayse"].clear()
    for number in range(peer.out.next, peer.out.next + 50):
        post = Post(peer.out.stream, number, number, kind, body)
        friends.put("ayse", ev.Arrived("burak", post) if linked else ev.Mailed("burak", (post,), number, "d1"))
        friends.wait(0.1)
    sent = [one for one in friends.effects["ayse"] if isinstance(one, Resend | DepositPosts)]
    assert sent == []


def test_words_left_before_it_was_heard_that_a_home_was_lost_come_to_the_next(friends: Table) -> None:
    friends.say("ayse", "@burak", "one")
    fetch(friends, "burak")  # it took it, and says so by mail
    friends.lose_home("burak")
    friends.published.pop("burak")
    friends.stock("burak")
    friends.say("ayse", "@burak", "two")
    friends.run(10, 5)  # left before ayse fetches what the lost home said
    friends.say("burak", "@ayse", "I have another home")
    fetch(friends, *("ayse", "burak") * 6)
    assert friends.words("ayse", "@burak")[-1] == "I have another home"
    assert friends.words("burak", "@ayse") == ["I have another home", "two"]


def in_two_envelopes(table: Table) -> list[tuple[int, tuple[str, tuple[bytes, ...]]]]:
    """What ayse says to burak, who is not there."""
    for text in ("one", "two"):
        table.say("ayse", "@burak", text)
        table.run(10, 5)
    assert len(table.mail["burak"]) == 2
    return sorted(table.mail["burak"].items())


@pytest.mark.parametrize("heard", [False, True])
def test_words_that_another_home_cannot_place_come_though_it_says_nothing(friends: Table, *, heard: bool) -> None:
    (first, _), (second, envelope) = in_two_envelopes(friends)
    del friends.mail["burak"][second]
    if heard:
        friends.collect("burak")
        fetch(friends, "ayse")
    else:  # it was lost before it said so
        del friends.mail["burak"][first]
    friends.mail["burak"][second] = envelope
    friends.lose_home("burak")
    friends.published.pop("burak")
    friends.stock("burak")
    fetch(friends, *("burak", "ayse") * 4)
    assert friends.words("burak", "@ayse")[-1] == "two"
    assert friends.statuses("ayse", "@burak")[-1] == "delivered"


@pytest.mark.parametrize("restarted", [False, True])
def test_mail_that_waits_to_be_left_anew_is_over_a_restart_too(friends: Table, *, restarted: bool) -> None:
    """Two homes are lost within a minute, each with what it fetched."""
    for number in (1, 2):
        friends.say("ayse", "@burak", f"word {number}")
        friends.run(10, 5)
        friends.mail["burak"].clear()
        friends.lose_home("burak")
        friends.published.pop("burak")
        friends.stock("burak")
        friends.say("burak", "@ayse", f"home {number}")
        fetch(friends, "ayse")
    peer = friends.desks["ayse"].peers.get("burak")
    assert peer is not None
    assert peer.anew.due
    if restarted:
        friends.restart("ayse")
    friends.run(2 * ANEW_SECONDS, 5)
    fetch(friends, *("burak", "ayse") * 4)
    assert {"word 1", "word 2"} <= {*friends.words("burak", "@ayse")}


def test_words_behind_a_welcome_that_is_left_come_once_that_may_be_taken() -> None:
    """One's half lost; who asks it in from the other reaches it by mail alone."""
    table = together("ayse", "burak", "cem", "deniz")
    table.link("burak", "deniz")
    table.mail_life = 14 * 86_400.0
    table.stock()
    table.say("deniz", "@burak", "hello")
    table.say("burak", "@deniz", "hi")
    table.part({"ayse", "burak"}, {"cem", "deniz"})
    table.run(30)
    table.say("burak", "#ops", "in our half")
    table.put("cem", ev.RemoveFrom("ops", "burak"))
    table.run(3)
    table.put("deniz", ev.InviteTo("ops", ("burak",)))
    fetch(table, "burak", "deniz")  # who is in accepts by itself
    table.run(10)
    table.say("deniz", "@burak", "are you there?")
    fetch(table, "burak")
    assert table.words("burak", "@deniz")[-1] == "hi"
    fetch(table, *("deniz", "burak") * 2)
    assert table.words("burak", "@deniz")[-1] == "are you there?"
    assert table.view("burak").leader == "cem"


def test_of_what_lies_in_a_mailbox_as_its_owner_is_shut_out_it_is_not_said_that_it_was_not_sent(
    friends: Table,
) -> None:
    friends.say("ayse", "@burak", "one")
    friends.run(10, 5)
    friends.say("ayse", "@burak", "two")
    friends.put("ayse", ev.Expelled("burak", "suspended"))
    friends.put("ayse", ev.Readmitted("burak"))
    assert friends.statuses("ayse", "@burak")[-2:] == ["sent", "not sent"]
    friends.say("ayse", "@burak", "three")
    fetch(friends, *("burak", "ayse") * 3)
    assert friends.words("burak", "@ayse")[-2:] == ["one", "three"]


def drawn(table: Table, *frames: Frame, seconds: float = 20) -> int:
    """How many envelopes ayse leaves for burak after one of burak's with these."""
    table.effects["ayse"].clear()
    table.mails += 1
    table.put("ayse", ev.Mailed("burak", frames, table.mails, "d1"))
    for _ in range(int(seconds / 5)):
        table.wait(5)
    return sum(isinstance(one, DepositPosts) for one in table.effects["ayse"])


def test_a_rejected_person_draws_a_few_answers_however_many_homes_it_has(apart: Table) -> None:
    apart.put("ayse", ev.AnswerRequest("burak", accept=False, block=True))
    kind, body = pack_parcel(Message(bytes(16), bytes(16), b"x"))
    homes = [Post(apart.random(8), 1, 1, kind, body) for _ in range(1_000)]
    assert drawn(apart, *homes[1:]) == 1
    assert drawn(apart, homes[0]) <= 1
    peer = apart.desks["ayse"].peers.get("burak")
    assert peer is not None
    assert peer.out.count == REJECTIONS_MOST


def frames_of(table: Table, how: str) -> Iterator[tuple[Frame, ...]]:
    """What burak says time and again, to have what waits for it left anew."""
    mine, theirs = table.desks["burak"].peers.get("ayse"), table.desks["ayse"].peers.get("burak")
    assert mine is not None
    assert theirs is not None
    number = mine.out.next
    for time in range(40):
        match how:
            case "homes":
                kind, body = pack_parcel(Answer(b"", Choice.ACCEPT))
                yield (Post(table.random(8), 1, 1, kind, body),)
            case "acknowledgements":
                yield (Ack(theirs.out.stream, theirs.out.base + time, (0,) * DECLINED_POSTS),)
            case "lacks":
                yield (Ack(theirs.out.stream, 0),)
            case _:
                packed = [pack_parcel(Answer(b"", choice)) for choice in (Choice.BUSY, Choice.FREE, Choice.ACCEPT)]
                yield tuple(
                    Post(mine.out.stream, number + at, number, kind, body) for at, (kind, body) in enumerate(packed)
                )
                number += 3


@pytest.mark.parametrize("how", ["homes", "answers", "acknowledgements", "lacks"])
def test_whoever_has_mail_left_anew_on_and_on_gets_it_ever_more_seldom(friends: Table, how: str) -> None:
    for number in range(5 * POSTS_AT_ONCE):
        friends.say("ayse", "@burak", f"{number}")
    friends.run(120, 5)
    mails = [drawn(friends, *frames) for frames in frames_of(friends, how)]  # in 800 s
    assert 5 * 3 <= sum(mails) <= 5 * 5
    peer = friends.desks["ayse"].peers.get("burak")
    assert peer is not None
    assert ANEW_SECONDS < peer.anew.wait <= ANEW_MOST_SECONDS


@pytest.mark.parametrize("pace", [20, 125, 600])
def test_whoever_does_so_at_a_pace_of_its_own_gets_it_once_an_hour_in_the_end(friends: Table, pace: int) -> None:
    friends.say("ayse", "@burak", "one")
    friends.run(10, 5)
    kind, body = pack_parcel(Answer(b"", Choice.ACCEPT))
    hours = 12
    mails = [
        drawn(friends, Post(friends.random(8), 1, 1, kind, body), seconds=pace) for _ in range(hours * 3600 // pace)
    ]
    assert hours <= sum(mails) <= hours + 8
