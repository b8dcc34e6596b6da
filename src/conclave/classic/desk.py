"""Classic conversations: who is asked and who asks, texts in and out, and the lobbies that we lead. Pure.

``step(desk, event, now) -> (desk, effects)``. With each peer there is one link at most, and one conversation; where
two peers call each other at once, the call of the smaller handle stays. There is no outbox: a text waits only while
its link is being made, or made anew. Who was accepted once is answered OK from then on; whoever was rejected is
turned away for ``SNUB_SECONDS`` without asking anybody. Left out: links (``machine``), what is said to a lobby's
members (``lobby``), history.
"""

from __future__ import annotations

from conclave.classic import lobby as lobbies
from conclave.classic.calls import LEGACY, Call, Desk, Line, Stage
from conclave.classic.events import Answer, Ending
from conclave.classic.happenings import (
    AnswerCall,
    Called,
    CloseLobby,
    Connected,
    Dial,
    Effect,
    Ended,
    Event,
    Gather,
    Hang,
    HangUp,
    Heard,
    Keep,
    Mark,
    Remember,
    Reply,
    Say,
    Send,
    Status,
    TellAnswered,
    TellAsked,
    Unblock,
    Unsent,
)
from conclave.classic.lobby import MEMBERS_MOST, Lobby
from conclave.errors import LocalError
from conclave.values import replace

WAITING_TEXTS = 32
"""Texts that wait for one link to be made."""
ASKING_MOST = 16
"""People who wait for our answer; more are answered *busy*."""
SNUB_SECONDS = 60.0
"""How long whoever was rejected is rejected again without a question."""
HASTE_SECONDS = 10.0
"""How long whoever gave up before we answered finds us busy: calling and hanging up fills no history."""
LOBBIES_MOST = 16

Outcome = tuple[Desk, list[Effect]]


def step(desk: Desk, event: Event, now: float) -> Outcome:
    """What becomes of the desk, and what is to be done. Raises ``LocalError`` for a command that cannot be."""
    match event:
        case Say():
            return _say(desk, event, now)
        case AnswerCall():
            return _answer(desk, event, now)
        case Unblock(peer):
            return _remember(replace(desk, blocked=desk.blocked - {peer}))
        case Gather():
            return _gather(desk, event, now)
        case CloseLobby(name):
            return _close_lobby(desk, name)
        case HangUp(peer):
            link, call = desk.call_of(peer)
            if call is None:
                raise LocalError(f"there is no legacy link with {peer}", remedy="conclave status")
            gone, effects = _ended(desk, Ended(link, Ending.DONE, "you hung up"), now)
            return gone, [*effects, Hang(link)]
        case Called():
            return _called(desk, event, now)
        case Connected(link):
            return _connected(desk, link)
        case Heard():
            return _heard(desk, event)
        case Unsent():
            return _unsent(desk, event, now)
        case Ended():
            return _ended(desk, event, now)


def _remember(desk: Desk) -> Outcome:
    return desk, [Remember(desk.accepted, desk.blocked)]


def _notice(conversation: str, about: str, text: str) -> Keep:
    return Keep(conversation, about, text, Status.RECEIVED, notice=True)


# What people ask.


def _say(desk: Desk, say: Say, now: float) -> Outcome:
    if say.to.startswith("#"):
        return _say_in_lobby(desk, say)
    peer = say.to.removeprefix("@")
    _demand_other(desk, peer)
    link, call = desk.call_of(peer)
    if call is not None and call.lobby:
        raise LocalError(
            f"{peer} is in your legacy lobby #{call.lobby}", remedy=f"say it there: --link classic '#{call.lobby}'"
        )
    desk = replace(desk, said=desk.said + 1)
    line = Line(desk.said, LEGACY + say.to, say.id, say.text)
    keep = Keep(line.conversation, desk.me, say.text, Status.WAITING, say.id)
    if call is None:
        return _dial(desk, peer, now, keep, line=line)
    if call.stage is Stage.OPEN:
        return desk, [replace(keep, status=Status.SENT), _send(link, line)]
    if len(call.waiting) >= WAITING_TEXTS:
        raise LocalError(f"{WAITING_TEXTS} texts wait for the link to {peer}", remedy="wait for its answer")
    desk = desk.wait(link, line)
    if call.stage is Stage.ASKING:  # whoever speaks to somebody accepts them
        return _accept(desk, link, peer, keep)
    return desk, [keep]


def _say_in_lobby(desk: Desk, say: Say) -> Outcome:
    name = say.to.removeprefix("#")
    keep = Keep(f"{LEGACY}#{name}", desk.me, say.text, Status.SENT, say.id)
    return _tell(desk, *lobbies.relay(_led(desk, name), desk.me, say.text), keep)


def _answer(desk: Desk, answer: AnswerCall, now: float) -> Outcome:
    peer = answer.peer
    link, call = desk.call_of(peer)
    asking = call is not None and call.stage is Stage.ASKING
    if answer.accept:
        if not asking:
            raise LocalError(f"{peer} does not ask to chat over a legacy link", remedy="conclave requests")
        return _accept(replace(desk, blocked=desk.blocked - {peer}), link, peer)
    if not asking and not answer.block:
        raise LocalError(f"{peer} does not ask to chat over a legacy link", remedy="conclave requests")
    effects: list[Effect] = []
    if call is not None:
        effects.append(Reply(link, Answer.REJECT) if asking else Hang(link))
        desk = desk.drop(link)
    desk = _snub(replace(desk, accepted=desk.accepted - {peer}), peer, now, SNUB_SECONDS, Answer.REJECT)
    if answer.block:
        desk = replace(desk, blocked=desk.blocked | {peer})
    effects.append(_notice(f"{LEGACY}@{peer}", peer, f"you {'blocked' if answer.block else 'rejected'} {peer}"))
    return desk, [*effects, Remember(desk.accepted, desk.blocked)]


def _accept(desk: Desk, link: int, peer: str, *before: Effect) -> Outcome:
    desk, remembered = _remember(replace(_forgiven(desk, peer), accepted=desk.accepted | {peer}))
    return desk, [*before, *remembered, Reply(link, Answer.OK)]


def _gather(desk: Desk, gather: Gather, now: float) -> Outcome:
    name = gather.lobby
    effects: list[Effect] = []
    kept = desk.lobbies.get(name)
    if kept is None:
        if len(desk.lobbies) >= LOBBIES_MOST:
            raise LocalError(f"you lead {LOBBIES_MOST} legacy lobbies", remedy="close one: conclave lobby close")
        kept = Lobby(name, desk.me)
        effects.append(_notice(f"{LEGACY}#{name}", desk.me, f"{desk.me} opened the legacy lobby {name}"))
    coming = sum(call.lobby == name for call in desk.calls.values())
    if coming + len(gather.invited) > MEMBERS_MOST:
        raise LocalError(f"a legacy lobby has at most {MEMBERS_MOST} members")
    desk = replace(desk, lobbies={**desk.lobbies, name: kept})
    for peer in gather.invited:
        _demand_other(desk, peer)
        link, call = desk.call_of(peer)
        if call is not None and call.lobby:
            raise LocalError(f"{peer} is in your legacy lobby #{call.lobby}, or was asked into it")
        if call is not None:  # one link for each peer: the chat goes on in the lobby
            ending = Ended(link, Ending.DONE, f"{peer} was asked into #{name}")
            desk, ended = _ended(desk, ending, now)
            effects += [*ended, Hang(link)]
        desk, dialled = _dial(desk, peer, now, lobby=name)
        effects += dialled
    return desk, effects


def _close_lobby(desk: Desk, name: str) -> Outcome:
    lobby = _led(desk, name)
    desk, told = _tell(desk, lobby, lobbies.close(lobby))
    hung = [link for link, call in desk.calls.items() if call.lobby == name]
    for link in hung:
        desk = desk.drop(link)
    kept = {other: one for other, one in desk.lobbies.items() if other != name}
    notice = _notice(f"{LEGACY}#{name}", desk.me, f"{desk.me} closed the legacy lobby {name}")
    return replace(desk, lobbies=kept), [notice, *told, *(Hang(link) for link in hung)]


def _led(desk: Desk, name: str) -> Lobby:
    kept = desk.lobbies.get(name)
    if kept is None:
        raise LocalError(
            f"you lead no legacy lobby {name!r}", remedy=f"conclave lobby open --link classic {name} @PEER…"
        )
    return kept


def _demand_other(desk: Desk, peer: str) -> None:
    if peer == desk.me:
        raise LocalError("that is you", remedy="conclave who lists the others")
    if peer in desk.blocked:
        raise LocalError(f"you blocked {peer}", remedy=f"conclave unblock --link classic {peer}")


def _dial(desk: Desk, peer: str, now: float, *before: Effect, line: Line | None = None, lobby: str = "") -> Outcome:
    link = desk.dialled - 1
    call = Call(peer, Stage.CALLING, True, now, lobby, (line,) if line is not None else ())
    return replace(_forgiven(desk.put(link, call), peer), dialled=link), [*before, Dial(link, peer)]


def _forgiven(desk: Desk, peer: str) -> Desk:
    """Whoever speaks to somebody, or accepts them, does not turn them away any more."""
    return replace(desk, snubbed={other: snub for other, snub in desk.snubbed.items() if other != peer})


def _snub(desk: Desk, peer: str, now: float, seconds: float, answer: Answer) -> Desk:
    snubbed = {other: snub for other, snub in desk.snubbed.items() if snub[0] > now}
    return replace(desk, snubbed={**snubbed, peer: (now + seconds, answer)})


def _tell(desk: Desk, lobby: Lobby, out: lobbies.Out, *before: Effect) -> Outcome:
    """Send what a lobby of ours has to say; a member whose link is being made anew gets it on the next one."""
    desk = replace(desk, lobbies={**desk.lobbies, lobby.name: lobby})
    links = {call.peer: link for link, call in desk.calls.items() if call.lobby == lobby.name}
    effects: list[Effect] = [*before]
    for member, text in out:
        link = links.get(member, 0)
        call = desk.calls.get(link)
        desk = replace(desk, said=desk.said + 1)
        line = Line(desk.said, "", b"", text)
        if call is not None and call.stage is Stage.OPEN:
            effects.append(_send(link, line))
        elif call is not None and len(call.waiting) < WAITING_TEXTS:
            desk = desk.wait(link, line)
    return desk, effects


def _send(link: int, line: Line) -> Send:
    return Send(link, line.text, line.order, line.conversation, line.id)


# What links tell.


def _called(desk: Desk, called: Called, now: float) -> Outcome:
    peer = called.peer
    if peer in desk.blocked or peer == desk.me:
        return desk, [Reply(called.link, Answer.REJECT)]
    until, answer = desk.snubbed.get(peer, (0.0, Answer.OK))
    if until > now:
        return desk, [Reply(called.link, answer)]
    link, call = desk.call_of(peer)
    effects: list[Effect] = []
    waiting: tuple[Line, ...] = ()
    wanted = peer in desk.accepted
    if call is not None:
        if call.stage is Stage.CALLING and (call.lobby or desk.me < peer):
            return desk, [Reply(called.link, Answer.BUSY)]  # ours stays
        if call.stage is Stage.CALLING:
            wanted, waiting = True, call.waiting
            desk = desk.drop(link)
        elif call.stage is Stage.ASKING and not wanted:  # it asks still, on another link
            return desk.drop(link).put(called.link, call), [Hang(link)]
        else:  # it begins anew, so it has forgotten the other link
            desk, effects = _ended(desk, Ended(link, Ending.DONE, f"{peer} connects anew"), now)
        effects.append(Hang(link))
    asking = sum(one.stage is Stage.ASKING for one in desk.calls.values())
    if not wanted and (called.busy or asking >= ASKING_MOST):
        return desk, [*effects, Reply(called.link, Answer.BUSY)]
    desk = desk.put(called.link, Call(peer, Stage.ASKING, False, now, "", waiting))
    if wanted:
        desk, accepted = _accept(desk, called.link, peer)
        return desk, [*effects, *accepted]
    notice = _notice(f"{LEGACY}@{peer}", peer, f"{peer} asks to chat over a legacy link")
    return desk, [*effects, notice, TellAsked(peer)]


def _connected(desk: Desk, link: int) -> Outcome:
    call = desk.calls.get(link)
    if call is None:
        return desk, [Hang(link)]
    desk = desk.put(link, replace(call, stage=Stage.OPEN, waiting=()))
    effects: list[Effect] = []
    if call.initiator:
        effects.append(TellAnswered(call.peer, "accepted"))
        if call.peer not in desk.accepted:
            desk, remembered = _remember(replace(desk, accepted=desk.accepted | {call.peer}))
            effects += remembered
    if not call.lobby:
        words = f"{call.peer} accepted; legacy link open" if call.initiator else f"legacy link with {call.peer} open"
        effects.append(_notice(call.conversation, call.peer, words))
    elif call.peer not in desk.lobbies[call.lobby].members:  # else it is back: only its numbers were used up
        entered = _notice(call.conversation, call.peer, f"{call.peer} entered")
        desk, told = _tell(desk, *lobbies.enter(desk.lobbies[call.lobby], call.peer), entered)
        effects += told
    for line in call.waiting:
        effects += _mark(line, Status.SENT)
        effects.append(_send(link, line))
    return desk, effects


def _mark(line: Line, status: Status) -> list[Effect]:
    """What a lobby relays has no line of its own for each member."""
    return [Mark(line.conversation, line.id, status)] if line.id else []


def _heard(desk: Desk, heard: Heard) -> Outcome:
    call = desk.calls.get(heard.link)
    if call is None or call.stage is not Stage.OPEN:
        return desk, []
    keep = Keep(call.conversation, call.peer, heard.text, Status.RECEIVED)
    if not call.lobby:
        return desk, [keep]
    return _tell(desk, *lobbies.relay(desk.lobbies[call.lobby], call.peer, heard.text), keep)


def _unsent(desk: Desk, unsent: Unsent, now: float) -> Outcome:
    line = Line(unsent.order, unsent.conversation, unsent.id, unsent.text)
    link, call = desk.call_of(unsent.peer)
    if not unsent.again or (call is None and not line.id):
        return desk, _mark(line, Status.FAILED)
    if call is None:  # whose numbers are used up without having dialled, dials now
        return _dial(desk, unsent.peer, now, *_mark(line, Status.WAITING), line=line)
    if call.stage is Stage.OPEN:
        return desk, [_send(link, line)]
    if len(call.waiting) >= WAITING_TEXTS:
        return desk, _mark(line, Status.FAILED)
    return desk.wait(link, line), _mark(line, Status.WAITING)


_ANSWERED = {Ending.REJECTED: "rejected", Ending.BUSY: "busy"}


def _ended(desk: Desk, ended: Ended, now: float) -> Outcome:
    call = desk.calls.get(ended.link)
    if call is None:
        return desk, []
    desk = desk.drop(ended.link)
    effects: list[Effect] = []
    if ended.ending is Ending.EXHAUSTED and call.initiator:  # a new handshake follows
        words = f"the numbers of the legacy link with {call.peer} are used up: a new handshake follows"
        desk, dialled = _dial(desk, call.peer, now, lobby=call.lobby)
        return desk, [_notice(call.conversation, call.peer, words), *dialled]
    for line in call.waiting:
        effects += _mark(line, Status.FAILED)
    if call.lobby and call.peer in desk.lobbies[call.lobby].members:
        left = _notice(call.conversation, call.peer, f"{call.peer} left: {ended.text}")
        desk, told = _tell(desk, *lobbies.leave(desk.lobbies[call.lobby], call.peer), left)
        effects += told
    else:
        effects.append(_notice(call.conversation, call.peer, _words(call, ended)))
    if call.stage is Stage.ASKING:
        desk = _snub(desk, call.peer, now, HASTE_SECONDS, Answer.BUSY)
    if call.stage is Stage.CALLING and ended.ending in _ANSWERED:
        effects.append(TellAnswered(call.peer, _ANSWERED[ended.ending]))
    return desk, effects


def _words(call: Call, ended: Ended) -> str:
    match call.stage, ended.ending:
        case Stage.CALLING, Ending.REJECTED:
            return f"{call.peer} said no"
        case Stage.CALLING, Ending.BUSY:
            return f"{call.peer} is busy"
        case Stage.CALLING, _:
            return f"no legacy link to {call.peer}: {ended.text}"
        case Stage.ASKING, _:
            return f"{call.peer} does not ask any more: {ended.text}"
        case _:
            return f"legacy link with {call.peer} ended: {ended.text}"
