"""MLS: words and commits, as ratios to the bare primitives that they cannot do without, called in the same run.

The floor of a protected message is one signature, five key derivations and two AEAD calls; of an opened one the same
with a verification. Commits have no single floor: their time and size are shown by group size, in a tree where nobody
has committed yet (cold) and in one where everybody has (warm).
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

from benchmarks.rows import Row
from conclave.crypto.suite import CLASSICAL, HYBRID, CipherSuite
from conclave.mls import group
from conclave.mls.credentials import Credential
from conclave.mls.keypackage import OwnKeyPackage
from conclave.mls.staged import Opened, Staged
from conclave.mls.state import State

NAME = "mls"
NOW = 1_800_000_000.0
WORDS = bytes(200)
ROUNDS = 3


def trusting(credential: Credential, _key: bytes, _now: float) -> bytes:
    return credential.identity


def package(suite: CipherSuite, name: int) -> OwnKeyPackage:
    key = suite.signature.generate(os.urandom)
    life = (int(NOW) - 1, int(NOW) + 86400)
    return OwnKeyPackage.create(suite, Credential.basic(str(name).encode()), key, life, os.urandom)


def adds(suite: CipherSuite, start: int, count: int) -> tuple[list[OwnKeyPackage], list[group.Add]]:
    own = [package(suite, start + number) for number in range(count)]
    return own, [group.Add(each.package) for each in own]


def commit(state: State, proposals: list[group.Add]) -> Staged:
    return group.commit(state, proposals, verify=trusting, now=NOW, random=os.urandom)


def founded(suite: CipherSuite, size: int) -> tuple[State, State, float, float]:
    """Creator and first joiner of a group made in one commit, with the seconds of adding all and of joining."""
    state = group.create(package(suite, 0), b"bench", verify=trusting, now=NOW, random=os.urandom)
    own, proposals = adds(suite, 1, size - 1)
    start = time.perf_counter()
    staged = commit(state, proposals)
    added = time.perf_counter() - start
    start = time.perf_counter()
    joined = group.join(staged.welcome, own[0], verify=trusting, now=NOW)
    return group.merge(state, staged), joined, added, time.perf_counter() - start


def best(work: Callable[[], float]) -> float:
    """The quickest of a few rounds: other work on the machine only slows."""
    return min(work() for _ in range(ROUNDS))


def each(count: int, work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


def floors(suite: CipherSuite, count: int) -> tuple[float, float]:
    """The primitives of protecting and of opening 200 bytes, in seconds."""
    private = suite.signature.generate(os.urandom)
    public = suite.signature.public(private)
    content = bytes(400)
    signature = suite.signature.sign(private, content)
    key, nonce = bytes(suite.aead.key_size), bytes(12)
    sealed, small = suite.aead.seal(key, nonce, bytes(320), bytes(40)), suite.aead.seal(key, nonce, bytes(12), b"")
    secret = bytes(suite.kdf.size)

    def derive() -> None:
        for _ in range(5):
            suite.kdf.expand(secret, bytes(24), suite.kdf.size)

    derived = best(lambda: each(count, derive))
    sign = best(lambda: each(count, lambda: suite.signature.sign(private, content)))
    verify = best(lambda: each(count, lambda: suite.signature.verify(public, content, signature)))
    seal = best(lambda: each(count, lambda: suite.aead.seal(key, nonce, bytes(320), bytes(40))))
    seal += best(lambda: each(count, lambda: suite.aead.seal(key, nonce, bytes(12), b"")))
    opened = best(lambda: each(count, lambda: suite.aead.open(key, nonce, sealed, bytes(40))))
    opened += best(lambda: each(count, lambda: suite.aead.open(key, nonce, small, b"")))
    return sign + derived + seal, verify + derived + opened


def talk(speaker: State, listener: State, count: int) -> tuple[float, float]:
    """Seconds to protect and to open one message of 200 bytes."""
    messages = []
    start = time.perf_counter()
    for _ in range(count):
        speaker, message, _ = group.protect(speaker, WORDS, random=os.urandom)
        messages.append(message)
    protected = (time.perf_counter() - start) / count
    start = time.perf_counter()
    for message in messages:
        got = group.process(listener, message, verify=trusting, now=NOW)
        assert isinstance(got, Opened)
        listener = got.state
    return protected, (time.perf_counter() - start) / count


def words(suite: CipherSuite, size: int, count: int) -> list[Row]:
    ours, theirs, *_ = founded(suite, size)
    floor = floors(suite, count)
    rounds = [talk(ours, theirs, count) for _ in range(ROUNDS)]
    name = "hybrid" if suite is HYBRID else "classical"
    return [
        Row(f"mls {name} {verb} 200 B, {size} members", 1e6 * min(times), "us", 1e6 * low, 2.5, "less")
        for verb, times, low in zip(("protect", "open"), zip(*rounds, strict=True), floor, strict=True)
    ]


def commits(suite: CipherSuite, size: int) -> list[Row]:
    name = "hybrid" if suite is HYBRID else "classical"
    ours, theirs, added, joined = founded(suite, size)
    blob = theirs.encode()
    tracemalloc.start()
    kept = State.decode(blob)
    kept.epoch.tree.hash(suite.kdf)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    staged = commit(ours, [])
    made = best(lambda: each(1, lambda: commit(ours, [])))
    processed = best(lambda: each(1, lambda: group.process(kept, staged.message, verify=trusting, now=NOW)))
    written = best(lambda: each(20, lambda: replace(kept, held={}).encode()))
    label = f"mls {name} {size} members:"
    return [
        Row(f"{label} add all in one commit", 1e3 * added, "ms"),
        Row(f"{label} join by its Welcome", 1e3 * joined, "ms"),
        Row(f"{label} commit with path, cold", 1e3 * made, "ms"),
        Row(f"{label} process it", 1e3 * processed, "ms"),
        Row(f"{label} commit's size", len(staged.message) / 1024, "KiB"),
        Row(f"{label} state, written", len(blob) / 1024, "KiB"),
        Row(f"{label} state, in memory", memory / 1024, "KiB"),
        Row(f"{label} write the state again", 1e6 * written, "us"),
    ]


def one_by_one(suite: CipherSuite, size: int) -> Row:
    state = group.create(package(suite, 0), b"bench", verify=trusting, now=NOW, random=os.urandom)
    own = [package(suite, number) for number in range(1, size)]
    start = time.perf_counter()
    for each_own in own:
        state = group.merge(state, commit(state, [group.Add(each_own.package)]))
    return Row(f"mls {size} members: add one by one", 1e3 * (time.perf_counter() - start), "ms")


def warm(suite: CipherSuite, size: int) -> list[Row]:
    """Everybody joins and commits once; then one more commits."""
    state = group.create(package(suite, 0), b"bench", verify=trusting, now=NOW, random=os.urandom)
    own, proposals = adds(suite, 1, size - 1)
    staged = commit(state, proposals)
    states = [group.merge(state, staged)]
    states += [group.join(staged.welcome, each_own, verify=trusting, now=NOW) for each_own in own]
    for number in range(size):
        staged = commit(states[number], [])
        for other in range(size):
            got = (
                staged if other == number else group.process(states[other], staged.message, verify=trusting, now=NOW)
            )
            assert isinstance(got, Staged)
            states[other] = group.merge(states[other], got)
    staged = commit(states[0], [])
    made = best(lambda: each(1, lambda: commit(states[0], [])))
    processed = best(lambda: each(1, lambda: group.process(states[1], staged.message, verify=trusting, now=NOW)))
    return [
        Row(f"mls {size} members, warm: commit with path", 1e3 * made, "ms"),
        Row(f"mls {size} members, warm: process it", 1e3 * processed, "ms"),
        Row(f"mls {size} members, warm: commit's size", len(staged.message) / 1024, "KiB"),
    ]


def another(count: int) -> list[Row]:
    """The same words in another package, where it is installed; ours of the same run is the floor."""
    try:
        import rfc9420
        from rfc9420.messages.data_structures import Welcome
        from rfc9420.messages.key_packages import KeyPackage
        from rfc9420.messages.messages import MLSCiphertext
    except ModuleNotFoundError:
        return []
    own, proposals = adds(CLASSICAL, 1, 2)
    state = group.create(package(CLASSICAL, 0), b"bench", verify=trusting, now=NOW, random=os.urandom)
    staged = commit(state, proposals)
    one, other = (
        rfc9420.ProtocolMLSGroup.from_welcome(
            Welcome.deserialize(staged.welcome[4:]),
            each_own.init_key,
            rfc9420.DefaultCryptoProvider(suite_id=1),
            key_package=KeyPackage.deserialize(each_own.package.encode()),
            encryption_private_key=each_own.encryption_key,
        )
        for each_own in own
    )
    messages = [b""] * count
    start = time.perf_counter()
    for at in range(count):
        messages[at] = one.protect(WORDS, own[0].signature_key).serialize()
    protected = (time.perf_counter() - start) / count
    start = time.perf_counter()
    for message in messages:
        other.unprotect(MLSCiphertext.deserialize(message))
    opened = (time.perf_counter() - start) / count
    ours = talk(group.merge(state, staged), group.join(staged.welcome, own[0], verify=trusting, now=NOW), count)
    return [
        Row("rfc9420 1.2.0 protect 200 B; floor: ours", 1e6 * protected, "us", 1e6 * ours[0]),
        Row("rfc9420 1.2.0 open 200 B; floor: ours", 1e6 * opened, "us", 1e6 * ours[1]),
    ]


def run(*, quick: bool) -> list[Row]:
    """All of it; ``quick`` leaves the large groups out."""
    count = 200 if quick else 2000
    rows = [row for size in ((2, 100) if quick else (2, 10, 100, 1000)) for row in words(CLASSICAL, size, count)]
    rows += words(HYBRID, 2, count)
    for size in (10, 100) if quick else (10, 100, 500, 1000):
        rows += commits(CLASSICAL, size)
    rows += commits(HYBRID, 10 if quick else 100)
    rows.append(one_by_one(CLASSICAL, 10 if quick else 100))
    rows += warm(CLASSICAL, 8 if quick else 100)
    return rows + another(count)
