"""Phase 2: the nine messages, one class for each role. A frame's body in, the bodies to send out; then the keys.

Each class has a handler for each state of its half of ``state.TRANSITIONS``. What is wrong raises; nothing is sent
then but the word that the table has for it, which ``last_words`` holds. Randomness is handed in. Left out: frames,
time and the answer of a person (``machine``).
"""

from __future__ import annotations

from collections.abc import Callable

from conclave.classic.events import Peer, Verify
from conclave.classic.keys import NONCE_BYTES, SECRET_BYTES, Keys, derive_keys
from conclave.classic.state import State, Step, follow
from conclave.crypto.classic import RsaPrivate, RsaPublic
from conclave.errors import DecodeError, LocalError, Refused, RemoteError, VerificationError
from conclave.values import dataclass, field

HELLO, OK, BUSY, ACK, DENIED, REJECT = b"HELLO", b"OK", b"BUSY", b"ACK", b"DENIED", b"REJECT"
PEM_BEGIN = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Own:
    """What we show and prove: our certificate (PEM) and its RSA key."""

    certificate: bytes
    key: RsaPrivate = field(repr=False)


def _shown(body: bytes, verify: Verify, now: float) -> tuple[Peer, RsaPublic]:
    """The peer whose certificate arrived, and its key. Raises ``VerificationError``."""
    if not body.startswith(PEM_BEGIN):
        raise VerificationError("what was shown as a certificate is not one in PEM")
    peer = verify(body, now)
    try:
        return peer, RsaPublic(peer.public)
    except DecodeError as error:
        raise VerificationError(f"{peer.handle}'s certificate is not of RSA") from error


def _unexpected(state: State) -> RemoteError:
    return RemoteError(f"the other side does not follow the classic handshake ({state.name.lower()})")


class Sender:
    """The half of whoever starts the conversation. ``secret``: 32 fresh random bytes, the master secret."""

    __slots__ = ("_nonce", "_own", "_public", "_secret", "_verify", "keys", "last_words", "peer", "state")

    def __init__(self, own: Own, verify: Verify, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise LocalError(f"a master secret has {SECRET_BYTES} bytes")
        self._own = own
        self._verify = verify
        self._secret = secret
        self._nonce = b""
        self._public: RsaPublic | None = None
        self.state = State.GREETING
        self.peer: Peer | None = None
        self.keys: Keys | None = None
        self.last_words = b""

    def begin(self) -> tuple[bytes, ...]:
        """What the handshake begins with."""
        return (HELLO,)

    def take(self, body: bytes, now: float) -> tuple[bytes, ...]:
        """Take a message, give those that answer it.

        Raises ``Refused`` (``busy``, ``rejected``, ``denied``), ``VerificationError`` and ``RemoteError``.
        """
        match self.state:
            case State.GREETING:
                return self._greeted(body)
            case State.SHOWN:
                return self._challenged(body)
            case State.CHALLENGED:
                return self._met(body, now)
            case State.SIGNED:
                return self._acknowledged(body)
            case State.ASKING:
                return self._answered(body)
            case _:
                raise _unexpected(self.state)

    def _greeted(self, body: bytes) -> tuple[bytes, ...]:
        if body == BUSY:
            self.state = follow(self.state, Step.BUSY)
            raise Refused("the other side is busy", reason="busy", remedy="try again later")
        if body != OK:
            raise _unexpected(self.state)
        self.state = follow(self.state, Step.OK)
        return (self._own.certificate,)

    def _challenged(self, body: bytes) -> tuple[bytes, ...]:
        nonce = self._own.key.decrypt(body)
        if len(nonce) != NONCE_BYTES:
            raise RemoteError(f"the nonce does not have {NONCE_BYTES} bytes")
        self._nonce = nonce
        self.state = follow(self.state, Step.NONCE)
        return ()

    def _met(self, body: bytes, now: float) -> tuple[bytes, ...]:
        self.peer, self._public = _shown(body, self._verify, now)
        self.state = follow(self.state, Step.CERTIFICATE)
        return (self._own.key.sign(self._nonce),)

    def _acknowledged(self, body: bytes) -> tuple[bytes, ...]:
        if body == DENIED:
            self.state = follow(self.state, Step.DENIED)
            raise Refused("the other side says that our signature does not verify", reason="denied")
        if body != ACK or self._public is None:
            raise _unexpected(self.state)
        self.keys = derive_keys(self._secret, self._nonce)
        self.state = follow(self.state, Step.ACK)
        return (self._public.encrypt(self._secret),)

    def _answered(self, body: bytes) -> tuple[bytes, ...]:
        if body == REJECT:
            self.state = follow(self.state, Step.REJECT)
            raise Refused("the other side said no", reason="rejected")
        if body == BUSY:
            self.state = follow(self.state, Step.BUSY)
            raise Refused("the other side is busy", reason="busy", remedy="try again later")
        if body != OK:
            raise _unexpected(self.state)
        self.state = follow(self.state, Step.OK)
        return ()


class Receiver:
    """The half of whoever answers. ``nonce``: 16 fresh random bytes; not ``free``: HELLO is answered with BUSY."""

    __slots__ = ("_free", "_nonce", "_own", "_public", "_verify", "keys", "last_words", "peer", "state")

    def __init__(self, own: Own, verify: Verify, nonce: bytes, *, free: Callable[[], bool] = lambda: True) -> None:
        if len(nonce) != NONCE_BYTES:
            raise LocalError(f"a nonce has {NONCE_BYTES} bytes")
        self._own = own
        self._verify = verify
        self._nonce = nonce
        self._free = free
        self._public: RsaPublic | None = None
        self.state = State.LISTENING
        self.peer: Peer | None = None
        self.keys: Keys | None = None
        self.last_words = b""

    def begin(self) -> tuple[bytes, ...]:
        """Nothing: the receiver listens."""
        return ()

    def take(self, body: bytes, now: float) -> tuple[bytes, ...]:
        """Take a message, give those that answer it. Raises as ``Sender.take``."""
        match self.state:
            case State.LISTENING:
                return self._greeted(body)
            case State.WELCOMED:
                return self._met(body, now)
            case State.CHALLENGING:
                return self._proved(body)
            case State.ACKNOWLEDGED:
                return self._keyed(body)
            case _:
                raise _unexpected(self.state)

    def _greeted(self, body: bytes) -> tuple[bytes, ...]:
        if body != HELLO:
            raise _unexpected(self.state)
        if not self._free():
            self.state = follow(self.state, Step.FULL)
            self.last_words = BUSY
            raise Refused("we have links enough", reason="busy")
        self.state = follow(self.state, Step.HELLO)
        return (OK,)

    def _met(self, body: bytes, now: float) -> tuple[bytes, ...]:
        self.peer, self._public = _shown(body, self._verify, now)
        self.state = follow(self.state, Step.CERTIFICATE)
        return (self._public.encrypt(self._nonce), self._own.certificate)

    def _proved(self, body: bytes) -> tuple[bytes, ...]:
        if self._public is None:  # pragma: no cover - CHALLENGING is entered with a key only
            raise _unexpected(self.state)
        try:
            self._public.verify(self._nonce, body)
        except VerificationError:
            self.state = follow(self.state, Step.FORGED)
            self.last_words = DENIED
            raise
        self.state = follow(self.state, Step.SIGNATURE)
        return (ACK,)

    def _keyed(self, body: bytes) -> tuple[bytes, ...]:
        secret = self._own.key.decrypt(body)
        if len(secret) != SECRET_BYTES:
            raise RemoteError(f"the master secret does not have {SECRET_BYTES} bytes")
        self.keys = derive_keys(secret, self._nonce)
        self.state = follow(self.state, Step.SECRET)
        return ()

    def answer(self, step: Step) -> bytes:
        """The person's answer: ``OK``, ``REJECT`` or ``BUSY``. Raises ``LocalError`` where nobody was asked."""
        words = {Step.OK: OK, Step.REJECT: REJECT, Step.BUSY: BUSY}[step]
        self.state = follow(self.state, step)
        return words
