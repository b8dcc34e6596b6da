"""Groups for tests: seeded randomness, members by name, and everyone kept in step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from conclave.crypto.suite import CLASSICAL, CipherSuite
from conclave.mls import group
from conclave.mls.credentials import Credential
from conclave.mls.extensions import Extensions
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.limits import Policy
from conclave.mls.proposals import Add, Proposal
from conclave.mls.psk import PreSharedKeyID, Usage
from conclave.mls.staged import Held, Opened, Staged
from conclave.mls.state import State
from conclave.values import replace

NOW = 1_800_000_000.0
LIFETIME = (int(NOW) - 3600, int(NOW) + 86400)


def seeded(seed: object) -> Callable[[int], bytes]:
    """Bytes that are the same in every run."""
    counter = 0

    def draw(size: int) -> bytes:
        nonlocal counter
        counter += 1
        return hashlib.shake_256(f"{seed}/{counter}".encode()).digest(size)

    return draw


def trusting(credential: Credential, signature_key: bytes, now: float) -> bytes:
    """Takes every basic name for what it says, and a chain for its own bytes."""
    return credential.identity or hashlib.sha256(credential.certificates[0]).digest()


PSKS = {b"shared": b"a key from elsewhere"}


def find_psk(name: PreSharedKeyID) -> bytes | None:
    """The one external key that everybody has."""
    return PSKS.get(name.psk_id) if name.usage is Usage.EXTERNAL else None


class World:
    """Members by name, each with the state that they hold."""

    def __init__(self, seed: object = 0, suite: CipherSuite = CLASSICAL, policy: Policy | None = None) -> None:
        self.random = seeded(seed)
        self.suite = suite
        self.policy = policy or Policy()
        self.states: dict[str, State] = {}

    @classmethod
    def of(
        cls,
        *names: str,
        seed: object = 0,
        suite: CipherSuite = CLASSICAL,
        policy: Policy | None = None,
        extensions: Extensions = (),
    ) -> World:
        """A group of these, the first its creator."""
        world = cls(seed, suite, policy)
        first, *others = names
        world.states[first] = group.create(
            world.package(first),
            b"ward-7",
            verify=trusting,
            now=NOW,
            random=world.random,
            extensions=extensions,
            policy=world.policy,
        )
        if others:
            world.add(first, *others)
        return world

    def __getitem__(self, name: str) -> State:
        return self.states[name]

    def index(self, name: str) -> int:
        """The leaf of a member."""
        return self.states[name].epoch.me

    def package(
        self, name: str, *, lifetime: tuple[int, int] = LIFETIME, extensions: tuple[int, ...] = ()
    ) -> OwnKeyPackage:
        """A fresh key package."""
        key = self.suite.signature.generate(self.random)
        return OwnKeyPackage.create(
            self.suite, Credential.basic(name.encode()), key, lifetime, self.random, extensions=extensions
        )

    def add(self, by: str, *names: str) -> Staged:
        """One member adds others in one commit; all follow."""
        own = {name: self.package(name) for name in names}
        staged = self.commit(by, [Add(each.package) for each in own.values()])
        for name, each in own.items():
            self.states[name] = group.join(
                staged.welcome, each, verify=trusting, now=NOW, psk=find_psk, policy=self.policy
            )
        return staged

    def stage(self, by: str, proposals: Sequence[Proposal] = (), *, path: bool = True) -> Staged:
        """One member makes a commit and keeps it to itself."""
        staged = group.commit(
            self.states[by], proposals, verify=trusting, now=NOW, random=self.random, psk=find_psk, path=path
        )
        assert staged.state is not None
        self.states[by] = staged.state
        return staged

    def commit(self, by: str, proposals: Sequence[Proposal] = (), *, path: bool = True) -> Staged:
        """One member commits; all others process it and merge; those removed leave."""
        staged = self.stage(by, proposals, path=path)
        for name in [each for each in self.states if each != by]:
            self.follow(name, staged.message)
        self.states[by] = group.merge(self.states[by], staged)
        return staged

    def follow(self, name: str, message: bytes) -> None:
        """One member processes a commit and merges it, or leaves."""
        got = self.process(name, message)
        assert isinstance(got, Staged)
        if got.removes_us:
            del self.states[name]
        else:
            self.states[name] = group.merge(self.states[name], got)

    def process(self, name: str, message: bytes) -> Opened | Held | Staged:
        """One member processes a message and keeps the state that comes of it."""
        got = group.process(self.states[name], message, verify=trusting, now=NOW, psk=find_psk)
        assert got.state is not None
        self.states[name] = got.state
        return got

    def propose(self, by: str, proposal: Proposal) -> bytes:
        """One member proposes; all others hold it."""
        sending = group.propose(self.states[by], proposal, random=self.random)
        return self._spread(by, sending)

    def update(self, by: str) -> bytes:
        """One member proposes its own update; all others hold it."""
        return self._spread(by, group.propose_update(self.states[by], random=self.random))

    def _spread(self, by: str, sending: group.Sending) -> bytes:
        self.states[by] = sending.state
        for name in self.states:
            if name != by:
                self.process(name, sending.message)
        return sending.message

    def say(self, by: str, words: bytes) -> bytes:
        """One member speaks; nobody has read it yet."""
        sending = group.protect(self.states[by], words, random=self.random)
        self.states[by] = sending.state
        return sending.message

    def agree(self) -> bytes:
        """All members are in one state of one epoch; its authenticator."""
        found = {state.epoch.secrets.authenticator for state in self.states.values()}
        exported = {group.export(state, b"test", b"context", 32) for state in self.states.values()}
        assert len(found) == len(exported) == 1
        return found.pop()

    def relax(self, **settings: bool | int) -> None:
        """Change everybody's policy."""
        self.policy = replace(self.policy, **settings)  # type: ignore[arg-type]
        self.states = {name: replace(state, policy=self.policy) for name, state in self.states.items()}


def resigned(package: KeyPackage, own: OwnKeyPackage) -> KeyPackage:
    """A key package changed and signed again, leaf and all."""
    leaf = package.leaf.sign(own.suite, own.signature_key)
    return replace(package, leaf=leaf).sign(own.suite, own.signature_key)
