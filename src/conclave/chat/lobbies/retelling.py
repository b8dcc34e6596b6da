"""History shown on purpose: a member gives somebody who came in later what was said before, in its authors' words.

It goes through the lobby's order, so that everybody sees who showed what to whom; only the one it is for takes it.
Left out: which lines these are (``node.door.rooms``), words that halves of a lobby owe each other (``sharing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.events import ShareHistory
from conclave.chat.hearing import HISTORY, Heard, hear, own_notice
from conclave.chat.lobbies import bringers, sharing
from conclave.chat.lobbies.labels import demand_in
from conclave.chat.lobbies.voice import say_content
from conclave.chat.lobby_state import Lobby, Shows
from conclave.chat.words.content import History, Offer, Text
from conclave.chat.words.line import Status
from conclave.chat.work import Work
from conclave.crypto.certificate import subject_key
from conclave.errors import LocalError
from conclave.values import replace

UNCOUNTED = 1 << 32
"""So many lines are shown by who did not say how many, or said it before we were started."""
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
    """``by`` shows somebody what was said before: us, perhaps.

    That it does is said at the beginning, with how many lines; and where there are more, or we heard of none.
    """
    state = work.session(lobby.group)
    if state is None or shown.member not in groups.roster(state):
        return
    items = [(seq, data) for data in shown.originals] if shown.member == work.me else []
    brought = list(sharing.believed(work, lobby, by, items))
    lines = sum(isinstance(content.body, Text | Offer) for _, _, content, _ in brought)
    before = lobby.watch.shows.get(by, Shows("", 0))
    going_on = not shown.count and before.member == shown.member and lines <= before.lines
    show = before if going_on else Shows(shown.member, shown.count or UNCOUNTED)
    if not going_on:
        whom = "you" if shown.member == work.me else shown.member
        said = {0: "more lines", 1: "1 line"}.get(shown.count, f"{shown.count} lines")
        own_notice(work, lobby.label, f"{by} shows {whom} {said} from before {whom} came in", seq)
    strangers = set(show.strangers)
    for _, author, content, signed in brought:
        if author == work.me:
            continue  # we were in before, and have it
        work.keep_certificate(signed.certificate, subject_key(signed.certificate))
        if isinstance(content.body, HISTORY):
            bringers.meet(work, lobby, by, author, seq, strangers)
            bringers.named(work, lobby, by, author, signed, seq, shared=False)
        # What was ordered since we came in we have: an edit of then that we do not have is in no order.
        alone = bringers.stand_of(signed).seq >= lobby.healing.entered.get(work.me, 0)
        hear(work, Heard(lobby.label, author, content, signed.keep(), seq, Status.RECEIVED, retold=True, shown=alone))
    show = Shows(show.member, show.lines - lines, frozenset(strangers))
    lobby = work.lobby(lobby.group) or lobby
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, shows={**lobby.watch.shows, by: show})))
