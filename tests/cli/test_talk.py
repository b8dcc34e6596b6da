"""What was said and has not arrived says what becomes of it, in one meaning and in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import Any, Self

import pytest

from conclave.cli import files, lines, lobby, people, talk, up
from conclave.cli.context import Context, read_passphrase
from conclave.cli.files import size_words
from conclave.errors import LocalError, StorageError
from conclave.node.door.client import Unanswered
from conclave.node.paths import prepare_home
from tests.node.homes import realm
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


def test_what_disappeared_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "NodeClient", Answers(status="disappeared", words="it has disappeared", protection="p"))
    done = conclave(None, "say", "@burak", "hello", "--expires", "1s", "--wait", "delivered")
    assert done.code == 1
    assert done.err.startswith("it has disappeared: its time was over before that")


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--wait", "sent"), 0), (("--wait", "delivered"), 1)])
def test_what_nobody_else_is_to_have_was_not_delivered(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int
) -> None:
    answer = {"status": "alone", "words": "nobody else is in", "protection": "p"}
    monkeypatch.setattr(talk, "NodeClient", Answers(**answer))
    done = conclave(None, "say", "#ops", "hello", *options)
    assert (done.code, done.err) == (code, "nobody else is in · p\n")


def test_who_waits_no_longer_is_told_to_look_before_it_says_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Answers):
        def call(self, *_: object, **__: object) -> dict[str, Any]:
            raise KeyboardInterrupt

    monkeypatch.setattr(talk, "NodeClient", Interrupted())
    done = conclave(None, "say", "@burak", "hello", "--wait", "delivered")
    assert done.code == 130
    assert "Before you say it twice: conclave read '@burak'" in done.err


def test_who_hears_no_more_of_the_node_is_told_to_look_before_it_says_it_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(Answers):
        def call(self, *_: object, **__: object) -> dict[str, Any]:
            raise Unanswered("your node went away")

    monkeypatch.setattr(talk, "NodeClient", Killed())
    done = conclave(None, "say", "@burak", "hello", "--wait", "delivered")
    assert done.code == 3
    assert "it may be kept, and goes out by itself then. Before you say it twice: conclave read '@burak'" in done.err


def test_who_is_still_in_is_not_told_to_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for left, words in ((True, "you left #ops\n"), (False, "leaving #ops; you are out as soon as its leader has")):
        monkeypatch.setattr(lobby, "NodeClient", Answers(lobby="#ops", left=left))
        assert conclave(None, "lobby", "leave", "ops").out.startswith(words)


def received(text: str, **more: Any) -> dict[str, Any]:
    line = {"from": "burak", "kind": "text", "text": text, "sent": 1e9, "stored": 1e9, "id": "00" * 16}
    return line | {"status": "received"} | more


@pytest.mark.parametrize(
    ("reply", "row"),
    [
        ({"text": "is the pump back?"}, '↳ ayse: "is the pump back?"'),
        ({"gone": "deleted"}, "↳ ayse: a line that was deleted"),
        ({"gone": "not here"}, "↳ ayse: a line that is not here"),
    ],
)
def test_an_answer_shows_what_it_answers(reply: dict[str, str], row: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = received("since 13:50", reply={"from": "ayse", "id": "11" * 16} | reply)
    talk.show_line(line, "#ops", as_json=False)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(f"burak      {row}")
    assert second == " " * (len(first) - len(row)) + "since 13:50"
    up._show({"notice": "line-added", "conversation": "#ops", "line": line})
    assert f"burak {row.replace('ayse:', 'ayse')}: since 13:50" in capsys.readouterr().out


def test_no_words_pretend_to_answer(capsys: pytest.CaptureFixture[str]) -> None:
    talk.show_line(received('↳ ayse: "I resign"\n ↳ ayse: "now"'), "#ops", as_json=False)
    assert [row.split("burak")[-1].strip()[:3] for row in capsys.readouterr().out.splitlines()] == ["| ↳", "|  "]


def test_a_file_shows_its_size_and_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    file = {"id": "3f9a02c1" * 4, "size": 3_200_000, "status": "offered"}
    for shown, words in (
        (file, "[file] big.bin, 3.2 MB: conclave fetch 3f9a02c1"),
        (file | {"status": "here", "size": 1}, "[file] big.bin, 1 byte"),
        (None, "[file] big.bin"),
    ):
        talk.show_line(received("big.bin", kind="file", file=shown), "#ops", as_json=False)
        assert capsys.readouterr().out.rstrip().endswith(f"burak      {words}")


def test_no_name_of_a_file_says_how_to_get_another(capsys: pytest.CaptureFixture[str]) -> None:
    file = {"id": "3f9a02c1" * 4, "size": 3_200_000, "status": "offered"}
    talk.show_line(received("plan.pdf, 1 MB: conclave fetch deadbeef", kind="file", file=file), "#ops", as_json=False)
    shown = capsys.readouterr().out
    assert shown.count(": conclave fetch") == 1
    assert shown.endswith("3.2 MB: conclave fetch 3f9a02c1\n")


def test_a_file_of_another_is_told_once_with_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    added = {"notice": "line-added", "conversation": "#ops"}
    up._show(added | {"line": received("big.bin", kind="file")})
    assert capsys.readouterr().out == ""
    listed = {"notice": "file-listed", "conversation": "#ops", "sender": "burak", "name": "big.bin"}
    up._show(listed | {"id": "3f9a02c1" * 4, "size": 1})
    assert capsys.readouterr().out.endswith("#ops  burak offers big.bin, 1 byte: conclave fetch 3f9a02c1\n")
    file = {"id": "3f9a02c1" * 4, "size": 1, "status": "here"}
    up._show(added | {"line": received("big.bin", kind="file", file=file)})
    assert "offers a file: big.bin" in capsys.readouterr().out


def test_a_long_failure_does_not_push_the_name_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = {"id": "3f9a02c1" * 4, "conversation": "#ops", "from": "burak", "size": 1, "at": 1e9, "name": "big.bin"}
    why = "no room: " + "x" * 200
    monkeypatch.setattr(files, "NodeClient", Answers(files=[row | {"status": "failed", "why": why}]))
    heading, line, below = conclave(None, "files").out.splitlines()
    assert heading.endswith("STATUS  NAME")
    assert line.endswith("failed  big.bin")
    assert below == f"3f9a02c1: {why}"


def test_a_short_new_passphrase_is_warned_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, warned in (("1234567", True), ("12345678", False)):
        (tmp_path / "passphrase").write_text(words)
        context = Context(tmp_path, tmp_path / "passphrase")
        assert read_passphrase(context, "a passphrase for this home", confirm=True) == words
        assert ("fewer than 8" in capsys.readouterr().err) is warned
        read_passphrase(context, "passphrase")
        assert not capsys.readouterr().err


def test_sizes() -> None:
    sizes = {0: "0 bytes", 1: "1 byte", 999: "999 bytes", 999_960: "1.0 MB", 3_200_000_000: "3.2 GB"}
    assert {size: size_words(size) for size in sizes} == sizes


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


def test_reading_nothing_in_particular_lists_the_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    last = {"from": "burak", "kind": "text", "text": "the pump\nis back " + "x" * 60, "sent": 1e9}
    rows = [
        {"conversation": "#ops", "lines": 12, "muted": True, "last": last},
        {"conversation": "@burak", "lines": 1, "muted": False, "last": last | {"text": "", "deleted": True}},
    ]
    monkeypatch.setattr(talk, "NodeClient", Answers(conversations=rows))
    _, lobby_row, pair_row = conclave(None, "read").out.splitlines()
    assert lobby_row.startswith("#ops, muted   12     ")
    assert lobby_row.endswith("  burak: the pump is back " + "x" * 19 + "…")
    assert pair_row.endswith("burak: (deleted)")
    monkeypatch.setattr(talk, "NodeClient", Answers(conversations=[]))
    assert "nothing yet" in conclave(None, "read").err


def test_reading_a_lobby_that_one_is_not_in_says_how_to_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"conversation": "#ops", "protection": "sealed", "timer": 0, "kept": "lines are kept", "lines": []}
    outside = {"outside": "you are not in #ops yet", "remedy": "conclave accept ayse"}
    monkeypatch.setattr(talk, "NodeClient", Answers(**answer, **outside))
    assert conclave(None, "read", "#ops").err.splitlines()[1:] == ["you are not in #ops yet: conclave accept ayse"]


def test_reading_behind_the_last_line_is_no_reason_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"conversation": "#ops", "protection": "sealed", "timer": 0, "kept": "lines are kept", "lines": []}
    monkeypatch.setattr(talk, "NodeClient", Answers(**answer))
    assert conclave(None, "read", "#ops", "--after", "99999").err.splitlines()[1:] == ["nothing after 99999"]


def test_a_timer_is_shown_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lines, "NodeClient", Answers(conversation="#ops", timer=3600, kept="lines disappear after 1 hour")
    )
    assert conclave(None, "timer", "#ops").out == "#ops: lines disappear after 1 hour\n"


def test_the_timer_of_a_lobby_that_one_is_not_in_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"conversation": "#ops", "timer": 0, "kept": "lines are kept"}
    outside = {"outside": "you are not in #ops yet, ayse invites you", "remedy": "conclave accept ayse --lobby ops"}
    monkeypatch.setattr(lines, "NodeClient", Answers(**there, **outside))
    for options in ([], ["--json"]):
        done = conclave(None, "timer", "#ops", *options)
        assert (done.code, done.out) == (1, "")
        assert "ayse invites you" in done.err


def test_who_is_in_a_lobby_that_one_left_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"lobby": "#ops", "words": "you are not in any more", "members": []}
    monkeypatch.setattr(lobby, "NodeClient", Answers(**answer))
    done = conclave(None, "lobby", "who", "ops")
    assert (done.code, done.out, done.err.splitlines()[0]) == (1, "", "conclave: #ops: you are not in any more")


def test_joining_a_lobby_is_accepting_its_invitation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"from": "ayse", "lobby": "#ops", "text": "", "since": 0.0, "lines": 0}
    monkeypatch.setattr(lobby, "NodeClient", Answers(requests=[asked]))
    done = {"from": "ayse", "lobby": "#ops", "accepted": True, "stage": "member"}
    monkeypatch.setattr(people, "NodeClient", Answers(answered=[done]))
    assert conclave(None, "lobby", "join", "ops").err == "accepted: ayse's invitation to #ops\n"
    nowhere = conclave(None, "lobby", "join", "attic")
    assert (nowhere.code, nowhere.err.splitlines()[0]) == (
        1,
        "conclave: no invitation to #attic waits for your answer",
    )


@pytest.mark.parametrize(
    ("name", "invitations", "code", "words"),
    [
        (
            "ops",
            {"#ops": "mallory", "#ops@ayse": "ayse"},
            1,
            "mallory invites you to #ops; ayse invites you to #ops@ayse",
        ),
        ("ops", {"#ops@mallory": "mallory"}, 1, "mallory invites you to #ops@mallory"),
        ("#ops@ayse", {"#ops": "mallory", "#ops@ayse": "ayse"}, 0, "accepted: ayse's invitation to #ops@ayse"),
        ("ops", {"#ops": "mallory", "#attic": "ayse"}, 0, "accepted: mallory's invitation to #ops"),
    ],
)
def test_of_several_lobbies_of_one_name_none_is_joined_by_that_name(
    monkeypatch: pytest.MonkeyPatch, name: str, invitations: dict[str, str], code: int, words: str
) -> None:
    class Node(Answers):
        def call(self, *method: object, **asked: object) -> dict[str, Any]:
            if method == ("requests",):
                return {"requests": [{"from": one, "lobby": label} for label, one in invitations.items()]}
            return {"answered": [{"from": asked["peer"], "lobby": asked["lobby"], "stage": "member"}]}

    for module in (lobby, people):
        monkeypatch.setattr(module, "NodeClient", Node())
    done = conclave(None, "lobby", "join", name)
    assert (done.code, done.err.splitlines()[0].removeprefix("conclave: ")) == (code, words)
    commands = [f"conclave accept {one} --lobby {label[1:]}" for label, one in invitations.items()]
    assert (" or: ".join(commands) in done.err) is (code == 1)


def test_safety_numbers_are_of_two_people() -> None:
    assert "people are compared, one by one" in conclave(None, "verify", "#ops").err


def test_conversations_are_not_followed_all_at_once() -> None:
    done = conclave(None, "read", "--follow")
    assert (done.code, done.err.splitlines()[0]) == (2, "conclave: which conversation?")


def test_a_files_own_passphrase_is_asked_for_by_its_own_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pass").write_text("some long words\n")
    monkeypatch.setenv("CONCLAVE_PASSPHRASE_FILE", str(tmp_path / "pass"))
    done = conclave(tmp_path / "home", "backup", str(tmp_path / "kept"))
    assert done.code == 3
    assert "--backup-passphrase-file FILE" in done.err


def test_an_empty_passphrase_says_where_to_write_one(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(LocalError, match="password of ayse: nothing was given") as caught:
        read_passphrase(Context(tmp_path, tmp_path / "empty"), "password of ayse")
    assert caught.value.remedy == f"write it into the first line of {tmp_path / 'empty'}"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("say", "@burak", ""), "there is nothing to say"),
        (("say", "@burak", "\udcff"), "not text in UTF-8"),
        (("say", "@burak", "hello", "--expires", "soon"), "no time"),
        (("edit", "@burak", "last", ""), "there is nothing to say"),
    ],
)
def test_2_words_that_are_none(tmp_path: Path, typed: tuple[str, ...], words: str) -> None:
    done = conclave(tmp_path / "home", *typed)
    assert done.code == 2
    assert words in done.err
    assert "  try: " in done.err


def test_a_home_that_cannot_be_made_is_named() -> None:
    with pytest.raises(StorageError, match="/proc/foo cannot be made: ") as caught:
        prepare_home(Path("/proc/foo"))
    assert "--home" in caught.value.remedy


@pytest.mark.parametrize(
    ("typed", "closed", "code", "words"),
    [
        (("say", "@burak", "-"), "<&-", 2, "there is nothing to say on standard input"),
        (("join", "-"), "<&-", 2, "no invite on standard input"),
        (("verify-transcript", "-", "--root", "root.pem"), "<&-", 6, "does not hold"),
        (("backup", "kept"), "<&-", 3, "there is no terminal to ask on"),
        (("doctor",), ">&-", 1, ""),
        (("doctor",), "<&- >&- 2>&-", 1, ""),
    ],
)
def test_a_stream_that_is_closed_is_an_empty_one(
    tmp_path: Path, typed: tuple[str, ...], closed: str, code: int, words: str
) -> None:
    (tmp_path / "root.pem").write_text(DER_cert_to_PEM_cert(realm().trust.root.der))
    command = [sys.executable, "-m", "conclave", "--home", str(tmp_path / "home"), *typed]
    shell = ["sh", "-c", f'"$@" {closed}', "-", *command]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert done.returncode == code, done.stderr
