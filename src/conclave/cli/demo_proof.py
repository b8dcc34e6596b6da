"""The demo's proofs: what lies on the disks, and a record that a stranger can check."""

from __future__ import annotations

from conclave.cli.narrator import Narrator
from conclave.cli.stage import DidNotHappen, Stage


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
