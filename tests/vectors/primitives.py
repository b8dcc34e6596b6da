"""How vectors of single operations are checked: codec, tree places, labels, HPKE, the key schedule."""

from __future__ import annotations

import os
from typing import Any

from conclave.crypto import kdf as kdfs
from conclave.crypto import kem as kems
from conclave.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305
from conclave.crypto.hpke import Hpke
from conclave.crypto.labels import (
    decrypt_with_label,
    derive_secret,
    derive_tree_secret,
    encrypt_with_label,
    expand_with_label,
    ref_hash,
    sign_with_label,
    verify_with_label,
)
from conclave.crypto.suite import suite
from conclave.mls import treemath
from conclave.mls.keyschedule import (
    EpochSecrets,
    GroupContext,
    enter_epoch,
    export,
    external_key,
    joiner_secret,
    welcome_secret,
)
from conclave.mls.psk import PreSharedKeyID, psk_secret
from conclave.wire.codec import Reader, encode_varint

Case = dict[str, Any]
hexed = bytes.fromhex


def same(found: object, expected: object) -> None:
    """Equal, or a failure that shows both."""
    assert found == expected, f"found {found!r:.80}, expected {expected!r:.80}"


def tree_math(case: Case) -> None:
    leaves = case["n_leaves"]
    same(2 * leaves - 1, case["n_nodes"])
    same(treemath.root(leaves), case["root"])
    for node in range(case["n_nodes"]):
        is_leaf, is_root = node % 2 == 0, node == case["root"]
        same(None if is_leaf else treemath.left(node), case["left"][node])
        same(None if is_leaf else treemath.right(node), case["right"][node])
        same(None if is_root else treemath.parent(node), case["parent"][node])
        same(None if is_root else treemath.sibling(node), case["sibling"][node])


def deserialization(case: Case) -> None:
    header = hexed(case["vlbytes_header"])
    reader = Reader(header)
    same(reader.varint(), case["length"])
    reader.finish()
    same(encode_varint(case["length"]), header)


def crypto_basics(case: Case) -> None:
    of = suite(case["cipher_suite"])
    it = case["ref_hash"]
    same(ref_hash(of, it["label"].encode(), hexed(it["value"])).hex(), it["out"])
    it = case["expand_with_label"]
    found = expand_with_label(of, hexed(it["secret"]), it["label"].encode(), hexed(it["context"]), it["length"])
    same(found.hex(), it["out"])
    it = case["derive_secret"]
    same(derive_secret(of, hexed(it["secret"]), it["label"].encode()).hex(), it["out"])
    it = case["derive_tree_secret"]
    found = derive_tree_secret(of, hexed(it["secret"]), it["label"].encode(), it["generation"], it["length"])
    same(found.hex(), it["out"])
    it = case["sign_with_label"]
    label, content, public = it["label"].encode(), hexed(it["content"]), hexed(it["pub"])
    verify_with_label(of, public, label, content, hexed(it["signature"]))
    verify_with_label(of, public, label, content, sign_with_label(of, hexed(it["priv"]), label, content))
    same(of.signature.public(hexed(it["priv"])), public)
    it = case["encrypt_with_label"]
    label, context, plaintext = it["label"].encode(), hexed(it["context"]), hexed(it["plaintext"])
    sealed = hexed(it["kem_output"]), hexed(it["ciphertext"])
    same(decrypt_with_label(of, hexed(it["priv"]), label, context, *sealed), plaintext)
    again = encrypt_with_label(of, hexed(it["pub"]), label, context, plaintext, os.urandom)
    same(decrypt_with_label(of, hexed(it["priv"]), label, context, *again), plaintext)


def key_schedule(case: Case) -> None:
    of, init = suite(case["cipher_suite"]), hexed(case["initial_init_secret"])
    for number, it in enumerate(case["epochs"]):
        context = GroupContext(
            of.code, hexed(case["group_id"]), number, hexed(it["tree_hash"]), hexed(it["confirmed_transcript_hash"])
        )
        same(context.encoded.hex(), it["group_context"])
        joiner, psk = joiner_secret(of, init, hexed(it["commit_secret"]), context), hexed(it["psk_secret"])
        same(joiner.hex(), it["joiner_secret"])
        same(welcome_secret(of, joiner, psk).hex(), it["welcome_secret"])
        secrets = enter_epoch(of, joiner, psk, context)
        names = (
            "sender_data_secret",
            "encryption_secret",
            "exporter_secret",
            "external_secret",
            "confirmation_key",
            "membership_key",
            "resumption_psk",
            "epoch_authenticator",
            "init_secret",
        )
        same(secrets, EpochSecrets(*(hexed(it[name]) for name in names)))
        same(of.kem.public(external_key(of, secrets.external)).hex(), it["external_pub"])
        out = it["exporter"]
        found = export(of, secrets.exporter, out["label"].encode(), hexed(out["context"]), out["length"])
        same(found.hex(), out["secret"])
        init = secrets.init


def psks(case: Case) -> None:
    keys = [
        (PreSharedKeyID.external(hexed(it["psk_id"]), hexed(it["psk_nonce"])), hexed(it["psk"]))
        for it in case["psks"]
    ]
    same(psk_secret(suite(case["cipher_suite"]), keys).hex(), case["psk_secret"])


_KEMS = {each.code: each for each in (kems.X25519, kems.X448, kems.P256, kems.P384, kems.P521, kems.XWING)}
_KDFS = {each.code: each for each in (kdfs.SHA256, kdfs.SHA384, kdfs.SHA512)}
_AEADS = {each.code: each for each in (AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305)}


def hpke(case: Case) -> str | None:
    """Base mode of a KEM that we have. Where KDF or AEAD is none of ours, the KEM alone, and that it was."""
    kem = _KEMS.get(case["kem_id"])
    if case["mode"] != 0 or kem is None:
        return f"HPKE mode {case['mode']}" if case["mode"] else f"HPKE KEM {case['kem_id']:#06x}"
    private, public = hexed(case["skRm"]), hexed(case["pkRm"])
    same(kem.public(private), public)
    same(kem.public(kem.derive(hexed(case["ikmR"]))), public)  # some write the scalar of X448 clamped, some do not
    shared = kem.decapsulate(private, hexed(case["enc"]))
    same(shared.hex(), case["shared_secret"])
    seed = hexed(case["ikmE"])
    ours, enc = kem.encapsulate(public, lambda size: seed[-size:])
    same(kem.decapsulate(private, enc), ours)
    if kem is kems.XWING:  # only the curve's half of it is drawn from what is handed in
        same(enc[1088:], hexed(case["enc"])[1088:])
    else:
        same((ours.hex(), enc.hex()), (case["shared_secret"], case["enc"]))
    if case["kdf_id"] not in _KDFS or case["aead_id"] not in _AEADS:
        return f"HPKE KDF {case['kdf_id']:#06x} with AEAD {case['aead_id']:#06x} (KEM {kem.code:#06x} passed)"
    scheme = Hpke(kem, _KDFS[case["kdf_id"]], _AEADS[case["aead_id"]])
    schedule = scheme.schedule(shared, hexed(case["info"]))
    same((schedule.key.hex(), schedule.nonce.hex()), (case["key"], case["base_nonce"]))
    same(schedule.exporter_secret.hex(), case["exporter_secret"])
    for it in case["exports"]:
        same(scheme.export(schedule, hexed(it["exporter_context"]), it["L"]).hex(), it["exported_value"])
    for number, it in enumerate(case["encryptions"]):
        nonce = (int.from_bytes(schedule.nonce) ^ number).to_bytes(12)
        same(scheme.aead.seal(schedule.key, nonce, hexed(it["pt"]), hexed(it["aad"])).hex(), it["ct"])
    sealed = scheme.seal(public, hexed(case["info"]), b"words", os.urandom)
    same(scheme.open(private, hexed(case["info"]), *sealed), b"words")
    return None
