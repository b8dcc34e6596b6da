"""The classic suite between running nodes: asked, answered, said, gathered, logged; and never where it is off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from conclave.chat.effects import Record
from conclave.classic.limits import ClassicLimits
from conclave.errors import LocalError, StorageError
from conclave.net.classic import ClassicStream
from conclave.node.classic import commands as ask
from conclave.node.door import commands
from conclave.store.peer import PeerDatabase
from conclave.store.ports import LineName, PeerStore
from tests.node.classics import (
    accept,
    asking,
    befriend_classic,
    classic_home,
    classic_notices,
    classic_of,
    classic_texts,
    people,
)
from tests.node.homes import Running, make_home, running, stranger_realm

LENGTHS = (0, 1, 15, 16, 17, 32, 38, 1000, 100_000)


async def say(one: Any, to: str, text: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await one.serve(ask.ClassicSay(to, text, **more))
    return answer


async def test_a_chat_is_asked_for_answered_and_goes_both_ways(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        waiting = asyncio.ensure_future(say(ayse, "@burak", "hello", wait=True))
        await burak.until(lambda: asking(burak))
        (request,) = (await burak.serve(ask.ClassicRequests()))["requests"]
        assert (request["from"], request["link"]) == ("ayse", "classic")
        assert burak.told("legacy-asked")[0]["peer"] == "ayse"
        await burak.serve(ask.ClassicAnswer("ayse", accept=True))
        answer = await waiting
        assert (answer["status"], answer["proven"], answer["protection"]) == (
            "sent",
            False,
            "legacy link, classic suite",
        )
        await burak.until(lambda: classic_texts(burak, "@ayse") == ["hello"])
        assert (await say(burak, "@ayse", "and to you"))["status"] == "sent"
        await ayse.until(lambda: classic_texts(ayse, "@burak") == ["hello", "and to you"])
        assert ayse.told("legacy-proven")[0]["peer"] == "burak"
        assert (await say(ayse, "@burak", "so it is you"))["proven"]
        assert [one["peer"] for one in (await ayse.serve(commands.Status()))["legacy_links"]] == ["burak"]
        assert ayse.texts("@burak") == []  # nothing of it is in the other conversation


async def test_texts_of_every_length_in_both_directions(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
        texts = ["".join(chr(97 + at % 26) for at in range(length)) for length in LENGTHS] + [
            "çağrı 🚨",
            "ü" * 50_000,
        ]
        for text in texts:
            await say(ayse, "@burak", text)
            await say(burak, "@ayse", text)
        await burak.until(lambda: classic_texts(burak, "@ayse", "ayse") == ["may I?", *texts])
        await ayse.until(lambda: classic_texts(ayse, "@burak", "burak") == texts)


@pytest.mark.parametrize("way", ["rejected", "busy"])
async def test_a_person_says_no(tmp_path: Path, way: str) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        if way == "busy":
            await burak.serve(commands.Busy(on=True))
        waiting = asyncio.ensure_future(say(ayse, "@burak", "hello", wait=True))
        if way == "rejected":
            await burak.until(lambda: asking(burak))
            await burak.serve(ask.ClassicAnswer("ayse", accept=False))
        answer = await waiting
        assert answer["status"] == "not sent"
        assert answer["why"] == ("burak said no" if way == "rejected" else "burak is busy")
        assert ayse.told("legacy-answered")[0]["answer"] == way
        assert classic_texts(burak, "@ayse") == []


async def test_whoever_was_accepted_needs_no_answer_again_also_after_a_restart(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        assert (await say(ayse, "@burak", "again", wait=True))["status"] == "sent"
        await burak.until(lambda: classic_texts(burak, "@ayse") == ["may I?", "again"])
        assert any(text.startswith("legacy link with ayse ended") for text in classic_notices(burak, "@ayse"))


async def test_a_block_outlives_a_restart(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await say(ayse, "@burak", "hello")
        await burak.until(lambda: asking(burak))
        await burak.serve(ask.ClassicAnswer("ayse", accept=False, block=True))
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        assert (await say(ayse, "@burak", "again", wait=True))["why"] == "burak said no"
        await burak.serve(ask.ClassicUnblock("ayse"))
        await say(ayse, "@burak", "and now?")
        await burak.until(lambda: asking(burak) == ["ayse"])


async def test_a_lobby_is_gathered_led_and_logged_on_all_sides(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak", "cem") as (ayse, burak, cem):
        opened = await ayse.serve(ask.ClassicGather("#ops", ("@burak", "cem")))
        assert (opened["lobby"], opened["invited"]) == ("#ops", ("burak", "cem"))
        await accept(burak, "ayse")
        await accept(cem, "ayse")
        await ayse.until(lambda: len(classic_of(ayse).desk.lobbies["ops"].members) == 2)
        (lobby,) = (await ayse.serve(ask.ClassicWho()))["lobbies"]
        assert set(lobby["members"]) == {"burak", "cem"}
        await say(burak, "@ayse", "the pump is back")  # the member's only link is the leader's
        await cem.until(lambda: "the pump is back" in classic_texts(cem, "@ayse"))
        await say(ayse, "#ops", "thanks")
        await burak.until(lambda: "thanks" in classic_texts(burak, "@ayse", "ayse"))
        heard = classic_texts(cem, "@ayse", "ayse")
        assert heard[heard.index("the pump is back") - 1] == "* burak says:"
        assert classic_texts(ayse, "#ops") == ["the pump is back", "thanks"]
        await burak.serve(ask.ClassicHangUp("ayse"))
        await cem.until(lambda: "* burak left" in classic_texts(cem, "@ayse"))
        assert any(text.startswith("burak left") for text in classic_notices(ayse, "#ops"))
        await ayse.serve(ask.ClassicClose("ops"))
        await cem.until(lambda: "* the lobby ops is closed" in classic_texts(cem, "@ayse"))
        await cem.until(lambda: any("ended" in text for text in classic_notices(cem, "@ayse")))
        assert set(classic_notices(ayse, "#ops")) >= {
            "ayse opened the legacy lobby ops",
            "burak entered",
            "cem entered",
            "ayse closed the legacy lobby ops",
        }


async def test_the_leaders_loss_is_told(tmp_path: Path) -> None:
    async with people(tmp_path, "burak") as (burak,):
        async with people(tmp_path, "ayse") as (ayse,):
            classic_of(ayse).hints["burak"] = burak.address
            await ayse.serve(ask.ClassicGather("ops", ("burak",)))
            await accept(burak, "ayse")
            await burak.until(lambda: classic_texts(burak, "@ayse"))
        await burak.until(lambda: any("ended" in text for text in classic_notices(burak, "@ayse")))
        assert burak.told("legacy-closed")[0]["peer"] == "ayse"


async def test_at_999999_a_new_handshake_follows(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
        stream = used_up(ayse, burak, 999_998)
        await say(ayse, "@burak", "x" * 40)  # three fragments where two numbers are left
        await burak.until(lambda: classic_texts(burak, "@ayse") == ["may I?", "x" * 40])
        assert any("a new handshake follows" in text for text in classic_notices(ayse, "@burak"))
        (again,) = classic_of(ayse).streams.values()
        assert again is not stream


def used_up(ayse: Running, burak: Running, number: int) -> ClassicStream:
    """As if so many fragments had gone from one to the other."""
    (near,) = [s for s in classic_of(ayse).streams.values() if s.peer is not None and s.peer.handle == burak.me]
    (far,) = classic_of(burak).streams.values()
    assert near._link is not None
    assert far._link is not None
    assert near._link._writer is not None
    assert far._link._reader is not None
    near._link._writer._next = far._link._reader._next = number
    return near


async def test_a_lobby_loses_nothing_where_a_members_numbers_are_used_up(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak", "cem") as (ayse, burak, cem):
        await ayse.serve(ask.ClassicGather("ops", ("burak", "cem")))
        for member in (burak, cem):
            await accept(member, "ayse")
        await ayse.until(lambda: len(classic_of(ayse).desk.lobbies["ops"].members) == 2)
        await burak.until(lambda: any("cem" in text for text in classic_texts(burak, "@ayse")))  # all announced
        used_up(ayse, burak, 999_997)
        texts = [f"word {number} of many" for number in range(6)]
        for text in texts:
            await say(cem, "@ayse", text)
        await burak.until(lambda: [t for t in classic_texts(burak, "@ayse") if t.startswith("word")] == texts)
        assert not any("left" in text for text in classic_texts(cem, "@ayse"))
        assert set(classic_of(ayse).desk.lobbies["ops"].members) == {"burak", "cem"}


# Never where it is off; never instead of TLS.


async def test_it_is_off_unless_switched_on(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    async with running(tmp_path / "ayse") as ayse:
        for command in (ask.ClassicSay("@burak", "x"), ask.ClassicGather("ops"), ask.ClassicWho()):
            with pytest.raises(LocalError, match="off"):
                await ayse.serve(command)
        assert (await ayse.serve(ask.ClassicRequests()))["requests"] == []


async def test_it_needs_a_certificate_of_its_own(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    refusal = pytest.RaisesExc(LocalError, match="no certificate for the classic suite")
    with pytest.RaisesGroup(refusal, flatten_subgroups=True):
        async with running(tmp_path / "ayse", kinds="tls,classic"):
            pass


async def test_a_peer_that_has_it_off_says_so(tmp_path: Path) -> None:
    classic_home(tmp_path / "burak", "burak")
    async with people(tmp_path, "ayse") as (ayse,), running(tmp_path / "burak") as burak:
        classic_of(ayse).hints["burak"] = burak.address
        answer = await say(ayse, "@burak", "hello", wait=True)
        assert answer["status"] == "not sent"
        assert "not switched on there" in answer["why"]


async def test_both_kinds_of_link_on_one_port(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
        ayse.meets(burak)
        await ayse.say("@burak", "over TLS")
        await burak.until(lambda: burak.texts("@ayse") == ["over TLS"])
        assert classic_texts(burak, "@ayse") == ["may I?"]


async def test_a_stranger_of_another_realm_is_turned_away(tmp_path: Path) -> None:
    classic_home(tmp_path / "mallory", "ayse", ward=stranger_realm())
    async with people(tmp_path, "burak") as (burak,), running(tmp_path / "mallory", kinds="tls,classic") as other:
        classic_of(other).hints["burak"] = burak.address
        answer = await say(other, "@burak", "I am ayse", wait=True)
        assert answer["status"] == "not sent"
        assert "does not accept our certificate" in answer["why"]
        assert asking(burak) == []


async def test_an_expired_certificate_is_told_before_dialling(tmp_path: Path) -> None:
    classic_home(tmp_path / "ayse", "ayse", enrolled=-20 * 86_400)
    async with running(tmp_path / "ayse", kinds="tls,classic") as ayse:
        classic_of(ayse).hints["burak"] = "127.0.0.1:9"
        answer = await say(ayse, "@burak", "hello", wait=True)
        assert "your own classic certificate" in answer["why"]


async def test_links_enough_are_answered_busy(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak", "cem", classic=ClassicLimits(connections=1)) as (ayse, burak, cem):
        await befriend_classic(ayse, burak)
        answer = await say(cem, "@burak", "hello", wait=True)
        assert answer["why"] == "burak is busy"


async def test_words_that_are_not_utf8_end_their_own_link(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse", "burak") as (ayse, burak):
        await befriend_classic(ayse, burak)
        (stream,) = classic_of(ayse).streams.values()
        assert stream.send(os.urandom(64) + b"\xff")
        await burak.until(lambda: burak.told("legacy-closed"))
        assert "not UTF-8" in burak.told("legacy-closed")[0]["text"]
        assert classic_texts(burak, "@ayse") == ["may I?"]


async def test_what_cannot_be_said(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse") as (ayse,):
        for to, text, words in (
            ("burak", "x", "neither a peer nor a lobby"),
            ("@ayse", "x", "that is you"),
            ("@burak", "ü" * 100_000, "too long"),
            ("@burak", "\ud800", "not Unicode"),
            ("#no lobby", "x", "name of a lobby"),
            ("#ops", "x", "lead no legacy lobby"),
            ("@Burak", "x", "upper-case"),
        ):
            with pytest.raises(LocalError, match=words):
                await say(ayse, to, text)
        with pytest.raises(LocalError, match="no legacy lobby"):
            await ayse.serve(ask.ClassicGather("ops", (), opening=False))
        await ayse.serve(ask.ClassicGather("ops"))
        with pytest.raises(LocalError, match="already"):
            await ayse.serve(ask.ClassicGather("ops"))
        with pytest.raises(LocalError, match="does not ask"):
            await ayse.serve(ask.ClassicAnswer("burak", accept=True))
        answer = await say(ayse, "@burak", "hello", at="127.0.0.1:9", wait=True)
        assert (answer["status"], "cannot be reached" in answer["why"]) == ("not sent", True)


class Disk:
    """A store whose disk can be full."""

    def __init__(self, database: PeerDatabase) -> None:
        self._database = database
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def commit(self, records: Sequence[Record]) -> frozenset[LineName]:
        if self.full:
            raise StorageError("the disk is full")
        return self._database.commit(records)


async def test_a_full_disk_is_told_and_whoever_is_not_heard_is_hung_up_on(tmp_path: Path) -> None:
    classic_home(tmp_path / "burak", "burak")
    disks: list[Disk] = []

    def wrap(database: PeerDatabase) -> PeerStore:
        disks.append(Disk(database))
        return cast("PeerStore", disks[0])

    async with (
        people(tmp_path, "ayse") as (ayse,),
        running(tmp_path / "burak", kinds="tls,classic", wrap=wrap) as burak,
    ):
        classic_of(ayse).hints["burak"] = burak.address
        await befriend_classic(ayse, burak)
        disks[0].full = True
        with pytest.raises(StorageError, match="full"):
            await say(burak, "@ayse", "not kept, so not sent")
        await say(ayse, "@burak", "nobody hears this")
        await ayse.until(lambda: ayse.told("legacy-closed"))
        disks[0].full = False
        await ayse.until(lambda: not classic_of(ayse).streams)
        assert (await say(ayse, "@burak", "and now?", wait=True))["status"] == "sent"
        await burak.until(lambda: classic_texts(burak, "@ayse") == ["may I?", "and now?"])
        assert classic_texts(ayse, "@burak") == ["may I?", "nobody hears this", "and now?"]


async def test_a_node_that_ends_leaves_no_connection_behind(tmp_path: Path) -> None:
    async with people(tmp_path, "ayse") as (ayse,):
        async with people(tmp_path, "burak") as (burak,):
            classic_of(burak).hints["ayse"] = ayse.address
            await befriend_classic(burak, ayse)
            host, port = burak.address.rsplit(":", 1)
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"000005HELLO")
            assert await reader.readexactly(8) == b"000002OK"
            streams = tuple(classic_of(burak)._all)
            assert len(streams) == 2
        assert not any(stream.connected for stream in streams)
        assert await reader.read() == b""
        writer.close()


async def test_what_waits_when_the_node_ends_is_marked_as_not_sent(tmp_path: Path) -> None:
    async with people(tmp_path, "burak") as (burak,):
        async with people(tmp_path, "ayse") as (ayse,):
            classic_of(ayse).hints["burak"] = burak.address
            await say(ayse, "@burak", "hello")
            await burak.until(lambda: asking(burak))
        async with people(tmp_path, "ayse") as (ayse,):
            (line,) = [s.line for s in ayse.store.lines("legacy:@burak", limit=9) if s.line.kind.value == "text"]
            assert line.status.value == "not sent"
        await burak.until(lambda: not asking(burak))
