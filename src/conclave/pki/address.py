"""Where somebody listens, as people write it: ``host:port``. Left out: looking a name up, and dialling (``net``)."""

from __future__ import annotations

import re

from conclave.errors import DecodeError, UsageError
from conclave.pki.names import quote
from conclave.values import dataclass

_PORT_MOST = 65535
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})"  # RFC 1035 section 2.3.4: what is longer, a resolver may not take
_HOST = re.compile(rf"(?!.{{254}}){_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\]", re.ASCII)
_PORT = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody listens: a host name or address (IPv6 without brackets) and a port from 1 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        """As ``parse_address`` reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``host:port`` or ``[ipv6]:port``. Raises ``DecodeError``."""
    host, colon, port = text.rpartition(":")
    if not colon or _HOST.fullmatch(host) is None or _PORT.fullmatch(port) is None:
        raise DecodeError(
            f"the address {quote(text)} is not of the form host:port", remedy="write it like 192.0.2.7:8443"
        )
    if not 0 < int(port) <= _PORT_MOST:
        raise DecodeError(f"the port of the address {quote(text)} is not within 1 to {_PORT_MOST}")
    return Address(host.strip("[]"), int(port))


def parse_listen(text: str) -> tuple[str, int]:
    """Read where to listen: the host may be empty (everywhere), and port 0 picks one. Raises ``UsageError``."""
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" not in text or _PORT.fullmatch(port) is None or int(port) > _PORT_MOST or set(host) & set("[]"):
        raise UsageError(
            f"{quote(text)} is not an address to listen at",
            remedy="write HOST:PORT, e.g. 0.0.0.0:8443; port 0 picks one",
        )
    return host, int(port)
