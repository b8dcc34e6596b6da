"""The classic lobby, as its leader keeps it (section 4 of the report): who is in, and what each member is sent.

A member has one link, with the leader, and learns of the others from the leader's words alone. A relayed text is the
member's text and nothing else; who says it is announced before, in a message of its own that begins with ``* ``,
whenever another speaks than before. So a text that begins so itself is relayed with a space before it: nobody but
the leader announces. The leader reads, and could invent, everything: that is the design, and a lesson of the lab.
Left out: links (``machine``), each of which has six keys of its own, and history (``desk``).
"""

from __future__ import annotations

from collections.abc import Mapping

from conclave.values import dataclass, field, replace

MARK = "* "
"""What an announcement begins with."""
MEMBERS_MOST = 64
"""Members of one lobby; each is a link of the leader's."""

Out = tuple[tuple[str, str], ...]
"""Whom to send what, in this order."""


@dataclass(frozen=True, slots=True)
class Lobby:
    """A lobby that we lead. ``spoke``: whom each member heard last."""

    name: str
    leader: str
    spoke: Mapping[str, str] = field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        """Who is in, the leader left out, in order of entry."""
        return tuple(self.spoke)


def enter(lobby: Lobby, member: str) -> tuple[Lobby, Out]:
    """``member`` said OK: it is told who is here, and they are told of it."""
    others = lobby.members
    company = f"; with you: {', '.join(others)}" if others else ""
    welcome = f"{MARK}this is the lobby {lobby.name}, led by {lobby.leader}{company}"
    told = _announce(others, f"{member} entered")
    return replace(lobby, spoke={**lobby.spoke, member: ""}), ((member, welcome), *told)


def leave(lobby: Lobby, member: str) -> tuple[Lobby, Out]:
    """``member``'s link is gone, whoever ended it."""
    spoke = {handle: heard for handle, heard in lobby.spoke.items() if handle != member}
    return replace(lobby, spoke=spoke), _announce(spoke, f"{member} left")


def relay(lobby: Lobby, speaker: str, text: str) -> tuple[Lobby, Out]:
    """``speaker``, a member or the leader, says ``text`` to everybody else."""
    if speaker != lobby.leader:
        text = _plain(text)
    spoke, out = dict(lobby.spoke), []
    for member, heard in lobby.spoke.items():
        if member != speaker:
            if heard != speaker:
                out.append((member, f"{MARK}{speaker} says:"))
            out.append((member, text))
            spoke[member] = speaker
    return replace(lobby, spoke=spoke), tuple(out)


def close(lobby: Lobby) -> Out:
    """The leader closes the lobby; the links end after this."""
    return _announce(lobby.members, f"the lobby {lobby.name} is closed")


def _announce(members: Mapping[str, str] | tuple[str, ...], words: str) -> Out:
    return tuple((member, MARK + words) for member in members)


def _plain(text: str) -> str:
    """A member's text, no line of which looks like an announcement."""
    return "\n".join(f" {line}" if line.startswith(MARK) else line for line in text.split("\n"))
