"""``conclave demo``: the whole system on real sockets, told in plain words.

An authority and three peers run as processes of their own on loopback, in a temporary folder that is removed at the
end. Every tick is a check: a step that does not happen ends the demo with exit 1. Left out: how processes are run
(``cli.stage``).
"""

from __future__ import annotations

import signal
import time
from typing import Annotated

import typer

from conclave.cli.context import note, say
from conclave.cli.stage import DidNotHappen, Narrator, Stage

PEERS = ("ayse", "burak", "cem")


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("demo", epilog="Example: conclave demo --keep")(demo)


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running until Ctrl-C, and print how to join in.")
    ] = False,
) -> None:
    """Show the whole system working, on this machine, within a minute. Exit 1 if any step does not happen."""
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever started us: both end it in good order
        signal.signal(number, signal.default_int_handler)
    stage, tell = Stage(), Narrator()
    say("Conclave: an authority and three people, each a process of its own, on 127.0.0.1 only.")
    say(f"Everything is kept in {stage.root}{'' if keep else ' and removed at the end'}.")
    try:
        for act in (_authority, _enrol, _directory, _pair, _impostors, _lobby, _away, _revoked, _at_rest):
            act(stage, tell)
        say()
        say(f"All of it happened, in {time.monotonic() - stage.started:.0f} seconds.")
        if keep:
            _wait_for_ctrl_c(stage)
    except DidNotHappen as error:
        tell.failed(str(error))
        raise typer.Exit(1) from error
    finally:
        stage.close()


def _authority(stage: Stage, tell: Narrator) -> None:
    tell.step("An authority: who is who")
    tell.typed("authority", 'authority init --name "Ward 7"')
    root = stage.run("authority", "authority", "init", "--name", "Ward 7").rows[0]
    tell.seen(f"an offline root (SHA-256 {root['root_sha256'][:16]}…) and an issuing CA below it")
    tell.typed("authority", "authority serve")
    ready = stage.start("authority", "authority", "authority", "serve", "--listen", "127.0.0.1:0")
    tell.seen(f"certificates, directory and presence at {ready['address']}")
    tell.means("It certifies people and tells who is online. It never sees a message.")


def _enrol(stage: Stage, tell: Narrator) -> None:
    tell.step("Three people enrol, by an invite of one line")
    for name in PEERS:
        invite = stage.run("authority", "authority", "invite", name).rows[0]["invite"]
        if name == PEERS[0]:
            tell.typed("authority", f"authority invite {name}")
            tell.typed(name, f"join '{invite[:40]}…'")
        stage.run(name, "join", invite)
        stage.run(f"stranger-{name}", "join", invite, ok=(1, 4))
        stage.start(name, name, "up", "--listen", "127.0.0.1:0")
        tell.seen(f"{name}: key made here, certificate granted and verified, node up; the invite is spent")
    tell.means("Private keys never leave their owner's folder; a stranger with a copy of a used invite gets nothing.")


def _directory(stage: Stage, tell: Narrator) -> None:
    tell.step("The directory: who exists, who is online")
    tell.typed("ayse", "who")
    stage.wait("all three online", lambda: _online(stage) == set(PEERS))
    tell.seen("ayse sees " + ", ".join(sorted(_online(stage))) + " online")


def _online(stage: Stage) -> set[str]:
    return {user["handle"] for user in stage.run("ayse", "who").rows if user["online"]}


def _pair(stage: Stage, tell: Narrator) -> None:
    tell.step("Two people chat, directly")
    tell.typed("ayse", 'say @burak "hello" --wait delivered')
    _deliver(stage, "ayse", "@burak", "hello")
    tell.seen("delivered: burak's device has it on disk and said so")
    asked = stage.run("burak", "requests").rows
    if [(r["from"], r["text"]) for r in asked] != [("ayse", "hello")]:
        raise DidNotHappen(f"burak was not asked: {asked}")
    tell.typed("burak", "requests")
    tell.seen("ayse asks to chat: hello")
    tell.typed("burak", "accept ayse")
    stage.run("burak", "accept", "ayse")
    _deliver(stage, "burak", "@ayse", "hello ayse")
    _expect(stage, "ayse", "@burak", [("ayse", "hello"), ("burak", "hello ayse")])
    tell.seen("burak accepted and answered; both histories agree")
    tell.means("Mutual TLS 1.3: each proved its certificate to the other. No server stood between them.")


def _impostors(stage: Stage, tell: Narrator) -> None:
    tell.step("Two impostors are refused")
    stage.run("rogue", "authority", "init", "--name", "Ward 7")
    stage.start("rogue", "rogue", "authority", "serve", "--listen", "127.0.0.1:0")
    invite = stage.run("rogue", "authority", "invite", "cem").rows[0]["invite"]
    stage.run("impostor", "join", invite)
    address = stage.start("impostor", "impostor", "up", "--listen", "127.0.0.1:0")["listen"]
    tell.typed("ayse", f"say --at {address} @cem 'the code is 1234'")
    refused = stage.run("ayse", "say", "--at", address, "@cem", "the code is 1234", ok=(4, 6))
    tell.seen('a rogue authority\'s "cem": ' + _first_line(refused.errors))
    address = stage.run("burak", "whoami").rows[0]["listen"]
    tell.typed("ayse", f"say --at {address} @cem 'the code is 1234'")
    refused = stage.run("ayse", "say", "--at", address, "@cem", "the code is 1234", ok=(4, 6))
    tell.seen("burak's own valid certificate where cem's was expected: " + _first_line(refused.errors))
    for name in ("rogue", "impostor"):
        stage.kill(name)
    for name in ("impostor", "burak"):
        path = stage.root / name
        if any(b"1234" in file.read_bytes() for file in path.rglob("*") if file.is_file()):
            raise DidNotHappen(f"{name} has the code")
    tell.means("Same name, wrong root; right root, wrong name: neither gets a word.")


def _lobby(stage: Stage, tell: Narrator) -> None:
    tell.step("A lobby of three, led by ayse")
    tell.typed("ayse", "lobby open ops @burak @cem")
    stage.run("ayse", "lobby", "open", "ops", "@burak", "@cem")
    for name in ("burak", "cem"):
        stage.wait(f"{name} invited", lambda name=name: bool(stage.run(name, "requests").rows))  # type: ignore[misc]
        tell.typed(name, "accept ayse")
        stage.run(name, "accept", "ayse")
    stage.wait("three members", lambda: len(_members(stage)) == len(PEERS))
    tell.seen("burak and cem entered")
    for name in PEERS:
        _deliver(stage, name, "#ops", f"{name} is here")
    stage.wait(
        "one order for all", lambda: _spoken(stage, "ayse") == _spoken(stage, "burak") == _spoken(stage, "cem")
    )
    if len(_spoken(stage, "cem")) != len(PEERS):
        raise DidNotHappen("a message is missing or there twice")
    tell.seen("everyone spoke; all three histories hold the same lines in the same order")
    tell.means(
        "The leader numbers every line and chains it to the one before: what was shown once cannot be changed."
    )


def _members(stage: Stage) -> list[str]:
    return [m["handle"] for m in stage.run("ayse", "lobby", "who", "ops").rows if m["state"] != "invited"]


def _spoken(stage: Stage, who: str) -> list[tuple[int, str, str]]:
    lines = stage.run(who, "read", "#ops").rows
    return [(line["seq"], line["from"], line["text"]) for line in lines if line["kind"] == "text"]


def _away(stage: Stage, tell: Narrator) -> None:
    tell.step("burak's machine dies; what was said waits, and arrives once")
    stage.kill("burak")
    tell.typed("ayse", 'say @burak "are you back?" --wait delivered --timeout 1')
    said = stage.run("ayse", "say", "@burak", "are you back?", "--wait", "delivered", "--timeout", "1", ok=(5,))
    stage.run("ayse", "say", "#ops", "burak is away")
    tell.seen(f"exit 5: {said.rows[0]['status']}, kept in ayse's outbox")
    tell.typed("burak", "up")
    stage.start("burak", "burak", "up", "--listen", "127.0.0.1:0")
    stage.wait("the message arrives", lambda: "are you back?" in _texts(stage, "burak", "@ayse"))
    stage.wait("the lobby is caught up", lambda: "burak is away" in _texts(stage, "burak", "#ops"))
    if _texts(stage, "burak", "@ayse").count("are you back?") != 1:
        raise DidNotHappen("it arrived twice")
    tell.seen("back up: the message came by itself, once; the lobby's line was fetched")
    tell.means("He was killed, not shut down: everything acknowledged was already on his disk.")


def _revoked(stage: Stage, tell: Narrator) -> None:
    tell.step("cem's laptop is stolen: revoked")
    tell.typed("authority", "authority revoke cem")
    stage.run("authority", "authority", "revoke", "cem")
    stage.wait("cem is out of the lobby", lambda: "cem" not in _members(stage))
    tell.seen("ayse's lobby removed cem, and said so: " + _texts(stage, "ayse", "#ops")[-1])
    tell.typed("ayse", 'say @cem "still there?"')
    said = stage.run("ayse", "say", "@cem", "still there?", ok=(4,))
    tell.seen(f"exit 4: {_first_line(said.errors)}")
    stage.wait("cem is told", lambda: not stage.run("cem", "whoami").rows[0]["authority"]["reached"])
    tell.seen("cem's own node: the authority " + stage.run("cem", "whoami").rows[0]["authority"]["text"])
    tell.means("The revocation list reached every peer at once; links to him were cut.")


def _at_rest(stage: Stage, tell: Narrator) -> None:
    tell.step("What lies on the disks")
    for file in stage.root.rglob("*"):
        if file.is_file() and any(word in file.read_bytes() for word in (b"hello ayse", b"are you back?")):
            raise DidNotHappen(f"{file.name} holds words in the clear")
    tell.seen("no file of anyone holds a word of what was said in the clear")
    tell.means("History is encrypted at home; the authority has names, certificates and a log, and no messages.")


def _deliver(stage: Stage, who: str, to: str, text: str) -> None:
    stage.run(who, "say", to, text, "--wait", "delivered", "--timeout", "15")


def _texts(stage: Stage, who: str, conversation: str) -> list[str]:
    return [line["text"] for line in stage.run(who, "read", conversation).rows]


def _expect(stage: Stage, who: str, conversation: str, lines: list[tuple[str, str]]) -> None:
    shown = [
        (line["from"], line["text"]) for line in stage.run(who, "read", conversation).rows if line["kind"] == "text"
    ]
    if shown != lines:
        raise DidNotHappen(f"{who} reads {shown} instead of {lines}")


def _first_line(text: str) -> str:
    return text.removeprefix("conclave: ").splitlines()[0] if text else "refused"


def _wait_for_ctrl_c(stage: Stage) -> None:
    say()
    say("Still running. Join in from another terminal:")
    passphrase = stage.root / "passphrase"
    prefix = f"./run conclave --passphrase-file {passphrase} --home {stage.root}"
    say(f"  {prefix}/ayse read '#ops' --follow")
    say(f"  {prefix}/burak say '#ops' \"here I am\"")
    say(f"  {prefix}/authority authority invite deniz")
    say("Ctrl-C ends everything and removes the folder.")
    try:
        while all(process.poll() is None for process in stage.running.values()):
            time.sleep(0.5)
        note("a process ended by itself")
    except KeyboardInterrupt:
        say()
