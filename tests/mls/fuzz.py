"""Bytes that nobody meant: mutations of real messages, outside and inside their envelopes, against every reader.

``python -m tests.mls.fuzz SECONDS [SEED]`` runs for as long as is asked; the tests run a little of it.
"""

from __future__ import annotations

import random as deterministic  # noqa: TID251 - a fuzzer's dice, nothing secret
import sys
import time
from collections.abc import Callable, Iterator

from conclave.crypto.labels import encrypt_with_label
from conclave.errors import ConclaveError
from conclave.mls import group
from conclave.mls.extensions import Extension, external_senders
from conclave.mls.framing import AuthenticatedContent, ContentType, FramedContent
from conclave.mls.keypackage import KeyPackage, OwnKeyPackage
from conclave.mls.leafnode import LeafNode
from conclave.mls.message import decode_message, encode_message
from conclave.mls.state import State
from conclave.mls.tree import Tree
from conclave.mls.treekem import HPKECiphertext, UpdatePath
from conclave.mls.welcome import GroupInfo, GroupSecrets, Welcome
from tests.mls.forge import RANDOM, FakeGroup, forge_commit, signed_info
from tests.mls.test_rules_framing import raw_private
from tests.mls.world import NOW, World, trusting


class Mutator:
    """Flips, cuts, repeats, splices and plants odd lengths."""

    def __init__(self, seed: int) -> None:
        self.dice = deterministic.Random(seed)

    def __call__(self, data: bytes) -> bytes:
        """A near relative of ``data``."""
        bent = bytearray(data)
        for _ in range(self.dice.choice((1, 1, 1, 2, 4, 16))):
            self._once(bent)
        return bytes(bent)

    def _once(self, data: bytearray) -> None:
        at = self.dice.randrange(len(data) + 1)
        match self.dice.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << self.dice.randrange(8)
            case 1 if data:
                data[at % len(data)] = self.dice.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xC0, 0xFF))
            case 2:
                del data[at : at + self.dice.choice((1, 2, 8, 64))]
            case 3:
                data[at:at] = data[at : at + self.dice.choice((1, 4, 40))]
            case 4:
                data[at:at] = self.dice.randbytes(self.dice.choice((1, 4, 32)))
            case _:
                data[at : at + 4] = self.dice.choice((b"\xbf\xff\xff\xff", b"\x80\x01\x00\x00", b"\x7f\xff"))


class Bench:
    """A small group and one message of each kind from it, with the ways in."""

    def __init__(self) -> None:
        world = World.of("ayse", "burak", "cem")
        world.relax(private_handshakes=False, external_joins=True)
        for name in world.states:
            world.commit(name)
        self.world = world
        self.burak = world["burak"]
        self.deniz = world.package("deniz")
        ayse = world["ayse"]
        staged = group.commit(ayse, [group.Add(self.deniz.package)], verify=trusting, now=NOW, random=world.random)
        self.info = group.group_info(ayse, random=world.random, external_pub=True)
        self.messages = [
            staged.message,
            staged.welcome,
            self.info,
            group.write_key_package(self.deniz.package),
            forge_commit(ayse, joiner=self.deniz),
            forge_commit(ayse, public=True),
            group.propose(ayse, group.Add(self.deniz.package), random=world.random).message,
            group.propose_update(ayse, random=world.random).message,
            group.protect(ayse, b"words", random=world.random).message,
        ]
        self.welcome = staged.welcome

    def targets(self) -> Iterator[tuple[str, bytes, Callable[[bytes], object]]]:
        """Name, a good input, and what reads it."""
        for number, message in enumerate(self.messages):
            yield f"message {number}", message, decode_message
            yield f"process {number}", message, self.process
        yield "welcome", self.welcome, self.join
        yield "info", self.info, self.begin
        for name, kind, value in (
            ("tree", Tree, self.burak.epoch.tree.encode()),
            ("state", State, self.burak.encode()),
            ("own", OwnKeyPackage, self.deniz.encode()),
        ):
            yield name, value, kind.decode
        yield "commit inside", self.inside(ContentType.COMMIT), self.process_inside(ContentType.COMMIT)
        yield "proposal inside", self.inside(ContentType.PROPOSAL), self.process_inside(ContentType.PROPOSAL)
        yield "secrets inside", GroupSecrets(bytes(32), bytes(32), ()).encode(), self.join_with_secrets
        yield "info inside", self.trap_info().encode(), self.join_with_info
        yield "senders", bytes(40), lambda data: external_senders((Extension(5, data),))
        yield "leaf", self.deniz.package.leaf.encode(), LeafNode.decode
        yield "package", self.deniz.package.encode(), KeyPackage.decode
        yield "path", self.path().encode(), UpdatePath.decode
        yield "content", b"\x00\x01" + self.messages[5][4:], AuthenticatedContent.decode
        yield "framed", self.messages[5][4:], FramedContent.decode

    def process(self, data: bytes) -> object:
        return group.process(self.burak, data, verify=trusting, now=NOW)

    def join(self, data: bytes) -> object:
        return group.join(data, self.deniz, verify=trusting, now=NOW)

    def begin(self, data: bytes) -> object:
        return group.begin_external(data, self.deniz, verify=trusting, now=NOW, random=self.world.random)

    def inside(self, kind: ContentType) -> bytes:
        """What an envelope of this kind holds."""
        proposal = self.messages[6] if kind is ContentType.PROPOSAL else self.messages[5]
        return proposal[4 + len(b"\x06ward-7") + 8 + 5 + 1 + 1 :]

    def process_inside(self, kind: ContentType) -> Callable[[bytes], object]:
        def run(data: bytes) -> object:
            return self.process(raw_private(self.world["ayse"], data, kind))

        return run

    def path(self) -> UpdatePath:
        commit = decode_message(self.messages[5])
        return commit.content.body.path  # type: ignore[union-attr, return-value]

    def _resealed(self, welcome: Welcome, secrets: bytes) -> bytes:
        sealed = encrypt_with_label(
            self.world.suite, self.deniz.package.init_key, b"Welcome", welcome.encrypted_info, secrets, RANDOM
        )
        share = type(welcome.secrets[0])(welcome.secrets[0].new_member, HPKECiphertext(*sealed))
        return encode_message(Welcome(welcome.cipher_suite, (share,), welcome.encrypted_info))

    def join_with_secrets(self, data: bytes) -> object:
        """A Welcome with any secrets, sealed to us."""
        welcome = decode_message(self.welcome)
        assert isinstance(welcome, Welcome)
        return self.join(self._resealed(welcome, data))

    def trap(self) -> FakeGroup:
        inviter = self.world.package("intruder")
        return FakeGroup(Tree([inviter.package.leaf, None, self.deniz.package.leaf]), inviter, 0)

    def trap_info(self) -> GroupInfo:
        trap = self.trap()
        found: list[GroupInfo] = []
        trap.welcome(self.deniz.package, 1, edit_info=lambda info: found.append(info) or info)  # type: ignore[func-returns-value]
        return found[0]

    def join_with_info(self, data: bytes) -> object:
        """A Welcome with any group info that can be read, signed by its inviter."""
        info = GroupInfo.decode(data)
        trap = self.trap()
        edited = signed_info(trap.epoch, info)
        return self.join(trap.welcome(self.deniz.package, 1, edit_info=lambda _: edited))


def fuzz(seconds: float, seed: int) -> int:
    """Run for a time; how many inputs were tried. Any error that is not ours ends it."""
    bench, mutate, tried = Bench(), Mutator(seed), 0
    targets = list(bench.targets())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, good, read in targets:
            bad = mutate(good)
            tried += 1
            started = time.monotonic()
            try:
                read(bad)
            except ConclaveError:
                pass
            except Exception:
                sys.stderr.write(f"{name}: {bad.hex()}\n")
                raise
            assert time.monotonic() - started < 2, name
    return tried


def main() -> None:
    """The long run."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    sys.stdout.write(f"{fuzz(seconds, seed)} inputs tried, only errors of our own\n")


if __name__ == "__main__":
    main()
