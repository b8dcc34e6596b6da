"""What goes into mailboxes from the store: as much at once as an envelope takes, each part named by what is in it."""

from __future__ import annotations

from conclave.chat.deeds import Deposit, DepositEntries
from conclave.chat.effects import PutEntry
from conclave.chat.events import DepositFailed
from conclave.node.sendings import deposits_of
from conclave.store.memory import MemoryStore

GROUP = b"g" * 16
MIB = 1024 * 1024


def test_parts_of_an_order_are_named_by_their_first_entry() -> None:
    """So that each that fails can be mailed again."""
    store = MemoryStore()
    for seq, size in enumerate((100, MIB, MIB, 2 * MIB, 100, 100), 1):
        store.commit([PutEntry(GROUP, seq, bytes(size))])
    parts = list(deposits_of(store, DepositEntries("cem", GROUP, 1, 6)))
    told = [(type(one), one.entry, len(one.frames) if isinstance(one, Deposit) else 1) for one in parts]
    assert told == [
        (Deposit, 1, 2), (Deposit, 3, 1), (DepositFailed, 4, 1)
    ]  # fmt: skip
    assert {(one.peer, one.group) for one in parts} == {("cem", GROUP)}
    assert [one.upto for one in parts if isinstance(one, Deposit)] == [2, 3]
