"""What a mailbox's host, a stranger, or a member with bad intentions could make of an envelope."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.crypto.labels import decrypt_with_label, encrypt_with_label
from conclave.crypto.signature import ED25519
from conclave.crypto.suite import HYBRID
from conclave.errors import ConclaveError, DecodeError, LocalError, RemoteError, VerificationError
from conclave.pki import envelope
from conclave.pki.credentials import Credentials
from conclave.pki.envelope import BUCKETS, ITEM_BYTES, ITEMS_MOST, SEALED_BYTES, fits, open_envelope, seal_envelope
from conclave.pki.names import Device, Handle
from conclave.pki.policy import DAY
from conclave.pki.profile import Profile
from conclave.pki.revocation import Revoked, make_crl
from conclave.pki.trust import Trust
from conclave.pki.verify import GRACE_SECONDS
from conclave.wire.codec import Writer
from tests.mls.world import seeded
from tests.pki.ward import NOW, make_ward, rsa_key, ward

random = seeded("envelope")
SUITE = HYBRID
BURAK = Handle("burak")
AYSE = ward().enrol("ayse", Profile.IM)
ENC = SUITE.kem.enc_size


class Key:
    """A recipient's key: both halves of a seal."""

    def __init__(self) -> None:
        self.private = SUITE.kem.derive(random(SUITE.kem.private_size))
        self.public = SUITE.kem.public(self.private)

    def seal(self, label: bytes, context: bytes, plain: bytes) -> bytes:
        return b"".join(encrypt_with_label(SUITE, self.public, label, context, plain, random))

    def open(self, label: bytes, context: bytes, sealed: bytes) -> bytes:
        return decrypt_with_label(SUITE, self.private, label, context, sealed[:ENC], sealed[ENC:])


KEY = Key()


def opened(
    sealed: bytes, *, to: Handle = BURAK, trust: Trust | None = None, now: float = NOW, key: Key = KEY
) -> envelope.OpenedEnvelope:
    return open_envelope(sealed, to, trust or ward().trust, now, [key.open])


def refused(sealed: bytes, reason: str, *, trust: Trust | None = None, now: float = NOW, to: Handle = BURAK) -> None:
    with pytest.raises(VerificationError) as caught:
        opened(sealed, trust=trust, now=now, to=to)
    assert caught.value.reason == reason


def plaintext(
    *,
    version: int = 1,
    sender: Credentials = AYSE,
    chain: tuple[bytes, ...] | None = None,
    sent: float = NOW,
    items: tuple[bytes, ...] = (b"frame",),
    to: str = "burak",
    signer: Credentials | None = None,
    padding: bytes | None = None,
    label: bytes = envelope.LABEL,
) -> bytes:
    """One made by hand, right in everything that is not asked to be wrong."""
    chain = (sender.certificate.der,) if chain is None else chain
    writer = Writer().uint8(version).vector(chain, Writer.opaque).uint64(int(sent * 1000))
    signed = writer.vector(items, Writer.opaque).done()
    signature = ED25519.sign((signer or sender).key.raw(), Writer().raw(label).text(to).raw(signed).done())
    plain = Writer().raw(signed).opaque(signature).done()
    if padding is not None:
        return plain + padding
    return plain.ljust(next((b for b in BUCKETS if b >= len(plain)), len(plain)), b"\0")


def by_hand(plain: bytes, context: bytes = b"burak") -> bytes:
    return KEY.seal(envelope.LABEL, context, plain)


@pytest.mark.parametrize(
    "items", [(b"a",), (b"x" * 90_000,), (b"one", b"two", b"three"), (b"y" * 500,) * 200, (b"z" * (ITEM_BYTES - 4),)]
)
def test_what_is_sealed_is_opened(items: tuple[bytes, ...]) -> None:
    sealed = seal_envelope(AYSE, BURAK, items, NOW, KEY.seal)
    assert len(sealed) <= SEALED_BYTES
    assert opened(sealed) == envelope.OpenedEnvelope(Handle("ayse"), Device("laptop"), NOW, items)
    assert open_envelope(sealed, BURAK, ward().trust, NOW, [Key().open, KEY.open]).items == items


def test_the_one_made_by_hand_is_right() -> None:
    """Else the refusals below would prove nothing."""
    assert opened(by_hand(plaintext())).sender == "ayse"


def test_sizes_tell_only_the_bucket() -> None:
    sizes = {len(seal_envelope(AYSE, BURAK, (b"a" * n,), NOW, KEY.seal)) for n in range(1, 60_000, 997)}
    overhead = len(KEY.seal(b"x", b"", b""))
    assert {size - overhead for size in sizes} <= set(BUCKETS)
    assert len(sizes) == 4


def test_what_does_not_fit_is_ours_to_know() -> None:
    for items in ((), (b"x" * (ITEM_BYTES - 3),), (b"x",) * (ITEMS_MOST + 1)):
        with pytest.raises(LocalError):
            seal_envelope(AYSE, BURAK, items, NOW, KEY.seal)
    assert fits((b"x" * (ITEM_BYTES - 4),))


@pytest.mark.parametrize("now", [NOW - 301, NOW + 10 * DAY + 1])
def test_nothing_is_made_that_nobody_opens(now: float) -> None:
    with pytest.raises(LocalError, match="not valid now"):
        seal_envelope(AYSE, BURAK, (b"a",), now, KEY.seal)


def test_it_is_for_its_recipient_alone() -> None:
    """Neither rerouted as it is, nor unsealed and sealed again by the first recipient for another."""
    sealed = seal_envelope(AYSE, BURAK, (b"a",), NOW, KEY.seal)
    refused(sealed, "unopened", to=Handle("cem"))
    with pytest.raises(VerificationError) as caught:
        open_envelope(sealed, BURAK, ward().trust, NOW, [Key().open])
    assert caught.value.reason == "unopened"
    forwarded = by_hand(KEY.open(envelope.LABEL, b"burak", sealed), b"cem")
    refused(forwarded, "bad-signature", to=Handle("cem"))


def test_the_signature_is_the_certificates() -> None:
    deniz = ward().enrol("deniz", Profile.IM)
    refused(by_hand(plaintext(signer=deniz)), "bad-signature")
    refused(by_hand(plaintext(label=b"conclave mailbox 2")), "bad-signature")
    refused(by_hand(plaintext(to="cem")), "bad-signature")


def test_a_signature_over_other_words() -> None:
    plain = plaintext(items=(b"pay 10",))
    refused(by_hand(plain.replace(b"pay 10", b"pay 99")), "bad-signature")


def test_whose_certificate_counts() -> None:
    refused(by_hand(plaintext(sender=ward().enrol("ayse", Profile.TLS))), "bad-certificate")
    refused(by_hand(plaintext(sender=make_ward("Other").enrol("ayse", Profile.IM))), "unknown-authority")
    revoked = make_crl(ward().issuing, [Revoked(AYSE.certificate.serial, NOW, "key-compromise")], NOW)
    refused(by_hand(plaintext()), "revoked", trust=ward().trust.with_crl(revoked))
    rsa = ward().enrol("ayse", Profile.CLASSIC, key=rsa_key()).certificate.der
    p256 = ward().server().certificate.der
    for other in (rsa, p256):
        refused(by_hand(plaintext(chain=(other,))), "bad-certificate")


def test_a_certificate_of_a_version_that_is_none() -> None:
    """The library has an error of its own for it."""
    der = bytearray(AYSE.certificate.der)
    at = der.index(b"\xa0\x03\x02\x01\x02") + 4
    der[at] = 1
    refused(by_hand(plaintext(chain=(bytes(der),))), "bad-certificate")


def test_a_chain_of_our_authorities_and_nothing_else() -> None:
    issuing, root = (c.der for c in ward().issuing.chain)
    assert opened(by_hand(plaintext(chain=(AYSE.certificate.der, issuing, root))))
    refused(by_hand(plaintext(chain=(AYSE.certificate.der, root))), "bad-certificate")


def test_the_certificate_held_when_it_was_made_and_ended_of_late() -> None:
    end = AYSE.certificate.not_after
    sealed = seal_envelope(AYSE, BURAK, (b"a",), end, KEY.seal)
    assert opened(sealed, now=end + GRACE_SECONDS).sent == end
    refused(sealed, "expired", now=end + GRACE_SECONDS + 1)
    refused(by_hand(plaintext(sent=end + 1)), "expired", now=end + 2)
    refused(by_hand(plaintext(sent=NOW - 301)), "not-yet-valid")
    refused(by_hand(plaintext(sent=1.8e16)), "expired")


@pytest.mark.parametrize(
    "plain",
    [
        plaintext(version=2),
        plaintext(items=()),
        plaintext(items=(b"a", b"")),
        plaintext(items=(b"a",) * (ITEMS_MOST + 1)),
        plaintext(items=(b"a" * (ITEM_BYTES + 1),)),
        plaintext(chain=()),
        plaintext(chain=(AYSE.certificate.der,) * 4),
        plaintext(padding=b""),
        plaintext(padding=bytes(2000)),
        plaintext()[:-1] + b"\1",
        b"",
        b"\1" * 1024,
    ],
)
def test_what_does_not_follow_the_format(plain: bytes) -> None:
    with pytest.raises(DecodeError):
        opened(by_hand(plain))


def test_oversized() -> None:
    with pytest.raises(DecodeError, match="at most"):
        opened(bytes(SEALED_BYTES + 1))


SEALED = seal_envelope(AYSE, BURAK, (b"one", b"two"), NOW, KEY.seal)
PLAIN = plaintext()


@given(at=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
@settings(max_examples=150)
def test_a_changed_bit_never_opens(at: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 1 << bit
    refused(bytes(changed), "unopened")


@given(at=st.integers(0, len(PLAIN) - 1), value=st.integers(0, 255))
@settings(max_examples=300)
def test_a_changed_byte_inside_is_always_found(at: int, value: int) -> None:
    """As somebody who can seal would do it: whatever is inside, it opens only as its author wrote it."""
    changed = bytearray(PLAIN)
    changed[at] = value
    try:
        found = opened(by_hand(bytes(changed)))
    except RemoteError:
        return
    assert bytes(changed) == PLAIN
    assert found.sender == "ayse"


@given(st.binary(max_size=3000), st.booleans())
@settings(max_examples=300)
def test_no_bytes_raise_anything_else(junk: bytes, pad: bool) -> None:
    plain = junk.ljust(1024, b"\0") if pad and len(junk) <= 1024 else junk
    for sealed in (junk, by_hand(plain)):
        with pytest.raises(ConclaveError):
            opened(sealed)
