"""Bytes that people compare by voice or by eye: as words of five letters, and as groups of five digits.

A word is a *proquint* (arXiv:0901.4016): 16 bits, as consonant and vowel in turn, so that it can be spoken in most
languages and needs no list. Left out: what is compared.
"""

from __future__ import annotations

CONSONANTS = "bdfghjklmnprstvz"
VOWELS = "aiou"
WORDS = 8
"""128 bits: nobody finds a second pair of certificates with the same words."""
GROUPS = 12
GROUP_DIGITS = 5
"""60 digits: 199 bits."""


def words(number: bytes, count: int = WORDS) -> tuple[str, ...]:
    """The first ``2 * count`` bytes as words."""
    return tuple(_word(int.from_bytes(number[at : at + 2])) for at in range(0, 2 * count, 2))


def _word(value: int) -> str:
    letters = (
        CONSONANTS[value >> 12], VOWELS[value >> 10 & 3], CONSONANTS[value >> 6 & 15], VOWELS[value >> 4 & 3],
        CONSONANTS[value & 15],
    )  # fmt: skip
    return "".join(letters)


def digits(number: bytes) -> tuple[str, ...]:
    """The number, modulo 10 to the 60th, in groups of five digits."""
    text = f"{int.from_bytes(number) % 10 ** (GROUPS * GROUP_DIGITS):0{GROUPS * GROUP_DIGITS}d}"
    return tuple(text[at : at + GROUP_DIGITS] for at in range(0, len(text), GROUP_DIGITS))
