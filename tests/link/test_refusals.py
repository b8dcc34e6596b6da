"""Who is not let in, over real TLS: each side's verdict, and the word that the other side gets to hear."""

from __future__ import annotations

from typing import Any

import pytest

from conclave.link.state import State
from conclave.wire.link import CloseReason
from tests.link.identities import Verifier, context, leaf, usual
from tests.link.pair import Pair

ELSEWHERE = {"issuer": "Ward 8"}
BAD: dict[str, tuple[dict[str, Any], CloseReason, CloseReason]] = {
    # what is wrong, our verdict, what the other side learns (TLS has no alert for "not yet valid")
    "wrong authority": (ELSEWHERE, CloseReason.UNKNOWN_AUTHORITY, CloseReason.UNKNOWN_AUTHORITY),
    "self-signed": ({"self_signed": True}, CloseReason.UNKNOWN_AUTHORITY, CloseReason.UNKNOWN_AUTHORITY),
    "expired": ({"starts": -20}, CloseReason.EXPIRED, CloseReason.EXPIRED),
    "not yet valid": ({"starts": 2}, CloseReason.NOT_YET_VALID, CloseReason.BAD_CERTIFICATE),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("server", [False, True], ids=["dialler", "listener"])
def test_a_bad_certificate_is_refused_by_either_side(name: str, server: bool) -> None:
    how, verdict, heard = BAD[name]
    bad = context(leaf("mallory", **how), server=server)
    pair = Pair(listener=bad) if server else Pair(dialler=bad)
    pair.run()
    judge, judged = (pair.ayse, pair.burak) if server else (pair.burak, pair.ayse)
    assert judge.opened is None
    assert judged.opened is None
    assert judge.closed is not None
    assert judged.closed is not None
    assert (judge.closed.reason, judge.closed.by_us) == (verdict, True)
    assert (judged.closed.reason, judged.closed.by_us) == (heard, False)
    assert "certificate" in judged.closed.text


def test_no_certificate_at_all() -> None:
    pair = Pair(dialler=context(None, server=False)).run()
    assert pair.burak.closed is not None
    assert pair.ayse.closed is not None
    assert pair.burak.closed.reason is pair.ayse.closed.reason is CloseReason.BAD_CERTIFICATE


def test_a_context_that_forgot_to_ask_for_a_certificate_lets_nobody_in() -> None:
    forgetful = context(leaf("burak"), server=True, checks=False)
    pair = Pair(listener=forgetful, dialler=context(None, server=False)).run()
    assert pair.burak.closed is not None
    assert pair.burak.closed.reason is CloseReason.BAD_CERTIFICATE
    assert pair.burak.opened is None
    assert pair.ayse.opened is None


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (lambda: Pair(dialler_verify=Verifier("cem")), CloseReason.UNEXPECTED_HANDLE),
        (lambda: Pair(dialler_verify=Verifier(revoked=frozenset({"burak"}))), CloseReason.REVOKED),
    ],
    ids=["other handle", "revoked"],
)
def test_the_dialler_refuses_who_answers(pair: Any, reason: CloseReason) -> None:
    made = pair().run()
    assert made.burak.opened is None
    assert made.ayse.opened is None
    assert (made.ayse.closed.reason, made.ayse.closed.by_us) == (reason, True)
    assert (made.burak.closed.reason, made.burak.closed.by_us) == (reason, False)
    assert made.burak.closed.text == made.ayse.closed.text  # the words travel too


def test_the_listener_refuses_who_dials_and_the_dialler_never_took_itself_for_accepted() -> None:
    pair = Pair(listener_verify=Verifier(revoked=frozenset({"ayse"}))).run()
    assert pair.ayse.opened is None
    assert pair.ayse.closed is not None
    assert pair.ayse.closed.reason is CloseReason.REVOKED
    assert "revoked" in pair.ayse.closed.text
    assert pair.burak.closed is not None
    assert pair.burak.link.state is State.CLOSED


def test_another_protocol_inside_tls() -> None:
    pair = Pair(dialler=context(leaf("ayse"), server=False, alpn="h2")).run()
    for end in (pair.ayse, pair.burak):
        assert end.opened is None
        assert end.closed is not None
        assert end.closed.reason is CloseReason.PROTOCOL
        assert "conclave/1" in end.closed.text


def test_verify_gets_the_leaf_and_the_time() -> None:
    seen = []

    def verify(der: bytes, now: float) -> Any:
        seen.append((der, now))
        return Verifier()(der, now)

    pair = Pair(dialler_verify=verify).run()
    assert seen == [(leaf("burak").der, pair.now)]
    assert pair.ayse.opened is not None
    assert pair.ayse.opened.peer.handle == "burak"
    assert usual("burak", server=True) is usual("burak", server=True)
