"""The demo's stage: real ``conclave`` processes on loopback in a temporary home, and how they are started and ended.

What people do are the same commands that a person would type; what is only looked at is asked of the running nodes
over their sockets. A step that does not happen ends the demo with exit 1. Left out: the story (``cli.demo``) and how
it is told (``cli.narrator``).
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conclave.cli.narrator import Waiting
from conclave.errors import ConclaveError
from conclave.node.door.client import NodeClient

PATIENCE_SECONDS = 60.0
"""How long any one thing may take before the demo says that it did not happen."""
AT_ONCE = 2
"""Commands that are run at the same time."""
Spoken = list[tuple[int, str, str]]
"""What was said in a lobby: place in the order, author, words."""


class DidNotHappen(ConclaveError):
    """A step of the demo failed."""


@dataclass(slots=True)
class Done:
    """A command that ended."""

    code: int
    rows: list[dict[str, Any]]
    errors: str

    @property
    def first_line(self) -> str:
        """What it said on stderr, in short."""
        return self.errors.removeprefix("conclave: ").splitlines()[0] if self.errors else "refused"


@dataclass(slots=True)
class Stage:
    """A folder with one home per person, and the processes that were started."""

    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="conclave-demo-")))
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    said: list[str] = field(default_factory=list)
    """Every word that was said: it must be on no disk in the clear."""

    def __post_init__(self) -> None:
        self.root.chmod(0o700)
        (self.root / "passphrase").write_text(self.passphrase + "\n")

    @property
    def passphrase(self) -> str:
        """Everybody's."""
        return "the demo's own passphrase"

    def command(self, who: str, *words: str) -> list[str]:
        """The command line that ``who`` would type."""
        home = ["--home", str(self.root / who), "--passphrase-file", str(self.root / "passphrase")]
        return [sys.executable, "-m", "conclave", *home, *words]

    def run(self, who: str, *words: str, ok: Sequence[int] = (0,)) -> Done:
        """Run a command with ``--json`` to its end. Raises ``DidNotHappen`` for an exit code not in ``ok``."""
        process = subprocess.run(  # noqa: S603 - our own interpreter and words
            [*self.command(who, *words), "--json"], capture_output=True, timeout=120, check=False
        )
        errors = process.stderr.decode(errors="replace").strip()
        if process.returncode not in ok:
            raise DidNotHappen(f"{who}: conclave {' '.join(words)}: exit {process.returncode}: {errors}")
        return Done(process.returncode, [json.loads(line) for line in process.stdout.splitlines()], errors)

    def each(self, names: Iterable[str], task: Callable[[str], object]) -> None:
        """``task`` for every name, some at the same time. Raises what the first that failed raised."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(task, names))

    def start(self, name: str, *words: str) -> dict[str, Any]:
        """Start a command of ``name`` that stays, and return the first object that it prints: it is ready."""
        with ThreadPoolExecutor(1) as pool:  # signals reach the main thread alone: none finds a process not yet known
            pool.submit(int).result()  # nor one whose thread is not known yet, and would not be waited for
            pool.submit(self._spawn, name, *words).result()
        stdout = self.running[name].stdout
        line = stdout.readline() if stdout is not None else b""
        if not line:
            told = (self.root / f"{name}.log").read_text(errors="replace").strip()
            raise DidNotHappen(f"{name} did not start: {told}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def _spawn(self, name: str, *words: str) -> None:
        command = [*self.command(name, *words), "--json"]
        with (self.root / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )

    def up(self, who: str, host: str = "127.0.0.1") -> str:
        """Start somebody's node; where it listens."""
        return str(self.start(who, "up", "--listen", f"{host}:0")["listen"])

    def notice(self, name: str, *kinds: str) -> dict[str, Any]:
        """The next of these notices that a node has printed since it started; it is known to come."""
        stdout = self.running[name].stdout
        for line in stdout or ():
            told: dict[str, Any] = json.loads(line)
            if told["notice"] in kinds:
                return told
        raise DidNotHappen(f"{name} ended")

    def kill(self, name: str) -> None:
        """Kill a process the hard way, as a crash or a power cut would."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def freeze(self, *names: str) -> None:
        """Stop processes where they stand: for the others they are as if a cable was pulled."""
        for name in names:
            self.running[name].send_signal(signal.SIGSTOP)

    def thaw(self, *names: str) -> None:
        """Let frozen ones go on."""
        for name in names:
            self.running[name].send_signal(signal.SIGCONT)

    def wait(self, what: str, true: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> None:
        """Wait until something is so, ``patience`` seconds at most. Raises ``DidNotHappen``."""
        begun = time.monotonic()
        waiting = Waiting(what)
        try:
            while not true():
                passed = time.monotonic() - begun
                if passed > patience:
                    raise DidNotHappen(f"did not happen within {patience:.0f} s: {what}")
                waiting.tick(passed)
                time.sleep(0.1)
        finally:
            waiting.over()

    # What people say, and what they then have.

    def ask(self, who: str, method: str, **params: Any) -> Any:
        """Ask somebody's running node, as any front does. Raises what it refused."""
        with NodeClient(self.root / who) as node:
            return node.call(method, **params)

    def say(self, who: str, to: str, text: str, *options: str, ok: Sequence[int] = (0,)) -> Done:
        """``who`` says something."""
        self.said.append(text)
        return self.run(who, "say", to, text, *options, ok=ok)

    def deliver(self, who: str, to: str, text: str) -> None:
        """``who`` says something, and everybody's device has it and said so."""
        self.say(who, to, text, "--wait", "delivered")

    def lines(self, who: str, conversation: str) -> list[dict[str, Any]]:
        """A conversation as ``who``'s device has it."""
        found: list[dict[str, Any]] = self.ask(who, "lines", conversation=conversation, limit=1000)["lines"]
        return found

    def texts(self, who: str, conversation: str) -> list[str]:
        """The words of it, notices too."""
        return [line["text"] for line in self.lines(who, conversation)]

    def spoken(self, who: str, lobby: str = "#ops") -> Spoken:
        """What people said in a lobby, with its place in the order."""
        return [
            (row.get("seq", 0), row["from"], row["text"]) for row in self.lines(who, lobby) if row["kind"] == "text"
        ]

    def lobby(self, who: str) -> dict[str, Any]:
        """Who leads the lobby, who is in, who has what, as ``who``'s device knows it."""
        shown: dict[str, Any] = self.ask(who, "lobby.who", lobby="ops")
        return shown

    def members(self, who: str) -> list[str]:
        """Who is in the lobby."""
        return [one["handle"] for one in self.lobby(who)["members"] if one["state"] != "invited"]

    def search(self, text: bytes, folder: Path, *more: bytes) -> int:
        """Look for ``text`` in every file below ``folder``, and in ``more``; how many bytes these are.

        Raises ``DidNotHappen`` where it is found.
        """
        files = [path for path in folder.rglob("*") if path.is_file()]
        contents = [path.read_bytes() for path in files]
        for path, content in zip(files, contents, strict=True):
            if text in content:
                raise DidNotHappen(f"{path.relative_to(self.root)} holds {text.decode()!r} in the clear")
        if any(text in one for one in more):
            raise DidNotHappen(f"{text.decode()!r} is there in the clear")
        return sum(map(len, (*contents, *more)))

    def close(self) -> None:
        """End every process, the frozen ones too, and remove the folder."""
        for process in self.running.values():
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGCONT)
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self.running.clear()
        shutil.rmtree(self.root, ignore_errors=True)
