"""Somebody who lies: what leaves its device is bent, left out, said twice, or made up.

Which frames it lies in, and how often, is the seed's. Every lie is a frame that can be read: others end a link.
"""

from __future__ import annotations

import random  # noqa: TID251 - a world is made of seeded chance
from collections.abc import Iterable, Sequence

from conclave.errors import DecodeError, LocalError
from conclave.lobby.order import Order
from conclave.values import replace
from conclave.wire import order as f
from conclave.wire.delivery import Ack, Post
from conclave.wire.frames import Frame, encode_frame
from conclave.wire.limits import HASH_BYTES, ID_BYTES
from conclave.wire.posts import Answer, Choice, Invite, Welcome, open_post, pack_parcel
from tests.world.network import decode

KINDS: tuple[type[Frame], ...] = (
    f.Head, f.Have, f.Fetch, f.Submit, f.Refused, f.AskInfo, f.Info, f.Recall, f.Originals, f.Boxes, f.Ordered, Post,
    Ack,
)  # fmt: skip
HEARD_MOST = 500


class Liar:
    """Member ``name``, among ``people``."""

    def __init__(self, name: str, people: Sequence[str], draw: random.Random) -> None:
        self.name = name
        self.rate = draw.choice((0.02, 0.1, 0.3))
        self._people = list(people)
        self._draw = draw
        self._kinds = tuple(draw.sample(KINDS, draw.randint(1, len(KINDS))))
        self._heard: list[Frame] = []

    def hears(self, frame: Frame) -> None:
        """What it may say again elsewhere."""
        if not isinstance(frame, Post | Ack) and len(self._heard) < HEARD_MOST:
            self._heard.append(frame)

    def says(self, frame: Frame, orders: Iterable[Order]) -> list[Frame]:
        """What it sends in place of ``frame``; ``orders`` are those of its lobbies, of which it makes things up."""
        draw = self._draw
        if not isinstance(frame, self._kinds) or draw.random() >= self.rate:
            return [frame]
        how = draw.random()
        if how < 0.15:
            return []
        if how < 0.25 and self._heard:
            return [frame, draw.choice(self._heard)]
        if how < 0.35:
            return [frame, *filter(_can_be_read, (self._made_up(order) for order in orders))]
        bent = self._bent(frame)
        return [*([bent] if _can_be_read(bent) else []), *([frame] if draw.random() < 0.3 else [])]

    def _made_up(self, order: Order) -> Frame:
        draw, group, seq = self._draw, order.group, order.seq
        next_run = f.Run(order.run.term + draw.choice((1, 1, 40)), 0, self.name, seq + 1, seq + draw.randint(1, 4))
        return draw.choice(
            (
                f.Head(group, next_run.last, draw.randbytes(HASH_BYTES), (next_run, *order.runs)),
                f.Ordered(
                    group, next_run.term, seq + 1, order.hash, draw.choice(self._people), 1, 0, f.EntryKind.TERM,
                    draw.randbytes(40),
                ),
                f.Recall(group, 0, seq + 1),
                f.AskInfo(group),
                f.Refused(group, draw.randint(0, 5), draw.randint(0, 20), draw.choice(list(f.Refusal))),
                f.Originals(group, draw.randint(0, seq), draw.randint(0, seq + 2), (), whole=True),
                f.Have(group, seq + draw.randint(1, 5)),
                f.Fetch(group, 1, 64),
            )
        )  # fmt: skip

    def _number(self, true: int) -> int:
        draw = self._draw
        return max(0, draw.choice((true - 1, true + 1, true + draw.randint(-5, 5), 0, 1, true + 1000)))

    def _maybe(self, true: int) -> int:
        return draw if (draw := self._number(true)) % 2 else true

    def _runs(self, runs: tuple[f.Run, ...]) -> tuple[f.Run, ...]:
        """Terms that follow one another, of an order that is another one."""
        draw, newest = self._draw, runs[0]
        someone = draw.choice((newest.leader, self.name, draw.choice(self._people)))
        match draw.randrange(5):
            case 0:
                term = newest.term + draw.choice((1, 2, 50, 700))  # one alone, or who comes in, would believe more
                return (replace(newest, term=term, leader=someone, rank=draw.choice((0, newest.rank))), *runs[1:])
            case 1:
                return (replace(newest, last=max(newest.first - 1, self._number(newest.last))), *runs[1:])
            case 2:
                return runs[: draw.randint(1, len(runs))]
            case 3:
                at = draw.randint(newest.first, newest.last) if newest.first <= newest.last else newest.first
                cut = replace(newest, last=at - 1)
                return (f.Run(newest.term + 1, 0, someone, at, newest.last), cut, *runs[1:])
            case _:
                return (f.Run(newest.term + 1, 0, someone, newest.last + 1, newest.last + 1), *runs)

    def _bent(self, frame: Frame) -> Frame:
        draw = self._draw
        match frame:
            case f.Head() | f.Info():
                if draw.random() < 0.2:
                    return replace(frame, hash=draw.randbytes(HASH_BYTES))
                runs = self._runs(frame.runs)
                return replace(frame, runs=runs, seq=runs[0].last)
            case f.Have():
                return replace(frame, seq=self._number(frame.seq))
            case f.Fetch():
                return replace(frame, first=self._number(frame.first), count=draw.randint(0, 100))
            case f.Submit():
                kind, payload = draw.choice(list(f.EntryKind)), draw.choice((frame.payload, draw.randbytes(40)))
                number, base, epoch = (self._maybe(one) for one in (frame.number, frame.base, frame.epoch))
                return replace(frame, number=number, base=base, epoch=epoch, kind=kind, payload=payload)
            case f.Refused():
                number, epoch = self._maybe(frame.number), self._maybe(frame.epoch)
                return replace(frame, reason=draw.choice(list(f.Refusal)), number=number, epoch=epoch)
            case f.Recall():
                return replace(frame, after=self._number(frame.after), before=self._number(frame.before))
            case f.Originals():
                return self._answer(frame)
            case f.Boxes():
                items = tuple((who, self._number(one), self._number(other)) for who, one, other in frame.items)
                return replace(frame, items=items)
            case f.Ordered():
                return self._entry(frame)
            case Ack():
                declined = draw.choice((frame.declined, (frame.number,), (frame.number, frame.number)))
                return replace(frame, number=self._number(frame.number), declined=declined)
            case Post():
                return self._post(frame)
        return frame

    def _answer(self, frame: f.Originals) -> Frame:
        draw = self._draw
        match draw.randrange(4):
            case 0:
                return replace(frame, items=frame.items[: len(frame.items) // 2])
            case 1:
                return replace(frame, whole=not frame.whole)
            case 2:
                return replace(frame, after=self._number(frame.after), before=self._number(frame.before))
            case _:
                return replace(frame, items=tuple((self._number(seq), data) for seq, data in frame.items))

    def _entry(self, frame: f.Ordered) -> Frame:
        draw = self._draw
        match draw.randrange(6):
            case 0:
                return replace(frame, payload=draw.randbytes(50))
            case 1:
                return replace(frame, sender=draw.choice(self._people))
            case 2:
                return replace(frame, number=self._number(frame.number))
            case 3:
                return replace(frame, seq=self._number(frame.seq))
            case 4:
                return replace(frame, kind=draw.choice(list(f.EntryKind)), epoch=self._number(frame.epoch))
            case _:
                return replace(frame, term=self._number(frame.term))

    def _post(self, frame: Post) -> Frame:
        draw, parcel = self._draw, open_post(frame)
        match parcel:
            case Welcome() if draw.random() < 0.3:
                parcel = replace(parcel, hash=draw.randbytes(HASH_BYTES))
            case Welcome():
                runs = self._runs(parcel.runs)
                parcel = replace(parcel, runs=runs, seq=runs[0].last)
            case Invite():
                roster = tuple(draw.sample(self._people, draw.randint(0, len(self._people))))
                parcel = replace(parcel, roster=roster, group=draw.choice((parcel.group, draw.randbytes(ID_BYTES))))
            case Answer():
                parcel = replace(parcel, choice=draw.choice(list(Choice)))
        kind, body = pack_parcel(parcel)
        return replace(frame, kind=kind, body=body)


def _can_be_read(frame: Frame) -> bool:
    try:
        decode(encode_frame(frame))
    except (LocalError, DecodeError):
        return False
    return True
