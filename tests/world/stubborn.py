"""Worlds with a member that lies (``lying``) and never mends: it is shut out by the authority when the faults end.

It is silent besides where it is asked, claims to have more than there is, and hands in commits that no lobby needs.
"""

from __future__ import annotations

import random  # noqa: TID251 - a world is made of seeded chance
from collections.abc import Sequence
from functools import partial

from conclave.chat import groups
from conclave.chat.lobby_state import Lobby
from conclave.errors import LocalError, RemoteError
from conclave.mls import group as mls
from conclave.pki.revocation import Revocation
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.frames import Frame
from tests.chat.people import JUDGES
from tests.world.lying import LyingTown

ANSWERS: tuple[type[Frame], ...] = (f.Ordered, f.Originals, f.Info, f.Refused, f.Submit)
REVOKED = Revocation("key compromise", False)
FAR = 1000
"""Entries by which it claims to be ahead."""


class StubbornTown(LyingTown):
    """A town with a liar whom nobody hears any more in the end."""

    def __init__(self, seed: int, *, suite: int) -> None:
        super().__init__(seed, suite=suite)
        self.whims = random.Random(-1 - seed)
        self.silent = tuple(self.whims.sample(ANSWERS, self.whims.choice((0, 1, 3))))
        self.ahead = self.whims.random() < 0.3
        self.odd = self.whims.choice((0.0, 0.02, 0.1))

    def heal(self) -> None:
        super().heal()
        self.expelled.add(self.liar.name)
        self.why = REVOKED
        self.suspended.add(self.liar.name)
        self.break_links(self.liar.name)
        for node in self.nodes.values():
            node.listed = frozenset()
            node.told.discard(self.liar.name)
            self.later(self.random.uniform(0.0, 5.0), partial(self.tell, node))

    def _resume(self, name: str) -> None:
        if name not in self.expelled:
            super()._resume(name)

    def excused(self, wrong: str, /) -> bool:
        """Its own keys it uses as often as it likes."""
        return super().excused(wrong) or wrong.startswith("a key of epoch")

    def lies(self, frame: Frame) -> list[Frame]:
        if isinstance(frame, self.silent):
            return []
        if self.ahead and isinstance(frame, f.Head):
            top = replace(frame.runs[0], last=frame.seq + FAR)
            return [replace(frame, seq=top.last, runs=(top, *frame.runs[1:]))]
        node = self.nodes[self.liar.name]
        odd = [self._oddity(lobby) for lobby in node.desk.lobbies.values()] if self.whims.random() < self.odd else []
        return [*super().lies(frame), *(one for one in odd if one is not None)]

    def _oddity(self, lobby: Lobby) -> Frame | None:
        """A commit for the leader to order, or in the place of one that it orders itself."""
        state = self.nodes[self.liar.name].desk.sessions.get(lobby.group)
        if state is None or lobby.order is None:
            return None
        number = (lobby.order.numbers.get(self.liar.name) or 0) + 1
        someone = self.whims.choice(sorted(groups.roster(state)))
        why = self.whims.choice(({}, {someone: groups.LEFT}))
        try:
            staged = mls.commit(
                state, self._proposals(state, someone), verify=JUDGES.members, now=self.now,
                random=self.whims.randbytes, authenticated_data=groups.write_reasons(why, number),
            )  # fmt: skip
        except (LocalError, RemoteError):
            return None
        if lobby.leader != self.liar.name:
            return f.Submit(lobby.group, number, number, state.number, f.EntryKind.COMMIT, staged.message)
        return f.Ordered(
            lobby.group, lobby.order.run.term, lobby.order.seq + 1, lobby.order.hash, self.liar.name, number,
            state.number, f.EntryKind.COMMIT, staged.message,
        )  # fmt: skip

    def _proposals(self, state: mls.State, someone: str) -> Sequence[mls.Proposal]:
        whims = self.whims
        odd: tuple[Sequence[mls.Proposal], ...] = (
            (),
            (mls.ReInit(state.group_id, 1, 1, ()),),
            (mls.GroupContextExtensions((mls.Extension(0xF0C1, whims.randbytes(whims.choice((9, 3000)))),)),),
            (mls.GroupContextExtensions(()),),
            (mls.Remove(groups.roster(state)[someone]),),
        )
        return whims.choice(odd)
