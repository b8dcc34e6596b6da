"""Every frame and every parcel, as hypothesis strategies; pools make frames that fit together likely."""

from __future__ import annotations

from hypothesis import strategies as st

from conclave.wire import delivery, files, link, order, packages
from conclave.wire import posts as p

U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))
GROUPS = st.sampled_from([bytes([n]) * 16 for n in range(3)])
LEADERS = st.sampled_from(["ayse", "burak", "cem", "deniz", "e" * 63])
HANDLES = LEADERS | st.sampled_from(["", "x\x1b[2J"])
IDS = st.binary(min_size=16, max_size=16)
HASHES = st.binary(min_size=32, max_size=32)
SMALL = st.integers(0, 6) | U64
PAYLOADS = st.binary(max_size=60)
ROSTERS = st.lists(HANDLES, max_size=5).map(tuple)
KINDS = st.sampled_from(order.EntryKind)


@st.composite
def _runs(draw: st.DrawFn) -> tuple[order.Run, ...]:
    """Terms that follow one another, the newest first."""
    first, term = draw(st.integers(1, 6) | st.integers(1, order.LAST_SEQ)), draw(st.integers(0, 6) | U32)
    runs: list[order.Run] = []
    for _ in range(draw(st.integers(1, 3))):
        last = min(first - 1 + draw(st.integers(0, 4)), order.LAST_SEQ)
        runs.insert(0, order.Run(term, draw(st.integers(0, 3) | U32), draw(LEADERS), first, last))
        first, term = last + 1, term + 1
        if first > order.LAST_SEQ or term >= 1 << 32:
            break
    return tuple(runs)


RUNS = _runs()
BETWEEN = st.tuples(SMALL, SMALL).map(sorted).filter(lambda ends: ends[0] < ends[1])

parcels = st.one_of(
    st.builds(p.Begin, PAYLOADS),
    st.builds(p.Handshake, GROUPS, PAYLOADS),
    st.builds(p.Message, IDS, GROUPS, PAYLOADS),
    st.builds(p.Answer, GROUPS | st.just(b""), st.sampled_from(p.Choice), PAYLOADS),
    st.builds(p.Invite, GROUPS, st.sampled_from(["ops", "night", "a\x1bb", ""]), ROSTERS),
    st.builds(
        lambda group, digest, runs, welcome: p.Welcome(group, "ops", runs[0].last, digest, runs, welcome),
        GROUPS,
        HASHES,
        RUNS,
        PAYLOADS,
    ),
    st.builds(p.Leave, GROUPS),
)


def _post(stream: bytes, number: int, base: int, parcel: p.Parcel, junk: bytes | None) -> delivery.Post:
    kind, body = p.pack_parcel(parcel)
    return delivery.Post(stream, number, base, kind, body if junk is None else junk)


STREAMS = st.sampled_from([bytes([n]) * 8 for n in range(6)])
posts = st.builds(_post, STREAMS, SMALL, SMALL | st.just(1), parcels, st.none() | st.none() | st.binary(max_size=20))
ordered = st.builds(order.Ordered, GROUPS, st.just(1) | U32, SMALL, HASHES, LEADERS, SMALL, SMALL, KINDS, PAYLOADS)
conversation_frames = st.one_of(
    posts,
    st.builds(delivery.Ack, STREAMS, SMALL, st.lists(SMALL, max_size=4).map(tuple)),
    ordered,
    st.builds(order.Fetch, GROUPS, SMALL, U16),
    st.builds(lambda group, digest, runs: order.Head(group, runs[0].last, digest, runs), GROUPS, HASHES, RUNS),
    st.builds(order.Have, GROUPS, SMALL),
    st.builds(order.Submit, GROUPS, SMALL, SMALL, SMALL, KINDS, PAYLOADS),
    st.builds(order.Refused, GROUPS, SMALL, SMALL, st.sampled_from(order.Refusal)),
    st.builds(order.AskInfo, GROUPS),
    st.builds(
        lambda group, digest, runs, info: order.Info(group, runs[0].last, digest, runs, info),
        GROUPS,
        HASHES,
        RUNS,
        PAYLOADS,
    ),
    st.builds(lambda group, ends, own: order.Recall(group, ends[0], ends[1], own), GROUPS, BETWEEN, st.booleans()),
    st.builds(
        lambda group, ends, items, whole: order.Originals(group, ends[0], ends[1], items, whole),
        GROUPS,
        BETWEEN,
        st.lists(st.tuples(SMALL, PAYLOADS), max_size=3).map(tuple),
        st.booleans(),
    ),
    st.builds(
        order.Boxes, GROUPS, st.just(1) | U32, st.lists(st.tuples(HANDLES, SMALL, SMALL), max_size=3).map(tuple)
    ),
    st.just(packages.AskPackage()),
    st.builds(packages.Package, PAYLOADS),
)
link_frames = st.one_of(
    st.builds(link.Hello, U16, U16, U32, U16, st.text(max_size=40)),
    st.builds(link.Ping, U64),
    st.builds(link.Pong, U64),
    st.builds(link.Close, st.sampled_from(link.CloseReason), st.text(max_size=40)),
)
file_frames = st.one_of(
    st.builds(
        files.Ask, HASHES, st.just(files.Part.LEAVES), st.integers(0, 1 << 31), st.integers(1, files.ASK_LEAVES)
    ),
    st.builds(
        files.Ask, HASHES, st.just(files.Part.CHUNKS), st.integers(0, 1 << 31), st.integers(1, files.ASK_CHUNKS)
    ),
    st.builds(files.Leaves, HASHES, U32, st.lists(HASHES, max_size=4).map(b"".join)),
    st.builds(files.Chunk, HASHES, U32, PAYLOADS),
    st.builds(files.Lack, HASHES, st.sampled_from(files.Why)),
)
frames = conversation_frames | link_frames | file_frames
