"""The node's mailroom: deeds of the core in, events for it out, and the authority behind it, which may be away.

It runs beside ``node.directory``, which tells it when mail waits or few key packages are left, and lends its
connection. Nothing here is kept over a restart, nor need be: the mailbox keeps mail until the core has it, and the
core asks again for what was not answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from conclave.chat.deeds import Deposit, FindPackage, MailDone, Publish
from conclave.chat.events import Event
from conclave.mls.group import OwnKeyPackage, Random
from conclave.net.authority_watch import MailWaits, StockLow
from conclave.net.backoff import Backoff, chance
from conclave.node.identity import Identity
from conclave.node.mail.deposits import Client, Deposits
from conclave.node.mail.inbox import Inbox
from conclave.node.mail.stock import Stock
from conclave.node.notices import Notice

BACKOFF_MOST_SECONDS = 30.0

MailDeed = Deposit | FindPackage | Publish | MailDone
"""What the core wants of the authority."""


class Mailroom:
    """Give it the deeds after their turn is committed; what it finds goes to ``put``.

    ``own_packages`` gives the last-resort key packages that mail may be sealed to: the present and the one before.
    ``clock`` is UNIX seconds, ``skew`` how far the authority's clock is ahead of it.
    """

    def __init__(
        self,
        identity: Identity,
        client: Client,
        own_packages: Callable[[], Sequence[OwnKeyPackage]],
        put: Callable[[Event], None],
        tell: Callable[[Notice], None],
        clock: Callable[[], float],
        skew: Callable[[], float],
        random: Random,
    ) -> None:
        self._deposits = Deposits(identity, client, put, clock, random)
        self._stock = Stock(identity, client, put, tell, clock, _backoff)
        self._inbox = Inbox(identity, client, own_packages, put, tell, clock, skew, _backoff)

    def do(self, deed: MailDeed) -> None:
        """Take a deed of the core's."""
        match deed:
            case Deposit():
                self._deposits.ask(deed)
            case FindPackage(peer):
                self._stock.find(peer)
            case Publish():
                self._stock.publish(deed)
            case MailDone(mail):
                self._inbox.done(mail)

    def waits(self, event: StockLow | MailWaits) -> None:
        """The directory was told what waits."""
        match event:
            case StockLow(count):
                self._stock.told(count)
            case MailWaits(count):
                self._inbox.told(count)

    async def run(self) -> None:
        """Do all of it. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deposits.run())
            tasks.create_task(self._stock.run())
            tasks.create_task(self._inbox.run())


def _backoff() -> Backoff:
    return Backoff(chance, most=BACKOFF_MOST_SECONDS)
