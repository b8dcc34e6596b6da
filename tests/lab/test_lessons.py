"""Every lesson is given to its end, ends as it says, and stands in docs/lab.md with what it prints."""

from __future__ import annotations

import re

import pytest

from conclave.lab.careless import CHECKS
from conclave.lab.catalogue import LESSONS
from conclave.lab.lesson import Lesson
from tests.lab.transcripts import DOCUMENT, blocks, run, skeleton


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: f"{one.name}-{one.link}")
def test_a_lesson_ends_as_it_says_and_as_the_document_shows(lesson: Lesson) -> None:
    command = f"lab run {lesson.name} --link {lesson.link}"
    done = run(command)
    assert done.exit_code == 0, done.output
    verdict = done.output.rstrip().splitlines()[-1]
    assert ("▼ fell" in verdict) == lesson.falls, verdict
    assert skeleton(blocks()[command]) == skeleton(done.output)


def test_each_lesson_has_a_section_of_its_own() -> None:
    sections = re.findall(r"^## `(\w+)`", DOCUMENT.read_text(), re.MULTILINE)
    assert sections == list(dict.fromkeys(lesson.name for lesson in LESSONS))


def test_the_document_names_every_check_that_can_be_left_out() -> None:
    assert set(re.findall(r"--without ([a-z]+)", DOCUMENT.read_text())) == set(CHECKS)


def test_other_commands_of_the_document_print_what_it_says() -> None:
    others = [command for command in blocks() if not re.fullmatch(r"lab run \w+ --link \w+", command)]
    assert "lab list" in others
    for command in others:
        done = run(command)
        assert skeleton(blocks()[command]) == skeleton(done.output)
        assert done.exit_code == (1 if "--without" in command else 0)
