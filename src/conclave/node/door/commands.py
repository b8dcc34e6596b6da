"""What a front may ask of a running node: one class per command, its name on the wire, and its limits.

The node's socket speaks JSON-RPC 2.0, one object a line; ``parse`` turns a method and its parameters into one of
these classes, so that nothing unchecked goes further. A feature that a front cannot express here is in the wrong
place. Left out: how a command is carried out (``node.door.service``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from conclave.errors import LocalError, UsageError
from conclave.node.classic.commands import CLASSIC_METHODS, ClassicCommand
from conclave.node.files.commands import METHODS as FILE_METHODS
from conclave.node.files.commands import FileCommand
from conclave.node.params import Address, Name, Params, Path, Stretch, complaint, remedy

Named = Annotated[str, Field(min_length=1, max_length=32)]
"""A line: its position, the first letters of its id, or ``last``."""
Names = Annotated[tuple[Name, ...], Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Say(Params):
    """Say ``text`` to ``@handle`` or ``#lobby``.

    With ``wait``, the answer comes only when it has come as far as ``goal`` or ``timeout`` (seconds) is over: *sent*
    is in a mailbox or in the lobby's order, *delivered* is on everybody's device. ``at`` (``host:port``) dials the
    peer there instead of asking the directory. ``reply`` names a line; after ``expires`` seconds it disappears (0:
    never; none: as the conversation has it).
    """

    to: Name
    text: Annotated[str, Field(min_length=1, max_length=65_536)]
    wait: bool = False
    timeout: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    at: Address = ""
    goal: Literal["sent", "delivered"] = "delivered"
    reply: Annotated[str, Field(max_length=32)] = ""
    expires: Annotated[int, Field(ge=0, le=366 * 86_400)] | None = None


@dataclass(frozen=True, slots=True)
class Edit(Params):
    """Other words for a line of ours (``last``, a position, or the first letters of its id)."""

    conversation: Name
    line: Named
    text: Annotated[str, Field(min_length=1, max_length=65_536)]


@dataclass(frozen=True, slots=True)
class Delete(Params):
    """Take a line of ours back, on every device."""

    conversation: Name
    line: Named


@dataclass(frozen=True, slots=True)
class React(Params):
    """Put a sign at a line, or take it off."""

    conversation: Name
    line: Named
    sign: Annotated[str, Field(min_length=1, max_length=32)]
    on: bool = True


@dataclass(frozen=True, slots=True)
class Pin(Params):
    """Pin a line for everybody, or no longer."""

    conversation: Name
    line: Named
    on: bool = True


@dataclass(frozen=True, slots=True)
class Pins(Params):
    """The pinned lines of a conversation."""

    conversation: Name


@dataclass(frozen=True, slots=True)
class Timer(Params):
    """What anybody says there from now on disappears after ``seconds`` (0: never), on every device."""

    conversation: Name
    seconds: Annotated[int, Field(ge=0, le=366 * 86_400)]


@dataclass(frozen=True, slots=True)
class Read(Params):
    """Our person has read a conversation up to ``line``, or all of it."""

    conversation: Name
    line: Annotated[str, Field(max_length=32)] = ""


@dataclass(frozen=True, slots=True)
class Receipts(Params):
    """How far lines of ours have come, by member: the newest ``limit``, or one."""

    conversation: Name
    line: Annotated[str, Field(max_length=32)] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 10


@dataclass(frozen=True, slots=True)
class Mute(Params):
    """Ring no more for a conversation, or again."""

    conversation: Name
    on: bool = True


@dataclass(frozen=True, slots=True)
class Lines(Stretch):
    """History of a conversation: the newest ``limit`` lines, or those after or before a position."""


@dataclass(frozen=True, slots=True)
class Conversations(Params):
    """Every conversation with history, the latest first."""


@dataclass(frozen=True, slots=True)
class Search(Params):
    """Lines of history that contain the words of ``text``."""

    text: Annotated[str, Field(min_length=1, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=200)] = 20


@dataclass(frozen=True, slots=True)
class Export(Params):
    """Write the record of a conversation, signed, to ``path`` on the node's machine, where no file is yet."""

    conversation: Name
    path: Path


@dataclass(frozen=True, slots=True)
class Follow(Params):
    """From now on, send every notice on this connection as the JSON-RPC notification ``notice``."""


@dataclass(frozen=True, slots=True)
class Requests(Params):
    """Who asks to chat or invites us to a lobby, and waits for an answer."""


@dataclass(frozen=True, slots=True)
class AnswerTo(Params):
    """Accept or reject ``peer``'s request, or its invitation to ``lobby``; ``block`` refuses all that follows."""

    peer: Name
    accept: bool
    lobby: Annotated[str, Field(max_length=140)] = ""
    block: bool = False


@dataclass(frozen=True, slots=True)
class Unblock(Params):
    """Take a block back."""

    peer: Name


@dataclass(frozen=True, slots=True)
class Busy(Params):
    """Answer new requests with *busy* from now on, or stop doing so."""

    on: bool


@dataclass(frozen=True, slots=True)
class LobbyOpen(Params):
    """Open a lobby that we lead, and ask ``invited`` into it."""

    name: Name
    invited: Names = ()


@dataclass(frozen=True, slots=True)
class LobbyInvite(Params):
    """Ask more people into a lobby that we are in."""

    lobby: Name
    invited: Names


@dataclass(frozen=True, slots=True)
class LobbyShare(Params):
    """Show a member who came in after us the last lines from before: ``last`` of them at most."""

    lobby: Name
    member: Name
    last: Annotated[int, Field(ge=1, le=1000)] = 50


@dataclass(frozen=True, slots=True)
class LobbyLeave(Params):
    """Leave a lobby; a leader is succeeded."""

    lobby: Name


@dataclass(frozen=True, slots=True)
class LobbyClose(Params):
    """Close a lobby that we lead."""

    lobby: Name


@dataclass(frozen=True, slots=True)
class LobbyRemove(Params):
    """Put somebody out of a lobby."""

    lobby: Name
    member: Name
    reason: Annotated[str, Field(max_length=200)] = ""


@dataclass(frozen=True, slots=True)
class LobbyDeputies(Params):
    """Who leads first when the leader is gone; without ``deputies``, who that is now."""

    lobby: Name
    deputies: Names | None = None


@dataclass(frozen=True, slots=True)
class Roll(Params):
    """Ask everybody in a lobby for a signed answer now; wait for ``seconds`` at most."""

    lobby: Name
    seconds: Annotated[float, Field(ge=0, le=60)] = 5.0


@dataclass(frozen=True, slots=True)
class LobbyList(Params):
    """The lobbies that we lead, are in, or are invited to."""


@dataclass(frozen=True, slots=True)
class LobbyWho(Params):
    """Who is in a lobby, who of them is linked or online, and who has all up to where."""

    lobby: Name


@dataclass(frozen=True, slots=True)
class Who(Params):
    """The directory: everybody, or those whose handle or name contains ``query``."""

    query: Annotated[str, Field(max_length=100)] = ""


@dataclass(frozen=True, slots=True)
class Find(Params):
    """One person in the directory: address, offline, or not found."""

    handle: Name


@dataclass(frozen=True, slots=True)
class Verify(Params):
    """The safety number that we and ``peer`` compute alike."""

    peer: Name


@dataclass(frozen=True, slots=True)
class Status(Params):
    """The node itself: who we are, what we listen on, links, queue, authority, certificates."""


@dataclass(frozen=True, slots=True)
class Stop(Params):
    """Say goodbye to the directory and to the peers, and end the node."""


OfWords = (
    Say | Edit | Delete | React | Pin | Pins | Timer | Lines | Read | Receipts | Conversations | Search | Mute
)  # fmt: skip
InLobbies = (
    LobbyOpen | LobbyInvite | LobbyShare | LobbyLeave | LobbyClose | LobbyRemove | LobbyDeputies | LobbyList
    | LobbyWho | Roll
)  # fmt: skip
Command = (
    OfWords | InLobbies | FileCommand | ClassicCommand | Export | Follow | Requests | AnswerTo | Unblock | Busy | Who
    | Find | Verify | Status | Stop
)  # fmt: skip

METHODS: dict[str, type[Command]] = {
    "say": Say,
    "edit": Edit,
    "delete": Delete,
    "react": React,
    "pin": Pin,
    "pins": Pins,
    "timer": Timer,
    "read": Read,
    "receipts": Receipts,
    "mute": Mute,
    "lines": Lines,
    "conversations": Conversations,
    "search": Search,
    "export": Export,
    "follow": Follow,
    "requests": Requests,
    "answer": AnswerTo,
    "unblock": Unblock,
    "busy": Busy,
    "lobby.open": LobbyOpen,
    "lobby.invite": LobbyInvite,
    "lobby.share": LobbyShare,
    "lobby.leave": LobbyLeave,
    "lobby.close": LobbyClose,
    "lobby.remove": LobbyRemove,
    "lobby.deputies": LobbyDeputies,
    "roll": Roll,
    "lobby.list": LobbyList,
    "lobby.who": LobbyWho,
    "who": Who,
    "find": Find,
    "verify": Verify,
    "status": Status,
    "stop": Stop,
    **FILE_METHODS,
    **CLASSIC_METHODS,
}
_NAMES = {command: name for name, command in METHODS.items()}


@cache
def _adapter(method: str) -> TypeAdapter[Command]:
    return TypeAdapter(METHODS[method])


def parse(method: str, params: object) -> Command:
    """The command that a JSON-RPC request names. Raises ``UsageError`` for a wrong parameter, ``LocalError``."""
    if method not in METHODS:
        raise LocalError(f"there is no command {method[:60]!r}", remedy="commands: " + ", ".join(METHODS))
    try:
        return _adapter(method).validate_python(params if params is not None else {})
    except ValidationError as error:
        raise UsageError(complaint(method, error), remedy=remedy(error)) from error


def unparse(command: Command) -> tuple[str, dict[str, Any]]:
    """The method and parameters that ``parse`` takes back."""
    return _NAMES[type(command)], {field.name: getattr(command, field.name) for field in fields(command)}
