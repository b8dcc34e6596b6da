"""Whatever bytes come in a body, or back from an authority, they are read or refused with an error of ours."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from conclave.errors import ConclaveError, DecodeError
from conclave.net.authority_waiting import WaitingEnvelope, _envelope
from conclave.net.authority_watch import read_event
from conclave.net.bodies import parse_json, take_base64
from tests.pki.ward import NOW, ward

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=300)
def test_a_body_is_a_json_object_or_refused(body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert isinstance(parse_json(body), dict)


@given(JSON)
@settings(max_examples=300)
def test_bytes_are_base64_or_refused(value: object) -> None:
    try:
        found = take_base64(value)
    except DecodeError:
        return
    assert isinstance(value, str)
    assert base64.b64decode(value) == found


@given(st.fixed_dictionaries({"id": JSON, "sender": JSON | st.just("ayse"), "at": JSON, "data": JSON}) | JSON)
@settings(max_examples=300)
def test_an_envelope_of_the_authority_makes_sense_or_is_refused(value: object) -> None:
    with contextlib.suppress(ConclaveError):
        assert isinstance(_envelope(value), WaitingEnvelope)


KINDS = st.sampled_from(["welcome", "stock", "mail", "presence", "crl", "revoked", "refused"])


@given(st.fixed_dictionaries({"type": KINDS, "count": JSON, "mail": JSON, "stock": JSON, "now": st.just(1)}))
@settings(max_examples=300)
def test_a_frame_of_the_authority_makes_sense_or_is_refused(frame: dict[str, Any]) -> None:
    with contextlib.suppress(ConclaveError):
        read_event(json.dumps(frame | {"heartbeat": 60, "silence": 200}), ward().trust, NOW)
