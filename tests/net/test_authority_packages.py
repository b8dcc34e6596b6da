"""Key packages over real sockets: published, taken, told of when few are left; and what a hostile member gets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from conclave.authority.limits import Rate
from conclave.authority.packages import PACKAGE_BYTES, STOCK_MOST
from conclave.authority.revocation import revoke, suspend
from conclave.authority.settings import AuthoritySettings
from conclave.errors import Refused
from conclave.net.authority_client import AuthorityClient
from conclave.net.packages import BODY_BYTES
from conclave.pki.credentials import Credentials
from conclave.pki.names import Handle
from conclave.pki.revocation import Reason
from conclave.values import replace
from tests.authority.desk import CONSOLE
from tests.net.house import FAST, House, open_house

AYSE = Handle("ayse")
FREE = Rate(1000, 100.0)
GENEROUS = AuthoritySettings(take_from_rate=FREE, taken_rate=FREE, publish_rate=FREE)


class Members:
    """Clients of ours, each with a certificate."""

    def __init__(self, house: House, stack: AsyncExitStack) -> None:
        self.house, self.stack = house, stack
        self.credentials: dict[str, Credentials] = {}

    async def __call__(self, handle: str) -> AuthorityClient:
        credentials = self.credentials.setdefault(handle, self.house.enrol(handle))
        client = AuthorityClient((self.house.address,), self.house.ward.trust, credentials)
        return await self.stack.enter_async_context(client)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, GENEROUS) as made:
        yield made


@pytest.fixture
async def member(house: House) -> AsyncIterator[Members]:
    async with AsyncExitStack() as stack:
        yield Members(house, stack)


def packages(count: int, start: int = 0) -> list[bytes]:
    return [b"package %d" % n for n in range(start, start + count)]


async def test_published_taken_and_looked_at(member: Members) -> None:
    ayse, burak = await member("ayse"), await member("burak")
    assert await ayse.publish_packages(packages(2), b"last") == 2
    assert await burak.last_package(AYSE) == b"last"
    given = [await burak.take_package(AYSE) for _ in range(3)]
    assert [(each.data, each.last) for each in given] == [
        (b"package 0", False), (b"package 1", False), (b"last", True),
    ]  # fmt: skip
    assert await ayse.publish_packages(packages(2, 2), replace=True) == 2
    assert (await burak.take_package(AYSE)).data == b"package 2"


async def test_the_largest_that_is_allowed(member: Members) -> None:
    ayse = await member("ayse")
    many = [bytes([n]) * PACKAGE_BYTES for n in range(STOCK_MOST)]
    assert await ayse.publish_packages(many, b"l" * PACKAGE_BYTES) == STOCK_MOST
    with pytest.raises(Refused) as caught:
        await ayse.publish_packages([b"one more"])
    assert caught.value.reason == "stock-full"


async def test_the_owner_is_told_how_many_are_left(house: House, member: Members) -> None:
    ayse, burak = await member("ayse"), await member("burak")
    watcher = await house.watch(member.credentials["ayse"])
    assert (await watcher.until("welcome"))["stock"] == 0
    await ayse.publish_packages(packages(11), b"last")
    for left in range(10, -1, -1):
        await burak.take_package(AYSE)
        if left < 10:
            await watcher.until("stock", count=left)
    await burak.take_package(AYSE)
    await watcher.until("stock", count=0)
    assert [f["count"] for f in watcher.seen if f["type"] == "stock"] == [*range(9, -1, -1), 0]
    await ayse.publish_packages(packages(7, 20))
    again = await house.watch(member.credentials["ayse"])
    assert (await again.until("welcome"))["stock"] == 7


async def test_nobody_uses_up_anothers_stock(tmp_path: Path) -> None:
    """Beyond the rate everybody is served still, with the last-resort one."""
    rules = AuthoritySettings(take_from_rate=Rate(2, 0.001), taken_rate=Rate(5, 0.001), take_rate=Rate(3, 0.001))
    async with open_house(tmp_path, rules) as house, AsyncExitStack() as stack:
        member = Members(house, stack)
        ayse, cem = await member("ayse"), await member("cem")
        for owner in (ayse, cem):
            await owner.publish_packages(packages(50), b"last")
        burak, deniz = await member("burak"), await member("deniz")
        lasts = [(await burak.take_package(AYSE)).last for _ in range(10)]
        assert lasts == [False] * 2 + [True] * 8, "one from another"
        lasts = [(await burak.take_package(Handle("cem"))).last for _ in range(3)]
        assert lasts == [False, True, True], "one in all"
        lasts = [(await deniz.take_package(AYSE)).last for _ in range(3)]
        assert lasts == [False, False, True]
        elif_ = await member("elif")
        lasts = [(await elif_.take_package(AYSE)).last for _ in range(3)]
        assert lasts == [False, True, True], "all together from one"
        assert house.store.reads.stock("ayse") == 45


async def test_publications_have_a_rate(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path, AuthoritySettings(publish_rate=Rate(1, 0.01))) as house,
        AsyncExitStack() as stack,
    ):
        ayse = await Members(house, stack)("ayse")
        await ayse.publish_packages(packages(1))
        with pytest.raises(Refused) as caught:
            await ayse.publish_packages(packages(1))
        assert caught.value.reason == "too-many-requests"


async def test_who_is_out_gets_nothing_at_once(house: House, member: Members) -> None:
    ayse, burak, cem = await member("ayse"), await member("burak"), await member("cem")
    await ayse.publish_packages(packages(1), b"last")
    suspend(house.store, Handle("burak"), "on leave", house.clock(), CONSOLE).result()
    for call in (burak.take_package(AYSE), burak.last_package(AYSE), burak.publish_packages(packages(1))):
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.reason == "suspended"
    revoke(house.store, "ayse", Reason.key_compromise, house.clock(), CONSOLE).result()
    for call in (cem.take_package(AYSE), cem.last_package(AYSE)):
        with pytest.raises(Refused) as caught:
            await call
        assert (caught.value.reason, bool(caught.value.remedy)) == ("expelled-user", True)
    with pytest.raises(Refused) as caught:
        await ayse.publish_packages(packages(1))
    assert caught.value.reason == "revoked"


async def test_without_a_certificate(house: House) -> None:
    for method, path in (("POST", "/packages"), ("POST", "/packages/ayse/take"), ("GET", "/packages/ayse/last")):
        assert (await house.ask(method, path)).error == (401, "certificate-required")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 5000, 400),
        (json.dumps({"packages": "x"}).encode(), 400),
        (json.dumps({"packages": [1]}).encode(), 400),
        (json.dumps({"packages": ["not base64!"]}).encode(), 400),
        (json.dumps({"packages": ["eA=="], "replace": 1}).encode(), 400),
        (json.dumps({"packages": ["eA=="], "last": 7}).encode(), 400),
        (json.dumps({"packages": ["eA=="] * (STOCK_MOST + 1)}).encode(), 400),
        (json.dumps({"packages": [""]}).encode(), 413),
        (json.dumps({"packages": [b64(b"x" * (PACKAGE_BYTES + 1))]}).encode(), 413),
        (b" " * (BODY_BYTES + 1), 413),
    ],
)
async def test_junk_is_refused_and_changes_nothing(house: House, member: Members, body: bytes, status: int) -> None:
    await member("ayse")
    session = house.session(member.credentials["ayse"])
    answer = await house.ask("POST", "/packages", session, data=BytesIO(body))
    assert answer.error[0] == status
    assert house.store.reads.stock("ayse") == 0


@pytest.mark.parametrize("handle", ["cem", "x" * 200, "%00", "a%2Fb", "AYSE", "%F0%9F%98%80", "'%20OR%201=1"])
async def test_handles_that_nobody_has(house: House, member: Members, handle: str) -> None:
    await member("ayse")
    session = house.session(member.credentials["ayse"])
    for method, path in (("POST", f"/packages/{handle}/take"), ("GET", f"/packages/{handle}/last")):
        assert (await house.ask(method, path, session)).error[0] == 404


async def test_a_body_that_dribbles_is_cut(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits=replace(FAST, request_seconds=0.3)) as house:
        session = house.session(house.enrol("ayse"))

        async def dribble() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" "
                await asyncio.sleep(0.05)

        answer = await house.ask("POST", "/packages", session, data=dribble())
        assert answer.error == (408, "too-slow")


async def test_an_endless_body_is_not_read(house: House, member: Members) -> None:
    """Without a Content-Length that would tell it beforehand."""
    await member("ayse")
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 16
            yield bytes(1 << 16)

    answer: Any = None
    with suppress(OSError):  # hung up while we wrote
        answer = await house.ask("POST", "/packages", house.session(member.credentials["ayse"]), data=endless())
    assert answer is None or answer.error == (413, "too-large")
    assert sent < 32 * BODY_BYTES
