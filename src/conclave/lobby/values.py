"""Another value like one, but for some fields: ``dataclasses.replace``, in a quarter of the time.

The cores keep their state in values that never change, so each message makes several anew: all of ``chat`` and
``lobby`` uses this one. A frozen dataclass sets each field by a call; so the fields are set in a class like it that
is not frozen, and the new value is then said to be of its own class. For the type checker it is the standard
library's, so that it knows the fields. Left out: dataclasses without slots, and those that look at their fields when
they are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

_COPY = """
def copied(value):
    new = create(Thawed)
{}
    return new
"""


@lru_cache(256)
def _copier(kind: type) -> Callable[[object], Any]:
    """A function that copies the fields of a ``kind`` into an object that can still be changed."""
    if hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} looks at its fields when it is made: use dataclasses.replace")
    names = [one.name for one in fields(kind)]
    thawed = type(kind.__name__, (), {"__slots__": kind.__slots__})  # type: ignore[attr-defined]
    made: dict[str, Any] = {"create": object.__new__, "Thawed": thawed}
    exec(_COPY.format("\n".join(f"    new.{name} = value.{name}" for name in names)), made)  # noqa: S102
    copier: Callable[[object], Any] = made["copied"]
    return copier


if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A dataclass's value like ``value``, but for ``changes``. Raises ``AttributeError`` for what is no field."""
        kind = value.__class__
        new = _copier(kind)(value)
        for name, changed in changes.items():
            setattr(new, name, changed)
        new.__class__ = kind
        return new
