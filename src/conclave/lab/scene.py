"""What a lesson is given: a realm of its own, the story to tell, and victims, whole or careless."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from conclave.lab.classic_peer import ClassicWire, classic_wire
from conclave.lab.realm import Realm
from conclave.lab.story import Story
from conclave.lab.tls_peer import TlsWire, tls_wire
from conclave.values import dataclass, field


@dataclass(frozen=True)
class Scene:
    """One lesson's stage. ``without``: the checks that its victims leave out (``lab.careless``)."""

    realm: Realm = field(default_factory=Realm)
    without: frozenset[str] = frozenset()
    story: Story = field(default_factory=Story)

    def __post_init__(self) -> None:
        self.story.careless = bool(self.without)

    def tls(self, *, dial: bool = True) -> AbstractAsyncContextManager[TlsWire]:
        """A fresh default link between ayse and burak, with mallory in the middle."""
        return tls_wire(self.realm, self.without, dial=dial)

    def classic(self, *, dial: bool = True, first: int = 1) -> AbstractAsyncContextManager[ClassicWire]:
        """The same on the classic link; ``first``: the number of the first fragment."""
        return classic_wire(self.realm, self.without, dial=dial, first=first)
