"""``conclave demo``: the whole system on real sockets, told in plain words.

An authority and four peers run as processes of their own on loopback, in a temporary folder that is removed at the
end. Every tick is a check: a step that does not happen ends the demo with exit 1. Left out: the scenes
(``demo_people``, ``demo_lobby``, ``demo_loss``, ``demo_proof``) and how processes are run (``stage``).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Annotated

import typer

from conclave.cli.context import note, say
from conclave.cli.narrator import Narrator
from conclave.cli.stage import Stage
from conclave.errors import ConclaveError

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("demo", epilog="Example: conclave demo --keep")(demo)


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running until Ctrl-C, and print how to join in.")
    ] = False,
) -> None:
    """Show the whole system working, on this machine, within two minutes. Exit 1 if any step does not happen."""
    for number in ENDINGS:  # whoever started us: all end it in good order
        signal.signal(number, _end_once)
    stage, tell = Stage(), Narrator()
    try:
        say("Conclave: an authority and four people, each a process of its own, on 127.0.0.1 only.")
        say(f"Everything is kept in {stage.root}{'' if keep else ' and removed at the end'}.")
        for scene in _scenes():
            scene(stage, tell)
        say()
        say(f"All of it happened, in {time.monotonic() - stage.started:.0f} seconds.")
        if keep:
            _wait_for_ctrl_c(stage)
    except ConclaveError as error:
        tell.failed(str(error))
        raise typer.Exit(1) from error
    finally:
        for number in ENDINGS:  # a first one comes too late to end anything
            signal.signal(number, signal.SIG_IGN)
        stage.close()


def _scenes() -> tuple[Callable[[Stage, Narrator], None], ...]:
    # Read only here: they need the whole node, and ``--help`` does not.
    from conclave.cli import demo_lobby, demo_loss, demo_people, demo_proof

    return (
        demo_people.authority,
        demo_people.enrol,
        demo_people.directory,
        demo_people.pair,
        demo_people.impostors,
        demo_people.mailbox,
        demo_proof.file,
        demo_lobby.lobby,
        demo_loss.leader,
        demo_loss.halves,
        demo_lobby.removed,
        demo_lobby.revoked,
        demo_proof.at_rest,
        demo_proof.transcript,
    )


def _end_once(_number: int, _frame: object) -> None:
    """A second one finds what runs being ended already, and does not cut that short."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _wait_for_ctrl_c(stage: Stage) -> None:
    say()
    say("Still running. Join in from another terminal:")
    passphrase = stage.root / "passphrase"
    prefix = f"./run conclave --passphrase-file {passphrase} --home {stage.root}"
    say(f"  {prefix}/ayse read '#ops' --follow")
    say(f"  {prefix}/burak say '#ops' \"here I am\"")
    say(f"  {prefix}/authority authority invite elif")
    say("Ctrl-C ends everything and removes the folder.")
    try:
        while all(process.poll() is None for process in stage.running.values()):
            time.sleep(0.5)
        note("a process ended by itself")
    except KeyboardInterrupt:
        say()
