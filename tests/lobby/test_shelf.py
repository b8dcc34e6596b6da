"""The map behaves as a dict, and never changes in place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.lobby.shelf import Shelf

KEYS = st.text(max_size=3)


@given(st.lists(st.tuples(st.booleans(), KEYS, st.integers())))
@settings(max_examples=80)
def test_it_is_a_dict_that_does_not_change(changes: list[tuple[bool, str, int]]) -> None:
    shelf: Shelf[str, int] = Shelf()
    model: dict[str, int] = {}
    for put, key, value in changes:
        before, known = shelf, dict(model)
        if put:
            shelf, model = shelf.put(key, value), {**model, key: value}
        else:
            shelf = shelf.drop(key)
            model.pop(key, None)
        assert dict(before.items()) == known
        assert dict(shelf.items()) == model
        assert len(shelf) == len(model)
        assert sorted(shelf) == sorted(model)
        assert sorted(shelf.values()) == sorted(model.values())
        assert shelf.get(key) == model.get(key)
        assert (key in shelf) == (key in model)


@given(st.dictionaries(KEYS, st.integers()), st.dictionaries(KEYS, st.integers()))
def test_many_put_at_once_are_in_it(first: dict[str, int], then: dict[str, int]) -> None:
    empty: Shelf[str, int] = Shelf()
    before = empty.update(first)
    after = before.update(then)
    assert dict(before.items()) == first
    assert dict(after.items()) == {**first, **then}
    assert (len(before), len(after)) == (len(first), len({**first, **then}))
    assert after.update({}) is after
