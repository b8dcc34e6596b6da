"""``./run vectors FILE...``: run files of vectors (MLS's, HPKE's, our own of the classic suite), and say what passed.

A file's kind is told from the fields of its cases, not from its name. Closes with ``N passed, N failed`` and names
the cipher suites that were skipped because we do not have them. Exit code 1 where a case failed or no file was read.
Of the classic suite the cases of version 2 are run, or with ``--classic-version 1`` those of its authors' program.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from conclave.crypto.suite import SUITES
from tests.vectors import classic
from tests.vectors.mls import check, kind_of


def run(path: Path, classic_version: int = 2) -> tuple[int, list[str], set[int]]:
    """How many cases of a file passed, the failures as text, and the suites that were skipped."""
    cases: list[dict[str, Any]] = json.loads(path.read_text())
    passed = 0
    failures: list[str] = []
    skipped: set[int] = set()
    for number, case in enumerate(cases):
        version = case.get("version") if "chain" in case else None  # the classic suite's own
        if version is not None and version != classic_version:
            continue
        suite = case.get("cipher_suite")
        if suite is not None and suite not in SUITES:
            skipped.add(suite)
            continue
        try:
            passed += classic.check(case) if version is not None else check(kind_of(case), case)
        except Exception as error:  # noqa: BLE001 - whatever a case raises is its failure
            where = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(f"{path.name}[{number}]: {error!r} at {Path(where.filename).name}:{where.lineno}")
    return passed, failures, skipped


def main(arguments: list[str]) -> int:
    """Run every file named."""
    version = 2
    if arguments[:1] == ["--classic-version"]:
        version = int(arguments[1]) if arguments[1:2] in (["1"], ["2"]) else 0
        arguments = arguments[2:]
    if not arguments or not version:
        sys.stderr.write("usage: ./run vectors [--classic-version 1|2] FILE...\n")
        return 2
    passed, failed = 0, 0
    skipped: set[int] = set()
    for name in arguments:
        good, failures, left = run(Path(name), version)
        passed, failed, skipped = passed + good, failed + len(failures), skipped | left
        sys.stdout.write(f"{Path(name).name}: {good} passed, {len(failures)} failed\n")
        for failure in failures:
            sys.stdout.write(f"  {failure}\n")
    names = ", ".join(f"{suite:#06x}" for suite in sorted(skipped)) or "none"
    sys.stdout.write(f"suites skipped: {names}\n{passed} passed, {failed} failed\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
