"""The reader takes as long for a bad MAC as for bad padding, a bad length or a bad number; a leaky one does not.

Samples are taken in turns, so that whatever else the machine does falls on all kinds alike. What is measured must be
measurable: the same clock tells a reader that looks at the padding first from ours.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from conclave.classic.keys import derive_keys
from conclave.classic.records import Reader
from conclave.errors import VerificationError
from tests.classic import straight
from tests.classic.people import NONCE, SECRET

SAMPLES = 20_000
WITHIN = 0.02
ATTEMPTS = 4
"""Medians on a machine that others use move by themselves now and then; one quiet attempt shows what there is."""

KEYS = derive_keys(SECRET, NONCE)
SIX = straight.six_keys(SECRET, NONCE)


def crafted() -> dict[str, bytes]:
    """One fragment of each kind, all of 61 bytes, each with exactly one thing wrong."""
    good = straight.fragment(b"hello", 1, True, SIX.mac_sender, SIX.aes_sender, SIX.iv_sender)
    header = good[:13]
    tag = straight.mac(b"hello" + header, SIX.mac_sender)

    def with_plain(padded: bytes) -> bytes:
        return header + straight.encrypt_padded(padded, SIX.aes_sender, SIX.iv_sender)

    return {
        "bad MAC": with_plain(b"hello" + bytes(reversed(tag)) + bytes((11,)) * 11),
        "bad MAC, first byte": with_plain(b"hello" + bytes((tag[0] ^ 1,)) + tag[1:] + bytes((11,)) * 11),
        "bad padding": with_plain(b"hello" + tag + bytes((11,)) * 10 + b"\x0c"),
        "no padding": with_plain(b"hello" + tag + bytes(11)),
        "bad length": good[:7] + b"000006" + good[13:],
        "no length": good[:7] + b"00001x" + good[13:],
        "bad number": b"000002" + good[6:],
    }


def ours() -> Callable[[bytes], None]:
    reader = Reader(KEYS.sender)

    def read(data: bytes) -> None:
        with suppress(VerificationError):
            list(reader.read(data))

    return read


def leaky(data: bytes) -> None:
    """As a reader in haste is written: padding first, then the MAC."""
    with suppress(ValueError):
        decryptor = Cipher(algorithms.AES(SIX.aes_sender), modes.CBC(SIX.iv_sender)).decryptor()
        unpadder = PKCS7(128).unpadder()
        plain = unpadder.update(decryptor.update(data[13:])) + unpadder.finalize()
        if straight.mac(plain[:5] + data[:13], SIX.mac_sender) != plain[5:]:
            raise ValueError


def medians(read: Callable[[bytes], None], cases: dict[str, bytes], samples: int) -> dict[str, float]:
    """Median nanoseconds of each kind."""
    clock = time.perf_counter_ns
    taken: dict[str, list[int]] = {kind: [] for kind in cases}
    kinds = list(cases.items())
    gc.disable()
    try:
        for number in range(samples):
            for at in range(len(kinds)):
                kind, data = kinds[(number + at) % len(kinds)]
                start = clock()
                read(data)
                taken[kind].append(clock() - start)
    finally:
        gc.enable()
    return {kind: statistics.median(times) for kind, times in taken.items()}


def spread(read: Callable[[bytes], None], cases: dict[str, bytes], samples: int) -> float:
    found = medians(read, cases, samples)
    return max(found.values()) / min(found.values()) - 1


@pytest.mark.slow
def test_the_reader_takes_as_long_for_whatever_is_wrong() -> None:
    cases = crafted()
    read = ours()
    spreads: list[float] = []
    for _ in range(ATTEMPTS):
        spreads.append(spread(read, cases, SAMPLES))
        if spreads[-1] <= WITHIN:
            return
    pytest.fail(f"medians differ by {', '.join(f'{one:.1%}' for one in spreads)}; at most {WITHIN:.0%} is meant")


@pytest.mark.slow
def test_the_clock_would_tell_a_leaky_reader() -> None:
    cases = {kind: data for kind, data in crafted().items() if kind in ("bad MAC", "no padding")}
    assert spread(leaky, cases, 2_000) > 5 * WITHIN
