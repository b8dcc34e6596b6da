"""Fetching from sources that lose, repeat, reorder, stall, lack and lie: all of the file, nothing but the file."""

from __future__ import annotations

import random  # noqa: TID251 - hypothesis hands in the seed
from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import VerificationError
from conclave.files.limits import FileLimits
from conclave.files.offer import Offered, open_chunk, seal_chunk
from conclave.files.receiving import HELD_CHUNKS, REST_SECONDS, Fetch
from conclave.files.tree import check_leaves, leaf_hash, root_of
from conclave.wire.files import ASK_CHUNKS, ASK_LEAVES, Ask, Chunk, Leaves, Part, Why

KEY = b"k" * 32
CHUNK = 32
"""The machine does not care how large chunks are."""
LIMITS = FileLimits(window_chunks=16, patience_seconds=20.0)


@dataclass(frozen=True)
class World:
    plain: list[bytes]
    sealed: list[bytes]
    offered: Offered

    @property
    def leaves(self) -> bytes:
        return b"".join(map(leaf_hash, self.sealed))


def world(count: int) -> World:
    plain = [sha256(n.to_bytes(4)).digest() for n in range(count)]
    sealed = [seal_chunk(KEY, n, data) for n, data in enumerate(plain)]
    root = root_of(b"".join(map(leaf_hash, sealed)))
    return World(plain, sealed, Offered("x", count * CHUNK, CHUNK, root, KEY))


KINDS = ["good", "slow", "loses", "repeats", "stops", "lacks", "busy", "leaves-lie", "chunks-lie", "floods", "late"]
HONEST = {"good", "slow", "loses", "repeats", "late"}


@dataclass
class Source:
    """One peer: answers asks after a while, in its own way."""

    kind: str
    answered: int = 0
    lies: int = 0
    asked_after_lie: int = 0


@dataclass
class Play:
    """Everything between one machine and its sources, by a clock of its own."""

    world: World
    seed: int
    sources: dict[str, Source]
    limits: FileLimits = LIMITS
    now: float = 1000.0
    queue: list[tuple[float, int, str, object]] = field(default_factory=list)
    got: dict[int, bytes] = field(default_factory=dict)
    accused: set[str] = field(default_factory=set)
    most: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.fetch = Fetch(self.world.offered, self.limits)
        self.serial = 0

    def later(self, peer: str, frame: object, delay: float) -> None:
        self.serial += 1
        self.queue.append((self.now + delay, self.serial, peer, frame))

    def ask(self) -> None:
        asked = self.fetch.asks(self.now)
        for peer, ask in asked:
            assert 1 <= ask.count <= (ASK_LEAVES if ask.part is Part.LEAVES else ASK_CHUNKS)
            assert ask.first + ask.count <= self.world.offered.chunks
            source = self.sources[peer]
            source.asked_after_lie += source.lies > 0 and peer in self.accused
            self.answer(peer, source, ask)
        self.most = max(self.most, self.fetch._busy)

    def answer(self, peer: str, source: Source, ask: Ask) -> None:
        r, kind, root = self.random, source.kind, ask.root
        if kind in ("lacks", "busy"):
            self.later(peer, Why.UNKNOWN if kind == "lacks" else Why.BUSY, 0.05)
            return
        source.answered += 1
        if kind == "stops" and source.answered > 2:
            return
        if ask.part is Part.LEAVES:
            hashes = self.world.leaves[ask.first * 32 : (ask.first + ask.count) * 32]
            if kind == "leaves-lie":
                source.lies += 1
                hashes = r.choice([bytes(len(hashes)), hashes[:-32], hashes + bytes(32), b""])
            self.later(peer, Leaves(root, ask.first, hashes), r.uniform(0.01, 0.1))
            return
        for number in range(ask.first, ask.first + ask.count):
            sealed = self.world.sealed[number]
            if kind == "loses" and r.random() < 0.3:
                continue
            if kind == "chunks-lie" and r.random() < 0.5:
                source.lies += 1
                sealed = r.choice([sealed[:-1], bytes(len(sealed)), self.world.sealed[number - 1] + b"x", b""])
            delay = {"slow": r.uniform(0.5, 5), "late": r.uniform(15, 30)}.get(kind, r.uniform(0.01, 0.2))
            self.later(peer, Chunk(root, number, sealed), delay)
            if kind == "repeats":
                self.later(peer, Chunk(root, number, sealed), delay + r.uniform(0, 3))
            if kind == "floods":
                self.later(peer, Chunk(root, r.randrange(1 << 32), bytes(48)), delay)

    def take(self, peer: str, frame: object) -> None:
        fetch = self.fetch
        match frame:
            case Why():
                fetch.lacked(peer, frame, self.now)
            case Leaves():
                joined = fetch.leaves_arrived(peer, frame, self.now)
                if joined is not None:
                    try:
                        fetch.trust(check_leaves(joined, self.world.offered.root, self.world.offered.chunks))
                    except VerificationError:
                        self.accused.add(peer)
                        fetch.mistrust()
            case Chunk():
                leaf = fetch.chunk_arrived(peer, frame, self.now)
                if leaf is not None:
                    try:
                        plain = open_chunk(self.world.offered, frame.number, leaf, frame.sealed)
                    except VerificationError:
                        self.accused.add(peer)
                        fetch.wrong(peer, frame.number)
                    else:
                        assert frame.number not in self.got, "written twice"
                        self.got[frame.number] = plain
                        fetch.kept(frame.number)

    def run(self, seconds: float) -> None:
        """Until the file is whole or the time is over; sources come and go where the seed says so."""
        end = self.now + seconds
        for peer in self.sources:
            self.fetch.found(peer, self.now)
        while self.now < end and not self.fetch.whole:
            self.ask()
            due = self.fetch.timer()
            self.queue.sort()
            arrives = self.queue[0][0] if self.queue else None
            times = [at for at in (due, arrives) if at is not None]
            if not times:
                return
            self.now = max(self.now, min(times)) + 1e-6
            while self.queue and self.queue[0][0] <= self.now:
                _, _, peer, frame = self.queue.pop(0)
                self.take(peer, frame)
            if self.random.random() < 0.01:
                peer = self.random.choice(list(self.sources))
                self.fetch.lost(peer)
                self.queue = [each for each in self.queue if each[2] != peer]
                self.fetch.found(peer, self.now)
            self.fetch.tick(self.now)


@given(
    st.integers(0, 1 << 32),
    st.integers(1, 120),
    st.lists(st.sampled_from(KINDS), max_size=4),
    st.sampled_from(sorted(HONEST)),
)
@settings(max_examples=150, deadline=None)
def test_one_honest_source_is_enough(seed: int, count: int, kinds: list[str], honest: str) -> None:
    names = [honest, *kinds]
    sources = {f"p{n}": Source(kind) for n, kind in enumerate(names)}
    play = Play(world(count), seed, sources)
    play.run(200_000)
    assert play.fetch.whole, (names, play.now, play.fetch._sources)
    assert [play.got[n] for n in range(count)] == play.world.plain
    assert play.fetch.kept_bytes == play.world.offered.size
    assert play.most <= HELD_CHUNKS
    assert {sources[peer].kind for peer in play.accused} <= {"leaves-lie", "chunks-lie"}
    assert all(source.asked_after_lie == 0 for source in sources.values())


@given(st.integers(0, 1 << 32), st.lists(st.sampled_from(["lacks", "leaves-lie", "floods"]), max_size=3))
@settings(max_examples=40, deadline=None)
def test_without_an_honest_source_nothing_wrong_is_taken(seed: int, kinds: list[str]) -> None:
    sources = {f"p{n}": Source(kind) for n, kind in enumerate(kinds)}
    play = Play(world(30), seed, sources)
    play.run(300)
    assert all(play.got[n] == play.world.plain[n] for n in play.got)


def started(count: int = 200, **limits: int) -> Play:
    return Play(world(count), 1, {}, FileLimits(**limits))


def trusted(play: Play, *kept: int) -> Fetch:
    offered = play.world.offered
    play.fetch.trust(check_leaves(play.world.leaves, offered.root, offered.chunks), kept)
    return play.fetch


def test_what_is_kept_from_an_earlier_life_is_not_asked_for() -> None:
    fetch = trusted(started(10), 0, 1, 2, 4, 5, 7)
    fetch.found("ayse", 1.0)
    asked = [(ask.first, ask.count) for _, ask in fetch.asks(1.0)]
    assert asked == [(3, 1), (6, 1), (8, 2)]
    assert fetch.kept_bytes == 6 * CHUNK


def test_a_file_of_nothing_is_whole_at_once() -> None:
    fetch = trusted(started(0))
    assert fetch.whole
    assert fetch.asks(1.0) == []


def test_the_window_grows_while_answers_are_prompt_and_shrinks_while_they_are_not() -> None:
    play = started(400, window_chunks=16)
    fetch = trusted(play)
    fetch.found("ayse", 0.0)
    now = 0.0

    def round_trip(seconds: float) -> int:
        nonlocal now
        numbers = [n for _, ask in fetch.asks(now) for n in range(ask.first, ask.first + ask.count)]
        now += seconds
        for number in numbers:
            assert fetch.chunk_arrived("ayse", Chunk(b"", number, b""), now) is not None
            fetch.kept(number)
        return len(numbers)

    assert [round_trip(0.01) for _ in range(4)] == [4, 8, 16, 16]
    assert [round_trip(1.0) for _ in range(6)] == [16, 8, 4, 2, 1, 1]
    assert round_trip(0.01) == 1


def test_two_sources_share_the_work() -> None:
    fetch = trusted(started(200))
    fetch.found("ayse", 0.0)
    fetch.found("cem", 0.0)
    asked = dict(fetch.asks(0.0))
    assert set(asked) == {"ayse", "cem"}
    assert asked["ayse"].first != asked["cem"].first


def test_at_the_end_a_slow_sources_chunks_are_asked_of_another() -> None:
    play = started(4)
    fetch = trusted(play)
    fetch.found("ayse", 0.0)
    assert [ask.count for _, ask in fetch.asks(0.0)] == [4]
    fetch.found("cem", 5.0)
    assert [(peer, ask.first, ask.count) for peer, ask in fetch.asks(5.0)] == [("cem", 0, 4)]
    fetch.found("deniz", 5.1)
    assert fetch.asks(9.0) == [], "each of two at most"
    fetch.lost("ayse")
    assert [peer for peer, _ in fetch.asks(9.0)] == ["deniz"], "cem owes them alone now"


def test_a_silent_source_rests_and_its_late_chunks_are_welcome() -> None:
    play = started(4)
    fetch = trusted(play)
    fetch.found("ayse", 0.0)
    fetch.asks(0.0)
    assert fetch.timer() == 20.0
    fetch.tick(20.0)
    assert fetch.asks(20.0) == []
    assert fetch.chunk_arrived("ayse", Chunk(b"", 2, b""), 21.0) is not None
    assert fetch.chunk_arrived("ayse", Chunk(b"", 2, b""), 21.0) is None, "once"
    fetch.kept(2)
    assert fetch.timer() == 40.0
    assert [(ask.first, ask.count) for _, ask in fetch.asks(40.0)] == [(0, 1)], "carefully"


def test_a_rest_that_is_over_wakes_nobody_again() -> None:
    """While others do all the work, whoever rested is no reason to look again and again."""
    fetch = trusted(started(4))
    fetch.found("ayse", 0.0)
    fetch.lacked("ayse", Why.BUSY, 0.0)
    fetch.found("cem", 0.0)
    fetch.asks(0.0)
    assert fetch.timer() == REST_SECONDS[Why.BUSY]
    fetch.tick(REST_SECONDS[Why.BUSY])
    assert fetch.timer() == 20.0


@pytest.mark.parametrize("why", Why)
def test_a_source_that_lacks_the_file_is_asked_again_later(why: Why) -> None:
    play = started(4)
    fetch = trusted(play)
    fetch.found("ayse", 0.0)
    fetch.asks(0.0)
    fetch.lacked("ayse", why, 1.0)
    assert fetch.lacking() == {"ayse": why}
    assert fetch.asks(1.0 + REST_SECONDS[why] - 0.1) == []
    assert fetch.timer() == 1.0 + REST_SECONDS[why]
    assert fetch.asks(1.0 + REST_SECONDS[why]) != []


def test_nobody_makes_us_take_what_was_not_asked_for() -> None:
    fetch = trusted(started(300))
    fetch.found("ayse", 0.0)
    fetch.found("cem", 0.0)
    asked = dict(fetch.asks(0.0))
    theirs = asked["cem"].first
    for peer, number in (("ayse", theirs), ("ayse", 299), ("ayse", 300), ("ayse", 1 << 31), ("deniz", 0)):
        assert fetch.chunk_arrived(peer, Chunk(b"", number, b""), 0.1) is None


def test_leaves_that_were_not_asked_for_change_nothing() -> None:
    play = started(2000)
    fetch = play.fetch
    fetch.found("ayse", 0.0)
    fetch.found("cem", 0.0)
    [(peer, ask)] = fetch.asks(0.0)
    other = "cem" if peer == "ayse" else "ayse"
    assert fetch.leaves_arrived(other, Leaves(b"", 0, bytes(32 * 1024)), 0.1) is None
    assert sorted(fetch.sources) == ["ayse", "cem"]
    assert (ask.first, ask.count) == (0, 1024)
    assert fetch.leaves_arrived(peer, Leaves(b"", 0, play.world.leaves[: 32 * 1024]), 0.1) is None
    assert [(p, a.first, a.count) for p, a in fetch.asks(0.1)] == [(peer, 1024, 976)]


def test_a_late_answer_to_an_earlier_ask_is_no_lie() -> None:
    play = started(2000)
    fetch = play.fetch
    fetch.found("ayse", 0.0)
    fetch.asks(0.0)
    fetch.tick(20.0)  # too slow: asked again later
    assert [(ask.first, ask.count) for _, ask in fetch.asks(40.0)] == [(0, 1024)]
    first = Leaves(b"", 0, play.world.leaves[: 32 * 1024])
    assert fetch.leaves_arrived("ayse", first, 40.1) is None
    fetch.asks(40.1)
    assert fetch.leaves_arrived("ayse", first, 40.2) is None, "the second answer to the same"
    assert fetch.leaves_arrived("ayse", Leaves(b"", 1024, play.world.leaves[32 * 1024 :]), 40.3) == play.world.leaves


def test_a_source_whose_list_is_a_lie_is_dropped_and_another_asked() -> None:
    play = started(3)
    fetch = play.fetch
    fetch.found("ayse", 0.0)
    fetch.found("cem", 0.0)
    [(peer, _)] = fetch.asks(0.0)
    assert fetch.leaves_arrived(peer, Leaves(b"", 0, bytes(96)), 0.1) == bytes(96)
    assert fetch.asks(0.1) == [], "while it is being checked"
    fetch.mistrust()
    assert [other for other, _ in fetch.asks(0.2)] == [{"ayse": "cem", "cem": "ayse"}[peer]]
    fetch.found(peer, 0.3)
    assert peer not in fetch.sources
