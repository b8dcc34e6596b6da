"""A desk comes back from its store as it was, and without having all of an outbox in memory."""

from __future__ import annotations

from conclave.chat import events as ev
from conclave.chat.desk import RESTORED_POSTS, restore
from tests.chat.desks import Table

LINES = 3 * RESTORED_POSTS + 5


def test_an_outbox_is_read_in_slices_and_nothing_of_it_is_missed() -> None:
    table = Table("ayse", "burak")
    table.link("ayse", "burak")
    table.lobby("burak", "ayse")
    table.cut("ayse", "burak")
    for number in range(LINES):
        table.say("ayse", "#ops" if number % 3 else "@burak", str(number))
    table.put("ayse", ev.LeaveLobby("ops"))  # a post that carries no line
    store, slices = table.stores["ayse"], list[int]()

    def posts(peer: str, first: int, count: int) -> list[tuple[int, int, bytes]]:
        found = store.posts(peer, first, count)
        slices.append(len(found))
        return found

    before = table.desks["ayse"].peers.get("burak")
    after = restore("ayse", store.states(), posts).peers.get("burak")
    assert before is not None
    assert after is not None
    assert slices == [RESTORED_POSTS] * 3 + [LINES + 1 - 3 * RESTORED_POSTS]
    assert list(after.out.lines) == list(before.out.lines)
    assert len(after.out.lines) == LINES
