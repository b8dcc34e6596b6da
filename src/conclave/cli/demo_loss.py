"""The demo's losses: the leader's machine dies in mid-conversation, and a lobby is cut in two and healed."""

from __future__ import annotations

import time
from collections import Counter

from conclave.cli.demo_lobby import agree
from conclave.cli.demo_people import PEERS
from conclave.cli.narrator import Narrator
from conclave.cli.stage import DidNotHappen, Stage
from conclave.node.paths import database_path, vault_path
from conclave.store import vault
from conclave.store.peer import PeerDatabase

TAKEOVER_SECONDS = 15.0
"""So long after its leader died a lobby goes on at the latest."""
THAW_SECONDS = 1.0
"""So much earlier its leader is there again than the others of a half, who else might take it for lost."""
ENTRIES_MOST = 10_000
"""Entries of the order that are looked at."""


def leader(stage: Stage, tell: Narrator) -> None:
    """Words are on their way when the leader dies; they arrive, once, and it catches up when it is back."""
    tell.step("The leader's machine dies in mid-conversation")
    rest = ("burak", "cem", "deniz")
    stage.say("cem", "#ops", "pressure is falling")
    tell.does("ayse, who leads, loses her power (SIGKILL), while three people talk")
    stage.kill("ayse")
    died = time.monotonic()
    spoken = {"burak": "I am going up", "cem": "take the spare pump", "deniz": "on my way too"}
    stage.each(rest, lambda name: stage.say(name, "#ops", spoken[name]))
    for name in rest:
        tell.typed(name, f'say #ops "{spoken[name]}"')
    expected = {*spoken.values(), "pressure is falling"}
    stage.wait("a new leader, and every word with everybody", lambda: _have(stage, rest, expected))
    took = time.monotonic() - died
    if took > TAKEOVER_SECONDS:
        raise DidNotHappen(f"the lobby went on within {TAKEOVER_SECONDS:.0f} s: it took {took:.1f}")
    tell.seen(f"{took:.1f} s after: {stage.lobby('cem')['leader']} leads; all three have every word, in one order")
    tell.does("somebody takes ayse's disk, and her passphrase, to see what her device passed on as the leader")
    tell.seen(_relayed(stage, sorted(expected)))
    tell.typed("ayse", "up")
    stage.up("ayse")
    stage.wait("ayse has caught up", lambda: _have(stage, PEERS, expected))
    tell.seen("ayse is back, follows, and has what she missed: nothing lost, nothing twice")
    tell.means("Whoever comes next in the group's own order takes the next term. Nobody did anything by hand.")


def _have(stage: Stage, names: tuple[str, ...], expected: set[str], *, healed: bool = False) -> bool:
    """Whether everybody has all of ``expected``, in one order. Raises ``DidNotHappen`` where something is twice."""
    for name in names:
        texts = Counter(text for _, _, text in stage.spoken(name))
        twice = [text for text, count in texts.items() if count > 1]
        if twice:
            raise DidNotHappen(f"{name} has twice: {twice}")
        if not expected <= texts.keys():
            return False
    return agree(stage, names, healed=healed)


def _relayed(stage: Stage, words: list[str]) -> str:
    content = vault.unlock(vault_path(stage.root / "ayse"), stage.passphrase).content
    store = PeerDatabase(database_path(stage.root / "ayse"), content.database_key)
    try:
        entries = [one for group in store.heads() for one in store.entries(group, 1, ENTRIES_MOST)]
    finally:
        store.close()
    said = [text.encode() for text in [*words, *stage.said]]
    if not entries or any(text in entry for entry in entries for text in said):
        raise DidNotHappen("the leader's order holds words in the clear")
    size = sum(map(len, entries))
    return f"{len(entries)} entries of the order, {size} bytes: numbers, names, sizes, and sealed words: none to read"


def halves(stage: Stage, tell: Narrator) -> None:
    """Each half speaks while the other is out of reach; then they meet."""
    tell.step("The lobby is cut in two, and healed")
    first = stage.lobby("ayse")["leader"]
    here = (first, next(name for name in PEERS if name != first))
    there = tuple(name for name in PEERS if name not in here)
    tell.does(f"{' and '.join(here)} are out of reach (their processes are frozen); {first} leads")
    stage.freeze(*here)
    stage.wait("the others have a leader of their own", lambda: stage.lobby(there[0])["leader"] in there)
    words = _talk(stage, tell, there, "the second half")
    tell.typed(there[0], "roll ops --seconds 2")
    rows = stage.run(there[0], "roll", "ops", "--seconds", "2", ok=(1,)).rows
    absent = {row["handle"] for row in rows if not row["present"]}
    if absent != set(here):
        raise DidNotHappen(f"the roll: {rows}")
    tell.seen("the roll: " + ", ".join(f"{r['handle']} {'here' if r['present'] else 'no answer'}" for r in rows))
    tell.does(f"now {' and '.join(there)} are out of reach, and the first two are there again")
    stage.freeze(*there)
    stage.thaw(first)
    time.sleep(THAW_SECONDS)
    stage.thaw(*here)
    others = words
    words = _talk(stage, tell, here, "the first half")
    if others & {*stage.texts(here[0], "#ops"), *stage.texts(here[1], "#ops")}:
        raise DidNotHappen("the halves were not apart")
    words |= others
    tell.does("all of them reach each other again")
    stage.thaw(*there)
    healed = time.monotonic()
    stage.wait("both halves are one again", lambda: _have(stage, PEERS, words, healed=True) and _one(stage))
    took = time.monotonic() - healed
    tell.seen(
        f"{took:.1f} s after: one leader ({stage.lobby('ayse')['leader']}), one group, one history for all four"
    )
    tell.seen(f"every message of both halves is with everybody, once: {len(words)} of {len(words)}")
    tell.means("Each half could go on, without the other. The higher term counts; the others came in again.")


def _talk(stage: Stage, tell: Narrator, half: tuple[str, ...], where: str) -> set[str]:
    words = {f"{name} speaks in {where}": name for name in half}
    for text, name in words.items():
        tell.typed(name, f"say #ops '{text}'")
        stage.say(name, "#ops", text, "--wait", "sent")
    stage.wait("the half has it", lambda: all(words.keys() <= set(stage.texts(name, "#ops")) for name in half))
    leads = {stage.lobby(name)["leader"] for name in half}
    if len(leads) != 1 or not leads <= set(half):
        raise DidNotHappen(f"{half} have one leader: they have {leads}")
    tell.seen(f"{' and '.join(half)} go on, led by {leads.pop()}")
    return set(words)


def _one(stage: Stage) -> bool:
    """Whether all are in one group under one leader, with nothing left to heal."""
    shown = [stage.lobby(name) for name in PEERS]
    return (
        len({(one["leader"], one["check"], one["group_check"]) for one in shown}) == 1
        and not any(one["healing"] for one in shown)
        and all(set(stage.members(name)) == set(PEERS) for name in PEERS)
    )
