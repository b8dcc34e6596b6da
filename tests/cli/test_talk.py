"""What was said and has not arrived says what becomes of it, in one meaning and in words."""

from __future__ import annotations

from typing import Any, Self

import pytest

from conclave.cli import lobby, talk
from tests.node.screen import Done, conclave


class Answers:
    """A node that answers every call so."""

    def __init__(self, **answer: Any) -> None:
        self._answer = answer

    def __call__(self, _: object) -> Answers:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, *_: object, **__: object) -> dict[str, Any]:
        return self._answer


def said(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> Done:
    answer = {"protection": "end-to-end encrypted", "words": answer["status"]} | answer
    monkeypatch.setattr(talk, "NodeClient", Answers(**answer))
    return conclave(None, "say", "@burak", "hello")


def test_what_failed_does_not_say_that_it_goes_out_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    done = said(monkeypatch, status="not sent", why="burak does not take it", remedy="ask burak in another way")
    assert done.code == 1
    assert done.err.splitlines() == [
        "not sent (burak does not take it): it will not go out · end-to-end encrypted",
        "  try: ask burak in another way",
    ]


def test_what_waits_goes_out_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    done = said(monkeypatch, status="waiting", words="waiting for burak", why="burak is away")
    assert done.code == 0
    assert done.err.startswith("waiting for burak (burak is away): kept here, it goes out by itself")


def test_who_is_still_in_is_not_told_to_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for left, words in ((True, "you left #ops\n"), (False, "leaving #ops; you are out as soon as its leader has")):
        monkeypatch.setattr(lobby, "NodeClient", Answers(lobby="#ops", left=left))
        assert conclave(None, "lobby", "leave", "ops").out.startswith(words)


@pytest.mark.parametrize(
    ("status", "words", "shown"),
    [
        ("waiting", "waiting for burak", "[waiting for burak, goes out by itself]"),
        ("not sent", "not sent", "[not sent and will not go out: say it again]"),
        ("in mailbox", "in mailbox", "[in mailbox]"),
    ],
)
def test_lines_say_it_too(status: str, words: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = {"from": "ayse", "kind": "text", "text": "hello", "sent": 1e9, "stored": 1e9, "id": "00" * 16}
    line |= {"status": status, "words": words, "summary": words}
    talk.show_line(line, "@burak", as_json=False)
    assert capsys.readouterr().out.rstrip().endswith(shown)
    talk.show_receipts({"conversation": "@burak", "lines": [line]}, as_json=False)
    assert capsys.readouterr().out.rstrip().endswith(shown[1:-1])
