"""Mailboxes: who may leave what for whom, how much, how long; and that nobody touches another's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.authority import mailbox
from conclave.authority.mailbox import Deposited, acknowledge, deposit, fetch, purge
from conclave.authority.members import Member
from conclave.authority.ports import Transaction
from conclave.authority.records import Account, Held
from conclave.authority.revocation import resume, revoke, suspend
from conclave.authority.settings import AuthoritySettings
from conclave.errors import LocalError, Refused
from conclave.pki.envelope import SEALED_BYTES
from conclave.pki.names import Handle
from conclave.pki.policy import DAY
from conclave.pki.revocation import Reason
from conclave.pki.verify import GRACE_SECONDS
from conclave.store.authority import AuthorityStore
from tests.authority.desk import CONSOLE, Desk, join
from tests.pki.ward import NOW

RULES = AuthoritySettings()
SMALL = AuthoritySettings(mail_envelopes=9, mail_bytes=9000, mail_sender_bytes=5000, mail_total_bytes=12_000)


def left(
    desk: Desk, who: Member, to: str, data: bytes = b"sealed", *, now: float = NOW, rules: AuthoritySettings = RULES
) -> Deposited:
    return deposit(desk.store, who, to, data, now, rules).result()


def waiting(desk: Desk, who: Member, after: int = 0, limit: int = 64, *, now: float = NOW) -> list[bytes]:
    return [mail.data for mail in fetch(desk.store.reads, who, after, limit, now, RULES)]


def refused(reason: str, says: str, call: object) -> None:
    with pytest.raises(Refused, match=says) as caught:
        call()  # type: ignore[operator]
    assert caught.value.reason == reason
    assert caught.value.remedy


def test_oldest_first_until_acknowledged(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    ids = [left(desk, ayse, "burak", b"%d" % n).id for n in range(5)]
    assert ids == sorted(ids)
    found = fetch(desk.store.reads, burak, 0, 64, NOW, RULES)
    assert [(m.id, m.recipient, m.sender, m.at, m.data) for m in found] == [
        (id_, "burak", "ayse", NOW, b"%d" % n) for n, id_ in enumerate(ids)
    ]
    assert waiting(desk, burak, ids[1], 2) == [b"2", b"3"]
    assert waiting(desk, burak) == [b"0", b"1", b"2", b"3", b"4"], "fetching takes nothing away"
    assert acknowledge(desk.store, burak, ids[:2]).result() == (2, 3)
    assert acknowledge(desk.store, burak, ids[:3]).result() == (1, 2), "a lost answer is asked for again"
    assert waiting(desk, burak) == [b"3", b"4"]
    assert left(desk, ayse, "burak").id > ids[-1]


def test_nobody_sees_or_drops_anothers(desk: Desk) -> None:
    ayse, burak, cem = (join(desk, who) for who in ("ayse", "burak", "cem"))
    own = left(desk, ayse, "burak").id
    assert waiting(desk, cem) == waiting(desk, ayse) == []
    assert acknowledge(desk.store, cem, [own, own + 1, 1]).result() == (0, 0)
    assert acknowledge(desk.store, ayse, [own]).result() == (0, 0), "the sender does not take it back either"
    assert waiting(desk, burak) == [b"sealed"]


def test_sizes(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    left(desk, ayse, "burak", b"x" * SEALED_BYTES)
    for data in (b"", b"x" * (SEALED_BYTES + 1)):
        refused("envelope-size", "bytes", lambda d=data: left(desk, ayse, "burak", d))
    assert len(waiting(desk, burak)) == 1


def test_an_answer_has_a_size(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    for _ in range(6):
        left(desk, ayse, "burak", b"x" * SEALED_BYTES)
    assert len(waiting(desk, burak)) == mailbox.FETCH_BYTES // SEALED_BYTES
    reads = desk.store.reads
    assert len(reads.mail("burak", 0, 0, 64, 1)) == 1, "one at least, else it would wait for ever"
    for _ in range(70):
        left(desk, ayse, "burak", b"small")
    assert len(waiting(desk, burak, 12, 10_000)) == mailbox.FETCH_MOST
    assert len(waiting(desk, burak, 12, 0)) == 1


def test_quotas_by_count(desk: Desk) -> None:
    ayse, cem, deniz, elif_ = (join(desk, who) for who in ("ayse", "cem", "deniz", "elif"))
    burak = join(desk, "burak")
    for who in (ayse, cem, deniz):
        for _ in range(3):
            left(desk, who, "burak", rules=SMALL)
        refused("mailbox-full", "full", lambda w=who: left(desk, w, "burak", rules=SMALL))
    refused("mailbox-full", "^burak's mailbox is full", lambda: left(desk, elif_, "burak", rules=SMALL))
    assert left(desk, elif_, "cem", rules=SMALL).count == 1
    acknowledge(desk.store, burak, [1]).result()
    refused("mailbox-full", "your part", lambda: left(desk, cem, "burak", rules=SMALL))
    assert left(desk, ayse, "burak", rules=SMALL).count == 9


def test_quotas_by_size(desk: Desk) -> None:
    ayse, burak, cem, deniz = (join(desk, who) for who in ("ayse", "burak", "cem", "deniz"))
    kb = b"x" * 1000
    for _ in range(3):
        left(desk, ayse, "burak", kb, rules=SMALL)
    refused("mailbox-full", "your part of burak's", lambda: left(desk, ayse, "burak", b"x", rules=SMALL))
    for _ in range(2):
        left(desk, ayse, "cem", kb, rules=SMALL)
    refused("mailbox-full", "for everybody", lambda: left(desk, ayse, "deniz", kb, rules=SMALL))
    for who, to in ((burak, "cem"), (burak, "deniz"), (cem, "deniz"), (cem, "ayse"), (deniz, "ayse"), (deniz, "ayse"),
                    (burak, "ayse")):  # fmt: skip
        left(desk, who, to, kb, rules=SMALL)
    assert desk.store.reads.held() == Held(12, 12_000)
    refused("mailbox-full", "authority's room", lambda: left(desk, cem, "burak", b"x", rules=SMALL))


def test_it_waits_for_a_time_and_makes_room_then(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    for _ in range(3):
        left(desk, ayse, "burak", rules=SMALL)
    end = NOW + RULES.mail_seconds
    assert len(waiting(desk, burak, now=end - 1)) == 3
    assert waiting(desk, burak, now=end) == [], "not shown any more, though not yet purged"
    assert left(desk, ayse, "burak", now=end, rules=SMALL).count == 1, "purged to make room"
    assert purge(desk.store, end + RULES.mail_seconds, RULES).result() == 1
    assert desk.store.reads.held() == Held(0, 0)


def test_purging_holds_nobody_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "PURGE_MOST", 4)
    ayse = join(desk, "ayse")
    join(desk, "burak")
    for _ in range(10):
        left(desk, ayse, "burak")
    end = NOW + RULES.mail_seconds
    assert [purge(desk.store, end, RULES).result() for _ in range(4)] == [4, 4, 2, 0]


def test_who_is_out_neither_leaves_nor_gets(desk: Desk) -> None:
    ayse, burak = join(desk, "ayse"), join(desk, "burak")
    refused("unknown-user", "cem", lambda: left(desk, ayse, "cem"))
    suspend(desk.store, Handle("burak"), "", NOW, CONSOLE).result()
    refused("expelled-user", "burak", lambda: left(desk, ayse, "burak"))
    refused("suspended", "burak", lambda: left(desk, burak, "ayse"))
    resume(desk.store, Handle("burak"), NOW, CONSOLE).result()
    left(desk, ayse, "burak")
    revoke(desk.store, "burak", Reason.key_compromise, NOW, CONSOLE).result()
    refused("expelled-user", "burak", lambda: left(desk, ayse, "burak"))
    join(desk, "burak", now=NOW + 1)
    assert left(desk, ayse, "burak", now=NOW + 1).count == 2


def test_settings_that_cannot_work() -> None:
    for wrong in (
        {"mail_seconds": GRACE_SECONDS + 1},
        {"mail_seconds": 0},
        {"mail_bytes": 0},
        {"package_seconds": 0},
    ):
        with pytest.raises(LocalError):
            AuthoritySettings(**wrong)
    assert AuthoritySettings(mail_seconds=DAY)


HANDLES = tuple(map(Handle, ("ayse", "burak", "cem")))
LEAVE = st.tuples(st.sampled_from(HANDLES), st.sampled_from(HANDLES), st.integers(1, 50))
DONE = st.tuples(st.sampled_from(HANDLES), st.lists(st.integers(1, 30), max_size=5))
PURGE = st.integers(0, 40)


@given(steps=st.lists(st.one_of(LEAVE, DONE, PURGE), max_size=40))
@settings(max_examples=30, deadline=None)
def test_the_counts_never_drift(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[Handle, Handle, int] | tuple[Handle, list[int]] | int],
) -> None:
    """What triggers count is what a model counts, after any history."""
    model: dict[int, tuple[Handle, Handle, int, int]] = {}

    def step(transaction: Transaction) -> None:
        for handle in HANDLES:
            transaction.add_account(Account(handle, "", 0))
        for now, each in enumerate(steps):
            match each:
                case (sender, to, int(size)):
                    id_ = transaction.add_mail(to, sender, b"x" * size, now)
                    assert id_ > max(model, default=0)
                    model[id_] = (to, sender, size, now)
                case (owner, list(ids)):
                    transaction.drop_mail(owner, ids)
                    for id_ in ids:
                        if id_ in model and model[id_][0] == owner:
                            del model[id_]
                case int(before):
                    transaction.purge(before, -1, 1000)
                    for id_ in [k for k, m in model.items() if m[3] <= before]:
                        del model[id_]

    store = AuthorityStore(tmp_path_factory.mktemp("mail") / "authority.db")
    try:
        store.decide(step).result()
        for to in ("", *HANDLES):
            for sender in ("", *HANDLES):
                sizes = [m[2] for m in model.values() if to in ("", m[0]) and sender in ("", m[1])]
                assert store.reads.held(to, sender) == Held(len(sizes), sum(sizes))
        for owner in HANDLES:
            found = [m.id for m in store.reads.mail(owner, 0, -1, 1000, 1 << 30)]
            assert found == [k for k, m in sorted(model.items()) if m[0] == owner]
    finally:
        store.close()
