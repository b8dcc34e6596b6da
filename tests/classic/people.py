"""People with RSA keys for tests of the classic suite, without an authority; two links joined by a fake network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from conclave.classic.events import Answer, Arrived, Asked, Closed, Event, Opened, Verify
from conclave.classic.handshake import Own, Receiver, Sender
from conclave.classic.limits import ClassicLimits
from conclave.classic.machine import ClassicLink
from conclave.crypto.classic import RsaPrivate
from conclave.errors import VerificationError

NOW = 1_800_000_000.0
NONCE = bytes(range(16))
SECRET = bytes(range(100, 132))
LIMITS = ClassicLimits()
PEOPLE = ("ayse", "burak", "cem")


@dataclass(frozen=True)
class Known:
    handle: str
    not_after: float
    public: bytes


@cache
def rsa_key(handle: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pkcs8(handle: str) -> bytes:
    return rsa_key(handle).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@cache
def certificate(handle: str) -> bytes:
    """Signed by nobody but itself: whom to believe is the tests' own ``verifier``."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, handle)])
    start = datetime.fromtimestamp(NOW, UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key(handle).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=10))
    )
    return built.sign(rsa_key(handle), hashes.SHA256()).public_bytes(Encoding.PEM)


@cache
def own(handle: str) -> Own:
    return Own(certificate(handle), RsaPrivate(pkcs8(handle)))


def verifier(expected: str | None = None) -> Verify:
    """Believes the certificates that were made here."""

    def verify(pem: bytes, now: float) -> Known:
        handle = next((known for known in PEOPLE if certificate(known) == pem), "")
        if not handle:
            raise VerificationError("not one of ours", reason="unknown-authority")
        read = x509.load_pem_x509_certificate(pem)
        if expected not in (None, handle):
            raise VerificationError(f"{handle} instead of {expected}", reason="unexpected-handle")
        public = read.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Known(handle, read.not_valid_after_utc.timestamp(), public)

    return verify


def sender(handle: str = "ayse", to: str = "burak") -> Sender:
    return Sender(own(handle), verifier(to), SECRET)


def receiver(handle: str = "burak", *, free: bool = True) -> Receiver:
    return Receiver(own(handle), verifier(), NONCE, free=lambda: free)


class End:
    """One link and everything that it told."""

    def __init__(self, link: ClassicLink) -> None:
        self.link = link
        self.events: list[Event] = []
        self.sent = b""

    def give(self, data: bytes, now: float = NOW) -> None:
        self.link.receive(data, now)
        self.look()

    def look(self) -> None:
        self.events += self.link.events()

    def take(self) -> bytes:
        data = self.link.data_to_send()
        self.look()
        self.sent += data
        return data

    @property
    def messages(self) -> list[bytes]:
        return [event.message for event in self.events if isinstance(event, Arrived)]

    @property
    def proven(self) -> bool:
        return self.link.proven

    @property
    def asked(self) -> bool:
        return any(isinstance(event, Asked) for event in self.events)

    @property
    def opened(self) -> bool:
        return any(isinstance(event, Opened) for event in self.events)

    @property
    def closed(self) -> Closed | None:
        return next((event for event in self.events if isinstance(event, Closed)), None)


class Pair:
    """Two links and the wire between them."""

    def __init__(
        self,
        one: Sender | None = None,
        other: Receiver | None = None,
        *,
        limits: ClassicLimits = LIMITS,
        first: int = 1,
        answer: Answer | None = Answer.OK,
    ) -> None:
        self.sender = End(ClassicLink(one or sender(), limits, NOW, first=first))
        self.receiver = End(ClassicLink(other or receiver(), limits, NOW, first=first))
        self.answer = answer

    def run(self) -> Pair:
        """Carry bytes to and fro until nobody says anything more."""
        while True:
            up, down = self.sender.take(), self.receiver.take()
            if not up and not down:
                if self.answer is None or not self.receiver.asked or self.receiver.opened or self.receiver.closed:
                    return self
                self.receiver.link.answer(self.answer, NOW)
                self.receiver.look()
                continue
            self.receiver.give(up)
            self.sender.give(down)
