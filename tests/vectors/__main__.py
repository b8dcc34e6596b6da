"""``./run vectors FILE...``: run files of vectors (MLS's, HPKE's, our own of the classic suite), and say what passed.

A file's kind is told from the fields of its cases, not from its name. Closes with what was skipped because we do not
have it, cipher suites and HPKE algorithms by number, and with ``N passed, N failed``. Exit code 1 where a case failed
or nothing was checked, 2 where a file could not be read. Of the classic suite the cases of version 2 are run, or with
``--classic-version 1`` those of its authors' program.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from conclave.crypto.suite import SUITES
from tests.vectors import classic
from tests.vectors.mls import check


def run(path: Path, classic_version: int = 2) -> tuple[int, list[str], set[str]]:
    """How many cases of a file passed, the failures as text, and what was skipped, whole cases or the rest of one.

    Raises ``OSError`` and ``ValueError`` where the file is none of vectors.
    """
    cases: list[dict[str, Any]] = json.loads(path.read_text())
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise ValueError("not a list of cases")
    passed = 0
    failures: list[str] = []
    skipped: set[str] = set()
    for number, case in enumerate(cases):
        version = case.get("version") if "chain" in case else None  # the classic suite's own
        if version is not None and version != classic_version:
            continue
        suite = case.get("cipher_suite")
        if suite is not None and suite not in SUITES:
            skipped.add(f"suite {suite:#06x}")
            continue
        try:
            if version is not None:
                classic.check(case)
                left = None
            else:
                left = check(case)
        except Exception as error:  # noqa: BLE001 - whatever a case raises is its failure
            where = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(f"{path.name}[{number}]: {error!r} at {Path(where.filename).name}:{where.lineno}")
            continue
        if left:
            skipped.add(left)
        passed += left is None
    return passed, failures, skipped


def main(arguments: list[str]) -> int:
    """Run every file named."""
    version = 2
    if arguments[:1] == ["--classic-version"] and arguments[1:2] in (["1"], ["2"]):
        version = int(arguments[1])
        arguments = arguments[2:]
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write("usage: ./run vectors [--classic-version 1|2] FILE...\n")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    passed, failed = 0, 0
    skipped: set[str] = set()
    for name in arguments:
        try:
            good, failures, left = run(Path(name), version)
        except OSError as error:
            sys.stderr.write(f"vectors: {name} cannot be read: {error.strerror}\n")
            return 2
        except ValueError as error:
            sys.stderr.write(f"vectors: {name} holds no vectors: {error}\n")
            return 2
        passed, failed, skipped = passed + good, failed + len(failures), skipped | left
        sys.stdout.write(f"{Path(name).name}: {good} passed, {len(failures)} failed\n")
        for failure in failures:
            sys.stdout.write(f"  {failure}\n")
    sys.stdout.write(f"skipped: {', '.join(sorted(skipped)) or 'nothing'}\n{passed} passed, {failed} failed\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
