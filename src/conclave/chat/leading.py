"""Leading a lobby: asking people in, giving what they say its order, and bringing it to everybody.

``lobby.leader`` keeps the order and knows who is how far; this turns it into posts, frames, lines and notices. Left
out: the member's half (``chat.following``).
"""

from __future__ import annotations

from dataclasses import replace

from conclave.chat.content import Text, encode_content
from conclave.chat.delivery import Fate
from conclave.chat.effects import DropEntries, PutEntry, Replay, Send, Status
from conclave.chat.events import CloseLobby, InviteTo, OpenLobby, Say
from conclave.chat.links import send
from conclave.chat.notices import RequestAnswered
from conclave.chat.orders import active, change_line, end, free_label, words_line
from conclave.chat.state import Lobby, Stage
from conclave.chat.talk import WORDS, check_text, trust
from conclave.chat.work import Work, need_lobby
from conclave.errors import LocalError, Refused, VerificationError
from conclave.lobby import leader as core
from conclave.lobby.leader import Leading
from conclave.lobby.names import check_handle, check_name
from conclave.lobby.roster import Change, Turn, encode_change
from conclave.wire.frames import ID_BYTES, EntryKind, Fetch, Have
from conclave.wire.posts import Answer, Choice, Invite, Submit, Welcome


def open_lobby(work: Work, command: OpenLobby) -> None:
    """A new lobby with ourselves in it."""
    name = _own(command.name.removeprefix("#"))
    if len(command.group) != ID_BYTES or work.lobby(command.group) is not None:
        raise LocalError("a new lobby needs 16 random bytes of its own")
    if any(one.name == name and one.stage is Stage.LEADING for one in work.lobbies()):
        raise LocalError(f"you lead a lobby #{name} already", remedy="choose another name, or close that one")
    if active(work) >= work.settings.lobbies:
        raise Refused("there are too many lobbies here", reason="too-many-lobbies", remedy="leave some of them")
    label = free_label(work, name, work.me, command.group)
    leading = core.found(command.group, name, work.me)
    lobby = Lobby(command.group, name, label, work.me, Stage.LEADING, leading)
    work.keep_lobby(lobby, reworded=True)
    _change(work, command.group, Change(Turn.ENTERED, work.me, work.now))
    _invite(work, command.group, command.invited)


def _own(name: str) -> str:
    try:
        return check_name(name)
    except VerificationError as error:
        raise LocalError(str(error), remedy=error.remedy) from error


def invite(work: Work, command: InviteTo) -> None:
    """More people into a lobby that we lead."""
    _invite(work, _led(work, command.lobby).group, command.invited)


def _led(work: Work, label: str) -> Lobby:
    lobby = need_lobby(work, label)
    if lobby.stage is not Stage.LEADING:
        if lobby.leader == work.me:
            raise LocalError(f"{lobby.label} is closed", remedy="open a new lobby")
        raise LocalError(f"{lobby.leader} leads {lobby.label}", remedy=f"only {lobby.leader} can do that")
    return lobby


def _state(work: Work, group: bytes) -> tuple[Lobby, Leading] | None:
    lobby = work.lobby(group)
    return None if lobby is None or lobby.leading is None else (lobby, lobby.leading)


def _keep(work: Work, group: bytes, leading: Leading, *, reworded: bool = False) -> None:
    lobby = work.lobby(group)
    if lobby is not None and (reworded or leading is not lobby.leading):
        work.keep_lobby(replace(lobby, leading=leading), reworded=reworded)


def _invite(work: Work, group: bytes, invited: tuple[str, ...]) -> None:
    found = _state(work, group)
    if found is None:
        return
    lobby, leading = found
    handles = [_handle(one) for one in dict.fromkeys(invited)]
    if work.me in handles:
        raise LocalError("you are in the lobby yourself")
    there = [handle for handle in handles if handle in leading.roster]
    if there:
        raise LocalError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} in {lobby.label} already",
            remedy="invite those who are not; who leaves is in until its device has told yours",
        )
    if len(leading.followers) + len(leading.invited | set(handles)) > work.settings.lobby_members:
        raise Refused(
            f"a lobby has at most {work.settings.lobby_members} members and invitations",
            reason="lobby-full",
            remedy="open a second lobby",
        )
    for handle in handles:
        work.check_room(handle)
        trust(work, handle)
        work.post(handle, Invite(group, lobby.name, leading.roster))
    _keep(work, group, replace(leading, invited=leading.invited | set(handles)), reworded=True)


def _handle(text: str) -> str:
    try:
        return check_handle(text.removeprefix("@"))
    except VerificationError as error:
        raise LocalError(str(error), remedy=error.remedy) from error


def say(work: Work, lobby: Lobby, command: Say) -> None:
    """Our own words in a lobby that we lead: ordered at once."""
    check_text(command.text)
    if lobby.stage is not Stage.LEADING:
        raise Refused(f"{lobby.label} is closed", reason="closed", remedy="open a new lobby")
    protection, epoch, payload = lobby.protection.protect(encode_content(Text(work.now, command.text)))
    if protection is not lobby.protection:
        work.keep_lobby(replace(lobby, protection=protection))
    _order(work, lobby.group, work.me, command.id, epoch, payload)


def _order(work: Work, group: bytes, sender: str, identity: bytes, epoch: int, payload: bytes) -> None:
    found = _state(work, group)
    if found is None:
        return
    lobby, leading = found
    leading, entry, encoded = core.append(leading, sender, identity, epoch, EntryKind.MESSAGE, payload)
    _keep(work, group, leading)
    work.record(PutEntry(group, entry.seq, encoded))
    words_line(work, lobby, entry, Status.DELIVERED if sender == work.me else Status.RECEIVED)
    _push(work, group, entry)


def _push(work: Work, group: bytes, entry: object) -> None:
    found = _state(work, group)
    if found is None:
        return
    leading, handles, awaited = core.audience(found[1], work.settings.push_window)
    _keep(work, group, leading)
    for handle in handles:
        work.deed(Send(handle, entry))  # type: ignore[arg-type]
    if awaited:
        work.pending = True


def _change(work: Work, group: bytes, change: Change, *, at_once: bool = False) -> None:
    found = _state(work, group)
    if found is None:
        return
    lobby, leading = found
    leading, entry, encoded = core.append(
        leading, work.me, work.random(ID_BYTES), 0, EntryKind.ROSTER, encode_change(change)
    )
    if change.turn in (Turn.LEFT, Turn.REMOVED):
        leading = core.part(leading, change.handle, at_once=at_once)
    elif change.turn is Turn.CLOSED:
        leading = core.close(leading)
    _keep(work, group, leading, reworded=True)
    work.record(PutEntry(group, entry.seq, encoded))
    change_line(work, lobby, entry, change)
    _push(work, group, entry)


def answered(work: Work, handle: str, answer: Answer) -> None:
    """Somebody answered our invitation."""
    found = _state(work, answer.group)
    if found is None or found[0].stage is not Stage.LEADING:
        if answer.choice is Choice.ACCEPT:
            work.post(handle, Answer(answer.group, Choice.REJECT))
        return
    lobby, leading = found
    if handle not in leading.invited:
        one = leading.followers.get(handle)
        if answer.choice is Choice.ACCEPT and (one is None or one.until):
            work.post(handle, Answer(answer.group, Choice.REJECT))
        return
    if answer.choice is Choice.ACCEPT:
        _let_in(work, lobby, leading, handle)
    elif answer.choice is Choice.REJECT:
        _keep(work, answer.group, replace(leading, invited=leading.invited - {handle}), reworded=True)
    work.tell(RequestAnswered(handle, lobby.label, WORDS[answer.choice]))


def _let_in(work: Work, lobby: Lobby, leading: Leading, handle: str) -> None:
    after = core.admit(leading, handle, work.now, linked=work.peer(handle).linked)
    _keep(work, lobby.group, after, reworded=True)
    work.tie(handle, lobby.group, tied=True)
    work.post(handle, Welcome(lobby.group, lobby.name, after.term, after.seq, after.hash, after.roster))
    _change(work, lobby.group, Change(Turn.ENTERED, handle, work.now))


def submitted(work: Work, handle: str, submit: Submit) -> Fate:
    """Somebody hands in an entry. Declined from whoever is no member, or not any more."""
    found = _state(work, submit.group)
    one = found[1].followers.get(handle) if found is not None else None
    if found is None or one is None or one.until or found[0].stage is not Stage.LEADING:
        return Fate.DECLINED
    if submit.kind is not EntryKind.MESSAGE:
        work.trouble(handle, f"{handle} tried to write an entry that only the leader of {found[0].label} writes")
        return Fate.DECLINED
    _order(work, submit.group, handle, submit.id, submit.epoch, submit.payload)
    return Fate.TAKEN


def left(work: Work, handle: str, group: bytes) -> None:
    """A member leaves. Who is unknown here is *free*: it need not wait for an entry that says so.

    An invitation stands: only who is out is invited, so it is newer than what the member leaves.
    """
    found = _state(work, group)
    one = found[1].followers.get(handle) if found is not None else None
    if one is None:
        work.post(handle, Answer(group, Choice.FREE))
    elif not one.until:
        _change(work, group, Change(Turn.LEFT, handle, work.now))


def remove(work: Work, handle: str, reason: str, *, at_once: bool) -> None:
    """Out of every lobby that we lead, and out of its invitations; ``at_once``: nothing more is sent to it."""
    for lobby in work.lobbies():
        if lobby.leading is not None:
            _remove(work, lobby, lobby.leading, handle, reason, at_once=at_once)


def _remove(work: Work, lobby: Lobby, leading: Leading, handle: str, reason: str, *, at_once: bool) -> None:
    if handle in leading.invited:
        leading = replace(leading, invited=leading.invited - {handle})
        _keep(work, lobby.group, leading, reworded=True)
    one = leading.followers.get(handle)
    if one is None:
        return
    if not one.until:
        _change(work, lobby.group, Change(Turn.REMOVED, handle, work.now, reason), at_once=at_once)
    elif at_once:
        _keep(work, lobby.group, core.forget(leading, handle), reworded=True)
    if at_once:
        work.tie(handle, lobby.group, tied=False)
        _finish(work, lobby.group)


def close(work: Work, command: CloseLobby) -> None:
    """Close a lobby that we lead; what it was stays until everybody has heard."""
    lobby = _led(work, command.lobby)
    _change(work, lobby.group, Change(Turn.CLOSED, work.me, work.now))
    closed = work.lobby(lobby.group)
    if closed is not None:
        work.keep_lobby(replace(closed, stage=Stage.CLOSING), reworded=True)
    _finish(work, lobby.group)


def _finish(work: Work, group: bytes) -> None:
    found = _state(work, group)
    if found is not None and found[0].stage is Stage.CLOSING and not len(found[1].followers):
        if any(one.name == found[0].name and one.stage is Stage.LEADING for one in work.lobbies()):
            work.drop_lobby(found[0])  # the next one of this name has its label, and so its history
        else:
            end(work, found[0])
        work.record(DropEntries(group))


def linked(work: Work, handle: str, *, up: bool) -> None:
    """The link to ``handle`` came or went: tell it how far the order goes."""
    for group in sorted(work.peer(handle).ties):
        found = _state(work, group)
        if found is not None:
            _keep(work, group, core.link(found[1], handle, work.now, up=up))
            if up:
                _send_head(work, group, handle)


def _send_head(work: Work, group: bytes, handle: str) -> None:
    found = _state(work, group)
    head = core.head_for(found[1], handle) if found is not None else None
    if head is not None:
        send(work, handle, head)


def have_arrived(work: Work, handle: str, have: Have) -> None:
    """A follower tells how far it is."""
    found = _state(work, have.group)
    if found is None:
        return
    leading, tell, gone = core.heard(found[1], handle, have.seq, work.now)
    _keep(work, have.group, leading)
    if gone:
        _keep(work, have.group, core.forget(leading, handle), reworded=True)
        work.tie(handle, have.group, tied=False)
        _finish(work, have.group)
    elif tell:
        _send_head(work, have.group, handle)


def fetch_arrived(work: Work, handle: str, fetch: Fetch) -> None:
    """A follower lacks entries."""
    found = _state(work, fetch.group)
    if found is None:
        return
    leading, first, count = core.fetched(found[1], handle, fetch.first, fetch.count, work.now)
    _keep(work, fetch.group, leading)
    if count:
        work.deed(Replay(handle, fetch.group, first, count))
        work.pending = True


def passed(work: Work, lobby: Lobby, leading: Leading) -> None:
    """Time passed: ask those who are linked but do not move."""
    leading, silent, behind = core.unmoved(leading, work.now, work.settings.resend_after)
    _keep(work, lobby.group, leading)
    for handle in silent:
        _send_head(work, lobby.group, handle)
    if behind:
        work.pending = True
