"""What people here call a lobby and its members: labels, names and handles, as they type them.

A lobby of a name that is taken gets its inviter's too. Left out: what is done with what they name.
"""

from __future__ import annotations

from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.work import Work, need_lobby
from conclave.errors import LocalError, UsageError, VerificationError
from conclave.lobby.names import check_handle, check_name

ENDED_KEPT = 100
"""Ended lobbies whose labels stay taken; the ones that ended first are forgotten first."""


def free_label(work: Work, name: str, inviter: str, group: bytes) -> str:
    """What people here will call the lobby: its name, and the inviter's where that is taken.

    A lobby of the same name that ended, or that we closed, gives its label, and so its history, to the new one: who
    is asked into that has the former still, until it comes in.
    """
    for label in (f"#{name}", f"#{name}@{inviter}", f"#{name}@{inviter}-{group.hex()[:8]}"):
        taken = work.labelled(label)
        if taken is None or taken.group == group:
            return label
        if taken.inviter == inviter and taken.name == name and taken.stage is Stage.ENDED:
            return label
        if inviter == work.me == taken.leader and taken.stage is Stage.CLOSING:
            work.relabel(taken, f"#{name}@{inviter}-{taken.group.hex()[:8]}")
            return label
    return f"#{name}@{inviter}-{group.hex()}"


def active(work: Work) -> int:
    """Lobbies that have not ended; the oldest of too many ended ones are forgotten."""
    ended = sorted(
        (one for one in work.lobbies() if one.stage is Stage.ENDED), key=lambda one: (one.ended, one.group)
    )
    for lobby in ended[: max(0, len(ended) - ENDED_KEPT)]:
        work.drop_lobby(lobby)
    return sum(one.stage is not Stage.ENDED for one in work.lobbies())


def own_name(name: str) -> str:
    """A lobby's name as our people give it. Raises ``LocalError``."""
    try:
        return check_name(name)
    except VerificationError as error:
        raise UsageError(str(error), remedy=error.remedy) from error


def own_handle(text: str) -> str:
    """A handle as our people give it, with or without ``@``. Raises ``LocalError``."""
    try:
        return check_handle(text.removeprefix("@"))
    except VerificationError as error:
        raise UsageError(str(error), remedy=error.remedy) from error


def demand_in(work: Work, label: str) -> Lobby:
    """The lobby that a command names, which we must be in. Raises ``LocalError``."""
    lobby = need_lobby(work, label)
    if lobby.stage is not Stage.MEMBER:
        closed = lobby.stage in (Stage.CLOSING, Stage.ENDED)
        words = "is closed" if closed else "is not yours to change: you are not in"
        raise LocalError(f"{lobby.label} {words}", remedy="conclave lobby list shows where you are in")
    return lobby
