"""What the node's files need of its links and its conversations.

Left out: who gives it (``node.run``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from math import inf
from typing import Protocol

from conclave.files.offer import Offered
from conclave.node.files.serving import Sender
from conclave.node.files.standing import Until
from conclave.values import dataclass


class FileLinks(Sender, Protocol):
    """What files need of the links: ``node.peers.Peers``."""

    def linked(self) -> Collection[str]:
        """Handles of everybody with an open link."""

    def want(self, peer: str, wanted: bool) -> None:  # noqa: FBT001 - as the pump's
        """Dial ``peer`` until linked."""


@dataclass(frozen=True, slots=True)
class Conversations:
    """The conversations, as far as files need them.

    ``say(conversation, message id, offer)`` says an offer, and raises ``ConclaveError`` where that cannot be.
    ``others(conversation)`` is everybody else who is in it now: whoever may have its files, and may be asked for
    them. A file is never sent to anybody else. ``until`` says how long an offer stands; it is called on a thread.
    """

    say: Callable[[str, bytes, Offered], Awaitable[None]]
    others: Callable[[str], Collection[str]]
    until: Until = lambda _: (inf, "")
