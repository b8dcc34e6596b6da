"""MLS: words and commits, as ratios to the bare primitives that they cannot do without, called in the same run.

*Flat* is a group as one commit made it, where nobody else has committed yet and a path is sealed to each member by
itself; *warm* is one where everybody has. Targets are set where a floor is honest: words, and that their cost does
not grow with the group. All times are the process's CPU time: there is nothing to wait for, and other work on the
machine counts less. Other packages are measured beside ours where ``./run interop`` installed them.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator

from benchmarks._mls_floor import Floor, best, each, floor, lowest
from benchmarks._mls_groups import NOW, commit, founded, one_by_one, process, trusting, warm
from benchmarks._mls_others import python, rust
from benchmarks.rows import Row
from conclave.crypto.suite import CLASSICAL, HYBRID, CipherSuite
from conclave.mls import group
from conclave.mls.staged import Opened
from conclave.mls.state import State
from conclave.values import replace

NAME = "mls"
WORDS = bytes(200)
ROUNDS = 5


def name(suite: CipherSuite, size: int) -> str:
    return f"mls {'hybrid' if suite is HYBRID else 'suite 1'} {size}:"


def talk(speaker: State, listener: State, count: int) -> tuple[float, float]:
    """Seconds to protect and to open one message of 200 bytes."""
    messages = []

    def say() -> None:
        nonlocal speaker
        sending = group.protect(speaker, WORDS, random=os.urandom)
        speaker = sending.state
        messages.append(sending.message)

    protected = each(count, say)
    waiting = iter(messages)

    def hear() -> None:
        nonlocal listener
        got = group.process(listener, next(waiting), verify=trusting, now=NOW)
        assert isinstance(got, Opened)
        listener = got.state

    return protected, each(count, hear)


def words(suite: CipherSuite, sizes: tuple[int, ...], count: int) -> tuple[Floor, list[Row]]:
    """The bare primitives; each size's cost to them, then the largest's to the smallest's."""
    groups = [founded(suite, size) for size in sizes]
    floors, rounds = [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine falls on all alike
        floors.append(floor(suite, count))
        rounds.append([talk(made.ours, made.theirs, count) for made in groups])
    bare = lowest(floors)
    costs = [[min(turn[at][way] for turn in rounds) for way in (0, 1)] for at in range(len(sizes))]
    rows = [
        Row(f"{name(suite, size)} {verb} 200 B", 1e6 * ours, "us", 1e6 * low, 2.5, "less")
        for size, cost in zip(sizes, costs, strict=True)
        for verb, ours, low in zip(("protect", "open"), cost, (bare.protect, bare.receive), strict=True)
    ]
    label, of_two = name(suite, sizes[-1]), f"floor: {sizes[0]} members"
    rows += [
        Row(f"{label} {verb} 200 B; {of_two}", 1e6 * many, "us", 1e6 * few, 1.25, "less")
        for verb, few, many in zip(("protect", "open"), costs[0], costs[-1], strict=True)
    ]
    return bare, rows


def kept(state: State) -> tuple[bytes, float]:
    """A state's blob, and the bytes of memory that it takes once it is read and its tree hashed."""
    blob = state.encode()
    tracemalloc.start()
    state = State.decode(blob)
    state.epoch.tree.hash(state.epoch.suite.kdf)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return blob, memory


def commits(suite: CipherSuite, size: int, kind: str, ours: State, theirs: State, bare: Floor) -> Iterator[Row]:
    """A commit with path, its size, and what a group's state takes. Floor: what it must sign, verify, seal, open."""
    label = f"{name(suite, size)} {kind},"
    staged = commit(ours, [])
    assert (
        group.merge(theirs, process(theirs, staged.message)).authenticator == group.merge(ours, staged).authenticator
    )
    made = best(lambda: each(1, lambda: commit(ours, [])))
    processed = best(lambda: each(1, lambda: process(theirs, staged.message)))
    path = ours.epoch.tree.filtered_path(0)
    seals = sum(len(ours.epoch.tree.resolution(other)) for _, other in path)
    sealing = 2 * bare.sign + seals * bare.wrap + (len(path) + 1) * bare.pair
    opening = 2 * bare.verify + bare.unwrap + len(path) * bare.pair
    blob, memory = kept(theirs)
    written = best(lambda: each(20, lambda: replace(theirs, held={}).encode()))
    yield Row(f"{label} commit with path", 1e3 * made, "ms", 1e3 * sealing)
    yield Row(f"{label} process it", 1e3 * processed, "ms", 1e3 * opening)
    yield Row(f"{label} commit's size", len(staged.message) / 1024, "KiB")
    yield Row(f"{label} state, written", len(blob) / 1024, "KiB")
    yield Row(f"{label} state, in memory", memory / 1024, "KiB")
    yield Row(f"{label} write the state again", 1e6 * written, "us")


def joins(suite: CipherSuite, size: int, bare: Floor) -> Iterator[Row]:
    """Everyone at once, and the group that comes of it; then one by one, without a path in each commit and with one.

    With a path each takes minutes for a thousand, of which nearly all is sealing; it is shown for one suite.
    """
    made, label = founded(suite, size), name(suite, size)
    others = size - 1
    vouched = 1e3 * (2 * bare.sign + others * (2 * bare.verify + bare.wrap))
    yield Row(f"{label} add all in one commit", 1e3 * made.adding, "ms", vouched)
    yield Row(f"{label} join by its Welcome", 1e3 * made.joining, "ms", 1e3 * (size * bare.verify + bare.unwrap))
    yield from commits(suite, size, "flat", made.ours, made.theirs, bare)
    for path, how in ((False, "no path"), (True, "a path each"))[: 2 if suite is HYBRID else 1]:
        adding, following = one_by_one(suite, size, path=path)
        yield Row(f"{label} add one by one, {how}", 1e3 * adding, "ms")
        yield Row(f"{label} follow them all, {how}", 1e3 * following, "ms")


def beside(suite: CipherSuite, size: int, count: int) -> Iterator[Row]:
    """Other packages at the same work; the floor is ours."""
    made = founded(suite, size)
    state, theirs = made.ours, made.theirs
    staged = commit(state, [])
    protected, opened = talk(state, theirs, count)
    ours = {
        "protect 200 B": protected,
        "open 200 B": opened,
        "add all in one commit": made.adding,
        "join by its Welcome": made.joining,
        "commit with path, flat": best(lambda: each(1, lambda: commit(state, []))),
        "process a commit, flat": best(lambda: each(1, lambda: process(theirs, staged.message))),
    }
    for package, found in (("rfc9420", python(size, count)), ("mls-rs", rust(size, count))):
        for what, seconds in found.items():
            yield Row(f"{package} {size}: {what}; floor: ours", 1e3 * seconds, "ms", 1e3 * ours[what])


def run(*, quick: bool) -> list[Row]:
    """All of it, some minutes; ``quick`` leaves the large groups out."""
    count, sizes = (200, (10, 100)) if quick else (1000, (10, 100, 500, 1000))
    rows: list[Row] = []
    for suite in (HYBRID, CLASSICAL):
        bare, spoken = words(suite, (2, *sizes), count)
        rows += spoken
        for size in sizes:
            rows += joins(suite, size, bare)
            rows += commits(suite, size, "warm", *warm(suite, size), bare)
    return rows + [row for size in (sizes[1], *sizes[3:]) for row in beside(CLASSICAL, size, count)]
