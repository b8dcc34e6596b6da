"""A lobby on three hosts is cut in two: both halves speak, meet again, and have one history.

Real processes, sockets and links. The half that is cut off has neither the leader nor the authority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from conclave.cli.stage import DidNotHappen, Stage
from conclave.errors import ConclaveError
from tests.node.namespaces import HostStage, Network, demand_namespaces, left_behind

PEOPLE = ("ayse", "burak", "cem", "deniz")
WHERE = {"ayse": "south", "burak": "north", "cem": "north", "deniz": "centre", "authority": "centre"}
NORTH, REST = ("burak", "cem"), ("ayse", "deniz")
PATIENCE = 120.0


@pytest.fixture
def stage() -> Iterator[HostStage]:
    demand_namespaces()
    network = Network("north", "south", "centre")
    stage = HostStage(network=network, where=WHERE)
    try:
        yield stage
    finally:
        stage.close()
        network.close()
    assert not left_behind()


def opened(stage: HostStage) -> None:
    """Everybody is enrolled, up, and in a lobby that ayse leads."""
    stage.run("authority", "authority", "init", "--name", "Ward 7")
    stage.start("authority", "authority", "serve", "--listen", f"{stage.address('authority')}:0")
    for name in PEOPLE:
        invite = stage.run("authority", "authority", "invite", name).rows[0]["invite"]
        stage.run(name, "join", invite)
        stage.up(name, stage.address(name))
    stage.wait("all are online", lambda: sum(one["online"] for one in stage.ask("ayse", "who")["users"]) == 4)
    stage.run("ayse", "lobby", "open", "ops", "@burak", "@cem", "@deniz")
    for name in PEOPLE[1:]:
        stage.wait(f"{name} is asked", lambda name=name: bool(stage.ask(name, "requests")["requests"]))  # type: ignore[misc]
        stage.run(name, "accept", "ayse")
    stage.wait("all are in", lambda: all(members(stage, name) == set(PEOPLE) for name in PEOPLE))


def members(stage: Stage, name: str) -> set[str]:
    try:
        return set(stage.members(name))
    except ConclaveError:  # not in yet
        return set()


def speak(stage: Stage, half: tuple[str, ...], what: str, count: int = 3) -> set[str]:
    """Everybody in ``half`` says something, several times; all of that half have it."""
    said = set()
    for number in range(count):
        for name in half:
            text = f"{name} {what} {number}"
            stage.run(name, "say", "#ops", text, "--wait", "sent", "--timeout", "60")
            said.add(text)
    stage.wait(f"{half} have it", lambda: all(said <= words(stage, name).keys() for name in half), PATIENCE)
    return said


def words(stage: Stage, name: str) -> Counter[str]:
    return Counter(text for _, _, text in stage.spoken(name))


def one_again(stage: Stage, said: set[str]) -> bool:
    """Whether all have the same group, order and history by its places, and all that was said, once.

    Who came in anew got what was said meanwhile in whatever order the two arrived: see ADR 19.
    """
    shown = [stage.lobby(name) for name in PEOPLE]
    histories = [sorted(stage.spoken(name)) for name in PEOPLE]
    return (
        len({(one["leader"], one["check"], one["group_check"]) for one in shown}) == 1
        and not any(one["healing"] for one in shown)
        and all(history == histories[0] for history in histories)
        and all(words(stage, name) == Counter(said) for name in PEOPLE)
        and all(members(stage, name) == set(PEOPLE) for name in PEOPLE)
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lobby_cut_between_hosts_goes_on_in_both_halves_and_heals(stage: HostStage) -> None:
    opened(stage)
    said = speak(stage, PEOPLE, "before the cut", 1)
    for turn in ("first", "second"):
        said |= cut_and_healed(stage, turn, said)
        said |= speak(stage, PEOPLE, f"after the {turn} cut", 1)
    stage.wait("all have all", lambda: one_again(stage, said), PATIENCE)
    for name in PEOPLE:
        assert "Traceback" not in (stage.root / f"{name}.log").read_text()


def cut_and_healed(stage: HostStage, turn: str, before: set[str]) -> set[str]:
    """Both halves speak while the cable is out; in the end all have all of ``before`` and what was said."""
    led = stage.lobby("ayse")["leader"]
    stage.network.cut("north")
    apart = REST if led in NORTH else NORTH
    stage.wait("the half that lost its leader has one", lambda: stage.lobby(apart[0])["leader"] in apart, PATIENCE)
    north = speak(stage, NORTH, f"in the north, {turn} cut")
    rest = speak(stage, REST, f"in the rest, {turn} cut")
    assert not any(north & words(stage, name).keys() for name in REST)
    assert not any(rest & words(stage, name).keys() for name in NORTH)
    assert stage.lobby("burak")["leader"] in NORTH
    assert stage.lobby("deniz")["leader"] in REST
    stage.network.heal("north")
    said = north | rest
    try:
        stage.wait("the halves are one again", lambda: one_again(stage, before | said), PATIENCE)
    except DidNotHappen as error:
        pytest.fail(f"{error}\n{as_it_stands(stage, before | said)}")
    return said


def as_it_stands(stage: Stage, said: set[str]) -> str:
    """What everybody has and lacks, for whoever reads the failure."""
    rows = []
    for name in PEOPLE:
        shown, has = stage.lobby(name), words(stage, name)
        rows.append(
            f"{name}: leader {shown['leader']}, entries {shown['entries']}, check {shown['check']}, "
            f"group {shown['group_check']}, healing {shown['healing']}, members {stage.members(name)}, "
            f"linked {[one['handle'] for one in shown['members'] if one['linked']]}, "
            f"lacks {sorted(said - has.keys())}, twice {[text for text in has if has[text] > 1]}, "
            f"else {sorted(has.keys() - said)}, places {[seq for seq, _, _ in stage.spoken(name)]}"
        )
    return "\n".join(rows)
