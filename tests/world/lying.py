"""Worlds with a member that lies (``liar``) until the faults are over: the others are one again then, and it too.

What it made of itself is its own matter: who lies may be out, or wait for what it said no to. What it says, and what
others lack of it, is not looked at either.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from conclave.chat import groups
from conclave.chat.lobbies import lacks
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.words.content import decode_content
from conclave.chat.words.originals import Signed
from conclave.errors import DecodeError
from conclave.mls import group as mls
from conclave.wire import codec as wire
from conclave.wire.delivery import Post
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.order import Originals
from conclave.wire.posts import Handshake, open_post
from tests.world import witness
from tests.world.invariants import violations
from tests.world.liar import Liar
from tests.world.network import decode
from tests.world.rough import RoughTown

BEFORE = "before it came in"


class LyingTown(RoughTown):
    """A town with a liar in it. What others' devices give it that was said before it came in leaks."""

    def __init__(self, seed: int, *, suite: int) -> None:
        super().__init__(seed, suite=suite)
        self.liar = Liar(self.random.choice(list(self.nodes)), list(self.nodes), self.random)

    def counts(self, name: str) -> bool:
        return super().counts(name) and name != self.liar.name

    def settled(self) -> bool:
        """What is wrong may be mended by what the liar, honest now, is about to do."""
        return super().settled() and set(violations(self)) <= set(self.leaks)

    def excused(self, wrong: str, /) -> bool:
        """Whether what is wrong is the liar's own, or of its words; that it reads what is not for it never is."""
        liar = self.liar.name
        its_own = (f"'{liar} ", f"['{liar}'] are in", f"are in for {liar},", f": {liar} follows")
        return BEFORE not in wrong and (wrong.startswith(liar) or any(one in wrong for one in its_own))

    def missing(self, lobby: Lobby, seq: int, /) -> bool:
        """So it is where the liar led, and put something else in the place of another's words."""
        return not lacks.none(lobby, seq - 1, seq + 1)

    def send(self, name: str, peer: str, frame: Frame) -> None:
        if peer == self.liar.name:
            self.liar.hears(frame)
            self._leaked(name, frame)
        if name != self.liar.name or self.healed:
            super().send(name, peer, frame)
            return
        for said in self.lies(frame):
            if said is frame:
                super().send(name, peer, frame)
            elif link := self.links.get(frozenset((name, peer))):
                self.later(0.01, partial(self._arrive, link, name, peer, encode_frame(said)))

    def deposit(self, sender: str, peer: str, frames: tuple[bytes, ...]) -> None:
        for one in frames if peer == self.liar.name else ():
            self._leaked(sender, decode(one))
        if sender != self.liar.name or self.healed:
            super().deposit(sender, peer, frames)
        elif lies := tuple(encode_frame(said) for one in frames for said in self.lies(decode(one))):
            self.leave(sender, peer, lies)

    def under_way(self, name: str, lobby: Lobby, /) -> bool:
        waits = lobby.stage is Stage.JOINING and self.liar.name in (lobby.inviter, *lobby.inviters)
        state = self.nodes[name].desk.sessions.get(lobby.group)
        alone = state is not None and set(groups.roster(state)) <= {name, self.liar.name}
        return super().under_way(name, lobby) and not waits and not alone

    def lies(self, frame: Frame) -> list[Frame]:
        """What the liar sends in place of ``frame``."""
        lobbies = self.nodes[self.liar.name].desk.lobbies.values()
        return self.liar.says(frame, [one.order for one in lobbies if one.order is not None])

    def _misfortune(self) -> None:
        if self.random.random() < 0.5:
            super()._misfortune()

    def _leaked(self, name: str, frame: Frame) -> None:
        group, items = b"", tuple[bytes, ...]()
        if isinstance(frame, Originals):
            group, items = frame.group, tuple(data for _, data in frame.items)
        elif isinstance(frame, Post) and isinstance(words := open_post(frame), Handshake):
            with suppress(DecodeError):  # those of a pair are none
                group, items = words.group, wire.decode(words.message, lambda r: r.vector(wire.Reader.opaque))
        came = self.came.get((group, self.liar.name), float("inf"))
        for data in items:
            with suppress(DecodeError):
                identity = decode_content(mls.read_original(Signed.decode(data).original).data).id
                if witness.ORDERED.get(identity, (b"", float("inf")))[1] < came:
                    author, where, text = self.said.get(identity, ("", "", ""))
                    self.leaks.append(f"{name} gave {text!r} of {author} in {where}, said {BEFORE}")
