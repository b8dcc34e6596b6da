"""The node's connection to the authority: presence, the directory, revocation lists, renewal. All may be away.

What was heard last is remembered, so that chats go on, and fronts say which it is, when the authority is out of
reach; of an earlier run only where people were (``node.addresses``). Left out: the HTTP of it
(``net.authority_client``), dialling (``node.peers``).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from conclave.errors import ConclaveError, NetworkError, Refused, VerificationError
from conclave.net.authority_client import AuthorityClient
from conclave.net.authority_watch import (
    Expelled,
    MailWaits,
    NewCrl,
    Offline,
    Online,
    Presence,
    StockLow,
    User,
    WatchEvent,
)
from conclave.net.backoff import Backoff, chance
from conclave.node.addresses import Addresses
from conclave.node.identity import Identity
from conclave.node.notices import AuthorityReached, CertificateRenewed, Notice, PresenceChanged, Trouble
from conclave.pki.keys import generate_device_key
from conclave.pki.names import parse_handle
from conclave.pki.policy import made_at, renewal_due
from conclave.pki.profile import Profile
from conclave.pki.request import build_request
from conclave.pki.revocation import in_words
from conclave.values import dataclass

log = logging.getLogger(__name__)

_TLS = Profile.TLS

SHUT_OUT = ("revoked", "suspended")
"""Why the authority refuses a device whose certificate may still have days."""
CLOCK_SECONDS = 60.0
"""A clock that is off by as much is worth a warning."""

RETRY_RENEWAL_SECONDS = 300.0
"""How long after a renewal that failed another is tried; the last third of a certificate's life leaves many."""
LOOK_SECONDS = 60.0
"""How often it is looked whether a renewal is due: the loop's clock stands still while a machine is suspended."""
RENEWAL_GAP_SECONDS = 1.0
"""Between two renewals, so that an authority that grants very short lives is not asked without end."""
RESUMED_SECONDS = 30.0
"""How often a suspended device looks whether it was resumed."""
BACKOFF_MOST_SECONDS = 30.0
"""The longest pause before the authority is tried again."""


@dataclass(frozen=True, slots=True)
class Person:
    """One entry of the directory; ``address`` is empty where the person is offline, or not known to be there."""

    handle: str
    name: str
    online: bool
    address: str
    since: float


class Directory:
    """What is known of people, from the authority while it can be reached, else from memory."""

    def __init__(
        self,
        identity: Identity,
        moved: Callable[[str, str], None],
        expelled: Callable[[str, str], None],
        crl_taken: Callable[[], None],
        tell: Callable[[Notice], None],
        waits: Callable[[StockLow | MailWaits], None],
        addresses: Addresses,
    ) -> None:
        """``waits`` is told what waits at the authority: whenever it is reached, and when that changes."""
        self._identity = identity
        self._moved = moved
        self._expelled = expelled
        self._crl_taken = crl_taken
        self._tell = tell
        self._waits = waits
        self._addresses = addresses
        self._people = {one: Person(one, "", online=False, address="", since=0.0) for one in addresses}
        self._client: AuthorityClient | None = None
        self._reached = False
        self._text = "was not reached yet"
        self._why: ConclaveError | None = None  # it is not reached
        self._refused: Refused | None = None  # what it last said of this device, also while it is away
        self._where = ", ".join(str(address) for address in identity.addresses)
        self.clock_offset = 0.0
        self._compared = False  # whether our clock was ever held against the authority's
        self._told_offset = 0.0  # what our person was told of it; 0: it is right, as far as told

    async def run(self, announce: str) -> None:
        """Be online at ``announce`` and stay so; renew certificates when due. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_when_due())
            tasks.create_task(self._addresses.run())
            while True:
                renewed = self._renewed = asyncio.Event()
                watching = tasks.create_task(self._watch(announce))
                waiting = tasks.create_task(renewed.wait())
                try:
                    await asyncio.wait((watching, waiting), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    watching.cancel()
                    waiting.cancel()
                    await asyncio.wait((watching,))
                if not renewed.is_set():  # the authority refuses this device
                    if self.standing is None or self.standing.reason != "suspended":
                        return  # for good; the node goes on without it
                    await asyncio.sleep(RESUMED_SECONDS)

    async def _watch(self, announce: str) -> None:
        backoff = Backoff(chance, most=BACKOFF_MOST_SECONDS)
        identity = self._identity
        async with AuthorityClient(identity.addresses, identity.trust, identity.credentials(_TLS)) as client:
            self._client = client
            try:
                async with aclosing(client.watch(announce, backoff)) as events:
                    async for event in events:
                        self._take(event)
            except Refused as error:
                log.warning("the authority refuses this device: %s", error)
                self._refused = error if error.reason in SHUT_OUT else None
                self._away(f"refuses this device: {error}", error)
            finally:
                self._client = None

    def _take(self, event: WatchEvent) -> None:
        match event:
            case Online():
                self._waits(StockLow(event.stock))
                self._waits(MailWaits(event.mail))
                self.clock_offset, self._compared = event.skew, True
                self._reached, self._text = True, f"reached at {self._where}"
                self._why = self._refused = None
                self._tell(AuthorityReached(True, f"authority reached at {self._where}"))
                self._judge_clock(event.skew)
            case Offline(error, retry):
                log.info("authority: %s; again in %.1f s", error, retry)
                self._away(f"is out of reach at {self._where}: {error}", error)
            case Presence(handle, online, address, since):
                where = str(address) if online and address is not None else ""
                old = self._people.get(handle)
                self._people[handle] = Person(handle, old.name if old else "", online, where, since)
                if handle != self._identity.handle:
                    if where:
                        self._addresses.note(handle, where)
                    self._moved(handle, where)
                    if old is None or (old.online, old.address) != (online, where):
                        self._tell(PresenceChanged(handle, online, where))
            case NewCrl(crl):
                if self._identity.take_crl(crl):
                    self._crl_taken()
            case Expelled(handle, reason):
                self._expelled(handle, reason)
            case StockLow() | MailWaits():
                self._waits(event)

    def _judge_clock(self, skew: float) -> None:
        """Told once, until it is off by another size, or was right again."""
        if abs(skew) < CLOCK_SECONDS:
            self._told_offset = 0.0
        elif abs(skew - self._told_offset) >= CLOCK_SECONDS:
            self._told_offset = skew
            self._tell(Trouble("authority", _off(skew)))

    def _away(self, text: str, error: ConclaveError) -> None:
        standing = self.standing if error is self._refused else None
        if standing is not None:
            self._tell(AuthorityReached(False, f"{standing}; {standing.remedy}", refused=True))
        elif self._is_news(error):
            self._tell(AuthorityReached(False, f"the authority {text}; {error.remedy}"))
        elif self._why is None or isinstance(error, Refused):  # also where it was never reached
            self._tell(AuthorityReached(False, f"the authority {text}"))
        self._reached, self._text, self._why = False, text, error

    def _is_news(self, error: ConclaveError) -> bool:
        """Whether it is for our person, and was not told yet: a wrong clock, or somebody in the authority's place."""
        return isinstance(error, VerificationError) and not isinstance(self._why, VerificationError)

    async def _renew_when_due(self) -> None:
        spread = chance()
        identity = self._identity
        while True:
            due = {p: identity.credentials(p).certificate for p in identity.profiles}
            times = {
                p: renewal_due(min(made_at(c.not_before), c.not_after), c.not_after, spread) for p, c in due.items()
            }
            profile = min(times, key=lambda p: times[p])
            while (left := times[profile] - time.time()) > 0:  # noqa: ASYNC110 - the wall clock moves while we sleep
                await asyncio.sleep(min(left, LOOK_SECONDS))
            try:
                client = self.client()
                key = await asyncio.to_thread(generate_device_key, profile)
                chain = await client.renew(profile, build_request(key, identity.handle))
                identity.take_chain(profile, key.der(), chain)
            except ConclaveError as error:
                log.warning("certificate %s not renewed: %s", profile.value, error)
                self._tell(Trouble("authority", f"certificate {profile.value} could not be renewed yet: {error}"))
                await asyncio.sleep(RETRY_RENEWAL_SECONDS)
                continue
            if profile is _TLS:
                self._renewed.set()
            self._tell(CertificateRenewed(profile.value, chain[0].not_after))
            await asyncio.sleep(RENEWAL_GAP_SECONDS)

    # For fronts and for dialling.

    async def people(self, query: str = "") -> list[Person]:
        """Everybody, or those whose handle or name contains ``query``. Raises ``NetworkError`` or ``Refused``."""
        people = [_person(user) for user in await self.client().users(query)]
        self._people |= {person.handle: person for person in people}
        return people

    async def find(self, handle: str) -> Person | None:
        """One person, or None where nobody has the handle. Raises ``NetworkError`` or ``Refused``."""
        try:
            person = _person(await self.client().look_up(parse_handle(handle)))
        except Refused as error:
            if error.reason == "unknown-user":
                return None
            raise
        self._people[handle] = person
        return person

    def last_address(self, handle: str) -> str:
        """Where the person was reached last, in an earlier run too; empty where that is not known."""
        return self._addresses.of(handle)

    def remembered(self, handle: str) -> Person | None:
        """The person as last heard of."""
        return self._people.get(handle)

    def remembered_people(self, query: str) -> list[Person]:
        """Everybody as last heard of; nobody is taken for online while the authority is out of reach."""
        return [person for handle, person in sorted(self._people.items()) if query in handle or query in person.name]

    @property
    def reached(self) -> bool:
        """Whether the authority is reached now."""
        return self._reached

    @property
    def standing(self) -> Refused | None:
        """That this device is suspended or revoked, as the authority last answered; None where it did not."""
        return None if self._refused is None else _to_its_owner(self._refused)

    def describe(self) -> dict[str, Any]:
        """What ``status`` tells of it; ``reason`` is a word for why it is not reached, where there is one."""
        standing = self.standing
        why = standing or self._why
        return {
            "reached": self._reached,
            "compared": self._compared,
            "address": self._where,
            "text": self._text if standing is None else str(standing),
            "reason": getattr(why, "reason", ""),
            "remedy": "" if why is None else why.remedy,
        }

    def client(self) -> AuthorityClient:
        """The authority, with our newest certificate. Raises ``NetworkError`` while it is away."""
        if self._client is None:
            raise NetworkError(
                f"the authority {self._text}", remedy="look at the authority's machine and at the network"
            )
        return self._client


def _off(skew: float) -> str:
    """How far our clock is from the authority's, which is ``skew`` seconds ahead of it."""
    way = "behind" if skew > 0 else "ahead of"
    return f"this machine's clock is {abs(skew) / 60:.0f} minutes {way} the authority's: set it"


def _to_its_owner(error: Refused) -> Refused:
    """A refusal of this device, in words for its person."""
    known = re.search(r"(?:was revoked|is suspended): (.+)", str(error))
    why = in_words(known[1]) if known else ""
    if error.reason == "suspended":
        text, remedy = "your account is suspended", "ask whoever runs the authority to resume it"
        why = f" ({why})" if why else ""
    else:
        text, remedy = "your certificate was revoked", "join again with a new invite: conclave join '<invite>'"
        why = f": {why}" if why else ""
    return Refused(text + why, reason=error.reason, remedy=remedy)


def _person(user: User) -> Person:
    address = str(user.address) if user.online and user.address is not None else ""
    return Person(user.handle, user.name, user.online, address, user.since)
