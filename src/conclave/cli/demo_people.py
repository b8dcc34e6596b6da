"""The demo's first scenes: who is who, two people who talk, two impostors, and two who are never there at once."""

from __future__ import annotations

from conclave.chat.views import SEALED
from conclave.cli.narrator import Narrator
from conclave.cli.office import open_office
from conclave.cli.stage import DidNotHappen, Stage

PEERS = ("ayse", "burak", "cem", "deniz")
MAIL_BYTES = 1 << 22
"""Of mail that is looked at."""


def authority(stage: Stage, tell: Narrator) -> None:
    """An authority begins."""
    tell.step("An authority: who is who")
    tell.typed("authority", 'authority init --name "Ward 7"')
    root = stage.run("authority", "authority", "init", "--name", "Ward 7").rows[0]
    tell.seen(f"an offline root (SHA-256 {root['root_sha256'][:16]}…) and an issuing CA below it")
    tell.typed("authority", "authority serve")
    ready = stage.start("authority", "authority", "serve", "--listen", "127.0.0.1:0")
    tell.seen(f"certificates, directory and presence at {ready['address']}")
    tell.means("It certifies people, tells who is online, and keeps sealed mail. It never sees a message.")


def enrol(stage: Stage, tell: Narrator) -> None:
    """Everybody enrols; a stranger with a copy of the invite does not."""
    tell.step("Four people enrol, by an invite of one line")
    invites = {name: stage.run("authority", "authority", "invite", name).rows[0]["invite"] for name in PEERS}
    tell.typed("authority", f"authority invite {PEERS[0]}")
    tell.typed(PEERS[0], f"join '{invites[PEERS[0]][:40]}…'")

    def join(name: str) -> None:
        stage.run(name, "join", invites[name])
        stage.up(name)
        tell.seen(f"{name}: key made here, certificate granted and verified, node up")

    stage.each(PEERS, join)
    tell.typed("stranger", "join '(the same invite)'")
    refused = stage.run("stranger", "join", invites[PEERS[0]], ok=(1, 4))
    tell.seen(f"exit {refused.code}: {refused.first_line}")
    tell.means("Private keys never leave their owner's folder; a stranger with a copy of a used invite gets nothing.")


def directory(stage: Stage, tell: Narrator) -> None:
    """Everybody is seen."""
    tell.step("The directory: who exists, who is online")
    tell.typed("ayse", "who")
    stage.wait("all four online", lambda: _online(stage, "ayse") == set(PEERS))
    seen = {user["handle"] for user in stage.run("ayse", "who").rows if user["online"]}
    if seen != set(PEERS):
        raise DidNotHappen(f"ayse sees {seen} online")
    tell.seen("ayse sees " + ", ".join(sorted(seen)) + " online")


def _online(stage: Stage, who: str) -> set[str]:
    return {user["handle"] for user in stage.ask(who, "who")["users"] if user["online"]}


def pair(stage: Stage, tell: Narrator) -> None:
    """A request, and an answer."""
    tell.step("Two people chat, directly and end to end")
    tell.typed("ayse", 'say @burak "hello from bed four" --wait delivered')
    stage.deliver("ayse", "@burak", "hello from bed four")
    tell.seen("delivered: burak's device has it on disk and said so")
    asked = stage.run("burak", "requests").rows
    if [(r["from"], r["text"]) for r in asked] != [("ayse", "hello from bed four")]:
        raise DidNotHappen(f"burak was not asked: {asked}")
    tell.typed("burak", "requests")
    tell.seen("ayse asks to chat: hello from bed four")
    tell.typed("burak", "accept ayse")
    stage.run("burak", "accept", "ayse")
    done = stage.say("burak", "@ayse", "hello ayse, I hear you", "--wait", "delivered").rows[0]
    if done["protection"] != SEALED:
        raise DidNotHappen(f"it is protected {done['protection']}")
    lines = [(row["from"], row["text"]) for row in stage.lines("ayse", "@burak") if row["kind"] == "text"]
    if lines != [("ayse", "hello from bed four"), ("burak", "hello ayse, I hear you")]:
        raise DidNotHappen(f"ayse reads {lines}")
    tell.seen("burak accepted and answered; both histories agree; protection: " + done["protection"])
    tell.means(
        "Mutual TLS 1.3: each proved its certificate to the other. Inside it, MLS: keys of these two devices alone."
    )


def impostors(stage: Stage, tell: Narrator) -> None:
    """The wrong root, and the wrong name."""
    tell.step("Two impostors are refused")
    code = "the code is 1234"
    stage.run("rogue", "authority", "init", "--name", "Ward 7")
    stage.start("rogue", "authority", "serve", "--listen", "127.0.0.1:0")
    invite = stage.run("rogue", "authority", "invite", "cem").rows[0]["invite"]
    stage.run("impostor", "join", invite)
    address = stage.up("impostor")
    tell.typed("ayse", f"say --at {address} @cem '{code}'")
    refused = stage.say("ayse", "@cem", code, "--at", address, ok=(4, 6))
    tell.seen('a rogue authority\'s "cem": ' + refused.first_line)
    address = stage.run("burak", "whoami").rows[0]["listen"]
    tell.typed("ayse", f"say --at {address} @cem '{code}'")
    refused = stage.say("ayse", "@cem", code, "--at", address, ok=(4, 6))
    tell.seen("burak's own valid certificate where cem's was expected: " + refused.first_line)
    if stage.run("impostor", "read").rows or code in stage.texts("burak", "@ayse"):
        raise DidNotHappen("an impostor has the code")
    for name in ("rogue", "impostor"):
        stage.kill(name)
    tell.means("Same name, wrong root; right root, wrong name: neither gets a word.")


def mailbox(stage: Stage, tell: Narrator) -> None:
    """The sender goes before the other comes back."""
    tell.step("Two people who are never there at the same time")
    words = "are you back? the pump in room five rattles"
    tell.does("burak's machine loses its power (SIGKILL)")
    stage.kill("burak")
    tell.typed("ayse", f'say @burak "{words}" --wait delivered --timeout 1')
    said = stage.say("ayse", "@burak", words, "--wait", "delivered", "--timeout", "1", ok=(5,)).rows[0]
    tell.seen(f"exit 5: {said['words']}; kept in ayse's outbox")
    stage.wait("a sealed copy waits at the authority", lambda: _status(stage, words) == "in mailbox")
    tell.seen(f"ayse's device says: {_status(stage, words)}. What the authority has of it: {_mail(stage)}")
    tell.does("ayse's machine goes too (SIGKILL)")
    stage.kill("ayse")
    tell.typed("burak", "up")
    stage.up("burak")
    stage.wait("ayse's message is there, without her", lambda: words in stage.texts("burak", "@ayse"))
    if "ayse" in stage.running or "ayse" in _online(stage, "burak"):
        raise DidNotHappen("ayse is online")
    tell.seen("burak reads it, while ayse is offline")
    stage.up("ayse")
    stage.wait("ayse hears of it", lambda: _status(stage, words) in ("delivered", "read"))
    if stage.texts("burak", "@ayse").count(words) != 1:
        raise DidNotHappen("it arrived twice")
    stage.wait("the mailbox is empty again", lambda: _waiting(stage) == (0, 0))
    tell.seen("ayse is back and hears that it was delivered; burak has it once; nothing is left in his mailbox")
    tell.means("Both were killed, not shut down: whatever was acknowledged was on a disk already.")


def _status(stage: Stage, words: str) -> str:
    return next((str(row["status"]) for row in stage.lines("ayse", "@burak") if row["text"] == words), "")


def _mail(stage: Stage) -> str:
    """What lies in the authority's database, as whoever seizes it finds it."""
    with open_office(stage.root / "authority") as office:
        mail = office.store.reads.mail("burak", 0, 0.0, 64, MAIL_BYTES)
    if not mail:
        raise DidNotHappen("the mailbox is empty")
    one = mail[0]
    if one.sender != "ayse":
        raise DidNotHappen(f"it is from {one.sender}")
    found = stage.search(b"rattles", stage.root / "authority", *(envelope.data for envelope in mail))
    return f"from ayse to burak, {len(one.data)} bytes, {one.data[:8].hex()}…; the words: in none of {found} bytes"


def _waiting(stage: Stage) -> tuple[int, int]:
    with open_office(stage.root / "authority") as office:
        held = office.store.reads.held("burak")
    return held.envelopes, held.bytes
