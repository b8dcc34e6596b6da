"""Three hosts and a switch, as network namespaces of this test's own; links that can be pulled and put back.

Needs root and iproute2. What runs on a host sees the other hosts and nothing else. Left out: what runs there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conclave.cli.stage import Stage

DEMANDED = "DEMAND_NAMESPACES"
"""Set in the environment, it turns a skip into a failure."""


def demand_namespaces() -> None:
    """Skip, by name, where namespaces cannot be made; fail where they are demanded."""
    why = ""
    if os.geteuid() != 0:
        why = "root is needed to make network namespaces"
    elif shutil.which("ip") is None:
        why = "iproute2 is missing: apt-get install iproute2"
    else:
        tried = subprocess.run(["ip", "netns", "add", _name("try")], capture_output=True, text=True, check=False)
        if tried.returncode:
            why = f"network namespaces are not allowed here: {tried.stderr.strip()}"
        else:
            _ip("netns", "del", _name("try"))
    if why and os.environ.get(DEMANDED):
        pytest.fail(why)
    if why:
        pytest.skip(why)


def _name(host: str) -> str:
    return f"conclave-{os.getpid()}-{host}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """Hosts by name, each with one cable to a switch. Close it: nothing of it is left."""

    def __init__(self, *hosts: str) -> None:
        self._made: list[str] = []
        self.addresses = {host: f"10.77.0.{number}" for number, host in enumerate(hosts, 1)}
        try:
            for name in ("switch", *hosts):
                _ip("netns", "add", _name(name))
                self._made.append(_name(name))
                self._in(name, "link", "set", "lo", "up")
            self._in("switch", "link", "add", "bridge0", "type", "bridge")
            self._in("switch", "link", "set", "bridge0", "up")
            for host, address in self.addresses.items():
                self._plug(host, address)
        except BaseException:
            self.close()
            raise

    def _in(self, where: str, *words: str) -> None:
        _ip("-n", _name(where), *words)

    def _plug(self, host: str, address: str) -> None:
        port = f"to-{host}"
        self._in("switch", "link", "add", port, "type", "veth", "peer", "name", "cable", "netns", _name(host))
        self._in("switch", "link", "set", port, "master", "bridge0", "up")
        self._in(host, "address", "add", f"{address}/24", "dev", "cable")
        self._in(host, "link", "set", "cable", "up")

    def cut(self, host: str) -> None:
        """Pull a host's cable, at the switch."""
        self._in("switch", "link", "set", f"to-{host}", "down")

    def heal(self, host: str) -> None:
        """Put it back."""
        self._in("switch", "link", "set", f"to-{host}", "up")

    def close(self) -> None:
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        self._made.clear()


@dataclass(slots=True)
class HostStage(Stage):
    """The demo's stage, with everybody on the host that ``where`` says."""

    network: Network = field(default_factory=lambda: Network("one"))
    where: dict[str, str] = field(default_factory=dict)

    def command(self, who: str, *words: str) -> list[str]:
        return ["ip", "netns", "exec", _name(self.where[who]), *Stage.command(self, who, *words)]

    def address(self, who: str) -> str:
        return self.network.addresses[self.where[who]]


def left_behind() -> list[Path]:
    """Namespaces of this process that still are there."""
    return list(Path("/run/netns").glob(_name("*")))
