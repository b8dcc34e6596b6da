"""The record of a conversation: it holds as written, and nothing that is done to it goes unseen."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.chat.words.content import About, Delete, Edit, Offer, Pin, Reaction, Text, Timer
from conclave.chat.words.line import LineKind
from conclave.chat.words.originals import Signed, keep, read_kept
from conclave.chat.words.transcript import LABEL, LINE_BYTES, canonical, link
from conclave.chat.words.transcript_proof import (
    EARLY,
    FINDINGS_MOST,
    LATE,
    TWICE,
    Remark,
    TranscriptChanged,
    VerifiedTranscript,
    verify_transcript,
)
from conclave.crypto.signature import ED25519
from conclave.errors import ConclaveError, DecodeError, StorageError, VerificationError
from conclave.mls.group import Original
from conclave.values import replace
from tests.chat.recorded import GROUP, Talk, talk
from tests.pki.ward import NOW, make_ward, ward

ROOT = ward().trust.root


@cache
def spoken() -> tuple[Talk, list[bytes]]:
    """Everything that a history may hold, and its record."""
    made = talk("ayse", "burak", "cem")
    made.add("ayse", LineKind.NOTICE, "burak entered")
    first = made.say("ayse", Text("the pump is down", expires=3600), "the pump is back")
    made.say("burak", Text("which one? \u202e🔧", About("ayse", first)), "which one?")
    made.say("ayse", Edit(first, "the pump is back"), kind=LineKind.ABOUT)
    made.say("cem", Reaction(About("ayse", first), "👍", on=True), kind=LineKind.ABOUT)
    made.say("burak", Pin(About("ayse", first), on=True), kind=LineKind.ABOUT)
    made.say("cem", Offer("plan.pdf", 12_345, 65_536, bytes(32), bytes(32)), "plan.pdf", LineKind.FILE)
    made.say("burak", Timer(60), kind=LineKind.ABOUT)
    made.add("burak", LineKind.TEXT, deleted=True)
    made.say("burak", Delete(bytes(16)), kind=LineKind.ABOUT)
    made.say("cem", Text("y" * 60_000), "y")
    return made, made.write()


def findings(lines: list[bytes]) -> tuple[str, ...]:
    with pytest.raises(TranscriptChanged) as caught:
        verify_transcript(lines, ROOT)
    assert caught.value.remedy
    assert caught.value.reason == "transcript-changed"
    return caught.value.findings


def at(lines: list[bytes], kind: str) -> int:
    return next(n for n, line in enumerate(lines) if json.loads(line)["kind"] == kind)


def changed(lines: list[bytes], n: int, /, **fields: object) -> list[bytes]:
    """One line with other fields and all hashes anew, as somebody would who cannot sign."""
    said = [json.loads(line) for line in lines]
    said[n] |= fields
    return rechained(said)


def rechained(said: list[dict[str, Any]], key: bytes | None = None) -> list[bytes]:
    previous, out = "", []
    for number, line in enumerate(said):
        line |= {"line": number, "previous": previous}
        if line["kind"] == "end":
            line["lines"] = number
        line["hash"] = previous = link(line)
        if key is not None and line["kind"] == "end":
            line["signed"] = b64encode(ED25519.sign(key, LABEL + bytes.fromhex(previous))).decode()
        out.append(canonical(line) + b"\n")
    return out


def of_no_version() -> str:
    """Ayse's certificate, but for the version that X.509 knows."""
    der = spoken()[0].credentials["ayse"].certificate.der
    assert der.count(b"\xa0\x03\x02\x01\x02") == 1
    return b64encode(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0a")).decode()


OF_NO_VERSION = of_no_version()


def test_a_record_holds_as_it_was_written() -> None:
    _, lines = spoken()
    proven = verify_transcript(lines, ROOT)
    assert proven == VerifiedTranscript(
        "#ops",
        ward().trust.realm,
        "ayse",
        NOW + 999,
        len(lines),
        {"ayse": 2, "burak": 4, "cem": 3},
        NOW + 2,
        NOW + 11,
        (GROUP,),
        2,
        (),
    )
    shown = [json.loads(line) for line in lines]
    assert [one["kind"] for one in shown if one["kind"] != "certificate"] == [
        "transcript", "notice", "message", "message", "edit", "reaction", "pin", "file", "other", "deleted",
        "deletion", "message", "end",
    ]  # fmt: skip
    assert sum(one["kind"] == "certificate" for one in shown) == 3
    assert shown[at(lines, "message")]["words"] == "the pump is down"
    assert all(len(line) <= LINE_BYTES for line in lines)


def test_an_empty_conversation_holds() -> None:
    assert verify_transcript(talk("ayse").write(), ROOT).authors == {}


@pytest.mark.parametrize("kind", ["notice", "message", "edit", "reaction", "deletion", "certificate", "end"])
def test_a_line_that_is_left_out(kind: str) -> None:
    _, lines = spoken()
    gone = at(lines, kind)
    found = findings(lines[:gone] + lines[gone + 1 :])
    expected = "it was cut short" if kind == "end" else f"line {gone + 1} is missing"
    assert any(expected in one for one in found)


def test_lines_that_are_cut_off() -> None:
    _, lines = spoken()
    for end in range(1, len(lines)):
        assert any("cut short" in one for one in findings(lines[:end]))
    assert findings([]) == findings(lines[1:]) == ("it does not begin as a transcript does",) or findings(lines[1:])


def test_every_pair_of_lines_that_change_places() -> None:
    _, lines = spoken()
    for n in range(1, len(lines) - 1):
        swapped = [*lines[:n], lines[n + 1], lines[n], *lines[n + 2 :]]
        place = "behind the end" if n == len(lines) - 2 else "stands in another's place"
        assert any(place in one for one in findings(swapped))


def test_a_line_that_is_put_in() -> None:
    made, lines = spoken()
    n = at(lines, "message")
    assert any("was there" in one for one in findings([*lines[: n + 1], lines[n], *lines[n + 1 :]]))
    assert any("behind the end" in one for one in findings([*lines, lines[n]]))
    assert any("not as Conclave writes it" in one for one in findings([*lines[:n], b"{}x\n", *lines[n:]]))
    forged = json.loads(lines[n]) | {"words": "pay them", "previous": json.loads(lines[n])["hash"], "line": n + 1}
    forged["hash"] = link(forged)
    found = findings([*lines[: n + 1], canonical(forged), *lines[n + 1 :]])
    assert any("ayse signed something else than stands there (words)" in one for one in found)
    assert any("one of the two was put in" in one for one in found)
    assert made.write() == lines


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("message", {"words": "all is well"}, "ayse signed something else than stands there (words)"),
        ("message", {"said": 1}, "ayse signed something else than stands there (said)"),
        ("message", {"number": 7}, "ayse signed something else than stands there (number)"),
        ("message", {"id": "00" * 16}, "ayse signed something else than stands there (id)"),
        ("message", {"expires": 0}, "ayse signed something else than stands there (expires)"),
        ("message", {"aside": "x"}, "ayse signed something else than stands there (aside)"),
        ("message", {"kind": "edit"}, "ayse signed something else than stands there (kind)"),
        ("message", {"author": "burak"}, "it was signed by ayse"),
        ("message", {"content": "AAAA"}, "does not hold"),
        ("message", {"content": "!"}, "what should be base64 is not"),
        ("message", {"content": 5}, "does not hold"),
        ("message", {"signature": "AAAA"}, "signature does not verify"),
        ("message", {"signature": ""}, "signature does not verify"),
        ("message", {"certificate": "00" * 32}, "is not in the record"),
        ("message", {"certificate": None}, "'certificate' is not there"),
        ("reaction", {"sign": "👎"}, "cem signed something else than stands there (sign)"),
        ("pin", {"on": False}, "burak signed something else than stands there (on)"),
        ("deletion", {"of": "11" * 16}, "burak signed something else than stands there (of)"),
        ("edit", {"of": "11" * 16}, "ayse signed something else than stands there (of)"),
        ("file", {"size": 5}, "cem signed something else than stands there (size)"),
        ("notice", {"words": "cem left"}, "its writer's signature does not hold"),
        ("notice", {"author": 5}, "'author' is not there"),
        ("certificate", {"der": "AAAA"}, "cannot be read"),
        ("transcript", {"certificate": OF_NO_VERSION}, "not an X.509 certificate"),
        ("message", {"order": 99}, "its writer's signature does not hold"),
        ("transcript", {"conversation": "#board"}, "its writer's signature does not hold"),
        ("transcript", {"made": 5}, "its writer's certificate does not hold"),
        ("transcript", {"exporter": "burak"}, "and it names another"),
        ("transcript", {"groups": []}, "it was said in another conversation"),
        ("transcript", {"groups": 5}, "'groups' is not there"),
        ("transcript", {"certificate": "AAAA"}, "not an X.509 certificate"),
        ("end", {"gaps": "x"}, "'gaps' is not there"),
        ("end", {"signed": ""}, "its writer's signature does not hold"),
        ("end", {"kind": "transcript"}, "begins another record"),
    ],
)
def test_what_is_changed_is_found_though_all_hashes_are_made_anew(
    kind: str, fields: dict[str, object], expected: str
) -> None:
    _, lines = spoken()
    found = findings(changed(lines, at(lines, kind), **fields))
    assert any(expected in one for one in found), found
    if kind != "end":
        assert any("its writer's signature does not hold" in one or "not an X.509" in one for one in found)


def test_a_change_that_leaves_the_hashes_is_named_by_line() -> None:
    _, lines = spoken()
    n = at(lines, "notice")
    line = json.loads(lines[n]) | {"words": "cem entered"}
    assert findings([*lines[:n], canonical(line), *lines[n + 1 :]]) == (
        f"line {n + 1}, ayse's, was changed: its hash is another",
    )
    exchanged = line | {"hash": link(line)}
    found = findings([*lines[:n], canonical(exchanged), *lines[n + 1 :]])
    assert found == (f"line {n + 2} does not follow from the line before it: that one was exchanged",)


def test_a_writer_who_lies_is_caught_by_the_authors() -> None:
    made, lines = spoken()
    key = made.credentials["ayse"].key.raw()
    said = [json.loads(line) for line in lines]
    n = at(lines, "message")
    assert verify_transcript(rechained(said, key), ROOT)
    lied = [dict(one) for one in said]
    lied[n + 2]["words"] = "which one? all of them"
    assert findings(rechained(lied, key)) == (
        f"line {n + 3}, burak's, does not hold: burak signed something else than stands there (words)",
    )
    twice = [*said[: n + 1], dict(said[n]), *said[n + 1 :]]
    assert any("stands in the record twice" in one for one in findings(rechained([dict(o) for o in twice], key)))
    dropped = [dict(one) for k, one in enumerate(said) if k != at(lines, "pin")]
    assert findings(rechained(dropped, key)) == (
        "burak's message 2 from laptop are not in it, and its writer does not say so",
    )


def test_what_is_missing_is_told_by_name_and_number() -> None:
    made = talk("ayse", "burak")
    for number in range(1, 10):
        made.say("ayse" if number % 3 else "burak", Text(f"n{number}"), f"n{number}")
    del made.entries[3:5]
    proven = verify_transcript(made.write("burak"), ROOT)
    assert proven.gaps == (("ayse", "laptop", 3, 4),)
    key = made.credentials["burak"].key.raw()
    said = [json.loads(line) for line in made.write("burak")]
    said[-1]["gaps"] = [["ayse", "laptop", 3, 3], 5]
    assert findings(rechained(said, key)) == (
        "the last line tells what is missing of somebody who says nothing in the record",
        "ayse's messages 3 to 4 from laptop are not in it, and its writer does not say so",
    )


def test_two_messages_under_one_number_are_their_authors_fault() -> None:
    """Who has them cannot have made them, and would have no record of the conversation any more."""
    made = talk("ayse", "burak")
    made.say("burak", Text("one"), "one")
    made.counts["burak"] = 0
    for words in ("two", "three", "four"):
        made.say("burak", Text(words), words)
    made.counts["burak"] = 0
    made.say("burak", Text("five"), "five")
    del made.entries[2]
    proven = verify_transcript(made.write(), ROOT)
    assert proven.authors == {"burak": 4}
    assert proven.remarks == (Remark("burak", 4, 2, TWICE),)
    assert proven.gaps == (("burak", "laptop", 2, 2),)


@pytest.mark.parametrize(
    ("gone", "gaps"),
    [
        ((), ()),
        ((0, 3, 6), ()),  # before the first and behind the last of a stay nothing shows
        ((1,), (2,)),
        ((5,), (3,)),
        ((1, 5), (2, 3)),
        ((1, 4), (2, 2)),
        ((2, 3, 5), (3,)),
    ],
)
def test_who_came_in_anew_counts_from_1_again_and_what_is_missing_still_shows(
    gone: tuple[int, ...], gaps: tuple[int, ...]
) -> None:
    made = talk("ayse", "burak")
    for at in range(7):  # burak's 1 to 3, and 1 to 4
        if at == 3:
            made.anew("burak")
        made.say("burak", Text(f"n{at}"), f"n{at}")
    made.entries = [one for at, one in enumerate(made.entries) if at not in gone]
    assert verify_transcript(made.write(), ROOT).gaps == tuple(("burak", "laptop", n, n) for n in gaps)


def test_a_clock_that_was_set_back_begins_nothing_anew() -> None:
    made = talk("ayse", "burak")
    for at, said in enumerate((50, 51, 20, 52, 10)):
        made.anew()
        made.say("burak", Text(f"n{at}"), f"n{at}", at=NOW + said)
    assert verify_transcript(made.write(), ROOT).gaps == ()


def test_numbers_are_a_groups_in_a_lobby_and_go_on_in_a_pair() -> None:
    for conversation, gaps in (("#ops", (("burak", "laptop", 3, 3),)), ("@burak", ())):
        made, other = (talk("ayse", "burak", group_id=one * 16, conversation=conversation) for one in (b"g", b"h"))
        for said in (made, other):
            for _ in range(4):
                said.say("burak", Text("x"), "x", at=NOW + len(made.entries) + len(other.entries))
        made.entries = [*made.entries[:2], made.entries[3], *other.entries[2:3]]
        made.certificates |= other.certificates
        assert verify_transcript(made.write(header=made.header(groups=(GROUP, b"h" * 16))), ROOT).gaps == gaps


def test_words_from_another_conversation() -> None:
    made, other = talk("ayse", "burak"), talk("cem", "burak", group_id=b"h" * 16)
    other.say("cem", Text("elsewhere"), "elsewhere")
    made.entries += other.entries
    made.certificates |= other.certificates
    assert any("in another conversation" in one for one in findings(made.write()))
    both = verify_transcript(made.write(header=made.header(groups=(GROUP, b"h" * 16))), ROOT)
    assert both.groups == (b"h" * 16,)


def test_certificates_count_at_the_time_when_it_was_said() -> None:
    made = talk("ayse", "burak")
    until = made.credentials["burak"].certificate.not_after
    made.say("burak", Text("in time"), "in time", at=until - 1)
    made.say("burak", Text("in grace"), "in grace", at=until + 86_400)
    proven = verify_transcript(made.write(), ROOT)
    assert (proven.last, proven.remarks) == (until + 86_400, ())
    made.say("burak", Text("too late"), "too late", at=until + 15 * 86_400)
    for _ in range(2):
        made.say("burak", Text("before"), "before", at=NOW - 86_400)
    proven = verify_transcript(made.write(), ROOT)
    assert proven.remarks == (Remark("burak", 5, 1, LATE), Remark("burak", 6, 2, EARLY))
    assert (proven.first, proven.last) == (NOW - 86_400, until + 15 * 86_400)


@pytest.mark.parametrize("when", [0.0, NOW + 400 * 86_400, 1e12])
def test_nobodys_clock_makes_the_record_of_all_one_that_does_not_hold(when: float) -> None:
    made = talk("ayse", "burak", "cem")
    for name, at in (("ayse", None), ("burak", when), ("cem", None)):
        made.say(name, Text("here"), "here", at=at)
    proven = verify_transcript(made.write(), ROOT)
    assert proven.authors == {"ayse": 1, "burak": 1, "cem": 1}
    assert [one.author for one in proven.remarks] == ["burak"]


def test_authors_of_another_authority() -> None:
    other = make_ward("Ward 8")
    stranger = talk("burak", realm=other)
    stranger.say("burak", Text("hello"), "hello")
    made = talk("ayse")
    made.entries += stranger.entries
    made.certificates |= stranger.certificates
    assert any("comes from an authority that is not ours" in one for one in findings(made.write()))
    with pytest.raises(VerificationError, match="another authority") as caught:
        verify_transcript(made.write(), other.trust.root)
    assert caught.value.reason == "unknown-authority"
    assert caught.value.remedy


def test_issuing_authorities_that_are_not_the_roots() -> None:
    made, lines = spoken()
    other = b64encode(make_ward("Ward 8").trust.issuing[0].der).decode()
    for issuing in ([other], [], [other] * 9, ["AAAA"], 5):
        with pytest.raises(ConclaveError):
            verify_transcript(changed(lines, 0, issuing=issuing), ROOT)
    wrong = replace(made.header(), certificate=stranger_certificate())
    assert any("its writer's certificate does not hold" in one for one in findings(made.write(header=wrong)))


def stranger_certificate() -> bytes:
    return talk("burak", realm=make_ward("Ward 8")).credentials["burak"].certificate.der


def test_a_later_format() -> None:
    _, lines = spoken()
    with pytest.raises(DecodeError, match="format 2") as caught:
        verify_transcript(changed(lines, 0, format=2), ROOT)
    assert caught.value.remedy


def test_what_is_no_record_or_far_too_long() -> None:
    _, lines = spoken()
    for first in (b"", b"x", b"[]", b"[" * 100_000, b"5", b'{"kind":"transcript"}', lines[1], b"\xff"):
        with pytest.raises(TranscriptChanged):
            verify_transcript([first, *lines[1:]], ROOT)
    n = at(lines, "message")
    for bad in (b"[" * 100_000, b" " * (LINE_BYTES + 5), b"null", lines[n].replace(b":", b": ", 1)):
        assert any(f"line {n + 1} is not as" in one for one in findings([*lines[:n], bad, *lines[n + 1 :]]))


def test_findings_are_bounded() -> None:
    _, lines = spoken()
    with pytest.raises(TranscriptChanged) as caught:
        verify_transcript([lines[0], *[b"x"] * 1000], ROOT)
    assert len(caught.value.findings) == FINDINGS_MOST
    assert caught.value.more > 800


def test_what_is_damaged_in_history_is_not_exported() -> None:
    made = talk("ayse")
    made.say("ayse", Text("one"), "one")
    good = made.entries[0]
    for bad in (b"x", good.original[:-1], keep(Original(b"", b""), b"der")):
        made.entries = [replace(good, original=bad)]
        with pytest.raises(StorageError):
            made.write()
    made.entries, made.certificates = [good], {}
    with pytest.raises(StorageError, match="certificate"):
        made.write()


@pytest.mark.filterwarnings("ignore:Parsed a serial")  # of a certificate, whose reader refuses it
@settings(deadline=None)
@given(st.data())
def test_no_changed_byte_passes_or_raises_anything_else(data: st.DataObject) -> None:
    _, lines = spoken()
    whole = bytearray(b"".join(line for line in lines if len(line) < 10_000 or b'"end"' in line))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((TranscriptChanged, VerificationError, DecodeError)):
        verify_transcript(bytes(whole).splitlines(keepends=True), ROOT)


@pytest.mark.filterwarnings("ignore:Parsed a serial")  # of a certificate, whose reader refuses it
@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from(spoken()[1]), max_size=5))
def test_no_lines_whatever_pass_or_raise_anything_else(lines: list[bytes]) -> None:
    with pytest.raises((TranscriptChanged, VerificationError, DecodeError)):
        verify_transcript([spoken()[1][0], *lines], ROOT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), st.lists, max_leaves=4
)


@pytest.mark.filterwarnings("ignore:Parsed a serial")  # of a certificate, whose reader refuses it
@settings(deadline=None)
@given(st.integers(0, 14), st.sampled_from(sorted({k for o in spoken()[1] for k in json.loads(o)})), JSON)
def test_no_value_in_any_field_passes_or_raises_anything_else(n: int, name: str, value: object) -> None:
    _, lines = spoken()
    if json.loads(lines[n]).get(name) != value and name not in ("line", "lines", "previous", "hash"):
        with pytest.raises((TranscriptChanged, VerificationError, DecodeError)):
            verify_transcript(changed(lines, n, **{name: value}), ROOT)


def test_originals_as_kept_and_as_they_travel() -> None:
    made, _ = spoken()
    kept = made.entries[1].original
    original, fingerprint = read_kept(kept)
    signed = Signed(original.content, original.signature, made.certificates[fingerprint])
    assert Signed.decode(signed.encode()) == signed
    assert signed.keep() == kept
    travelling = signed.encode()
    for bad in (kept[:-1], kept + b"x", b""):
        with pytest.raises(DecodeError):
            read_kept(bad)
    for bad in (travelling[:-1], travelling + b"x", b""):
        with pytest.raises(DecodeError):
            Signed.decode(bad)


@given(st.binary(max_size=200))
def test_originals_of_any_bytes(data: bytes) -> None:
    decoders: tuple[Callable[[bytes], object], ...] = (read_kept, Signed.decode)
    for read in decoders:
        try:
            read(data)
        except DecodeError:
            continue
