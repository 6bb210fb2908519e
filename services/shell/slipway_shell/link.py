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
from slipway_shell.codes import AGENT, POLICY, TRY_LATER, Ended
from slipway_shell.framing import Typed

log = structlog.get_logger()

REQUEST_BYTES = 64 * 1024
WAITING_BYTES = 2 * 1024 * 1024
"""Input that may wait here; beyond it the client's socket is not read."""
ACK_BYTES = 32 * 1024
"""Output is acknowledged in steps of this."""
FULL_SECONDS = 0.03
ALIVE_SECONDS = 5.0
RETRY_SECONDS = 0.3
OPEN_SECONDS = 20.0
INTERRUPT = b"\x03"

Output = Callable[[int, bytes, bool], Awaitable[None]]
"""Hand output (its position in all output, its bytes, whether it is of stderr) on to the client; returns when the
client's socket has room again. Whoever has it for sure says so by `Link.confirm`."""


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
        self._taken = 0
        """Input that the agent has; `_waiting` goes on from there."""
        self._received = 0
        """Output that came in order, and was handed on."""
        self._confirmed = 0
        """Output that the client has for sure: the agent keeps what comes after."""
        self._acked = 0
        self._told: Callable[[int], None] = lambda taken: None
        self._controls: list[ShellInput] = []
        self._control = asyncio.Event()
        self._resend = False
        self._paused = False
        self._over = False
        self._output: Output | None = None
        self._listening: Listening | None = None
        self.ended: asyncio.Future[ShellOutput] = asyncio.get_running_loop().create_future()
        """The agent's last word, or Ended when the session has to end without it."""

    @property
    def input_bytes(self) -> int:
        return self._taken

    @property
    def output_bytes(self) -> int:
        return self._received

    @property
    def accepted_bytes(self) -> int:
        """Input that need not be sent again."""
        return self._taken + len(self._waiting)

    # -- beginning and end ---------------------------------------------------------------------------------------

    async def open(self, request: OpenShell, output: Output) -> str:
        """Have the terminal opened; the name of the process it stands beside. Ended says why not."""
        self._output = output
        try:
            await self._listen()
            opened = await self._bus.request(
                SHELL_OPEN, request, ShellOpened, OPEN_SECONDS, cluster_id=self._ids["cluster_id"]
            )
        except Fault as fault:
            raise Ended(AGENT, "No agent answers for this cluster. Try again in a moment.") from fault
        if not opened.ok:
            code = TRY_LATER if opened.code == "shell.too_many" else POLICY
            raise Ended(code, opened.message)
        return opened.process

    async def adopt(self, received: int, output: Output) -> None:
        """Take over a session that another gateway held. Ended says why not."""
        self._output = output
        self._received = self._confirmed = self._acked = received
        try:
            await self._listen()
            ack = await self._ask(ShellInput(acked_offset=received, resend=True))
        except Fault as fault:
            raise Ended(POLICY, "The session is over.") from fault
        self._taken = max(ack.taken, 0)

    async def _listen(self) -> None:
        self._listening = await self._bus.subscribe(SHELL_OUTPUT, self._printed, **self._ids)
        await self._bus.client.flush()

    def position(self, received: int) -> int:
        """Where a client can go on that says to have so much of the output."""
        return max(min(received, self._received), self._confirmed)

    def resume(self, position: int) -> None:
        """A client goes on from this position: what comes after is sent again."""
        self._received = self._confirmed = position
        self._paused = False
        self._ask_again()

    def pause(self) -> None:
        """Nobody takes output now: the agent keeps it, and the program waits once that is its window."""
        self._paused = True

    def confirm(self, received: int) -> None:
        """The client has so much of the output."""
        self._confirmed = max(self._confirmed, min(received, self._received))
        if self._confirmed - self._acked >= ACK_BYTES:
            self._control.set()

    def tell_taken(self, told: Callable[[int], None]) -> None:
        """Have it told how much of the input the agent took."""
        self._told = told

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
        await self.let_go()
        with contextlib.suppress(Fault):
            await self._ask(ShellInput(close=True, reason=reason), timeout_seconds=2.0)

    async def let_go(self) -> None:
        """Listen no more; the program goes on."""
        if self._listening is not None:
            await self._listening.unsubscribe()
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
        after = self._taken + self._waiting.rfind(INTERRUPT) + 1
        ack = await self._insist(lambda: ShellInput(signal="INT", offset=after))
        if ack.ok:
            self._forget(max(ack.taken, after))

    def _forget(self, taken: int) -> None:
        """So much of all input is not to be sent again."""
        if taken <= self._taken:
            return
        del self._waiting[: taken - self._taken]
        self._taken = taken
        self._stuck = False
        if len(self._waiting) < WAITING_BYTES // 2:
            self._room.set()
        self._told(taken)

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
        end = 0

        def some() -> ShellInput:
            nonlocal end
            data = bytes(self._waiting[:REQUEST_BYTES])
            end = self._taken + len(data)
            return ShellInput(data=data, offset=self._taken)

        ack = await self._insist(some)
        if ack.ok:
            self._forget(ack.taken if ack.taken >= 0 else end)
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
        if self._paused:
            return
        if message.offset > self._received:
            self._ask_again()
            return
        data = message.data[self._received - message.offset :]
        if data and self._output is not None:
            at, self._received = self._received, self._received + len(data)
            await self._output(at, data, message.stderr)
            if self._confirmed - self._acked >= ACK_BYTES:
                self._control.set()
        if message.ended and not self._paused and not self.ended.done():
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
        """Say how much of the output the client has: as much as it was when it was said, not when the answer came."""
        if self._paused:
            await self._insist(ShellInput)
            return
        confirmed, received, resend, self._resend = self._confirmed, self._received, self._resend, False
        await self._insist(lambda: ShellInput(acked_offset=confirmed, received_offset=received, resend=resend))
        self._acked = confirmed
        if self._confirmed - confirmed >= ACK_BYTES:
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
