"""Who this node is, from its vault: keys, certificates, and whom it believes; kept up to date there.

TLS contexts are never changed: after a renewal another is built, and the next connection uses it. Left out: how the
identity was come by (``node.home.enrolment``) and the connection to the authority (``node.directory``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from conclave.chat.state import Judges, Own
from conclave.crypto.suite import HYBRID_CODE
from conclave.errors import LocalError, NotEnrolled, StorageError, VerificationError
from conclave.link.events import Peer, Verify
from conclave.mls.group import Credential
from conclave.net.contexts import Context, link_client_context, link_server_context
from conclave.node.authentication import members, verifier
from conclave.pki.address import Address, parse_address
from conclave.pki.certificate import Certificate, moment, read_certificate
from conclave.pki.credentials import Credentials, authority_realm
from conclave.pki.keys import read_key
from conclave.pki.names import Handle, parse_handle
from conclave.pki.profile import RULES, Profile
from conclave.pki.revocation import RevocationList
from conclave.pki.trust import Trust
from conclave.pki.verify import VerifiedPeer, revocation, verify_peer
from conclave.store import vault as vaults
from conclave.values import replace

log = logging.getLogger(__name__)


class Identity:
    """One enrolled device. Raises ``LocalError`` where the vault holds no complete enrolment."""

    def __init__(self, vault: vaults.OpenVault, authority: str = "") -> None:
        content = vault.content
        if not content.profiles:
            raise NotEnrolled(
                "this home was restored and has no certificate yet"
                if content.trust.root and content.pending is None
                else "enrolment was begun here but not finished",
                remedy="give the invite again, or a new one: conclave join '<invite>'; by file: conclave join "
                "--certificates DIR",
            )
        self._vault = vault
        self.handle: Handle = parse_handle(content.handle)
        self.device = content.device
        self.trust = read_trust(content.trust)
        self.addresses: tuple[Address, ...] = tuple(
            parse_address(text) for text in ((authority,) if authority else content.authorities)
        )
        self._credentials = {
            profile.name: read_credentials(profile) for profile in content.profiles
        }  # fmt: skip
        self._contexts: tuple[Context, Context] | None = None

    @property
    def realm(self) -> str:
        """The organisation's DNS name."""
        return self.trust.realm

    @property
    def database_key(self) -> bytes:
        """The history's raw key (32 bytes)."""
        return self._vault.content.database_key

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The purposes that this device has certificates for."""
        return tuple(Profile(name) for name in self._credentials)

    def credentials(self, profile: Profile) -> Credentials:
        """Key and chain of one purpose. Raises ``LocalError`` where the device has none."""
        self._vault.content.profile(profile.value)
        return self._credentials[profile.value]

    def demand_valid(self, now: float) -> None:
        """Raise ``VerificationError`` where our own certificate is not valid now: peers would say so less clearly."""
        own = self._credentials[Profile.TLS.value].certificate
        if now < own.not_before:
            raise VerificationError(
                f"your own certificate is valid only from {moment(own.not_before)} on",
                reason="not-yet-valid",
                remedy="set this machine's clock; if it is right, the authority's is wrong",
            )
        if now >= own.not_after:
            raise VerificationError(
                f"your own certificate ended at {moment(own.not_after)}",
                reason="expired",
                remedy="it is renewed while the authority can be reached in time; now ask for a new invite, then: "
                "conclave join '<invite>'",
            )

    # For conversations.

    def own(self) -> Own:
        """Who we are in every group: the newest ``im`` certificate, alone, and its key."""
        held = self.credentials(Profile.IM)
        leaf = Credential.x509((held.certificate.der,))
        return Own(leaf, held.key.raw(), HYBRID_CODE, held.certificate.not_after)

    def judges(self) -> Judges:
        """Whom we believe now. Members who were expelled are put out by a commit, not by disbelief in the group."""
        trust = self.trust
        return Judges(verifier(trust), members(trust), lambda der: revocation(der, trust))

    # For links.

    def client_context(self) -> Context:
        """For dialling peers, with the newest certificate."""
        return self._both()[0]

    def server_context(self) -> Context:
        """For listening to peers, with the newest certificate."""
        return self._both()[1]

    def _both(self) -> tuple[Context, Context]:
        if self._contexts is None:
            credentials = self._credentials[Profile.TLS.value]
            self._contexts = (
                link_client_context(credentials, self.trust),
                link_server_context(credentials, self.trust),
            )
        return self._contexts

    def verify_anyone(self, leaf: bytes, now: float) -> VerifiedPeer:
        """Any member of the realm may dial us. Raises ``VerificationError``."""
        return verify_peer(leaf, self.trust, now, Profile.TLS)

    def verify_only(self, handle: str) -> Verify:
        """Whom we dial must be ``handle``, whoever answers."""
        expected = parse_handle(handle)
        return lambda leaf, now: verify_peer(leaf, self.trust, now, Profile.TLS, expected)

    def verify_again(self, peer: Peer, now: float) -> VerifiedPeer:
        """Somebody with whom a link is open already. Raises ``VerificationError``."""
        if not isinstance(peer, VerifiedPeer):  # pragma: no cover - both verifiers above give one
            raise LocalError("that peer was never verified")
        return verify_peer(peer.der, self.trust, now, Profile.TLS)

    # What changes.

    def take_crl(self, crl: RevocationList) -> bool:
        """Believe a newer revocation list, and keep it where the disk allows. Whether it was newer."""
        trust = self.trust.with_crl(crl)
        if trust is self.trust:
            return False
        self.trust = trust
        content = self._vault.content
        try:
            self._vault.rewrite(replace(content, trust=replace(content.trust, crl=crl.der)))
        except StorageError as error:
            log.error("the new revocation list holds, but is not kept: %s", error)  # noqa: TRY400 - for people
        return True

    def take_chain(self, profile: Profile, key: bytes, chain: Sequence[Certificate]) -> None:
        """Keep a renewed certificate; connections from now on use it. Raises ``StorageError``; the old one stands."""
        content = self._vault.content
        renewed = vaults.Profile(profile.value, key, tuple(certificate.der for certificate in chain))
        profiles = tuple(renewed if held.name == profile.value else held for held in content.profiles)
        self._vault.rewrite(replace(content, profiles=profiles))
        self._credentials[profile.value] = read_credentials(renewed)
        self._contexts = None

    def describe(self) -> dict[str, Any]:
        """What ``status`` tells of it."""
        return {
            "handle": self.handle,
            "realm": self.realm,
            "device": self.device,
            "root_sha256": self.trust.root.fingerprint.hex(),
            "crl_time": self.trust.crl_time,
            "certificates": [
                {
                    "profile": name,
                    "until": held.certificate.not_after,
                    "serial": f"{held.certificate.serial:x}",
                    "fingerprint": held.certificate.fingerprint.hex(),
                }
                for name, held in self._credentials.items()
            ],
        }


def read_trust(kept: vaults.Trust) -> Trust:
    """Whom the vault says to believe: it was pinned when it was put there."""
    root, issuing = read_certificate(kept.root), read_certificate(kept.issuing)
    trust = Trust(root, (issuing,), authority_realm(root))
    return trust.with_crl(trust.read_crl(kept.crl)) if kept.crl else trust


def keep_trust(trust: Trust) -> vaults.Trust:
    """The inverse of ``read_trust``."""
    newest = trust.crls[-1].der if trust.crls else b""
    return vaults.Trust(trust.root.der, trust.issuing[0].der, newest)


def read_credentials(profile: vaults.Profile) -> Credentials:
    """Key and chain as the vault holds them."""
    leaf, *above = (read_certificate(der) for der in profile.chain)
    return Credentials(read_key(profile.key, RULES[Profile(profile.name)].key), leaf, tuple(above))
