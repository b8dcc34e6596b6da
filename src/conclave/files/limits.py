"""Every limit of files: how large, how many, how fast, and how long to wait. The section ``[files]`` of the settings.

Left out: what a frame may carry (``wire.files``).
"""

from __future__ import annotations

from dataclasses import dataclass

from conclave.errors import NotReady


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Settings of files. Sizes are bytes, times are seconds. Raises ``LocalError`` for what cannot work."""

    largest_bytes: int = 16 << 30
    """Largest file that is fetched."""
    keep_free_bytes: int = 256 << 20
    """Room that a fetched file must leave on its disk."""
    offers: int = 256
    """Offers of one conversation that are remembered; of whoever has most the oldest that nobody acted on goes."""
    uploads: int = 8
    """Files that are sent at once, counted for each peer; one peer has at most half. More is told to be *busy*."""
    downloads: int = 4
    """Files that are fetched at once; the others wait their turn."""
    upload_bytes_per_second: int = 0
    """How fast files are sent, all together; 0: as fast as the links take them."""
    window_chunks: int = 64
    """Chunks of 64 KiB that one peer is asked for ahead; fewer while its answers are slow to come."""
    patience_seconds: float = 20.0
    """After so long without a chunk from a peer, others are asked for what it was asked for."""

    def __post_init__(self) -> None:
        if self.window_chunks < 1 or self.uploads < 1 or self.downloads < 1 or self.offers < 1:
            raise NotReady("offers, uploads, downloads and window_chunks must be at least 1")
        if self.largest_bytes < 0 or self.keep_free_bytes < 0 or self.upload_bytes_per_second < 0:
            raise NotReady("largest_bytes, keep_free_bytes and upload_bytes_per_second must not be negative")
        if not self.patience_seconds > 0:
            raise NotReady("patience_seconds must be more than 0")
