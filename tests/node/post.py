"""People with mailrooms at a real authority over real sockets, and a pump that only writes down what it is given."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from conclave.chat import events as ev
from conclave.chat.deeds import Deposit, FindPackage, MailDone, Publish
from conclave.crypto.suite import HYBRID
from conclave.mls import group
from conclave.node.addresses import Addresses
from conclave.node.directory import Directory
from conclave.node.identity import Identity, keep_trust
from conclave.node.mail.mailroom import Mailroom
from conclave.node.notices import Notice, Trouble
from conclave.node.paths import prepare_home, vault_path
from conclave.pki.credentials import Credentials
from conclave.pki.profile import Profile
from conclave.store import vault as vaults
from conclave.store.memory import MemoryStore
from conclave.wire.delivery import Ack, Post, PostKind
from conclave.wire.frames import Frame, encode_frame
from tests.net.house import House
from tests.node.homes import CHEAP, PASSPHRASE

T = TypeVar("T")


def post(number: int, body: bytes = b"") -> Post:
    return Post(b"stream-1", number, 1, PostKind.MESSAGE, body or b"message %d" % number)


def encoded(*frames: Frame) -> tuple[bytes, ...]:
    return tuple(map(encode_frame, frames))


ACK = Ack(b"stream-2", 7, ())


def make_identity(home: Path, house: House, handle: str) -> Identity:
    """A device that enrolled with this authority, as it starts."""
    own = {profile: house.enrol(handle, profile) for profile in (Profile.TLS, Profile.IM)}
    content = vaults.VaultContent(
        database_key=bytes(32),
        handle=handle,
        realm=house.ward.trust.realm,
        device="laptop",
        authorities=(str(house.address),),
        profiles=tuple(
            vaults.Profile(p.value, held.key.der(), tuple(c.der for c in (held.certificate, *held.above)))
            for p, held in own.items()
        ),
        trust=keep_trust(house.ward.trust),
    )
    prepare_home(home)
    vaults.create(vault_path(home), PASSPHRASE, content, cost=CHEAP)
    return Identity(vaults.unlock(vault_path(home), PASSPHRASE))


def make_package(credentials: Credentials, *, now: float = 0.0) -> group.OwnKeyPackage:
    """A key package of a device's ``im`` certificate."""
    at = int(now or time.time())
    chain = group.Credential.x509((credentials.certificate.der,))
    return group.OwnKeyPackage.create(HYBRID, chain, credentials.key.raw(), (at - 3600, at + 30 * 86_400), os.urandom)


def published(package: group.OwnKeyPackage) -> bytes:
    return group.write_key_package(package.package)


class Person:
    """A mailroom with a directory, and what came of them. ``answers``: mail is taken for stored at once."""

    def __init__(self, identity: Identity, *, answers: bool = True) -> None:
        self.identity = identity
        self.answers = answers
        self.ahead = 0.0
        self.skew = 0.0
        self.events: list[ev.Event] = []
        self.notices: list[Notice] = []
        self.own: list[group.OwnKeyPackage] = [make_package(self.im)]
        self.mailroom = Mailroom(
            identity,
            lambda: self.directory.client(),
            self.own_packages,
            self.put,
            self.notices.append,
            lambda: time.time() + self.ahead,
            lambda: self.skew,
            os.urandom,
        )

        def nothing(*_: object) -> None:
            pass

        async def keep(_: object) -> None:
            pass

        self.directory = Directory(
            identity,
            nothing,
            nothing,
            nothing,
            self.notices.append,
            self.mailroom.waits,
            Addresses(MemoryStore(), keep),
        )

    @property
    def me(self) -> str:
        return self.identity.handle

    @property
    def im(self) -> Credentials:
        return self.identity.credentials(Profile.IM)

    def own_packages(self) -> Sequence[group.OwnKeyPackage]:
        return self.own

    def put(self, event: ev.Event) -> None:
        self.events.append(event)
        if self.answers and isinstance(event, ev.Mailed):
            self.mailroom.do(MailDone(event.mail))

    def seen(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def troubles(self) -> list[str]:
        return [notice.text for notice in self.notices if isinstance(notice, Trouble)]

    async def until(self, true: Callable[[], Any], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - what it waits for happens in many places
                await asyncio.sleep(0.01)

    async def next(self, kind: type[T], deed: Deposit | FindPackage | Publish | None = None) -> T:
        """The next event of a kind, after a deed where there is one."""
        before = len(self.seen(kind))
        if deed is not None:
            self.mailroom.do(deed)
        await self.until(lambda: len(self.seen(kind)) > before)
        return self.seen(kind)[before]

    async def publish(self, single: int = 0) -> list[group.OwnKeyPackage]:
        """Publish fresh single-use key packages, and the last-resort one that is held."""
        made = [make_package(self.im) for _ in range(single)]
        deed = Publish(tuple(map(published, made)), published(self.own[0]), replace=True)
        assert (await self.next(ev.StockTold, deed)).count == single
        return made

    async def reached(self) -> None:
        def there() -> bool:
            return bool(self.directory.describe()["reached"])

        await self.until(there, 20)

    def frames(self) -> list[tuple[str, Frame]]:
        return [(mailed.peer, frame) for mailed in self.seen(ev.Mailed) for frame in mailed.frames]


@asynccontextmanager
async def up(person: Person) -> AsyncIterator[Person]:
    """Run somebody's mailroom; in the end it is cut off where it stands, as by a kill."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(part) for part in (person.mailroom.run(), person.directory.run("127.0.0.1:9"))]
        try:
            await person.reached()
            yield person
        finally:
            for task in running:
                task.cancel()


@asynccontextmanager
async def person(folder: Path, house: House, handle: str, *, answers: bool = True) -> AsyncIterator[Person]:
    """Somebody who is up, with a last-resort key package published."""
    async with up(Person(make_identity(folder / handle, house, handle), answers=answers)) as one:
        await one.publish()
        yield one


def again(one: Person) -> Person:
    """The same device, started anew."""
    fresh = Person(one.identity)
    fresh.own = one.own
    return fresh
