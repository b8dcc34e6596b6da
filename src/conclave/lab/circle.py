"""A lobby's end-to-end layer for lessons: an MLS group of certified people, each with the state that is theirs alone.

Left out: the lobby's order (``lobby``), and everything that a node does around both (``chat``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from conclave.crypto.suite import HYBRID, CipherSuite
from conclave.errors import LocalError
from conclave.lab.realm import Realm
from conclave.mls import group
from conclave.pki.profile import Profile
from conclave.pki.verify import verify_peer

_KEY_BYTES = 32
_DAY = 86_400


class Circle:
    """The first of ``names`` creates the group and adds the others."""

    def __init__(self, realm: Realm, names: Sequence[str], suite: CipherSuite = HYBRID, name: bytes = b"ops") -> None:
        self._realm = realm
        self._suite = suite
        first, *others = names
        self.states: dict[str, group.State] = {
            first: group.create(self._package(first), name, verify=self._verify, now=realm.now, random=os.urandom)
        }
        """What each member holds, and nobody else."""
        if others:
            packages = {other: self._package(other) for other in others}
            welcome = self.commit(first, [group.Add(one.package) for one in packages.values()]).welcome
            for other, own in packages.items():
                self.states[other] = group.join(welcome, own, verify=self._verify, now=realm.now)

    def _verify(self, credential: group.Credential, signature_key: bytes, now: float) -> bytes:
        """The authentication service: the certificate chain of a leaf, as the authority certified it."""
        del signature_key  # MLS itself has compared it with the certificate's
        peer = verify_peer(credential.certificates[0], self._realm.trust, now, Profile.IM)
        return peer.handle.encode()

    def _package(self, name: str) -> group.OwnKeyPackage:
        credentials = self._realm.credentials(name, Profile.IM)
        lifetime = (int(self._realm.now) - _DAY // 24, int(self._realm.now) + _DAY)
        return group.OwnKeyPackage.create(
            self._suite,
            group.Credential.x509((credentials.certificate.der,)),
            credentials.key.der()[-_KEY_BYTES:],  # PKCS#8 of Ed25519 ends in the key (RFC 8410 section 7)
            lifetime,
            os.urandom,
        )

    def commit(self, by: str, proposals: Sequence[group.Add | group.Remove] = ()) -> group.Staged:
        """One member changes the group; all others who are still in it follow."""
        state = self.states[by]
        staged = group.commit(state, proposals, verify=self._verify, now=self._realm.now, random=os.urandom)
        self.states[by] = group.merge(state, staged)
        for name in [other for other in self.states if other != by]:
            seen = self.process(name, staged.message)
            if isinstance(seen, group.Staged) and not seen.removes_us:
                self.states[name] = group.merge(self.states[name], seen)
        return staged

    def remove(self, by: str, whom: str) -> group.State:
        """One member puts another out; the state that the other is left with."""
        index = next(
            index for index, member in group.members(self.states[by]).items() if member.identity == whom.encode()
        )
        left = self.states.pop(whom)
        self.commit(by, [group.Remove(index)])
        return left

    def say(self, by: str, text: str, seen: bytes = b"") -> bytes:
        """The sealed message. ``seen``: what the speaker says it has seen of the order, authenticated with it."""
        state = self.states[by]
        sending = group.protect(state, text.encode(), random=os.urandom, authenticated_data=seen)
        self.states[by] = sending.state
        return sending.message

    def process(
        self, name: str, message: bytes, state: group.State | None = None
    ) -> group.Opened | group.Held | group.Staged:
        """What a member, or somebody with that ``state``, makes of a message. Raises as ``group.process``."""
        got = group.process(state or self.states[name], message, verify=self._verify, now=self._realm.now)
        if state is None and got.state is not None:
            self.states[name] = got.state
        return got

    def read(self, name: str, message: bytes, state: group.State | None = None) -> group.Opened:
        """The words of a message, and who signed them. Raises as ``group.process``."""
        got = self.process(name, message, state)
        if not isinstance(got, group.Opened):
            raise LocalError("not words")
        return got
