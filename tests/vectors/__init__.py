"""Published test vectors, kept outside the project: where they are, and the runner that any of them goes through."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path | None:
    """Where the vectors are: ``CONCLAVE_VECTORS``, else ``../shared/vectors``; None where they are in neither."""
    named = os.environ.get("CONCLAVE_VECTORS")
    found = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "vectors"
    return found if found.is_dir() else None
