"""A member comes back after 10,000 messages: how fast it has them all, opened, checked and on disk.

Leader and member are real cores over real MLS with a SQLCipher database each, in one process and without a network:
what is measured is the member and its leader together, in seconds of one processor. The floor: what MLS cannot do
without to open as many messages, by the bare library.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks._ends import Realm
from benchmarks._members import LABEL, TEXT, WINDOW, Table, arrived
from benchmarks._mls_floor import floor
from benchmarks.rows import Row
from conclave.chat import events as ev
from conclave.crypto.suite import HYBRID

NAME = "catchup"
COUNT = 10_000
TURN = 500


def run(*, quick: bool = False) -> list[Row]:
    count = COUNT // 10 if quick else COUNT
    with tempfile.TemporaryDirectory(prefix="conclave-") as name:
        table = Table(Realm.make(), Path(name), 0)
        table.open()
        leader, member = table.leader, table.speaker
        leader.turn([ev.Unlinked("ayse")])
        member.turn([ev.Unlinked("burak")])
        for _ in range(count // TURN):
            leader.turn(ev.Say(LABEL, os.urandom(16), TEXT) for _ in range(TURN))
        start = time.process_time()
        came = arrived("ayse", member.turn([ev.Linked("burak", WINDOW)]))
        table.settle(leader.turn([ev.Linked("ayse", WINDOW), *came]))
        seconds = time.process_time() - start
        [conversation] = member.store.conversations()
        assert conversation.count >= count, f"{conversation.count} of {count}"
        table.close()
    bare = floor(HYBRID, 1_000).receive
    return [Row(f"catching up after {count:,} messages", count / seconds, "per CPU s", 1 / bare)]
