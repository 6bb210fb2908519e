"""One release's log directory as an endless series of batches, through rotation, truncation, removal and restarts.

Files are read oldest first, each to its end. A batch is a *cut*: a stretch of one file between two points where no line
is half read. Lines are numbered from 1 in each file, under the file's fingerprint as epoch. At most one cut is out.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from slipway_agent.logs.checkpoints import Mark
from slipway_agent.logs.cri import Parsed, parse
from slipway_agent.logs.files import Identity, LogFile, Stamp, listed, stamp
from slipway_contracts.live import LogLine

CUT_BYTES = 256 * 1024
"""Read for one batch: also the worst encoding of it fits into a message."""
MOST_BYTES = 4 * 1024 * 1024
"""A line, or lines entangled with it, that is longer than this is cut."""
NEVER: Stamp = (0, 0, 0)
SETTLE_SECONDS = 0.1
"""A rotated file is over when nothing was added for so long."""


@dataclass(frozen=True)
class Gap:
    """Lines that nobody can read any more, in their place between two files."""

    fingerprint: str
    lines: int
    """0: not known how many."""
    why: str

    @property
    def text(self) -> str:
        count = f"{self.lines:,} log lines were" if self.lines else "Log lines were"
        return f"{count} lost here: {self.why}."


@dataclass(frozen=True)
class Cut:
    """What goes out next. `id` is the same whenever the same stretch is sent."""

    epoch: str
    lines: list[LogLine]
    mark: Mark | None
    """To be recorded before sending; None for a gap, which needs none."""
    after: Mark | None

    @property
    def id(self) -> str:
        return f"{self.epoch}:{self.lines[0].sequence}-{self.lines[-1].sequence}"


class Source:
    """What the agent knows of one log directory. `look` takes notice of files, `next` and `done` go through them."""

    def __init__(self, directory: Path, mark: Mark | None, held_bytes: int) -> None:
        self.directory = directory
        self.mark = mark
        self._held_bytes = held_bytes
        self._queue: list[LogFile | Gap] = []
        self._quiet_since: float | None = None
        self._look_again = True
        self._stamps: tuple[Stamp | None, Stamp | None] = (NEVER, NEVER)
        self._paths = (str(directory), str(directory / "current.log"))

    # -- taking notice -------------------------------------------------------------------------------------------

    def changed(self) -> bool:
        """Whether there may be something to send. Costs two stats."""
        stamps = (stamp(self._paths[0]), stamp(self._paths[1]))
        if stamps == self._stamps and not self._look_again:
            return len(self._queue) > 1 or self.orphaned
        if stamps[0] != self._stamps[0] or self._look_again or not self._is_newest(stamps[1]):
            self._look_again = False
            self.look()
        self._stamps = stamps
        return bool(self._queue)

    def _is_newest(self, current: Stamp | None) -> bool:
        newest = self._queue[-1] if self._queue else None
        return current is None or (isinstance(newest, LogFile) and newest.identity.inode == current[0])

    @property
    def orphaned(self) -> bool:
        """The directory was removed, but something of it is still to be sent."""
        return self._stamps[0] is None and bool(self._queue)

    @property
    def gone(self) -> bool:
        """The directory was removed and everything that we held of it is sent."""
        return self._stamps[0] is None and not self._queue

    def look(self) -> None:
        """Take in files that are new, and let go of removed ones beyond what may be held."""
        first = self._first()
        if first is not None and not first.intact():
            self._truncated(first)
            return
        opened = self._opened()
        fingerprints = [file.identity.fingerprint for file in opened]
        if first is not None and not first.removed() and first.identity.fingerprint not in fingerprints:
            self._look_again = True  # seen in the middle of a rename
            _close(opened)
            return
        self._take(opened)
        self._let_go()

    def _opened(self) -> list[LogFile]:
        paths = listed(self.directory)
        opened: list[LogFile] = []
        for path in paths:
            file = LogFile.open(path, closed=path != paths[-1])
            if file is None:
                continue
            if any(file.identity.fingerprint == other.identity.fingerprint for other in opened):
                file.close()  # the original of a copy, about to be truncated
                self._look_again = True
            else:
                opened.append(file)
        return opened

    def _take(self, opened: list[LogFile]) -> None:
        """Queue the files that come after those we have."""
        known = {entry.identity.fingerprint for entry in self._queue if isinstance(entry, LogFile)}
        fingerprints = [file.identity.fingerprint for file in opened]
        start = 0
        if not self._queue and self.mark is not None:
            start = self._resume(fingerprints)
        elif self._queue:
            seen = [index for index, fingerprint in enumerate(fingerprints) if fingerprint in known]
            start = seen[0] if seen else 0
        for index, file in enumerate(opened):
            if index >= start and file.identity.fingerprint not in known:
                self._queue.append(file)
            else:
                file.close()

    def _resume(self, fingerprints: list[str]) -> int:
        """Where to go on among the files found, when all that we have is a mark."""
        assert self.mark is not None
        if self.mark.fingerprint in fingerprints:
            return fingerprints.index(self.mark.fingerprint)
        if fingerprints:
            why = "the log was rotated away before the agent could read it to its end"
            self._queue.append(Gap(self.mark.fingerprint, 0, why))
        return 0

    def _truncated(self, first: LogFile) -> None:
        """The file was cut short and begins anew. A copy of what it held may lie beside it (copytruncate)."""
        files = [entry for entry in self._queue if isinstance(entry, LogFile)]
        _close(files)
        self._queue.clear()
        self._take(self._opened())

    def _let_go(self) -> None:
        """Give up the oldest removed files beyond the bound, but never the one being sent."""
        removed = [entry for entry in self._queue[1:] if isinstance(entry, LogFile) and entry.removed()]
        held = sum(file.size() for file in removed)
        for file in removed:
            if held <= self._held_bytes:
                break
            held -= file.size()
            index = self._queue.index(file)
            lines = file.count_lines(0)
            before = self._queue[index - 1]
            gap = Gap(file.identity.fingerprint, lines, "the bus was away for longer than the log was kept")
            if isinstance(before, Gap):
                gap = Gap(gap.fingerprint, before.lines + lines, gap.why)
                self._queue[index - 1 : index + 1] = [gap]
            else:
                self._queue[index] = gap
            file.close()

    def _first(self) -> LogFile | None:
        return self._queue[0] if self._queue and isinstance(self._queue[0], LogFile) else None

    # -- going through -------------------------------------------------------------------------------------------

    def next(self) -> Cut | None:
        """The next batch, or None when there is nothing (yet). What it returned last must be `done` first."""
        while self._queue:
            entry = self._queue[0]
            if isinstance(entry, Gap):
                return self._gap(entry)
            if not entry.intact():
                self.look()
                continue
            mark = self._at(entry)
            cut = self._cut(entry, mark)
            if cut is not None:
                self._quiet_since = None
                return cut
            if not self._over():
                return None
            self._finish(entry)
        return None

    def done(self, cut: Cut) -> None:
        """The batch is kept by the bus."""
        if cut.after is not None:
            self.mark = cut.after
        elif self._queue and isinstance(self._queue[0], Gap):
            self._queue.pop(0)

    def close(self) -> None:
        _close([entry for entry in self._queue if isinstance(entry, LogFile)])
        self._queue.clear()

    def _at(self, file: LogFile) -> Mark:
        """Our mark, moved to this file when it stands in an earlier one."""
        if self.mark is None or self.mark.fingerprint != file.identity.fingerprint:
            self.mark = _start(file.identity)
        return self.mark

    def _cut(self, file: LogFile, mark: Mark) -> Cut | None:
        if mark.cut:
            data = file.read(mark.offset, mark.cut - mark.offset)
            return self._made(file, mark, parse(data, mark.sequence, closed=True, fallback_ns=file.modified_ns))
        length = CUT_BYTES
        while True:
            data = file.read(mark.offset, length)
            parsed = parse(data, mark.sequence, fallback_ns=file.modified_ns)
            if parsed.lines:
                return self._made(file, mark, parsed)
            at_end = len(data) < length
            if data and ((at_end and self._over()) or length >= MOST_BYTES):
                parsed = parse(data, mark.sequence, closed=True, fallback_ns=file.modified_ns)
                return self._made(file, mark, parsed)
            if at_end:
                return None
            length *= 4

    def _made(self, file: LogFile, mark: Mark, parsed: Parsed) -> Cut | None:
        if not parsed.lines:
            return None
        end = mark.offset + parsed.consumed
        before = Mark(mark.fingerprint, file.identity.inode, mark.offset, mark.sequence, end)
        after = Mark(mark.fingerprint, file.identity.inode, end, parsed.sequence)
        return Cut(mark.fingerprint, parsed.lines, before, after)

    def _over(self) -> bool:
        """Whether the first file has ended: a newer one is there (or nothing), and it was at its end for a while."""
        if len(self._queue) < 2 and not self.orphaned:
            return False
        now = time.monotonic()
        if self._quiet_since is None:
            self._quiet_since = now
        return now - self._quiet_since >= SETTLE_SECONDS

    def _finish(self, file: LogFile) -> None:
        file.close()
        self._queue.pop(0)
        self._quiet_since = None

    def _gap(self, gap: Gap) -> Cut:
        line = LogLine(sequence=1, time_ns=time.time_ns(), stream="system", text=gap.text, level="warning")
        return Cut(f"{gap.fingerprint}.gap", [line], None, None)


def _start(identity: Identity) -> Mark:
    return Mark(identity.fingerprint, identity.inode, 0, 1)


def _close(files: list[LogFile]) -> None:
    for file in files:
        file.close()
