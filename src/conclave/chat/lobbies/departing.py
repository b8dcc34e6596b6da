"""Going out of a lobby, putting somebody out, closing it; and who leads first when the leader is gone.

Left out: the commits that follow (``chat.lobbies.committing``).
"""

from __future__ import annotations

from conclave.chat import groups
from conclave.chat.events import CloseLobby, LeaveLobby, RemoveFrom, SetDeputies
from conclave.chat.hearing import own_notice
from conclave.chat.links import send
from conclave.chat.lobbies import audience, catching_up, speaking
from conclave.chat.lobbies.ending import end, out
from conclave.chat.lobbies.invitations import decline
from conclave.chat.lobbies.labels import demand_in, own_handle
from conclave.chat.lobbies.purging import purge
from conclave.chat.lobby_state import Lobby, Stage, Step, Waited
from conclave.chat.words.content import Closing, Leaving, decode_content
from conclave.chat.work import Work, need_lobby
from conclave.errors import LocalError
from conclave.lobby.followers import Followers
from conclave.values import replace
from conclave.wire.order import AskInfo
from conclave.wire.posts import Answer, Choice

FORSAKEN_SECONDS = 120.0
"""Who leaves waits so long for somebody to follow a leader that left too, or itself where others are there ..."""
FORSAKEN_WORDS_SECONDS = 300.0
"""... and so long while it has words that nobody has put in order ..."""
FORSAKEN_STEP_SECONDS = 10.0
"""... of which so much passes at most between two ticks, as it may have slept, and is written down at once."""


def leave(work: Work, command: LeaveLobby) -> None:
    """Leave a lobby: we are in until the commit that says so. A leader is succeeded first."""
    lobby = need_lobby(work, command.lobby)
    if lobby.awaited:
        decline(work, lobby)
        return
    if lobby.stage is not Stage.MEMBER:
        raise LocalError(f"you are not in {lobby.label} any more")
    state = work.session(lobby.group)
    # Nobody else is in, or nobody let us in when we came from a backup.
    if state is None or len(groups.roster(state)) == 1:
        own_notice(work, lobby.label, f"{work.me} left")
        end(work, lobby)
        return
    speaking.say(work, lobby, groups.new_id(work), Leaving(), counted=False)
    work.keep_lobby(replace(work.lobby(lobby.group) or lobby, stage=Stage.LEAVING), reworded=True)
    work.stir(lobby.group)


def close(work: Work, command: CloseLobby) -> None:
    """Close a lobby that we lead; what it was stays until everybody has heard."""
    lobby = demand_in(work, command.lobby)
    if lobby.leader != work.me:
        raise LocalError(f"{lobby.leader} leads {lobby.label}", remedy=f"only {lobby.leader} can close it")
    speaking.say(work, lobby, groups.new_id(work), Closing(), counted=False)


def remove(work: Work, command: RemoveFrom) -> None:
    """Put somebody out."""
    lobby = demand_in(work, command.lobby)
    handle = own_handle(command.member)
    if handle == work.me:
        raise LocalError("that is you", remedy=f"conclave lobby leave {lobby.label[1:]}")
    people = groups.roster(groups.need_session(work, lobby.group))
    if handle in people:
        purge(work, lobby, handle, command.reason or f"by {work.me}", delay=0.0)
    elif handle in lobby.invited:
        _withdraw(work, lobby, handle)
    else:
        raise LocalError(f"{handle} is not in {lobby.label}", remedy=f"conclave lobby who {lobby.label[1:]}")


def _withdraw(work: Work, lobby: Lobby, handle: str) -> None:
    """An invitation is taken back: who accepted already is put out again if its commit flies."""
    accepted = handle in lobby.intents.adds
    intents = lobby.intents.let_in_no_more({handle})
    if accepted and lobby.voice.staged is not None:
        intents = intents.put_out(handle, f"by {work.me}")
    work.post(handle, Answer(lobby.group, Choice.REJECT))
    work.keep_lobby(replace(lobby, invited=lobby.invited - {handle}, intents=intents), reworded=True)
    work.stir(lobby.group)


def set_deputies(work: Work, command: SetDeputies) -> None:
    """Name who leads first when the leader is gone."""
    lobby = demand_in(work, command.lobby)
    deputies = tuple(dict.fromkeys(own_handle(one) for one in command.deputies))
    state = groups.need_session(work, lobby.group)
    people = groups.roster(state)
    strangers = [one for one in deputies if one not in people]
    if strangers:
        raise LocalError(f"{', '.join(strangers)} is not in {lobby.label}", remedy="invite first")
    if len(deputies) > groups.DEPUTIES_MOST:
        raise LocalError(f"a lobby has at most {groups.DEPUTIES_MOST} deputies")
    culprit = groups.in_the_way(state)
    if culprit:
        raise LocalError(f"{lobby.label} cannot have deputies while {culprit} is in", remedy="remove it first")
    work.keep_lobby(replace(lobby, intents=replace(lobby.intents, deputies=deputies)), reworded=True)
    work.stir(lobby.group)


def _forsaken(work: Work, lobby: Lobby) -> Lobby:
    """The lobby, with for how long nobody would put us out, nor put in order what we said."""
    seconds, counted = lobby.forsaken, lobby.watch.forsaken
    unsaid = _unsaid(lobby)
    if unsaid < lobby.watch.unsaid or not _nobody_puts_out(work, lobby) or work.session(lobby.group) is None:
        seconds, counted = 0, Waited()
    else:
        counted = counted.seen(work.now, FORSAKEN_STEP_SECONDS)
        if counted.seconds >= FORSAKEN_STEP_SECONDS:
            seconds, counted = seconds + int(counted.seconds), Waited(counted.seconds % 1, work.now)
    kept = seconds != lobby.forsaken
    if kept or (counted, unsaid) != (lobby.watch.forsaken, lobby.watch.unsaid):
        lobby = replace(lobby, forsaken=seconds, watch=replace(lobby.watch, forsaken=counted, unsaid=unsaid))
        work.keep_lobby(lobby, reworded=kept)
    return lobby


def _nobody_puts_out(work: Work, lobby: Lobby) -> bool:
    """Whether nobody would put us out: our leader left, or does not, though it is heard.

    Or we lead, nobody who is there follows us, and nobody lacks words of our order. Who is there may follow another
    half, in which nobody met us. Or it hangs, and others are yet to have the words.
    """
    people = lobby.watch.followers
    if people is None:
        return catching_up.leads_us(work, lobby) or lobby.intents.removes.get(lobby.leader) == groups.LEFT
    members = {handle: one for handle, one in people.items() if not one.until and handle not in work.expelled}
    return (
        any(one.linked for one in members.values())
        and not _heard(people)
        and all(audience.has(lobby, handle) >= lobby.ears.words for handle in members)
    )


def _heard(people: Followers) -> bool:
    """Whether somebody hears what we put in order."""
    return any(one.live and not one.until for one in people.values())


def _unsaid(lobby: Lobby) -> int:
    """How many words of ours have no place yet; that we leave is none."""
    contents = [one.content for one in (*lobby.voice.waiting, *lobby.voice.flying) if one.content]
    return sum(decode_content(one).count > 0 for one in contents)


def passed(work: Work, group: bytes) -> None:
    """Time passed: who leaves says so again where the half that heard it lost, a leader where others are there.

    Who waited long enough for a leader goes. The others, who may be in another half, hear so when they show us where
    they are: a post might wait, and come when we are in again.
    """
    lobby = work.lobby(group)
    if lobby is None or lobby.stage is not Stage.LEAVING or lobby.healing.step is not Step.SOUND:
        return
    work.pending = True
    lobby = _forsaken(work, lobby)
    waited = lobby.forsaken + lobby.watch.forsaken.seconds
    if waited > FORSAKEN_WORDS_SECONDS or (waited > FORSAKEN_SECONDS and not _unsaid(lobby)):
        out(work, lobby, groups.LEFT)
        return
    said = lobby.voice.flying or len(lobby.voice.waiting)
    if said or abs(work.now - lobby.watch.parting) < work.settings.resend_after:
        return
    people = lobby.watch.followers
    linked = [handle for handle, one in people.items() if one.linked and not one.until] if people is not None else []
    if people is not None and not linked:
        return
    work.keep_lobby(replace(lobby, watch=replace(lobby.watch, parting=work.now)))
    if people is not None and lobby.watch.parting and not _heard(people):
        for handle in linked:  # to say it again each time fills the order; who is in another half says if we are out
            send(work, handle, AskInfo(group))
        return
    speaking.say(work, work.lobby(group) or lobby, groups.new_id(work), Leaving(), counted=False)
