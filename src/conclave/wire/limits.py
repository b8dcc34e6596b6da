"""How large what two peers exchange may be, in bytes, and what names them.

Left out: what bounds one family of frames alone (beside it); what a link may hold, do or wait for (``link.limits``).
"""

from __future__ import annotations

import re

HANDLE_BYTES = 63
HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
"""A handle is one DNS label (RFC 1035 section 2.3.1, in lower case)."""
TEXT_BYTES = 1024
"""Reasons, names of lobbies, agents: short human text."""
PAYLOAD_BYTES = 3 * 1024 * 1024
"""A protected message: mostly 64 KiB of content and what protection adds, but the commit that lets hundreds of people
in carries a key package of each."""
FRAME_BYTES = 4 * 1024 * 1024
"""The largest frame body that anything here makes; the default of the limit announced in the hello."""
ID_BYTES = 16
HASH_BYTES = 32
