"""What a classic link tells whoever drives it, as data; and whom it asks about certificates.

Left out: how it came about (``machine``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from conclave.values import dataclass


class Peer(Protocol):
    """Whoever is at the other end, as the caller's ``verify`` found it."""

    @property
    def handle(self) -> str:
        """The account's name in the realm."""

    @property
    def not_after(self) -> float:
        """When its certificate ends (UNIX seconds); an open link ends with it."""

    @property
    def public(self) -> bytes:
        """Its RSA key as SubjectPublicKeyInfo DER."""


Verify = Callable[[bytes, float], Peer]
"""``verify(pem, now)``: the peer whose certificate (PEM) this is; raises ``VerificationError``.

It checks the chain to the authority, the validity, the revocation and, where we dialled, the expected handle.
"""


class Answer(StrEnum):
    """A person's answer to a chat request: the body of message 9."""

    OK = "OK"
    REJECT = "REJECT"
    BUSY = "BUSY"


class Ending(StrEnum):
    """Why a classic link is over. The suite has no close frame: most are seen by one side alone."""

    DONE = "done"  # we hung up, or the other side did between two messages
    BUSY = "busy"
    REJECTED = "rejected"
    DENIED = "denied"  # the other side says that our signature does not verify
    CERTIFICATE = "bad-certificate"
    SIGNATURE = "bad-signature"
    PROTOCOL = "protocol"  # what arrived is not the classic suite
    RECORD = "bad-record"
    TRUNCATED = "truncated"
    EXHAUSTED = "exhausted"  # 999999: connect again
    EXPIRED = "expired"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"  # nobody could be dialled


@dataclass(frozen=True, slots=True)
class Asked:
    """At the receiver: ``peer`` has signed and sent the keys, and asks to chat. ``ClassicLink.answer`` answers."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Opened:
    """The receiver's person said OK: texts go both ways. ``initiator``: we are the sender.

    To the sender the peer is not proven before ``Proven``: anybody could have copied its certificate.
    """

    peer: Peer
    initiator: bool


@dataclass(frozen=True, slots=True)
class Proven:
    """At the sender: the receiver's first record verified, so whoever answers has the certificate's key."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Arrived:
    """A whole message, every fragment of it verified."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The link is over; nothing comes after this. ``by_us``: the decision was ours. ``text`` is for people.

    The suite ends by ending the connection: that nothing was cut off is known only inside a message.
    """

    ending: Ending
    text: str
    by_us: bool


Event = Asked | Opened | Proven | Arrived | Closed
