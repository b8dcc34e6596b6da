"""The other end of many connections, in a process of its own: ``python -m benchmarks._far_end KIND HOST PORT COUNT``.

KIND is ``links`` (ours, frames counted), ``bare`` (TLS by hand, then bytes thrown away unread) or ``plain`` (TCP).
Keys and certificates come on standard input. Writes ``ready`` when all are connected; ends when its input ends.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import sys
import threading

import uvloop

from benchmarks._ends import Bare, Owner, Realm, allow_sockets, dialled

KIND, HOST, PORT, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def ready() -> None:
    print("ready", flush=True)


async def links(realm: Realm) -> None:
    owner = Owner()
    streams = [await dialled(realm, owner, (HOST, PORT)) for _ in range(COUNT)]
    ready()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for stream in streams:
        stream.abort()
    await asyncio.sleep(0.1)


def drain(realm: Realm | None) -> None:
    chooser = selectors.DefaultSelector()
    for _ in range(COUNT):
        sock = socket.create_connection((HOST, PORT))
        if realm is not None:
            end = Bare(realm.client, sock, server_side=False)
            while not end.shake():
                end.hear()
        sock.setblocking(False)
        chooser.register(sock, selectors.EVENT_READ)
    ready()

    def pump() -> None:
        while True:
            for key, _ in chooser.select():
                if not key.fileobj.recv(1 << 20):  # type: ignore[union-attr]
                    return

    threading.Thread(target=pump, daemon=True).start()
    sys.stdin.read()


def main() -> None:
    allow_sockets()
    if KIND == "plain":
        drain(None)
        return
    realm = Realm.loads(sys.stdin.readline())
    if KIND == "bare":
        drain(realm)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(links(realm))


main()
