"""What must hold when a world is quiet. ``violations`` lists what does not, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conclave.chat import groups, views
from conclave.chat.lobby_records import encode_lobby, encode_place
from conclave.chat.lobby_state import Lobby, Stage
from conclave.chat.peer_records import encode_peer
from conclave.chat.words.line import Line, LineKind, Status
from conclave.wire.order import decode_ordered
from tests.world import witness
from tests.world.network import Node
from tests.world.script import Town

SENDS_PER_POST = 4
"""Posts on the wire for one post said or one crash, at most, on average over a world."""


def violations(town: Town) -> list[str]:
    """Everything that is wrong."""
    found: list[str] = [*dict.fromkeys(town.keys.twice), *town.leaks]
    for node in town.nodes.values():
        found += _outbox(town, node)
        found += _only_what_was_said(town, node)
        found += _nothing_from_before(town, node)
        found += _pairs(town, node)
        found += _restored(node)
    found += _lobbies(town)
    found += _resends(town)
    return [one for one in found if not town.excused(one)]


def _resends(town: Town) -> Iterator[str]:
    posts = sum(one.out.next - 1 for node in town.nodes.values() for one in node.desk.peers.values())
    sent = sum(town.posts_sent.values())
    if sent > SENDS_PER_POST * (posts + town.crashes + 10):
        yield f"{sent} posts were sent for {posts} that were said"


def _lines(node: Node, conversation: str) -> list[Line]:
    return [one.line for one in node.store.lines(conversation, limit=1_000_000)]


def _outbox(town: Town, node: Node) -> Iterator[str]:
    if set(node.store.outbox()) - town.expelled and node.name not in town.expelled:
        yield f"{node.name}: the outbox is not empty: {node.store.outbox()}"
    if set(views.queued(node.desk)) - town.expelled and node.name not in town.expelled:
        yield f"{node.name}: the desk thinks that posts wait: {views.queued(node.desk)}"


def _restored(node: Node) -> Iterator[str]:
    """What is on disk gives the same desk back."""
    again = node.restored()
    for desk, other in ((node.desk, again), (again, node.desk)):
        for peer in desk.peers.values():
            twin = other.peers.get(peer.handle)
            known = peer.out.stream or peer.inbound.streams
            if known and (twin is None or encode_peer(twin) != encode_peer(peer)):
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
            if line.sender == node.name and line.status in (Status.WAITING, Status.MAILED) and not town.expelled:
                yield f"{node.name}: {line.text!r} to {conversation.name} still waits"
        yield from (
            f"{node.name} shows {one!r} twice in {conversation.name}"
            for one, count in Counter(line.id for line in lines).items()
            if count > 1
        )


def _nothing_from_before(town: Town, node: Node) -> Iterator[str]:
    """Nobody has words of a lobby that had their last place in an order before it was let in for the first time.

    Who is let in in one half may have words of the other, said meanwhile: by then it was in. What was sealed before
    somebody came in and ordered after is for that one too (``recalling.want``).
    """
    for conversation in node.store.conversations():
        if not conversation.name.startswith("#"):
            continue
        for line in _lines(node, conversation.name):
            group, ordered = witness.ORDERED.get(line.id, (b"", float("inf")))
            if line.kind is LineKind.TEXT and ordered < town.came.get((group, node.name), float("inf")):
                yield f"{node.name} shows {line.text!r}, said in {conversation.name} before it came in"


def _pairs(town: Town, node: Node) -> Iterator[str]:
    for other in town.nodes.values():
        if other is node or {other.name, node.name} & town.expelled:
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
    yield from town.differences()
    lobbies: dict[bytes, list[Node]] = {}
    for node in town.nodes.values():
        for lobby in node.desk.lobbies.values():
            if town.under_way(node.name, lobby) and node.name not in town.expelled:
                yield f"{node.name}: {lobby.label} is stuck at {lobby.stage.name}"
            if lobby.stage is Stage.MEMBER and node.name not in town.expelled:
                lobbies.setdefault(lobby.group, []).append(node)
    for group, nodes in lobbies.items():
        yield from _roster(town, group, nodes)
    yield from _said_to_all(town)


def _roster(town: Town, group: bytes, nodes: list[Node]) -> Iterator[str]:
    """Everybody who is in knows it, and follows the one who leads.

    Two halves that put each other out, or whose newcomers the other does not know, may go on apart: so only those
    are compared who take each other for members.
    """
    views_of = {}
    for node in nodes:
        lobby = node.desk.lobbies.get(group)
        assert lobby is not None
        view = views.lobby(node.desk, lobby.label)
        assert view is not None
        views_of[node.name] = view
    for node in nodes:
        view = views_of[node.name]
        if set(view.roster) & town.expelled:
            yield f"{view.label}: {sorted(set(view.roster) & town.expelled)} is still in"
        mutual = [one for one in view.roster if one in views_of and node.name in views_of[one].roster]
        strangers = [one for one in view.roster if one not in views_of and one not in town.expelled]
        if strangers and len(mutual) > 1:
            yield f"{view.label}: {strangers} are in for {node.name}, and do not know it"
        if view.leader in mutual and views_of[view.leader].stage != "leading":
            yield f"{view.label}: {node.name} follows {view.leader}, who does not lead"


def _said_to_all(town: Town) -> Iterator[str]:
    """What was said in a lobby is with everybody who was in and stayed, once."""
    for identity, (group, _) in town.in_lobby.items():
        author, _, text = town.said[identity]
        people = town.stayed(identity)
        speaker = town.nodes[author]
        lobby = speaker.desk.lobbies.get(group)
        if lobby is None or author in town.expelled or lobby.stage is not Stage.MEMBER:
            continue
        own = speaker.store.line(lobby.label, author, identity)
        if own is None:  # it was never taken: a crash came first, or it was refused
            continue
        if own.line.status is Status.FAILED:
            if author in people and not _ever_out(speaker, lobby):  # nor is its home a backup's, made before
                yield f"{text!r} was not sent to {lobby.label}, though {author} is in"
            continue
        leader = town.nodes[lobby.leader].desk.lobbies.get(group) if lobby.stage is Stage.MEMBER else None
        for name in people - town.expelled:
            if not _mutual(town, group, author, name):
                continue
            if author not in people and not _with_another(town, group, people, name, (author, identity)):
                continue  # it left with what it said, and came back
            label = town.nodes[name].desk.lobbies.get(group)
            assert label is not None
            if leader is not None and _newcomer(town.nodes[lobby.leader], leader, name, own.line.seq):
                continue
            if town.nodes[name].store.line(label.label, author, identity) is None:
                if town.missing(label, own.line.seq):
                    continue
                yield f"{name} lacks {text!r} of {lobby.label}, which {author} has as {own.line.status.value}"


def _with_another(town: Town, group: bytes, people: frozenset[str], one: str, line: tuple[str, bytes]) -> bool:
    """Whether something has its place in the order of one who stayed, and is in with ``one``."""
    for name in people:
        lobby = town.nodes[name].desk.lobbies.get(group)
        assert lobby is not None
        stored = town.nodes[name].store.line(lobby.label, *line)
        if stored is not None and stored.line.seq and _mutual(town, group, name, one):
            return True
    return False


def _newcomer(leader: Node, lobby: Lobby, name: str, seq: int) -> bool:
    """Whether ``name`` was let in, in the half that counts, only after entry ``seq`` was protected."""
    entered = lobby.healing.entered.get(name, 0)
    if entered >= max(seq, 1):
        return True
    said, came = (leader.store.entries(lobby.group, at, 1) for at in (seq, entered))
    return bool(said and came) and decode_ordered(said[0]).epoch <= decode_ordered(came[0]).epoch


def _ever_out(node: Node, lobby: Lobby) -> bool:
    """Whether the node was out in between, and let in again."""
    notices = [line.text for line in _lines(node, lobby.label) if line.kind is LineKind.NOTICE]
    return any(text.startswith(("you were removed", f"{node.name} left", "the lobby was closed")) for text in notices)


def _mutual(town: Town, group: bytes, one: str, other: str) -> bool:
    """Whether two take each other for members."""
    states = [town.nodes[name].desk.sessions.get(group) for name in (one, other)]
    return all(state is not None and {one, other} <= set(groups.roster(state)) for state in states)
