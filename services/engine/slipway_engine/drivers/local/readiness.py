"""Does the new process answer? And when it doesn't: exactly why.

Invariant: only a port on which the release's own processes listen counts, so another program that answers there is
never taken for the service.
"""

import asyncio
import time
from dataclasses import dataclass

from slipway_contracts.specs import Probe, ServiceSpec
from slipway_engine.problems import StartFailed
from slipway_engine.steplog import StepLog
from slipway_workloads import ReleaseDirectory, Status, processes
from slipway_workloads.records import read

POLL_SECONDS = 0.1
TAIL_LINES = 20
TAIL_BYTES = 64 * 1024
ENDED = ("exited", "waiting")


@dataclass
class Watch:
    """The start of one release, as it is watched."""

    release: ReleaseDirectory
    service: ServiceSpec
    port: int
    log: StepLog
    last_answer: str = ""
    listened: bool = False

    async def until_ready(self) -> None:
        """Return when the release answers its readiness probe; StartFailed with the reason when it won't."""
        probe = self.service.readiness or Probe()
        await asyncio.sleep(probe.initial_delay_seconds)
        end = time.monotonic() + self.service.start_timeout_seconds
        successes = 0
        while True:
            self._raise_if_ended()
            if await self._answers(probe):
                successes += 1
                if successes >= max(1, probe.success_threshold):
                    return
            else:
                successes = 0
            if time.monotonic() > end:
                raise self._never(probe)
            await asyncio.sleep(POLL_SECONDS if not successes else min(1.0, probe.period_seconds))

    def _raise_if_ended(self) -> None:
        status = read(self.release.status, Status)
        if status is None or not status.reason or status.state not in (*ENDED, "running"):
            return
        raise StartFailed(f"The new version ended at once: {status.reason}.", self._tail(), code="start.exited")

    async def _answers(self, probe: Probe) -> bool:
        if probe.type == "none":
            return await self._lives_for_a_second()
        port = probe.port if probe.port and probe.port in self._own_ports() else self.port
        timeout = max(1, probe.timeout_seconds)
        if not await connects(port, timeout) or port not in self._own_ports():
            return False
        self.listened = True
        if probe.type != "http":
            return True
        self.last_answer = await http_answer(port, probe.path, timeout)
        return self.last_answer[:1] in ("2", "3")

    async def _lives_for_a_second(self) -> bool:
        await asyncio.sleep(1)
        self._raise_if_ended()
        return bool(self._pids())

    def _pids(self) -> list[int]:
        status = read(self.release.status, Status)
        if status is None or not status.pid:
            return []
        return [status.pid, *processes.descendants(status.pid)]

    def _own_ports(self) -> list[int]:
        return processes.listening_ports(self._pids())

    def _never(self, probe: Probe) -> StartFailed:
        seconds = self.service.start_timeout_seconds
        if self.listened:
            sentence = (
                f"The new version listens, but GET {probe.path} didn't answer with success within {seconds} s "
                f"(last: {self.last_answer or 'no answer'})."
            )
            return StartFailed(sentence, self._tail(), code="start.unhealthy")
        others = self._own_ports()
        sentence = f"The new version did not listen on port {self.port} (variable PORT) within {seconds} s."
        if others:
            shown = ", ".join(map(str, others[:5]))
            sentence += f" It listens on {shown} instead: make it read its port from the variable PORT."
        return StartFailed(sentence, self._tail(), code="start.never_listened")

    def _tail(self) -> str:
        return self.log.mask("\n".join(last_lines(self.release)))


def last_lines(release: ReleaseDirectory) -> list[str]:
    """The last lines that the release printed."""
    try:
        with release.current_log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    parts = [line.split(" ", 3) for line in lines]
    return [part[3][:2000] for part in parts if len(part) == 4][-TAIL_LINES:]


async def connects(port: int, timeout_seconds: float) -> bool:
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def http_answer(port: int, path: str, timeout_seconds: float) -> str:
    """Status and reason of a GET; in words when there was none."""
    clean = "".join(sign for sign in path if sign.isprintable() and sign != " ") or "/"
    head = f"GET {clean if clean.startswith('/') else '/' + clean} HTTP/1.1\r\n"
    head += f"Host: localhost:{port}\r\nUser-Agent: slipway-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(head.encode())
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {timeout_seconds:g} s"
    except (OSError, ValueError) as error:
        return f"no answer: {error}"
    protocol, _, status = line.decode(errors="replace").strip().partition(" ")
    return status if protocol.startswith("HTTP/") else "an answer that is not HTTP"
