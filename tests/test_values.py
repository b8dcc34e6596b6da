"""A value behaves as the standard library's dataclass with the same fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from rich.pretty import pretty_repr

from conclave import values

T = TypeVar("T")


def classes(of: ModuleType) -> list[Any]:
    """The same classes, written once, by ``of``: the standard library or ours."""
    dataclass, field = of.dataclass, of.field

    @dataclass(frozen=True, slots=True)
    class Plain:
        kind: ClassVar[str] = "plain"
        name: str
        count: int = 3
        marks: Mapping[str, int] = field(default_factory=dict)

        @property
        def twice(self) -> int:
            return self.count * 2

    @dataclass(frozen=True, slots=True)
    class Keyed(Generic[T]):
        note: T
        key: bytes = field(repr=False)

    @dataclass(frozen=True, repr=False)
    class Slow:
        name: str
        tried: list[str]

        @cached_property
        def answer(self) -> str:
            self.tried.append(self.name)
            return self.name * 2

    @dataclass(frozen=True, slots=True)
    class Worded:
        name: str

        def __repr__(self) -> str:
            return "Worded(...)"

    @dataclass(slots=True)
    class Changing:
        count: int = 0
        had: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True, eq=False)
    class Itself:
        name: str

    return [Plain, Keyed, Slow, Worded, Changing, Itself]


THEIRS, OURS = classes(dataclasses), classes(values)
BOTH = pytest.mark.parametrize("kinds", [THEIRS, OURS], ids=["standard library", "ours"])


@BOTH
def test_it_has_its_fields_and_their_defaults(kinds: list[Any]) -> None:
    plain, *_, changing, _ = kinds
    one = plain("ayse")
    assert (one.name, one.count, one.marks, one.twice, one.kind) == ("ayse", 3, {}, 6, "plain")
    assert one.marks is not plain("ayse").marks
    with pytest.raises(TypeError):
        plain()
    with pytest.raises(TypeError):
        plain("ayse", other=1)
    match plain("burak", 4):
        case plain(name, count):
            assert (name, count) == ("burak", 4)
    had = changing()
    had.count += 1
    had.had.append(1)
    assert (had, changing()) == (changing(1, [1]), changing(0, []))


@BOTH
def test_it_never_changes_and_another_one_is_like_it(kinds: list[Any]) -> None:
    plain, keyed, *_ = kinds
    one = plain("ayse", 4)
    with pytest.raises(AttributeError):
        one.count = 5
    with pytest.raises((AttributeError, TypeError)):  # the standard library trips over its own message
        one.other = 5
    replace: Callable[..., Any] = dataclasses.replace if kinds is THEIRS else values.replace
    assert replace(one, count=5) == plain("ayse", 5) != one == plain("ayse", 4)
    assert type(replace(one)) is plain
    with pytest.raises(TypeError):
        replace(one, other=2)
    assert one != keyed("ayse", 4)


@BOTH
def test_it_counts_by_its_fields_unless_it_counts_as_itself(kinds: list[Any]) -> None:
    _, keyed, _, _, changing, itself = kinds
    assert len({keyed("a", b"1"), keyed("a", b"1"), keyed("b", b"1")}) == 2
    assert len({itself("a"), itself("a")}) == 2
    with pytest.raises(TypeError):
        hash(changing())


@BOTH
def test_what_is_hidden_is_shown_nowhere(kinds: list[Any]) -> None:
    _, keyed, slow, worded, *_ = kinds
    secret = keyed("said", b"secret")
    assert repr(secret).endswith("Keyed(note='said')")
    assert pretty_repr(secret).endswith("Keyed(note='said')")
    for silent in (slow("secret", []), worded("secret")):
        assert "secret" not in repr(silent) + pretty_repr(silent)


@BOTH
def test_what_is_found_out_once_is_kept(kinds: list[Any]) -> None:
    slow = kinds[2]
    tried: list[str] = []
    one = slow("ayse", tried)
    assert (one.answer, one.answer, tried) == ("ayseayse", "ayseayse", ["ayse"])


def test_fields_are_listed_in_their_order() -> None:
    plain: Any = OURS[0]
    assert values.astuple(plain("ayse")) == ("ayse", 3, {})
    assert values.asdict(plain("ayse")) == {"name": "ayse", "count": 3, "marks": {}}


def test_an_heir_is_refused() -> None:
    heir = type("Heir", (OURS[0],), {})
    with pytest.raises(TypeError, match="Heir inherits fields"):
        values.dataclass(frozen=True)(heir)
