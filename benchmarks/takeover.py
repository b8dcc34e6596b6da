"""A leader's process is killed: how long it takes until words are shown again, under another leader.

Four nodes as people start them, on this machine; the leader is killed (SIGKILL) at a moment at random between two of
its heads. At once somebody says something; measured is until it is shown to another member. There is no floor: a
member waits for a silent leader (``lobby.succession.Patience``: 10 seconds since it was last heard) so that a link
that stutters costs nobody the leader, and the next one collects for 1.5 seconds.
"""

from __future__ import annotations

import random  # noqa: TID251 - a moment at random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import combinations
from pathlib import Path

from benchmarks.rows import Row
from conclave.node.door.client import NodeClient
from tests.node.homes import Process, make_home

NAME = "takeover"
LEADER, *OTHERS = PEOPLE = ("ayse", "burak", "cem", "deniz")
ROUNDS = 7
BEAT = 3.0
PATIENCE = 60.0


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def asked(node: NodeClient) -> bool:
    return "#ops" in str(node.call("requests"))


def all_in(node: NodeClient) -> bool:
    return len(node.call("lobby.who", lobby="#ops")["members"]) == len(PEOPLE)


def once(folder: Path) -> float:
    """Seconds from the kill until what was said at once is shown."""
    with ExitStack() as stack:
        for name in PEOPLE:
            make_home(folder / name, name)
        processes = {name: Process(folder / name) for name in PEOPLE}
        for one in processes.values():
            stack.callback(one.end)
        nodes = {name: stack.enter_context(NodeClient(folder / name)) for name in PEOPLE}
        for name, other in combinations(PEOPLE, 2):  # so that each knows where the other is
            nodes[name].call("say", to=f"@{other}", text="hello", at=processes[other].address, wait=False)
        nodes[LEADER].call("lobby.open", name="ops", invited=OTHERS)
        for name in OTHERS:
            until(partial(asked, nodes[name]))
            nodes[name].call("answer", peer=LEADER, accept=True, lobby="#ops")
        for name in OTHERS:
            until(partial(all_in, nodes[name]))
        *_, speaker, listener = OTHERS
        nodes[speaker].call("say", to="#ops", text="before", wait=True, timeout=30, patience=PATIENCE)
        ears = stack.enter_context(NodeClient(folder / listener))
        ears.call("follow")
        time.sleep(BEAT * random.random())
        processes[LEADER].popen.kill()
        killed = time.monotonic()
        nodes[speaker].call("say", to="#ops", text="after", wait=False)
        for notice in ears.notices(PATIENCE):
            if notice["notice"] == "line-added" and notice["line"]["text"] == "after":
                return time.monotonic() - killed
    raise TimeoutError("nobody took the lead")


def run(*, quick: bool = False) -> list[Row]:
    times = []
    for _ in range(1 if quick else ROUNDS):
        with tempfile.TemporaryDirectory(prefix="conclave-") as name:
            times.append(once(Path(name)))
    middle = statistics.median(times)
    return [
        Row("a leader is killed: until the next words are shown, median", middle, "s", better="less"),
        Row("  the slowest", max(times), "s", better="less"),
    ]
