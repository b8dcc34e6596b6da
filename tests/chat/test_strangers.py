"""Whatever a peer sends, a step gives effects that can be carried out, and keeps to its bounds."""

from __future__ import annotations

import contextlib
import random as chance  # noqa: TID251 - a seeded source of bytes for the core

from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat import events as ev
from conclave.chat.deeds import Deed, Send
from conclave.chat.delivery import STREAMS_KEPT
from conclave.chat.desk import Desk, Settings, restore, step
from conclave.chat.lobbies.labels import ENDED_KEPT
from conclave.chat.lobbies.lacks import RANGES
from conclave.chat.lobbies.rolls import CALLS_KEPT
from conclave.chat.lobby_state import Stage
from conclave.chat.words import content as c
from conclave.errors import LocalError, Refused
from conclave.lobby.order import RECENT
from conclave.store.memory import MemoryStore
from conclave.wire.delivery import DECLINED_POSTS, Post
from conclave.wire.frames import encode_frame
from conclave.wire.order import RUNS
from conclave.wire.posts import Invite, pack_parcel
from tests.chat.people import JUDGES, own
from tests.wire.frames_strategies import GROUPS, IDS, SMALL, conversation_frames

LIMITS = Settings(
    outbox_posts=6, request_messages=2, window_posts=3, push_window=2, lobby_members=3, invitations=3,
    invitations_per_peer=2, packages=12, stock=3, flying=3,
)  # fmt: skip
PEERS = st.sampled_from(["burak", "cem", "deniz"])
LABELS = st.sampled_from(["ops", "#ops", "night", "ops@burak", "ops@cem"])
WHERE = st.sampled_from(["@burak", "@cem", "#ops", "#night", "#ops@burak"])

commands = st.one_of(
    st.builds(ev.Say, WHERE, IDS, st.text(min_size=1, max_size=5)),
    st.builds(ev.Utter, WHERE, IDS, st.builds(c.Delete, IDS)),
    st.builds(ev.MarkRead, WHERE, st.integers(0, 9)),
    st.builds(ev.OpenLobby, st.sampled_from(["ops", "night"]), GROUPS, st.lists(PEERS, max_size=2).map(tuple)),
    st.builds(ev.InviteTo, LABELS, st.lists(PEERS, max_size=2).map(tuple)),
    st.builds(ev.AnswerRequest, PEERS, st.booleans(), st.just("") | LABELS, st.booleans()),
    st.builds(ev.Unblock, PEERS),
    st.builds(ev.SetBusy, st.booleans()),
    st.builds(ev.LeaveLobby, LABELS),
    st.builds(ev.CloseLobby, LABELS),
    st.builds(ev.RemoveFrom, LABELS, PEERS),
    st.builds(ev.SetDeputies, LABELS, st.lists(PEERS, max_size=2).map(tuple)),
    st.builds(ev.CallRoll, LABELS, IDS),
)
packages = st.binary(max_size=60)


def asked_in(peer: str, number: int, group: bytes, name: str) -> ev.Arrived:
    """An invitation that is the next post of its sender, whatever came before."""
    kind, body = pack_parcel(Invite(group, name, (peer, "elif")))
    return ev.Arrived(peer, Post(peer.encode().ljust(8), number, number, kind, body))


happenings = st.one_of(
    st.builds(asked_in, PEERS, st.integers(1, 99), st.binary(min_size=16, max_size=16) | GROUPS, st.just("ops")),
    st.builds(ev.Arrived, PEERS, conversation_frames),
    st.builds(ev.Arrived, PEERS, conversation_frames),
    st.builds(ev.Mailed, PEERS, st.lists(conversation_frames, max_size=3).map(tuple), st.integers(1, 9)),
    st.builds(ev.Linked, PEERS, st.integers(0, 70_000)),
    st.builds(ev.Unlinked, PEERS),
    st.just(ev.Tick()),
    st.builds(ev.Expelled, PEERS, st.text(max_size=9)),
    st.builds(ev.PackageFound, PEERS, packages),
    st.builds(ev.PackageMissing, PEERS, st.just("away")),
    st.builds(ev.StockTold, st.integers(0, 9)),
    st.builds(ev.Deposited, PEERS, SMALL, GROUPS | st.just(b"")),
    st.builds(ev.DepositFailed, PEERS, SMALL, st.sampled_from(["away", "full", "else"]), GROUPS | st.just(b"")),
    st.builds(
        ev.Unwound, GROUPS, SMALL, st.just(b"") | st.binary(min_size=32, max_size=32), st.just(()), st.just(())
    ),
    st.builds(ev.Recollected, GROUPS, st.just("#ops"), st.just((("burak", b"i" * 16, b"junk"),))),
)


def check_bounds(desk: Desk, limits: Settings) -> None:
    for peer in desk.peers.values():
        assert peer.out.count <= limits.outbox_posts + 1_000
        assert len(peer.out.lines) <= peer.out.count
        assert len(peer.waiting) <= limits.outbox_posts
        assert len(peer.inbound.streams) <= STREAMS_KEPT
        assert all(len(one.declined) <= DECLINED_POSTS for one in peer.inbound.streams)
        assert peer.pair.lines <= limits.request_messages
    lobbies = list(desk.lobbies.values())
    inviting = [one.unanswered for one in lobbies if one.unanswered]
    assert len(inviting) <= limits.invitations
    assert all(sum(one in them for them in inviting) <= limits.invitations_per_peer for one in desk.peers)
    assert sum(one.stage is Stage.ENDED for one in lobbies) <= ENDED_KEPT
    assert sorted(desk.labels) == sorted(one.label for one in lobbies)
    assert all(one.label.isprintable() for one in lobbies)
    assert len(desk.packages) <= limits.packages + 2
    for one in lobbies:
        assert max(len(one.ears.lost), len(one.healing.pull)) <= RANGES
        assert len(one.ears.calls) <= CALLS_KEPT
        assert one.order is None or (len(one.order.recent) <= RECENT and len(one.order.runs) <= RUNS)


@given(st.lists(happenings | commands, max_size=40), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_nothing_a_peer_sends_breaks_a_step(events: list[ev.Event], seed: int) -> None:
    source, now = chance.Random(seed), 1_000.0
    desk, store = Desk("ayse", LIMITS, own("ayse"), JUDGES), MemoryStore()
    for event in events:
        now += 4
        before, shown = desk, (desk.peers, desk.lobbies, desk.labels, desk.sessions, desk.packages)
        with contextlib.suppress(*((Refused, LocalError) if isinstance(event, ev.Command) else ())):
            desk, effects = step(desk, event, now, source.randbytes)
            store.commit([one for one in effects if not isinstance(one, Deed)])
            for one in effects:
                if isinstance(one, Send):
                    encode_frame(one.frame)
        assert (before.peers, before.lobbies, before.labels, before.sessions, before.packages) == shown
        check_bounds(desk, LIMITS)
    again = restore("ayse", store.states(), store.posts, LIMITS, own("ayse"), JUDGES)
    assert {one.handle: one.out.count for one in again.peers.values() if one.out.count} == {
        one.handle: one.out.count for one in desk.peers.values() if one.out.count
    }
    assert again.labels == desk.labels
