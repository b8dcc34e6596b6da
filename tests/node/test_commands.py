"""Commands: parsing is the only way in, strict and clear."""

import pytest

from conclave.errors import LocalError
from conclave.node import commands
from conclave.node.files_commands import FileAccept, FileCancel, FileList, FileOffer


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
        ("say", {"to": "@burak"}, "text"),
        ("say", {"to": "@burak", "text": "x", "loud": True}, "loud"),
        ("say", {"to": "@burak", "text": "x" * 70_001}, "text"),
        ("say", {"to": "@burak", "text": ""}, "text"),
        ("say", ["@burak", "x"], "say"),
        ("lines", {"conversation": "#ops", "limit": 0}, "limit"),
        ("lines", {"conversation": "#ops", "limit": 10**9}, "limit"),
        ("lobby.open", {"name": "x" * 141}, "name"),
        ("file.offer", {"to": "@burak", "path": ""}, "path"),
        ("file.offer", {"to": "@burak", "path": "/" * 4097}, "path"),
        ("file.accept", {"id": "../x", "into": "/"}, "id"),
        ("file.accept", {"id": "abc", "into": "/"}, "id"),
        ("file.cancel", {"id": "a" * 33}, "id"),
    ],
)
def test_what_is_wrong_is_named(method: str, params: object, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        commands.parse(method, params)
