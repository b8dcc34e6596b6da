"""The states of a link. Everything that affects state and its transitions lives here.

::

                 secured          greeted           farewell         answered, gave_up
    HANDSHAKE ------------> HELLO ----------> OPEN ------------> CLOSING ------------> CLOSED
        |                     |                 |                                         ^
        +---------------------+-----------------+------------- ended ---------------------+

HANDSHAKE: TLS is not up, or the other side's certificate is not verified yet. Nothing that arrives is believed;
its size and time are bounded by ``handshake_bytes`` and ``handshake_seconds``, which runs on into HELLO.

HELLO: we know who is there, and our hello is on its way. In TLS 1.3 whoever dialled comes here before the listener
has judged the dialler's certificate; so *their hello*, and nothing earlier, proves that we were accepted. It is
limited to ``hello_bytes``. Nothing but a hello or a close may come.

OPEN: frames of the conversation tier go both ways; heartbeats watch over silence. A second hello is a breach.

CLOSING: we said farewell (done, going away, duplicate) and wait, at most ``close_seconds``, for the other side's.
What it sent before it knew is still handed out: those frames were sent in good faith. We send nothing more.

CLOSED: over. Every other way to the end comes here at once from any state: the other side's close frame (answered
with ours, in the same step), a breach of the protocol, a certificate that does not hold, silence, a cut. A close
frame tells the other side why wherever TLS still allows one; nobody waits for the answer of a side at fault.

An end is *clean* only where the other side's close frame arrived; a stream that ends without one was truncated,
by the network or by an attacker who can cut what he cannot read.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from conclave.errors import LocalError
from conclave.wire.link import CloseReason


class State(Enum):
    """Where a link stands."""

    HANDSHAKE = auto()
    HELLO = auto()
    OPEN = auto()
    CLOSING = auto()
    CLOSED = auto()


class Step(Enum):
    """What moves a link on."""

    SECURED = auto()
    """TLS is up and the other side's certificate holds."""
    GREETED = auto()
    """The other side's hello arrived and agrees with ours."""
    FAREWELL = auto()
    """We sent a close frame and wait for the other side's."""
    ANSWERED = auto()
    """The other side's close frame came back."""
    GAVE_UP = auto()
    """Its close frame did not come: the stream ended, or the time is up."""
    ENDED = auto()
    """Over at once: its close frame, its breach, its silence, a cut, or our refusal."""


TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.HANDSHAKE, Step.SECURED): State.HELLO,
    (State.HANDSHAKE, Step.ENDED): State.CLOSED,
    (State.HELLO, Step.GREETED): State.OPEN,
    (State.HELLO, Step.ENDED): State.CLOSED,
    (State.OPEN, Step.FAREWELL): State.CLOSING,
    (State.OPEN, Step.ENDED): State.CLOSED,
    (State.CLOSING, Step.ANSWERED): State.CLOSED,
    (State.CLOSING, Step.GAVE_UP): State.CLOSED,
}
"""Whatever is not in this table cannot happen."""

FAREWELLS: Final = frozenset({CloseReason.DONE, CloseReason.GOING_AWAY, CloseReason.DUPLICATE})
"""Reasons between sides that are both in good order: an open link that ends for one of these waits for the answer."""


def follow(state: State, step: Step) -> State:
    """The state after ``step``. Raises ``LocalError`` for a step that the table does not have."""
    after = TRANSITIONS.get((state, step))
    if after is None:
        raise LocalError(f"a link in state {state.name} cannot take the step {step.name}")
    return after
