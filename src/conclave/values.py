"""Values: the standard library's dataclasses, made, copied and compared by a library in C.

The cores keep all that they know in values that never change, so each message makes some thirty of them anew. A
dataclass of the standard library sets its fields by a call each; ``msgspec`` makes one in a quarter of the time and
copies it in a quarter too, and a program with hundreds of such classes starts sooner. They are written as
dataclasses, and the type checker takes them for such, so it knows the fields of ``replace``. Left out: ``compare``
and ``init`` of a field, heirs of a dataclass, and those whose fields ``pydantic`` reads: they are the standard
library's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct, StructMeta, structs
from msgspec import field as _field

__all__ = ["asdict", "astuple", "dataclass", "field", "fields", "replace"]

if TYPE_CHECKING:
    from dataclasses import asdict, astuple, dataclass, field, fields, replace
else:
    asdict, astuple, fields, replace = structs.asdict, structs.astuple, structs.fields, structs.replace

    def field(*, repr: bool = True, **default: Any) -> Any:  # noqa: A002 - the standard library's own word
        """As ``dataclasses.field``, with ``default``, ``default_factory`` and ``repr``."""
        return _field(**default) if repr else _Hidden(_field(**default))

    def dataclass(
        *,
        frozen: bool = False,
        slots: bool = False,
        eq: bool = True,
        repr: bool = True,  # noqa: A002
    ) -> Callable[[type], type]:
        """As ``dataclasses.dataclass``; without ``slots``, a value has room for what is found out once of it."""

        def made(kind: type) -> type:
            if issubclass(kind, Struct):
                raise TypeError(f"{kind.__name__} inherits fields: use dataclasses.dataclass for it and its parent")
            body = {name: value for name, value in vars(kind).items() if name not in _MADE_ANEW}
            body["__annotations__"] = kind.__annotations__
            hidden = {name for name, value in body.items() if isinstance(value, _Hidden)}
            body |= {name: body[name].default for name in hidden}
            if not repr or "__repr__" in body:  # rich is to show no more than the class's own words do
                hidden = set(body["__annotations__"])
            if hidden:
                body = _shown_without(hidden) | body
            bases = tuple(base for base in kind.__bases__ if base is not object)
            return StructMeta(kind.__name__, (Struct, *bases), body, frozen=frozen, eq=eq, dict=not slots)

        return made

    class _Hidden:
        """A field that is not shown: a key, or what is too long to read."""

        def __init__(self, default: Any) -> None:
            self.default = default

    _MADE_ANEW = {"__dict__", "__weakref__", "__annotations__", "__annotate_func__", "__annotations_cache__"}

    def _shown_without(hidden: set[str]) -> dict[str, Any]:
        def shown(value: Any) -> Iterator[tuple[str, Any]]:
            return ((name, getattr(value, name)) for name in value.__struct_fields__ if name not in hidden)

        def as_text(value: Any) -> str:
            return f"{type(value).__qualname__}({', '.join(f'{name}={of!r}' for name, of in shown(value))})"

        return {"__repr__": as_text, "__rich_repr__": shown}
