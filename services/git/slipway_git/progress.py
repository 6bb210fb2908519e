"""What becomes of a push, shown to who pushed it: the output of builds, each step's state, the address at the end.

It only looks on: the push is kept and told before anything is shown, so the pusher may go at any time. git says when
nobody looks: `--quiet`, or no terminal and no `--progress`; such a push ends as soon as it is kept.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from slipway_bus import Bus, Listening
from slipway_contracts.events import CHANGED, DeploymentView, Event
from slipway_contracts.git import GitLink
from slipway_contracts.live import LOGGED, LogBatch
from slipway_errors import Fault

Say = Callable[[str], Awaitable[None]]
BEGIN_SECONDS = 6.0
"""How long a deployment may take to begin before the pusher is let go."""
QUIET_SECONDS = 20.0
"""After so long without news a line says that it goes on."""
WAITING = 2000
"""News not shown yet; what is older goes."""
TEXT_CHARACTERS = 400
DETAIL_LINES = 12
SHOWN_STATES = {"RUNNING": "…", "SUCCEEDED": "done", "FAILED": "failed", "CANCELED": "canceled", "SKIPPED": "skipped"}
GOOD = {"DEPLOYED", "RUNNING"}


class Progress:
    """Shows pushes, so many at once: further ones are let go without."""

    def __init__(self, bus: Bus, public_url: str, seconds: float, at_once: int = 8) -> None:
        self._bus = bus
        self._public_url = public_url.rstrip("/")
        self._seconds = seconds
        self._places = at_once
        self.quiet: set[str] = set()
        """Pushes whose pusher wants to see nothing."""

    @asynccontextmanager
    async def watching(self, link: GitLink, commits: set[str]) -> AsyncIterator["Watch | None"]:
        """Listen from now on; to be entered before the push is told, so that nothing is missed."""
        if not commits or self._places <= 0 or self._seconds <= 0:
            yield None
            return
        self._places -= 1
        try:
            async with AsyncExitStack() as stack:
                watch = Watch(link, commits, self._seconds, self._public_url)
                try:
                    await self._listen(watch, stack)
                except Fault:
                    # Nothing to see while the bus is away; the push counts all the same.
                    yield None
                    return
                yield watch
        finally:
            self._places += 1

    async def _listen(self, watch: "Watch", stack: AsyncExitStack) -> None:
        async def until_the_end(listening: Listening) -> None:
            stack.push_async_callback(listening.unsubscribe)

        link = watch.link
        await until_the_end(
            await self._bus.subscribe(
                CHANGED, watch.changed, live=True, organization_id=link.organization_id, entity="deployment"
            )
        )
        for kind in ("build", "deploy"):
            await until_the_end(
                await self._bus.subscribe(LOGGED, watch.logged, live=True, service_id=link.service_id, kind=kind)
            )
        await self._bus.listening()


@dataclass
class Watch:
    """One push being followed."""

    link: GitLink
    commits: set[str]
    seconds: float
    public_url: str
    news: "asyncio.Queue[DeploymentView | LogBatch]" = field(default_factory=lambda: asyncio.Queue(WAITING))
    deployment_id: str = ""
    ended: bool = False
    _states: dict[str, str] = field(default_factory=dict)
    _early: list[LogBatch] = field(default_factory=list)

    def changed(self, event: Event, _subject: str, _headers: dict[str, str]) -> None:
        """A deployment of the organization went on."""
        try:
            view = msgspec.convert(event.body, DeploymentView)
        except msgspec.ValidationError:
            return
        if view.commits.get(self.link.service_id) in self.commits:
            self._add(view)

    def logged(self, batch: LogBatch, _subject: str, _headers: dict[str, str]) -> None:
        """A build or deployment of the service said something."""
        self._add(batch)

    def _add(self, news: Any) -> None:
        if self.news.full():
            self.news.get_nowait()
        self.news.put_nowait(news)

    async def show(self, say: Say) -> None:
        """Until the deployment ends, or the time does."""
        deadline = time.monotonic() + self.seconds
        begin = time.monotonic() + BEGIN_SECONDS
        while not self.ended:
            left = (deadline if self.deployment_id else min(begin, deadline)) - time.monotonic()
            if left <= 0:
                break
            try:
                news = await asyncio.wait_for(self.news.get(), min(left, QUIET_SECONDS))
            except TimeoutError:
                if self.deployment_id and left > QUIET_SECONDS:
                    await say("  … it goes on")
                continue
            await self._tell(news, say)
        if not self.deployment_id:
            await say("No deployment has begun by it; the delivery's entry in the console says why.")
        elif not self.ended:
            await say("It goes on without you.")

    async def _tell(self, news: DeploymentView | LogBatch, say: Say) -> None:
        if isinstance(news, LogBatch):
            await self._lines(news, say)
        elif not self.deployment_id or news.id == self.deployment_id:
            first, self.deployment_id = not self.deployment_id, news.id
            if first:
                await say(f"Deployment {news.number} follows. It goes on if you leave (Ctrl-C).")
                early, self._early = self._early, []
                for batch in early:
                    await self._lines(batch, say)
            await self._steps(news, say)

    async def _lines(self, batch: LogBatch, say: Say) -> None:
        if not self.deployment_id:
            self._early = [*self._early, batch][-WAITING:]
        elif batch.deployment_id in ("", self.deployment_id):
            for line in batch.lines:
                await say(f"  | {clean(line.text)}")

    async def _steps(self, view: DeploymentView, say: Say) -> None:
        for step in view.steps:
            if step.service_id and step.state in SHOWN_STATES and self._states.get(step.id) != step.state:
                self._states[step.id] = step.state
                text = f"{step.kind.lower()} {step.service_name}: {SHOWN_STATES[step.state]}"
                await say(clean(f"{text} {step.message}" if step.state == "FAILED" else text))
                if step.state == "FAILED":
                    for line in step.details.splitlines()[:DETAIL_LINES]:
                        await say(f"  | {clean(line)}")
        if view.ended_at is not None:
            self.ended = True
            await self._end(view, say)

    async def _end(self, view: DeploymentView, say: Say) -> None:
        if view.status in GOOD:
            address = self.link.service_url or f"{self.public_url}/"
            await say(f"Deployed: {address}")
        else:
            await say(clean(f"Not deployed ({view.status.lower().replace('_', ' ')}). {view.reason}"))


def clean(text: str) -> str:
    """No sign in it can move a terminal's cursor or change its colours."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text[: TEXT_CHARACTERS + 1])
    return shown if len(shown) <= TEXT_CHARACTERS else shown[:TEXT_CHARACTERS] + "…"
