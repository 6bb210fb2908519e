"""The bus side of one session: input to the agent in order and once, output from it in order and without a hole.

Input goes in one lane, request by request, with what was typed meanwhile put together. Acknowledgements of output,
sizes and signs of life go in another, so that a program that doesn't read its input blocks none of them.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypedDict

import structlog

from slipway_bus import Bus, Listening
from slipway_contracts.shell import (
    SHELL_INPUT,
    SHELL_OPEN,
    SHELL_OUTPUT,
    OpenShell,
    ShellAck,
    ShellInput,
    ShellOpened,
    ShellOutput,
)
from slipway_errors import Fault
from slipway_shell.codes import AGENT, DONE, POLICY, TRY_LATER, Ended
from slipway_shell.framing import Typed

log = structlog.get_logger()

REQUEST_BYTES = 64 * 1024
WAITING_BYTES = 2 * 1024 * 1024
"""Input that may wait here; beyond it the client's socket is not read."""
ACK_BYTES = 32 * 1024
"""Output is acknowledged in steps of this."""
FULL_SECONDS = 0.03
ALIVE_SECONDS = 15.0
RETRY_SECONDS = 0.3
OPEN_SECONDS = 20.0
INTERRUPT = b"\x03"

Output = Callable[[bytes, bool], Awaitable[None]]
"""Hand output on to the client; returns when the client's socket has room again."""


class Ids(TypedDict):
    cluster_id: str
    session_id: str


class Link:
    """One session's connection to the agent that holds its terminal."""

    def __init__(self, bus: Bus, cluster_id: str, session_id: str, tty: bool, agent_seconds: float) -> None:
        self._bus = bus
        self._ids = Ids(cluster_id=cluster_id, session_id=session_id)
        self._tty = tty
        self._agent_seconds = agent_seconds
        self._waiting = bytearray()
        self._eof = False
        self._typed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._stuck = False
        self._interrupted = False
        self._cuts = 0
        """How often waiting input was thrown away."""
        self._sent = 0
        self._received = 0
        self._acked = 0
        self._controls: list[ShellInput] = []
        self._control = asyncio.Event()
        self._resend = False
        self._over = False
        self._output: Output | None = None
        self._listening: Listening | None = None
        self.ended: asyncio.Future[ShellOutput] = asyncio.get_running_loop().create_future()
        """The agent's last word, or Ended when the session has to end without it."""

    @property
    def input_bytes(self) -> int:
        return self._sent

    @property
    def output_bytes(self) -> int:
        return self._received

    # -- beginning and end ---------------------------------------------------------------------------------------

    async def open(self, request: OpenShell, output: Output) -> str:
        """Have the terminal opened; the name of the process it stands beside. Ended says why not."""
        self._output = output
        try:
            self._listening = await self._bus.subscribe(SHELL_OUTPUT, self._printed, **self._ids)
            await self._bus.client.flush()
            opened = await self._bus.request(
                SHELL_OPEN, request, ShellOpened, OPEN_SECONDS, cluster_id=self._ids["cluster_id"]
            )
        except Fault as fault:
            raise Ended(AGENT, "No agent answers for this cluster. Try again in a moment.") from fault
        if not opened.ok:
            code = TRY_LATER if opened.code == "shell.too_many" else POLICY
            raise Ended(code, opened.message)
        return opened.process

    async def run(self) -> ShellOutput:
        """Carry bytes until the program has ended; what the agent said last."""
        lanes = [asyncio.create_task(self._input_lane()), asyncio.create_task(self._control_lane())]
        try:
            with self._bus.noticing(self._noticed):
                return await self.ended
        finally:
            # Cancelling alone is not enough: a request that is answered in the same moment swallows it (wait_for).
            self._over = True
            self._typed.set()
            self._control.set()
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def close(self, reason: str) -> None:
        """Let go of the terminal: the agent ends the program, if it still runs."""
        if self._listening is not None:
            await self._listening.unsubscribe()
        with contextlib.suppress(Fault):
            await self._ask(ShellInput(close=True, reason=reason), timeout_seconds=2.0)
        if not self.ended.done():
            self.ended.cancel()

    def end(self, code: int, reason: str) -> None:
        """End the session from this side."""
        if not self.ended.done():
            self.ended.set_exception(Ended(code, reason))

    # -- input ---------------------------------------------------------------------------------------------------

    async def typed(self, typed: Typed) -> None:
        """Something from the client; waits while too much waits for the program."""
        if typed.columns or typed.rows:
            self._controls.append(ShellInput(columns=typed.columns, rows=typed.rows))
            self._control.set()
        if typed.data:
            self._take(typed.data)
        if typed.eof:
            self._eof = True
            self._typed.set()
        await self._room.wait()

    def _take(self, data: bytes) -> None:
        self._waiting += data
        self._typed.set()
        if self._stuck and self._tty and INTERRUPT in data:
            # Behind input that the program doesn't read, an interrupt would never arrive: it goes the other way.
            self._interrupted = True
            self._control.set()
        elif len(self._waiting) > WAITING_BYTES:
            self._room.clear()

    async def _interrupt(self) -> None:
        self._interrupted = False
        ack = await self._insist(lambda: ShellInput(signal="INT"))
        at = self._waiting.rfind(INTERRUPT)
        if ack.ok and at >= 0:
            del self._waiting[: at + 1]
            self._cuts += 1
            self._stuck = False
            self._room.set()

    async def _input_lane(self) -> None:
        while not self._over:
            await self._typed.wait()
            self._typed.clear()
            while self._waiting and not self._over:
                await self._send_some()
            if self._eof:
                self._eof = False
                await self._insist(lambda: ShellInput(eof=True))

    async def _send_some(self) -> None:
        taken, cuts = 0, self._cuts

        def some() -> ShellInput:
            nonlocal taken
            data = bytes(self._waiting[:REQUEST_BYTES])
            taken = len(data)
            return ShellInput(data=data, offset=self._sent)

        ack = await self._insist(some)
        if ack.ok:
            if cuts == self._cuts:
                del self._waiting[:taken]
            self._sent += taken
            self._stuck = False
            if len(self._waiting) < WAITING_BYTES // 2:
                self._room.set()
        elif ack.code == "full":
            if not self._stuck and self._tty and INTERRUPT in self._waiting:
                self._interrupted = True
                self._control.set()
            self._stuck = True
            await asyncio.sleep(FULL_SECONDS)
        else:
            self.end(AGENT, ack.message or "The terminal takes no input any more.")
            await asyncio.Event().wait()

    # -- output --------------------------------------------------------------------------------------------------

    async def _printed(self, message: ShellOutput, subject: str, headers: dict[str, str]) -> None:
        """Called in the order in which the agent sent; while it waits for the client, the window fills up."""
        if message.offset > self._received:
            self._ask_again()
            return
        data = message.data[self._received - message.offset :]
        if data and self._output is not None:
            self._received += len(data)
            try:
                await self._output(data, message.stderr)
            except (ConnectionError, RuntimeError):
                self.end(DONE, "the client went away")
                return
            if self._received - self._acked >= ACK_BYTES:
                self._control.set()
        if message.ended and not self.ended.done():
            self.ended.set_result(message)

    def _ask_again(self) -> None:
        self._resend = True
        self._control.set()

    def _noticed(self, refused: str) -> None:
        # Connected again: what was sent meanwhile was lost.
        if not refused:
            self._ask_again()

    async def _control_lane(self) -> None:
        while not self._over:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_SECONDS):
                    await self._control.wait()
            self._control.clear()
            if self._interrupted:
                await self._interrupt()
            while self._controls and not self._over:
                await self._insist(lambda: self._controls[0])
                self._controls.pop(0)
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        """Say how much of the output was handed on: as much as it was when it was said, not when the answer came."""
        handed, resend, self._resend = self._received, self._resend, False
        await self._insist(lambda: ShellInput(acked_offset=handed, resend=resend))
        self._acked = handed
        if self._received - handed >= ACK_BYTES:
            self._control.set()

    # -- requests ------------------------------------------------------------------------------------------------

    async def _insist(self, message: Callable[[], ShellInput]) -> ShellAck:
        """Ask until there is an answer; an agent that is away for too long ends the session."""
        deadline = time.monotonic() + self._agent_seconds
        while True:
            if self._over:
                raise asyncio.CancelledError
            try:
                return await self._ask(message())
            except Fault as fault:
                if time.monotonic() > deadline:
                    log.info("agent lost", reason=fault.detail, **self._ids)
                    self.end(AGENT, "The cluster's agent can't be reached any more.")
                    await asyncio.Event().wait()
                await asyncio.sleep(RETRY_SECONDS)

    async def _ask(self, message: ShellInput, timeout_seconds: float = 5.0) -> ShellAck:
        return await self._bus.request(SHELL_INPUT, message, ShellAck, timeout_seconds, **self._ids)
