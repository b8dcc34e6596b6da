"""The tutorial is true: every command in it is run, and prints what the tutorial says."""

from pathlib import Path

import pytest

from tests.transcripts.runner import Transcript, steps

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.mark.timeout(180)
def test_the_tutorial_is_true(tmp_path: Path) -> None:
    found = steps(TUTORIAL.read_text())
    assert len(found) > 20
    transcript = Transcript(tmp_path)
    try:
        for step in found:
            transcript.perform(step)
    finally:
        transcript.close()
