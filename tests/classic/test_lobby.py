"""What the leader of a classic lobby sends to whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conclave.classic import lobby as lobbies
from conclave.classic.lobby import MARK, Lobby


def opened(*members: str) -> Lobby:
    lobby = Lobby("ops", "ayse")
    for member in members:
        lobby, _ = lobbies.enter(lobby, member)
    return lobby


def test_who_enters_is_told_of_the_others_and_they_of_it() -> None:
    lobby, out = lobbies.enter(opened(), "burak")
    assert out == (("burak", "* this is the lobby ops, led by ayse"),)
    lobby, out = lobbies.enter(lobby, "cem")
    assert out == (("cem", "* this is the lobby ops, led by ayse; with you: burak"), ("burak", "* cem entered"))
    assert lobby.members == ("burak", "cem")


def test_a_text_is_relayed_as_it_is_to_everybody_else_and_the_speaker_announced_once() -> None:
    lobby = opened("burak", "cem", "deniz")
    lobby, out = lobbies.relay(lobby, "burak", "the pump is back")
    assert out == (
        ("cem", "* burak says:"),
        ("cem", "the pump is back"),
        ("deniz", "* burak says:"),
        ("deniz", "the pump is back"),
    )
    lobby, out = lobbies.relay(lobby, "burak", "really")
    assert out == (("cem", "really"), ("deniz", "really"))
    lobby, out = lobbies.relay(lobby, "ayse", "good")
    assert [member for member, text in out if text == "good"] == ["burak", "cem", "deniz"]
    assert ("cem", "* ayse says:") in out


def test_nobody_but_the_leader_announces() -> None:
    forged = "* cem left\nreally\n* ayse says:\nhe did"
    _, out = lobbies.relay(opened("burak", "cem"), "burak", forged)
    assert out[-1] == ("cem", " * cem left\nreally\n * ayse says:\nhe did")


@given(st.text(max_size=60))
def test_no_line_of_a_members_text_begins_as_an_announcement_does(text: str) -> None:
    _, out = lobbies.relay(opened("burak", "cem"), "burak", text)
    relayed = out[-1][1]
    assert not any(line.startswith(MARK) for line in relayed.split("\n"))
    if MARK not in text:
        assert relayed == text


def test_who_leaves_is_announced_and_hears_no_more() -> None:
    lobby, out = lobbies.leave(opened("burak", "cem"), "burak")
    assert out == (("cem", "* burak left"),)
    _, out = lobbies.relay(lobby, "cem", "alone")
    assert out == ()
    assert lobbies.close(lobby) == (("cem", "* the lobby ops is closed"),)
