"""HPKE against published vectors, for every KEM, KDF and AEAD of our suites: constants, so that no file is needed.

Suites 1 to 6 are from the test vectors of RFC 9180 (1, 2, 3 and 5 are its appendices A.1.1, A.3.1, A.2.1 and A.6.1),
which have none for P-384 and HKDF-SHA384. Those, and X-Wing, are from hpkewg/hpke-pq.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple, cast

import pytest

from conclave.crypto import kem
from conclave.crypto.aead import AES_256_GCM
from conclave.crypto.hpke import Hpke
from conclave.crypto.kdf import SHA256, SHA384
from conclave.crypto.kem import Kem
from conclave.crypto.suite import SUITES

hexed = bytes.fromhex
INFO = b"Ode on a Grecian Urn"


class Known(NamedTuple):
    """One suite's vector, all in hexadecimal."""

    suite: int
    receiver: str
    ephemeral: str
    shared: str
    key: str
    nonce: str
    exporter_secret: str
    exported: str
    ciphertext: str


KNOWN = (
    Known(
        1,
        "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
        "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234",
        "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc",
        "4531685d41d65f03dc48f6b8302c05b0",
        "56d890e5accaaf011cff4b7d",
        "45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8",
        "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931",
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
    ),
    Known(
        2,
        "668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
        "4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
        "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8",
        "868c066ef58aae6dc589b6cfdd18f97e",
        "4e0bc5018beba4bf004cca59",
        "14ad94af484a7ad3ef40e9f3be99ecc6fa9036df9d4920548424df127ee0d99f",
        "d8f1ea7942adbba7412c6d431c62d01371ea476b823eb697e1f6e6cae1dab85a",
        "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434",
    ),
    Known(
        3,
        "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
        "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b",
        "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7",
        "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91",
        "5c4d98150661b848853b547f",
        "a3b010d4994890e2c6968a36f64470d3c824c8f5029942feb11e7a74b2921922",
        "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
    ),
    Known(
        4,
        "93e714430d3cb00e8e8a03dd820dcbcc7f0141f93c63a7dede2dfb152b5b23982a1a55f2d86dd9e0f5a0f53b9c21605257ec"
        "1349d7f89e53",
        "39ed47496020ec7c2afc214425fc6a15fb6f1e16759c2b066265b6624c84ed50ee6c3129d9ed71318b19a96e5c5cc6b27aca"
        "5e1ae9cdc7e0",
        "081f8572019ac78daca420cf23c5183027e9bdaa7fe4b5f8e55b2ff24bc5cdc8bf4362965e6ccd2b832af12b0ed6f2f669b1"
        "5b42cb6f4361d36d99b88b7dc5a6",
        "5011eed55726d94fae0cd116b80e7832ecde3a457ef816a4a42f862ec2820ade",
        "c9899ce0c487a96933695f69",
        "775a6404afd0eaeec9e0806a55332118f5fd7ec983e1cbf69d0fe9ce197d8f8ab64fa31de4b7f4db637eea2157a6d9c29484"
        "0ad4db7b3d2542f310e04be2bbfd",
        "419d16ff65523a00452d37ba2fd5f2b1a9261aeb30f1b1736cc2f3febb16c884",
        "6a5ef0f8c88a17c6d26bee63b4468cd43360eb69804fb392d8c9b8eba2f9bd806726c7d99cb9073022000ce41a",
    ),
    Known(
        5,
        "2ad954bbe39b7122529f7dde780bff626cd97f850d0784a432784e69d86eccaade43b6c10a8ffdb94bf943c6da479db13791"
        "4ec835a7e715e36e45e29b587bab3bf1",
        "7f06ab8215105fc46aceeb2e3dc5028b44364f960426eb0d8e4026c2f8b5d7e7a986688f1591abf5ab753c357a5d6f044041"
        "4b4ed4ede71317772ac98d9239f70904",
        "776ab421302f6eff7d7cb5cb1adaea0cd50872c71c2d63c30c4f1d5e43653336fef33b103c67e7a98add2d3b66e2fda95b5b"
        "2a667aa9dac7e59cc1d46d30e818",
        "751e346ce8f0ddb2305c8a2a85c70d5cf559c53093656be636b9406d4d7d1b70",
        "55ff7a7d739c69f44b25447b",
        "e4ff9dfbc732a2b9c75823763c5ccc954a2c0648fc6de80a58581252d0ee3215388a4455e69086b50b87eb28c169a52f42e7"
        "1de4ca61c920e7bd24c95cc3f992",
        "f389beaac6fcf6c0d9376e20f97e364f0609a88f1bc76d7328e9104df8477013",
        "170f8beddfe949b75ef9c387e201baf4132fa7374593dfafa90768788b7b2b200aafcc6d80ea4c795a7c5b841a",
    ),
    Known(
        6,
        "1a91ec4a112661d663caad07437e07486dcc80b499c83c6bf17fb2faba77c180404d983bd32ed4284fa1aee3bb3887b61402"
        "036b058c3c8d",
        "178e4db14a03ebf5b5205e11a3c3918431b4d4bb143b62a52bebdd61d107d23122868395cca3dbc46e98964d4c1dfdc4b0e0"
        "5cbb2934d9e5",
        "cc20a83a9af44bc5a03a53f06beb01af474d5a85dd3c4f2082197ccdfe32a275996e497433e58460726459a1b40e31e6141e"
        "1fb605fb8ae0580b90bd7398f318",
        "87ad565738a70049699288c975dc90faddb076f6280136cee4c26c3111f64e0d",
        "b76f001f82b908e92ad2639a",
        "d42d015324e068d95aa4e5d3dc53a7165f4963a5c30c8d073ce286ee4ecd29e37df81b897e1698e943d4273397f860299c37"
        "db445aafe499ece9f6cb1bbfb768",
        "f4b7df9f1f608657f97084d9847cab976e88083fd2d35f3636dcaa9a14ce62e5",
        "4df124bd68d45b84dd5b82146597cdab8b56ab618166f814c2fe98ce35f43b09917283a58810aac71e852bff0a",
    ),
)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: SUITES[known.suite].name)
def test_the_vectors_of_rfc_9180(known: Known) -> None:
    scheme = SUITES[known.suite].hpke
    receiver, drawn = scheme.kem.derive(hexed(known.receiver)), hexed(known.ephemeral)
    public = scheme.kem.public(receiver)
    shared, enc = scheme.kem.encapsulate(public, lambda size: drawn[:size])
    assert shared.hex() == known.shared
    assert enc == scheme.kem.public(scheme.kem.derive(drawn))
    assert scheme.kem.decapsulate(receiver, enc) == shared
    schedule = scheme.schedule(shared, INFO)
    assert schedule.key.hex() == known.key
    assert schedule.nonce.hex() == known.nonce
    assert schedule.exporter_secret.hex() == known.exporter_secret
    assert scheme.export(schedule, b"TestContext", 32).hex() == known.exported
    exported, sent = scheme.send_export(public, INFO, b"TestContext", 32, lambda size: drawn[:size])[::-1]
    assert (exported.hex(), sent) == (known.exported, enc)
    assert scheme.receive_export(receiver, INFO, enc, b"TestContext", 32) == exported
    sealed = scheme.aead.seal(schedule.key, schedule.nonce, b"Beauty is truth, truth beauty", b"Count-0")
    assert sealed.hex() == known.ciphertext


def test_the_kem_of_p_384() -> None:
    receiver = kem.P384.derive(
        hexed("1569d065e398456987a4a76e7117d97767cc8aecef8efebaa3ad5aee78d44f5fab347ee19307e6804ff32d8b15a3fbe1")
    )
    assert receiver.hex() == (
        "8871021324f8190e50abe26cff62404778585a56d8712ff28afd99605e898d08b580b7c8f18fb166b28b1a6584662b96"
    )
    drawn = hexed("df490f3d80254f2485bc8abd4225c0834ab1982ce844a6b4a3390bbe9f348b0a82ca464297bfccfa8b2ceaac6b43e6bc")
    shared, enc = kem.P384.encapsulate(kem.P384.public(receiver), lambda size: drawn[:size])
    assert shared.hex() == (
        "8207f0a43f67bf912e327f0893e5a3b14314c38eaa8604229de4c033c6589e3bbe28b513aac127e85b4830c63daf572f"
    )
    assert kem.P384.decapsulate(receiver, enc) == shared


def test_the_key_schedule_of_sha_384_and_aes_256() -> None:
    """Of the entry for another KEM, of which the schedule takes no more than its number."""
    scheme = Hpke(cast("Kem", SimpleNamespace(code=0x0042, native=None)), SHA384, AES_256_GCM)
    schedule = scheme.schedule(
        hexed("a9f5e349635145bb8a06c0b50b027bef523c5868dd3477a8a92cb5deecc4113b"),
        hexed("34663634363532303666366532303631323034373732363536333639363136653230353537323665"),
    )
    assert schedule.key.hex() == "57928282570ac8e002ebc79908293d65faabdb3ef58149edb33083cc2f38a55b"
    assert schedule.nonce.hex() == "107259b6ac73abb151fb98a8"
    assert schedule.exporter_secret.hex() == (
        "9d4faf56b5319ad7a66492576d15522e30d948ed11ed3543daf774c0466b698ce699de9671ef34f9e23a741b7efc5074"
    )
    exported = scheme.export(schedule, hexed("70736575646f72616e646f6d32"), 32)
    assert exported.hex() == ("d39e047401b666247d7e7e4fe136302ad1e01a6a2a823193be9e205285a15a2f")


def test_the_keys_of_x_wing() -> None:
    """Seed, and the hash of the public key of 1,216 bytes."""
    seed = kem.XWING.derive(hexed("b86e76a59fabfc87b30cd7b1f7aaa28a834eb64e7a261c197b9a842893fbce56"))
    assert seed.hex() == "3ec47fa82dd5689d27c6190e724c74ec8f608df3331ce331929e37b829676630"
    public = kem.XWING.public(seed)
    assert len(public) == 1216
    digest = "ad8aaf3f00d8a39bfeec2947a7d5dde68be08bba19bd301a348a45dc5fcc8341"
    assert SHA256.hash(public).hex() == digest
