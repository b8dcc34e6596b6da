"""What ``docs/report.md`` says is tested is tested: every test that it names exists, and every row names one."""

from __future__ import annotations

import re

import pytest

from tests.test_validation_table import ROOT, names_in

REPORT = (ROOT / "docs" / "report.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", REPORT)))
IN_A_DAY = "in a day"


def rows(section: str) -> list[str]:
    """The rows of a section's table, its head and rule left out."""
    text = REPORT.split(f"\n## {section}")[1].split("\n## ")[0]
    return [line for line in text.splitlines() if line.startswith("|")][2:]


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_named_test_exists(file: str, test: str) -> None:
    assert test in names_in(file)


@pytest.mark.parametrize("section", ["1. ", "2. "])
def test_every_phase_and_every_defect_names_a_test(section: str) -> None:
    for row in rows(section):
        assert "`tests/" in row, row


def test_everything_that_users_could_do_is_tested_in_both_suites() -> None:
    found = rows("4. ")
    assert len(found) == 9
    for row in found:
        *_, default, legacy = (cell.strip() for cell in row.strip("|").split("|"))
        for cell in (default, legacy):
            assert "`tests/" in cell or cell.startswith(IN_A_DAY) or cell == "the same", row


def test_every_file_that_it_names_exists() -> None:
    for name in re.findall(r"`((?:classic|net|node|cli|pki|crypto)/\w+\.py)`", REPORT):
        assert (ROOT / "src" / "conclave" / name).is_file(), name
