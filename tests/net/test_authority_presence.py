"""The presence connection over real sockets: who is told what, who is dropped, and what stands in the log."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from conclave.authority.limits import Rate
from conclave.authority.revocation import resume, revoke, suspend
from conclave.authority.settings import AuthoritySettings
from conclave.net.authority_client import AuthorityClient
from conclave.net.authority_watch import NewCrl, Online, Presence
from conclave.net.backoff import Backoff
from conclave.pki.names import Handle
from conclave.pki.revocation import Reason
from conclave.store.authority import AuthorityStore
from conclave.values import replace
from tests.authority.desk import CONSOLE
from tests.net.house import FAST, House, Watcher, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as made:
        yield made


async def online(house: House, handle: str, address: str = "127.0.0.1:7000") -> Watcher:
    watcher = await house.watch(house.enrol(handle))
    await watcher.until("welcome")
    await watcher.announce(address)
    await watcher.until("presence", handle=handle, online=True)
    return watcher


async def test_welcome_list_and_neighbours(house: House) -> None:
    ayse = await online(house, "ayse", "127.0.0.1:7001")
    assert [frame["type"] for frame in ayse.seen] == ["welcome", "crl", "presence"]
    assert (ayse.seen[0]["heartbeat"], ayse.seen[0]["silence"]) == (60, 200)
    assert abs(ayse.seen[0]["now"] - house.clock()) < 10
    assert house.ward.trust.read_crl(base64.b64decode(ayse.seen[1]["der"])).number == 1
    burak = await house.watch(house.enrol("burak"))
    await burak.announce("127.0.0.1:7002")
    await burak.until("presence", handle="ayse", online=True, address="127.0.0.1:7001")
    told = await ayse.until("presence", handle="burak")
    assert told == {
        "type": "presence",
        "handle": "burak",
        "online": True,
        "address": "127.0.0.1:7002",
        "since": told["since"],
    }
    await burak.announce("127.0.0.1:7003")
    await ayse.until("presence", handle="burak", address="127.0.0.1:7003")
    await burak.say(type="goodbye")
    gone = await ayse.until("presence", handle="burak", online=False)
    assert gone["address"] is None
    await house.logged("burak", "logout", "d1", "done")
    assert house.log("login", "address", "logout") == [
        ("ayse", "login", "d1 at 127.0.0.1:7001", "done"),
        ("burak", "login", "d1 at 127.0.0.1:7002", "done"),
        ("burak", "address", "d1 at 127.0.0.1:7003", "done"),
        ("burak", "logout", "d1", "done"),
    ]
    rows = house.store.reads.audit(0, 1000)
    assert {row.origin for row in rows if row.action == "login"} == {"127.0.0.1"}
    assert [entry.handle for entry in house.store.reads.online()] == ["ayse"]


async def test_our_client_is_understood(house: House) -> None:
    ayse = await online(house, "ayse")
    async with AuthorityClient((house.address,), house.ward.trust, house.enrol("burak")) as client:
        events = client.watch(":7002", Backoff(lambda: 0.5))
        seen = [await anext(events) for _ in range(4)]
        assert [type(event) for event in seen] == [Online, NewCrl, Presence, Presence]
        assert str((await client.look_up(Handle("burak"))).address) == "127.0.0.1:7002", "the host as observed"
        await events.aclose()
    await ayse.until("presence", handle="burak", online=False)


@pytest.mark.parametrize(
    "address",
    [":0", ":70000", "127.0.0.1", "a b:1", "x" * 400 + ":1", "", "[::1:1", "\x1b:1", "a..b:1", "x" * 64 + ":1"],
)
async def test_bad_addresses(house: House, address: str) -> None:
    watcher = await house.watch(house.enrol("ayse"))
    await watcher.announce(address)
    refused = await watcher.until("refused")
    assert (refused["reason"], bool(refused["text"])) == ("malformed", True)
    await watcher.end()
    assert house.log("login") == []


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "null", '{"type":"shout"}', '{"type":"announce","address":7}', "[" * 2000]
)
async def test_junk_ends_the_connection_with_a_reason(house: House, frame: str) -> None:
    watcher = await house.watch(house.enrol("ayse"))
    await watcher.socket.send_str(frame)
    assert (await watcher.until("refused"))["reason"] == "malformed"
    await watcher.end()


async def test_large_and_binary_frames(house: House) -> None:
    for send in ("large", "binary"):
        watcher = await house.watch(house.enrol("ayse"))
        if send == "large":
            await watcher.socket.send_str(json.dumps({"type": "heartbeat", "x": "y" * 5000}))
        else:
            await watcher.socket.send_bytes(b'{"type":"heartbeat"}')
        await watcher.end()
        assert watcher.socket.closed


async def test_silence_drops(house: House) -> None:
    ayse, burak = await online(house, "ayse"), await online(house, "burak")
    house.ahead = 150
    await burak.say(type="heartbeat")
    await asyncio.sleep(0.2)
    house.ahead = 201
    assert (await ayse.until("refused"))["reason"] == "silent"
    await ayse.end()
    await burak.until("presence", handle="ayse", online=False)
    await house.logged("ayse", "logout", "d1", "silent")
    assert house.server.roster.find(Handle("burak")) is not None
    house.ahead = 351
    await burak.until("refused", reason="silent")


async def test_who_never_announced_is_dropped_too(house: House) -> None:
    watcher = await house.watch(house.enrol("ayse"))
    await watcher.until("welcome")
    house.ahead = 201
    await watcher.until("refused", reason="silent")
    assert house.log("login", "logout") == []


async def test_revoked_by_another_process(house: House, tmp_path: Path) -> None:
    ayse, burak = await online(house, "ayse"), await online(house, "burak")
    other = AuthorityStore(tmp_path / "authority.db")
    before = asyncio.get_running_loop().time()
    (issued,) = revoke(other, "ayse", Reason.key_compromise, house.clock(), CONSOLE).result()
    other.close()
    assert (await ayse.until("refused"))["reason"] == "revoked"
    await ayse.end()
    told = await burak.until("revoked")
    assert (told["handle"], told["reason"]) == ("ayse", "keyCompromise")
    assert asyncio.get_running_loop().time() - before < 1.5
    lists = [house.ward.trust.read_crl(base64.b64decode(f["der"])) for f in burak.seen if f["type"] == "crl"]
    assert [issued.serial in crl.entries for crl in lists] == [False, True]
    assert lists[1].this_update > lists[0].this_update
    assert any(f["type"] == "presence" and f["handle"] == "ayse" and not f["online"] for f in burak.seen)
    assert (await house.ask("GET", "/crl")).body == lists[1].der
    await house.logged("ayse", "logout", "d1", "revoked")


async def test_one_device_of_several_is_no_expulsion(house: House) -> None:
    """Everybody gets the list; the person is named when the last device is gone."""
    ayse, _ = await online(house, "ayse"), house.enrol("ayse")
    burak = await online(house, "burak")
    revoke(house.store, "ayse/d1", Reason.superseded, house.clock(), CONSOLE).result()
    assert (await ayse.until("refused"))["reason"] == "revoked"
    await burak.until("crl")
    revoke(house.store, "ayse/d2", Reason.key_compromise, house.clock(), CONSOLE).result()
    await burak.until("revoked", handle="ayse", reason="keyCompromise")
    assert [f["type"] for f in burak.seen if f["type"] != "presence"] == ["welcome", "crl", "crl", "crl", "revoked"]


async def test_who_was_away_is_told_who_was_shut_out(house: House) -> None:
    for handle in ("ayse", "cem", "deniz"):
        house.enrol(handle)
    house.enrol("deniz")
    for target in ("ayse", "deniz/d1"):
        revoke(house.store, target, Reason.key_compromise, house.clock(), CONSOLE).result()
    suspend(house.store, Handle("cem"), "on leave", house.clock() + 1, CONSOLE).result()
    burak = await online(house, "burak")
    assert [f["type"] for f in burak.seen] == ["welcome", "crl", "revoked", "revoked", "presence"]
    told = [(f["handle"], f["reason"]) for f in burak.seen if f["type"] == "revoked"]
    assert told == [("cem", "certificateHold"), ("ayse", "keyCompromise")]
    house.enrol("ayse")
    resume(house.store, Handle("cem"), house.clock(), CONSOLE).result()
    again = await online(house, "emre")
    assert "revoked" not in [f["type"] for f in again.seen]


async def test_suspended_and_resumed(house: House) -> None:
    credentials = house.enrol("ayse")
    watcher = await house.watch(credentials)
    await watcher.announce()
    await watcher.until("presence")
    suspend(house.store, Handle("ayse"), "on leave", house.clock(), CONSOLE).result()
    refused = await watcher.until("refused")
    assert (refused["reason"], "on leave" in refused["text"]) == ("suspended", True)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await house.watch(credentials)
    assert caught.value.status == 403
    resume(house.store, Handle("ayse"), house.clock(), CONSOLE).result()
    again = await house.watch(credentials)
    await again.until("welcome")


async def test_a_list_is_pushed_every_hour(tmp_path: Path) -> None:
    async with open_house(tmp_path, AuthoritySettings(silence=10_000)) as house:
        watcher = await house.watch(house.enrol("ayse"))
        await watcher.until("crl")
        house.ahead = 3601
        await watcher.until("crl")


async def test_a_certificate_that_runs_out_ends_the_connection(house: House) -> None:
    watcher = await online(house, "ayse")
    house.ahead = 10 * 86_400 - 100
    await watcher.say(type="heartbeat")
    await asyncio.sleep(0.2)
    house.ahead = 10 * 86_400 + 2
    assert (await watcher.until("refused"))["reason"] == "expired"


async def test_the_same_device_again_takes_its_place(house: House) -> None:
    burak, credentials = await online(house, "burak"), house.enrol("ayse")
    first = await house.watch(credentials)
    await first.announce()
    await burak.until("presence", handle="ayse")
    second = await house.watch(credentials)
    await second.announce()
    assert (await first.until("refused"))["reason"] == "replaced"
    await first.end()
    await asyncio.sleep(0.1)
    assert house.server.roster.find(Handle("ayse")) is not None
    assert house.log("logout") == []
    await second.say(type="goodbye")
    await burak.until("presence", handle="ayse", online=False)


async def test_a_reader_that_takes_nothing_is_dropped(tmp_path: Path) -> None:
    """Frames for it are not kept without bound, and the others do not wait for it."""
    async with open_house(tmp_path, limits=replace(FAST, queue_frames=20, write_seconds=20)) as house:
        slow, busy = await online(house, "slow"), await online(house, "busy")
        slow.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        frame = json.dumps({"type": "news", "text": "x" * 100_000})
        told = 0
        while house.server.roster.find(Handle("slow")) is not None:
            assert told < 1000
            told += 1
            house.server._presence._tell(frame)
            await busy.until("news")
        assert told > 20
        await house.logged("slow", "logout", "d1", "too-slow")
        await busy.until("presence", handle="slow", online=False)


async def test_announcements_are_limited(tmp_path: Path) -> None:
    async with open_house(tmp_path, AuthoritySettings(announce_rate=Rate(2, 0.01))) as house:
        watcher = await online(house, "ayse", "127.0.0.1:7001")
        await watcher.announce("127.0.0.1:7002")
        await watcher.announce("127.0.0.1:7003")
        assert (await watcher.until("refused"))["reason"] == "too-many-requests"


async def test_an_orderly_stop_logs_everybody_out(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        watcher = await online(house, "ayse")
        clients = house.sessions, house.sockets
        house.sessions, house.sockets = [], []
        address = str(house.address)
        ending = asyncio.ensure_future(watcher.end())
    await ending
    assert watcher.socket.close_code == 1001
    house.sessions, house.sockets = clients
    await house.leave()
    store = AuthorityStore(tmp_path / "authority.db")
    rows = [(r.who, r.action, r.what, r.outcome) for r in store.reads.audit(0, 100)]
    assert rows[-2:] == [("ayse", "logout", "d1", "done"), ("operator", "stop", address, "done")]
    assert store.reads.online() == []
    store.close()


def copy_files(folder: Path) -> None:
    """The files as they are while the server runs: what a kill leaves."""
    (folder / "copy").mkdir()
    for path in folder.glob("authority.db*"):
        (folder / "copy" / path.name).write_bytes(path.read_bytes())


async def test_whom_a_killed_server_left_online_is_logged_out(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await online(house, "ayse")
        copy_files(tmp_path)
        ward = house.ward
    async with open_house(tmp_path / "copy", ward=ward) as again:
        assert again.log("logout") == [("ayse", "logout", "d1", "server-restarted")]
        assert again.store.reads.online() == []


async def test_a_device_has_few_connections(tmp_path: Path) -> None:
    """Whether they announce themselves or not; other devices and people are not concerned."""
    async with open_house(tmp_path, limits=replace(FAST, sessions_per_device=4)) as house:
        burak, credentials, other = await online(house, "burak"), house.enrol("ayse"), house.enrol("ayse")
        first = await house.watch(credentials)
        await first.announce()
        await burak.until("presence", handle="ayse", online=True)
        rest = [await house.watch(one) for one in (other, credentials, credentials, credentials)]
        for one in rest:
            await one.until("crl")
        assert len(house.server._presence._sessions) == 6, "none has ended"
        fifth = await house.watch(credentials)
        assert (await first.until("refused"))["reason"] == "replaced"
        await burak.until("presence", handle="ayse", online=False)
        for one in (*rest, fifth):
            await one.say(type="goodbye")
            assert "refused" not in {frame["type"] for frame in await one.end()}
        await house.logged("ayse", "logout", "d1", "replaced")


async def test_an_account_has_few_connections(tmp_path: Path) -> None:
    """Also when they are opened at the same moment."""
    async with open_house(tmp_path, limits=replace(FAST, sessions_per_account=3)) as house:
        devices = [house.enrol("ayse") for _ in range(8)]
        opened = await asyncio.gather(*(house.watch(one) for one in devices), return_exceptions=True)
        watchers = [one for one in opened if isinstance(one, Watcher)]
        assert len(watchers) == 3
        assert {one.status for one in opened if isinstance(one, aiohttp.WSServerHandshakeError)} == {429}
        assert (await house.ask("GET", "/presence", house.session(devices[0]))).error == (429, "too-many-requests")
        await online(house, "burak")
        await watchers[0].say(type="goodbye")
        await watchers[0].end()
        await asyncio.sleep(0.2)
        await (await house.watch(devices[7])).until("welcome")


async def test_searches_are_limited_and_nothing_else_is(tmp_path: Path) -> None:
    async with open_house(tmp_path, AuthoritySettings(search_rate=Rate(2, 0.01))) as house:
        ayse, burak = house.session(house.enrol("ayse")), house.session(house.enrol("burak"))
        asked = [await house.ask("GET", "/directory/users?query=a", ayse) for _ in range(3)]
        assert [answer.status for answer in asked] == [200, 200, 429]
        assert (await house.ask("GET", "/directory/users/burak", ayse)).status == 200
        assert (await house.ask("GET", "/directory/users", burak)).status == 200


async def test_a_plain_request(house: House) -> None:
    answer = await house.ask("GET", "/presence", house.session(house.enrol("ayse")))
    assert answer.error == (400, "websocket-wanted")
