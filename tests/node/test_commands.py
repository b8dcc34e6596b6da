"""Commands: parsing is the only way in, strict and clear."""

import pytest

from conclave.errors import LocalError
from conclave.node import commands


def test_every_command_survives_the_wire() -> None:
    examples: list[commands.Command] = [
        commands.Say("@burak", "hello", wait=True, timeout=3.0, at="127.0.0.1:1"),
        commands.Lines("#ops", after=7),
        commands.LobbyOpen("ops", ("@burak", "@cem")),
        commands.AnswerTo("ayse", accept=False, block=True),
        commands.Status(),
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
    ],
)
def test_what_is_wrong_is_named(method: str, params: object, complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        commands.parse(method, params)
