"""Roll calls: who is here, in everybody's own signed words.

Each makes everybody say something, so they are answered no more often than people can want it. Left out: saying it
(``chat.lobbies.speaking``), and waiting for the answers (``node.door.rooms``).
"""

from __future__ import annotations

from conclave.chat.lobbies.voice import say_content
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.notices import RollCalled
from conclave.chat.words.content import Present
from conclave.chat.work import Work
from conclave.errors import Refused
from conclave.values import replace

CALLS_KEPT = 8
"""Roll calls of a lobby whose answers are collected at once."""
ANSWER_SECONDS = 10.0
"""Within so long one call of one caller is answered, and ``ANSWERS_MOST`` of all together."""
ANSWERS_MOST = 3
CALL_SECONDS = 15.0
"""We call so often at most: a little less than others answer, who may hear of it sooner or later."""


def call(work: Work, lobby: Lobby) -> Lobby:
    """We call the roll. Raises ``Refused`` where we did so a moment ago: nobody would answer, though all are here."""
    last = lobby.ears.heeded.get(work.me)
    if last is not None and abs(work.now - last) < CALL_SECONDS:
        raise Refused(
            f"the roll of {lobby.label} was called a moment ago",
            reason="too-often",
            remedy=f"call it again in {CALL_SECONDS:.0f} seconds",
        )
    heeded = {**lobby.ears.heeded, work.me: work.now}
    lobby = replace(lobby, ears=replace(lobby.ears, heeded=heeded))
    work.keep_lobby(lobby)
    return lobby


def called(work: Work, lobby: Lobby, author: str, nonce: bytes) -> None:
    """``author`` calls the roll: say that we are here, if it is heeded."""
    if author != work.me:
        heeded = {one: at for one, at in lobby.ears.heeded.items() if abs(work.now - at) < _every(work, one)}
        if author in heeded or len(heeded.keys() - {work.me}) >= ANSWERS_MOST:
            return
        lobby = replace(lobby, ears=replace(lobby.ears, heeded={**heeded, author: work.now}))
    _here(work, lobby, author, nonce)
    if author != work.me and lobby.stage is Stage.MEMBER:
        say_content(work, lobby.group, Present(nonce))


def _every(work: Work, caller: str) -> float:
    return CALL_SECONDS if caller == work.me else ANSWER_SECONDS


def answered(work: Work, lobby: Lobby, author: str, nonce: bytes) -> None:
    """``author`` says that it is here."""
    if nonce in lobby.ears.calls:
        _here(work, lobby, author, nonce)


def _here(work: Work, lobby: Lobby, author: str, nonce: bytes) -> None:
    calls = dict(lobby.ears.calls)
    calls[nonce] = calls.get(nonce, frozenset()) | {author}
    while len(calls) > CALLS_KEPT:
        calls.pop(next(iter(calls)))
    work.keep_lobby(replace(lobby, ears=replace(lobby.ears, calls=calls)))
    work.tell(RollCalled(lobby.label, nonce, author, tuple(sorted(calls[nonce]))))
