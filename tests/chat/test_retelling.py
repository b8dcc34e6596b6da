"""History shown on purpose: who came in later reads what was said before, in its authors' own signed words."""

from __future__ import annotations

import pytest

from conclave.chat import events as ev
from conclave.chat import reading
from conclave.chat.words.content import Delete, Edit, History, Text
from conclave.chat.words.line import Status
from conclave.chat.words.originals import Signed
from conclave.errors import LocalError
from conclave.values import replace
from conclave.wire.order import LAST_SEQ
from tests.chat.desks import Table

GROUP_LABEL = "#ops"


class Late:
    """ayse leads; burak and cem are in, and cem goes; deniz comes in later, and then elif."""

    def __init__(self) -> None:
        table = self.table = Table("ayse", "burak", "cem", "deniz", "elif")
        for one in ("burak", "cem", "deniz", "elif"):
            table.link("ayse", one)
        self.group = table.lobby("ayse", "burak", "cem")
        table.say("ayse", GROUP_LABEL, "one")
        self.two = table.say("burak", GROUP_LABEL, "two")
        table.say("cem", GROUP_LABEL, "three")
        table.put("cem", ev.LeaveLobby("ops"))
        table.run(10)
        self.come_in("deniz")
        self.come_in("elif")
        table.say("burak", GROUP_LABEL, "for all")

    def come_in(self, name: str) -> None:
        table = self.table
        table.put("ayse", ev.InviteTo("ops", (name,)))
        table.put(name, ev.AnswerRequest("ayse", accept=True, lobby="ops"))
        table.run(5)

    def share(self, by: str, member: str, first: int = 1) -> None:
        """As ``node.door.rooms`` does it."""
        came = self.table.state(by, self.group).healing.since(member)
        words = list(reading.earlier(self.table.stores[by], GROUP_LABEL, self.group, first, came))
        data = tuple(data for _, data in words)
        self.table.put(by, ev.ShareHistory(GROUP_LABEL, member, sum(line for line, _ in words), data))
        self.table.run(3)


@pytest.fixture
def late() -> Late:
    return Late()


def test_who_came_in_later_is_shown_what_was_said_before_by_whom_it_was_said(late: Late) -> None:
    table = late.table
    assert table.words("deniz") == table.words("elif") == ["for all"]
    table.put("burak", ev.Utter(GROUP_LABEL, bytes(16), Edit(late.two, "two, edited")))
    late.share("burak", "deniz")
    assert table.words("deniz") == ["for all", "one", "two, edited", "three"]
    senders = {line.text: line.sender for line in table.lines("deniz", GROUP_LABEL)}
    assert senders["three"] == "cem", "who was out before deniz came in"
    assert table.stores["deniz"].original(GROUP_LABEL, "burak", late.two)
    assert "burak shows you 3 lines from before you came in" in table.texts("deniz", GROUP_LABEL)


def test_the_others_are_told_and_get_nothing(late: Late) -> None:
    table = late.table
    before = {name: table.words(name) for name in ("ayse", "burak", "elif")}
    late.share("ayse", "deniz")
    for name, words in before.items():
        assert table.words(name) == words
        assert "ayse shows deniz 3 lines from before deniz came in" in table.texts(name, GROUP_LABEL)


def test_what_is_shown_twice_is_there_once(late: Late) -> None:
    late.share("ayse", "deniz")
    late.share("burak", "deniz")
    assert sorted(late.table.words("deniz")) == ["for all", "one", "three", "two"]


def test_what_was_taken_back_or_is_to_disappear_is_not_shown(late: Late) -> None:
    table = late.table
    table.put("burak", ev.Utter(GROUP_LABEL, bytes(16), Delete(late.two)))
    table.put("ayse", ev.Say(GROUP_LABEL, b"f" * 16, "gone in an hour", None, 3600))
    table.put("ayse", ev.Say(GROUP_LABEL, b"g" * 16, "stays"))
    store, came = table.stores["ayse"], LAST_SEQ
    assert sum(line for line, _ in reading.earlier(store, GROUP_LABEL, late.group, 1, came)) == 4
    late.share("ayse", "deniz")
    assert "two" not in table.words("deniz")
    late.come_in("cem")
    late.share("ayse", "cem")
    assert table.words("cem").count("stays") == 1
    assert "gone in an hour" not in table.words("cem")


def test_other_words_for_what_is_to_disappear_are_not_shown_either(late: Late) -> None:
    table, gone = late.table, b"f" * 16
    table.put("burak", ev.Utter(GROUP_LABEL, gone, Text("gone in an hour", None, 3600)))
    table.put("burak", ev.Utter(GROUP_LABEL, bytes(16), Edit(gone, "secret")))
    table.put("burak", ev.Utter(GROUP_LABEL, b"e" * 16, Edit(b"n" * 16, "secret, of what nobody has")))
    table.put("burak", ev.Utter(GROUP_LABEL, b"d" * 16, Edit(late.two, "two, edited")))
    late.come_in("cem")
    shown = [data for _, data in reading.earlier(table.stores["ayse"], GROUP_LABEL, late.group, 1, LAST_SEQ)]
    assert not any(b"secret" in data for data in shown)
    late.share("ayse", "cem")
    assert "two, edited" in table.words("cem")
    kept = [one.original for one in table.stores["cem"].originals(GROUP_LABEL, 0, LAST_SEQ, 999)]
    assert not any(b"secret" in original for original in kept)


def test_a_last_part_alone_may_be_shown(late: Late) -> None:
    (seq,) = [line.seq for line in late.table.lines("ayse", GROUP_LABEL) if line.text == "three"]
    late.share("ayse", "deniz", first=seq)
    assert late.table.words("deniz") == ["for all", "three"]


def test_nobody_is_missed_because_of_old_words(late: Late) -> None:
    """Old words say nothing of how much their author has said since."""
    table = late.table
    late.share("ayse", "deniz")
    table.say("burak", GROUP_LABEL, "and on")
    table.run(60)
    assert table.words("deniz")[-1] == "and on"
    assert not table.troubles("deniz")
    assert not table.state("deniz", late.group).ears.gaps
    assert not any("missing" in text for text in table.texts("deniz", GROUP_LABEL))


def test_our_own_words_from_before_stay_as_they_are(late: Late) -> None:
    """cem was in, went, and is back: what it said and read then it has."""
    table = late.table
    late.come_in("cem")
    before = [(line.text, line.status, line.seq) for line in table.lines("cem", GROUP_LABEL) if line.text == "three"]
    late.share("burak", "cem")
    assert [(ln.text, ln.status, ln.seq) for ln in table.lines("cem", GROUP_LABEL) if ln.text == "three"] == before
    assert before[0][1] is not Status.WAITING
    assert sorted(table.words("cem")) == ["for all", "one", "three", "two"]


def test_changed_words_are_refused_and_told(late: Late) -> None:
    table, group = late.table, late.group
    came = table.state("burak", group).healing.since("deniz")
    words = [data for _, data in reading.earlier(table.stores["burak"], GROUP_LABEL, group, 1, came)]
    good = Signed.decode(words[0])
    bent = replace(good, signature=bytes(len(good.signature))).encode()
    table.put("burak", ev.ShareHistory(GROUP_LABEL, "deniz", 3, (bent, b"junk", words[-1])))
    table.run(3)
    assert table.words("deniz") == ["for all", "three"]
    assert "was refused" in table.troubles("deniz")[-1]


def test_much_goes_in_several_messages_and_is_told_once(late: Late) -> None:
    table = late.table
    for number in range(60):
        table.say("ayse", GROUP_LABEL, f"{number} " + "x" * 1500)
    late.come_in("cem")
    late.share("burak", "cem")
    assert len([word for word in table.words("cem") if word.endswith("x")]) == 60
    assert len([text for text in table.texts("cem", GROUP_LABEL) if "burak shows you" in text]) == 1
    assert not table.state("burak", late.group).voice.waiting


def test_who_shows_words_of_somebody_whom_one_never_met_is_named_once(late: Late) -> None:
    """cem was out before deniz came in."""
    table, brought = late.table, "burak brings words of cem, who was not in #ops while you were"
    came = table.state("burak", late.group).healing.since("deniz")
    words = [data for _, data in reading.earlier(table.stores["burak"], GROUP_LABEL, late.group, 1, came)]
    for one in (History("deniz", 4, tuple(words[:2])), *[History("deniz", 0, (words[2],))] * 2):
        table.put("burak", ev.Utter(GROUP_LABEL, table.random(16), one))
        table.run(2)
    assert table.words("deniz") == ["for all", "one", "two", "three"]
    assert table.texts("deniz", GROUP_LABEL).count(brought) == 1
    assert not any(brought[:12] in text for text in table.texts("ayse", GROUP_LABEL))


def test_who_shows_more_than_it_said_or_does_not_say_how_much_is_told_of(late: Late) -> None:
    table, told = late.table, "burak shows you more lines from before you came in"
    came = table.state("burak", late.group).healing.since("deniz")
    words = [data for _, data in reading.earlier(table.stores["burak"], GROUP_LABEL, late.group, 1, came)]

    def shown(*of: History) -> int:
        for one in of:
            table.put("burak", ev.Utter(GROUP_LABEL, table.random(16), one))
            table.run(2)
        return table.texts("deniz", GROUP_LABEL).count(told)

    assert shown(History("deniz", 2, (words[0],)), History("deniz", 0, (words[1],))) == 0
    assert shown(History("deniz", 0, (words[2],))) == 1, "it said that there were two"
    assert shown(History("deniz", 0, (words[2],))) == 1
    assert shown(History("elif", 0, (words[2],)), History("deniz", 0, (words[2],))) == 2
    assert "burak shows elif more lines from before elif came in" in table.texts("ayse", GROUP_LABEL)
    table.restart("deniz")
    table.link("ayse", "deniz")
    assert shown(History("deniz", 0, (words[0],))) == 3, "it does not know any more what was said"


@pytest.mark.parametrize(
    ("by", "member", "why"),
    [
        ("ayse", "ayse", "that is you"),
        ("ayse", "cem", "cem is not in #ops"),
        ("deniz", "burak", "nothing from before burak came in"),
        ("elif", "deniz", "nothing from before deniz came in"),
    ],
)
def test_who_cannot_be_shown_anything(late: Late, by: str, member: str, why: str) -> None:
    with pytest.raises(LocalError, match=why):
        late.share(by, member)


def test_too_much_at_once_is_refused(late: Late) -> None:
    with pytest.raises(LocalError, match="too much"):
        late.table.put("ayse", ev.ShareHistory(GROUP_LABEL, "deniz", 9, (b"x" * (5 << 20),)))


def test_a_message_that_names_nobody_or_nonsense_harms_nobody(late: Late) -> None:
    table = late.table
    for shown in (History("", 0, ()), History("deniz", 1 << 31, (b"",)), History("x" * 63, 3, (b"y", b"z"))):
        table.put("burak", ev.Utter(GROUP_LABEL, table.random(16), shown))
        table.run(2)
    assert table.words("deniz") == ["for all"]
    table.say("burak", GROUP_LABEL, "still here")
    assert table.words("deniz")[-1] == "still here"


def test_an_edit_of_while_one_was_out_is_read_where_it_is_shown() -> None:
    late = Late()
    table = late.table
    for name in ("deniz", "elif"):
        table.link("burak", name)
    dose = table.say("burak", GROUP_LABEL, "the dose is 5 mg")
    table.run(5)
    table.put("burak", ev.Utter(GROUP_LABEL, table.random(16), Edit(dose, "the dose is 50 mg")))
    table.run(5)
    assert "the dose is 50 mg" in table.words("deniz")
    table.put("deniz", ev.LeaveLobby("ops"))
    table.run(10)
    table.put("burak", ev.Utter(GROUP_LABEL, table.random(16), Edit(dose, "the dose is 0.5 mg")))
    table.run(5)
    late.come_in("deniz")
    table.say("burak", GROUP_LABEL, "back")
    late.share("ayse", "deniz")
    table.run(10)
    assert "the dose is 0.5 mg" in table.words("ayse")
    assert "the dose is 0.5 mg" in table.words("deniz"), table.words("deniz")
