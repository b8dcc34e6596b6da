"""The map behaves as a dict, and never changes in place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.lobby.shelf import Draft, Shelf

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


@given(st.dictionaries(KEYS, st.integers()), st.lists(st.tuples(st.booleans(), KEYS, st.integers())))
def test_a_draft_changes_over_a_shelf_that_stays(begun: dict[str, int], changes: list[tuple[bool, str, int]]) -> None:
    empty: Shelf[str, int] = Shelf()
    shelf = empty.update(begun)
    draft, model = Draft(shelf), dict(begun)
    for put, key, value in changes:
        if put:
            draft.put(key, value)
            model[key] = value
        else:
            draft.drop(key)
            model.pop(key, None)
        assert draft.get(key) == model.get(key)
        assert dict(draft.done().items()) == model
    assert dict(shelf.items()) == begun
    for key, before, now in draft.changes():
        assert (before, now) == (begun.get(key), model.get(key))
    assert {key for key in {*begun, *model} if begun.get(key) != model.get(key)} <= {k for k, _, _ in draft.changes()}
