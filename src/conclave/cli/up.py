"""``conclave up``: your node, running in this terminal until Ctrl-C, telling what arrives."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from queue import Full, Queue
from threading import Thread
from typing import Annotated, Any

import typer

from conclave.cli import classic, moments
from conclave.cli.context import Json, PassphraseFile, context_of, emit, note, read_passphrase, say
from conclave.cli.files import SHORT_DIGITS, size_words
from conclave.cli.rows import ANSWERS, said
from conclave.cli.talk import quote
from conclave.wire.safe_text import safe_text

SCREEN_NOTICES = 1000
"""Notices that wait to be shown."""
SCREEN_SECONDS = 1.0
"""How long the end waits for the screen."""


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("up", epilog="Example: conclave up --listen 0.0.0.0:7443")(up)


def up(
    ctx: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where peers reach you; port 0 picks one.", show_default=False),
    ] = None,
    announce: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="What to tell the directory, if that differs.", show_default=False),
    ] = None,
    authority: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The authority, if it moved.", show_default=False)
    ] = None,
    links: Annotated[
        str | None,
        typer.Option(
            metavar="tls|tls,classic", help="Kinds of link; classic is the report's legacy suite.", show_default=False
        ),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error, on stderr.", show_default=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Run your node: be reachable, send what waits, keep what arrives. Ctrl-C ends it; nothing is lost."""
    from conclave.node.process import run_node

    context = context_of(ctx)
    settings = {"listen": listen, "announce": announce, "authority": authority, "links": links}
    settings["log_level"] = log_level
    passphrase = read_passphrase(context, "passphrase", file=passphrase_file)

    def show(notice: dict[str, Any]) -> None:
        if as_json:
            emit([notice])
        else:
            _show(notice)

    screen = Screen(show)
    try:
        run_node(context.home, passphrase, settings, screen.tell)
    finally:
        screen.close()
    if not as_json:
        note("ended; everything that was acknowledged is kept")


class Screen:
    """Shows notices on a thread of its own: a terminal that is held, or a reader that stops, does not hold the node.

    What does not fit the queue is counted, and the count is told. A reader that is gone is shown nothing more.
    """

    def __init__(self, show: Callable[[dict[str, Any]], None]) -> None:
        self._show = show
        self._queue: Queue[dict[str, Any] | None] = Queue(SCREEN_NOTICES)
        self._left_out = 0
        self._thread = Thread(target=self._run, name="screen", daemon=True)
        self._thread.start()

    def tell(self, notice: dict[str, Any]) -> None:
        """Have it shown, soon. Never waits."""
        try:
            self._queue.put_nowait(notice)
        except Full:
            self._left_out += 1

    def close(self) -> None:
        """Let what was told be shown, if that goes quickly."""
        with suppress(Full):
            self._queue.put(None, timeout=SCREEN_SECONDS)
            self._thread.join(SCREEN_SECONDS)

    def _run(self) -> None:
        while (notice := self._queue.get()) is not None:
            with suppress(OSError, ValueError):  # closed at the other end, or at ours
                self._show(notice)
                if self._left_out and self._queue.empty():
                    count, self._left_out = self._left_out, 0
                    self._show({"notice": "left-out", "count": count})


def _show(notice: dict[str, Any]) -> None:
    first, *rest = safe_text(_words(notice), newlines=True).split("\n")
    if first:
        line = notice.get("line") if notice["notice"] == "line-added" else None
        at, late = (line["sent"], moments.arrived(line)) if line else (time.time(), "")
        say(f"{moments.clock(at)}  {first}", late)
        for more in rest:
            say(f"     | {more}")


def _words(notice: dict[str, Any]) -> str:
    match notice:
        case {"notice": "node-started"}:
            where = notice["listen"] + ("; legacy links are on" if "classic" in notice.get("kinds", "") else "")
            return f"{notice['handle']}@{notice['realm']} is up, listening on {where}. Ctrl-C ends it."
        case {"muted": True}:
            return ""
        case {"notice": "line-added", "conversation": conversation, "line": line}:
            if line["kind"] == "file":
                ours = "file" in line  # another's is told with its size, once that is known
                return f"{conversation}  {line['from']} offers a file: {line['text']}" if ours else ""
            if line["kind"] == "notice":
                return f"{conversation}  — {line['text']}"
            reply = line.get("reply")
            answers = f" {ANSWERS} {reply['from']} {quote(reply)}" if reply else ""
            rows = said(safe_text(line["text"], newlines=True), 0)
            return f"{conversation}  {line['from']}{answers}: " + "\n".join(rows)
        case {"notice": "request-arrived", "peer": peer, "lobby": ""}:
            return f"{peer} asks to chat: conclave accept {peer}"
        case {"notice": "request-arrived", "peer": peer, "lobby": lobby}:
            return f"{peer} invites you to {lobby}: conclave accept {peer} --lobby {lobby[1:]}"
        case {"notice": "request-answered", "peer": peer, "lobby": lobby, "answer": answer}:
            return f"{peer} {_ANSWERS.get(answer, answer)}{f' ({lobby})' if lobby else ''}"
        case {"notice": "link-opened", "peer": peer, "address": address}:
            return f"linked with {peer} at {address}, both certificates verified"
        case {"notice": "link-closed", "peer": peer, "reason": reason, "text": text, "clean": clean}:
            return f"link with {peer} {'ended' if clean else 'was cut off'}: {text or reason}"
        case {"notice": "authority-reached", "reached": reached, "text": text}:
            return text if reached or notice.get("refused") else f"{text}; chats go on without it"
        case {"notice": "leader-changed", "lobby": lobby, "leader": leader}:
            return f"{lobby} is led by {leader} now"
        case {"notice": "revoked", "handle": handle, "reason": reason}:
            return f"the authority shut {handle} out: {reason}"
        case {"notice": "certificate-renewed", "profile": profile, "until": until}:
            day = datetime.fromtimestamp(until).astimezone()
            return f"certificate {profile} renewed, valid until {day:%d.%m. %H:%M}"
        case {"notice": "file-listed", "conversation": conversation, "sender": sender, "name": name, "id": name_id}:
            size = size_words(notice["size"])
            return f"{conversation}  {sender} offers {name}, {size}: conclave fetch {name_id[:SHORT_DIGITS]}"
        case {"notice": "file-done", "name": name, "path": path}:
            return f"{name} is here: {path}"
        case {"notice": "file-failed", "name": name, "text": text}:
            return f"{name} was not fetched: {text}"
        case {"notice": "left-out", "count": count}:
            return f"{count} notices are not shown here, because this screen was slow: conclave read shows all"
        case {"notice": "trouble", "peer": peer, "text": text}:
            return f"{peer}: {text}"
        case _:
            return classic.words(notice)


_ANSWERS = {
    "accepted": "accepted",
    "rejected": "said no",
    "busy": "is busy: what you said waits",
    "free": "is free again",
    "withdrawn": "does not ask you in any more",
}
