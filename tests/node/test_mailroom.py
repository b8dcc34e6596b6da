"""The mailroom against a real authority: what is left arrives, and is gone once it is answered for, never before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.authority.limits import Rate
from conclave.authority.revocation import suspend
from conclave.authority.settings import AuthoritySettings
from conclave.chat import events as ev
from conclave.chat.deeds import Deposit, FindPackage, MailDone, Publish
from conclave.errors import ConclaveError, DecodeError, LocalError, NetworkError, Refused, VerificationError
from conclave.mls import group
from conclave.node.mail import deposits, inbox
from conclave.node.mail.deposits import prove_package, why
from conclave.node.mail.inbox import read_frames
from conclave.pki.envelope import ITEM_BYTES, OpenedEnvelope, seal_envelope
from conclave.pki.names import Device, Handle
from conclave.pki.policy import DAY
from conclave.pki.revocation import Revoked, make_crl
from conclave.wire.frames import encode_frame
from conclave.wire.link import Close, CloseReason, Hello, Ping
from tests.authority.desk import CONSOLE
from tests.net.house import House, open_house
from tests.node.post import ACK, Person, again, encoded, make_package, person, post, published, up
from tests.pki.ward import NOW, ward

FREE = Rate(1000, 100.0)
RULES = AuthoritySettings(publish_rate=FREE, take_from_rate=FREE)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path / "authority", RULES) as made:
        yield made


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "authority").mkdir()
    return tmp_path


@pytest.fixture
async def ayse(house: House, tmp_path: Path) -> AsyncIterator[Person]:
    async with person(tmp_path, house, "ayse") as one:
        yield one


@pytest.fixture
async def burak(house: House, tmp_path: Path) -> AsyncIterator[Person]:
    async with person(tmp_path, house, "burak") as one:
        yield one


def in_mailbox(house: House, whose: str) -> int:
    return house.store.reads.held(recipient=whose).envelopes


async def gone(house: House, one: Person) -> None:
    """Everything of somebody's was acknowledged."""
    await one.until(lambda: in_mailbox(house, one.me) == 0)


async def test_what_is_left_arrives_and_is_gone_then(house: House, ayse: Person, burak: Person) -> None:
    told = await ayse.next(ev.Deposited, Deposit("burak", 3, encoded(post(1), post(2), post(3))))
    assert (told.peer, told.upto) == ("burak", 3)
    assert abs(told.until - house.clock() - house.settings.mail_seconds) < 60
    mailed = await burak.next(ev.Mailed) if not burak.seen(ev.Mailed) else burak.seen(ev.Mailed)[0]
    assert (mailed.peer, mailed.frames) == ("ayse", (post(1), post(2), post(3)))
    await gone(house, burak)
    await burak.next(ev.Deposited, Deposit("ayse", 7, encoded(ACK)))
    await ayse.until(lambda: ayse.frames() == [("burak", ACK)])
    assert not ayse.troubles() + burak.troubles()


async def test_to_someone_who_is_away_by_someone_who_is_then_away(house: House, tmp_path: Path) -> None:
    """Both need never be there at once."""
    async with person(tmp_path, house, "burak") as burak:
        pass
    async with person(tmp_path, house, "ayse") as ayse:
        await ayse.next(ev.Deposited, Deposit("burak", 1, encoded(post(1))))
    async with up(again(burak)) as back:
        await back.until(lambda: back.frames() == [("ayse", post(1))])
        await gone(house, back)


async def test_what_is_larger_than_an_envelope_comes_in_order(house: House, ayse: Person, burak: Person) -> None:
    frames = [post(n, bytes([n]) * 700_000) for n in range(1, 8)]
    await ayse.next(ev.Deposited, Deposit("burak", 7, encoded(*frames)))
    await burak.until(lambda: len(burak.frames()) == 7)
    assert burak.frames() == [("ayse", frame) for frame in frames]
    assert len(burak.seen(ev.Mailed)) == 4
    await gone(house, burak)


async def test_many_deposits_for_one_keep_their_order(house: House, ayse: Person, burak: Person) -> None:
    for number in range(1, 31):
        ayse.mailroom.do(Deposit("burak", number, encoded(post(number))))
        ayse.mailroom.do(Deposit("burak", number, encoded(post(number))))  # asked twice, left once
    await burak.until(lambda: len(burak.frames()) == 30)
    assert burak.frames() == [("ayse", post(n)) for n in range(1, 31)]
    assert [told.upto for told in ayse.seen(ev.Deposited)] == list(range(1, 31))
    await gone(house, burak)


async def test_why_it_was_not_left(house: House, tmp_path: Path, ayse: Person) -> None:
    house.enrol("cem")
    async with person(tmp_path, house, "deniz"):
        pass
    suspend(house.store, Handle("deniz"), "", house.clock(), CONSOLE).result()
    big = b"\x10" + bytes(ITEM_BYTES)
    for peer, frames, reason in (
        ("nobody", encoded(post(1)), "unknown"),
        ("cem", encoded(post(1)), "unknown"),
        ("deniz", encoded(post(1)), "unknown"),
        ("No Handle", encoded(post(1)), "refused"),
        ("ayse", encoded(post(1)), "ours"),
    ):
        told = await ayse.next(ev.DepositFailed, Deposit(peer, 5, frames))
        assert told == ev.DepositFailed(peer, 5, reason)
    async with person(tmp_path, house, "burak"):
        for frames in ((big,), (b"",), (*encoded(post(1)), big)):
            assert (await ayse.next(ev.DepositFailed, Deposit("burak", 5, frames))).reason == "too-large"


async def test_a_full_mailbox(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path / "authority", AuthoritySettings(mail_envelopes=6)) as house,
        person(tmp_path, house, "ayse") as ayse,
    ):
        async with person(tmp_path, house, "burak") as burak:
            pass
        for number in (1, 2):
            await ayse.next(ev.Deposited, Deposit("burak", number, encoded(post(number))))
        told = await ayse.next(ev.DepositFailed, Deposit("burak", 3, encoded(post(3))))
        assert told == ev.DepositFailed("burak", 3, "full")
        async with up(again(burak)) as back:
            await gone(house, back)
            await ayse.next(ev.Deposited, Deposit("burak", 3, encoded(post(3))))


async def test_the_authority_goes_and_comes_back(tmp_path: Path) -> None:
    """Deposits are told at once as *away*; publications, mail and acknowledgements wait by themselves."""
    async with AsyncExitStack() as people:
        async with open_house(tmp_path / "authority", RULES) as house:
            ayse = await people.enter_async_context(person(tmp_path, house, "ayse"))
            burak = await people.enter_async_context(person(tmp_path, house, "burak", answers=False))
            await ayse.next(ev.Deposited, Deposit("burak", 1, encoded(post(1))))
            await burak.until(lambda: burak.frames())
            port, ward = house.address.port, house.ward
        await ayse.until(lambda: not ayse.directory.describe()["reached"])
        told = await ayse.next(ev.DepositFailed, Deposit("burak", 2, encoded(post(2))))
        assert told == ev.DepositFailed("burak", 2, "away")
        assert (await ayse.next(ev.PackageMissing, FindPackage("burak"))).reason == "away"
        ayse.mailroom.do(Publish((published(make_package(ayse.im)),), b"", replace=False))
        burak.mailroom.do(MailDone(burak.seen(ev.Mailed)[0].mail))
        await asyncio.sleep(0.5)
        async with open_house(tmp_path / "authority", RULES, ward=ward, port=port) as house:
            await ayse.reached()
            await burak.reached()
            await ayse.until(lambda: house.store.reads.stock("ayse") == 1)
            await ayse.until(lambda: ayse.seen(ev.StockTold)[-1].count == 1)
            await gone(house, burak)
            await ayse.next(ev.Deposited, Deposit("burak", 2, encoded(post(2))))
            await burak.until(lambda: burak.frames() == [("ayse", post(1)), ("ayse", post(2))])
            await people.aclose()


async def test_killed_before_it_was_stored_it_comes_again(house: House, ayse: Person, tmp_path: Path) -> None:
    async with person(tmp_path, house, "burak", answers=False) as burak:
        for number in (1, 2):
            await ayse.next(ev.Deposited, Deposit("burak", number, encoded(post(number))))
        await burak.until(lambda: len(burak.frames()) == 2)
        burak.mailroom.do(MailDone(burak.seen(ev.Mailed)[0].mail))
        await burak.until(lambda: in_mailbox(house, "burak") == 1)
    async with up(again(burak)) as back:
        await back.until(lambda: back.frames() == [("ayse", post(2))])
        await gone(house, back)


async def test_what_the_core_could_not_keep_is_handed_to_it_again(
    house: House, ayse: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk refused the turn: the event is lost, the mail is not."""
    monkeypatch.setattr(inbox, "AGAIN_SECONDS", 0.4)
    async with person(tmp_path, house, "burak", answers=False) as burak:
        await ayse.next(ev.Deposited, Deposit("burak", 1, encoded(post(1))))
        await burak.until(lambda: len(burak.frames()) >= 2)
        assert set(burak.frames()) == {("ayse", post(1))}
        burak.answers = True
        await gone(house, burak)


async def test_the_core_is_handed_so_much_and_no_more(
    house: House, ayse: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "AHEAD_MOST", 1)
    async with person(tmp_path, house, "burak", answers=False) as burak:
        await ayse.next(ev.Deposited, Deposit("burak", 1, encoded(post(1))))
        await burak.until(lambda: len(burak.frames()) == 1)
        for number in range(2, 6):
            await ayse.next(ev.Deposited, Deposit("burak", number, encoded(post(number))))
        await asyncio.sleep(0.3)
        assert len(burak.frames()) == 1
        burak.answers = True
        burak.mailroom.do(MailDone(burak.seen(ev.Mailed)[0].mail))
        await burak.until(lambda: len(burak.frames()) == 5)
        await gone(house, burak)


async def test_acknowledgements_gather(house: House, ayse: Person, burak: Person) -> None:
    calls = 0
    client = burak.directory.client()
    mail_done = client.mail_done

    async def counting(ids: list[int]) -> int:
        nonlocal calls
        calls += 1
        return await mail_done(ids)

    client.mail_done = counting  # type: ignore[method-assign,assignment]
    for number in range(1, 31):
        ayse.mailroom.do(Deposit("burak", number, encoded(post(number))))
    await burak.until(lambda: len(burak.frames()) == 30)
    await gone(house, burak)
    assert calls < 15


def sealed_for(burak: Person, sender: Person, *items: bytes, to: str = "burak", at: float = 0.0) -> bytes:
    """An envelope made by hand, as a member with bad intentions might."""
    package = burak.own[0].package

    def seal(label: bytes, context: bytes, plain: bytes) -> bytes:
        return group.seal_to(package, label, context, plain, lambda n: bytes(n))

    now = at or sender.im.certificate.not_before + 600
    return seal_envelope(sender.im, Handle(to), items, now, seal)


async def test_junk_is_told_once_dropped_and_nothing_else_suffers(
    house: House, ayse: Person, burak: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "NOTICE_SECONDS", 0)
    client = ayse.directory.client()
    good = encode_frame(post(1))
    junk = [
        b"junk",
        sealed_for(burak, ayse, good, to="cem"),
        sealed_for(burak, ayse, encode_frame(Hello(1, 1, 1 << 17, 64, "x"))),
        sealed_for(burak, ayse, good, encode_frame(Close(CloseReason.DONE, ""))),
        sealed_for(burak, ayse, b"\xff\x00"),
        sealed_for(burak, ayse, good + b"more"),
        sealed_for(burak, burak, good),
    ]
    for sealed in (*junk, sealed_for(burak, ayse, good)):
        await client.deposit(Handle("burak"), sealed)
    await burak.until(lambda: burak.frames() == [("ayse", post(1))])
    await gone(house, burak)
    await burak.until(lambda: burak.troubles())
    assert sum(int(text.split()[0]) for text in burak.troubles()) == len(junk), "each is told of once"
    assert "did not open; said to be from ayse" in burak.troubles()[0]
    await asyncio.sleep(0.2)
    assert len(burak.frames()) == 1


async def test_a_flood_of_junk_is_no_flood_of_notices(
    house: House, ayse: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "NOTICE_SECONDS", 0.8)
    monkeypatch.setattr(inbox, "AGAIN_SECONDS", 0.4)
    monkeypatch.setattr(inbox, "JUNK_SECONDS", 0.01)
    loop = asyncio.get_running_loop()
    async with person(tmp_path, house, "burak") as burak:
        start = loop.time()
        for _ in range(20):
            await ayse.directory.client().deposit(Handle("burak"), b"junk")
        await gone(house, burak)
        await burak.until(lambda: sum(int(text.split()[0]) for text in burak.troubles()) == 20)
        assert len(burak.troubles()) <= 2 + (loop.time() - start) / 0.8


async def test_the_key_package_before_still_opens(house: House, ayse: Person, burak: Person) -> None:
    """Who has sealed to the last one just before it was replaced has not sealed in vain."""
    await ayse.next(ev.Deposited, Deposit("burak", 1, encoded(post(1))))
    await burak.until(lambda: len(burak.frames()) == 1)
    burak.own.insert(0, make_package(burak.im))
    await burak.publish()
    await ayse.next(ev.Deposited, Deposit("burak", 2, encoded(post(2))))
    await burak.until(lambda: len(burak.frames()) == 2)
    assert not burak.troubles()


async def test_last_resort_packages_are_remembered_for_an_hour(ayse: Person, burak: Person) -> None:
    calls = 0
    client = ayse.directory.client()
    last_package = client.last_package

    async def counting(handle: Handle) -> bytes:
        nonlocal calls
        calls += 1
        return await last_package(handle)

    client.last_package = counting  # type: ignore[method-assign]
    for ahead, expected in ((0, 1), (3500, 1), (3700, 2), (3700, 2), (0, 3)):
        ayse.ahead = ahead
        await ayse.next(ev.Deposited, Deposit("burak", calls, encoded(post(calls + 1))))
        assert calls == expected


async def test_a_newer_revocation_list_counts_at_once(house: House, ayse: Person, burak: Person) -> None:
    """Also for a key package that is remembered, and whatever the authority still gives."""
    await ayse.next(ev.Deposited, Deposit("burak", 1, encoded(post(1))))
    revoked = [Revoked(burak.im.certificate.serial, house.clock())]
    assert ayse.identity.take_crl(make_crl(house.ward.issuing, revoked, house.clock() + 5))
    assert (await ayse.next(ev.DepositFailed, Deposit("burak", 2, encoded(post(2))))).reason == "refused"
    assert (await ayse.next(ev.PackageMissing, FindPackage("burak"))).reason == "refused"
    taken = [Revoked(ayse.im.certificate.serial, house.clock())]
    assert burak.identity.take_crl(make_crl(house.ward.issuing, taken, house.clock() + 5))
    await burak.until(lambda: len(burak.frames()) == 1)
    await ayse.directory.client().deposit(Handle("burak"), sealed_for(burak, ayse, encode_frame(post(3))))
    await burak.until(lambda: any("revoked" in text for text in burak.troubles()))
    assert len(burak.frames()) == 1


async def test_key_packages_are_found(ayse: Person, burak: Person) -> None:
    made = await burak.publish(2)
    given = [(await ayse.next(ev.PackageFound, FindPackage("burak"))).package for _ in range(3)]
    assert given == [*map(published, made), published(burak.own[0])]
    for peer, reason in (("nobody", "unknown"), ("No Handle", "refused"), ("ayse", "ours")):
        assert await ayse.next(ev.PackageMissing, FindPackage(peer)) == ev.PackageMissing(peer, reason)


async def test_asked_twice_one_is_taken(house: House, ayse: Person, burak: Person) -> None:
    await burak.publish(5)
    for _ in range(3):
        ayse.mailroom.do(FindPackage("burak"))
    await ayse.next(ev.PackageFound)
    await asyncio.sleep(0.2)
    assert (house.store.reads.stock("burak"), len(ayse.seen(ev.PackageFound))) == (4, 1)


async def test_only_whose_key_package_it_is(house: House, ayse: Person, burak: Person) -> None:
    """The authority, or who is in it, gives what it likes: nothing is sealed to it, and nobody is added by it."""
    mine, others = published(make_package(burak.im)), published(make_package(ayse.im))
    old = published(make_package(burak.im, now=house.clock() - 60 * DAY))
    client = burak.directory.client()
    for last in (others, b"junk", old, mine[:-1], mine[:-5] + bytes(5)):
        await client.publish_packages([last], last, replace=True)
        assert (await ayse.next(ev.PackageMissing, FindPackage("burak"))).reason == "refused"
        told = await ayse.next(ev.DepositFailed, Deposit("burak", 1, encoded(post(1))))
        assert told.reason == "refused"
    await client.publish_packages([b"stale"], mine, replace=True)
    found = await ayse.next(ev.PackageFound, FindPackage("burak"))
    assert found.package == mine, "where the single-use one does not hold, the last one may"


async def test_the_stock_is_told_on_contact_when_low_and_after_publishing(
    house: House, ayse: Person, burak: Person
) -> None:
    assert [told.count for told in burak.seen(ev.StockTold)] == [0, 0], "on contact, and after the first publication"
    await burak.publish(11)
    for _ in range(3):
        await ayse.next(ev.PackageFound, FindPackage("burak"))
    await burak.until(lambda: burak.seen(ev.StockTold)[-1].count == 8)
    assert [told.count for told in burak.seen(ev.StockTold)][2:] == [11, 9, 8]
    fresh = Publish((published(make_package(burak.im)),), b"", replace=True)
    assert (await burak.next(ev.StockTold, fresh)).count == 1
    async with up(again(burak)) as back:
        await back.until(lambda: [told.count for told in back.seen(ev.StockTold)] == [1])
    assert house.store.reads.last_package("burak") == published(burak.own[0])


async def test_a_publication_that_is_refused_is_told(ayse: Person) -> None:
    ayse.mailroom.do(Publish((bytes(20_000),), b"", replace=False))
    await ayse.until(lambda: any("could not be published" in text for text in ayse.troubles()))
    assert (await ayse.next(ev.StockTold, Publish((), published(ayse.own[0]), replace=False))).count == 0


async def test_with_a_wrong_clock_nothing_is_thrown_away(
    house: House, ayse: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "AGAIN_SECONDS", 0.4)
    async with person(tmp_path, house, "burak") as burak:
        burak.ahead, burak.skew = 40 * DAY, -40 * DAY
        for number in (1, 2):
            await ayse.next(ev.Deposited, Deposit("burak", number, encoded(post(number))))
        await burak.until(lambda: burak.troubles())
        await asyncio.sleep(0.3)
        assert len(burak.troubles()) == 1
        assert "clock is wrong" in burak.troubles()[0]
        assert in_mailbox(house, "burak") == 2
        burak.ahead = burak.skew = 0
        await burak.until(lambda: burak.frames() == [("ayse", post(1)), ("ayse", post(2))])
        await gone(house, burak)


async def test_before_there_is_a_key_nothing_is_thrown_away(house: House, ayse: Person, burak: Person) -> None:
    own, burak.own = burak.own, []
    await ayse.next(ev.Deposited, Deposit("burak", 1, encoded(post(1))))
    await asyncio.sleep(0.3)
    assert in_mailbox(house, "burak") == 1
    burak.own = own
    await burak.until(lambda: burak.frames() == [("ayse", post(1))])


async def test_what_waits_to_be_left_is_bounded(ayse: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deposits, "WAITING_MOST", 3)
    for number in range(6):
        ayse.mailroom.do(Deposit("nobody", number, encoded(post(1))))
    assert [told.reason for told in ayse.seen(ev.DepositFailed)] == ["away"] * 3
    await ayse.until(lambda: len(ayse.seen(ev.DepositFailed)) == 6)
    assert [told.reason for told in ayse.seen(ev.DepositFailed)][3:] == ["unknown"] * 3
    monkeypatch.setattr(deposits, "WAITING_BYTES", 10)
    assert (await ayse.next(ev.DepositFailed, Deposit("nobody", 9, encoded(post(1))))).reason == "away"


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (NetworkError("x"), "away"), (Refused("x", reason="too-many-requests"), "away"),
        (Refused("x", reason="storage"), "away"), (VerificationError("x", reason="unknown-authority"), "away"),
        (Refused("x", reason="mailbox-full"), "full"), (Refused("x", reason="no-package"), "unknown"),
        (Refused("x", reason="expelled-user"), "unknown"), (Refused("x", reason="suspended"), "ours"),
        (VerificationError("x", reason="unexpected-handle"), "refused"), (LocalError("x"), "ours"),
        (Refused("x", reason="revoked"), "ours"), (Refused("x", reason="not-enrolled"), "ours"),
        (DecodeError("x"), "refused"),
    ],
)  # fmt: skip
def test_the_words_for_the_core(error: ConclaveError, word: str) -> None:
    assert why(error) == word


@given(items=st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=5))
@settings(max_examples=300)
def test_no_frames_raise_anything_else(items: list[bytes]) -> None:
    try:
        frames = read_frames(OpenedEnvelope(Handle("ayse"), Device("d1"), 0, tuple(items)))
    except DecodeError:
        return
    assert [encode_frame(frame) for frame in frames] == items


def test_frames_of_a_links_own_are_none_of_a_mailbox() -> None:
    for frame in (Hello(1, 1, 1 << 17, 64, "x"), Ping(7), Close(CloseReason.REVOKED, "")):
        with pytest.raises(DecodeError):
            read_frames(OpenedEnvelope(Handle("ayse"), Device("d1"), 0, (encode_frame(post(1)), encode_frame(frame))))
    assert read_frames(OpenedEnvelope(Handle("ayse"), Device("d1"), 0, encoded(post(1), ACK))) == (post(1), ACK)


@given(st.binary(max_size=600))
@settings(max_examples=200)
def test_no_key_package_raises_anything_else(data: bytes) -> None:
    with pytest.raises(ConclaveError):
        prove_package(data, Handle("ayse"), ward().trust, NOW)
