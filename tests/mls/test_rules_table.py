"""The table of rules, the rules in the source and the tests that break them are one and the same list."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULE = re.compile(r"(?:\d+(?:\.\d+)*|limit|policy)-[a-z][a-z-]*")


def tables() -> str:
    """The documentation's tables of checks."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "docs").glob("validation*.md")))


def rules_in_source() -> set[str]:
    found = set()
    for path in (ROOT / "src" / "conclave" / "mls").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and RULE.fullmatch(node.value):
                found.add(node.value)
    return found


def names_here() -> set[str]:
    found = set()
    for path in Path(__file__).parent.glob("test_rules_*.py"):
        found |= {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    return found


def test_every_rule_is_a_row_and_every_row_a_rule() -> None:
    rows = set(re.findall(rf"^\| ({RULE.pattern}) \|", tables(), flags=re.MULTILINE))
    assert rows == rules_in_source()
    assert len(rows) > 100


def test_every_rule_is_broken_by_a_test_of_its_name() -> None:
    tests = names_here()
    assert not [rule for rule in rules_in_source() if "test_" + re.sub(r"[.-]", "_", rule) not in tests]
