"""What a front may ask of the classic suite: its commands are apart from the others, and named ``classic.…``.

They are parsed as all others (``node.commands``). Left out: how they are carried out (``node.classic_service``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from conclave.classic.limits import MESSAGE_BYTES

_STRICT = ConfigDict(extra="forbid", strict=False, str_max_length=MESSAGE_BYTES)

Name = Annotated[str, Field(min_length=1, max_length=140)]
"""A handle, a lobby's name, or either with its ``@`` or ``#``."""
Names = Annotated[tuple[Name, ...], Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class ClassicSay:
    """Say ``text``, which may be empty, to ``@handle`` or in the ``#lobby`` that we lead, over a legacy link.

    With ``wait``, the answer comes only when it was sent or ``timeout`` (seconds) is over. ``at`` (``host:port``)
    dials the peer there instead of asking the directory.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    to: Name
    text: Annotated[str, Field(max_length=MESSAGE_BYTES)]
    wait: bool = False
    timeout: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    at: Annotated[str, Field(max_length=260)] = ""


@dataclass(frozen=True, slots=True)
class ClassicLines:
    """History of a legacy conversation: the newest ``limit`` lines, or those after or before a position."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    conversation: Name
    after: Annotated[int, Field(ge=0)] | None = None
    before: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50


@dataclass(frozen=True, slots=True)
class ClassicRequests:
    """Who asks to chat over a legacy link, and waits for an answer."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class ClassicAnswer:
    """Accept or reject ``peer``'s request; ``block`` refuses all that follows."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    peer: Name
    accept: bool
    block: bool = False


@dataclass(frozen=True, slots=True)
class ClassicUnblock:
    """Take a block back."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    peer: Name


@dataclass(frozen=True, slots=True)
class ClassicGather:
    """Ask people into a legacy lobby that we lead; with ``opening`` it is a new one, without it must be there."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    lobby: Name
    invited: Names = ()
    opening: bool = True


@dataclass(frozen=True, slots=True)
class ClassicClose:
    """Close a legacy lobby that we lead."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    lobby: Name


@dataclass(frozen=True, slots=True)
class ClassicHangUp:
    """End the legacy link with a peer: out of a chat, or out of the lobby that it leads."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    peer: Name


@dataclass(frozen=True, slots=True)
class ClassicWho:
    """The legacy lobbies that we lead, who is in them, and who was asked."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


ClassicCommand = (
    ClassicSay | ClassicLines | ClassicRequests | ClassicAnswer | ClassicUnblock | ClassicGather | ClassicClose
    | ClassicHangUp | ClassicWho
)  # fmt: skip

CLASSIC_METHODS: dict[str, type[ClassicCommand]] = {
    "classic.say": ClassicSay,
    "classic.lines": ClassicLines,
    "classic.requests": ClassicRequests,
    "classic.answer": ClassicAnswer,
    "classic.unblock": ClassicUnblock,
    "classic.gather": ClassicGather,
    "classic.close": ClassicClose,
    "classic.hangup": ClassicHangUp,
    "classic.who": ClassicWho,
}
