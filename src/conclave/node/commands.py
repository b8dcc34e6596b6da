"""What a front may ask of a running node: one class per command, its name on the wire, and its limits.

The node's socket speaks JSON-RPC 2.0, one object a line; ``parse`` turns a method and its parameters into one of
these classes, so that nothing unchecked goes further. A feature that a front cannot express here is in the wrong
place. Left out: how a command is carried out (``node.service``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from conclave.errors import LocalError
from conclave.node.files_commands import METHODS as FILE_METHODS
from conclave.node.files_commands import FileCommand

_STRICT = ConfigDict(extra="forbid", strict=False, str_max_length=70_000)

Name = Annotated[str, Field(min_length=1, max_length=140)]
"""A handle, a lobby's label, or either with its ``@`` or ``#``."""
Names = Annotated[tuple[Name, ...], Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Say:
    """Say ``text`` to ``@handle`` or ``#lobby``.

    With ``wait``, the answer comes only when it is delivered or ``timeout`` (seconds) is over. ``at``
    (``host:port``) dials the peer there instead of asking the directory.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    to: Name
    text: Annotated[str, Field(min_length=1, max_length=65_536)]
    wait: bool = False
    timeout: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    at: Annotated[str, Field(max_length=260)] = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """History of a conversation: the newest ``limit`` lines, or those after or before a position."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    conversation: Name
    after: Annotated[int, Field(ge=0)] | None = None
    before: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50


@dataclass(frozen=True, slots=True)
class Conversations:
    """Every conversation with history, the latest first."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Search:
    """Lines of history that contain the words of ``text``."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    text: Annotated[str, Field(min_length=1, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=200)] = 20


@dataclass(frozen=True, slots=True)
class Export:
    """Write the record of a conversation, signed, to ``path`` on the node's machine, where no file is yet."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    conversation: Name
    path: Annotated[str, Field(min_length=1, max_length=4096)]


@dataclass(frozen=True, slots=True)
class Follow:
    """From now on, send every notice on this connection as the JSON-RPC notification ``notice``."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Requests:
    """Who asks to chat or invites us to a lobby, and waits for an answer."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class AnswerTo:
    """Accept or reject ``peer``'s request, or its invitation to ``lobby``; ``block`` refuses all that follows."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    peer: Name
    accept: bool
    lobby: Annotated[str, Field(max_length=140)] = ""
    block: bool = False


@dataclass(frozen=True, slots=True)
class Unblock:
    """Take a block back."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    peer: Name


@dataclass(frozen=True, slots=True)
class Busy:
    """Answer new requests with *busy* from now on, or stop doing so."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    on: bool


@dataclass(frozen=True, slots=True)
class LobbyOpen:
    """Open a lobby that we lead, and ask ``invited`` into it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: Name
    invited: Names = ()


@dataclass(frozen=True, slots=True)
class LobbyInvite:
    """Ask more people into a lobby that we lead."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    lobby: Name
    invited: Names


@dataclass(frozen=True, slots=True)
class LobbyLeave:
    """Leave a lobby that somebody else leads."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    lobby: Name


@dataclass(frozen=True, slots=True)
class LobbyClose:
    """Close a lobby that we lead."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    lobby: Name


@dataclass(frozen=True, slots=True)
class LobbyList:
    """The lobbies that we lead, are in, or are invited to."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class LobbyWho:
    """Who is in a lobby, and who of them is linked or online."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    lobby: Name


@dataclass(frozen=True, slots=True)
class Who:
    """The directory: everybody, or those whose handle or name contains ``query``."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    query: Annotated[str, Field(max_length=100)] = ""


@dataclass(frozen=True, slots=True)
class Find:
    """One person in the directory: address, offline, or not found."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    handle: Name


@dataclass(frozen=True, slots=True)
class Status:
    """The node itself: who we are, what we listen on, links, queue, authority, certificates."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Stop:
    """Say goodbye to the directory and to the peers, and end the node."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


Command = (
    Say | Lines | Conversations | Search | Export | Follow | Requests | AnswerTo | Unblock | Busy | LobbyOpen
    | LobbyInvite | LobbyLeave | LobbyClose | LobbyList | LobbyWho | Who | Find | Status | Stop
    | FileCommand
)  # fmt: skip

METHODS: dict[str, type[Command]] = {
    "say": Say,
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
    "lobby.leave": LobbyLeave,
    "lobby.close": LobbyClose,
    "lobby.list": LobbyList,
    "lobby.who": LobbyWho,
    "who": Who,
    "find": Find,
    "status": Status,
    "stop": Stop,
    **FILE_METHODS,
}
_NAMES = {command: name for name, command in METHODS.items()}


@cache
def _adapter(method: str) -> TypeAdapter[Command]:
    return TypeAdapter(METHODS[method])


def parse(method: str, params: object) -> Command:
    """The command that a JSON-RPC request names. Raises ``LocalError`` that says which parameter is wrong."""
    if method not in METHODS:
        raise LocalError(f"there is no command {method[:60]!r}", remedy="commands: " + ", ".join(METHODS))
    try:
        return _adapter(method).validate_python(params if params is not None else {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise LocalError(f"{method}: {where}: {first['msg']}") from error


def unparse(command: Command) -> tuple[str, dict[str, Any]]:
    """The method and parameters that ``parse`` takes back."""
    return _NAMES[type(command)], {field.name: getattr(command, field.name) for field in fields(command)}
