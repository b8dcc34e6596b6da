"""What a front may be told of legacy links; ``node.notices.as_json`` writes them as all others."""

from __future__ import annotations

from conclave.values import dataclass


@dataclass(frozen=True, slots=True)
class LegacyAsked:
    """``peer`` asks to chat over a legacy link; it waits until we answer, or hangs up."""

    peer: str


@dataclass(frozen=True, slots=True)
class LegacyAnswered:
    """``peer`` answered our call: ``accepted``, ``rejected`` or ``busy``."""

    peer: str
    answer: str


@dataclass(frozen=True, slots=True)
class LegacyOpened:
    """A legacy link to ``peer`` is open. Not ``proven``: it has shown a certificate, and not yet used its key."""

    peer: str
    address: str
    proven: bool


@dataclass(frozen=True, slots=True)
class LegacyProven:
    """The peer's first record verified: it has the key of the certificate that it showed."""

    peer: str
    address: str


@dataclass(frozen=True, slots=True)
class LegacyClosed:
    """The legacy link to ``peer`` ended. ``reason`` is a word of ``classic.events.Ending``."""

    peer: str
    reason: str
    text: str


LegacyNotice = LegacyAsked | LegacyAnswered | LegacyOpened | LegacyProven | LegacyClosed
