"""What people say in a lobby, and what is said of it: edits, deletions, reactions, pins, timers, roll calls."""

from __future__ import annotations

from math import inf

import pytest

from conclave.chat import events as ev
from conclave.chat.deeds import HearFile, LookAtFile
from conclave.chat.effects import DropExpired
from conclave.chat.lobbies.rolls import ANSWERS_MOST, CALL_SECONDS
from conclave.chat.notices import RollCalled
from conclave.chat.settings import Settings
from conclave.chat.words import content as c
from conclave.chat.words.line import LineKind
from conclave.errors import LocalError, Refused
from conclave.files.record import record_of
from conclave.node.files.standing import TIME_IS_OVER, by_line
from conclave.values import replace
from tests.chat.desks import Table

PEOPLE = ("ayse", "burak", "cem")


@pytest.fixture
def table() -> Table:
    table = Table(*PEOPLE)
    for one in PEOPLE[1:]:
        table.link("ayse", one)
    table.lobby("ayse", *PEOPLE[1:])
    table.link("burak", "cem")
    table.say("burak", "@cem", "hello")
    table.say("cem", "@burak", "hi")
    return table


def utter(table: Table, name: str, where: str, body: c.Body) -> bytes:
    identity = table.random(16)
    table.put(name, ev.Utter(where, identity, body))
    return identity


ROOMS = pytest.mark.parametrize(
    ("names", "where"),
    [(PEOPLE, dict.fromkeys(PEOPLE, "#ops")), (("burak", "cem"), {"burak": "@cem", "cem": "@burak"})],
    ids=["lobby", "pair"],
)


@ROOMS
def test_an_author_edits_and_takes_back(table: Table, names: tuple[str, ...], where: dict[str, str]) -> None:
    identity = table.say("burak", where["burak"], "helo")
    utter(table, "burak", where["burak"], c.Edit(identity, "hello there"))
    for name in names:
        assert table.words(name, where[name])[-1] == "hello there"
    utter(table, "burak", where["burak"], c.Delete(identity))
    for name in names:
        stored = table.stores[name].line(where[name], "burak", identity)
        assert stored is not None
        assert stored.line.text == ""
        assert stored.deleted


@ROOMS
def test_reactions_and_pins_come_and_go(table: Table, names: tuple[str, ...], where: dict[str, str]) -> None:
    identity = table.say("burak", where["burak"], "look")
    about = c.About("burak", identity)
    utter(table, "cem", where["cem"], c.Reaction(about, "👍", on=True))
    utter(table, "burak", where["burak"], c.Pin(about, on=True))
    for name in names:
        stored = table.stores[name].line(where[name], "burak", identity)
        assert stored is not None
        assert stored.pinned
        assert list(stored.reactions) == [("👍", "cem")]
    utter(table, "cem", where["cem"], c.Reaction(about, "👍", on=False))
    utter(table, "burak", where["burak"], c.Pin(about, on=False))
    for name in names:
        stored = table.stores[name].line(where[name], "burak", identity)
        assert stored is not None
        assert not stored.pinned
        assert not stored.reactions


def test_a_reply_names_what_it_answers(table: Table) -> None:
    identity = table.say("burak", "#ops", "shall we?")
    table.put("cem", ev.Say("#ops", table.random(16), "yes", c.About("burak", identity)))
    for name in PEOPLE:
        assert table.lines(name, "#ops")[-1].reply == ("burak", identity)


def test_a_timer_makes_what_follows_disappear_on_each_device(table: Table) -> None:
    table.say("burak", "#ops", "for good")
    utter(table, "burak", "#ops", c.Timer(60))
    assert all(table.view(name).timer == 60 for name in PEOPLE)
    table.say("cem", "#ops", "for a minute")
    for name in PEOPLE:
        assert table.words(name) == ["for good", "for a minute"]
    table.wait(61)
    for name in PEOPLE:
        assert table.words(name) == ["for good"]
        assert [one for one in table.effects[name] if isinstance(one, DropExpired)]
    assert "burak set messages to disappear after 1 minute" in table.texts("cem", "#ops")
    utter(table, "burak", "#ops", c.Timer(0))
    table.say("cem", "#ops", "to stay")
    table.wait(1000)
    assert table.words("ayse") == ["for good", "to stay"]


def test_one_message_may_disappear_by_itself(table: Table) -> None:
    table.put("burak", ev.Say("@cem", table.random(16), "burn after reading", None, 30))
    assert table.words("cem", "@burak")[-1] == "burn after reading"
    table.wait(31)
    assert "burn after reading" not in table.words("cem", "@burak") + table.words("burak", "@cem")


def test_a_file_is_a_line_and_an_offer(table: Table) -> None:
    offer = c.Offer("plan.pdf", 1234, 65536, b"r" * 32, b"k" * 32)
    utter(table, "burak", "#ops", offer)
    for name in ("ayse", "cem"):
        (heard,) = [one for one in table.effects[name] if isinstance(one, HearFile)]
        assert heard.record.sender == "burak"
        line = table.lines(name, "#ops")[-1]
        assert (line.kind, line.text) == (LineKind.FILE, "plan.pdf")
    assert not [one for one in table.effects["burak"] if isinstance(one, HearFile)]


@pytest.mark.parametrize("ahead", [0.0, 3600.0])
def test_a_file_is_of_the_time_when_it_was_offered_and_none_of_later_than_now(table: Table, ahead: float) -> None:
    table.cut("burak", "cem")
    table.now += ahead
    utter(table, "burak", "@cem", c.Offer("plan.pdf", 1234, 65536, b"r" * 32, b"k" * 32))
    said = table.now
    table.now += 600.0 - ahead
    table.link("burak", "cem")
    [heard] = [one for one in table.effects["cem"] if isinstance(one, HearFile)]
    assert table.lines("cem", "@burak")[-1].sent == said
    assert heard.record.at == min(said, table.now)


@ROOMS
def test_an_offer_that_is_taken_back_is_looked_at(
    table: Table, names: tuple[str, ...], where: dict[str, str]
) -> None:
    offer = c.Offer("plan.pdf", 1234, 65536, b"r" * 32, b"k" * 32)
    identity = utter(table, "burak", where["burak"], offer)
    utter(table, "burak", where["burak"], c.Delete(identity))
    for name in names:
        assert LookAtFile(where[name], identity) in table.effects[name]
        heard = [one for one in table.effects[name] if isinstance(one, HearFile)]
        record = heard[0].record if heard else record_of(where[name], "burak", identity, offer, 1.0)
        assert by_line(table.stores[name], record) == (0.0, "burak took it back")


def test_an_offer_stands_as_long_as_its_line(table: Table) -> None:
    utter(table, "burak", "#ops", c.Timer(60))
    identity = utter(table, "burak", "#ops", c.Offer("plan.pdf", 1234, 65536, b"r" * 32, b"k" * 32))
    [heard] = [one for one in table.effects["cem"] if isinstance(one, HearFile)]
    assert by_line(table.stores["cem"], heard.record) == (table.now + 60, TIME_IS_OVER)
    table.wait(61)
    assert by_line(table.stores["cem"], heard.record) == (0.0, TIME_IS_OVER)
    assert table.stores["burak"].line("#ops", "burak", identity) is None


def test_an_offer_that_comes_after_its_deletion_does_not_stand(table: Table) -> None:
    identity = table.random(16)
    utter(table, "burak", "#ops", c.Delete(identity))
    table.put("burak", ev.Utter("#ops", identity, c.Offer("plan.pdf", 1234, 65536, b"r" * 32, b"k" * 32)))
    [heard] = [one for one in table.effects["cem"] if isinstance(one, HearFile)]
    assert by_line(table.stores["cem"], heard.record)[0] == 0.0


@pytest.mark.parametrize(
    "anew", [c.Text("no plan"), c.Offer("plan.pdf", 1234, 65536, b"s" * 32, b"k" * 32), c.Delete(b"x" * 16)]
)
def test_an_offer_gives_way_to_what_else_is_said_under_its_id(table: Table, anew: c.Body) -> None:
    identity = utter(table, "burak", "#ops", c.Offer("plan.pdf", 1234, 65536, b"r" * 32, b"k" * 32))
    [heard] = [one for one in table.effects["cem"] if isinstance(one, HearFile)]
    assert by_line(table.stores["cem"], heard.record)[0] == inf
    before = len(table.effects["cem"])
    table.put("burak", ev.Utter("#ops", identity, anew))
    after = table.effects["cem"][before:]
    assert LookAtFile("#ops", identity) in after
    assert by_line(table.stores["cem"], heard.record) == (0.0, "burak took it back")
    for one in after:
        if isinstance(one, HearFile):
            assert by_line(table.stores["cem"], one.record)[0] == inf


def test_a_roll_call_is_answered_by_everybody_who_is_there(table: Table) -> None:
    table.cut("ayse", "cem")
    table.put("burak", ev.CallRoll("ops", b"n" * 16))
    table.wait(1)
    rolls = [one for one in table.notices("burak", RollCalled) if isinstance(one, RollCalled)]
    assert rolls[-1].present == ("ayse", "burak")
    assert all(one.nonce == b"n" * 16 for one in rolls)
    table.link("ayse", "cem")
    table.wait(1)
    rolls = [one for one in table.notices("burak", RollCalled) if isinstance(one, RollCalled)]
    assert rolls[-1].present == PEOPLE


def answers(table: Table, name: str) -> dict[bytes, set[str]]:
    """Who is here by which roll call, as ``name`` heard it."""
    found: dict[bytes, set[str]] = {}
    for one in table.notices(name, RollCalled):
        assert isinstance(one, RollCalled)
        found.setdefault(one.nonce, set()).update(one.present)
    return found


def call(table: Table, name: str, nonce: bytes) -> None:
    """``name`` calls the roll, and does not care that it did so a moment ago."""
    desk = table.desks[name]
    ((group, lobby),) = desk.lobbies.items()
    lobby = replace(lobby, ears=replace(lobby.ears, heeded={}))
    table.desks[name] = replace(desk, lobbies=desk.lobbies.put(group, lobby))
    table.put(name, ev.CallRoll("ops", nonce))


def test_a_roll_is_answered_once_in_a_while_however_often_it_is_called(table: Table) -> None:
    said = [len(table.stores["ayse"].entries(group, 1, 999)) for group in table.desks["ayse"].lobbies]
    nonces = [bytes([number]) * 16 for number in range(20)]
    for nonce in nonces:
        call(table, "burak", nonce)
    (group,) = table.desks["ayse"].lobbies
    assert len(table.stores["ayse"].entries(group, 1, 999)) == said[0] + len(nonces) + 2
    assert answers(table, "burak")[nonces[0]] == set(PEOPLE)
    table.run(CALL_SECONDS)
    call(table, "burak", b"x" * 16)
    assert answers(table, "burak")[b"x" * 16] == set(PEOPLE)


def test_nobody_calls_the_roll_again_before_it_would_be_answered(table: Table) -> None:
    table.put("burak", ev.CallRoll("ops", b"n" * 16))
    table.now += CALL_SECONDS - 1
    with pytest.raises(Refused) as caught:
        table.put("burak", ev.CallRoll("ops", b"m" * 16))
    assert caught.value.reason == "too-often"
    table.now += 1
    table.put("burak", ev.CallRoll("ops", b"m" * 16))
    assert answers(table, "burak")[b"m" * 16] == set(PEOPLE)


def test_of_many_who_call_the_roll_some_are_answered_and_ours_is_not_forgotten() -> None:
    names = tuple(f"p{number}" for number in range(8))
    table = Table(*names)
    for other in names[1:]:
        table.link("p0", other)
    table.lobby("p0", *names[1:])
    first, *rest = names
    table.drop = lambda one, other, _: (one, other) == ("p1", "p0")  # which answers later than the rest
    table.put(first, ev.CallRoll("ops", first.encode() * 8))
    for name in rest[1:]:
        for number in range(8):
            call(table, name, name.encode() * 7 + bytes([number, number]))
    heard = answers(table, first)
    assert sum("p6" in who for who in heard.values()) == ANSWERS_MOST
    table.drop = lambda *_: False
    table.run(20)
    assert answers(table, first)[first.encode() * 8] == set(names)


def test_words_wait_while_nobody_leads_that_we_reach_and_are_bounded() -> None:
    table = Table("ayse", "burak", "cem", settings=Settings(outbox_posts=5))
    table.link("ayse", "burak")
    table.link("ayse", "cem")
    table.lobby("ayse", "burak", "cem")
    for name in ("burak", "cem"):
        table.cut("ayse", name)
    for number in range(5):
        table.say("burak", "#ops", str(number))
    with pytest.raises(Refused) as caught:
        table.say("burak", "#ops", "too many")
    assert caught.value.reason == "outbox-full"
    table.restart("burak")
    table.link("ayse", "burak")
    table.link("ayse", "cem")
    table.wait(1)
    assert table.words("cem") == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "event",
    [
        ev.Say("#ops", b"short", "hello"),
        ev.Say("#ops", b"i" * 16, " "),
        ev.Utter("#ops", b"i" * 16, c.Reaction(c.About("ayse", b"i" * 16), "", on=True)),
        ev.Utter("#ops", b"i" * 16, c.Reaction(c.About("ayse", b"i" * 16), "x" * 33, on=True)),
        ev.Utter("#ops", b"i" * 16, c.Edit(b"i" * 16, "")),
        ev.MarkRead("#nothing", 1),
        ev.MarkRead("@ayse", 1),
        ev.RemoveFrom("ops", "ayse"),
        ev.RemoveFrom("ops", "deniz"),
        ev.SetDeputies("ops", ("deniz",)),
        ev.CallRoll("nothing", b"n" * 16),
        ev.InviteTo("ops", ("ayse",)),
        ev.InviteTo("ops", ("burak",)),
    ],
)
def test_a_wrong_command_is_refused_in_words_and_changes_nothing(table: Table, event: ev.Event) -> None:
    before = table.desks["ayse"]
    with pytest.raises((LocalError, Refused)) as caught:
        table.put("ayse", event)
    assert str(caught.value)
    assert table.desks["ayse"] is before
