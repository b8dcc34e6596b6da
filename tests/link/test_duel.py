"""Both ends keep the same one of two links, without asking each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import pytest

from conclave.errors import LocalError
from conclave.link.duel import survivor


@dataclass(frozen=True)
class Seen:
    name: str
    initiator: bool


@pytest.mark.parametrize(("ours", "theirs"), [("ayse", "burak"), ("burak", "ayse"), ("a", "ab")])
def test_of_two_dialled_at_once_both_keep_the_one_of_the_smaller_handle(ours: str, theirs: str) -> None:
    by_us, by_them = Seen("by-us", initiator=True), Seen("by-them", initiator=False)
    for older, newer in ((by_us, by_them), (by_them, by_us)):
        kept = survivor(ours, theirs, older, newer)
        there = survivor(theirs, ours, *(Seen(link.name, not link.initiator) for link in (older, newer)))
        assert kept.name == there.name == ("by-us" if ours < theirs else "by-them")


@pytest.mark.parametrize(("names", "initiator"), list(product([("ayse", "burak"), ("cem", "burak")], [True, False])))
def test_of_two_dialled_by_one_side_the_newer_stays(names: tuple[str, str], initiator: bool) -> None:
    assert survivor(*names, Seen("older", initiator), Seen("newer", initiator)).name == "newer"


def test_a_link_to_oneself_has_no_rule() -> None:
    with pytest.raises(LocalError):
        survivor("ayse", "ayse", Seen("a", initiator=True), Seen("b", initiator=False))
