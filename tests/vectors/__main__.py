"""``./run vectors FILE...``: run files of the MLS working group's vectors, or of HPKE's, and say what passed.

A file's kind is told from the fields of its cases, not from its name. Closes with what was skipped because we do not
have it, cipher suites and HPKE algorithms by number, and with ``N passed, N failed``. Exit code 1 where a case failed
or nothing was checked, 2 where a file could not be read.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from conclave.crypto.suite import SUITES
from tests.vectors.mls import check


def run(path: Path) -> tuple[int, list[str], set[str]]:
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
        suite = case.get("cipher_suite")
        if suite is not None and suite not in SUITES:
            skipped.add(f"suite {suite:#06x}")
            continue
        try:
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
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write("usage: ./run vectors FILE...\n")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    passed, failed = 0, 0
    skipped: set[str] = set()
    for name in arguments:
        try:
            good, failures, left = run(Path(name))
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
