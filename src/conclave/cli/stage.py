"""The demo's stage: real ``conclave`` processes on loopback in a temporary home, and a narrator.

Each step runs the same commands that a person would type. A step that does not happen ends the demo with exit 1.
Left out: the story (``cli.demo``).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conclave.cli.context import note, say
from conclave.errors import ConclaveError

PATIENCE_SECONDS = 20.0
"""How long any one thing may take before the demo says that it did not happen."""


class DidNotHappen(ConclaveError):
    """A step of the demo failed."""


@dataclass(slots=True)
class Done:
    """A command that ended."""

    code: int
    rows: list[dict[str, Any]]
    errors: str


@dataclass(slots=True)
class Stage:
    """A folder with one home per person, and the processes that were started."""

    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="conclave-demo-")))
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.root.chmod(0o700)
        (self.root / "passphrase").write_text("the demo's own passphrase\n")

    def command(self, who: str, *words: str) -> list[str]:
        """The command line that ``who`` would type."""
        home = ["--home", str(self.root / who), "--passphrase-file", str(self.root / "passphrase")]
        return [sys.executable, "-m", "conclave", *home, *words]

    def run(self, who: str, *words: str, ok: Sequence[int] = (0,)) -> Done:
        """Run a command with ``--json`` to its end. Raises ``DidNotHappen`` for an exit code not in ``ok``."""
        process = subprocess.run(  # noqa: S603 - our own interpreter and words
            [*self.command(who, *words), "--json"], capture_output=True, timeout=60, check=False
        )
        errors = process.stderr.decode(errors="replace").strip()
        if process.returncode not in ok:
            raise DidNotHappen(f"{who}: conclave {' '.join(words)}: exit {process.returncode}: {errors}")
        return Done(process.returncode, [json.loads(line) for line in process.stdout.splitlines()], errors)

    def start(self, name: str, who: str, *words: str) -> dict[str, Any]:
        """Start a command that stays, and return the first object that it prints: it is ready."""
        log = (self.root / f"{name}.log").open("ab")
        process = subprocess.Popen(  # noqa: S603
            [*self.command(who, *words), "--json"], stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
        log.close()
        self.running[name] = process
        stdout = process.stdout
        line = stdout.readline() if stdout is not None else b""
        if not line:
            told = (self.root / f"{name}.log").read_text(errors="replace").strip()
            raise DidNotHappen(f"{name} did not start: {told}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def kill(self, name: str) -> None:
        """Kill a process the hard way, as a crash or a power cut would."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def wait(self, what: str, true: Callable[[], bool]) -> None:
        """Wait until something is so. Raises ``DidNotHappen`` after ``PATIENCE_SECONDS``."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if true():
                return
            time.sleep(0.1)
        raise DidNotHappen(f"did not happen: {what}")

    def close(self, *, keep_files: bool = False) -> None:
        """End every process, and remove the folder."""
        for process in self.running.values():
            process.send_signal(signal.SIGINT)
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self.running.clear()
        if not keep_files:
            shutil.rmtree(self.root, ignore_errors=True)


class Narrator:
    """Tells what happens, and what it proves."""

    def __init__(self) -> None:
        self._step = 0
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def step(self, title: str) -> None:
        """A new chapter."""
        self._step += 1
        heading = f"{self._step}. {title}"
        say()
        sys.stdout.write(f"\x1b[1m{heading}\x1b[0m\n" if self._colour else heading + "\n")
        sys.stdout.flush()

    def typed(self, who: str, words: str) -> None:
        """What the person types."""
        say(f"   {who:>9} $ conclave {words}")

    def seen(self, text: str) -> None:
        """What came of it; checked before it is said."""
        say(f"             ✓ {text}")

    def means(self, text: str) -> None:
        """What it proves."""
        say(f"   {text}")

    def failed(self, text: str) -> None:
        """It did not happen."""
        note(f"   ✗ {text}")
