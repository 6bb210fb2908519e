"""One program with a terminal of its own (a PTY), or with three pipes: started, fed, resized, ended, reaped.

Invariant: nothing here waits. Input that the program doesn't take is refused beyond a bound, output is read only while
somebody wants it, and the program and all its children are gone after `kill`.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Callable, Sequence
from typing import Protocol

from slipway_workloads.processes import descendants

READ_BYTES = 64 * 1024
INPUT_BYTES = 256 * 1024
"""Input that may wait for the program."""
LARGEST_SIZE = 1000
INTERRUPT = b"\x03"
TIOCGPTPEER = 0x5441
"""Linux: the other end of a PTY, from its master."""

Output = Callable[[bytes, bool], None]
"""Called with what the program printed, and whether it was on stderr."""


class Program(Protocol):
    """What a session holds: a program with a terminal, or a connection."""

    def listen(self, on_output: Output, on_exit: Callable[[int], None]) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def write(self, data: bytes) -> bool: ...
    def eof(self) -> None: ...
    def resize(self, columns: int, rows: int) -> None: ...
    def signal(self, name: str) -> bool: ...
    def hang_up(self) -> None: ...
    def kill(self) -> None: ...
    @property
    def running(self) -> bool: ...


class Terminal:
    """A running program. `on_output` is called only while reading is not paused; `on_exit` once."""

    def __init__(self, pid: int, tty: bool, stdin: int, outputs: dict[int, bool]) -> None:
        self.pid = pid
        self._tty = tty
        self._stdin = stdin
        self._outputs = outputs
        self._waiting = bytearray()
        self._eof = False
        self._reading: set[int] = set()
        self._exit_code: int | None = None
        self._loop = asyncio.get_running_loop()
        self._on_output: Output = lambda data, stderr: None
        self._on_exit: Callable[[int], None] = lambda code: None
        self._ended = False
        self._pidfd = os.pidfd_open(pid)

    @classmethod
    def start(
        cls, argv: list[str], env: dict[str, str], *, tty: bool, columns: int, rows: int, owner: int | None = None
    ) -> "Terminal":
        """Start a program; OSError when that fails. `owner`: the user who should own the PTY."""
        return _with_pty(argv, env, columns, rows, owner) if tty else _with_pipes(argv, env)

    def listen(self, on_output: Output, on_exit: Callable[[int], None]) -> None:
        """From now on tell what the program prints, and its exit code once all of that was told."""
        self._on_output, self._on_exit = on_output, on_exit
        self._loop.add_reader(self._pidfd, self._exited)
        self.resume()

    # -- output --------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop reading: the program waits once the kernel's buffer is full."""
        for descriptor in list(self._reading):
            self._loop.remove_reader(descriptor)
        self._reading.clear()

    def resume(self) -> None:
        for descriptor in self._outputs:
            if descriptor not in self._reading:
                self._reading.add(descriptor)
                self._loop.add_reader(descriptor, self._read, descriptor)
        if self._exit_code is not None:
            self._last_words()

    def _read(self, descriptor: int) -> None:
        data, over = _read_available(descriptor)
        if data:
            self._on_output(data, self._outputs[descriptor])
        if over:
            self._close_output(descriptor)
        elif not data and self._exit_code is not None:
            # Ended, and a child in the background keeps the terminal open: it has nothing to say now.
            self._close_output(descriptor)

    def _close_output(self, descriptor: int) -> None:
        if descriptor in self._reading:
            self._reading.discard(descriptor)
            self._loop.remove_reader(descriptor)
        if self._outputs.pop(descriptor, None) is not None:
            os.close(descriptor)
        if not self._outputs:
            self._end()

    # -- input ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Give the program input. False when it has not taken what it got before: offer it again later."""
        if self._stdin < 0 or self._eof:
            return True
        at = data.rfind(INTERRUPT) if self._waiting and self._interruptible() else -1
        if at >= 0:
            # The program doesn't read: an interrupt throws away what was typed before it, as a kernel's queue does.
            self._forget_typed()
            data = data[at:]
        if len(self._waiting) + len(data) > INPUT_BYTES:
            return False
        self._waiting += data
        self._flush()
        return True

    def eof(self) -> None:
        """No more input. A PTY has no half-close: the program is told by the character for it."""
        if self._stdin < 0 or self._eof:
            return
        if self._tty:
            self.write(_eof_character(self._stdin))
            return
        self._eof = True
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            try:
                written = os.write(self._stdin, self._waiting)
            except BlockingIOError:
                self._loop.add_writer(self._stdin, self._flush)
                return
            except OSError:
                self._waiting.clear()  # it reads no more
                break
            del self._waiting[:written]
        self._loop.remove_writer(self._stdin)
        if self._eof and not self._tty:
            self._close_input()

    def _close_input(self) -> None:
        if self._stdin >= 0:
            self._loop.remove_writer(self._stdin)
            os.close(self._stdin)
            self._stdin = -1

    # -- control -------------------------------------------------------------------------------------------------

    def resize(self, columns: int, rows: int) -> None:
        """Tell the program its window's size, within reason."""
        if self._tty and self._stdin >= 0:
            _set_size(self._stdin, columns, rows)

    def signal(self, name: str) -> bool:
        """Send a signal to what runs in the foreground. INT is Ctrl-C: it also throws away what was typed before.

        False for a name that is none, and for INT where the program takes Ctrl-C as a character.
        """
        number = getattr(signal, f"SIG{name.removeprefix('SIG')}", None)
        if not isinstance(number, signal.Signals):
            return False
        if self._tty and self._stdin >= 0:
            if number is signal.SIGINT:
                if not self._interruptible():
                    return False
                self._forget_typed()
            with contextlib.suppress(OSError):
                os.killpg(os.tcgetpgrp(self._stdin), number)
        else:
            _send([*descendants(self.pid), self.pid], number)
        return True

    def _interruptible(self) -> bool:
        """Whether Ctrl-C interrupts: full-screen programs take it as a character."""
        if not self._tty or self._stdin < 0:
            return False
        try:
            attributes = termios.tcgetattr(self._stdin)
        except termios.error:
            return False
        return bool(attributes[3] & termios.ISIG) and attributes[6][termios.VINTR] == INTERRUPT

    def _forget_typed(self) -> None:
        self._waiting.clear()
        _flush_typed(self._stdin)

    def hang_up(self) -> None:
        """What a lost line does: programs may end in order; `kill` ends what is left."""
        _send([*descendants(self.pid), self.pid], signal.SIGHUP)
        _send([*descendants(self.pid), self.pid], signal.SIGCONT)

    def kill(self) -> None:
        _send([*descendants(self.pid), self.pid], signal.SIGKILL)

    @property
    def running(self) -> bool:
        return self._exit_code is None

    # -- end -----------------------------------------------------------------------------------------------------

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._exit_code = code if code >= 0 else 128 - code
        self._last_words()

    def _last_words(self) -> None:
        """What it printed last is read first; then it is over, whoever keeps the terminal open."""
        for descriptor in list(self._reading):
            if descriptor in self._reading:
                self._read(descriptor)
        if not self._outputs:
            self._end()
        elif self._reading:
            self._loop.call_soon(self._last_words)

    def _end(self) -> None:
        if self._ended or self._exit_code is None:
            return
        self._ended = True
        self._close_input()
        self._on_exit(self._exit_code)


def _with_pty(argv: list[str], env: dict[str, str], columns: int, rows: int, owner: int | None) -> Terminal:
    master, slave = os.openpty()
    try:
        name = os.ttyname(slave)
        if owner is not None:
            with contextlib.suppress(OSError):
                os.fchown(slave, owner, -1)
        _set_size(master, columns, rows)
        os.set_blocking(master, False)
        # The leader of a new session that opens a terminal gets it as its controlling one.
        actions: list[tuple[int | str, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]
        pid = _spawn(argv, env, actions)
    except BaseException:
        os.close(master)
        raise
    finally:
        os.close(slave)
    return Terminal(pid, True, master, {os.dup(master): False})


def _with_pipes(argv: list[str], env: dict[str, str]) -> Terminal:
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    (stdin, write), (out, stdout), (err, stderr) = pipes
    try:
        actions = [(os.POSIX_SPAWN_DUP2, descriptor, at) for at, descriptor in enumerate((stdin, stdout, stderr))]
        pid = _spawn(argv, env, actions)
    except BaseException:
        for descriptor in (write, out, err):
            os.close(descriptor)
        raise
    finally:
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
    for descriptor in (write, out, err):
        os.set_blocking(descriptor, False)
    return Terminal(pid, False, write, {out: False, err: True})


def _spawn(argv: list[str], env: dict[str, str], actions: Sequence[tuple[int | str, ...]]) -> int:
    ours = [signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD]
    return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=ours)


def _read_available(descriptor: int) -> tuple[bytes, bool]:
    """What is there now (a PTY gives it in small pieces), and whether that was the end."""
    parts: list[bytes] = []
    size = 0
    while size < READ_BYTES:
        try:
            part = os.read(descriptor, READ_BYTES - size)
        except BlockingIOError:
            return b"".join(parts), False
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return b"".join(parts), True  # EIO: nobody has the terminal open any more
        if not part:
            return b"".join(parts), True
        parts.append(part)
        size += len(part)
    return b"".join(parts), False


def _set_size(descriptor: int, columns: int, rows: int) -> None:
    size = struct.pack("HHHH", _within(rows, 24), _within(columns, 80), 0, 0)
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, size)


def _within(size: int, default: int) -> int:
    return default if size <= 0 else min(size, LARGEST_SIZE)


def _flush_typed(master: int) -> None:
    """Forget what was typed and not read: on its way to the terminal, and in the queue of the program's side."""
    with contextlib.suppress(OSError, termios.error):
        termios.tcflush(master, termios.TCOFLUSH)
        peer = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            termios.tcflush(peer, termios.TCIFLUSH)
        finally:
            os.close(peer)


def _eof_character(descriptor: int) -> bytes:
    try:
        character = termios.tcgetattr(descriptor)[6][termios.VEOF]
    except termios.error:
        return b"\x04"
    return character if isinstance(character, bytes) else b"\x04"


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
