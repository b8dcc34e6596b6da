"""What a record's writer would have it show: words of elsewhere in place of what was said, and words of nobody."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from conclave.chat.words.content import Offer, Text
from conclave.chat.words.line import LineKind
from conclave.chat.words.transcript import LABEL, canonical, link
from conclave.chat.words.transcript_numbers import GAPS_MOST
from conclave.chat.words.transcript_proof import EARLY, TranscriptChanged, verify_transcript
from conclave.cli import record
from conclave.crypto.signature import ED25519
from conclave.errors import ConclaveError
from tests.chat.recorded import GROUP, Talk, talk
from tests.pki.ward import NOW, ward

ROOT = ward().trust.root
OTHER = b"h" * 16


def findings(lines: list[bytes]) -> tuple[str, ...]:
    with pytest.raises(TranscriptChanged) as caught:
        verify_transcript(lines, ROOT)
    return caught.value.findings


def objects(made: Talk) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.write()]


def signed(made: Talk, said: list[dict[str, Any]]) -> list[bytes]:
    """As its writer would sign it."""
    previous, out = "", []
    for number, line in enumerate(said):
        line |= {"line": number, "previous": previous}
        if line["kind"] == "end":
            line["lines"] = number
        line["hash"] = previous = link(line)
        if line["kind"] == "end":
            proof = ED25519.sign(made.credentials["ayse"].key.raw(), LABEL + bytes.fromhex(previous))
            line["signed"] = b64encode(proof).decode()
        out.append(canonical(line) + b"\n")
    return out


def words(conversation: str, *said: str, since: int = 0, people: tuple[str, ...] = ("ayse", "burak")) -> Talk:
    """Words of burak's, in a group of its own for each kind of conversation."""
    group = OTHER if conversation.startswith("#") else GROUP
    made = talk(*people, group_id=group, conversation=conversation)
    for number, text in enumerate(said, since + 1):
        made.say("burak", Text(text), text, at=NOW + number)
    return made


def exchanged(made: Talk, other: Talk) -> list[bytes]:
    """The third message is left out, and in its place stands that of another conversation."""
    made.entries[2] = other.entries[2]
    made.certificates |= other.certificates
    return made.write(header=made.header(groups=(GROUP, OTHER)))


def test_what_was_said_in_a_lobby_fills_no_gap_in_a_pair() -> None:
    pair = words("@burak", "wait, I look", "somebody is on it", "NO, by no means", "thank you")
    lobby = words("#ops", "lunch?", "soup", "yes, go ahead", people=("burak", "ayse", "cem"))
    assert findings(exchanged(pair, lobby))[0].endswith("it was said in a lobby, and this is a pair")
    del pair.entries[2]
    assert verify_transcript(pair.write(), ROOT).gaps == (("burak", "laptop", 3, 3),)


def test_what_was_said_in_a_pair_does_not_stand_in_a_lobby() -> None:
    pair = words("@burak", "lunch?", "soup", "yes, go ahead")
    lobby = words("#ops", "wait, I look", "somebody is on it", "NO, by no means", "thank you")
    assert findings(exchanged(lobby, pair))[0].endswith("it was said in a pair, and this is a lobby")


def test_nobody_else_speaks_in_a_pair() -> None:
    made = talk("ayse", "burak", "cem", conversation="@burak")
    made.say("ayse", Text("shall I delete the ward's database?"))
    made.say("burak", Text("let me see"))
    assert verify_transcript(made.write(), ROOT).authors == {"ayse": 1, "burak": 1}
    made.say("cem", Text("yes, do it"))
    assert findings(made.write())[0].endswith("cem does not speak in a pair of ayse and burak")


def test_words_without_a_signature_are_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    made = talk("ayse", "burak")
    made.say("burak", Text("hello"))
    made.add("ayse", LineKind.NOTICE, "burak entered")
    made.add("burak", LineKind.TEXT, "I did it")
    proven = verify_transcript(made.write(), ROOT)
    assert (proven.unproven, proven.unsigned) == (2, 1)
    record._tell(proven)
    told = capsys.readouterr().out
    assert "on ayse's word alone: 1 line (notices, and what was deleted)" in told
    assert "signed by nobody, whoever they name: 1 line with words" in told


def test_what_is_an_authors_own_fault_is_told_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    made = talk("ayse", "burak")
    for _ in range(3):
        made.say("burak", Text("hello"), at=1.0)
    proven = verify_transcript(made.write(), ROOT)
    record._tell(proven)
    assert f"line 3, burak's, and 2 lines more: {EARLY}\n" in capsys.readouterr().out
    assert record._as_json(proven)["remarks"] == [{"author": "burak", "line": 3, "lines": 3, "what": EARLY}]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("transcript", {"author": "burak", "words": "I did it"}),
        ("transcript", {"realm": "burak: I did it"}),
        ("transcript", {"conversation": "#ops, in which burak said: I did it"}),
        ("transcript", {"conversation": "#\ud800"}),
        ("transcript", {"conversation": "ops"}),
        ("transcript", {"groups": [OTHER.hex(), "burak: I did it"]}),
        ("certificate", {"author": "burak", "words": "I did it"}),
        ("message", {"order": "I did it"}),
        ("deleted", {"words": "I did it"}),
        ("notice", {"said": "burak: I did it"}),
        ("unproven", {"aside": "I did it"}),
        ("end", {"words": "I did it"}),
        ("end", {"gaps": [["burak: I did it", "laptop", 1, 1]]}),
        ("end", {"gaps": ["burak: I did it"]}),
    ],
)
def test_nothing_hides_beside_what_is_proven_or_counted(kind: str, fields: dict[str, object]) -> None:
    made = words("#ops", "hello")
    made.add("burak", LineKind.TEXT, deleted=True)
    made.add("burak", LineKind.NOTICE, "burak entered")
    made.add("burak", LineKind.TEXT, "it was me")
    said = objects(made)
    assert verify_transcript(signed(made, said), ROOT).unsigned == 1
    next(one for one in said if one["kind"] == kind).update(fields)
    assert findings(signed(made, said))


def test_a_certificate_under_which_nobody_speaks_has_no_place() -> None:
    made, other = words("#ops", "hello"), words("#ops", "hello", people=("ayse", "burak", "cem"))
    other.say("cem", Text("elsewhere"))
    said, others = objects(made), objects(other)
    said.insert(-1, next(one for one in reversed(others) if one["kind"] == "certificate"))
    assert findings(signed(made, said)) == (
        "it has a certificate of cem's under which nothing in it is signed: it was put in",
    )


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**30, 10**18, -1, 1 << 62])
@pytest.mark.parametrize(("kind", "name"), [("transcript", "made"), ("message", "line"), ("end", "lines")])
def test_no_number_makes_the_reader_fall_over(kind: str, name: str, number: int) -> None:
    made = words("#ops", "hello")
    said = objects(made)
    lines = signed(made, said)
    at = next(at for at, one in enumerate(said) if one["kind"] == kind)
    said[at][name] = number
    if kind == "transcript":
        lines = signed(made, said)
    else:
        lines[at] = canonical(said[at]) + b"\n"
    with pytest.raises(ConclaveError):
        verify_transcript(lines, ROOT)


def test_a_file_of_any_size_is_in_a_record_that_holds() -> None:
    made = talk("ayse", "burak")
    made.say("burak", Offer("all of it", (1 << 64) - 1, 65_536, bytes(32), bytes(32)), "all of it", LineKind.FILE)
    assert verify_transcript(made.write(), ROOT).authors == {"burak": 1}


def leaving_out(jumps: int) -> Talk:
    """cem's second message is left out, and ayse, who is named before cem, jumps so often in her own numbers."""
    made = talk("ayse", "burak", "cem")
    for text in ("it was ayse", "I saw it", "never mind"):
        made.say("cem", Text(text), text)
    del made.entries[1]
    for _ in range(jumps):
        made.counts["ayse"] = made.counts.get("ayse", 0) + 1
        made.say("ayse", Text("."), ".")
    return made


def test_who_jumps_in_its_own_numbers_hides_nothing_that_others_lack(capsys: pytest.CaptureFixture[str]) -> None:
    made = leaving_out(GAPS_MOST + 1)
    proven = verify_transcript(made.write("burak"), ROOT)
    assert (len(proven.gaps), proven.more) == (GAPS_MOST, 1)
    assert proven.gaps[-1] == ("cem", "laptop", 2, 2)
    assert proven.gaps[:-1] == tuple(("ayse", "laptop", n, n) for n in range(3, 2 * GAPS_MOST, 2))
    record._tell(proven)
    assert "not in it either: 1 more" in capsys.readouterr().out
