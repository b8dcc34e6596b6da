"""Leading a lobby: giving what is handed in its place, and bringing it to everybody.

The leader reads of what it orders no more than the envelope: group, epoch, and whether it is words or a commit. Being
a member itself it does check a commit before it orders it, so that no junk can take an epoch's place. Left out: who
leads (``chat.lobbies.leadership``), and what entries do to us as to everybody (``chat.lobbies.following``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.deeds import Push
from conclave.chat.links import send
from conclave.chat.lobbies import changing, following, healing
from conclave.chat.lobbies.audience import known, leads
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.work import Work
from conclave.errors import DecodeError, LocalError, RemoteError, VerificationError
from conclave.lobby import followers as positions
from conclave.lobby import order as orders
from conclave.lobby.order import WORDS_BYTES, Place
from conclave.mls import group as mls
from conclave.mls.group import Staged
from conclave.values import replace
from conclave.wire.order import EntryKind, Refusal, Refused, Submit

FRESH_EPOCHS = 2
"""Words of so many epochs before the present one are ordered still: members keep the keys of one more."""
COMMITS_PAUSE = 3.0
"""In so long (seconds) a member gets no more commits than words may be late by, nor fresh keys behind another: each
makes those of all others come too late, and in the end their words."""


def put_in_order(
    work: Work,
    lobby: Lobby,
    sender: str,
    number: int,
    epoch: int,
    kind: EntryKind,
    payload: bytes,
    staged: Staged | None = None,
) -> None:
    """Give something the next place, take it ourselves, and push it to everybody."""
    assert lobby.order is not None
    order, entry, encoded = orders.write(lobby.order, sender, number, epoch, kind, payload)
    following.took(work, lobby, order, entry, encoded, staged)
    after = work.lobby(lobby.group)
    if after is None or after.watch.followers is None:
        return
    people, handles, awaited = positions.audience(after.watch.followers, entry.seq, work.settings.push_window)
    if people is not after.watch.followers:
        work.keep_lobby(replace(after, watch=replace(after.watch, followers=people)))
    if handles:
        work.deed(Push(handles, entry.group, entry.seq, encoded))
    if awaited:
        work.pending = True


def submitted(work: Work, handle: str, submit: Submit) -> None:
    """Somebody hands in an entry."""
    lobby = work.lobby(submit.group)
    if lobby is None or lobby.order is None:
        return
    if work.session(submit.group) is not None and not known(work, lobby, handle):
        _refuse(work, handle, submit, 0, Refusal.OUTSIDER)
        return
    if not leads(work, lobby) or lobby.stage is Stage.CLOSING:
        _refuse(work, handle, submit, 0, Refusal.NO_LEADER)
        return
    one = lobby.watch.followers.get(handle) if lobby.watch.followers is not None else None
    state = work.session(submit.group)
    if one is None or one.until or state is None:
        _refuse(work, handle, submit, 0, Refusal.OUTSIDER)
        return
    name = orders.name_of(handle, submit.number, submit.epoch, submit.kind, submit.payload)
    place = orders.handed_in(lobby.order, handle, submit.base, submit.number, name)
    # Who comes in anew may have a clock that was ahead once; a commit of this epoch has no place yet.
    anew = submit.kind is EntryKind.COMMIT and submit.epoch == state.number and place is Place.REPEATED
    if place is not Place.NEXT and not anew:
        return
    try:
        _demand_envelope(submit)
    except RemoteError as error:
        work.trouble(handle, f"{handle} handed in what is not for {lobby.label}: {error}")
        return
    staged = None
    # Another may have ordered what was sealed before we came in: its author knows, and else seals it anew.
    fresh = max(state.number - FRESH_EPOCHS, groups.first_epoch(state))
    oldest = state.number if submit.kind is EntryKind.COMMIT else fresh
    if not oldest <= submit.epoch <= state.number:
        _refuse(work, handle, submit, state.number, Refusal.STALE)
        return
    if submit.kind is EntryKind.COMMIT:
        try:
            judge = work.judges.newcomers
            staged = changing.examine(work, state, handle, submit.number, submit.payload, judge, lifetimes=True)
        except (RemoteError, LocalError) as error:
            work.trouble(handle, f"a change of {lobby.label} by {handle} was refused: {error}")
            _refuse(work, handle, submit, state.number, Refusal.STALE)
            return
        if anew and not staged.changes.external:
            return
        lately = {one: _lately(work, at) for one, at in lobby.watch.committed.items() if _lately(work, at)}
        changes, times = staged.changes, lately.get(handle, ())
        alone = not changes.added and set(changes.removed) <= {changes.replaced}
        if len(times) >= (1 if alone else FRESH_EPOCHS):
            _refuse(work, handle, submit, 0, Refusal.STALE)  # of no epoch: whom it lets in is not doubted for it
            return
        lobby = replace(lobby, watch=replace(lobby.watch, committed={**lately, handle: (*times, work.now)}))
    lobby = healing.followed(lobby, handle)
    put_in_order(
        work, lobby, handle, submit.number, submit.epoch, submit.kind, submit.payload, staged
    )  # fmt: skip


def _lately(work: Work, times: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(at for at in times if abs(work.now - at) < COMMITS_PAUSE)


def _refuse(work: Work, handle: str, submit: Submit, epoch: int, reason: Refusal) -> None:
    send(work, handle, Refused(submit.group, submit.number, epoch, reason))


def _demand_envelope(submit: Submit) -> None:
    if submit.kind is EntryKind.TERM:
        raise VerificationError("nobody hands in a term", reason="not-the-leader")
    if submit.kind is EntryKind.MESSAGE and len(submit.payload) > WORDS_BYTES:
        raise DecodeError(f"words of more than {WORDS_BYTES} bytes")
    envelope = mls.read_envelope(submit.payload)
    wanted = "COMMIT" if submit.kind is EntryKind.COMMIT else "APPLICATION"
    if (envelope.group_id, envelope.epoch, envelope.kind.name) != (submit.group, submit.epoch, wanted):
        raise DecodeError("the envelope says otherwise than what it came in")
