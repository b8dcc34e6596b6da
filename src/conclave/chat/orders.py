"""What an entry of a lobby's order means to us, leading or following: a line of history, or a change of people.

Left out: the order itself (``lobby``).
"""

from __future__ import annotations

from dataclasses import replace

from conclave.chat.content import Text, decode_content
from conclave.chat.effects import Line, LineKind, Status
from conclave.chat.state import Lobby, Stage
from conclave.chat.work import Work
from conclave.errors import RemoteError
from conclave.lobby.roster import Change
from conclave.wire.frames import Ordered

ENDED_KEPT = 100
"""Ended lobbies whose labels stay taken; the ones that ended first are forgotten first."""


def words_line(work: Work, lobby: Lobby, entry: Ordered, status: Status) -> None:
    """Somebody's words, into the history."""
    try:
        protection, plain = lobby.protection.process(entry.sender, entry.epoch, entry.payload)
        content: Text = decode_content(plain)
    except RemoteError as error:
        linked = entry.sender if lobby.leader == work.me else lobby.leader  # names in an order are the leader's word
        work.trouble(linked, f"a message from {entry.sender} in {lobby.label} could not be read: {error}")
        return
    if protection is not lobby.protection:
        work.keep_lobby(replace(work.lobby(lobby.group) or lobby, protection=protection))
    line = Line(entry.id, entry.sender, LineKind.TEXT, content.text, content.sent, work.now, status, entry.seq)
    work.add_line(lobby.label, line)


def change_line(work: Work, lobby: Lobby, entry: Ordered, change: Change) -> None:
    """Somebody came or went: a notice in the history."""
    line = Line(
        entry.id, entry.sender, LineKind.NOTICE, change.words, change.at, work.now, Status.RECEIVED, entry.seq
    )
    work.add_line(lobby.label, line)


def own_notice(work: Work, lobby: Lobby, text: str) -> None:
    """A notice that only we see."""
    line = Line(work.random(16), work.me, LineKind.NOTICE, text, work.now, work.now, Status.RECEIVED)
    work.add_line(lobby.label, line)


def free_label(work: Work, name: str, leader: str, group: bytes) -> str:
    """What people here will call the lobby: its name, and the leader's where that is taken.

    A lobby of the same name and leader that ended gives its label, and so its history, to the new one. So does one
    that we closed and that some have yet to hear of: no line comes to it any more, and it takes a longer label.
    """
    long = f"#{name}@{leader}-{group.hex()[:8]}"
    for label in (f"#{name}", f"#{name}@{leader}", long):
        taken = work.labelled(label)
        if taken is None:
            return label
        if taken.group == group:
            return label
        if taken.leader == leader and taken.name == name and taken.stage is Stage.ENDED:
            work.drop_lobby(taken)
            return label
        if taken.leader == leader and taken.name == name and taken.stage is Stage.CLOSING and label != long:
            work.relabel(taken, f"#{name}@{leader}-{taken.group.hex()}")
            return label
    return f"#{name}@{leader}-{group.hex()}"


def end(work: Work, lobby: Lobby) -> None:
    """Nothing more happens in the lobby; its label stays taken by its history."""
    ended = [one for one in work.lobbies() if one.stage is Stage.ENDED and one.group != lobby.group]
    if len(ended) >= ENDED_KEPT:
        work.drop_lobby(min(ended, key=lambda one: (one.ended, one.group)))
    work.keep_lobby(
        replace(lobby, stage=Stage.ENDED, leading=None, following=None, asked=(), ended=work.now), reworded=True
    )


def active(work: Work) -> int:
    """Lobbies that have not ended."""
    return sum(one.stage is not Stage.ENDED for one in work.lobbies())
