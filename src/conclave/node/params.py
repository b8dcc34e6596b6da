"""What the parameters of all commands have in common: they are taken strictly, and every text has a bound.

Left out: the commands (``node.commands``, ``node.classic_commands``, ``node.files_commands``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

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
