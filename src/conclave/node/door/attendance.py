"""Who is in a lobby, who is there, and who has what of it: member by member, and in one sentence.

Left out: receipts themselves (``chat.lobbies.receipts``), and how far one line has come (``node.door.progress``).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from conclave.chat.lobby_state import Mark
from conclave.chat.views import LobbyView
from conclave.chat.words.line import Status
from conclave.node.door.known import Known
from conclave.node.door.progress import Progress, has
from conclave.values import replace


def member(known: Known, view: LobbyView, handle: str) -> dict[str, Any]:
    """One member, or somebody who was asked in, as fronts get it."""
    linked = handle in known.peers.linked()
    state = "invited" if handle in view.invited else "online" if known.here(handle) else "away"
    role = "leader" if handle == view.leader else "deputy" if handle in view.deputies else "member"
    shown = {"handle": handle, "role": role, "state": state, "linked": linked, "me": handle == known.me}
    if state == "invited":
        return shown
    mark = view.marks.get(handle, Mark())
    mark = replace(mark, has=max(mark.has, view.entered.get(handle, 0)))  # who came in lacks nothing from before
    shown |= {
        "has": mark.has,
        "heard": view.inside and mark.has > 0,
        "read": mark.read,
        "missing": [list(one) for one in mark.missing],
        "has_all": view.inside and (not view.words or (has(mark, view.words) and not mark.missing)),
        "away_since": known.away_since(handle),
    }
    return shown


def standing(view: LobbyView, members: Sequence[dict[str, Any]]) -> str:
    """Who has the last thing that was said, in words; or that we are not in, and cannot know."""
    if not view.inside:
        return "you are not in any more" if view.stage == "ended" else "you are not in yet"
    return in_words(view.words, members)


def in_words(words: int, members: Sequence[dict[str, Any]], now: float | None = None) -> str:
    """``7 of 9 have it; cem is away since 14:02; deniz is missing 38 to 41``: of the last thing that was said.

    ``words`` is its entry.
    """
    inside = [one for one in members if one["state"] != "invited"]
    if len(inside) == 1:
        return "nobody else is in"
    have = sum(bool(one["has_all"]) for one in inside)
    parts = ["everybody has everything" if have == len(inside) else f"{have} of {len(inside)} have it"]
    for one in inside:
        parts += _wanting(one, words, now)
    return "; ".join(parts)


def of_line(how: Progress, seq: int, members: Collection[dict[str, Any]], now: float | None = None) -> str:
    """The same of one line of ours at entry ``seq``, and who has read it."""
    if not seq or not how.members or how.status in (Status.WAITING, Status.MAILED, Status.FAILED):
        return how.words
    parts = ["everybody has it" if how.have == how.of else f"{how.have} of {how.of} have it"]
    for one in members:
        if how.members.get(one["handle"]) in (Status.SENT.value, Status.MAILED.value):
            parts += _wanting(one | {"has_all": False}, seq, now)
    boxes = [handle for handle, state in how.members.items() if state == Status.MAILED.value]
    if boxes:
        parts.append(f"in the mailbox of {', '.join(boxes)}")
    readers = [handle for handle, state in how.members.items() if state == Status.READ.value]
    if readers:
        every = len(readers) == len(how.members) > 1
        parts.append("read by everybody" if every else f"read by {', '.join(readers)}")
    return "; ".join(parts)


def _wanting(one: dict[str, Any], words: int, now: float | None) -> list[str]:
    parts = []
    if one["state"] == "away":
        since = one["away_since"]
        parts.append(f"{one['handle']} is away" + (f" since {_clock(since, now)}" if since else ""))
    ranges = [f"{first} to {last}" if first != last else f"{first}" for first, last in one["missing"]]
    if ranges:
        parts.append(f"{one['handle']} is missing {', '.join(ranges)}")
    elif not one["has_all"] and one["state"] != "away" and not one["heard"]:
        parts.append(f"nothing heard from {one['handle']} yet")
    elif not one["has_all"] and one["state"] != "away":
        parts.append(f"{one['handle']} has all up to {one['has']} of {words}")
    return parts


def _clock(moment: float, now: float | None) -> str:
    when = datetime.fromtimestamp(moment).astimezone()
    today = datetime.fromtimestamp(time.time() if now is None else now).astimezone().date()
    return f"{when:%H:%M}" if when.date() == today else f"{when:%d.%m. %H:%M}"
