"""Mailboxes over real sockets: left, told of, fetched, acknowledged; and what a hostile member gets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path

import pytest

from conclave.authority.limits import Rate
from conclave.authority.revocation import resume, revoke, suspend
from conclave.authority.settings import AuthoritySettings
from conclave.errors import Refused
from conclave.net.authority_watch import MailWaits, NewCrl, Online, StockLow
from conclave.net.backoff import Backoff
from conclave.pki.envelope import SEALED_BYTES
from conclave.pki.names import Handle
from conclave.pki.revocation import Reason
from conclave.values import replace
from tests.authority.desk import CONSOLE
from tests.net.house import FAST, House, open_house
from tests.net.test_authority_packages import Members

BURAK = Handle("burak")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as made:
        yield made


@pytest.fixture
async def member(house: House) -> AsyncIterator[Members]:
    async with AsyncExitStack() as stack:
        yield Members(house, stack)


async def test_left_told_fetched_and_acknowledged(house: House, member: Members) -> None:
    ayse, burak = await member("ayse"), await member("burak")
    watcher = await house.watch(member.credentials["burak"])
    assert (await watcher.until("welcome"))["mail"] == 0
    first, seconds = await ayse.deposit(BURAK, b"\0sealed\xff")
    assert seconds == house.settings.mail_seconds
    await watcher.until("mail", count=1)
    second, _ = await ayse.deposit(BURAK, b"y" * SEALED_BYTES)
    await watcher.until("mail", count=2)
    again = await house.watch(member.credentials["burak"])
    assert (await again.until("welcome"))["mail"] == 2
    mail = await burak.mail()
    assert [(m.id, m.sender, m.data) for m in mail] == [
        (first, "ayse", b"\0sealed\xff"),
        (second, "ayse", b"y" * SEALED_BYTES),
    ]
    assert all(abs(m.at - house.clock()) < 10 for m in mail)
    assert [m.id for m in await burak.mail(first)] == [second]
    assert [m.id for m in await burak.mail(0, 1)] == [first]
    assert await burak.mail_done([first]) == 1
    assert await burak.mail_done([first, second]) == 0
    assert await burak.mail() == ()


async def test_our_client_is_told(house: House, member: Members) -> None:
    ayse, burak = await member("ayse"), await member("burak")
    await burak.publish_packages([b"%d" % n for n in range(12)], b"last")
    await ayse.deposit(BURAK, b"sealed")
    events = burak.watch(":7002", Backoff(lambda: 0.5))
    first = await anext(events)
    assert isinstance(first, Online)
    assert (first.stock, first.mail) == (12, 1)
    assert isinstance(await anext(events), NewCrl)
    await anext(events)
    await ayse.deposit(BURAK, b"sealed")
    assert await anext(events) == MailWaits(2)
    cem, deniz = await member("cem"), await member("deniz")
    for who in (ayse, cem, deniz):
        await who.take_package(BURAK)
    assert await anext(events) == StockLow(9)
    await events.aclose()


async def test_a_flood_is_told_once_to_who_reads_slowly(house: House, member: Members) -> None:
    """Of the counts only the newest waits: nobody's connection ends for the mail that others leave."""
    ayse = await member("ayse")
    watcher = await house.watch(house.enrol("burak"))
    await watcher.until("welcome")
    await ayse.deposit(BURAK, b"sealed")
    await watcher.until("mail")
    watcher.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    for count in range(FAST.queue_frames * 3):
        house.server._presence.tell_owner(BURAK, "mail", count)
    assert all(session.queue.qsize() <= 2 for session in house.server._presence._of[BURAK].values())
    watcher.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
    await watcher.until("mail", count=FAST.queue_frames * 3 - 1)


async def test_nobody_reads_or_drops_anothers(member: Members) -> None:
    ayse, burak, cem = await member("ayse"), await member("burak"), await member("cem")
    own, _ = await ayse.deposit(BURAK, b"sealed")
    assert await cem.mail() == await ayse.mail() == ()
    assert await cem.mail_done(list(range(1, own + 100))) == 0
    assert [m.id for m in await burak.mail()] == [own]


async def test_a_full_mailbox_is_told_with_a_remedy(tmp_path: Path) -> None:
    async with open_house(tmp_path, AuthoritySettings(mail_envelopes=6)) as house, AsyncExitStack() as stack:
        member = Members(house, stack)
        ayse, burak = await member("ayse"), await member("burak")
        for _ in range(2):
            await ayse.deposit(BURAK, b"sealed")
        with pytest.raises(Refused, match="your part of burak's mailbox is full") as caught:
            await ayse.deposit(BURAK, b"sealed")
        assert caught.value.reason == "mailbox-full"
        assert "burak has been online" in caught.value.remedy
        await burak.mail_done([m.id for m in await burak.mail()])
        await ayse.deposit(BURAK, b"sealed")


async def test_deposits_have_a_rate(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path, AuthoritySettings(deposit_rate=Rate(2, 0.01))) as house,
        AsyncExitStack() as stack,
    ):
        member = Members(house, stack)
        ayse, _ = await member("ayse"), await member("burak")
        for _ in range(2):
            await ayse.deposit(BURAK, b"sealed")
        with pytest.raises(Refused) as caught:
            await ayse.deposit(BURAK, b"sealed")
        assert caught.value.reason == "too-many-requests"
        assert (await ayse.look_up(BURAK)).handle == BURAK, "and nothing else has"


async def test_who_is_out_neither_leaves_nor_gets(house: House, member: Members) -> None:
    ayse, burak = await member("ayse"), await member("burak")
    await ayse.deposit(BURAK, b"sealed")
    suspend(house.store, BURAK, "on leave", house.clock(), CONSOLE).result()
    for call in (burak.mail(), burak.mail_done([1]), burak.deposit(Handle("ayse"), b"sealed")):
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.reason == "suspended"
    with pytest.raises(Refused) as caught:
        await ayse.deposit(BURAK, b"sealed")
    assert caught.value.reason == "expelled-user"
    resume(house.store, BURAK, house.clock(), CONSOLE).result()
    assert len(await burak.mail()) == 1
    revoke(house.store, "ayse", Reason.key_compromise, house.clock(), CONSOLE).result()
    with pytest.raises(Refused) as caught:
        await ayse.deposit(BURAK, b"sealed")
    assert caught.value.reason == "revoked"


async def test_what_nobody_fetches_is_dropped_by_itself(tmp_path: Path) -> None:
    rules = AuthoritySettings(mail_seconds=3600, silence=100_000)
    async with open_house(tmp_path, rules, replace(FAST, tally_seconds=4000)) as house, AsyncExitStack() as stack:
        member = Members(house, stack)
        ayse, burak = await member("ayse"), await member("burak")
        await ayse.deposit(BURAK, b"sealed")
        await ayse.deposit(BURAK, b"sealed")
        await burak.mail_done([1])
        house.ahead = 4100
        what = "2 envelopes left, 1 envelopes fetched, 1 envelopes dropped as too old"
        await house.logged("operator", "mail", what, "done")
        assert await burak.mail() == ()


async def test_the_log_has_counts_and_no_names(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, AsyncExitStack() as stack:
        member = Members(house, stack)
        ayse, burak = await member("ayse"), await member("burak")
        await burak.publish_packages([b"one"], b"last")
        for _ in range(2):
            await ayse.take_package(BURAK)
        await ayse.deposit(BURAK, b"sealed words")
    async with open_house(tmp_path, ward=house.ward) as house:
        assert house.log("mail") == [
            ("operator", "mail", "1 key packages given, 1 last-resort key packages given, 1 envelopes left", "done")
        ]
        assert "sealed words" not in str(house.log())


async def test_without_a_certificate(house: House) -> None:
    for method, path in (("POST", "/mail/to/ayse"), ("GET", "/mail"), ("POST", "/mail/done")):
        assert (await house.ask(method, path)).error == (401, "certificate-required")


@pytest.mark.parametrize(
    "ids",
    ["7", "null", "{}", "[true]", "[0]", "[-1]", "[1.5]", '["1"]', f"[{1 << 63}]", "[1e3]", json.dumps([1] * 257)],
)
async def test_bad_ids(house: House, member: Members, ids: str) -> None:
    ayse, burak = await member("ayse"), await member("burak")
    await ayse.deposit(BURAK, b"sealed")
    session = house.session(member.credentials["burak"])
    answer = await house.ask("POST", "/mail/done", session, data=b'{"ids": ' + ids.encode() + b"}")
    assert answer.error == (400, "malformed")
    assert len(await burak.mail()) == 1


async def test_bad_questions(house: House, member: Members) -> None:
    await member("ayse")
    session = house.session(member.credentials["ayse"])
    for query in ("after=-1", "after=x", "after=", f"after={1 << 63}", "limit=1e3", "limit=99999", "after=٣"):
        assert (await house.ask("GET", f"/mail?{query}", session)).error == (400, "malformed"), query
    assert (await house.ask("GET", "/mail?limit=0&after=0", session)).status == 200
    assert (await house.ask("POST", "/mail/done", session, data=b" " * 20_000)).error == (413, "too-large")
    for size, error in ((0, "envelope-size"), (SEALED_BYTES + 1, "too-large")):
        answer = await house.ask("POST", "/mail/to/ayse", session, data=BytesIO(bytes(size)))
        assert answer.error == (413, error)
    for handle in ("nobody", "x" * 300, "%00", "AYSE"):
        assert (await house.ask("POST", f"/mail/to/{handle}", session, data=b"x")).error == (404, "unknown-user")


async def test_a_member_called_done_gets_mail(member: Members) -> None:
    ayse, done = await member("ayse"), await member("done")
    await ayse.deposit(Handle("done"), b"sealed")
    assert len(await done.mail()) == 1
