"""The states of a classic link. Everything that affects state and its transitions lives here.

::

    sender:    GREETING --OK--> SHOWN --nonce--> CHALLENGED --certificate--> SIGNED --ACK--> ASKING --OK--> OPEN
    receiver:  LISTENING --HELLO--> WELCOMED --certificate--> CHALLENGING --signature--> ACKNOWLEDGED --MSK--> ASKED
               ASKED --our OK--> OPEN

The steps are the nine messages of ``docs/protocol.md``, as they arrive, and the receiver's own answers. What each
state waits for:

GREETING: sent HELLO (1). OK: the certificate (3) goes out. BUSY ends.
SHOWN: the nonce (4). It opens under our private key, or the link ends.
CHALLENGED: the receiver's certificate (5). It is verified, expected handle included, *before* the nonce is signed
(6): whoever shows another's certificate gets no signature.
SIGNED: ACK (7) lets the master secret (8) go out, and the keys are there. DENIED ends.
ASKING: the person's answer (9). OK opens; REJECT and BUSY end.

LISTENING: HELLO (1) is answered with OK (2), or with BUSY where we have links enough.
WELCOMED: the sender's certificate (3). It is verified; then nonce (4) and our certificate (5) go out together.
CHALLENGING: the signature (6). It is answered with ACK (7), or with DENIED where it does not verify.
ACKNOWLEDGED: the master secret (8). Where it opens, the keys are there, and the person is asked.
ASKED: nothing may arrive. The person's answer (9) goes out.

OPEN: records both ways. CLOSED: over; every state comes here at once on any fault, on silence, and on a cut.

Only the answers that the table names are ever sent: a certificate that does not hold ends the connection without a
word on the wire, and with a reason for our own side.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from conclave.crypto.classic import RSA_BYTES_MOST
from conclave.errors import LocalError


class State(Enum):
    """Where a classic link stands."""

    GREETING = auto()
    SHOWN = auto()
    CHALLENGED = auto()
    SIGNED = auto()
    ASKING = auto()

    LISTENING = auto()
    WELCOMED = auto()
    CHALLENGING = auto()
    ACKNOWLEDGED = auto()
    ASKED = auto()

    OPEN = auto()
    CLOSED = auto()


class Step(Enum):
    """What moves a classic link on."""

    HELLO = auto()
    OK = auto()
    BUSY = auto()
    CERTIFICATE = auto()
    NONCE = auto()
    SIGNATURE = auto()
    ACK = auto()
    DENIED = auto()
    SECRET = auto()
    REJECT = auto()
    FULL = auto()
    """A HELLO arrived where we have links enough: BUSY is said."""
    FORGED = auto()
    """A signature arrived that does not verify: DENIED is said."""
    ENDED = auto()
    """Over at once: a fault, silence, a cut, or our own wish."""


TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.GREETING, Step.OK): State.SHOWN,
    (State.GREETING, Step.BUSY): State.CLOSED,
    (State.SHOWN, Step.NONCE): State.CHALLENGED,
    (State.CHALLENGED, Step.CERTIFICATE): State.SIGNED,
    (State.SIGNED, Step.ACK): State.ASKING,
    (State.SIGNED, Step.DENIED): State.CLOSED,
    (State.ASKING, Step.OK): State.OPEN,
    (State.ASKING, Step.REJECT): State.CLOSED,
    (State.ASKING, Step.BUSY): State.CLOSED,
    (State.LISTENING, Step.HELLO): State.WELCOMED,
    (State.LISTENING, Step.FULL): State.CLOSED,
    (State.WELCOMED, Step.CERTIFICATE): State.CHALLENGING,
    (State.CHALLENGING, Step.SIGNATURE): State.ACKNOWLEDGED,
    (State.CHALLENGING, Step.FORGED): State.CLOSED,
    (State.ACKNOWLEDGED, Step.SECRET): State.ASKED,
    (State.ASKED, Step.OK): State.OPEN,
    (State.ASKED, Step.REJECT): State.CLOSED,
    (State.ASKED, Step.BUSY): State.CLOSED,
    **{(state, Step.ENDED): State.CLOSED for state in State if state is not State.CLOSED},
}
"""Whatever is not in this table cannot happen."""

_WORD_BYTES: Final = 6  # HELLO, OK, BUSY, ACK, DENIED, REJECT
CERTIFICATE_BYTES: Final = 8 * 1024
"""The longest certificate that is read, in PEM."""

BODY_BYTES: Final[dict[State, int]] = {
    State.GREETING: _WORD_BYTES,
    State.SHOWN: RSA_BYTES_MOST,
    State.CHALLENGED: CERTIFICATE_BYTES,
    State.SIGNED: _WORD_BYTES,
    State.ASKING: _WORD_BYTES,
    State.LISTENING: _WORD_BYTES,
    State.WELCOMED: CERTIFICATE_BYTES,
    State.CHALLENGING: RSA_BYTES_MOST,
    State.ACKNOWLEDGED: RSA_BYTES_MOST,
}
"""The longest body that may arrive in each state of the handshake; in the others none may."""


def follow(state: State, step: Step) -> State:
    """The state after ``step``. Raises ``LocalError`` for a step that the table does not have."""
    after = TRANSITIONS.get((state, step))
    if after is None:
        raise LocalError(f"a classic link in state {state.name} cannot take the step {step.name}")
    return after
