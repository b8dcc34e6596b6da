"""Whatever bytes come: errors of our own only, little time, little memory. The long run is ``tests.mls.fuzz``."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import ConclaveError
from conclave.mls.message import decode_message
from conclave.mls.proposals import Add
from conclave.mls.tree import ParentNode, Tree
from conclave.values import replace
from conclave.wire.codec import Writer
from tests.mls.forge import forge_commit
from tests.mls.fuzz import Bench, fuzz

SIZE = 64 * 1024


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_noise_is_no_message(data: bytes) -> None:
    for head in (b"", *(b"\x00\x01" + code.to_bytes(2) for code in range(1, 6))):
        try:
            decode_message(head + data)
        except ConclaveError:
            continue


def test_mutations_give_errors_of_ours() -> None:
    assert fuzz(2.0, seed=1) > 100


@pytest.mark.slow
def test_many_mutations_give_errors_of_ours() -> None:
    assert fuzz(100.0, seed=2) > 10_000


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def dense(unit: bytes) -> bytes:
    """As much of one small structure as a message of 64 KiB holds."""
    return Writer().opaque(unit * ((SIZE - 200) // len(unit))).done()


def heavy(bench: Bench) -> list[tuple[str, bytes]]:
    """Messages of 64 KiB made to cost as much as they can before anyone vouches for them."""
    head = bench.messages[5][: 4 + 7 + 8 + 5]
    ayse = bench.world["ayse"]
    package = bench.deniz.package
    many = forge_commit(ayse, [Add(replace(package, signature=bytes(64))) for _ in range(180)], path=False)
    repeated = forge_commit(ayse, [Add(package)] * 180, path=False)
    commit = head + b"\x00\x03"
    removes = dense(b"\x01\x00\x03\x00\x00\x00\x01")
    references = dense(b"\x02\x00")
    key_package = bench.messages[3][4:]
    adds = dense(b"\x01\x00\x01" + key_package)
    info = bench.info
    return [
        ("signed adds", many),
        ("signed good adds", repeated),
        ("removes", commit + removes + b"\x00\x00\x00\x00"),
        ("references", commit + references + b"\x00\x00\x00\x00"),
        ("adds", commit + adds + b"\x00\x00\x00\x00"),
        ("info", info + bytes(SIZE - len(info))),
        ("welcome", b"\x00\x01\x00\x03\x00\x01" + dense(b"\x00\x00\x00") + b"\x00"),
        ("noise", bench.messages[8][:-100] + bytes(SIZE)),
    ]


def test_a_message_of_64_kib_costs_little_time_and_memory(bench: Bench) -> None:
    for name, message in heavy(bench):
        best = 1.0
        for _ in range(3):
            started = time.process_time()
            with pytest.raises(ConclaveError):
                bench.process(message)
            best = min(best, time.process_time() - started)
        assert best < 0.1, name
        tracemalloc.start()
        with pytest.raises(ConclaveError):
            bench.process(message)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10 * 1024 * 1024, (name, peak)


def test_a_tree_of_64_kib_costs_little(bench: Bench) -> None:
    """Blank nodes are one byte each: as many as are allowed, and more."""
    node = b"\x01\x02" + ParentNode(bytes(32)).encode()
    leaf = b"\x01\x01" + bench.deniz.package.leaf.encode()
    for body in (b"\x00" * (SIZE - 300) + leaf, (b"\x00" + node) * 1500 + leaf, (leaf + b"\x00") * 200 + leaf):
        data = Writer().opaque(body).done()
        best = 1.0
        for _ in range(3):
            started = time.process_time()
            try:
                tree = Tree.decode(data)
                tree.hash(bench.world.suite.kdf)
            except ConclaveError:
                pass
            best = min(best, time.process_time() - started)
        assert best < 0.1
