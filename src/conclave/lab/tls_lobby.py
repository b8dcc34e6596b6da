"""Lessons on a lobby of the default suite: mallory leads it, that is, he orders what others say, and lies.

Two things stand against him: the order is a hash chain (``lobby``), and the words are sealed and signed end to end
(MLS, RFC 9420). Left out: what a node makes of both (``chat``), and how it tells people.
"""

from __future__ import annotations

from conclave.errors import ConclaveError
from conclave.lab.circle import Circle
from conclave.lab.fields import cut_spans, flip, paint
from conclave.lab.lesson import Lesson
from conclave.lab.scene import Scene
from conclave.lab.story import Attempt, Field, LinkKind
from conclave.lobby import order as orders
from conclave.lobby.order import Order
from conclave.mls import group
from conclave.values import replace
from conclave.wire.order import EntryKind, Ordered

ENGINE = "Shown with the two parts that every lobby stands on: its order (a hash chain) and MLS."
GROUP = b"the lobby of ops"
CREW = ("ayse", "burak", "cem")


class Follower:
    """A member as a victim: takes entries, opens what they carry, and shows it."""

    def __init__(self, name: str, circle: Circle, without: frozenset[str]) -> None:
        self.name = name
        self.circle = circle
        self.without = without
        self.order = orders.begin(GROUP, "mallory")
        self.shown: list[tuple[str, str]] = []
        """Who said what, as the person sees it."""
        self.trouble = ""

    def take(self, entry: Ordered) -> None:
        """An entry from the leader."""
        try:
            if "chain" in self.without:
                self.order = replace(self.order, seq=entry.seq)
            elif entry.seq > self.order.seq + 1:
                self.trouble = f"entry {self.order.seq + 1} is missing: nothing is shown until it is fetched"
                return
            else:
                self.order, _ = orders.take(self.order, entry)
            opened = self.circle.read(self.name, entry.payload)
            if opened.identity.decode() != entry.sender:
                self.trouble = f"the words are signed by {opened.identity.decode()}, not by {entry.sender}"
                return
            self.shown.append((entry.sender, opened.data.decode()))
        except ConclaveError as error:
            self.trouble = str(error)

    def hear(self, seq: int, digest: bytes) -> None:
        """Where another member stood when speaking: the hash of its last entry, under its signature."""
        if "chain" not in self.without and orders.contradicts(self.order, self.order.run, seq, digest):
            self.trouble = f"entry {seq} is another one for others: mallory shows two different orders"

    @property
    def account(self) -> str:
        """What the person sees."""
        lines = ", ".join(f"“{text}” by {who}" for who, text in self.shown) or "nothing"
        return f"was shown {lines}" + (f"; was told: {self.trouble}" if self.trouble else "")


def entry_fields(entry: Ordered, *changed: str) -> tuple[Field, ...]:
    """An entry's parts."""
    number, sender = entry.seq.to_bytes(8), entry.sender.encode()
    parts = {"seq": number, "previous": entry.previous, "sender": sender, "sealed": entry.payload}
    return tuple(Field(name, data, name in changed) for name, data in parts.items())


def _order(order: Order, sender: str, payload: bytes) -> tuple[Order, Ordered]:
    number = (order.numbers.get(sender) or 0) + 1
    after, entry, _ = orders.write(order, sender, number, 1, EntryKind.MESSAGE, payload)
    return after, entry


def _ends(attempt: Attempt, *victims: Follower, said: list[tuple[str, str]], stopped: str) -> None:
    """Fooled is who was shown what nobody said, or has less than was said and knows of nothing."""
    for victim in victims:
        attempt.saw(victim.name, victim.account)
    wrong = [v for v in victims if v.shown != said[: len(v.shown)] or (len(v.shown) < len(said) and not v.trouble)]
    attempt.ends(succeeded=bool(wrong), stopped=stopped)


async def liar(scene: Scene) -> None:
    """The leader forges, alters, repeats, withholds, and shows two orders."""
    circle = Circle(scene.realm, ("mallory", *CREW))
    start = orders.begin(GROUP, "mallory")

    def victims(*names: str) -> list[Follower]:
        return [Follower(name, circle, scene.without) for name in names]

    with scene.story.attempt("words in ayse's name") as attempt:
        (burak,) = victims("burak")
        _, entry = _order(start, "ayse", circle.say("mallory", "pay mallory 10"))
        attempt.did("seals words of his own and orders them as ayse's", entry_fields(entry, "sender", "sealed"))
        burak.take(entry)
        _ends(attempt, burak, said=[], stopped="words carry the signature of who said them: not the leader's to give")

    with scene.story.attempt("ayse's words, changed") as attempt:
        (burak,) = victims("burak")
        sealed = circle.say("ayse", "pay cem 10")
        _, entry = _order(start, "ayse", flip(sealed, len(sealed) - 20))
        attempt.did("turns one bit of what ayse sealed before he orders it", entry_fields(entry, "sealed"))
        burak.take(entry)
        _ends(attempt, burak, said=[("ayse", "pay cem 10")], stopped="AES-GCM, with a key that ayse uses once")

    with scene.story.attempt("ayse's words twice") as attempt:
        (burak,) = victims("burak")
        leading, first = _order(start, "ayse", circle.say("ayse", "pay cem 10"))
        _, second = _order(leading, "ayse", first.payload)
        attempt.did(
            "orders the same sealed words a second time, as a new entry", entry_fields(second, "seq", "previous")
        )
        burak.take(first)
        burak.take(second)
        said = [("ayse", "pay cem 10")]
        _ends(attempt, burak, said=said, stopped="a message's key is used once and erased: it does not open again")

    with scene.story.attempt("an entry is withheld from cem") as attempt:
        burak, cem = victims("burak", "cem")
        said = [("ayse", "do not pay"), ("ayse", "wait")]
        leading, first = _order(start, "ayse", circle.say("ayse", said[0][1]))
        _, second = _order(leading, "ayse", circle.say("ayse", said[1][1]))
        for entry in (first, second):
            burak.take(entry)
        attempt.did("shows cem only the second of two entries", entry_fields(second))
        cem.take(second)
        attempt.saw("cem", cem.account)
        attempt.did("then the same as entry 1", entry_fields(replace(second, seq=1), "seq"))
        cem.take(replace(second, seq=1))
        _ends(
            attempt,
            burak,
            cem,
            said=said,
            stopped="each entry names the hash of the one before: a gap cannot be closed",
        )

    with scene.story.attempt("two orders: burak and cem are shown different lines") as attempt:
        burak, cem = victims("burak", "cem")
        yes, no = circle.say("ayse", "yes"), circle.say("ayse", "no")
        left, first = _order(start, "ayse", yes)
        right, other = _order(start, "ayse", no)
        burak.take(first)
        cem.take(other)
        attempt.did("gives burak one entry 1", entry_fields(first))
        attempt.did("and cem another", entry_fields(other))
        attempt.aside("burak speaks, and names under his signature the last entry that he has")
        sealed = circle.say("burak", "agreed", left.hash)
        _, third = _order(right, "burak", sealed)
        seen = circle.read("cem", sealed).authenticated_data
        cem.hear(1, seen)
        attempt.saw("burak", burak.account)
        attempt.saw(
            "cem", f"{cem.account} (entry {third.seq} names {seen[:6].hex()}…, cem has {right.hash[:6].hex()}…)"
        )
        attempt.ends(
            succeeded=not cem.trouble,
            stopped="who has one hash has one history: a leader with two is caught by the first word between them",
        )


async def leader(scene: Scene) -> None:
    """What the one who carries everything can read."""
    text = "the code is 1234"
    circle = Circle(scene.realm, CREW)
    with scene.story.attempt("mallory orders the lobby, and is not in it") as attempt:
        sealed = circle.say("ayse", text)
        envelope = group.read_envelope(sealed)
        own = Circle(scene.realm, ("mallory", "dora"))
        _try(
            attempt, own, sealed, text,
            f"orders {len(sealed):,} bytes, and sees the group's name ({envelope.group_id.decode()}), the epoch "
            f"({envelope.epoch}) and the kind ({envelope.kind.name.lower()})",
            "the keys come from the group's ratchet tree, in which mallory has no leaf",
            own.states["mallory"],
        )  # fmt: skip
        attempt.saw("burak", f"read “{circle.read('burak', sealed).data.decode()}”, signed by ayse")

    circle = Circle(scene.realm, ("mallory", *CREW))
    with scene.story.attempt("mallory led and was in it, and was put out") as attempt:
        old = circle.remove("ayse", "mallory")
        sealed = circle.say("ayse", text)
        _try(
            attempt, circle, sealed, text,
            "keeps every key that he had as a member, and the new words pass through his hands",
            "the commit that removed him made new secrets, sealed to everybody but him: post-compromise security",
            old,
        )  # fmt: skip
        attempt.saw("burak", f"read “{circle.read('burak', sealed).data.decode()}”, signed by ayse")
    scene.story.attempts[-1].aside(
        "a leader who is a member reads what members read; he is one of them, and is listed so"
    )


def _try(
    attempt: Attempt, circle: Circle, sealed: bytes, text: str, did: str, stopped: str, state: group.State
) -> None:
    """Mallory opens a message with a state that he has, as it is and as one of that state's own epoch."""
    epoch = 5 + sealed[4]
    spans = cut_spans(("version", 2), ("wire_format", 2), ("group_id", epoch - 4), ("epoch", 8), ("type", 1))
    attempt.did(did, paint(sealed, [*spans, *cut_spans(("sealed", len(sealed) - epoch - 9), at=epoch + 9)]))
    read = False
    for what, number in (("as it is", sealed[epoch : epoch + 8]), ("with his epoch written in", _epoch(state))):
        try:
            opened = circle.read("mallory", sealed[:epoch] + number + sealed[epoch + 8 :], state)
        except ConclaveError as error:
            attempt.saw("mallory", f"{what}: {error}")
        else:
            read = True
            attempt.saw("mallory", f"{what}: read “{opened.data.decode()}”")
    attempt.ends(succeeded=read or text.encode() in sealed, stopped=stopped)


def _epoch(state: group.State) -> bytes:
    return state.epoch.context.epoch.to_bytes(8)


LESSONS = (
    Lesson(
        "liar", "The lobby's leader lies", LinkKind.TLS,
        "Somebody must put a group's messages in order, and he holds them all. He must not be able to speak for "
        "others, to change, repeat or withhold unnoticed, or to tell two people two stories. " + ENGINE,
        liar,
    ),
    Lesson(
        "leader", "What the leader can read", LinkKind.TLS,
        "Hop by hop encryption protects from the network and not from those who carry. Words need it end to end. "
        + ENGINE,
        leader,
    ),
)  # fmt: skip
