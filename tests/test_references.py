"""What docstrings point to is there: a room that was renamed is renamed wherever one is sent to it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import conclave

ROOT = Path(conclave.__file__).parent
TIERS = "|".join(sorted(one.name for one in ROOT.iterdir() if one.is_dir() and one.name != "__pycache__"))
NAMED = re.compile(rf"``((?:{TIERS})(?:\.\w+)+)")
FILES = {"authority.db"}
"""Names of this form that are files of a home."""


def there(name: str) -> bool:
    """Whether a name is a module's, or of something in one."""
    parts = name.split(".")
    for at in range(len(parts), 0, -1):
        try:
            found: object = import_module("conclave." + ".".join(parts[:at]))
        except ModuleNotFoundError:
            continue
        for part in parts[at:]:
            if part in getattr(found, "__annotations__", {}):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("tier", TIERS.split("|"))
def test_docstrings_point_to_what_is_there(tier: str) -> None:
    named = {(path, name) for path in (ROOT / tier).rglob("*.py") for name in NAMED.findall(path.read_text())}
    gone = [(path, name) for path, name in named if name not in FILES and not there(name)]
    assert gone == []
