"""Stand between supervisord and one release of a service: python -I -S shim.py <launch.json>

Starts the program (its sandbox included), turns what it prints into lines `time stream P|F text` in a log that is
rotated by bytes, keeps its status in a file, starts it again with growing pauses when it ends, hands SIGTERM on and
ends the whole sandbox after the grace period. One shim runs per release, so it uses little.

Invariant: what the program wrote is in the log in the order in which it was read; a flood or an endless line costs
bounded memory, disk and time, and what had to be dropped is counted in the log.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINE_BYTES = 16 * 1024
CHUNK_BYTES = 64 * 1024
FLOOD_SECONDS = 5
"""A burst may have this many seconds' worth of the lasting rate."""
LONGEST_PAUSE_SECONDS = 60.0
HEALTHY_SECONDS = 60.0
MEMORY_CHECK_SECONDS = 2.0
TICK_MILLISECONDS = 2000
TOO_LONG = 124
"""Exit code of what ended well, but only because its time was over (as of timeout(1))."""
EXIT_MEANINGS = {126: "the command can't be executed", 127: "the command was not found"}


def stamp(now_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds."""
    seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


class Log:
    """current.log and its older parts: append, rotate by rename when it is full, drop what floods."""

    def __init__(self, directory: str, file_bytes: int, files: int, bytes_per_second: int) -> None:
        os.makedirs(directory, exist_ok=True)
        self.path = os.path.join(directory, "current.log")
        self.file_bytes = file_bytes
        self.files = files
        self.rate = bytes_per_second
        self.credit = float(bytes_per_second * FLOOD_SECONDS)
        self.counted_at = time.monotonic()
        self.dropped_lines = 0
        self.dropped_bytes = 0
        self.open()

    def open(self) -> None:
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.size = os.fstat(self.file).st_size

    def write(self, stream: bytes, tag: bytes, lines: list[bytes]) -> None:
        """Append complete (F) or unfinished (P) lines of one stream."""
        size = sum(map(len, lines)) + 48 * len(lines)
        if not self.allowed(size):
            self.dropped_lines += len(lines)
            self.dropped_bytes += size
            return
        self.tell_dropped()
        self.append(stream, tag, lines)

    def allowed(self, size: int) -> bool:
        """Whether the flood limit leaves room; once it was hit, not before a second's worth is free again."""
        now = time.monotonic()
        self.credit = min(self.rate * FLOOD_SECONDS, self.credit + (now - self.counted_at) * self.rate)
        self.counted_at = now
        if self.dropped_lines and self.credit < self.rate:
            return False
        if self.credit < size:
            return False
        self.credit -= size
        return True

    def tell_dropped(self) -> None:
        if not self.dropped_lines:
            return
        text = (
            f"slipway: {self.dropped_lines} lines ({self.dropped_bytes} bytes) were dropped here: "
            f"the log may grow by {self.rate} bytes a second"
        )
        self.dropped_lines = self.dropped_bytes = 0
        self.append(b"system", b"F", [text.encode()])

    def say(self, text: str) -> None:
        """A line of Slipway's own."""
        self.append(b"system", b"F", [text.encode()])

    def append(self, stream: bytes, tag: bytes, lines: list[bytes]) -> None:
        head = stamp(time.time_ns()).encode() + b" " + stream + b" " + tag + b" "
        data = head + (b"\n" + head).join(lines) + b"\n"
        if self.size and self.size + len(data) > self.file_bytes:
            self.rotate()
        try:
            written = os.write(self.file, data)
            while written < len(data):
                data = data[written:]
                self.size += written
                written = os.write(self.file, data)
            self.size += written
        except OSError:
            # The disk is full or gone: the program must go on, and the reader sees how much is missing.
            self.dropped_lines += len(lines)
            self.dropped_bytes += len(data)

    def rotate(self) -> None:
        try:
            for number in range(self.files - 1, 1, -1):
                older = f"{self.path}.{number - 1}"
                if os.path.exists(older):
                    os.replace(older, f"{self.path}.{number}")
            if self.files > 1:
                os.replace(self.path, f"{self.path}.1")
            else:
                os.unlink(self.path)
            os.close(self.file)
            self.open()
        except OSError:
            self.size = 0


class Stream:
    """One of the program's outputs, cut into lines of at most LINE_BYTES."""

    def __init__(self, name: bytes, log: Log) -> None:
        self.name = name
        self.log = log
        self.rest = b""

    def feed(self, data: bytes) -> None:
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        if lines and max(map(len, lines)) <= LINE_BYTES:
            self.log.write(self.name, b"F", lines)
        else:
            for line in lines:
                self.log.write(self.name, b"F", [self.cut(line)])
        self.rest = self.cut(self.rest)

    def cut(self, line: bytes) -> bytes:
        """Write all but the last part of an overlong line as unfinished parts."""
        while len(line) > LINE_BYTES:
            self.log.write(self.name, b"P", [line[:LINE_BYTES]])
            line = line[LINE_BYTES:]
        return line

    def end(self) -> None:
        if self.rest:
            self.log.write(self.name, b"F", [self.rest])
        self.rest = b""


class Shim:
    """Starts, attends and ends the program of one release."""

    def __init__(self, launch: dict[str, Any]) -> None:
        self.launch = launch
        self.log = Log(
            launch["log_directory"],
            launch.get("log_file_bytes", 10 * 1024 * 1024),
            launch.get("log_files", 5),
            launch.get("log_bytes_per_second", 2 * 1024 * 1024),
        )
        self.memory_bytes: int = launch.get("memory_bytes", 0)
        self.memory_checked_at = 0.0
        self.grace: float = launch.get("stop_grace_seconds", 10.0)
        self.status: dict[str, Any] = {"state": "starting", "shim_pid": os.getpid(), "starts": 0, "restarts": 0}
        self.stop_signal: int = signal.Signals[f"SIG{launch.get('stop_signal', 'TERM')}"]
        self.main_alone: bool = launch.get("signals_main_alone", False)
        self.attempts: int = launch.get("attempts", 0)
        self.attempt_seconds: float = launch.get("attempt_seconds", 0.0)
        self.began_at = 0.0
        self.overdue_at = 0.0
        self.failures = 0
        self.stopping_at = 0.0
        self.out_of_memory = False
        self.child = 0
        self.sandbox_pid = 0
        self.facts = b""
        self.readers: dict[int, Stream | None] = {}
        self.parent = os.getppid()
        self.poll = select.poll()
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.poll.register(self.wake_read, select.POLLIN)

    def listen(self) -> None:
        """From now on signals wake the loop."""
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self.on_stop)
        signal.signal(signal.SIGINT, self.on_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def on_stop(self, number: int, frame: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask the program to end; `watch` ends it when its grace is over."""
        if not self.stopping_at:
            self.stopping_at = time.monotonic()
            self.hand_on(self.stop_signal)

    def run(self) -> None:
        """Keep the program running until told to stop."""
        while not self.stopping_at:
            began = time.monotonic()
            self.start()
            self.attend()
            if self.attempts and (self.status["exit_code"] == 0 or self.status["starts"] >= self.attempts):
                break
            if time.monotonic() - began >= HEALTHY_SECONDS:
                self.failures = 1
            self.pause()
        self.log.tell_dropped()
        self.tell(state="exited", next_start_at="", over=True)

    def start(self) -> None:
        """Start the program with two pipes for its output and one on which bubblewrap tells its pid."""
        self.facts = b""
        self.sandbox_pid = 0
        self.out_of_memory = False
        self.began_at, self.overdue_at = time.monotonic(), 0.0
        self.status["starts"] += 1
        self.status["restarts"] = self.status["starts"] - 1
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.child = self.spawn(null, [write for _, write in pipes])
        except OSError as error:
            self.ended(127, f"it could not be started: {error.strerror}: {error.filename or self.launch['argv'][0]}")
            for read, _ in pipes:
                os.close(read)
            return
        finally:
            os.close(null)
            for _, write in pipes:
                os.close(write)
        streams = (Stream(b"stdout", self.log), Stream(b"stderr", self.log), None)
        self.readers = {read: stream for (read, _), stream in zip(pipes, streams, strict=True)}
        for read in self.readers:
            self.poll.register(read, select.POLLIN)
        fresh = {"exit_code": None, "signal": "", "reason": "", "out_of_memory": False, "ended_at": ""}
        self.tell(state="running", pid=self.child, started_at=stamp(time.time_ns()), next_start_at="", **fresh)

    def spawn(self, null: int, outputs: list[int]) -> int:
        """The program with its own environment and nothing else of ours; it shares our process group."""
        argv = self.launch["argv"]
        actions = [(os.POSIX_SPAWN_DUP2, null, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, output, 1 + number) for number, output in enumerate(outputs)]
        if not self.launch.get("sandboxed", True):
            os.chdir(self.launch["cwd"])
        ours = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE]
        env = self.launch["env"]
        return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsigmask=[], setsigdef=ours)

    def attend(self) -> None:
        """Read until the program has ended and its outputs are closed, or were left open for a second by another."""
        ended_at = 0.0 if self.child else time.monotonic()
        while not ended_at or (self.readers and time.monotonic() < ended_at + 1.0):
            for descriptor, _ in self.poll.poll(200 if ended_at else TICK_MILLISECONDS):
                if descriptor == self.wake_read:
                    drain(self.wake_read)
                else:
                    self.read(descriptor)
            if not ended_at and self.reaped():
                ended_at = time.monotonic()
            self.watch()
        for descriptor in list(self.readers):
            self.close(descriptor)

    def watch(self) -> None:
        """What must happen at its time: the end of the grace, of the supervisor, of the memory."""
        if os.getppid() != self.parent:
            self.stop()
        now = time.monotonic()
        if self.attempt_seconds and not self.overdue_at and now > self.began_at + self.attempt_seconds:
            self.overdue_at = now
            self.hand_on(self.stop_signal)
        told_at = self.stopping_at or self.overdue_at
        if told_at and now > told_at + self.grace:
            self.kill()
        if self.memory_bytes and self.child and now > self.memory_checked_at + MEMORY_CHECK_SECONDS:
            self.memory_checked_at = now
            self.check_memory()

    def read(self, descriptor: int) -> None:
        data = os.read(descriptor, CHUNK_BYTES)
        if not data:
            self.close(descriptor)
            return
        stream = self.readers[descriptor]
        if stream is not None:
            stream.feed(data)
        elif not self.sandbox_pid:
            self.facts += data
            self.learn()

    def learn(self) -> None:
        """bubblewrap's first document names the sandbox's init, as this side sees it."""
        try:
            facts = json.loads(self.facts.partition(b"}")[0] + b"}")
        except ValueError:
            return
        self.sandbox_pid = facts.get("child-pid", 0)
        if self.sandbox_pid:
            self.tell(sandbox_pid=self.sandbox_pid, pid=self.sandbox_pid)
            if self.stopping_at:
                self.hand_on(self.stop_signal)

    def close(self, descriptor: int) -> None:
        stream = self.readers.pop(descriptor)
        self.poll.unregister(descriptor)
        os.close(descriptor)
        if stream is not None:
            stream.end()

    def reaped(self) -> bool:
        """Whether the program has ended; its status is kept then."""
        if not self.child:
            return True
        pid, status = os.waitpid(self.child, os.WNOHANG)
        if not pid:
            return False
        self.child = 0
        code = os.waitstatus_to_exitcode(status)
        self.ended(code if code >= 0 else 128 - code)
        return True

    def ended(self, code: int, reason: str = "") -> None:
        name = ""
        if 128 < code < 193:
            try:
                name = signal.Signals(code - 128).name
            except ValueError:
                name = f"signal {code - 128}"
        code = TOO_LONG if self.overdue_at and code == 0 else code
        killed = name == "SIGKILL" and not self.stopping_at and not self.overdue_at
        self.failures += 1
        self.tell(
            state="exited",
            pid=0,
            sandbox_pid=0,
            ended_at=stamp(time.time_ns()),
            exit_code=code,
            signal=name,
            out_of_memory=self.out_of_memory,
            reason=reason or self.in_words(code, name, killed),
        )
        self.log.tell_dropped()
        if not self.stopping_at:
            self.log.say(f"slipway: the program ended: {self.status['reason']}")

    def in_words(self, code: int, name: str, killed: bool) -> str:
        if self.out_of_memory:
            return f"out of memory: it used more than its {self.memory_bytes // 1048576} MiB"
        if self.overdue_at:
            return f"it took longer than the {self.attempt_seconds:g} s that it may"
        if killed:
            return "it was killed (SIGKILL), probably because the machine ran out of memory"
        if name:
            return f"it was ended by {name}"
        if code == 0 and self.attempts:
            return "it completed"
        if code == 0:
            return "it exited normally (code 0), but a service should keep running"
        if code in EXIT_MEANINGS:
            return f"it exited with code {code}: {EXIT_MEANINGS[code]}"
        return f"it exited with code {code}"

    def pause(self) -> None:
        """Wait before the next start, longer after each failure; being told to stop ends the wait."""
        if self.stopping_at:
            return
        seconds = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(self.failures - 1, 6))
        self.tell(state="waiting", next_start_at=stamp(time.time_ns() + int(seconds * 1e9)))
        end = time.monotonic() + seconds
        while not self.stopping_at and time.monotonic() < end:
            if self.poll.poll(min(TICK_MILLISECONDS, max(1, int(1000 * (end - time.monotonic()))))):
                drain(self.wake_read)
            self.watch()

    def hand_on(self, number: int) -> None:
        """Tell every process of the program, or its first one: bubblewrap itself passes no signal on."""
        pids = descendants(self.sandbox_pid) if self.sandbox_pid else [self.child, *descendants(self.child)]
        for pid in pids[:1] if self.main_alone else pids:
            send(pid, number)

    def kill(self) -> None:
        """End everything at once: with a sandbox's init the kernel ends all that is inside."""
        for pid in [self.sandbox_pid, *descendants(self.child), self.child]:
            send(pid, signal.SIGKILL)

    def check_memory(self) -> None:
        pids = descendants(self.sandbox_pid or self.child)
        if sum(map(resident, pids)) > self.memory_bytes and sum(map(proportional, pids)) > self.memory_bytes:
            self.out_of_memory = True
            self.kill()

    def tell(self, **changes: Any) -> None:
        """Replace the status file."""
        self.status.update(changes)
        path = self.launch["status_file"]
        temporary = f"{path}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(temporary, "w") as file:
                json.dump(self.status, file)
            os.replace(temporary, path)
        except OSError:
            return


def drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 512):
            continue
    except BlockingIOError:
        return


def send(pid: int, number: int) -> None:
    if pid <= 0:
        return
    try:
        os.kill(pid, number)
    except OSError:
        return


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            for thread in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{thread}/children") as file:
                    children = [int(child) for child in file.read().split()]
                found += children
                waiting += children
        except OSError:
            continue
    return found


def resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        launch = json.load(file)
    os.umask(0o022)
    shim = Shim(launch)
    shim.listen()
    shim.run()


if __name__ == "__main__":
    main()
