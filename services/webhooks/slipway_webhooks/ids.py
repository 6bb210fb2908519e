"""Ids of log entries: UUID version 7 like everywhere, without asking the kernel for randomness each time."""

import secrets
import time


class Ids:
    """Random once per process, then counted: unique among processes, ordered within one."""

    def __init__(self) -> None:
        self._rest = (2 << 62) | secrets.randbits(62)
        self._count = secrets.randbits(11)
        self._at = 0

    def __call__(self) -> str:
        now = time.time_ns() // 1_000_000
        if now > self._at:
            self._at = now
            self._count = 0
            self._rest = (2 << 62) | ((self._rest * 6364136223846793005 + 1442695040888963407) & ((1 << 62) - 1))
        elif self._count < 0xFFF:
            self._count += 1
        else:
            self._at += 1
            self._count = 0
        text = f"{(self._at << 80) | (7 << 76) | (self._count << 64) | self._rest:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
