"""Classic conversations, without links: who asks whom, what waits, who is in a lobby, and what is kept of it."""

from __future__ import annotations

from typing import TypeVar

import pytest

from conclave.classic.calls import Desk, Stage
from conclave.classic.desk import ASKING_MOST, HASTE_SECONDS, LOBBIES_MOST, SNUB_SECONDS, WAITING_TEXTS, step
from conclave.classic.events import Answer, Ending
from conclave.classic.happenings import (
    AnswerCall,
    Called,
    CloseLobby,
    Connected,
    Dial,
    Effect,
    Ended,
    Event,
    Gather,
    Hang,
    HangUp,
    Heard,
    Keep,
    Mark,
    Remember,
    Reply,
    Say,
    Send,
    Status,
    TellAnswered,
    TellAsked,
    Unblock,
    Unsent,
)
from conclave.errors import LocalError

NOW = 1_000.0
ID = bytes(16)
T = TypeVar("T")


class Player:
    """A desk, and what was to be done after each event."""

    def __init__(self, me: str = "ayse") -> None:
        self.desk = Desk(me)
        self.now = NOW

    def do(self, event: Event) -> list[Effect]:
        self.desk, effects = step(self.desk, event, self.now)
        return effects

    def dial(self, effects: list[Effect]) -> int:
        return only(effects, Dial).link

    def chat(self, peer: str) -> int:
        """An open link that we dialled."""
        link = self.dial(self.do(Say(f"@{peer}", ID, "hello")))
        self.do(Connected(link))
        return link


def only(effects: list[Effect], kind: type[T]) -> T:
    (found,) = [effect for effect in effects if isinstance(effect, kind)]
    return found


def kept(effects: list[Effect]) -> list[tuple[str, str, str, str]]:
    return [(e.conversation, e.sender, e.text, e.status.value) for e in effects if isinstance(e, Keep)]


def test_a_first_text_waits_for_the_answer_and_goes_out_with_it() -> None:
    player = Player()
    effects = player.do(Say("@burak", ID, "hello"))
    assert kept(effects) == [("legacy:@burak", "ayse", "hello", "waiting")]
    link = player.dial(effects)
    assert link < 0
    player.do(Say("@burak", bytes(15) + b"1", "are you there?"))
    effects = player.do(Connected(link))
    assert [e.text for e in effects if isinstance(e, Send)] == ["hello", "are you there?"]
    assert {e.status for e in effects if isinstance(e, Mark)} == {Status.SENT}
    assert only(effects, TellAnswered).answer == "accepted"
    assert only(effects, Remember).accepted == {"burak"}
    effects = player.do(Say("@burak", ID, "again"))
    assert kept(effects) == [("legacy:@burak", "ayse", "again", "sent")]
    assert only(effects, Send) == Send(link, "again", 3, "legacy:@burak", ID)


@pytest.mark.parametrize(
    ("ending", "told", "words"),
    [
        (Ending.REJECTED, "rejected", "burak said no"),
        (Ending.BUSY, "busy", "burak is busy"),
        (Ending.CERTIFICATE, "", "no legacy link to burak: why"),
    ],
)
def test_a_call_that_fails_marks_what_waited(ending: Ending, told: str, words: str) -> None:
    player = Player()
    link = player.dial(player.do(Say("@burak", ID, "hello")))
    effects = player.do(Ended(link, ending, "why"))
    assert Mark("legacy:@burak", ID, Status.FAILED) in effects
    assert kept(effects)[0][2] == words
    assert [e.answer for e in effects if isinstance(e, TellAnswered)] == ([told] if told else [])
    assert player.desk.calls == {}


def test_somebody_asks_and_is_accepted_and_again_without_asking() -> None:
    player = Player("burak")
    effects = player.do(Called(1, "ayse"))
    assert only(effects, TellAsked).peer == "ayse"
    effects = player.do(AnswerCall("ayse", accept=True))
    assert only(effects, Reply) == Reply(1, Answer.OK)
    player.do(Connected(1))
    assert kept(player.do(Heard(1, "hello"))) == [("legacy:@ayse", "ayse", "hello", "received")]
    player.do(Ended(1, Ending.EXHAUSTED, "used up"))
    effects = player.do(Called(2, "ayse", busy=True))
    assert only(effects, Reply) == Reply(2, Answer.OK)  # known already: no new request


def test_somebody_asks_and_is_rejected_snubbed_blocked_and_unblocked() -> None:
    player = Player("burak")
    player.do(Called(1, "ayse"))
    assert only(player.do(AnswerCall("ayse", accept=False)), Reply).answer is Answer.REJECT
    effects = player.do(Called(2, "ayse"))
    assert effects == [Reply(2, Answer.REJECT)]  # and nobody is asked again so soon
    player.now += SNUB_SECONDS + 1
    assert only(player.do(Called(3, "ayse")), TellAsked)
    remembered = only(player.do(AnswerCall("ayse", accept=False, block=True)), Remember)
    assert remembered.blocked == {"ayse"}
    player.now += 10 * SNUB_SECONDS
    assert player.do(Called(4, "ayse")) == [Reply(4, Answer.REJECT)]
    with pytest.raises(LocalError, match="blocked"):
        player.do(Say("@ayse", ID, "hello"))
    player.do(Unblock("ayse"))
    assert only(player.do(Called(5, "ayse")), TellAsked)


def test_whoever_was_rejected_and_is_called_is_not_turned_away_any_more() -> None:
    player = Player("burak")
    player.do(Called(1, "ayse"))
    player.do(AnswerCall("ayse", accept=False))
    link = player.dial(player.do(Say("@ayse", ID, "on second thoughts")))
    player.do(Connected(link))
    player.do(Ended(link, Ending.DONE, "gone"))
    assert only(player.do(Called(2, "ayse")), Reply).answer is Answer.OK


def test_calling_and_hanging_up_fills_no_history() -> None:
    player = Player("burak")
    assert only(player.do(Called(1, "ayse")), TellAsked)
    assert player.do(Called(2, "ayse")) == [Hang(1)]  # asks still, on another link, and is not told anew
    player.do(Ended(1, Ending.DONE, "hung up"))
    player.do(Ended(2, Ending.TRUNCATED, "cut"))
    assert player.do(Called(3, "ayse")) == [Reply(3, Answer.BUSY)]
    player.now += HASTE_SECONDS + 1
    assert only(player.do(Called(4, "ayse")), TellAsked)
    assert only(player.do(AnswerCall("ayse", accept=True)), Reply) == Reply(4, Answer.OK)


def test_who_is_busy_turns_new_requests_away() -> None:
    player = Player("burak")
    assert player.do(Called(1, "ayse", busy=True)) == [Reply(1, Answer.BUSY)]
    assert player.desk.calls == {}


def test_so_many_may_ask_at_once() -> None:
    player = Player("burak")
    for number in range(ASKING_MOST):
        assert only(player.do(Called(number + 1, f"p{number}")), TellAsked)
    assert player.do(Called(99, "late")) == [Reply(99, Answer.BUSY)]


def test_saying_something_to_who_asks_accepts_them() -> None:
    player = Player("burak")
    player.do(Called(1, "ayse"))
    effects = player.do(Say("@ayse", ID, "of course"))
    assert only(effects, Reply).answer is Answer.OK
    assert only(player.do(Connected(1)), Send).text == "of course"


def test_an_answer_to_nobody_is_an_error() -> None:
    for accept in (True, False):
        with pytest.raises(LocalError, match="does not ask"):
            Player().do(AnswerCall("burak", accept=accept))
    with pytest.raises(LocalError, match="that is you"):
        Player().do(Say("@ayse", ID, "me"))


def test_a_caller_who_gives_up_is_not_asked_about_any_more() -> None:
    player = Player("burak")
    player.do(Called(1, "ayse"))
    player.do(Ended(1, Ending.TRUNCATED, "cut"))
    with pytest.raises(LocalError):
        player.do(AnswerCall("ayse", accept=True))


def test_of_two_calls_at_once_that_of_the_smaller_handle_stays() -> None:
    ayse, burak = Player("ayse"), Player("burak")
    ours = ayse.dial(ayse.do(Say("@burak", ID, "from ayse")))
    theirs = burak.dial(burak.do(Say("@ayse", ID, "from burak")))
    assert ayse.do(Called(1, "burak")) == [Reply(1, Answer.BUSY)]
    effects = burak.do(Called(1, "ayse"))
    assert only(effects, Hang).link == theirs
    assert only(effects, Reply) == Reply(1, Answer.OK)
    assert burak.do(Ended(theirs, Ending.BUSY, "busy")) == []
    assert only(burak.do(Connected(1)), Send).text == "from burak"
    assert only(ayse.do(Connected(ours)), Send).text == "from ayse"


def test_a_peer_that_connects_anew_has_forgotten_the_other_link() -> None:
    player = Player()
    link = player.chat("burak")
    effects = player.do(Called(1, "burak"))
    assert only(effects, Hang).link == link
    assert only(effects, Reply) == Reply(1, Answer.OK)
    assert player.do(Ended(link, Ending.DONE, "gone")) == []


def test_a_link_that_ends_is_told_in_the_history() -> None:
    player = Player()
    link = player.chat("burak")
    effects = player.do(Ended(link, Ending.TRUNCATED, "the connection was cut"))
    assert kept(effects)[0][2] == "legacy link with burak ended: the connection was cut"
    assert player.do(Heard(link, "late")) == []
    assert player.do(Connected(link)) == [Hang(link)]
    effects = player.do(Say("@burak", ID, "anew"))
    assert only(effects, Dial).peer == "burak"


def test_hanging_up() -> None:
    player = Player()
    link = player.chat("burak")
    assert only(player.do(HangUp("burak")), Hang).link == link
    with pytest.raises(LocalError, match="no legacy link"):
        player.do(HangUp("burak"))


def test_what_waits_for_one_link_is_bounded() -> None:
    player = Player()
    for number in range(WAITING_TEXTS):
        player.do(Say("@burak", number.to_bytes(16), "hello"))
    with pytest.raises(LocalError, match="wait"):
        player.do(Say("@burak", bytes(16), "one more"))


def test_at_999999_a_new_handshake_follows_and_the_text_that_did_not_fit_goes_out_on_it() -> None:
    player = Player()
    link = player.chat("burak")
    player.do(Say("@burak", ID, "does not fit"))
    again = player.dial(player.do(Ended(link, Ending.EXHAUSTED, "used up")))
    assert again != link
    effects = player.do(Unsent("burak", "does not fit", "legacy:@burak", ID, 1, again=True))
    assert effects == [Mark("legacy:@burak", ID, Status.WAITING)]
    assert only(player.do(Connected(again)), Send).text == "does not fit"
    effects = player.do(Unsent("burak", "sent late", "legacy:@burak", ID, 1, again=True))
    assert only(effects, Send).link == again


def test_a_text_that_met_the_end_of_its_link_is_not_sent() -> None:
    player = Player()
    link = player.chat("burak")
    player.do(Ended(link, Ending.DONE, "gone"))
    failed = [Mark("legacy:@burak", ID, Status.FAILED)]
    assert player.do(Unsent("burak", "x", "legacy:@burak", ID, 1, again=False)) == failed
    assert player.do(Unsent("burak", "relayed", "", b"", 1, again=False)) == []
    effects = player.do(Unsent("burak", "x", "legacy:@burak", ID, 1, again=True))  # who was dialled writes: it dials
    assert only(effects, Dial).peer == "burak"


# Lobbies.


def lobby(player: Player, *members: str) -> list[int]:
    effects = player.do(Gather("ops", members))
    links = [effect.link for effect in effects if isinstance(effect, Dial)]
    for link in links:
        player.do(Connected(link))
    return links


def test_a_lobby_is_gathered_and_relays() -> None:
    player = Player()
    burak, cem = lobby(player, "burak", "cem")
    effects = player.do(Heard(burak, "the pump is back"))
    assert kept(effects) == [("legacy:#ops", "burak", "the pump is back", "received")]
    assert [(e.link, e.text) for e in effects if isinstance(e, Send)] == [
        (cem, "* burak says:"),
        (cem, "the pump is back"),
    ]
    effects = player.do(Say("#ops", ID, "thanks"))
    assert kept(effects) == [("legacy:#ops", "ayse", "thanks", "sent")]
    assert [e.link for e in effects if isinstance(e, Send) and e.text == "thanks"] == [burak, cem]
    effects = player.do(Ended(cem, Ending.DONE, "the other side ended the connection"))
    assert kept(effects)[0][2] == "cem left: the other side ended the connection"
    assert (only(effects, Send).link, only(effects, Send).text) == (burak, "* cem left")
    effects = player.do(CloseLobby("ops"))
    assert only(effects, Send).text == "* the lobby ops is closed"
    assert only(effects, Hang).link == burak
    assert player.desk.lobbies == {}
    assert player.do(Ended(burak, Ending.DONE, "hung up")) == []


def test_a_lobby_goes_on_without_who_says_no() -> None:
    player = Player()
    effects = player.do(Gather("ops", ("burak", "cem")))
    burak, cem = (effect.link for effect in effects if isinstance(effect, Dial))
    assert ("legacy:#ops", "burak", "burak said no", "received") in kept(
        player.do(Ended(burak, Ending.REJECTED, "no"))
    )
    player.do(Connected(cem))
    assert only(player.do(Say("#ops", ID, "hello")), Keep)
    assert player.desk.lobbies["ops"].members == ("cem",)
    (again,) = lobby(player, "burak")
    assert player.desk.calls[again].stage is Stage.OPEN


def test_a_member_of_a_lobby_whose_numbers_are_used_up_is_called_again() -> None:
    player = Player()
    (link,) = lobby(player, "burak")
    again = player.dial(player.do(Ended(link, Ending.EXHAUSTED, "used up")))
    assert player.desk.calls[again].lobby == "ops"
    player.do(Say("#ops", ID, "meanwhile"))  # and only then it is known that something said before could not leave
    assert player.do(Unsent("burak", "relayed", "", b"", 1, again=True)) == []
    effects = player.do(Connected(again))  # nothing is lost, nobody left or entered
    assert [e.text for e in effects if isinstance(e, Send)] == ["relayed", "* ayse says:", "meanwhile"]
    again = player.dial(player.do(Ended(again, Ending.EXHAUSTED, "used up")))
    assert kept(player.do(Ended(again, Ending.BUSY, "busy")))[0][2] == "burak left: busy"
    assert player.desk.lobbies["ops"].members == ()


def test_one_link_for_each_peer() -> None:
    player = Player()
    pair = player.chat("burak")
    effects = player.do(Gather("ops", ("burak",)))
    assert only(effects, Hang).link == pair
    with pytest.raises(LocalError, match="is in your legacy lobby"):
        player.do(Say("@burak", ID, "hello"))
    with pytest.raises(LocalError, match="is in your legacy lobby"):
        player.do(Gather("other", ("burak",)))


def test_what_cannot_be_done_with_lobbies() -> None:
    player = Player()
    for command in (Say("#ops", ID, "x"), CloseLobby("ops")):
        with pytest.raises(LocalError, match="no legacy lobby"):
            player.do(command)
    with pytest.raises(LocalError, match="at most"):
        player.do(Gather("ops", tuple(f"p{number}" for number in range(65))))
    for number in range(LOBBIES_MOST):
        player.do(Gather(f"ops{number}", ()))
    with pytest.raises(LocalError, match="you lead"):
        player.do(Gather("ops", ()))
