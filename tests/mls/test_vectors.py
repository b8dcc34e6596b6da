"""The working group's vectors, every file that is there; skipped loudly where there is no folder."""

from __future__ import annotations

import pytest

from tests.vectors import folder
from tests.vectors.__main__ import run

FOUND = folder()
FILES = sorted(FOUND.glob("*/*.json")) if FOUND else []


@pytest.mark.skipif(FOUND is None, reason="NO TEST VECTORS: set CONCLAVE_VECTORS to the folder that holds them")
def test_there_are_vectors() -> None:
    assert len(FILES) >= 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))
def test_vectors(path: object) -> None:
    passed, failures, skipped = run(path)  # type: ignore[arg-type]
    assert not failures, failures[0]
    assert not skipped
    assert passed
