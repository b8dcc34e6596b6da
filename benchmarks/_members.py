"""The lobby that ``benchmarks.lobby`` measures: leader and speaker with real cores, of the others what they send."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from benchmarks._ends import Realm
from conclave.chat import events as ev
from conclave.chat.deeds import Replay, Resend, Send
from conclave.chat.desk import Settings, restore
from conclave.chat.groups import DEPUTIES
from conclave.crypto.suite import HYBRID
from conclave.link.framing import FrameCutter
from conclave.mls import group as mls
from conclave.node.sendings import Bunch, bunched, frames_of
from conclave.node.turn import decide
from conclave.pki.profile import Profile
from conclave.store.peer import PeerDatabase
from conclave.wire.delivery import Ack, Post
from conclave.wire.frames import Frame, decode_frame, encode_frame
from conclave.wire.limits import FRAME_BYTES
from conclave.wire.order import Have, Ordered
from conclave.wire.posts import Answer, Choice, pack_parcel

GROUP = bytes(range(16))
LABEL = "#ops"
DAY = 86_400
TEXT = "some ordinary words in a row, two hundred bytes in all; " * 3 + "and the last of them go here now"
WINDOW = 256


class Member:
    """A real core over a real store; what it sends is handed out as bytes."""

    def __init__(self, realm: Realm, handle: str, database: Path) -> None:
        self.handle = handle
        self.store = PeerDatabase(database, os.urandom(32))
        own, judges = realm.own(handle), realm.judges()
        quiet = Settings(receipt_after=DAY, update_spread=DAY)  # what is measured is words, and nothing in between
        self.desk = restore(handle, (), self.store.posts, quiet, own, judges)

    def turn(self, events: Iterable[ev.Event]) -> list[tuple[str, bytes]]:
        """One turn as the pump makes it: decide, commit, encode what is to be sent, what goes to many once."""
        turn, answers = decide(self.desk, events, time.time(), os.urandom)
        if failed := [error for error in answers if error is not None]:
            raise failed[0]
        self.store.commit(turn.records)
        self.desk = turn.desk
        sent: list[tuple[str, bytes]] = []
        for deed in bunched(turn.deeds):
            match deed:
                case Send(peer, frame):
                    sent.append((peer, encode_frame(frame)))
                case Bunch(peers):
                    sent += [(peer, deed.frames) for peer in peers]
                case Resend() | Replay():
                    sent += [(deed.peer, data) for data in frames_of(self.store, deed)]
        return sent

    def say(self, count: int) -> list[ev.Event]:
        """Say something so often in the lobby: what arrives at the leader."""
        return arrived(self.handle, self.turn(ev.Say(LABEL, os.urandom(16), TEXT) for _ in range(count)))


class Table:
    """One lobby: ``leader`` and ``speaker``, and ``others`` by their handles alone."""

    def __init__(self, realm: Realm, folder: Path, others: int) -> None:
        self.leader, self.speaker = (Member(realm, who, folder / f"{who}.db") for who in ("burak", "ayse"))
        self.packages = {f"m{number:03}": key_package(realm, f"m{number:03}") for number in range(others)}
        self.handles = ("ayse", *self.packages)
        self.delivered = 0  # entries that ``heard`` saw arrive

    def open(self) -> float:
        """Ask everybody in; all accept at once. Gives the leader's CPU seconds from then until all are in."""
        self.leader.turn(ev.Linked(handle, WINDOW) for handle in self.handles)
        self.speaker.turn([ev.Linked("burak", WINDOW)])
        asked = self.leader.turn([ev.OpenLobby(LABEL[1:], GROUP, self.handles)])
        self.settle(asked)
        answers = arrived("ayse", self.speaker.turn([ev.AnswerRequest("burak", accept=True, lobby=LABEL)]))
        invites = {handle: one for handle, data in asked for one in read(data) if isinstance(one, Post)}
        for handle, package in self.packages.items():
            answers.append(ev.Arrived(handle, Ack(invites[handle].stream, invites[handle].number)))
            kind, body = pack_parcel(Answer(GROUP, Choice.ACCEPT, package))
            answers.append(ev.Arrived(handle, Post(os.urandom(8), 1, 1, kind, body)))
        start = time.process_time()
        welcomed = self.leader.turn(answers)
        seconds = time.process_time() - start
        self.settle(welcomed)
        return seconds

    def settle(self, frames: list[tuple[str, bytes]]) -> None:
        """Let leader and speaker go on until they have no more to say to each other."""
        while answers := arrived("ayse", self.speaker.turn(arrived("burak", frames, "ayse"))):
            frames = self.leader.turn(answers)

    def heard(self, frames: list[tuple[str, bytes]]) -> list[ev.Event]:
        """What the leader hears once everybody has these frames of it: all tell how far they are when one would."""
        answers = arrived("ayse", self.speaker.turn(arrived("burak", frames, "ayse")))
        order = self.leader.desk.lobbies.get(GROUP)
        assert order is not None
        assert order.order is not None
        got = Counter(handle for handle, data in frames for one in read(data) if isinstance(one, Ordered))
        self.delivered += got.total()
        if any(isinstance(one, ev.Arrived) and isinstance(one.frame, Have) for one in answers):
            answers += [ev.Arrived(handle, Have(GROUP, order.order.seq)) for handle in self.packages if got[handle]]
        return answers

    def close(self) -> None:
        for member in (self.leader, self.speaker):
            member.store.close()


def key_package(realm: Realm, handle: str) -> bytes:
    """What somebody accepts an invitation with."""
    assert realm.enrol is not None
    held = realm.enrol(handle, Profile.IM)
    now = int(time.time())
    credential = mls.Credential.x509((held.certificate.der,))
    lifetime = (now - 3600, now + 20 * DAY)
    own = mls.OwnKeyPackage.create(HYBRID, credential, held.key.raw(), lifetime, os.urandom, extensions=(DEPUTIES,))
    return mls.write_key_package(own.package)


def arrived(sender: str, frames: Iterable[tuple[str, bytes]], to: str = "burak") -> list[ev.Event]:
    """What of some frames arrives at ``to``."""
    return [ev.Arrived(sender, frame) for peer, data in frames if peer == to for frame in read(data)]


@lru_cache(1)  # the same goes to many
def read(data: bytes) -> list[Frame]:
    """Frames as they go over a link."""
    return [decode_frame(kind, body) for kind, body in FrameCutter(FRAME_BYTES).cut(data)]
