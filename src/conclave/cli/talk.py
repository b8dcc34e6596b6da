"""``say``, ``read`` and ``search``: words to one peer or a lobby, and the history."""

from __future__ import annotations

import sys
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import typer

from conclave.cli import classic, moments
from conclave.cli.classic import ByLink, Link
from conclave.cli.context import Json, context_of, emit, note, say, table
from conclave.cli.files import SHORT_DIGITS, size_words
from conclave.cli.rows import ANSWERS, BEHIND, ROOM, SAID, cells, columns, fold, said
from conclave.errors import NotReady, StorageError, UsageError
from conclave.node.door.client import NodeClient, Unanswered
from conclave.wire.safe_text import safe_text

QUEUED = 5
"""Exit code: kept in the outbox, the peer does not have it yet."""
DELIVERED = ("delivered", "read")
ALONE = "alone"
"""Of what was said in a lobby where nobody else is in."""
WHAT_NEXT = {
    "waiting": "kept here, it goes out by itself",
    "in mailbox": "it is fetched from there",
    "not sent": "it will not go out",
    "disappeared": "its time was over before that; whom it reaches yet has it for as long",
}
"""Of what was said and is not there yet."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST_SECONDS = 365 * 86_400
BEGINNING = 44
"""Cells of a terminal for a conversation's last line, where conversations are listed."""
ID_LETTERS = 6
"""Of a line's name, as it is shown."""

To = Annotated[str, typer.Argument(metavar="@PEER|#LOBBY", help="A peer or a lobby; quote the # for your shell.")]


class Wait(StrEnum):
    """What ``say --wait`` may wait for."""

    SENT = "sent"
    DELIVERED = "delivered"


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command(
        "say",
        epilog="Examples: conclave say @burak 'the pump is back' --wait delivered --timeout 10; "
        "conclave say '#ops' 'which one?' --reply last",
    )(speak)
    app.command(
        "read", epilog="Examples: conclave read; conclave read '#ops' --follow; conclave read '#ops' --receipts"
    )(read)
    app.command("search", epilog="Example: conclave search pump")(search)


def speak(
    ctx: typer.Context,
    to: To,
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    reply: Annotated[
        str, typer.Option(metavar="LINE", help="What it answers: last, or a name of read --ids.", show_default=False)
    ] = "",
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="Disappears after 30s, 10m, 8h, 7d; off: never.", show_default=False)
    ] = "",
    wait: Annotated[
        Wait | None,
        typer.Option(
            help="Return only when it is in a mailbox or in order (on a legacy link: sent); or on every device.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="How long to wait (seconds).")] = 30.0,
    at: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Dial the peer there, without the directory.", show_default=False)
    ] = "",
    link: ByLink = Link.TLS,
    as_json: Json = False,
) -> None:
    """Say something to a peer or in a lobby. It is kept and sent again until it has arrived."""
    if classic.is_legacy(to, link):
        if wait is Wait.DELIVERED:
            raise UsageError("nothing confirms what is said on a legacy link", remedy="--wait sent")
        target = to.removeprefix(classic.LEGACY)
        words = text_of(text, empty=True)
        classic.speak(ctx, target, words, wait=wait is not None, timeout=timeout, at=at, as_json=as_json)
        return
    asked: dict[str, Any] = {"to": to, "text": text_of(text), "reply": reply, "at": at, "timeout": timeout}
    if expires:
        asked["expires"] = seconds_of(expires)
    if wait is not None:
        asked |= {"wait": True, "goal": wait.value}
    with NodeClient(context_of(ctx).home) as node:
        try:
            result = node.call("say", patience=timeout + 30, **asked)
        except (Unanswered, KeyboardInterrupt):
            note(f"it may be kept, and goes out by itself then. Before you say it twice: conclave read '{to}'")
            raise
    status = result["status"]
    reason = f" ({result['why']})" if result.get("why") else ""
    if as_json:
        emit([result])
    elif status in DELIVERED:
        note(f"{result['words']} · {result['protection']}")
    elif status in ("sent", ALONE):
        note(f"{result['words']}{reason} · {result['protection']}")
    else:
        note(f"{result['words']}{reason}: {WHAT_NEXT.get(status, status)} · {result['protection']}")
        if result.get("remedy"):
            note(f"  try: {result['remedy']}")
    never = (status == "disappeared" and wait is not None) or (status == ALONE and wait is Wait.DELIVERED)
    if status == "not sent" or never:
        raise typer.Exit(1)
    if wait is not None and status not in (*DELIVERED, *(("sent", "in mailbox", ALONE) if wait is Wait.SENT else ())):
        raise typer.Exit(QUEUED)


def text_of(text: str, *, empty: bool = False) -> str:
    """The words, from standard input where they are ``-``; ``empty``: they may be none. Raises ``UsageError``."""
    try:
        words = text if text != "-" else sys.stdin.read().rstrip("\n")
        words.encode()  # by the terminal's encoding, bytes that are none of its text may have got in
    except UnicodeError as error:
        raise UsageError(
            "that is not text in UTF-8", remedy="send what is no text as a file: conclave send"
        ) from error
    if not (empty or words.strip()):
        where = " on standard input" if text == "-" else ""
        raise UsageError(f"there is nothing to say{where}", remedy="conclave say @PEER 'hello'")
    return words


def seconds_of(text: str) -> int:
    """``30s``, ``10m``, ``8h``, ``7d`` as seconds; ``off`` is 0. Raises ``UsageError``."""
    number, unit = text[:-1], UNITS.get(text[-1:])
    if text == "off":
        return 0
    if unit is None or not (number.isascii() and number.isdigit()) or not 0 < int(number) * unit <= MOST_SECONDS:
        raise UsageError(f"{text!r} is no time", remedy="30s, 10m, 8h, 7d, at most 365d; or off")
    return int(number) * unit


def read(
    ctx: typer.Context,
    of: Annotated[
        str,
        typer.Argument(
            metavar="[@PEER|#LOBBY]", help="A peer or a lobby; quote the # for your shell.", show_default=False
        ),
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what arrives, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many lines of the past.")] = 50,
    after: Annotated[
        int | None, typer.Option(min=0, help="Only lines after this position.", show_default=False)
    ] = None,
    ids: Annotated[bool, typer.Option("--ids", help="Show the lines' names, for reply, edit, react, pin.")] = False,
    receipts: Annotated[
        bool, typer.Option("--receipts", help="Show who has what you said, and who read it.")
    ] = False,
    peek: Annotated[bool, typer.Option("--peek", help="Do not tell anybody that you read it.")] = False,
    link: ByLink = Link.TLS,
    as_json: Json = False,
) -> None:
    """Show a conversation's history, and with --follow what arrives; without a name, list conversations.

    What is shown counts as read.
    """
    if not of and (follow or receipts or peek or after is not None):
        raise UsageError("which conversation?", remedy="conclave read '#ops' --follow; conclave read lists them")
    with NodeClient(context_of(ctx).home) as node:
        if not of:
            list_conversations(node.call("conversations")["conversations"], as_json=as_json)
            return
        if receipts:
            show_receipts(node.call("receipts", conversation=of, limit=min(limit, 200)), as_json=as_json)
            return
        if follow:
            node.call("follow")
        legacy = classic.is_legacy(of, link)
        answer = node.call("classic.lines" if legacy else "lines", conversation=of, limit=limit, after=after)
        conversation = answer["conversation"]
        if not as_json:
            note(f"{conversation} · {answer['protection']}{kept(answer)}")
            if answer.get("outside"):
                note(f"{answer['outside']}: {answer['remedy']}")
            elif not answer["lines"] and after is not None and not follow:
                note(f"nothing after {after}")
            elif not answer["lines"] and not follow:
                note(f"nothing yet. Say something: conclave say '{conversation}' \"hello\"")
        elif answer.get("timer"):
            emit([{"conversation": conversation, "timer": answer["timer"]}])
        shown = set()
        for line in answer["lines"]:
            shown.add((line["from"], line["id"]))
            show_line(line, conversation, as_json=as_json, ids=ids)
        if answer["lines"] and not peek and not legacy:  # that suite knows no receipts
            with suppress(StorageError):  # what is shown is shown, though the disk is full: it is told another time
                node.call("read", conversation=conversation)
        if not follow:
            return
        for notice in node.notices():
            _follow(notice, conversation, shown, as_json=as_json, ids=ids)
    raise NotReady("your node ended", remedy="start it again: conclave up")


def list_conversations(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Everything with history, and the last line of each."""
    if as_json:
        emit(found)
        return
    if not found:
        note('nothing yet. See who is there: conclave who; then say something: conclave say @PEER "hello"')
        return
    table(("CONVERSATION", "LINES", "LAST", ""), map(_last_of, found))


def _last_of(one: dict[str, Any]) -> tuple[str, str, str, str]:
    last = one["last"]
    who = {"notice": "— ", "file": f"{last['from']}: [file] "}.get(last["kind"], f"{last['from']}: ")
    text = who + ("(deleted)" if last.get("deleted") else " ".join(last["text"].split()))
    name = one["conversation"] + ", muted" * one["muted"]
    return name, str(one["lines"]), moments.moment(last["sent"]), _beginning(text, BEGINNING)


def _beginning(text: str, most: int) -> str:
    """As much of a text as has room in so many of a terminal's cells; wide letters take two."""
    used = 0
    for at, letter in enumerate(text):
        used += cells(letter)
        if used > most:
            return text[: at - 1].rstrip() + "…"
    return text


def kept(answer: dict[str, Any]) -> str:
    """How long what is said in a conversation is kept, behind its head; nothing where that is for good."""
    return f" · {answer['kept']}" if answer.get("timer") else ""


def _follow(
    notice: dict[str, Any], conversation: str, shown: set[tuple[str, str]], *, as_json: bool, ids: bool
) -> None:
    if notice.get("conversation") != conversation:
        return
    if notice["notice"] == "line-added":
        line = notice["line"]
        if (line["from"], line["id"]) not in shown:
            show_line(line, conversation, as_json=as_json, ids=ids)
        shown.clear()  # only the first notices can repeat what the history showed
    elif notice["notice"] == "file-listed" and not as_json:  # its line came before what it offers was known
        note(f"{notice['name']}{_offer(notice | {'status': 'offered'})}")
    elif notice["notice"] == "line-marked" and as_json:
        emit([{"conversation": conversation, "id": notice["id"], "status": notice["status"]}])
    elif notice["notice"] == "line-changed" and as_json:
        emit([{"conversation": conversation, "id": notice["id"], "from": notice["author"], "changed": True}])


def show_line(line: dict[str, Any], conversation: str, *, as_json: bool, ids: bool = False) -> None:
    """One line of history, for people or for programs."""
    if as_json:
        emit([{"conversation": conversation, **line}])
        return
    when, late = moments.moment(line["sent"]), moments.arrived(line)
    name = f"{line['id'][:ID_LETTERS]}  " if ids else ""
    if line["kind"] == "notice":
        say(f"{when}  {' ' * len(name)}— {line['text']}", late)
        return
    head = f"{when}  {name}{line['from']:<10} "
    room = columns(sys.stdout)
    if room and room - len(head) < ROOM:  # who speaks has a row of its own
        say(head.rstrip(), late)
        head, late = " " * BEHIND, ""
    first, *rest = _rows(line, conversation, room and max(room - len(head), ROOM))
    say(head + first, late)
    for more in rest:
        say(" " * (len(when) + len(name) + 13 if head.strip() else BEHIND) + more)


def _rows(line: dict[str, Any], conversation: str, room: int) -> list[str]:
    """The words; above them what they answer, below what was said of them, which no words can pretend to."""
    reply, file = line.get("reply"), line["kind"] == "file"
    quoted = [] if reply is None else fold(safe_text(f"{reply['from']}: {quote(reply)}"), room and room - 2)
    if line.get("deleted"):
        rows = ["(deleted)"]
    elif file:
        first, *rest = fold(f"[file] {safe_text(line['text'])}{_offer(line.get('file'))}", room, len(SAID))
        rows = [first, *(SAID + row for row in rest)]
    else:
        rows = said(safe_text(line["text"], newlines=True), room)
    first, *rest = fold(safe_text(_marks(line, conversation)), room, 2)
    marks = [first, *(f"  {row}" for row in rest)] if first else []
    return [*(f"{SAID if at else ANSWERS + ' '}{row}" for at, row in enumerate(quoted)), *rows, *marks]


def quote(reply: dict[str, Any]) -> str:
    """The beginning of what a line answers, or why it is not shown."""
    if "text" in reply:
        return f'"{reply["text"]}"'
    return "a line that was deleted" if reply.get("gone") == "deleted" else "a line that is not here"


def _offer(file: dict[str, Any] | None) -> str:
    """Of a file, how large it is and how to get it."""
    if file is None:
        return ""
    how = "" if file["status"] == "here" else f": conclave fetch {file['id'][:SHORT_DIGITS]}"
    return f", {size_words(file['size'])}{how}"


def _marks(line: dict[str, Any], conversation: str) -> str:
    """What was said of the line."""
    marks = []
    if line.get("edited") and not line.get("deleted"):
        marks.append("edited")
    if line.get("pinned"):
        marks.append("pinned")
    marks += [f"{sign} {', '.join(people)}" for sign, people in line.get("reactions", {}).items()]
    if line["status"] not in ("received", "delivered"):
        of_legacy = ", legacy link" if conversation.startswith(classic.LEGACY) else ""
        marks.append(_how_far(line) + of_legacy)
    return "  ".join(f"[{mark}]" for mark in marks)


def _how_far(line: dict[str, Any]) -> str:
    words = str(line.get("words", line["status"]))
    match line["status"]:
        case "waiting":
            return f"{words}, goes out by itself"
        case "not sent":
            return f"{words} and will not go out: say it again"
        case _:
            return words


def show_receipts(answer: dict[str, Any], *, as_json: bool) -> None:
    """Who has what we said."""
    if as_json:
        emit(answer["lines"])
        return
    note(f"{answer['conversation']}: what you said, and who has it")
    if answer.get("outside"):
        note(f"{answer['outside']}: {answer['remedy']}")
    elif not answer["lines"]:
        note(f"nothing yet. Say something: conclave say '{answer['conversation']}' \"hello\"")
    for line in answer["lines"]:
        show_line(line | {"status": "received"}, answer["conversation"], as_json=False, ids=True)
        parts = line["summary"].split("; ") if line["status"] not in WHAT_NEXT else [_how_far(line)]
        for part in parts:
            say(f"{' ' * 21}{part}")


def search(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="Words to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many lines at most.")] = 20,
    as_json: Json = False,
) -> None:
    """Find lines of your history by their words."""
    with NodeClient(context_of(ctx).home) as node:
        found = node.call("search", text=text, limit=limit)["lines"]
    if not found and not as_json:
        note("nothing found")
    for hit in found:
        if not as_json:
            note(hit["conversation"])
        show_line(hit, hit["conversation"], as_json=as_json)
