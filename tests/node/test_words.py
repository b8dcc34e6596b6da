"""What people do with words over real links: answers, edits, deletions, signs, pins, timers, receipts."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conclave.chat import views
from conclave.chat.lobby_state import Mark, Reach
from conclave.chat.views import LobbyView
from conclave.chat.words.line import Line, LineKind, Status
from conclave.errors import LocalError
from conclave.node.door import commands as ask
from conclave.node.door.attendance import of_line
from conclave.node.door.progress import in_lobby, in_pair, shown
from conclave.node.door.words import _of_pair, shorten
from conclave.node.files.commands import FileAccept, FileList, FileOffer
from conclave.store.ports import StoredLine
from conclave.values import replace
from tests.node.homes import Running, befriend, make_home, running
from tests.node.test_lobby_links import gather

Trio = tuple[Running, Running, Running]


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    """ayse, who leads #ops, burak and cem; ayse and burak have a chat."""
    for handle in ("ayse", "burak", "cem"):
        make_home(tmp_path / handle, handle)
    async with AsyncExitStack() as stack:
        ayse, burak, cem = [await stack.enter_async_context(running(tmp_path / h)) for h in ("ayse", "burak", "cem")]
        burak.meets(cem)
        await befriend(ayse, burak)
        await gather(ayse, burak, cem)
        for one in (burak, cem):
            await one.until(lambda one=one: len(in_room(one)) == 3)  # type: ignore[misc]
        yield ayse, burak, cem


def in_room(one: Running) -> list[dict[str, Any]]:
    return [row for row in one.node.service._rooms.who(ask.LobbyWho("#ops"))["members"] if row["state"] != "invited"]


async def lines(one: Running, conversation: str) -> list[dict[str, Any]]:
    answer = await one.serve(ask.Lines(conversation))
    return [row for row in answer["lines"] if row["kind"] == "text"]


async def until_line(one: Running, conversation: str, **wanted: object) -> dict[str, Any]:
    """The line of the conversation that has all of this, as soon as there is one."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        answer = one.node.service._words.lines(ask.Lines(conversation))["lines"]
        found[:] = [row for row in answer if all(row.get(key) == value for key, value in wanted.items())]
        return bool(found)

    await one.until(there)
    return found[-1]


@pytest.mark.parametrize("where", ["#ops", "@burak"])
async def test_a_line_is_answered_edited_signed_pinned_and_taken_back(trio: Trio, where: str) -> None:
    ayse, burak, _ = trio
    theirs = "@ayse" if where == "@burak" else where
    said = await ayse.serve(ask.Say(where, "the pump is back", wait=True, goal="sent"))
    await until_line(burak, theirs, text="the pump is back")
    answer = await burak.serve(ask.Say(theirs, "which one?", reply=said["id"][:6]))
    line = await until_line(ayse, where, text="which one?")
    assert line["reply"] == {"from": "ayse", "id": said["id"], "text": "the pump is back"}
    [told] = [one["line"] for one in ayse.told("line-added") if one["line"]["text"] == "which one?"]
    assert told["reply"] == line["reply"]
    await ayse.serve(ask.Edit(where, said["id"], "pump 2 is back"))
    line = await until_line(burak, theirs, text="pump 2 is back")
    assert line["edited"]
    await burak.serve(ask.React(theirs, said["id"], "👍"))
    await burak.serve(ask.Pin(theirs, said["id"]))
    await until_line(ayse, where, reactions={"👍": ["burak"]}, pinned=True)
    pinned = await ayse.serve(ask.Pins(where))
    assert [row["text"] for row in pinned["lines"]] == ["pump 2 is back"]
    await burak.serve(ask.React(theirs, said["id"], "👍", on=False))
    await burak.serve(ask.Pin(theirs, said["id"], on=False))
    await until_line(ayse, where, id=said["id"], reactions=None, pinned=None)
    await burak.serve(ask.Delete(theirs, "last"))
    gone = await until_line(ayse, where, id=answer["id"], deleted=True)
    assert not gone["text"]
    await ayse.serve(ask.Say(where, "two", reply=said["id"], wait=True, goal="sent"))
    await ayse.serve(ask.Delete(where, said["id"]))
    await until_line(burak, theirs, id=said["id"], deleted=True)
    line = await until_line(burak, theirs, text="two")
    assert line["reply"] == {"from": "ayse", "id": said["id"], "gone": "deleted"}


async def test_nothing_is_said_about_a_line_that_was_deleted(trio: Trio) -> None:
    ayse, burak, _ = trio
    said = await ayse.serve(ask.Say("#ops", "never mind", wait=True, goal="sent"))
    await until_line(burak, "#ops", text="never mind")
    await ayse.serve(ask.Delete("#ops", "last"))
    await until_line(burak, "#ops", id=said["id"], deleted=True)
    name = said["id"]
    for command in (ask.React("#ops", name, "👍"), ask.Pin("#ops", name), ask.Pin("#ops", name, on=False)):
        with pytest.raises(LocalError, match="that line was deleted"):
            await burak.serve(command)
    with pytest.raises(LocalError, match="that line was deleted"):
        await ayse.serve(ask.Edit("#ops", name, "or rather"))


async def test_only_ones_own_lines_can_be_changed_and_lines_are_named_clearly(trio: Trio) -> None:
    ayse, burak, _ = trio
    await ayse.serve(ask.Say("#ops", "mine", wait=True, goal="sent"))
    await until_line(burak, "#ops", text="mine")
    mine = (await lines(burak, "#ops"))[-1]
    with pytest.raises(LocalError, match="'notanemoji' is not one emoji"):
        await burak.serve(ask.React("#ops", mine["id"][:8], "notanemoji"))
    with pytest.raises(LocalError, match="ayse's line"):
        await burak.serve(ask.Edit("#ops", mine["id"][:8], "yours"))
    with pytest.raises(LocalError, match="you have said nothing in #ops yet"):
        await burak.serve(ask.Delete("#ops", "last"))
    for name in ("ffffffff", "999999", "zz"):
        with pytest.raises(LocalError, match="no line") as unknown:
            await burak.serve(ask.Delete("#ops", name))
        assert "--ids" in unknown.value.remedy
    by_position = await burak.serve(ask.Pin("#ops", str(mine["position"])))
    assert by_position["text"] == "mine"


async def test_receipts_say_who_has_and_who_has_read(trio: Trio) -> None:
    ayse, burak, cem = trio
    said = await ayse.serve(ask.Say("#ops", "does everybody hear me?", wait=True, timeout=20))
    assert (said["status"], said["have"], said["of"]) == ("delivered", 3, 3)
    await burak.serve(ask.Read("#ops"))

    def states() -> dict[str, str]:
        row = ayse.node.service._words.receipts(ask.Receipts("#ops"))["lines"][-1]
        return {member["handle"]: member["state"] for member in row["members"]}

    await ayse.until(lambda: states() == {"burak": "read", "cem": "delivered"})
    await cem.serve(ask.Read("#ops"))
    await ayse.until(lambda: states() == {"burak": "read", "cem": "read"})
    await until_line(ayse, "#ops", text="does everybody hear me?", status="read")
    row = (await ayse.serve(ask.Receipts("#ops")))["lines"][-1]
    assert row["summary"] == "everybody has it; read by everybody"


async def test_a_pair_tells_that_it_was_read(trio: Trio) -> None:
    ayse, burak, _ = trio
    said = await ayse.serve(ask.Say("@burak", "seen?", wait=True))
    assert said["status"] == "delivered"
    row = (await ayse.serve(ask.Receipts("@burak")))["lines"][-1]
    assert row["summary"] == "burak has it"
    await burak.serve(ask.Read("@ayse"))
    await until_line(ayse, "@burak", text="seen?", status="read", words="read")
    row = (await ayse.serve(ask.Receipts("@burak")))["lines"][-1]
    assert row["summary"] == "burak has read it"


async def test_who_does_not_allow_it_does_not_tell_what_was_read(tmp_path: Path) -> None:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    async with running(tmp_path / "ayse") as ayse, running(tmp_path / "burak", read_receipts=False) as burak:
        await befriend(ayse, burak)
        assert (await ayse.serve(ask.Say("@burak", "seen?", wait=True)))["status"] == "delivered"
        await burak.serve(ask.Read("@ayse"))
        await burak.serve(ask.Say("@ayse", "yes, but I do not say so", wait=True))
        await ayse.serve(ask.Read("@burak"))
        await until_line(burak, "@ayse", text="yes, but I do not say so", status="read")
        assert (await ayse.serve(ask.Receipts("@burak")))["lines"][-1]["summary"] == "burak has it"
        assert views.pair(ayse.node.pump.desk, "burak").read == 0


async def test_what_somebody_drops_who_blocked_us_is_not_sent_and_says_what_to_do(tmp_path: Path) -> None:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    async with running(tmp_path / "ayse") as ayse, running(tmp_path / "burak") as burak:
        await burak.serve(ask.AnswerTo("ayse", accept=False, block=True))
        ayse.meets(burak)
        said = await ayse.serve(ask.Say("@burak", "hello?", wait=True))
        assert (said["status"], said["why"]) == ("not sent", "burak does not want to chat with you")
        assert "accepts you" in said["remedy"]


async def test_a_pairs_timer_counts_for_both(trio: Trio) -> None:
    ayse, burak, _ = trio
    assert await ayse.serve(ask.Timer("@burak", 1)) == {"conversation": "@burak", "seconds": 1}
    await until_line(burak, "@ayse", text="ayse set messages to disappear after 1 second", kind="notice")
    await burak.serve(ask.Say("@ayse", "gone soon"))
    await ayse.until(lambda: "gone soon" in ayse.texts("@burak"))
    for one, where in ((ayse, "@burak"), (burak, "@ayse")):
        await one.until(lambda one=one, where=where: "gone soon" not in one.texts(where))  # type: ignore[misc]


async def test_words_disappear_when_their_time_has_come(trio: Trio) -> None:
    ayse, burak, _ = trio
    await ayse.serve(ask.Say("@burak", "for a moment", expires=1))
    await until_line(burak, "@ayse", text="for a moment")
    for one, where in ((ayse, "@burak"), (burak, "@ayse")):
        await one.until(lambda one=one, where=where: "for a moment" not in one.texts(where))  # type: ignore[misc]
    answer = await ayse.serve(ask.Timer("#ops", 1))
    assert answer == {"conversation": "#ops", "seconds": 1}
    await burak.until(lambda: burak.node.service._rooms.who(ask.LobbyWho("#ops"))["timer"] == 1)
    await burak.serve(ask.Say("#ops", "gone soon"))
    await ayse.until(lambda: "gone soon" in ayse.texts("#ops"))
    await ayse.until(lambda: "gone soon" not in ayse.texts("#ops"))


async def test_what_is_over_is_shown_no_more_though_it_is_still_there(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    ayse, burak, _ = trio
    await ayse.serve(ask.Say("@burak", "for good", wait=True))
    said = await ayse.serve(ask.Say("@burak", "for an hour", expires=3600, wait=True))
    await ayse.serve(ask.Pin("@burak", "last"))
    await until_line(burak, "@ayse", text="for an hour")
    monkeypatch.setattr("conclave.node.door.progress.time", SimpleNamespace(time=lambda: time.time() + 3700))
    assert "for an hour" in ayse.texts("@burak")
    for command in (ask.Lines("@burak"), ask.Receipts("@burak"), ask.Pins("@burak"), ask.Search("hour")):
        assert said["id"] not in [one["id"] for one in (await ayse.serve(command))["lines"]]
    [row] = [
        one for one in (await ayse.serve(ask.Conversations()))["conversations"] if one["conversation"] == "@burak"
    ]
    assert row["last"]["text"] == "for good"
    answer = await burak.serve(ask.Say("@ayse", "which?", reply="last"))
    [line] = [one for one in await lines(burak, "@ayse") if one["id"] == answer["id"]]
    assert line["reply"]["text"] == "for good"


@pytest.mark.parametrize("where", ["#ops", "@burak"])
async def test_who_waits_for_what_disappears_first_is_told_so_then(trio: Trio, where: str) -> None:
    ayse, burak, _ = trio
    burak.node.peers.hold(True)
    answer = await ayse.serve(ask.Say(where, "too late", expires=1, wait=True, timeout=3600.0))
    assert (answer["status"], answer["words"]) == ("disappeared", "it has disappeared")
    burak.node.peers.hold(False)


async def test_a_pairs_timer_and_a_mute_are_kept(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    async with running(tmp_path / "ayse") as ayse:
        await ayse.serve(ask.Timer("@burak", 3600))
        await ayse.serve(ask.Mute("@burak"))
    async with running(tmp_path / "ayse") as ayse:
        await ayse.serve(ask.Say("@burak", "for an hour"))
        await until_line(ayse, "@burak", text="ayse set messages to disappear after 1 hour", kind="notice")
        line = (await lines(ayse, "@burak"))[0]
        assert 3500 < line["expires"] - time.time() <= 3600
        assert (await ayse.serve(ask.Conversations()))["conversations"][0]["muted"]
        assert all(notice["muted"] for notice in ayse.notices if notice.get("conversation") == "@burak")
        await ayse.serve(ask.Mute("@burak", on=False))
        await ayse.serve(ask.Timer("@burak", 0))
        await ayse.serve(ask.Say("@burak", "for good"))
        assert "expires" not in (await lines(ayse, "@burak"))[-1]
        assert not ayse.notices[-1].get("muted")


@pytest.mark.parametrize("where", ["#ops", "@burak"])
async def test_a_file_goes_from_one_node_to_another(trio: Trio, tmp_path: Path, where: str) -> None:
    ayse, burak, _ = trio
    theirs = "@ayse" if where == "@burak" else where
    plan = tmp_path / "plan.bin"
    plan.write_bytes(os.urandom(300_000))
    offered = await ayse.serve(FileOffer(where, str(plan)))
    await until_line(burak, theirs, kind="file", text="plan.bin")
    await burak.until(lambda: burak.told("file-listed"))
    assert "key" not in str(burak.told("file-listed"))
    (tmp_path / "got").mkdir()
    listed = (await burak.serve(FileList(theirs)))["files"]
    line = await until_line(burak, theirs, kind="file", text="plan.bin")
    assert line["file"] == {"id": listed[0]["id"], "size": 300_000, "status": "offered"}
    assert [(one["name"], one["from"], one["size"]) for one in listed] == [("plan.bin", "ayse", 300_000)]
    assert offered["status"] == "here"
    await burak.serve(FileAccept(listed[0]["id"], str(tmp_path / "got")))
    await burak.until(lambda: burak.told("file-done"))
    assert (tmp_path / "got" / "plan.bin").read_bytes() == plan.read_bytes()


async def test_that_a_mailbox_is_full_is_said_where_words_wait_for_it(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    async with running(tmp_path / "ayse") as ayse:
        assert "mailbox" not in (await ayse.serve(ask.Say("@burak", "one")))["why"]
        pump = ayse.node.pump
        burak = pump.desk.peers.get("burak")
        assert burak is not None
        full = replace(burak, unmailed="burak's mailbox is full")
        pump.desk = replace(pump.desk, peers=pump.desk.peers.put("burak", full))
        assert "; burak's mailbox is full" in (await ayse.serve(ask.Say("@burak", "two")))["why"]
        assert (await ayse.serve(ask.Status()))["unmailed"] == {"burak": "burak's mailbox is full"}


@pytest.mark.parametrize("where", ["#ops", "@burak"])
async def test_a_file_whose_line_is_deleted_is_offered_no_more(trio: Trio, tmp_path: Path, where: str) -> None:
    ayse, burak, _ = trio
    theirs = "@ayse" if where == "@burak" else where
    plan = tmp_path / "plan.bin"
    plan.write_bytes(os.urandom(1000))
    await ayse.serve(FileOffer(where, str(plan)))
    await burak.until(lambda: burak.told("file-listed"))
    [offered] = (await burak.serve(FileList(theirs)))["files"]
    await ayse.serve(ask.Delete(where, "last"))
    for one, name in ((ayse, where), (burak, theirs)):
        await one.until(lambda one=one: not [*one.node.files._records])  # type: ignore[misc]
        assert (await one.serve(FileList(name)))["files"] == one.node._store.states("file/") == []
    with pytest.raises(LocalError, match="is offered here"):
        await burak.serve(FileAccept(offered["id"], str(tmp_path)))


async def test_a_file_that_is_offered_under_a_timer_is_offered_for_so_long(trio: Trio, tmp_path: Path) -> None:
    ayse, burak, _ = trio
    (tmp_path / "plan.bin").write_bytes(os.urandom(1000))
    await ayse.serve(ask.Timer("#ops", 1))
    await burak.until(lambda: burak.node.service._rooms.who(ask.LobbyWho("#ops"))["timer"] == 1)
    await ayse.serve(FileOffer("#ops", str(tmp_path / "plan.bin")))
    await burak.until(lambda: burak.told("file-listed"))
    for one in (ayse, burak):
        await one.until(lambda one=one: not [*one.node.files._records])  # type: ignore[misc]
        assert (await one.serve(FileList()))["files"] == one.node._store.states("file/") == []


# In words, without a network.


def stored(status: Status, seq: int = 5, sender: str = "ayse") -> StoredLine:
    return StoredLine(1, Line(bytes(16), sender, LineKind.TEXT, "x", 1.0, 1.0, status, seq))


def room(**marks: Mark) -> LobbyView:
    return LobbyView(
        "#ops", "ops", "burak", "member", ("burak", "ayse", "cem", "deniz"), (), (), 9, 8, b"", 1, 1, b"",
        dict(marks), healing=False, waiting=0, timer=0, protection="",
    )  # fmt: skip


def test_how_far_a_line_has_come_in_words() -> None:
    waiting = in_lobby(room(), stored(Status.WAITING, 0), "ayse")
    assert (waiting.words, waiting.members["cem"]) == ("waiting for burak", "waiting")
    assert in_lobby(room(), stored(Status.MAILED, 0), "ayse").words == "in mailbox"
    assert in_lobby(room(), stored(Status.FAILED, 0), "ayse").words == "not sent"
    assert in_lobby(room(), stored(Status.SENT), "ayse").words == "sent"
    some = in_lobby(room(burak=Mark(5, 5), cem=Mark(9, 0, ((5, 6),)), deniz=Mark(4)), stored(Status.SENT), "ayse")
    assert (some.words, some.have, some.of) == ("delivered to 1 of 3", 2, 4)
    assert dict(some.members) == {"burak": "read", "cem": "sent", "deniz": "sent"}
    every = room(burak=Mark(5, 5), cem=Mark(9, 0, ((7, 8),)), deniz=Mark(5))
    assert in_lobby(every, stored(Status.SENT), "ayse").status is Status.DELIVERED
    read = room(burak=Mark(5, 5), cem=Mark(9, 9), deniz=Mark(6, 6))
    assert in_lobby(read, stored(Status.SENT), "ayse").status is Status.READ
    theirs = in_lobby(every, stored(Status.RECEIVED, sender="burak"), "ayse")
    assert (theirs.status, theirs.have) == (Status.RECEIVED, 4)


def test_what_is_said_where_nobody_else_is_was_delivered_to_nobody() -> None:
    alone = replace(room(), leader="ayse", roster=("ayse",))
    assert in_lobby(alone, stored(Status.SENT), "ayse").words == "nobody else is in"
    later = replace(room(), roster=("ayse", "burak"), entered={"burak": 7})
    how = in_lobby(later, stored(Status.SENT), "ayse")
    assert (how.status, how.words, how.alone) == (Status.SENT, "said before the others came in", True)
    assert of_line(how, 5, []) == how.words
    left = in_lobby(replace(alone, gone={"burak": 6}), stored(Status.SENT), "ayse")
    assert (left.status, left.words) == (Status.SENT, "sent; nobody else who was in then is in")
    before = in_lobby(replace(alone, gone={"burak": 4}), stored(Status.SENT), "ayse")
    assert (before.status, before.words, before.alone) == (Status.SENT, "nobody else is in", True)
    ended = replace(room(), roster=(), marks={})
    assert in_lobby(ended, stored(Status.SENT), "ayse").words == "sent"
    outside = replace(room(), roster=("burak",))
    assert in_lobby(outside, stored(Status.RECEIVED, sender="burak"), "ayse").words == "received"


def test_a_line_is_in_mailboxes_in_words() -> None:
    """What the leader knows; for everybody else it is sent."""
    mailed = {"cem": Reach(9, 5), "deniz": Reach(9, 6), "burak": Reach(4, 1)}
    view = replace(room(), mailed=mailed)
    how = in_lobby(view, stored(Status.SENT), "ayse")
    assert dict(how.members) == {"burak": "sent", "cem": "in mailbox", "deniz": "sent"}
    assert (how.status, how.words, how.have) == (Status.SENT, "in the mailboxes of 1", 1)
    assert in_lobby(view, stored(Status.SENT, 7), "ayse").words == "in the mailboxes of 2"
    away = {"state": "away", "has": 2, "missing": [], "away_since": 0.0, "has_all": False}
    words = of_line(how, 5, [{"handle": "cem"} | away])
    assert words == "1 of 4 have it; cem is away; in the mailbox of cem"
    every = replace(view, mailed=dict.fromkeys(("burak", "cem", "deniz"), Reach(9, 5)))
    assert in_lobby(every, stored(Status.SENT), "ayse").words == "in mailbox"
    some = replace(view, marks={"burak": Mark(9, 9)})
    assert in_lobby(some, stored(Status.SENT), "ayse").words == "delivered to 1 of 3, in the mailboxes of 1"
    assert in_lobby(replace(view, marks={"cem": Mark(9)}), stored(Status.SENT), "ayse").members["cem"] == "delivered"


def test_how_far_a_line_of_a_pair_has_come_in_words() -> None:
    assert in_pair(stored(Status.WAITING), "burak", "ayse", 0).words == "waiting for burak"
    assert in_pair(stored(Status.DELIVERED), "burak", "ayse", 4).words == "delivered"
    assert in_pair(stored(Status.DELIVERED), "burak", "ayse", 5).words == "read"
    assert in_pair(stored(Status.MAILED), "burak", "ayse", 9).words == "in mailbox"


def test_of_what_is_not_heard_any_more_it_is_said_that_it_may_have_arrived() -> None:
    words = "it may have arrived: that is not heard any more"
    pair = in_pair(stored(Status.SENT), "burak", "ayse", 0)
    assert pair.words == _of_pair(pair) == words
    assert in_lobby(room(), stored(Status.SENT, 0), "ayse").words == "how far it came is not heard any more"
    assert in_lobby(room(), stored(Status.SENT, 5), "ayse").words == "sent"


def test_who_has_a_line_in_words() -> None:
    members: list[dict[str, Any]] = [
        {"handle": "ayse", "state": "online", "has": 9, "missing": [], "away_since": 0.0, "has_all": True},
        {"handle": "burak", "state": "away", "has": 9, "missing": [], "away_since": 0.0, "has_all": True},
        {"handle": "cem", "state": "away", "has": 2, "missing": [], "away_since": 0.0, "has_all": False},
        {"handle": "deniz", "state": "online", "has": 9, "missing": [[4, 6]], "away_since": 0.0, "has_all": True},
    ]

    def told(status: Status, seq: int, **marks: Mark) -> str:
        return of_line(in_lobby(room(**marks), stored(status, seq), "ayse"), seq, members)

    assert told(Status.WAITING, 0) == "waiting for burak"
    assert told(Status.MAILED, 0) == "in mailbox"
    assert told(Status.SENT, 5, burak=Mark(5, 5), deniz=Mark(9, 0, ((4, 6),))) == (
        "2 of 4 have it; cem is away; deniz is missing 4 to 6; read by burak"
    )
    everybody = {name: Mark(9, 9) for name in ("burak", "cem", "deniz")}
    assert told(Status.SENT, 5, **everybody) == "everybody has it; read by everybody"
    assert told(Status.SENT, 5, **everybody | {"cem": Mark(9)}) == "everybody has it; read by burak, deniz"


def test_the_beginning_of_words_is_one_short_line() -> None:
    assert shorten("is the\npump  back?") == "is the pump back?"
    assert shorten("x" * 40) == "x" * 40
    assert shorten("x" * 41) == "x" * 39 + "…"


def test_a_line_shows_what_was_said_of_it() -> None:
    line = StoredLine(3, stored(Status.RECEIVED, sender="burak").line, True, False, True, (("👍", "ayse", "cem"),))
    row = shown(line, in_pair(line, "burak", "ayse", 0))
    assert (row["edited"], row["pinned"], row["reactions"]) == (True, True, {"👍": ["ayse", "cem"]})
    assert "deleted" not in row
