"""A group of two: begun with who is away, begun by both at once, lost and found, its keys renewed in turns."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import groups, timers, views
from conclave.chat.effects import PutPost
from conclave.chat.notices import LineMarked, Receipted
from conclave.chat.pairs.duet import ASK_AGAIN, GROUPS_KEPT
from conclave.chat.settings import Settings
from conclave.chat.state import Peer
from conclave.chat.words.content import Content, Text, Timer, encode_content
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.errors import LocalError
from conclave.mls import group as mls
from conclave.values import replace
from conclave.wire.delivery import DECLINED_POSTS, Ack, Post, PostKind
from conclave.wire.packages import AskPackage, Package
from conclave.wire.posts import Answer, Begin, Choice, Handshake, Message, open_post, pack_parcel
from tests.chat.desks import Table
from tests.chat.people import own


@pytest.fixture
def table() -> Table:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    return table


def peer(table: Table, name: str) -> Peer:
    """The other of the two, as ``name`` has it."""
    other = {"ayse": "burak", "burak": "ayse"}[name]
    found = table.desks[name].peers.get(other)
    assert found is not None
    return found


def epochs(table: Table) -> set[int]:
    return {views.pair(table.desks[one], other).epoch for one, other in (("ayse", "burak"), ("burak", "ayse"))}


def same_group(table: Table) -> bool:
    states = [views.pair_state(table.desks[one], other) for one, other in (("ayse", "burak"), ("burak", "ayse"))]
    return all(states) and len({one.authenticator for one in states if one}) == 1


def test_a_pair_begins_with_somebody_away_and_the_two_are_never_online_together() -> None:
    table = Table("ayse", "burak")
    table.stock("burak")
    table.say("ayse", "@burak", "while you sleep")
    table.wait(6)
    assert table.statuses("ayse", "@burak") == ["in mailbox"]
    assert table.collect("burak") == 1
    assert table.words("burak", "@ayse") == ["while you sleep"]
    table.say("burak", "@ayse", "and you")
    table.wait(6)
    table.collect("ayse")
    assert table.words("ayse", "@burak") == ["while you sleep", "and you"]
    assert table.statuses("ayse", "@burak") == ["delivered"]
    table.collect("burak")
    assert table.statuses("burak", "@ayse") == ["delivered"]
    assert table.frames == []
    assert same_group(table)
    assert not any(table.mail.values())


def test_without_the_authority_a_package_is_asked_of_the_peer(table: Table) -> None:
    table.authority = False
    table.say("ayse", "@burak", "hello")
    kinds = [type(frame) for *_, frame in table.frames]
    assert kinds[:2] == [AskPackage, Package]
    assert table.words("burak", "@ayse") == ["hello"]


def test_words_wait_until_there_is_a_package() -> None:
    table = Table("ayse", "burak")
    table.authority = False
    table.say("ayse", "@burak", "one")
    table.say("ayse", "@burak", "two")
    assert table.statuses("ayse", "@burak") == ["waiting"] * 2
    assert views.queued(table.desks["ayse"]) == {"burak": 2}
    table.restart("ayse")
    table.authority = True
    table.stock("burak")
    table.wait(31)
    table.link("ayse", "burak")
    assert table.words("burak", "@ayse") == ["one", "two"]


def test_both_begin_at_once_and_go_on_in_the_same_group() -> None:
    table = Table("ayse", "burak")
    table.stock()
    table.say("ayse", "@burak", "one")
    table.say("burak", "@ayse", "two")
    table.link("ayse", "burak")
    assert table.words("ayse", "@burak") == ["one", "two"]
    assert table.words("burak", "@ayse") == ["two", "one"]
    table.say("ayse", "@burak", "three")
    table.say("burak", "@ayse", "four")
    assert same_group(table)
    assert peer(table, "ayse").groups[0].ours  # the smaller handle's is the one
    assert table.words("burak", "@ayse") == ["two", "one", "three", "four"]


def test_a_peer_that_lost_its_home_is_spoken_with_again(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.lose_home("ayse")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "new home")
    assert table.words("burak", "@ayse") == ["hello", "new home"]
    table.say("burak", "@ayse", "welcome")
    assert table.words("ayse", "@burak") == ["new home", "welcome"]
    assert same_group(table)


def test_what_a_lost_home_cannot_read_is_said_again(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.lose_home("ayse")
    table.say("burak", "@ayse", "did you get it?")
    table.say("burak", "@ayse", "hm")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "I lost everything")
    table.run(60, 5)
    assert sorted(table.words("ayse", "@burak")) == ["I lost everything", "did you get it?", "hm"]
    assert set(table.statuses("burak", "@ayse")) == {"delivered"}
    table.say("burak", "@ayse", "welcome back")
    assert table.words("ayse", "@burak")[-1] == "welcome back"
    assert same_group(table)


def test_what_was_said_again_and_arrived_is_not_said_once_more_to_a_later_home(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.lose_home("ayse")
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "to your second home")
    table.lose_home("ayse")
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "my third")
    table.run(60, 5)
    assert table.words("ayse", "@burak") == ["my third"]


def lost_home(table: Table, name: str) -> None:
    """``name`` lost its home, and has key packages at the authority again."""
    table.lose_home(name)
    table.published.pop(name, None)
    table.stock(name)


@pytest.mark.parametrize("cut", [False, True])
def test_a_line_that_is_said_again_already_is_not_said_once_more_for_another_reason(
    table: Table, *, cut: bool
) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    lost_home(table, "ayse")
    line = table.say("burak", "@ayse", "to your lost home")
    lost: list[object] = []

    def on_its_way(_: str, other: str, frame: object) -> bool:
        if other != "ayse" or not isinstance(frame, Post) or line not in peer(table, "burak").again:
            return False
        lost.append(frame)
        return True

    table.drop = on_its_way
    table.link("ayse", "burak")
    assert lost
    table.say("ayse", "@burak", "I lost my home")  # crosses it
    there = peer(table, "burak")
    assert [one.id for one in (*there.out.lines, *there.waiting)].count(line) == 1
    table.drop = lambda *_: False
    if cut:
        table.part({"ayse"}, {"burak"})
    for _ in range(4):
        table.run(30, 5)
        for name in ("burak", "ayse"):
            table.collect(name)
    assert table.words("ayse", "@burak").count("to your lost home") == 1
    assert [one.status for one in table.lines("burak", "@ayse") if one.id == line] == [Status.DELIVERED]


def test_a_peer_that_takes_nothing_hears_a_line_again_once_whatever_streams_it_comes_with(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.drop = lambda _, other, frame: other == "burak" and isinstance(frame, Post)
    lines = [table.say("ayse", "@burak", str(number)) for number in range(128)]
    table.effects["ayse"].clear()
    kind, body = pack_parcel(Answer(b"", Choice.ACCEPT))
    for _ in range(6):
        for _ in range(2):
            out = peer(table, "ayse").out
            numbers = tuple(range(out.base, out.next))[:DECLINED_POSTS]
            if numbers:
                table.put("ayse", ev.Arrived("burak", Ack(out.stream, numbers[-1], numbers)))
        table.put("ayse", ev.Arrived("burak", Post(table.random(8), 1, 1, kind, body)))
        table.wait(40)
    again = [one for one in table.effects["ayse"] if isinstance(one, PutPost) and one.kind == PostKind.MESSAGE]
    assert len(again) == len(lines)
    assert peer(table, "ayse").again == frozenset()


BOTH_WAYS = pytest.mark.parametrize(("who", "other"), [("ayse", "burak"), ("burak", "ayse")])


def heard_each_other(table: Table, who: str, other: str) -> None:
    """Whatever was before: what they say from now on arrives on both sides."""
    for number, (one, two) in enumerate([(who, other), (other, who)] * 2):
        table.say(one, f"@{two}", f"{one} {number}")
        table.run(2 * ASK_AGAIN, 5)
        assert table.words(two, f"@{one}")[-1] == f"{one} {number}"
        assert table.statuses(one, f"@{two}")[-1] == "delivered"


@BOTH_WAYS
def test_a_home_that_was_lost_hears_who_speaks_first_though_it_says_nothing(who: str, other: str) -> None:
    table = Table(who, other)
    table.link(who, other)
    table.say(who, f"@{other}", "hello")
    table.lose_home(other)
    table.link(who, other)
    table.say(who, f"@{other}", "are you there?")
    assert table.words(other, f"@{who}") == ["are you there?"]
    assert table.statuses(who, f"@{other}") == ["delivered"] * 2
    told = [one for one in table.notices(who, LineMarked) if isinstance(one, LineMarked)]
    assert Status.FAILED not in {one.status for one in told}  # what is said again at once did not fail
    heard_each_other(table, who, other)


@BOTH_WAYS
def test_late_mail_of_a_home_that_was_lost_makes_nobody_mute(who: str, other: str) -> None:
    table = Table(who, other)
    table.link(who, other)
    table.say(who, f"@{other}", "hello")
    table.put(other, ev.AnswerRequest(who, accept=True))
    table.lose_home(other)
    table.stock(other)
    table.link(who, other)
    table.drop = lambda one, _, frame: one == other and isinstance(frame, Post)
    table.say(other, f"@{who}", "first home")
    table.part({who}, {other})
    table.run(20)  # to the mailbox
    table.part()
    table.drop = lambda _one, _other, _frame: False
    table.lose_home(other)
    table.stock(other)
    table.link(who, other)
    table.say(other, f"@{who}", "second home")
    assert table.collect(who) == 1
    heard_each_other(table, who, other)


@BOTH_WAYS
def test_the_device_that_goes_on_is_heard_after_another_of_its_person_spoke(who: str, other: str) -> None:
    table = Table(who, other)
    table.link(who, other)
    table.say(other, f"@{who}", "from my desk")
    table.say(who, f"@{other}", "hello")
    table.cut(who, other)
    first = table.desks[other], table.stores[other]
    table.lose_home(other)
    table.link(who, other)
    table.say(other, f"@{who}", "from my pocket")
    table.cut(who, other)
    table.desks[other], table.stores[other] = first
    table.put(other, ev.Tick())
    table.link(who, other)
    heard_each_other(table, who, other)


def test_keys_are_renewed_in_turns_after_a_reconnect_and_daily(table: Table) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    before = epochs(table)
    renewed: list[str] = []
    for _ in range(4):
        table.cut("ayse", "burak")
        table.link("ayse", "burak")
        count = len(table.frames)
        table.run(130, 10)
        renewed += [
            one
            for one, _, frame in table.frames[count:]
            if isinstance(frame, Post) and frame.kind is PostKind.HANDSHAKE
        ]
    assert renewed[:4] in (["ayse", "burak"] * 2, ["burak", "ayse"] * 2)
    assert same_group(table)
    assert epochs(table) == {max(before) + len(renewed)}
    count = max(epochs(table))
    for _ in range(3):
        table.run(86_500, 8_650)
    assert max(epochs(table)) > count
    table.say("ayse", "@burak", "still here")
    assert table.words("burak", "@ayse")[-1] == "still here"


def turn(table: Table, who: str, other: str) -> bool:
    peer = table.desks[who].peers.get(other)
    assert peer is not None
    return peer.groups[0].turn


@pytest.mark.parametrize("first", [True, False])
def test_a_renewed_certificate_is_in_the_leaf_at_once_or_as_soon_as_it_is_our_turn(table: Table, first: bool) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hi")
    table.run(70, 10)
    who, other = ("ayse", "burak") if turn(table, "ayse", "burak") is first else ("burak", "ayse")
    table.own[who] = own(who, 2)

    def shown() -> bool:
        state = views.pair_state(table.desks[other], who)
        assert state is not None
        return own(who, 2).credential in {mls.credential(state, leaf) for leaf in mls.members(state)}

    table.put(who, ev.OwnChanged(table.own[who]))
    table.run(3)
    assert shown() is first
    if not first:
        table.own[other] = own(other, 2)
        table.put(other, ev.OwnChanged(table.own[other]))  # whose turn it is
        table.run(3)
    assert shown()
    assert same_group(table)


def test_who_is_no_leaf_of_a_pair_does_not_speak_in_it() -> None:
    table = Table("ayse", "burak", "cem")
    table.link("ayse", "burak")
    table.link("ayse", "cem")
    table.say("burak", "@ayse", "hello")
    table.say("cem", "@ayse", "hello")
    stolen = next(
        frame for one, _, frame in table.frames
        if one == "burak" and isinstance(frame, Post) and frame.kind is PostKind.MESSAGE
    )  # fmt: skip
    stream, last, _ = table.desks["ayse"].peers.get("cem").inbound.streams[0]  # type: ignore[union-attr]
    table.put("ayse", ev.Arrived("cem", replace(stolen, stream=stream, number=last + 1, base=last + 1)))
    assert table.words("ayse", "@cem") == ["hello"]


def deliver(table: Table, victim: str, sender: str, parcel: Begin | Handshake | Message) -> str:
    """Post it to ``victim``; what people were told, if anything."""
    one = table.desks[victim].peers.get(sender)
    assert one is not None
    stream, last, _ = one.inbound.streams[0]
    kind, body = pack_parcel(parcel)
    before = len(table.troubles(victim))
    table.now += 100
    table.put(victim, ev.Arrived(sender, Post(stream, last + 1, last + 1, kind, body)))
    return " ".join(table.troubles(victim)[before:])


def test_words_that_are_sealed_as_a_lobbys_are_refused_in_a_pair(table: Table) -> None:
    """With them no record of the pair would hold any more."""
    table.say("burak", "@ayse", "hello")
    group = peer(table, "burak").groups[0].id
    for beside, said in ((b"", ["hello", "more"]), (b"a place in an order", ["hello", "more"])):
        work = Work(table.desks["burak"], table.now, table.random)
        content = Content(table.random(16), 2, table.now, Text("more"))
        sealed = groups.seal(work, group, encode_content(content), beside)
        table.desks["burak"], *_ = work.done()
        told = deliver(table, "ayse", "burak", Message(content.id, group, sealed.payload))
        assert bool(told) == bool(beside)
        assert table.words("ayse", "@burak") == said


def test_a_welcome_that_is_no_pair_of_the_two_is_refused(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    begin = next(open_post(frame) for *_, frame in table.frames if isinstance(frame, Post))
    assert isinstance(begin, Begin)
    assert "refused" in deliver(table, "ayse", "burak", Begin(b"junk"))
    assert "refused" in deliver(table, "ayse", "burak", begin)  # its package is used up
    assert len(peer(table, "ayse").groups) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_where_a_beginning_is_refused_another_is_made_and_the_words_are_said_again(*, restarted: bool) -> None:
    table = Table("ayse", "burak")
    table.stock("burak")
    table.say("ayse", "@burak", "one")
    work = Work(table.desks["burak"], table.now, table.random)
    for reference, _ in work.packages():
        work.drop_package(reference)
    table.desks["burak"], *_ = work.done()
    if restarted:
        table.restart("ayse")
    table.link("ayse", "burak")
    assert "refused" in table.troubles("burak")[-1]
    table.say("ayse", "@burak", "two")
    assert sorted(table.words("burak", "@ayse")) == ["one", "two"]
    assert table.statuses("ayse", "@burak") == ["delivered"] * 2
    table.say("burak", "@ayse", "three")
    assert same_group(table)


def test_who_refuses_every_beginning_is_not_begun_with_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("ayse", "burak")
    table.stock("burak")
    for number in range(128):
        table.say("ayse", "@burak", str(number))
    monkeypatch.setattr(mls, "invited", lambda _: ())
    table.link("ayse", "burak")
    table.run(2 * ASK_AGAIN)
    begun = [one for *_, one in table.frames if isinstance(one, Post) and one.kind is PostKind.BEGIN]
    assert 2 <= len({one.number for one in begun}) <= 4


def posts(table: Table, name: str) -> list[PostKind]:
    """What waits in ``name``'s outbox for the other."""
    (other,) = {"ayse", "burak"} - {name}
    return [PostKind(kind) for _, kind, _ in table.stores[name].posts(other, 1, 100)]


@BOTH_WAYS
def test_who_is_suspended_while_a_beginning_waits_is_spoken_with_again(who: str, other: str) -> None:
    table = Table("ayse", "burak")
    table.stock(other)
    table.say(who, f"@{other}", "while away")
    assert posts(table, who)[0] is PostKind.BEGIN
    table.put(who, ev.Expelled(other, "suspended"))
    assert not posts(table, who)
    table.link(who, other)
    heard_each_other(table, who, other)
    assert table.statuses(who, f"@{other}")[0] == "not sent"


@BOTH_WAYS
def test_who_is_suspended_while_fresh_keys_are_under_way_is_spoken_with_again(who: str, other: str) -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.say(other, f"@{who}", "hello")  # whose turn comes second
    table.say(who, f"@{other}", "hi")
    for _ in range(20):
        table.cut("ayse", "burak")
        table.drop = lambda _one, _other, frame: isinstance(frame, Post) and frame.kind is PostKind.HANDSHAKE
        table.link("ayse", "burak")
        table.run(130, 10)
        if PostKind.HANDSHAKE in posts(table, who):
            break
        table.drop = lambda _one, _other, _frame: False
        table.run(130, 10)
    assert PostKind.HANDSHAKE in posts(table, who)
    table.cut("ayse", "burak")
    table.drop = lambda _one, _other, _frame: False
    table.put(who, ev.Expelled(other, "suspended"))
    table.link(who, other)
    heard_each_other(table, who, other)


def test_a_commit_out_of_turn_is_refused(table: Table) -> None:
    table.say("burak", "@ayse", "hello")
    group = peer(table, "ayse").groups[0]
    assert group.turn  # ours: burak made the group
    state = table.desks["burak"].sessions.get(group.id)
    assert state is not None
    staged = mls.commit(state, verify=table.desks["burak"].judges.members, now=table.now, random=table.random)
    assert "not the turn" in deliver(table, "ayse", "burak", Handshake(group.id, staged.message))
    assert "could not renew" in deliver(table, "ayse", "burak", Handshake(group.id, b"junk"))
    assert epochs(table) == {1}


def test_groups_of_one_pair_are_bounded() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    for number in range(GROUPS_KEPT + 3):
        table.say("burak", "@ayse", str(number))
        table.say("ayse", "@burak", str(number))
        table.lose_home("burak")
        table.link("ayse", "burak")
    table.say("burak", "@ayse", "again")
    assert len(peer(table, "ayse").groups) <= GROUPS_KEPT
    assert len(table.desks["ayse"].sessions) <= GROUPS_KEPT


@pytest.mark.parametrize("allowed", [True, False])
def test_what_was_read_is_told_where_that_is_wanted(*, allowed: bool) -> None:
    table = Table("ayse", "burak", settings=Settings(read_receipts=allowed))
    table.link("ayse", "burak")
    table.say("ayse", "@burak", "one")
    table.say("ayse", "@burak", "two")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.put("burak", ev.MarkRead("@ayse", 2))
    table.put("burak", ev.MarkRead("@ayse", 1))
    told = table.notices("ayse", Receipted)
    assert told == ([Receipted("@burak", "burak", 2, 2)] if allowed else [])


def test_what_was_read_is_known_after_a_restart_and_not_told_again(table: Table) -> None:
    table.say("ayse", "@burak", "one")
    table.put("burak", ev.AnswerRequest("ayse", accept=True))
    table.put("burak", ev.MarkRead("@ayse", 1))
    assert views.pair(table.desks["ayse"], "burak").read == 1
    table.restart("ayse")
    table.restart("burak")
    assert views.pair(table.desks["ayse"], "burak").read == 1
    table.link("ayse", "burak")
    table.put("burak", ev.MarkRead("@ayse", 1))
    assert len(table.notices("ayse", Receipted)) == 1


def test_who_lost_its_home_tells_what_it_reads_anew(table: Table) -> None:
    for text in ("one", "two", "three"):
        table.say("burak", "@ayse", text)
    table.put("ayse", ev.AnswerRequest("burak", accept=True))
    table.put("ayse", ev.MarkRead("@burak", 3))
    table.lose_home("burak")
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "back")
    table.put("ayse", ev.MarkRead("@burak", 3))
    assert views.pair(table.desks["burak"], "ayse").read == 1


# --- messages that disappear ---


def test_a_timer_counts_for_both_and_survives_a_restart(table: Table) -> None:
    table.say("ayse", "@burak", "for good")
    table.put("ayse", ev.Utter("@burak", table.random(16), Timer(3_600)))
    for name, where in (("ayse", "@burak"), ("burak", "@ayse")):
        assert table.texts(name, where)[-1] == "ayse set messages to disappear after 1 hour"
        table.restart(name)
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "for an hour")
    table.say("ayse", "@burak", "this too")
    table.wait(3_601)
    assert table.words("ayse", "@burak") == table.words("burak", "@ayse") == ["for good"]
    table.put("burak", ev.Utter("@ayse", table.random(16), Timer(0)))
    assert table.texts("ayse", "@burak")[-1] == "burak set messages to be kept"
    table.say("ayse", "@burak", "to stay")
    table.wait(10_000)
    assert table.words("burak", "@ayse") == ["for good", "to stay"]


@pytest.mark.parametrize(("one", "other", "both"), [(60, 3_600, 60), (0, 60, 60), (60, 60, 60)])
def test_of_timers_that_cross_the_shorter_one_counts(table: Table, one: int, other: int, both: int) -> None:
    table.say("ayse", "@burak", "hello")
    table.say("burak", "@ayse", "hello")
    table.cut("ayse", "burak")
    table.put("ayse", ev.Utter("@burak", table.random(16), Timer(one)))
    table.put("burak", ev.Utter("@ayse", table.random(16), Timer(other)))
    table.link("ayse", "burak")
    assert [peer(table, name).timer.seconds for name in ("ayse", "burak")] == [both, both]
    table.put("burak", ev.Utter("@ayse", table.random(16), Timer(86_400)))
    assert [peer(table, name).timer.seconds for name in ("ayse", "burak")] == [86_400, 86_400]


@pytest.mark.parametrize("first", ["ayse", "burak"])
def test_who_lost_its_home_is_told_the_timer(table: Table, first: str) -> None:
    table.say("burak", "@ayse", "hello")
    table.say("ayse", "@burak", "hello")
    for seconds in (60, 120):
        table.put("burak", ev.Utter("@ayse", table.random(16), Timer(seconds)))
    table.lose_home("burak")
    table.link("ayse", "burak")
    table.say("burak", "@ayse", "who are you?")
    table.say(first, "@" + ("burak" if first == "ayse" else "ayse"), "again")
    assert peer(table, "burak").timer.seconds == peer(table, "ayse").timer.seconds == 120
    table.wait(121)
    assert "again" not in table.words("ayse", "@burak") + table.words("burak", "@ayse")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "be kept"), (1, "1 second"), (90, "90 seconds"), (120, "2 minutes"), (86_400, "1 day"), (604_800, "7 days")],
)
def test_a_timer_is_told_in_words(seconds: int, said: str) -> None:
    assert timers.words("ayse", seconds).endswith(said)


def test_somebody_elses_key_package_begins_nothing() -> None:
    table = Table("ayse", "burak", "cem")
    table.stock("cem")
    table.published["burak"] = table.published["cem"]
    table.say("ayse", "@burak", "for burak alone")
    assert "it is cem's" in table.troubles("ayse")[-1]
    assert table.statuses("ayse", "@burak") == ["waiting"]
    assert len(table.desks["ayse"].sessions) == 0


def test_without_a_certificate_people_are_told_what_to_do() -> None:
    table = Table("ayse", "burak")
    table.desks["ayse"] = replace(table.desks["ayse"], own=None)
    with pytest.raises(LocalError) as caught:
        table.put("ayse", ev.OpenLobby("ops", b"g" * 16, ()))
    assert "invite" in (caught.value.remedy or "")
    table.say("ayse", "@burak", "waits")
    assert table.statuses("ayse", "@burak") == ["waiting"]
