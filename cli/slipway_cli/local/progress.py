"""What `up` says while it works: a line per step with its time, kept up to date on a terminal."""

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import AsyncIterator


class Progress:
    """Steps that may overlap. On a terminal the running ones stand in one live line below the finished ones."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._live = sys.stderr.isatty()
        self._running: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def step(self, title: str) -> AsyncIterator[None]:
        """A step; its line appears when it has ended, with how long it took."""
        began = self._running[title] = time.monotonic()
        self._show()
        try:
            yield
        except BaseException:
            self._running.pop(title, None)
            self._clear()
            raise
        self._running.pop(title, None)
        self.say(f"✓ {time.monotonic() - began:5.1f} s  {title}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        sys.stderr.write(f"  {text}\n")
        self._show()
        sys.stderr.flush()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    async def tick(self) -> None:
        """Keeps the live line's times moving."""
        while self._live:
            self._show()
            await asyncio.sleep(0.2)

    def close(self) -> None:
        self._running.clear()
        self._clear()

    def _clear(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")

    def _show(self) -> None:
        if self._live and self._running:
            oldest = max(time.monotonic() - began for began in self._running.values())
            width = shutil.get_terminal_size().columns - 1
            line = f"  … {oldest:5.1f} s  {', '.join(self._running)}"[:width]
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
