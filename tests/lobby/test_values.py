"""A value is made anew as the standard library makes it, with every dataclass that the cores keep."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from conclave.chat.delivery import Flight, Inbound, Outbound
from conclave.chat.lobby_state import Ears, Healing, Lobby, Stage, Voice, Watch
from conclave.chat.state import Desk, Peer
from conclave.lobby import order
from conclave.lobby.values import replace

VALUES: list[tuple[object, dict[str, object]]] = [
    (Peer("ayse", count=3), {"count": 4, "sought": 2.0}),
    (Lobby(bytes(16), "ops", "#ops", Stage.MEMBER), {"stage": Stage.LEAVING}),
    (order.begin(bytes(16), "ayse"), {"seq": 9}),
    *((kind(), {}) for kind in (Outbound, Inbound, Flight, Voice, Ears, Healing, Watch)),
    (Desk("ayse"), {"busy": True}),
]


@pytest.mark.parametrize(("value", "changes"), VALUES, ids=lambda one: type(one).__name__)
def test_it_is_what_the_standard_library_makes(value: object, changes: dict[str, object]) -> None:
    made = replace(value, **changes)  # type: ignore[type-var]
    assert made == dataclasses.replace(value, **changes)  # type: ignore[type-var]
    assert type(made) is type(value)


@dataclass(frozen=True, slots=True)
class Alone:
    one: int


def test_one_field_is_replaced_and_what_is_none_is_refused() -> None:
    assert replace(Alone(1), one=2) == Alone(2)
    with pytest.raises(AttributeError):
        replace(Alone(1), other=2)  # type: ignore[call-arg]
