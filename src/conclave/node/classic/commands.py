"""What a front may ask of the classic suite: its commands are apart from the others, and named ``classic.…``.

They are parsed as all others (``node.door.commands``). Left out: how they are carried out (``node.classic.service``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from conclave.classic.limits import MESSAGE_BYTES
from conclave.node.params import Address, Name, Params, Stretch

Names = Annotated[tuple[Name, ...], Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class ClassicSay(Params):
    """Say ``text``, which may be empty, to ``@handle`` or in the ``#lobby`` that we lead, over a legacy link.

    With ``wait``, the answer comes only when it was sent or ``timeout`` (seconds) is over. ``at`` (``host:port``)
    dials the peer there instead of asking the directory.
    """

    to: Name
    text: Annotated[str, Field(max_length=MESSAGE_BYTES)]
    wait: bool = False
    timeout: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    at: Address = ""


@dataclass(frozen=True, slots=True)
class ClassicLines(Stretch):
    """History of a legacy conversation: the newest ``limit`` lines, or those after or before a position."""


@dataclass(frozen=True, slots=True)
class ClassicRequests(Params):
    """Who asks to chat over a legacy link, and waits for an answer."""


@dataclass(frozen=True, slots=True)
class ClassicAnswer(Params):
    """Accept or reject ``peer``'s request; ``block`` refuses all that follows."""

    peer: Name
    accept: bool
    block: bool = False


@dataclass(frozen=True, slots=True)
class ClassicUnblock(Params):
    """Take a block back."""

    peer: Name


@dataclass(frozen=True, slots=True)
class ClassicGather(Params):
    """Ask people into a legacy lobby that we lead; with ``opening`` it is a new one, without it must be there."""

    lobby: Name
    invited: Names = ()
    opening: bool = True


@dataclass(frozen=True, slots=True)
class ClassicClose(Params):
    """Close a legacy lobby that we lead."""

    lobby: Name


@dataclass(frozen=True, slots=True)
class ClassicHangUp(Params):
    """End the legacy link with a peer: out of a chat, or out of the lobby that it leads."""

    peer: Name


@dataclass(frozen=True, slots=True)
class ClassicWho(Params):
    """The legacy lobbies that we lead, who is in them, and who was asked."""


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
