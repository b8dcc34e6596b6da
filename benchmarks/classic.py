"""The classic suite's records, and what the same texts cost on the default suite: the price of 16-byte fragments.

Ours: ``Writer.seal`` and ``Reader.read`` of whole messages, without a network. The floor of a record is one call of
HMAC and one of AES-256-CBC in ``cryptography``, with everything prepared that can be prepared for a key, in a loop
that does nothing else. Beside it two others: with both contexts made anew, as the report's program does, and with
AES called once for all records, which leaves HMAC nearly alone. The default suite is TLS 1.3 on memory buffers, the
same texts as frames of a link, one write a message, both ends in one thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from benchmarks._ends import Realm
from benchmarks.rows import Row
from conclave.classic.keys import derive_keys
from conclave.classic.records import Reader, Writer, fragments
from conclave.link.framing import FrameCutter
from conclave.link.tls import Tunnel
from conclave.wire.delivery import Post, PostKind
from conclave.wire.frames import decode_frame, encode_frame
from conclave.wire.limits import FRAME_BYTES

NAME = "classic"
ROUNDS = 5
"""In turns, the best of each counts: other work on the machine can only slow either down."""
LONG, SHORT = 100_000, 200
HEADER = b"0000010000016"
KEY, IV, NONCE = os.urandom(32), os.urandom(16), os.urandom(16)


def best(*measures: Callable[[], float]) -> list[float]:
    """The highest rate of each."""
    found = [[measure() for measure in measures] for _ in range(ROUNDS)]
    return [max(rates) for rates in zip(*found, strict=True)]


def sealing(size: int, messages: int) -> float:
    """Bytes of text a second."""
    keys, text = derive_keys(os.urandom(32), NONCE), os.urandom(size)
    writer = Writer(keys.sender)
    start = time.perf_counter()
    for _ in range(messages):
        writer.seal(text)
    return size * messages / (time.perf_counter() - start)


def opening(size: int, messages: int) -> float:
    """Bytes of text a second."""
    keys, text = derive_keys(os.urandom(32), NONCE), os.urandom(size)
    writer, reader = Writer(keys.sender), Reader(keys.sender)
    sealed = [writer.seal(text) for _ in range(messages)]
    start = time.perf_counter()
    for one in sealed:
        for _ in reader.read(one):
            pass
    return size * messages / (time.perf_counter() - start)


def bare(records: int, *, prepared: bool, decrypt: bool) -> float:
    """Records a second: one HMAC and one CBC each."""
    digest = hashes.SHA256()
    context = hmac.HMAC(KEY, digest)
    cipher = Cipher(algorithms.AES256(KEY), modes.CBC(IV))
    data, block = os.urandom(16) + HEADER, os.urandom(64)
    start = time.perf_counter()
    for _ in range(records):
        mac = context.copy() if prepared else hmac.HMAC(KEY, digest)
        mac.update(data)
        mac.finalize()
        used = cipher if prepared else Cipher(algorithms.AES256(KEY), modes.CBC(IV))
        one = used.decryptor() if decrypt else used.encryptor()
        one.update(block)
        one.finalize()
    return records / (time.perf_counter() - start)


def batched(records: int) -> float:
    """Records a second: an HMAC each, and AES over all of them, a block column at a time."""
    context = hmac.HMAC(KEY, hashes.SHA256())
    blocks = Cipher(algorithms.AES256(KEY), modes.ECB()).encryptor()
    data, column = os.urandom(16) + HEADER, os.urandom(16 * records)
    start = time.perf_counter()
    for _ in range(records):
        mac = context.copy()
        mac.update(data)
        mac.finalize()
    for _ in range(4):
        blocks.update(column)
    return records / (time.perf_counter() - start)


def tunnels() -> tuple[Tunnel, Tunnel]:
    """Two ends of TLS 1.3 that have shaken hands."""
    realm = Realm.make()
    client, server = Tunnel(realm.client, server_side=False), Tunnel(realm.server, server_side=True)
    client.shake()
    server.shake(client.take())
    client.shake(server.take())
    server.shake(client.take())
    return client, server


def default(size: int, messages: int) -> tuple[float, float, int]:
    """Bytes of text a second out, and in; and bytes on the wire for one message."""
    client, server = tunnels()
    text = os.urandom(size)
    posts = [Post(bytes(8), number + 1, 1, PostKind.MESSAGE, text) for number in range(messages)]
    start = time.perf_counter()
    sent = [client.write(encode_frame(post)) for post in posts]
    between = time.perf_counter()
    cutter, count = FrameCutter(FRAME_BYTES), 0
    for data in sent:
        for plain in server.read(data):
            for kind, body in cutter.cut(plain):
                decode_frame(kind, body)
                count += 1
    end = time.perf_counter()
    if count != messages:
        raise RuntimeError(f"{count} of {messages} messages arrived")
    return size * messages / (between - start), size * messages / (end - between), len(sent[0])


def run(*, quick: bool = False) -> list[Row]:
    records = 20_000 if quick else 100_000
    long, short = max(1, records // fragments(LONG)), records // fragments(SHORT)
    out, into, floor_out, floor_in, plain_out, plain_in, least = best(
        lambda: sealing(LONG, long),
        lambda: opening(LONG, long),
        lambda: bare(records, prepared=True, decrypt=False),
        lambda: bare(records, prepared=True, decrypt=True),
        lambda: bare(records, prepared=False, decrypt=False),
        lambda: bare(records, prepared=False, decrypt=True),
        lambda: batched(records),
    )
    short_out, short_in = best(lambda: sealing(SHORT, short), lambda: opening(SHORT, short))
    share = fragments(LONG) / LONG
    rows = [
        Row("records out, to a call of HMAC and of AES each", out * share, "per s", floor_out, 0.5),
        Row("records in, to the same", into * share, "per s", floor_in, 0.5),
        Row("records out, to both contexts made anew", out * share, "per s", plain_out),
        Row("records in, to the same", into * share, "per s", plain_in),
        Row("records out, to HMAC each and AES once for all", out * share, "per s", least),
        Row("records in, to the same", into * share, "per s", least),
        Row("text out, 100,000 bytes a message", out / 1e6, "MB/s"),
        Row("text in, 100,000 bytes a message", into / 1e6, "MB/s"),
        Row("text out, 200 bytes a message", short_out / 1e6, "MB/s"),
        Row("text in, 200 bytes a message", short_in / 1e6, "MB/s"),
    ]
    for size, ours, count in ((LONG, (out, into), long), (SHORT, (short_out, short_in), short)):
        tls = [default(size, count) for _ in range(ROUNDS)]
        costs = [size / max(one[way] for one in tls) * 1e6 for way in (0, 1)]
        name = f"{size:,} bytes, to the default suite"
        rows += [
            Row(f"out: {name}", size / ours[0] * 1e6, "us", costs[0], better="less"),
            Row(f"in: {name}", size / ours[1] * 1e6, "us", costs[1], better="less"),
            Row(f"on the wire: {name}", float(wire(size)), "bytes", float(tls[0][2]), better="less"),
        ]
    return rows


def wire(size: int) -> int:
    """Bytes of a message's fragments."""
    return len(Writer(derive_keys(bytes(32), NONCE).sender).seal(bytes(size)))
