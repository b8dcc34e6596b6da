"""Is this certificate the peer's? From bytes and a ``Trust`` to a ``VerifiedPeer``, or an error that says why not.

The path is validated by the stock library and every rule of ours is checked besides it, because the stock one knows
nothing of revocation, of our two names and of our profiles, and because its errors do not say what to do. The rules
stand in ``docs/validation.md``. Verification needs no network; how old the revocation list is, ``Trust`` tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import verification

from conclave.errors import ConclaveError, DecodeError, VerificationError
from conclave.pki.certificate import PARSE_ERRORS, Certificate, moment, read_certificate, read_serial, utc
from conclave.pki.keys import demand_kind
from conclave.pki.names import Device, Handle, Identity, Realm, parse_identity, quote
from conclave.pki.policy import DAY, made_at
from conclave.pki.profile import RULES, Profile, key_usage
from conclave.pki.revocation import Revocation, Revoked, because
from conclave.pki.trust import Trust
from conclave.values import dataclass

GRACE_SECONDS = 14 * DAY
"""Longest time after its end for which a certificate still vouches for what was signed with it while it was valid,
and for which revocation lists name it on: as long as a mailbox keeps what is in it."""

CLOCK_REMEDY = "check the clock of this machine; if it is right, the other side's is wrong"


@dataclass(frozen=True, slots=True)
class VerifiedPeer:
    """Who is at the other end, as the authority certified it. Times are UNIX seconds."""

    handle: Handle
    device: Device
    realm: Realm
    profile: Profile
    serial: int
    not_before: float
    not_after: float
    fingerprint: bytes
    """SHA-256 over the certificate's DER (32 bytes)."""
    public: bytes
    """SubjectPublicKeyInfo DER."""
    der: bytes

    @property
    def identity(self) -> Identity:
        """The names alone."""
        return Identity(self.handle, self.device, self.realm)


def verify_peer(
    leaf_der: bytes, trust: Trust, now: float, profile: Profile, expected: Handle | None = None
) -> VerifiedPeer:
    """Verify a peer's certificate for ``profile`` at the time ``now``, and that it is ``expected``'s where given.

    Raises ``VerificationError`` whose ``reason`` is a word of ``wire.link.CloseReason``: ``bad-certificate``,
    ``unknown-authority``, ``expired``, ``not-yet-valid``, ``revoked`` or ``unexpected-handle``.
    """
    leaf = _read(leaf_der)
    peer = _verify(leaf, _find_issuer(leaf, trust), trust, now, profile)
    if expected is not None and peer.handle != expected:
        raise VerificationError(
            f"the certificate is {peer.handle}'s, where {expected}'s was expected",
            reason="unexpected-handle",
            remedy=f"look {expected} up in the directory again: somebody else answers at this address",
        )
    return peer


def verify_credential(chain: Sequence[bytes], trust: Trust, now: float, grace: float = 0.0) -> VerifiedPeer:
    """Verify a credential of the conversation tier: a chain for profile ``im``, leaf first.

    For ``grace`` seconds after its end, at most ``GRACE_SECONDS``, a certificate that was not revoked is judged as
    at its end: for what waited, not for what is new. What stands above the leaf must be our own authorities, nearest
    first. Raises as ``verify_peer`` does.
    """
    leaf, issuer = _leaf_of(chain, trust)
    lapsed = leaf.not_after < now <= leaf.not_after + min(grace, GRACE_SECONDS)
    return _verify(leaf, issuer, trust, leaf.not_after if lapsed else now, Profile.IM)


def verify_member(chain: Sequence[bytes], trust: Trust) -> VerifiedPeer:
    """Verify the credential of somebody who is in already: that it is the authority's, and whose.

    It is judged as at its own end, whatever the time is, and may have been revoked since: all who are in must judge
    it alike, whenever they do. Raises as ``verify_peer`` does.
    """
    leaf, issuer = _leaf_of(chain, trust)
    return _verify(leaf, issuer, trust, leaf.not_after, Profile.IM, revocable=False)


def _leaf_of(chain: Sequence[bytes], trust: Trust) -> tuple[Certificate, Certificate]:
    """The leaf of a credential, and who issued it."""
    if not chain:
        raise VerificationError("a credential without a certificate", remedy="ask the other side to enrol again")
    leaf = _read(chain[0])
    issuer = _find_issuer(leaf, trust)
    if tuple(chain[1:]) != (issuer.der, trust.root.der)[: len(chain) - 1]:
        raise _bad(leaf, "comes with certificates that are not those of the authorities above it")
    return leaf, issuer


def issued_at(der: bytes) -> float:
    """``made_at`` of a certificate (DER), nothing of it proven. Raises ``VerificationError``."""
    return made_at(_read(der).not_before)


def revocation(leaf_der: bytes, trust: Trust) -> Revocation | None:
    """What a revocation list says of a certificate, ended or not; None where none of ours names it."""
    try:
        if not trust.names(read_serial(leaf_der)):
            return None
        leaf = _read(leaf_der)
        entry = trust.revoked(_find_issuer(leaf, trust), leaf.serial)
    except (DecodeError, VerificationError):
        return None
    return None if entry is None else Revocation(_words(leaf, entry), entry.suspended)


def _verify(
    leaf: Certificate, issuer: Certificate, trust: Trust, now: float, profile: Profile, *, revocable: bool = True
) -> VerifiedPeer:
    for certificate in (trust.root, issuer, leaf):
        _demand_current(certificate, now)
    if revocable:
        _demand_not_revoked(leaf, issuer, trust)
    _demand_path(leaf, issuer, trust, now, profile)
    _demand_profile(leaf, profile)
    identity = _read_identity(leaf, trust)
    return VerifiedPeer(
        identity.handle,
        identity.device,
        identity.realm,
        profile,
        leaf.serial,
        leaf.not_before,
        leaf.not_after,
        leaf.fingerprint,
        leaf.public,
        leaf.der,
    )


def _read(der: bytes) -> Certificate:
    try:
        return read_certificate(der)
    except DecodeError as error:
        raise VerificationError(str(error), remedy="ask the other side to enrol again") from error


def _bad(leaf: Certificate, what: str) -> VerificationError:
    return VerificationError(f"{leaf.label} {what}", remedy="ask its owner to enrol again")


def _find_issuer(leaf: Certificate, trust: Trust) -> Certificate:
    named = [c for c in trust.issuing if c.inner.subject == leaf.inner.issuer]
    for issuer in named:
        try:
            leaf.inner.verify_directly_issued_by(issuer.inner)
        except (*PARSE_ERRORS, InvalidSignature):
            continue
        return issuer
    if leaf.inner.issuer == leaf.inner.subject:
        why = "is signed by nobody but itself"
    elif named:
        why = "claims to be from our authority: the signature is not our authority's"
    else:
        why = "comes from an authority that is not ours"
    raise VerificationError(
        f"a certificate for {quote(leaf.common_name)} {why}",
        reason="unknown-authority",
        remedy=f"ask its owner to join with an invite: only certificates of the authority of {trust.realm} count",
    )


def _demand_current(certificate: Certificate, now: float) -> None:
    if now < certificate.not_before:
        raise VerificationError(
            f"{certificate.label} is valid only from {moment(certificate.not_before)}; here it is {moment(now)}",
            reason="not-yet-valid",
            remedy=CLOCK_REMEDY,
        )
    if now > certificate.not_after:
        raise VerificationError(
            f"{certificate.label} expired on {moment(certificate.not_after)}; here it is {moment(now)}",
            reason="expired",
            remedy="ask its owner to renew it: conclave up while the authority can be reached, or join again",
        )


def _demand_not_revoked(leaf: Certificate, issuer: Certificate, trust: Trust) -> None:
    entry = trust.revoked(issuer, leaf.serial)
    if entry is not None:
        remedy = " to resume the account" if entry.suspended else ": its owner needs a new invite"
        raise VerificationError(
            _words(leaf, entry), reason="revoked", remedy=f"ask whoever runs the authority{remedy}"
        )


def _words(leaf: Certificate, entry: Revoked) -> str:
    if entry.suspended:
        return f"{leaf.label} has been suspended since {moment(entry.since)}"
    return f"{leaf.label} was revoked on {moment(entry.since)}{because(entry.reason)}"


def _demand_path(leaf: Certificate, issuer: Certificate, trust: Trust, now: float, profile: Profile) -> None:
    wanted = RULES[profile].purposes

    def purposes(_: verification.Policy, __: x509.Certificate, found: x509.ExtendedKeyUsage) -> None:
        # The stock check wants clientAuth, which only one of our profiles has: replaced, not dropped.
        if set(found) != wanted:
            raise ValueError("key purposes of another profile")

    leaf_policy = verification.ExtensionPolicy.webpki_defaults_ee().require_present(
        x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, purposes
    )
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([trust.root.inner]))
        .time(utc(now))
        .max_chain_depth(1)
        .extension_policies(ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf_policy)
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf.inner, [issuer.inner])
    except (verification.VerificationError, *PARSE_ERRORS) as error:
        raise _bad(leaf, f"does not hold as a certificate of the profile {profile.value!r}: {error}") from error


def _demand_profile(leaf: Certificate, profile: Profile) -> None:
    rules = RULES[profile]
    try:
        demand_kind(leaf.public, rules.key)
        usage = leaf.inner.extensions.get_extension_for_class(x509.KeyUsage).value
        basic = leaf.inner.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise _bad(leaf, "lacks key usage or basic constraints") from error
    except ConclaveError as error:
        raise _bad(leaf, f"has an unsuitable key: {error}") from error
    if basic.ca or usage != key_usage(signs=True, enciphers=rules.key_encipherment):
        raise _bad(leaf, f"has a key usage other than that of the profile {profile.value!r}")


def claimed_identity(der: bytes) -> Identity:
    """The names in a certificate, nothing of it proven. Raises ``VerificationError``."""
    leaf = _read(der)
    try:
        return _names(leaf)
    except x509.ExtensionNotFound as error:
        raise _bad(leaf, "carries no names") from error


def _read_identity(leaf: Certificate, trust: Trust) -> Identity:
    identity = _names(leaf)
    if identity.realm != trust.realm:
        raise _bad(leaf, f"is for the realm {identity.realm}, and this is {trust.realm}")
    return identity


def _names(leaf: Certificate) -> Identity:
    names = leaf.inner.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    dns = names.get_values_for_type(x509.DNSName)
    if len(uris) != 1 or len(dns) != 1 or len(names) != 2:
        raise _bad(leaf, "does not carry exactly one im: name and one DNS name")
    try:
        return parse_identity(uris[0], dns[0])
    except DecodeError as error:
        raise _bad(leaf, f"carries names that do not hold: {error}") from error
