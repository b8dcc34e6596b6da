"""The console blocks of docs/lab.md: found, run, compared; and written anew by ``python -m tests.lab.transcripts``.

What differs from run to run and from one OpenSSL to another is left out of the comparison: bytes, sizes, counts of
guesses, times, and OpenSSL's own words.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner, Result

from conclave.cli.main import app

DOCUMENT = Path(__file__).parents[2] / "docs" / "lab.md"
BLOCK = re.compile(r"^```console\n\$ conclave (lab [^\n]+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_BYTES = re.compile(r"^ {14}\*?[a-z][\w ]* (\"[^\"]*\"|[0-9a-f]{2}( [0-9a-f]{2})*( … \([\d,]+ bytes\))?)( ·|$)")
_MASKS = (
    (re.compile(r"[\d,]+ and [\d,]+ guesses"), "N and N guesses"),
    (re.compile(r"[\d,]+ (bytes|guesses|units|records|links|of [\d,]+ bytes)"), r"N \1"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "TIME"),
    (re.compile(r"[0-9a-f]{12}…"), "HASH"),
    (re.compile(r"(as it should|trusted here) \([^)]*\)|\(alert [^)]*\)"), "OPENSSL"),
    (re.compile(r"in \d+ seconds"), "in N seconds"),
)
_JUDGED = re.compile(r"^ *(\d+  |[✓▼✗?] )")


def run(command: str) -> Result:
    """Run a command line of the document, as wide as the document is."""
    return CliRunner().invoke(app, shlex.split(command), env={"COLUMNS": "80", "NO_COLOR": "1"})


def skeleton(printed: str) -> str:
    """What must be the same in every run."""
    lines = [line for line in printed.splitlines() if not _BYTES.match(line)]
    if any(line.startswith("flip · tls") for line in lines):  # it lists OpenSSL's extensions
        lines = [line for line in lines if _JUDGED.match(line)]
    text = " ".join(" ".join(lines).split())
    for mask, instead in _MASKS:
        text = mask.sub(instead, text)
    return text


def blocks() -> dict[str, str]:
    """The document's commands, and what it says that they print."""
    return dict(BLOCK.findall(DOCUMENT.read_text()))


def write() -> None:
    """Put what is printed now into the document."""
    text = DOCUMENT.read_text()
    for command in blocks():
        printed = "".join(line.rstrip() + "\n" for line in run(command).output.splitlines())
        text = re.sub(
            rf"(^```console\n\$ conclave {re.escape(command)}\n).*?(^```\n)",
            lambda found, printed=printed: found[1] + printed + found[2],  # type: ignore[misc]
            text,
            count=1,
            flags=re.MULTILINE | re.DOTALL,
        )
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    write()
