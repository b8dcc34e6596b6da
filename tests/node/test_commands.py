"""Commands: parsing is the only way in, strict and clear."""

import pytest

from conclave.errors import LocalError, UsageError
from conclave.node.door import commands
from conclave.node.files.commands import FileAccept, FileCancel, FileList, FileOffer


def test_every_command_survives_the_wire() -> None:
    examples: list[commands.Command] = [
        commands.Say("@burak", "hello", wait=True, timeout=3.0, at="127.0.0.1:1"),
        commands.Lines("#ops", after=7),
        commands.LobbyOpen("ops", ("@burak", "@cem")),
        commands.AnswerTo("ayse", accept=False, block=True),
        commands.Status(),
        FileOffer("@burak", "/home/ayse/plan.pdf"),
        FileList("#ops"),
        FileAccept("3f9a02c1", "/home/ayse"),
        FileCancel("3f9a02c1", "#ops"),
    ]
    for command in examples:
        assert commands.parse(*commands.unparse(command)) == command


@pytest.mark.parametrize(
    ("method", "params", "complaint"),
    [
        ("shout", {}, "no command"),
        ("say", {"to": "@burak"}, "^text is missing$"),
        ("say", {"to": "@burak", "text": "x", "loud": True}, "^say takes no loud$"),
        ("say", {"to": "@burak", "text": "x" * 70_001}, "^text is too long: at most 65536 characters$"),
        ("say", {"to": "@burak", "text": ""}, "^text is empty$"),
        ("say", {"to": "@burak", "text": 7}, "^text is no text$"),
        ("file.offer", {"to": "@burak", "path": "/\udcff"}, "^path is not text in UTF-8$"),
        ("say", {"to": "@burak", "text": "x", "timeout": "soon"}, "^timeout is no number$"),
        ("say", {"to": "@burak", "text": "x", "wait": "perhaps"}, "^wait is no yes or no$"),
        ("say", {"to": "@burak", "text": "x", "goal": "read"}, "^goal must be 'sent' or 'delivered'$"),
        ("say", ["@burak", "x"], "^say takes an object of parameters$"),
        ("lines", {"conversation": "#ops", "limit": 0}, "^limit is too small: at least 1$"),
        ("lines", {"conversation": "#ops", "limit": 10**9}, "^limit is too large: at most 1000$"),
        ("lines", {"conversation": "#ops", "limit": "x"}, "^limit is no whole number$"),
        ("lobby.open", {"name": "x" * 141}, "^name is too long"),
        ("lobby.open", {"name": "x", "invited": ["@a"] * 1001}, "^invited has too many: at most 1000$"),
        ("file.offer", {"to": "@burak", "path": ""}, "^path is empty$"),
        ("file.offer", {"to": "@burak", "path": "/" * 4097}, "^path is too long"),
        ("file.accept", {"id": "../x", "into": "/"}, "^id is not made of hexadecimal digits$"),
        ("file.accept", {"id": "abc", "into": "/"}, "^id is too short: at least 4 characters$"),
        ("file.cancel", {"id": "a" * 33}, "^id is too long"),
    ],
)
def test_what_is_wrong_is_named(method: str, params: object, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        commands.parse(method, params)


@pytest.mark.parametrize(
    ("method", "params", "remedy"),
    [
        ("say", {"to": "@burak", "text": ""}, "conclave send"),
        ("react", {"conversation": "@burak", "line": "last", "sign": ""}, "one emoji"),
        ("file.accept", {"id": "abc", "into": "/"}, "conclave files"),
        ("file.offer", {"to": "@burak", "path": "/\udcff"}, "UTF-8"),
    ],
)
def test_what_to_do_about_it_is_said(method: str, params: object, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        commands.parse(method, params)
    assert remedy in caught.value.remedy
