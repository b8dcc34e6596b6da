"""Being in a lobby that somebody else leads: invited, entering, following, leaving.

``lobby.member`` checks the order; this turns it into lines, notices and answers. What the leader shows that does not
fit is refused and told. Left out: the leader's half (``chat.leading``).
"""

from __future__ import annotations

from dataclasses import replace

from conclave.chat.content import Text, encode_content
from conclave.chat.effects import Line, LineKind, Status
from conclave.chat.events import LeaveLobby, Say
from conclave.chat.links import send
from conclave.chat.notices import RequestArrived
from conclave.chat.orders import change_line, end, free_label, own_notice, words_line
from conclave.chat.pair import Ours
from conclave.chat.state import Lobby, Stage
from conclave.chat.talk import check_text, trust
from conclave.chat.work import Work, need_lobby
from conclave.errors import LocalError, Refused, RemoteError, VerificationError
from conclave.lobby import member as core
from conclave.lobby.member import Following, Place
from conclave.lobby.names import check_handle, check_name
from conclave.lobby.roster import Turn
from conclave.wire.frames import EntryKind, Have, Head, Ordered
from conclave.wire.posts import Answer, Choice, Invite, Leave, Submit, Welcome

LAST_SEQ = 1 << 62
"""No honest order comes so far; numbers behind it would not fit a frame."""
_WAITING = (Stage.INVITED, Stage.JOINING)


def invited(work: Work, handle: str, invite: Invite) -> None:
    """Somebody asks us into a lobby."""
    known = work.lobby(invite.group)
    if known is not None and known.leader != handle:
        work.trouble(handle, f"{handle} invites us to a lobby that {known.leader} leads")
        return
    if known is not None and known.stage is Stage.JOINING:
        return
    try:
        check_name(invite.name)
        _check_roster(work, invite.roster)
    except VerificationError as error:
        work.trouble(handle, f"an invitation from {handle} was refused: {error}")
        work.post(handle, Answer(invite.group, Choice.REJECT))
        return
    if _full(work, handle, invite.group) or work.peer(handle).pair.ours is Ours.BLOCKED:
        work.post(handle, Answer(invite.group, Choice.REJECT))
        return
    if known is not None and known.stage is Stage.INVITED:  # people know already; only who is in may have changed
        if known.asked != invite.roster:
            work.keep_lobby(replace(known, asked=invite.roster), reworded=True)
        return
    if known is not None and known.stage in (Stage.MEMBER, Stage.LEAVING):
        _out_first(work, known, invite)
        return
    label = known.label if known is not None else free_label(work, invite.name, handle, invite.group)
    name = known.name if known is not None else invite.name
    _ask(work, Lobby(invite.group, name, label, handle, Stage.INVITED, asked=invite.roster))


def _out_first(work: Work, lobby: Lobby, invite: Invite) -> None:
    """No leader asks who is in: we are out, and the entry that says so is still to come, or never will.

    The answer to our Leave is that entry, or ``FREE``; then people are asked.
    """
    if lobby.stage is Stage.MEMBER:
        work.post(lobby.leader, Leave(lobby.group))
    work.keep_lobby(replace(lobby, stage=Stage.LEAVING, asked=invite.roster), reworded=True)


def _full(work: Work, handle: str, group: bytes) -> bool:
    """Whether there is no room for one more invitation of ``handle``, that to ``group`` itself not counted."""
    others = [one for one in work.lobbies() if one.group != group]
    waiting = [
        one.leader for one in others if one.stage is Stage.INVITED or (one.stage is Stage.LEAVING and one.asked)
    ]
    limits = work.settings
    return (
        len(waiting) >= limits.invitations
        or waiting.count(handle) >= limits.invitations_per_peer
        or sum(one.stage is not Stage.ENDED for one in others) >= limits.lobbies
    )


def _ask(work: Work, lobby: Lobby) -> None:
    work.keep_lobby(replace(lobby, hushed=work.busy), reworded=True)
    if work.busy:
        work.post(lobby.leader, Answer(lobby.group, Choice.BUSY))
    else:
        work.tell(RequestArrived(lobby.leader, lobby.label))


def _check_roster(work: Work, roster: tuple[str, ...]) -> None:
    if len(roster) > work.settings.lobby_members + 1:
        raise VerificationError("it has more members than are allowed", reason="lobby-full")
    for handle in roster:
        check_handle(handle)


def answer(work: Work, handle: str, label: str, *, accept: bool) -> None:
    """Our people answer an invitation of ``handle``."""
    lobby = need_lobby(work, label)
    if lobby.leader != handle or lobby.stage not in _WAITING:
        raise LocalError(f"there is no invitation from {handle} to {lobby.label}", remedy="conclave requests")
    work.check_room(handle)
    if accept:
        trust(work, handle)
        if lobby.stage is Stage.INVITED:
            work.keep_lobby(replace(lobby, stage=Stage.JOINING, hushed=False), reworded=True)
            work.tie(handle, lobby.group, tied=True)
            work.post(handle, Answer(lobby.group, Choice.ACCEPT))
    else:
        decline(work, lobby)


def decline(work: Work, lobby: Lobby) -> None:
    """We do not want to be in, though perhaps we said so before."""
    if lobby.stage is Stage.INVITED:
        work.post(lobby.leader, Answer(lobby.group, Choice.REJECT))
    else:
        work.post(lobby.leader, Leave(lobby.group))
    work.tie(lobby.leader, lobby.group, tied=False)
    work.drop_lobby(lobby)


def announce(work: Work) -> None:
    """We are free again: the invitations that came meanwhile."""
    for lobby in work.lobbies():
        if lobby.hushed:
            work.keep_lobby(replace(lobby, hushed=False), reworded=True)
            if lobby.stage is Stage.INVITED:
                work.tell(RequestArrived(lobby.leader, lobby.label))


def welcomed(work: Work, handle: str, welcome: Welcome) -> None:
    """The leader lets us in, at a place of its order."""
    lobby = work.lobby(welcome.group)
    if lobby is None or lobby.leader != handle or lobby.stage not in (Stage.JOINING, Stage.LEAVING):
        return
    if lobby.following is not None:
        # We accepted twice, and the first welcome came before what it was for was over. The leader counts from this
        # one, so what says that we are out will not fit what we have; our Leave, behind both, gets us out of it.
        if welcome.seq > lobby.following.seq:
            _gone(work, lobby)
        return
    try:
        _check_roster(work, welcome.roster)
        if work.me not in welcome.roster or handle not in welcome.roster:
            raise VerificationError("its roster lacks the leader or us", reason="bad-roster")  # noqa: TRY301
        if welcome.seq > LAST_SEQ:
            raise VerificationError("no lobby has so many entries", reason="bad-place")  # noqa: TRY301
    except VerificationError as error:
        work.trouble(handle, f"the welcome to {lobby.label} was refused: {error}")
        return
    following = Following(
        welcome.group, handle, welcome.term, welcome.seq, welcome.hash, frozenset(welcome.roster),
        head=welcome.seq + 1,
    )  # fmt: skip
    work.keep_lobby(replace(lobby, stage=Stage.MEMBER, following=following, asked=()), reworded=True)
    _catch_up(work, welcome.group)


def _in(work: Work, handle: str, group: bytes) -> tuple[Lobby, Following] | None:
    lobby = work.lobby(group)
    if lobby is None or lobby.following is None or lobby.leader != handle:
        return None
    return lobby, lobby.following


def _catch_up(work: Work, group: bytes) -> None:
    lobby = work.lobby(group)
    if lobby is None or lobby.following is None:
        return
    following, fetch = core.missing(lobby.following, work.now, work.settings.resend_after)
    if following.head > following.seq:
        work.pending = True
    if fetch is not None and work.peer(lobby.leader).linked:
        work.keep_lobby(replace(lobby, following=following))
        send(work, lobby.leader, fetch)


def entry_arrived(work: Work, handle: str, entry: Ordered) -> None:
    """An entry of the order, pushed or fetched."""
    found = _in(work, handle, entry.group)
    if found is None:
        lobby = work.lobby(entry.group)
        if lobby is not None and lobby.leader != handle:
            work.trouble(handle, f"{handle} sends entries of {lobby.label}, which {lobby.leader} leads")
        return
    lobby, following = found
    place = core.place(following, entry.seq)
    if place is Place.REPEATED:
        work.have(entry.group)
        return
    if place is Place.AHEAD:
        work.keep_lobby(replace(lobby, following=core.noticed(following, entry.seq)))
        _catch_up(work, entry.group)
        return
    try:
        following, change = core.follow(following, entry, work.settings.lobby_members + 1)
    except RemoteError as error:
        _does_not_fit(work, lobby, error)
        return
    lobby = replace(lobby, following=following)
    work.keep_lobby(lobby, reworded=change is not None)
    work.have(entry.group)
    if change is not None:
        change_line(work, lobby, entry, change)
        if change.turn is Turn.CLOSED or (change.turn is not Turn.ENTERED and change.handle == work.me):
            _over(work, lobby)
            return
    elif entry.kind is EntryKind.MESSAGE:
        if entry.sender == work.me:
            work.mark_line(lobby.label, entry.id, Status.DELIVERED, entry.seq)
        else:
            words_line(work, lobby, entry, Status.RECEIVED)
    _catch_up(work, entry.group)


def _does_not_fit(work: Work, lobby: Lobby, error: RemoteError) -> None:
    """What the leader shows is refused; whoever leaves waits no longer for its word."""
    work.trouble(lobby.leader, f"{lobby.label}: {error}")
    if lobby.stage is Stage.LEAVING:
        _gone(work, lobby)


def _gone(work: Work, lobby: Lobby) -> None:
    """We are out by our own word; the leader's can reach us no more."""
    own_notice(work, lobby, f"{work.me} left")
    _over(work, replace(lobby, asked=()))


def _over(work: Work, lobby: Lobby) -> None:
    work.tie(lobby.leader, lobby.group, tied=False)
    if lobby.following is not None:
        send(work, lobby.leader, core.have(lobby.following))
    if lobby.asked:  # we were asked in again before we heard that we were out
        _ask(work, replace(lobby, stage=Stage.INVITED, following=None))
    else:
        end(work, lobby)


def head_arrived(work: Work, handle: str, head: Head) -> None:
    """The leader tells how far its order goes."""
    known = work.lobby(head.group)
    if known is None:
        if not work.peer(handle).out.count:  # we lost our home, or forgot the lobby: say that we are not in
            work.post(handle, Leave(head.group))
        send(work, handle, Have(head.group, head.seq))
        return
    if known.stage in (Stage.ENDED, Stage.INVITED) and known.leader == handle:
        send(work, handle, Have(head.group, head.seq))  # we need nothing more
    found = _in(work, handle, head.group)
    if found is None:
        return
    lobby, following = found
    try:
        after = core.told(following, head)
    except VerificationError as error:
        _does_not_fit(work, lobby, error)
        return
    if after is not following:
        work.keep_lobby(replace(lobby, following=after))
    work.have(head.group)
    _catch_up(work, head.group)


def refused(work: Work, handle: str, group: bytes) -> None:
    """The leader does not let us in any more, though it once asked."""
    lobby = work.lobby(group)
    if lobby is not None and lobby.leader == handle and lobby.stage is Stage.JOINING:
        own_notice(work, lobby, f"{handle} did not let you in any more")
        work.tie(handle, group, tied=False)
        end(work, lobby)


def freed(work: Work, handle: str, group: bytes) -> None:
    """The leader does not know us as a member, so there will be no entry that says that we left."""
    lobby = work.lobby(group)
    if lobby is not None and lobby.leader == handle and lobby.stage is Stage.LEAVING:
        _over(work, lobby)


def say(work: Work, lobby: Lobby, command: Say) -> None:
    """Our own words in a lobby that somebody else leads: they wait until the leader has ordered them."""
    check_text(command.text)
    if lobby.stage in _WAITING:
        raise LocalError(
            f"you are not in {lobby.label} yet",
            remedy=f"accept the invitation, or wait until {lobby.leader} is online",
        )
    if lobby.stage is not Stage.MEMBER:
        raise Refused(f"you are not in {lobby.label} any more", reason="not-a-member", remedy="ask to be invited")
    work.check_room(lobby.leader)
    protection, epoch, payload = lobby.protection.protect(encode_content(Text(work.now, command.text)))
    if protection is not lobby.protection:
        work.keep_lobby(replace(lobby, protection=protection))
    line = Line(command.id, work.me, LineKind.TEXT, command.text, work.now, work.now, Status.WAITING)
    work.add_line(lobby.label, line)
    submit = Submit(lobby.group, command.id, epoch, EntryKind.MESSAGE, payload)
    work.post(lobby.leader, submit, command.id, lobby.group)


def leave(work: Work, command: LeaveLobby) -> None:
    """Leave a lobby; we follow it until the leader's word that we left."""
    lobby = need_lobby(work, command.lobby)
    if lobby.leader == work.me:
        raise LocalError(f"you lead {lobby.label}", remedy=f"conclave lobby close {lobby.label[1:]}")
    if lobby.stage in _WAITING:
        decline(work, lobby)
    elif lobby.stage is Stage.MEMBER:
        work.keep_lobby(replace(lobby, stage=Stage.LEAVING), reworded=True)
        work.post(lobby.leader, Leave(lobby.group))
    else:
        raise LocalError(f"you are not in {lobby.label} any more")


def leave_all_of(work: Work, handle: str) -> None:
    """We blocked ``handle``: out of the lobbies that it leads."""
    for lobby in work.lobbies():
        if lobby.leader == handle and lobby.stage in _WAITING:
            decline(work, lobby)
        elif lobby.leader == handle and lobby.stage is Stage.MEMBER:
            leave(work, LeaveLobby(lobby.label))


def leader_gone(work: Work, handle: str, reason: str) -> None:
    """The authority took ``handle`` out: its lobbies end here, for nobody orders them any more."""
    for lobby in work.lobbies():
        if lobby.leader != handle or lobby.stage is Stage.ENDED:
            continue
        work.tie(handle, lobby.group, tied=False)
        if lobby.stage is Stage.INVITED:
            work.drop_lobby(lobby)
        else:
            own_notice(work, lobby, f"the lobby ended: {handle}, who led it, was removed: {reason}")
            end(work, lobby)


def linked(work: Work, handle: str) -> None:
    """A link to a leader opened or closed: no fetch is under way any more."""
    for group in sorted(work.peer(handle).ties):
        found = _in(work, handle, group)
        if found is not None:
            work.keep_lobby(replace(found[0], following=replace(found[1], fetching=0)))
            _catch_up(work, group)


def passed(work: Work, lobby: Lobby) -> None:
    """Time passed: fetch again what did not come."""
    _catch_up(work, lobby.group)
