"""The demo's files and proofs: a file that goes on after a kill, what lies on the disks, a record that holds."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from conclave.cli.narrator import Narrator
from conclave.cli.stage import DidNotHappen, Stage

FILE_BYTES = 100_000_000
FETCH_SECONDS = 60.0
"""How long a file may take to begin to come."""


def file(stage: Stage, tell: Narrator) -> None:
    """The receiver is killed in the middle, and the rest comes when it is back."""
    tell.step("A file, and a machine that dies in the middle of it")
    source = stage.root / "ward-plan.bin"
    source.write_bytes(os.urandom(FILE_BYTES))
    tell.typed("ayse", "send @burak ward-plan.bin")
    offered = stage.run("ayse", "send", "@burak", str(source)).rows[0]
    stage.wait("burak sees the offer", lambda: bool(_file(stage)))
    name = _file(stage)["id"]
    folder = stage.root / "burak-files"
    folder.mkdir()
    tell.typed("burak", f"fetch {name[:8]}")
    stage.ask("burak", "file.accept", id=name, into=str(folder))
    here = _killed_on_the_way(stage, folder)
    tell.does(
        f"burak's machine loses its power (SIGKILL) with {here / 1e6:.1f} of {offered['size'] / 1e6:.0f} MB here"
    )
    tell.typed("burak", "up")
    stage.up("burak")
    stage.wait("the rest of it is here", lambda: _file(stage)["status"] == "here")
    if sha256(Path(_file(stage)["path"]).read_bytes()).digest() != sha256(source.read_bytes()).digest():
        raise DidNotHappen("it is another file")
    kept = stage.notice("burak", "file-progress", "file-done").get("done", 0)
    if kept < FILE_BYTES // 8:
        raise DidNotHappen(f"it went on: it began anew, with {kept} bytes")
    tell.seen(f"it went on by itself from {kept / 1e6:.1f} MB, and is here, whole: SHA-256 as ayse's")
    tell.means("Chunks go straight between the two, each checked by its hash, sealed under the file's own key.")


def _file(stage: Stage) -> dict[str, Any]:
    """The file as burak's device has it; empty before it was offered."""
    return next(iter(stage.ask("burak", "file.list")["files"]), {})


def _killed_on_the_way(stage: Stage, folder: Path) -> int:
    """Kill the receiver as soon as a part of the file is on its disk; how much that is."""
    end = time.monotonic() + FETCH_SECONDS
    while time.monotonic() < end:
        with suppress(FileNotFoundError):  # renamed meanwhile
            here = sum(path.stat().st_blocks * 512 for path in folder.glob(".*.part"))
            if here > FILE_BYTES // 4:
                stage.kill("burak")
                return here
        time.sleep(0.002)
    raise DidNotHappen("the file did not begin to come, or was there at once")


def at_rest(stage: Stage, tell: Narrator) -> None:
    """No file of anybody holds a word."""
    tell.step("What lies on the disks")
    searched = sum(stage.search(text.encode(), stage.root) for text in set(stage.said)) // len(set(stage.said))
    tell.seen(f"{len(set(stage.said))} messages looked for in {searched} bytes of everybody: none in the clear")
    tell.means(
        "History is encrypted at home. The authority, its directory and its mailboxes have names, certificates, "
        "sizes and times, and no words."
    )


def transcript(stage: Stage, tell: Narrator) -> None:
    """A record holds; one that was changed does not."""
    tell.step("The record, checked by a stranger")
    record, root = stage.root / "ops.transcript", stage.root / "authority" / "authority" / "root.pem"
    tell.typed("ayse", "export '#ops' -o ops.transcript")
    stage.run("ayse", "export", "#ops", "-o", str(record))
    tell.typed("stranger", "verify-transcript ops.transcript --root root.pem")
    proven = stage.run("stranger", "verify-transcript", str(record), "--root", str(root)).rows[0]
    if proven["gaps"]:
        raise DidNotHappen(f"messages are missing: {proven['gaps']}")
    by = ", ".join(f"{author} {count}" for author, count in proven["authors"].items())
    tell.seen(f"it holds: {proven['lines']} lines, signed by their authors: {by}")
    whole = record.read_bytes()
    rows = whole.splitlines(keepends=True)
    at = next(number for number, row in enumerate(rows) if b"take the spare pump" in row)
    for what, changed in (
        ("two words of cem's are changed", whole.replace(b"take the spare pump", b"leave the spare pump")),
        ("cem's line is taken out", b"".join(rows[:at] + rows[at + 1 :])),
    ):
        record.write_bytes(changed)
        tell.does(what)
        refused = stage.run("stranger", "verify-transcript", str(record), "--root", str(root), ok=(6,)).rows[0]
        if refused["holds"]:
            raise DidNotHappen("a record that was changed holds")
        tell.seen(f"exit 6: {refused['findings'][0]}")
    record.unlink()
    tell.means("It needs the file and the authority's root, and neither a network nor anybody's word.")
