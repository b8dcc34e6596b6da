"""The table of checks, one in two files, names functions and tests that exist, or it is a lie."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLES = sorted((ROOT / "docs").glob("validation*.md"))
HEADER = ["id", "rule", "source", "function", "test"]


def rows() -> list[list[str]]:
    """The cells of every row, headers and rules left out."""
    found = []
    for line in "\n".join(table.read_text() for table in TABLES).splitlines():
        if line.startswith("|"):
            cells = [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if cells != HEADER and not set("".join(cells)) <= set("-: "):
                found.append(cells)
    return found


ROWS = rows()


def several(cell: str) -> list[str]:
    """The names of a cell."""
    return re.split(r",\s*", cell.replace("`", ""))


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a test file, methods as ``Class::test``."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}::{m.name}" for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return frozenset(names)


def resolve(dotted: str) -> object:
    """Find ``pki.verify.verify_peer`` or ``link.machine.Machine.step`` below ``conclave``."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(["conclave", *parts[:cut]]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise AssertionError(f"there is no {dotted}")


def test_the_table_has_rows_with_names_of_their_own() -> None:
    assert len(ROWS) > 200
    assert all(len(row) == len(HEADER) for row in ROWS), [row for row in ROWS if len(row) != len(HEADER)]
    names = [row[0] for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(all(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_a_row_names_what_exists(row: list[str]) -> None:
    assert all(callable(resolve(function)) for function in several(row[3]))
    for test in several(row[4]):
        file, _, name = test.partition("::")
        assert name.rpartition("::")[2].startswith("test_")
        assert name in names_in(file), f"{test} does not exist"
