"""Links between nodes: one for each pair, made again when lost, refused and cut with a reason, and never hammered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from conclave.chat import events as ev
from conclave.chat import views
from conclave.errors import NetworkError, Refused, RemoteError, UsageError, VerificationError
from conclave.link.events import Closed
from conclave.net.streams import LinkStream
from conclave.node import peers as rooms
from conclave.node.directory import Person
from conclave.node.door import commands as ask
from conclave.node.notices import Notice, Trouble
from conclave.wire.link import CloseReason
from tests.node.homes import (
    DAY,
    NOBODY,
    Running,
    befriend,
    make_home,
    open_store,
    revoking,
    running,
    stranger_realm,
)

ROUNDS = 25


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    return tmp_path


def sockets(one: Running) -> int:
    """TCP connections of this process that end at where ``one`` listens, seen from that end."""
    port = f":{int(one.address.rpartition(':')[2]):04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" for row in rows)


async def cut(one: Running, other: Running) -> None:
    """End the link between them; they may have another already, where one had a receipt left to give."""

    def ends() -> int:
        return len(one.told("link-closed")) + len(other.told("link-closed"))

    ended = ends() + 2
    one.node.peers.cut(other.me, CloseReason.DONE, "another round")
    await one.until(lambda: ends() >= ended)


async def test_two_who_dial_each_other_at_once_keep_one_link(homes: Path) -> None:
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        await befriend(ayse, burak)
        for n in range(ROUNDS):
            await cut(ayse, burak)
            await asyncio.gather(ayse.say("@burak", f"a{n}"), burak.say("@ayse", f"b{n}"))
            ayse.meets(burak)
            await ayse.until(lambda: not ayse.waiting() and not burak.waiting())
            await ayse.until(lambda: sockets(ayse) + sockets(burak) == 1)
            assert list(ayse.node.peers.linked()) == ["burak"]
            assert list(burak.node.peers.linked()) == ["ayse"]
        for one, other, letter in ((burak, "ayse", "a"), (ayse, "burak", "b")):
            said = [text for text in one.texts(f"@{other}", other) if text[0] == letter]
            assert said == [f"{letter}{n}" for n in range(ROUNDS)]


async def test_people_who_give_the_address_while_the_node_dials_get_one_link(homes: Path) -> None:
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        await ayse.say("@burak", "waits")
        ayse.node.peers.at("burak", burak.address)
        says = (ayse.serve(ask.Say("@burak", f"{n}", at=burak.address, wait=True)) for n in range(8))
        answers = await asyncio.gather(*says)
        assert {answer["status"] for answer in answers} == {"delivered"}
        assert len(ayse.told("link-opened")) == len(burak.told("link-opened")) == 1


async def test_a_peer_that_comes_back_elsewhere_is_linked_again(homes: Path) -> None:
    async with running(homes / "ayse") as ayse:
        async with running(homes / "burak") as burak:
            await befriend(ayse, burak)
            before = burak.address
        await ayse.until(lambda: not ayse.node.peers.linked())
        for n in range(3):
            await ayse.say("@burak", f"{n}")
        async with running(homes / "burak") as burak:
            assert burak.address != before
            burak.node.peers.at("ayse", ayse.address)
            ayse.node.peers.at("burak", burak.address)
            await ayse.until(lambda: not ayse.waiting())
            assert burak.texts("@ayse", "ayse") == ["may I?", "0", "1", "2"]


async def test_an_address_that_fails_is_doubted_and_the_directory_asked(homes: Path) -> None:
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:

        async def find(handle: str) -> str:
            assert handle == "burak"
            return burak.address

        ayse.node.peers._find = find
        ayse.node.peers.at("burak", NOBODY)
        await ayse.say("@burak", "hello")
        await ayse.until(lambda: not ayse.waiting())


async def test_a_link_that_falls_silent_outranks_what_the_directory_said_before(homes: Path) -> None:
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        await befriend(ayse, burak)
        known, peers = ayse.node.service._known, ayse.node.peers
        known.directory._people["burak"] = Person("burak", "", online=True, address=burak.address, since=1.0)
        stream = peers._peers["burak"].link
        assert stream is not None
        peers.on_closed(stream, Closed(CloseReason.DONE, "not needed", clean=True, by_us=False))
        assert known.here("burak")
        for reason in (CloseReason.TIMEOUT, CloseReason.TRUNCATED):
            peers._peers["burak"].link = stream
            peers.on_closed(stream, Closed(reason, "nothing was heard for 10 seconds", clean=False, by_us=True))
            assert not known.here("burak")
            assert abs(known.away_since("burak") - time.time()) < 60
            peers.at("burak", burak.address)  # the directory says something newer
            assert known.here("burak")


async def test_a_peer_that_cannot_be_dialled_is_away_whatever_the_directory_says(homes: Path) -> None:
    async with running(homes / "ayse") as ayse:
        known = ayse.node.service._known
        known.directory._people["burak"] = Person("burak", "", online=True, address=NOBODY, since=1.0)
        ayse.node.peers.at("burak", NOBODY)
        assert known.here("burak")
        await ayse.say("@burak", "hello")
        await ayse.until(lambda: not known.here("burak"))
        async with running(homes / "burak") as burak:
            ayse.node.peers.at("burak", burak.address)
            await ayse.until(lambda: known.here("burak") and bool(ayse.node.peers.linked()))


async def test_a_peer_that_hangs_up_at_once_is_not_hammered(homes: Path) -> None:
    """Backoff counts links that end soon, not dials that fail alone."""
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        burak.node.peers._closing = True  # takes links, and closes them
        ayse.node.peers.at("burak", burak.address)
        await ayse.say("@burak", "hello")
        await asyncio.sleep(1.5)
        opened = len(ayse.told("link-opened"))
        assert 1 <= opened <= 4
        burak.node.peers._closing = False
        await ayse.until(lambda: not ayse.waiting())


async def test_attempts_come_further_apart(homes: Path) -> None:
    dialled: list[float] = []
    async with running(homes / "ayse") as ayse:
        real = ayse.node.peers._dial

        async def dial(address: str, handle: str) -> object:
            dialled.append(asyncio.get_running_loop().time())
            return await real(address, handle)

        ayse.node.peers._dial = dial  # type: ignore[assignment]
        ayse.node.peers.at("burak", NOBODY)
        await ayse.say("@burak", "hello")
        await asyncio.sleep(1.7)
        assert 2 <= len(dialled) <= 4
        stirred = len(dialled)
        ayse.node.peers.at("burak", "127.0.0.1:8")  # somebody tells where: tried at once
        await ayse.until(lambda: len(dialled) > stirred, 0.4)


async def test_a_newer_link_of_the_same_side_replaces_the_old_one(homes: Path) -> None:
    """burak's machine forgot its link, and dials while ayse still holds the dead one."""
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        await befriend(ayse, burak)
        ghost = burak.node.peers._peers["ayse"]
        old, ghost.link = ghost.link, None
        assert old is not None
        burak.node.peers._put(ev.Unlinked("ayse"))
        since = ayse.node.peers._peers["burak"]
        since.since -= rooms.SIMULTANEOUS_SECONDS + 1
        await burak.say("@ayse", "again")
        burak.node.peers.at("ayse", ayse.address)
        await burak.until(lambda: not burak.waiting())
        await ayse.until(lambda: sockets(ayse) + sockets(burak) == 1)
        assert "again" in ayse.texts("@burak")


# Who is refused: by the dialler, or by whoever is dialled.


async def refusal(dialler: Path, listener: Path, handle: str = "burak") -> VerificationError:
    async with running(dialler) as ayse, running(listener) as other:
        with pytest.raises(VerificationError) as refused:
            await ayse.serve(ask.Say(f"@{handle}", "hello", at=other.address))
        assert not ayse.node.peers.linked()
        assert not other.node.peers.linked()
        assert not ayse.waiting(), "a message to an impostor is not kept for him"
        await asyncio.sleep(0.05)
        assert not other.store.conversations()
        return refused.value


async def test_a_peer_with_another_name_is_refused(homes: Path) -> None:
    make_home(homes / "cem", "cem")
    error = await refusal(homes / "ayse", homes / "cem")
    assert error.reason == "unexpected-handle"
    assert "cem" in str(error)


@pytest.mark.parametrize(("enrolled", "reason"), [(-20 * DAY, "expired"), (+DAY, "not-yet-valid")])
@pytest.mark.parametrize("bad", ["dialler", "listener"])
async def test_a_certificate_out_of_its_time_is_refused(
    tmp_path: Path, enrolled: float, reason: str, bad: str
) -> None:
    make_home(tmp_path / "ayse", "ayse", enrolled=enrolled if bad == "dialler" else 0)
    make_home(tmp_path / "burak", "burak", enrolled=enrolled if bad == "listener" else 0)
    error = await refusal(tmp_path / "ayse", tmp_path / "burak")
    assert error.reason == reason
    assert str(error)


@pytest.mark.parametrize("bad", ["dialler", "listener"])
async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path, bad: str) -> None:
    make_home(tmp_path / "ayse", "ayse", ward=stranger_realm() if bad == "dialler" else None)
    make_home(tmp_path / "burak", "burak", ward=stranger_realm() if bad == "listener" else None)
    error = await refusal(tmp_path / "ayse", tmp_path / "burak")
    assert error.reason == "unknown-authority"


@pytest.mark.parametrize("bad", ["dialler", "listener"])
async def test_a_revoked_certificate_is_refused(tmp_path: Path, bad: str) -> None:
    revoked, other = ("ayse", "burak") if bad == "dialler" else ("burak", "ayse")
    crl = revoking(make_home(tmp_path / revoked, revoked))
    make_home(tmp_path / other, other, crl=crl)
    error = await refusal(tmp_path / "ayse", tmp_path / "burak")
    assert error.reason == "revoked"


async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await reader.read()
    writer.close()


async def test_what_is_no_peer_is_told_from_one_who_is_away(homes: Path) -> None:
    async with running(homes / "ayse") as ayse:
        server = await asyncio.start_server(web_server, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for address in (f"127.0.0.1:{port}", "nonsense", "127.0.0.1:99999"):
            with pytest.raises(RemoteError if address.endswith(f":{port}") else UsageError) as strange:
                await ayse.serve(ask.Say("@burak", "hello", at=address))
            assert str(strange.value)
        server.close()
        answer = await ayse.serve(ask.Say("@burak", "hello", at=NOBODY, wait=True, timeout=0.1))
        assert answer["status"] == "waiting"
        assert "cannot be reached" in answer["why"]


async def test_a_certificate_that_does_not_hold_by_our_clock_is_told_once() -> None:
    attempts, told = list[str](), list[Notice]()

    async def dial(address: str, _: str) -> LinkStream:
        attempts.append(address)
        if len(attempts) == 4:
            raise VerificationError("it was revoked", reason="revoked")
        text = f"it is valid only from 09:00 on; here it is 08:0{len(attempts)}"
        raise VerificationError(text, reason="not-yet-valid")

    async def find(_: str) -> str:
        return "127.0.0.1:1"

    async with asyncio.TaskGroup() as group:
        peers = rooms.Peers(
            "ayse", dial=dial, find=find, spawn=group.create_task, put=lambda _: None, drained=lambda _: None,
            tell=told.append, jitter=lambda: 0.0,
        )  # fmt: skip
        while len(attempts) < 6:
            peers.want("burak", True)  # at once, whatever the pause
            await asyncio.sleep(0)
        peers.close()
    said = [notice.text[-5:] for notice in told if isinstance(notice, Trouble)]
    assert said == ["08:01", "voked", "08:05"]


async def test_of_names_that_others_make_up_nothing_is_kept() -> None:
    """A member may name another leader every few seconds: each is looked for, and is nobody."""
    tasks = list[asyncio.Task[None]]()

    async def dial(_: str, __: str) -> LinkStream:
        raise NetworkError("nobody is there")

    async def find(name: str) -> str:
        return "127.0.0.1:1" if name == "burak" else ""

    def spawn(dialling: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.get_running_loop().create_task(dialling))
        return tasks[-1]

    peers = rooms.Peers(
        "ayse", dial=dial, find=find, spawn=spawn, put=lambda _: None, drained=lambda _: None, tell=lambda _: None,
        jitter=lambda: 0.5,
    )  # fmt: skip
    for name in ("burak", "cem", *(f"nobody-{number}" for number in range(50))):
        peers.want(name, True)
        await asyncio.sleep(0)
        peers.want(name, name == "cem")
    assert set(peers._peers) == {"burak", "cem"}
    _, left = await asyncio.wait(tasks[2:], timeout=5)
    assert not left, "nor do they rest until it is time to look again"
    peers.close()
    await asyncio.wait(tasks)


async def test_a_new_revocation_list_cuts_an_open_link(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    revoked = make_home(tmp_path / "burak", "burak")
    async with running(tmp_path / "ayse") as ayse, running(tmp_path / "burak") as burak:
        await befriend(ayse, burak)
        await ayse.ask(ev.OpenLobby("ops", b"g" * 16, ("burak",)))
        await burak.until(lambda: burak.requested())
        await burak.ask(ev.AnswerRequest("ayse", accept=True, lobby="#ops"))
        await ayse.until(lambda: not burak.waiting())
        assert ayse.identity.take_crl(revoking(revoked))
        ayse.node._crl_taken()
        await burak.until(lambda: burak.told("link-closed"))
        assert burak.told("link-closed")[0]["reason"] == "revoked"
        ayse.node._revoked("burak", "key-compromise")  # the authority's own word, which follows the list
        assert [notice["handle"] for notice in ayse.told("revoked")] == ["burak"]
        await ayse.until(lambda: views.lobby(ayse.node.pump.desk, "ops").roster == ("ayse",))  # type: ignore[union-attr]
        who = await ayse.serve(ask.LobbyWho("#ops"))
        assert [member["handle"] for member in who["members"]] == ["ayse"]
        await burak.say("@ayse", "let me in")
        await burak.until(lambda: burak.told("trouble"))
        assert "revoked" in burak.told("trouble")[0]["text"]
        assert not ayse.node.peers.linked()
        ayse.node._revoked("burak", "keyCompromise")  # the authority's word, once no certificate of his holds
        assert ayse.told("revoked")[0]["handle"] == "burak"
        await ayse.until(lambda: views.lobby(ayse.node.pump.desk, "ops").roster == ("ayse",))  # type: ignore[union-attr]
        who = await ayse.serve(ask.LobbyWho("#ops"))
        assert [member["handle"] for member in who["members"]] == ["ayse"]


async def test_an_expired_certificate_is_no_reason_to_throw_anybody_out_of_lobbies(tmp_path: Path) -> None:
    """A list that comes while a link's certificate has just ended says nothing about its holder."""
    for handle in ("ayse", "burak"):
        make_home(tmp_path / handle, handle)
    async with running(tmp_path / "ayse") as ayse, running(tmp_path / "burak") as burak:
        await befriend(ayse, burak)
        real = time.time
        assert ayse.identity.take_crl(revoking())
        try:
            time.time = lambda: real() + 11 * DAY
            ayse.node._crl_taken()
        finally:
            time.time = real
        await asyncio.sleep(0.05)
        assert not ayse.told("revoked")


async def test_a_vault_that_cannot_be_written_does_not_hold_a_revocation_back(tmp_path: Path) -> None:
    make_home(tmp_path / "ayse", "ayse")
    revoked = make_home(tmp_path / "burak", "burak")
    async with running(tmp_path / "ayse") as ayse:
        ayse.identity._vault._path = tmp_path / "gone" / "vault"
        assert ayse.identity.take_crl(revoking(revoked))
        with pytest.raises(VerificationError, match="revoked"):
            ayse.identity.verify_anyone(revoked.certificate.der, time.time())


async def test_a_node_that_ends_leaves_no_task_and_no_lock(homes: Path) -> None:
    for _ in range(3):
        async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
            ayse.meets(burak)
            await ayse.say("@burak", "hello")
    assert len(asyncio.all_tasks()) == 1
    store = open_store(homes / "ayse", "ayse")
    assert len(store.lines("@burak", limit=9)) == 3
    store.close()


async def test_a_fault_while_dialling_costs_that_attempt_only(
    homes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        dial, failures = ayse.node.peers._dial, ["a fault of ours"]

        async def faulty(address: str, handle: str) -> LinkStream:
            if failures:
                raise KeyError(failures.pop())
            return await dial(address, handle)

        monkeypatch.setattr(ayse.node.peers, "_dial", faulty)
        ayse.meets(burak)
        await ayse.ask(ev.Say("@burak", bytes(16), "still there?"))
        await ayse.until(lambda: not ayse.waiting())
        assert burak.texts("@ayse") == ["still there?"]
        assert "dialling burak failed" in caplog.text


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_is_online_again_after_a_suspension_is_written_to(homes: Path, *, restarted: bool) -> None:
    async with running(homes / "ayse") as ayse, running(homes / "burak") as burak:
        ayse.meets(burak)
        ayse.node._revoked("burak", "suspended")
        with pytest.raises(Refused, match="suspended"):
            await ayse.serve(ask.Say("@burak", "hello"))
        await ayse.until(lambda: "burak" in ayse.node.pump.desk.expelled)
        if restarted:  # the conversations know of it, where something is to be done yet
            ayse.node._expelled.clear()
        ayse.node._moved("burak", burak.address)
        await ayse.until(lambda: not ayse.node.pump.desk.expelled)
        await ayse.serve(ask.Say("@burak", "hello again", wait=True, timeout=10))
        assert burak.texts("@ayse") == ["hello again"]
