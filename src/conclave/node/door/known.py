"""What a node's answers draw on, and names as people write them: of people, lobbies, and single lines.

A line is named by its position, by the first letters of its id (at least 4), or as ``last``. Left out: the answers
(``node.door.words``, ``node.door.rooms``, ``node.door.folk``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conclave.chat import views
from conclave.chat.timers import phrase
from conclave.chat.words.line import LineKind
from conclave.errors import ConclaveError, LocalError, NetworkError, Refused, UsageError
from conclave.node.directory import Directory
from conclave.node.door.preferences import Preferences
from conclave.node.door.progress import stands
from conclave.node.peers import Peers
from conclave.node.pump import Pump
from conclave.pki.address import parse_address
from conclave.pki.names import parse_handle
from conclave.store.ports import PeerStore, StoredLine
from conclave.values import dataclass

ID_LETTERS = 4
"""The fewest letters of an id that name a line."""
LOOK_BACK = 1000
"""Lines of a conversation, the last ones, that can be named."""
LAST = "last"


@dataclass(frozen=True, slots=True)
class Known:
    """One node's state, store, links and directory. ``expelled``: who was shut out, and why."""

    me: str
    pump: Pump
    store: PeerStore
    peers: Peers
    directory: Directory
    expelled: Mapping[str, str]
    preferences: Preferences

    def conversation(self, text: str) -> str:
        """``@burak`` or ``#ops``, as it is called here. Raises ``LocalError``."""
        if text.startswith("#"):
            return self.lobby(text).label
        if text.startswith("@"):
            return f"@{handle_of(text)}"
        name = text if text.isascii() else "NAME"
        raise UsageError(
            f"{text!r} is neither a peer nor a lobby", remedy=f"@{name} for a peer, '#{name}' for a lobby"
        )  # fmt: skip

    def lobby(self, text: str) -> views.LobbyView:
        """A lobby that we know. Raises ``LocalError``."""
        view = views.lobby(self.pump.desk, text)
        if view is None:
            raise LocalError(f"you are in no lobby {text!r}", remedy="conclave lobby list; conclave requests")
        return view

    def outside(self, conversation: str) -> tuple[str, str]:
        """Why we are not in a lobby (yet, or any more), and what to do; empty where we are in, and of pairs."""
        lobby = self.lobby(conversation) if conversation.startswith("#") else None
        stage = lobby.stage if lobby is not None else ""
        if stage == "invited":
            inviter = next(one.peer for one in views.requests(self.pump.desk) if one.lobby == conversation)
            return (
                f"you are not in {conversation} yet, {inviter} invites you",
                f"conclave accept {inviter} --lobby {conversation[1:]}",
            )
        if lobby is not None and stage == "joining":
            return (
                f"you are not in {conversation} yet",
                f"{lobby.leader} lets you in once online; anybody else who is in it can invite you too",
            )
        if stage == "leaving":
            return f"you are leaving {conversation}", "ask to be invited again once you are out"
        if stage == "ended":
            return f"you are not in {conversation} any more", "ask somebody there to invite you, or open it anew"
        return "", ""

    def demand_in(self, conversation: str) -> None:
        """Refuse words for a lobby that we are not in. Raises ``LocalError``."""
        why, remedy = self.outside(conversation)
        if why:
            raise LocalError(why, remedy=remedy)

    def muted(self, conversation: str) -> bool:
        """Whether nothing is to ring for a conversation."""
        return self._lasting(conversation) in self.preferences.muted

    async def mute(self, conversation: str, *, on: bool) -> None:
        """Ring no more for a conversation, or again. Raises ``StorageError``."""
        await self.preferences.mute(self._lasting(conversation), on=on)

    def _lasting(self, conversation: str) -> str:
        """``@burak``, or a lobby's group in hex."""
        group = self.pump.desk.labels.get(conversation)
        return conversation if group is None else group.hex()

    def protection(self, conversation: str) -> str:
        """How it is protected, in words."""
        if conversation.startswith("#"):
            return self.lobby(conversation).protection
        return views.pair(self.pump.desk, conversation[1:]).protection

    def timer(self, conversation: str) -> dict[str, Any]:
        """After how many seconds what is said there disappears (0: never), and that in words."""
        if conversation.startswith("#"):
            seconds = self.lobby(conversation).timer
        else:
            seconds = views.pair(self.pump.desk, conversation[1:]).timer
        return {"timer": seconds, "kept": phrase(seconds)}

    def line(self, conversation: str, name: str, *, own: bool = False) -> StoredLine:
        """The line that a person named; ``own``: of ours alone. Raises ``LocalError``."""
        name = name.strip().lower()
        lines = self.store.lines(conversation, limit=LOOK_BACK)
        lines = [one for one in lines if one.line.kind is not LineKind.NOTICE and stands(one.line)]
        if name == LAST:
            found = [one for one in lines if not own or one.line.sender == self.me][-1:]
        else:
            found = [one for one in lines if name.isdecimal() and one.position == int(name)]
            if not found and len(name) >= ID_LETTERS:
                found = [one for one in lines if one.line.id.hex().startswith(name)]
        if len(found) > 1:
            raise LocalError(f"{name!r} names {len(found)} lines", remedy="give more letters of the id")
        if not found and name == LAST:
            raise LocalError(
                f"{'you have said nothing' if own else 'nothing was said'} in {conversation} yet",
                remedy=f"conclave read '{conversation}' --ids shows the lines' names",
            )
        if not found:
            raise LocalError(
                f"there is no line {name!r} among the last {LOOK_BACK} of {conversation}",
                remedy=f"conclave read '{conversation}' --ids shows the lines' names",
            )
        if own and found[0].line.sender != self.me:
            raise LocalError(f"that is {found[0].line.sender}'s line", remedy="only its author can change it")
        return found[0]

    async def demand_known(self, peer: str) -> bool:
        """Refuse a handle that nobody has. Whether somebody has it, as far as we know where the authority is away."""
        if self.pump.desk.peers.get(peer) is not None:
            return True
        try:
            person = await self.directory.find(peer)
        except (NetworkError, Refused):
            return self.directory.remembered(peer) is not None
        if person is None:
            raise Refused(f"nobody is called {peer}", reason="not-found", remedy="conclave who")
        return True

    def here(self, handle: str) -> bool:
        """Whether somebody is there now, as far as we know: our own link outranks what the directory said before."""
        person = self.directory.remembered(handle)
        online = person is not None and person.online and not self.peers.lost(handle)
        return handle == self.me or handle in self.peers.linked() or online

    def away_since(self, handle: str) -> float:
        """Since when somebody is away (UNIX seconds); 0 where that is not known, or where somebody is here."""
        if self.here(handle):
            return 0.0
        person = self.directory.remembered(handle)
        lost = self.peers.left(handle) or self.peers.lost(handle)
        return max(lost, person.since if person is not None and not person.online else 0.0)


def address_of(text: str) -> str:
    """``host:port`` as a person wrote it. Raises ``UsageError``."""
    try:
        return str(parse_address(text))
    except ConclaveError as error:
        raise UsageError(str(error), remedy=error.remedy) from error


def handle_of(text: str) -> str:
    """A handle, with or without ``@``. Raises ``LocalError``."""
    try:
        return parse_handle(text.removeprefix("@"))
    except ConclaveError as error:
        raise UsageError(str(error), remedy=error.remedy) from error
