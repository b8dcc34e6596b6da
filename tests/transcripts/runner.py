"""Runs a document's ``console`` blocks for real and compares what is printed.

A line ``ayse$ conclave who`` runs in ayse's home; one that ends in `` &`` stays running until the end, and is ready
once it printed what is expected. Below it stands what is expected on stdout and stderr together: ``…`` inside a
line stands for any text, a line of ``…`` alone for any lines. ``$invite`` in a command is the last ``conclave://``
line that was printed. ``exit 5`` as the last expected line is the exit code.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^(\w+)\$ (.+)$")
LOOKS = re.compile(r"conclave (read|requests|who|find|doctor|lobby who|roll|authority log)\b")
PATIENCE_SECONDS = 20.0


@dataclass
class Step:
    who: str
    command: str
    expected: list[str] = field(default_factory=list)


def steps(document: str) -> list[Step]:
    found: list[Step] = []
    for block in BLOCK.findall(document):
        for line in block.splitlines():
            if match := PROMPT.match(line):
                found.append(Step(match[1], match[2]))
            elif found and line.strip():
                found[-1].expected.append(line.rstrip())
    return found


def pattern(expected: list[str]) -> re.Pattern[str]:
    parts = []
    for line in expected:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(r"[^\n]*".join(re.escape(part) for part in line.split("…")) + r"[ ]*\n")
    return re.compile("".join(parts))


class Transcript:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text("a passphrase of the tutorial\n")
        self.invite = ""
        self.running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def words(self, step: Step) -> list[str]:
        command = step.command.removesuffix(" &").replace("$invite", self.invite)
        name, *words = shlex.split(command)
        assert name == "conclave", f"only conclave is run: {step.command}"
        home = self.folder / step.who
        return [
            sys.executable, "-m", "conclave", "--home", str(home), "--passphrase-file", str(self.passphrase), *words
        ]  # fmt: skip

    def perform(self, step: Step) -> None:
        if step.command.endswith(" &"):
            self.start(step)
            return
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.run(step)
            except AssertionError:  # whoever only looks may look again: news takes a moment
                if LOOKS.match(step.command) is None or time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def run(self, step: Step) -> None:
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
        done = subprocess.run(
            self.words(step), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
            cwd=self.folder, env=environment,
        )  # fmt: skip
        self.compare(step, done.stdout.decode(), done.returncode)

    def start(self, step: Step) -> None:
        log = self.folder / f"{step.who}-{len(self.running)}.out"
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.words(step), stdout=out, stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True
            )
        self.running.append((process, log))
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and process.poll() is None:
            if pattern(step.expected).match(log.read_text()):
                return
            time.sleep(0.05)
        raise AssertionError(
            f"{step.who}$ {step.command}\nprinted:\n{log.read_text()}\nexpected:\n" + "\n".join(step.expected)
        )

    def compare(self, step: Step, printed: str, code: int) -> None:
        expected = list(step.expected)
        wanted = 0
        if expected and (match := re.fullmatch(r"exit (\d+)", expected[-1])):
            wanted = int(match[1])
            expected.pop()
        for line in printed.splitlines():
            if line.startswith("conclave://"):
                self.invite = line.strip()
        text = "".join(line.rstrip() + "\n" for line in printed.splitlines() if line.strip())
        if not pattern(expected).fullmatch(text) or code != wanted:
            raise AssertionError(
                f"{step.who}$ {step.command}\nprinted (exit {code}):\n{text}\nexpected (exit {wanted}):\n"
                + "\n".join(expected)
            )

    def close(self) -> None:
        for process, _ in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process, _ in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
