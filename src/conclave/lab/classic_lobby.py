"""Lessons on a classic lobby: its leader opens what each member says and seals it anew for every other one.

Real links between the leader and two members; the leader keeps each one's six keys apart (the report's section 4).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from conclave.classic.lobby import Lobby, enter, relay
from conclave.lab.classic_peer import ClassicPeer
from conclave.lab.classic_stream import shown
from conclave.lab.classic_wire import FragmentCutter
from conclave.lab.judging import told
from conclave.lab.lesson import Lesson
from conclave.lab.middle import Middle, Way, between, until
from conclave.lab.scene import Scene
from conclave.lab.story import LinkKind
from conclave.lab.tls_identity import SECRET
from conclave.pki.profile import Profile
from conclave.values import dataclass


@dataclass(frozen=True)
class Room:
    """A lobby that mallory leads: his end of each link, the member's end, and the wire between."""

    lobby: Lobby
    leads: dict[str, ClassicPeer]
    members: dict[str, ClassicPeer]
    wires: dict[str, Middle]

    async def hears(self, member: str, text: str) -> str:
        """A member speaks; what its leader reads."""
        ear = self.leads[member]
        before = len(ear.texts)
        self.members[member].say(text)
        await ear.heard(before + 1)
        return ear.texts[-1]

    async def tell(self, member: str, *texts: str) -> None:
        """The leader sends a member something."""
        before = len(self.members[member].texts)
        self.leads[member].say(*texts)
        await self.members[member].heard(before + len(texts))


@asynccontextmanager
async def room(scene: Scene, *names: str) -> AsyncIterator[Room]:
    """Mallory calls each of ``names`` into his lobby."""
    realm = scene.realm
    async with AsyncExitStack() as stack:
        lobby = Lobby("ops", "mallory")
        made = Room(lobby, {}, {}, {})
        for name in names:
            member = ClassicPeer(name, realm.credentials(name, Profile.CLASSIC), realm)
            lead = ClassicPeer("mallory", realm.credentials("mallory", Profile.CLASSIC), realm)
            wire = await stack.enter_async_context(between(await member.listen(), FragmentCutter))
            stack.push_async_callback(member.away)
            stack.push_async_callback(lead.away)
            await lead.dial(wire.port, name)
            await until(lambda member=member: bool(member.met))  # type: ignore[misc]
            lobby, _ = enter(lobby, name)
            made.leads[name], made.members[name], made.wires[name] = lead, member, wire
        yield Room(lobby, made.leads, made.members, made.wires)


async def liar(scene: Scene) -> None:
    """The leader changes, invents, and tells two stories; a member who tries the like."""
    with scene.story.attempt("ayse's words, changed by the leader", must_fail=False) as attempt:
        async with room(scene, "ayse", "burak") as ops:
            await ops.hears("ayse", "pay cem 10")
            attempt.did(
                "reads “pay cem 10”, as ayse sealed it for him", shown(ops.wires["ayse"].passed(Way.BACK)[-1])
            )
            await ops.tell("burak", "* ayse says:", "pay mallory 10")
            attempt.did("and seals other words for burak", shown(ops.wires["burak"].passed(Way.THERE)[-1]))
            attempt.saw("burak", f"was shown {told(ops.members['burak'].texts)}; every MAC holds")
            attempt.ends(
                succeeded=ops.members["burak"].texts == ["* ayse says:", "pay mallory 10"],
                let="the MAC on burak's link is the leader's own: nothing of ayse's reaches burak",
            )
    with scene.story.attempt("two members are told two stories", must_fail=False) as attempt:
        async with room(scene, "burak", "cem") as ops:
            await ops.tell("burak", "* ayse says:", "yes")
            await ops.tell("cem", "* ayse says:", "no")
            attempt.did("says “yes” to burak and “no” to cem, both as ayse, who is not even in")
            for name in ("burak", "cem"):
                attempt.saw(name, f"was shown {told(ops.members[name].texts)}")
            attempt.ends(
                succeeded=ops.members["burak"].texts[-1] != ops.members["cem"].texts[-1],
                let="members have no link with each other, no signature and no common order to compare",
            )
    with scene.story.attempt("a member pretends to be the leader who announces ayse") as attempt:
        async with room(scene, "burak", "cem") as ops:
            text = "* ayse says:\npay cem 10"
            heard = await ops.hears("cem", text)
            _, out = relay(ops.lobby, "cem", heard)
            attempt.did(
                "cem says a text that looks like an announcement",
                shown(ops.wires["cem"].passed(Way.BACK)[-1]),
                who="cem",
            )
            await ops.tell("burak", *(words for member, words in out if member == "burak"))
            lines = [line for shown_text in ops.members["burak"].texts for line in shown_text.split("\n")]
            attempt.saw("burak", f"was shown {', '.join(f'“{line}”' for line in lines)}")
            attempt.ends(
                succeeded="* ayse says:" in lines,
                stopped="an honest leader puts a space before a member's line that begins like his own announcements",
            )


async def leader(scene: Scene) -> None:
    """What the one who carries everything can read."""
    with scene.story.attempt("what ayse says to burak through mallory's lobby", must_fail=False) as attempt:
        async with room(scene, "ayse", "burak") as ops:
            heard = await ops.hears("ayse", SECRET)
            attempt.did("gets this from ayse", shown(ops.wires["ayse"].passed(Way.BACK)[-2]))
            _, out = relay(ops.lobby, "ayse", heard)
            await ops.tell("burak", *(words for member, words in out if member == "burak"))
            attempt.did("and sends this to burak, sealed anew", shown(ops.wires["burak"].passed(Way.THERE)[-2]))
            attempt.saw("mallory", f"read “{heard}”")
            attempt.saw("burak", f"was shown {told(ops.members['burak'].texts)}")
            attempt.ends(
                succeeded=heard == SECRET,
                let="each link ends at the leader: he must open to be able to seal for the others. So does whoever "
                "breaks into his machine",
            )


LESSONS = (
    Lesson(
        "liar", "The lobby's leader lies", LinkKind.CLASSIC,
        "Members see only what their leader says that others said. Hop by hop protection is as honest as the hop.",
        liar,
        falls=True,
    ),
    Lesson(
        "leader", "What the leader can read", LinkKind.CLASSIC,
        "The report's section 4: the leader decrypts every message and encrypts it again for each member.",
        leader,
        falls=True,
    ),
)  # fmt: skip
