"""History shown on purpose: a member gives somebody who came in later what was said before, in its authors' words.

It goes through the lobby's order, so that everybody sees who showed what to whom; only the one it is for takes it.
Left out: which lines these are (``node.door.rooms``), words that halves of a lobby owe each other (``sharing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.events import ShareHistory
from conclave.chat.hearing import Heard, hear, own_notice
from conclave.chat.lobbies import sharing
from conclave.chat.lobbies.labels import demand_in
from conclave.chat.lobbies.voice import say_content
from conclave.chat.lobby_state import Lobby
from conclave.chat.words.content import History
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.crypto.certificate import subject_key
from conclave.errors import LocalError

BYTES_MOST = 4 * 1024 * 1024
"""Signed words shown at once: some two thousand lines with their certificates."""


def share(work: Work, command: ShareHistory) -> None:
    """Say again what others, or we, said before ``member`` came in. Raises ``LocalError``."""
    lobby = demand_in(work, command.lobby)
    if command.member == work.me:
        raise LocalError("that is you")
    if command.member not in groups.roster(groups.need_session(work, lobby.group)):
        raise LocalError(f"{command.member} is not in {lobby.label}", remedy=f"conclave lobby who {lobby.label[1:]}")
    if not command.count or not command.originals:
        raise LocalError(f"you have nothing from before {command.member} came in")
    if sum(map(len, command.originals)) > BYTES_MOST:
        raise LocalError("that is too much at once", remedy="show fewer lines")
    for at, batch in enumerate(sharing.batches(command.originals)):
        say_content(work, lobby.group, History(command.member, 0 if at else command.count, batch))


def heard(work: Work, lobby: Lobby, by: str, seq: int, shown: History) -> None:
    """``by`` shows somebody what was said before: us, perhaps."""
    state = work.session(lobby.group)
    if shown.count and state is not None and shown.member in groups.roster(state):
        whom = "you" if shown.member == work.me else shown.member
        lines = "1 line" if shown.count == 1 else f"{shown.count} lines"
        own_notice(work, lobby.label, f"{by} shows {whom} {lines} from before {whom} came in", seq)
    if shown.member != work.me:
        return
    items = [(seq, data) for data in shown.originals]
    for _, author, content, signed in sharing.believed(work, lobby, by, items):
        if author == work.me:
            continue  # we were in before, and have it
        work.keep_certificate(signed.certificate, subject_key(signed.certificate))
        hear(work, Heard(lobby.label, author, content, signed.keep(), seq, Status.RECEIVED, retold=True))
