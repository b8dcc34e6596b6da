"""The number of every frame. Left out: those of files, from 48 on (``wire.files``)."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What a frame is. Numbers below 16 belong to the link itself and never reach the conversation tier."""

    HELLO = 1
    PING = 2
    PONG = 3
    CLOSE = 4
    POST = 16
    ACK = 17
    ORDERED = 32
    FETCH = 33
    HEAD = 34
    HAVE = 35
    SUBMIT = 36
    REFUSED = 37
    ASK_INFO = 38
    INFO = 39
    RECALL = 40
    ORIGINALS = 41
    ASK_PACKAGE = 42
    PACKAGE = 43
    BOXES = 44
