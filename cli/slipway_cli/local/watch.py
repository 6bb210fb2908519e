"""What `up` becomes when all is started: python -I -S watch.py PID HOME. Small, on the standard library.

It is the parent of supervisord, which ends with it, and waits for one of three things: a signal to stop, the end of
supervisord, or nothing for ever. Exit code 0 after every orderly stop.
"""

import contextlib
import os
import signal
import sys
import time
import types

STOP_TIMEOUT_SECONDS = 80


class Watch:
    def __init__(self, pid: int, home: str) -> None:
        self.pid = pid
        self.home = home
        self.signals = 0
        self.began = 0.0

    def stop(self, number: int, frame: types.FrameType | None) -> None:
        """First an orderly end; a second signal kills."""
        self.signals += 1
        if self.signals == 1:
            self.began = time.monotonic()
            say("stopping everything (once more to kill it) …")
            signal.alarm(STOP_TIMEOUT_SECONDS)
        kill(self.pid, signal.SIGTERM if self.signals == 1 else signal.SIGKILL)

    def wait(self) -> int:
        """Until supervisord has ended; its exit code as the shell would say it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.stop)
        _, status = os.waitpid(self.pid, 0)
        signal.alarm(0)
        return os.waitstatus_to_exitcode(status)

    def end(self) -> int:
        code = self.wait()
        if self.signals:
            say(f"stopped in {time.monotonic() - self.began:.1f} s; nothing is left running, the data is kept")
            return 0
        if code == 0:
            say("stopped by slipway down")
            return 0
        say(f"the supervisor ended unexpectedly ({code}): look into {self.home}/logs, then start again with slipway up")
        return 1


def kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(Watch(int(sys.argv[1]), sys.argv[2]).end())
