"""Receipts: who has what, and who has read it, told by each device itself, sealed and batched.

A lobby's receipt names the entry up to which a device has everything, the ranges that it could not open or still asks
for, and how far its person has read. It is sent a little after something arrived, later in a large lobby, and never
for receipts. Left out: taking them (``chat.lobbies.meaning``), and a pair's (``chat.pairs.duet``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.lobbies import audience, lacks
from conclave.chat.lobbies.voice import say_content
from conclave.chat.lobby_state import Ears, Lobby, Mark, Stage, Step
from conclave.chat.words import gaps
from conclave.chat.words.content import Receipt
from conclave.chat.work import Work
from conclave.values import replace

AWAITED_MOST = 3
"""Where somebody who is linked did not answer so often in a row, we tell what we have without that."""


def passed(work: Work, group: bytes) -> None:
    """Time passed: tell what we have, if it is due and others do not know it yet; and what is missing by name."""
    lobby = work.lobby(group)
    if lobby is None or lobby.order is None or lobby.stage is not Stage.MEMBER:
        return
    _gaps(work, group)
    ears = lobby.ears
    if not ears.due:
        return
    if work.now < ears.due:
        work.wake(ears.due)
        return
    read = ears.read if work.settings.read_receipts else 0
    now = (ears.words, min(read, lobby.order.seq))
    current = work.lobby(group) or lobby
    waits = lobby.healing.step is not Step.SOUND or _awaited(work, lobby)
    if now == ears.told or waits or not audience.reachable(work, lobby):
        if now == ears.told:
            work.keep_lobby(replace(current, ears=replace(current.ears, due=0.0)))
        else:
            work.pending = True
        return
    work.keep_lobby(replace(current, ears=replace(current.ears, due=0.0, told=now)))
    say_content(work, group, Receipt(lobby.order.seq, now[1], _lacked(work, lobby)))


def _lacked(work: Work, lobby: Lobby) -> lacks.Ranges:
    """What we lack, and what was before we came in, behind what we had then: not all saw that we came."""
    healing = lobby.healing
    return lacks.added(lacks.known(lobby), healing.had + 1, healing.entered.get(work.me, 0) - 1)


def _awaited(work: Work, lobby: Lobby) -> bool:
    """Whether somebody who is here is yet to say itself what it has: until then we cannot tell that we have all."""
    healing, state = lobby.healing, work.session(lobby.group)
    return state is not None and any(
        work.peer(one).linked
        and healing.silent.get(one, 0) < AWAITED_MOST
        and not audience.elsewhere(work, lobby, one)
        for one in healing.untold.keys() & groups.roster(state).keys()
    )


def due(work: Work, lobby: Lobby) -> float:
    """When what is heard now is told, in UNIX seconds: with what is to be told already, later where many are in."""
    state = work.session(lobby.group)
    people = len(state.epoch.roster) if state is not None else 1
    return lobby.ears.due or work.now + work.settings.receipt_after * max(1.0, people / 10) * (0.5 + work.chance())


def regained(work: Work, lobby: Lobby, lost: lacks.Ranges, seqs: list[int]) -> Lobby:
    """The same where ``lost`` is left of what we lacked, and words of entries ``seqs`` came: it is told anew."""
    ears = replace(lobby.ears, lost=lost)
    if seqs or ears.told != (0, 0):
        ears = replace(ears, words=max(ears.words, *seqs, 0), told=(0, 0), due=due(work, lobby))
        work.wake(ears.due)
    return replace(lobby, ears=ears)


def cut(ears: Ears, common: int) -> Ears:
    """What was heard up to entry ``common``: the places behind it are those of another order now."""
    marks = ears.marks.update(
        {
            handle: Mark(min(mark.has, common), min(mark.read, common), lacks.until(mark.missing, common))
            for handle, mark in ears.marks.items()
        }
    )
    return replace(
        ears, marks=marks, read=min(ears.read, common), lost=lacks.until(ears.lost, common),
        words=min(ears.words, common), told=(0, 0),
    )  # fmt: skip


def _gaps(work: Work, group: bytes) -> None:
    lobby = work.lobby(group)
    if lobby is None or not lobby.ears.gaps:
        return
    there = gaps.dated(lobby.ears.gaps, work.now)
    late, rest = gaps.split(there, work.now, work.settings.gap_after)
    if rest:
        work.wake(gaps.oldest(rest) + work.settings.gap_after)
    for author in sorted(late):
        missing = gaps.numbers(late[author])
        text = (
            f"{lobby.label}: message {missing} of {author} has not arrived: lost, erased meanwhile, or kept from us"
        )
        if not work.trouble(author, text, "gap"):  # people heard of one a moment ago, and hear of this one yet
            rest = {**rest, author: there[author]}
            work.wake(work.now + work.settings.trouble_every)
    if late or there is not lobby.ears.gaps:
        work.keep_lobby(replace(lobby, ears=replace(lobby.ears, gaps=rest)))


def read_up_to(work: Work, group: bytes, seq: int) -> None:
    """Our person has read up to this entry."""
    lobby = work.lobby(group)
    if lobby is None or lobby.order is None or seq <= lobby.ears.read:
        return
    due = lobby.ears.due or work.now + work.settings.receipt_after
    ears = replace(
        lobby.ears, read=min(seq, lobby.order.seq), due=due if work.settings.read_receipts else lobby.ears.due
    )
    work.keep_lobby(replace(lobby, ears=ears))
    if ears.due:
        work.wake(ears.due)
