"""What the parameters of all commands have in common: they are taken strictly, and every text has a bound.

Left out: the commands (``node.door.commands``, ``node.classic.commands``, ``node.files.commands``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, ValidationError

Name = Annotated[str, Field(min_length=1, max_length=140)]
"""A handle, a lobby's label, or either with its ``@`` or ``#``."""
Address = Annotated[str, Field(max_length=260)]
"""``host:port``, or nothing."""
Path = Annotated[str, Field(min_length=1, max_length=4096)]


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters of a command: none that is unknown, and no text without a bound, be it forgotten where it stands."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=False, str_max_length=70_000)


@dataclass(frozen=True, slots=True)
class Stretch(Params):
    """The newest ``limit`` lines of a conversation, or those after or before a position."""

    conversation: Name
    after: Annotated[int, Field(ge=0)] | None = None
    before: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50


_KINDS = {"string": "text", "int": "whole number", "float": "number", "bool": "yes or no", "tuple": "list"}
"""What a parameter should be, by the first word of the error's type."""


_CALLED = {"to": "whom to say it to", "conversation": "whose conversation"}
"""What people call a parameter."""
_REMEDIES = {
    "to": "name somebody or a lobby: @PEER or '#LOBBY'",
    "conversation": "name somebody or a lobby: @PEER or '#LOBBY'",
    "text": "say a word; what is no text goes as a file: conclave send @PEER FILE",
    "sign": "give one emoji: conclave react '#ops' last 👍",
    "id": "give at least 4 digits of it, as conclave files shows them",
    "path": "give the name of a file, in UTF-8",
    "into": "give the name of a folder, in UTF-8",
}
"""What to do about a parameter that does not fit, by its name."""


def remedy(error: ValidationError) -> str:
    """What to do about the first parameter that is wrong; empty where that is plain."""
    where = error.errors(include_url=False, include_input=False)[0]["loc"]
    return _REMEDIES.get(str(where[0]), "") if where else ""


def complaint(method: str, error: ValidationError) -> str:
    """What is wrong with the first parameter that is, in words for people."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    bound = first.get("ctx", {})
    match first["type"]:
        case "missing":
            return f"{where} is missing"
        case "string_too_short":
            least = bound["min_length"]
            if least == 1:
                return f"{_CALLED.get(where, where)} is empty"
            return f"{where} is too short: at least {least} characters"
        case "string_too_long":
            return f"{where} is too long: at most {bound['max_length']} characters"
        case "too_long":
            return f"{where} has too many: at most {bound['max_length']}"
        case "string_unicode":
            return f"{where} is not text in UTF-8"
        case "string_pattern_mismatch":
            return f"{where} is not made of hexadecimal digits"
        case "greater_than_equal":
            return f"{where} is too small: at least {bound['ge']}"
        case "less_than_equal":
            return f"{where} is too large: at most {bound['le']}"
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{method} takes no {where}"
        case "dataclass_type":
            return f"{method} takes an object of parameters"
        case "literal_error":
            return f"{where} must be {bound['expected']}"
        case kind:
            return f"{where} is no {_KINDS.get(kind.partition('_')[0], 'value that fits')}"
