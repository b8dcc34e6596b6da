"""What fronts are shown of a file. Left out: how it comes there (``node.files.filing``)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from conclave.files.record import FileRecord, Stage
from conclave.node.files.fetching import Download

NAMED = 3
"""So many people are named of those whom a file waits for."""


CHANGED = {"status": "changed", "why": "it was changed or removed since: offer it again"}
"""What is shown instead of a file of ours that is not the one that was offered any more."""


def shown(record: FileRecord, download: Download | None, others: Collection[str]) -> dict[str, Any]:
    """A file as commands answer it; ``others`` are those whom it can come from."""
    answer: dict[str, Any] = {
        "id": record.id.hex(),
        "conversation": record.conversation,
        "from": record.sender,
        "name": record.offered.name,
        "size": record.offered.size,
        "at": record.at,
        "status": record.stage.word,
        "path": record.path,
        "why": record.why,
    }
    if record.stage in (Stage.FETCHING, Stage.PLACING):
        answer["status"] = "fetching"
        answer["done"] = download.fetch.kept_bytes if download is not None else 0
        answer["why"] = _waits(download, others)
    return answer


def _waits(download: Download | None, others: Collection[str]) -> str:
    """Why nothing comes now, in words; empty where something does."""
    if download is None:
        return ""
    sources, lacks = download.fetch.sources, download.fetch.lacking()
    if not sources:
        named = sorted(others)[:NAMED]
        return f"waits for {' or '.join(named) or 'somebody'}{' or others' if len(others) > NAMED else ''}"
    if len(lacks) == len(sources):
        return "; ".join(f"{peer}: {why.words}" for peer, why in sorted(lacks.items())[:NAMED])
    return "" if download.placed else "waits for its turn"
