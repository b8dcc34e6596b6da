"""The demo's lobby: opened, its roll called, somebody put out of it, somebody shut out by the authority."""

from __future__ import annotations

import time

from conclave.cli.demo_people import PEERS
from conclave.cli.narrator import Narrator
from conclave.cli.stage import DidNotHappen, Stage
from conclave.errors import ConclaveError

DEAF_SECONDS = 3.0
"""Somebody who was put out is given so long to hear what he must not."""


def lobby(stage: Stage, tell: Narrator) -> None:
    """Four are in, speak, and answer the roll."""
    tell.step("A lobby of four, led by ayse, and its roll")
    tell.typed("ayse", "lobby open ops @burak @cem @deniz")
    stage.run("ayse", "lobby", "open", "ops", "@burak", "@cem", "@deniz")

    def accept(name: str) -> None:
        stage.wait(f"{name} is asked", lambda: bool(stage.ask(name, "requests")["requests"]))
        stage.run(name, "accept", "ayse")

    stage.each(PEERS[1:], accept)
    for name in PEERS[1:]:
        tell.typed(name, "accept ayse")
    stage.wait("all four are in", lambda: all(_sees_all(stage, name) for name in PEERS))
    tell.seen("burak, cem and deniz entered")
    stage.each(PEERS, lambda name: stage.say(name, "#ops", f"{name} is at the bedside", "--wait", "sent"))
    stage.wait("one order for all", lambda: agree(stage, PEERS))
    if len(stage.spoken("cem")) != len(PEERS):
        raise DidNotHappen("a message is missing or there twice")
    tell.seen("everyone spoke, at once; all four histories hold the same lines in the same order")
    tell.typed("ayse", "roll ops")
    rows = stage.run("ayse", "roll", "ops", "--seconds", "30").rows
    if {row["handle"] for row in rows if row["present"]} != set(PEERS):
        raise DidNotHappen(f"the roll: {rows}")
    days = min(row["until"] for row in rows) - time.time()
    tell.seen(f"{len(rows)} of {len(rows)} signed an answer now; certificates are good for {days / 86_400:.0f} days")
    tell.means(
        "The leader numbers every line and chains it to the one before: what was shown once cannot be changed. "
        "It reads none of it as a leader: what it orders is sealed by MLS."
    )


def _sees_all(stage: Stage, name: str) -> bool:
    try:
        return set(stage.members(name)) == set(PEERS)
    except ConclaveError:  # not in yet
        return False


def agree(stage: Stage, names: tuple[str, ...], *, healed: bool = False) -> bool:
    """Whether all of them have the same lines in the same order.

    Once two halves were ``healed``, at the same places of the order: whoever came in anew got some of them later.
    """
    first, *others = [sorted(spoken) if healed else spoken for spoken in map(stage.spoken, names)]
    return bool(first) and all(other == first for other in others)


def removed(stage: Stage, tell: Narrator) -> None:
    """What is said after a removal is not for who was removed."""
    tell.step("deniz is put out of the lobby")
    code = "the new door code is 7788"
    tell.typed("ayse", "lobby remove ops @deniz --reason 'other ward'")
    stage.run("ayse", "lobby", "remove", "ops", "@deniz", "--reason", "other ward")
    rest = ("ayse", "burak", "cem")
    stage.wait("deniz is out", lambda: all(set(stage.members(name)) == set(rest) for name in rest))
    tell.typed("burak", f"say #ops '{code}'")
    stage.say("burak", "#ops", code, "--wait", "sent")
    stage.wait("the others have it", lambda: all(code in stage.texts(name, "#ops") for name in rest))
    time.sleep(DEAF_SECONDS)
    if code in stage.texts("deniz", "#ops"):
        raise DidNotHappen("deniz reads on")
    tell.seen("ayse, burak and cem read it; deniz's last line: " + stage.texts("deniz", "#ops")[-1])
    tell.typed("deniz", "say #ops 'am I still in?'")
    refused = stage.say("deniz", "#ops", "am I still in?", ok=(1, 3, 4))
    tell.seen(f"exit {refused.code}: {refused.first_line}")
    tell.means("The removal changed the group's keys: deniz could be handed every byte since, and open none of it.")


def revoked(stage: Stage, tell: Narrator) -> None:
    """The authority takes a certificate back."""
    tell.step("cem's laptop is stolen: revoked")
    tell.typed("authority", "authority revoke cem")
    stage.run("authority", "authority", "revoke", "cem")
    stage.wait("cem is out of the lobby", lambda: "cem" not in stage.members("ayse"))
    tell.seen("the lobby removed cem, and said so: " + stage.texts("ayse", "#ops")[-1])
    tell.typed("ayse", 'say @cem "still there?"')
    said = stage.say("ayse", "@cem", "still there?", ok=(4,))
    tell.seen(f"exit 4: {said.first_line}")
    stage.wait("cem is told", lambda: stage.ask("cem", "status")["authority"].get("reason") == "revoked")
    tell.seen("cem's own node: " + stage.ask("cem", "status")["authority"]["text"])
    tell.means("The revocation list reached every peer at once; links to him were cut.")
