"""What must hold when a world is quiet. ``violations`` lists what does not, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conclave.chat import views
from conclave.chat.desk import restore
from conclave.chat.effects import Line, LineKind, Status
from conclave.chat.records import encode_lobby, encode_peer, encode_place
from conclave.chat.state import Lobby, Stage
from tests.world.network import SETTINGS, Node
from tests.world.script import Town

SENDS_PER_POST = 4
"""Posts on the wire for one post said or one crash, at most, on average over a world."""


def violations(town: Town) -> list[str]:
    """Everything that is wrong."""
    found: list[str] = []
    for node in town.nodes.values():
        found += _outbox(node)
        found += _only_what_was_said(town, node)
        found += _pairs(town, node)
        found += _restored(node)
    found += _lobbies(town)
    found += _resends(town)
    return found


def _resends(town: Town) -> Iterator[str]:
    posts = sum(one.out.next - 1 for node in town.nodes.values() for one in node.desk.peers.values())
    sent = sum(town.posts_sent.values())
    if sent > SENDS_PER_POST * (posts + town.crashes + 10):
        yield f"{sent} posts were sent for {posts} that were said"


def _lines(node: Node, conversation: str) -> list[Line]:
    return [one.line for one in node.store.lines(conversation, limit=1_000_000)]


def _outbox(node: Node) -> Iterator[str]:
    if node.store.outbox():
        yield f"{node.name}: the outbox is not empty: {node.store.outbox()}"
    if views.queued(node.desk):
        yield f"{node.name}: the desk thinks that posts wait: {views.queued(node.desk)}"


def _restored(node: Node) -> Iterator[str]:
    """What is on disk gives the same desk back."""
    again = restore(node.name, node.store.states(), node.store.posts, SETTINGS)
    for desk, other in ((node.desk, again), (again, node.desk)):
        for peer in desk.peers.values():
            twin = other.peers.get(peer.handle)
            known = peer.out.stream or peer.inbound.streams or peer.ties
            if known and (twin is None or encode_peer(twin) != encode_peer(peer) or twin.ties != peer.ties):
                yield f"{node.name}: {peer.handle} is not restored as it was"
        for lobby in desk.lobbies.values():
            same = other.lobbies.get(lobby.group)
            if same is None or (encode_lobby(same), encode_place(same)) != (encode_lobby(lobby), encode_place(lobby)):
                yield f"{node.name}: {lobby.label} is not restored as it was"
    if (again.labels, again.busy) != (node.desk.labels, node.desk.busy):
        yield f"{node.name}: labels or busy are not restored as they were"


def _only_what_was_said(town: Town, node: Node) -> Iterator[str]:
    for conversation in node.store.conversations():
        lines = [one for one in _lines(node, conversation.name) if one.kind is LineKind.TEXT]
        for line in lines:
            sender, _, text = town.said.get(line.id, ("", "", ""))
            if (line.sender, line.text) != (sender, text):
                yield f"{node.name} shows {line.text!r} of {line.sender}, who never said it"
            if line.sender == node.name and line.status is Status.WAITING:
                yield f"{node.name}: {line.text!r} to {conversation.name} still waits"
        yield from (
            f"{node.name} shows {one!r} twice in {conversation.name}"
            for one, count in Counter(line.id for line in lines).items()
            if count > 1
        )


def _pairs(town: Town, node: Node) -> Iterator[str]:
    for other in town.nodes.values():
        if other is node:
            continue
        mine = [one for one in _lines(node, "@" + other.name) if one.sender == node.name]
        theirs = [one.id for one in _lines(other, "@" + node.name) if one.sender == node.name]
        arrived = set(theirs)
        delivered = [one.id for one in mine if one.status is Status.DELIVERED]
        for line in mine:
            if line.status is Status.DELIVERED and line.id not in arrived:
                yield f"{line.text!r} is delivered, but {other.name} does not have it"
            if line.status is Status.FAILED and line.id in arrived:
                yield f"{line.text!r} was not sent, but {other.name} has it"
            if line.status is Status.FAILED and not town.unfriendly:
                yield f"{line.text!r} was not sent, though nobody refused it"
        if [one for one in theirs if one in set(delivered)] != delivered:
            yield f"{other.name} has the words of {node.name} in another order"
        strangers = arrived - {one.id for one in mine}
        if strangers:
            yield f"{other.name} has {len(strangers)} lines of {node.name}, who does not have them"


def _lobbies(town: Town) -> Iterator[str]:
    for leader in town.nodes.values():
        for lobby in leader.desk.lobbies.values():
            if lobby.leader == leader.name:
                yield from _lobby(town, leader, lobby)
    for node in town.nodes.values():
        for lobby in node.desk.lobbies.values():
            if lobby.stage in (Stage.JOINING, Stage.LEAVING, Stage.CLOSING):
                yield f"{node.name}: {lobby.label} is stuck at {lobby.stage.name}"


def _lobby(town: Town, leader: Node, lobby: Lobby) -> Iterator[str]:
    if lobby.leading is not None and lobby.leading.invited:
        yield f"{leader.name} waits for {sorted(lobby.leading.invited)} to enter {lobby.label}"
    order = {one.seq: one for one in _lines(leader, lobby.label)}
    if sorted(order) != list(range(1, len(order) + 1)):
        yield f"{lobby.label} of {leader.name} has gaps in its order"
    ids = {one.id: seq for seq, one in order.items()}
    for node in town.nodes.values():
        seen = node.desk.lobbies.get(lobby.group)
        if node is leader or seen is None:
            continue
        has = {one.seq: one for one in _lines(node, seen.label) if one.seq}
        for seq, line in has.items():
            if seq not in order or (order[seq].id, order[seq].text) != (line.id, line.text):
                yield f"{node.name} has another entry {seq} of {lobby.label} than {leader.name}"
        if (seen.stage is Stage.MEMBER) != (lobby.leading is not None and node.name in lobby.leading.roster):
            yield f"{node.name} is {seen.stage.name} of {lobby.label}, and {leader.name} sees that otherwise"
        if seen.stage is Stage.MEMBER and lobby.leading is not None and node.name in lobby.leading.roster:
            entered = lobby.leading.followers.get(node.name)
            since = entered.since if entered is not None else 0
            if [seq for seq in sorted(has) if seq >= since] != list(range(since, len(order) + 1)):
                yield f"{node.name} lacks entries of {lobby.label} from {since} to {len(order)}: {sorted(has)}"
        for line in _lines(node, seen.label):
            if line.sender != node.name or line.kind is not LineKind.TEXT:
                continue
            if line.status is Status.DELIVERED and ids.get(line.id) != line.seq:
                yield f"{line.text!r} is delivered to {lobby.label}, but not in its order"
            if line.status is Status.FAILED and line.id in ids:
                yield f"{line.text!r} was not sent to {lobby.label}, but is in its order"
            if line.status is Status.FAILED and seen.stage is Stage.MEMBER and not _ever_left(order, node.name):
                yield f"{line.text!r} was not sent to {lobby.label}, though {node.name} is in"


def _ever_left(order: dict[int, Line], name: str) -> bool:
    return any(
        one.kind is LineKind.NOTICE and one.text.startswith((f"{name} left", f"{name} was")) for one in order.values()
    )
