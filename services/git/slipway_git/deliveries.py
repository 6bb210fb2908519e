"""Telling the webhook gateway what was pushed: signed, in order, once at least, never forgotten.

What is to be told follows from the repository itself: its refs now against the refs that were told of last, kept in a
file beside them. So a push whose process died right after git took it is found at the next look, or the next start.
"""

import asyncio
import hashlib
import hmac
import os
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import structlog

from slipway_contracts.base import uuid7
from slipway_contracts.git import GitLink, RemotePush
from slipway_errors import Fault
from slipway_git.links import Links
from slipway_git.repositories import NOTHING, Repositories

STATE_FILE = "slipway-told.json"
REQUEST_SECONDS = 15.0
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
FINAL = {400, 413, 415, 422}
log = structlog.get_logger()


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A ref that moved, came or went, and has not been told of yet."""

    id: str
    ref: str
    before: str
    after: str
    pusher: str = ""
    at: datetime


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway knows of a repository, and what it will be told next."""

    refs: dict[str, str] = {}
    pending: list[Moved] = []


class Deliveries:
    """The deliveries of all repositories."""

    def __init__(self, repositories: Repositories, links: Links, webhooks_url: str, public_url: str) -> None:
        self._repositories = repositories
        self._links = links
        self._webhooks_url = webhooks_url.rstrip("/")
        self._public_url = public_url.rstrip("/")
        self._looking: dict[str, asyncio.Lock] = {}
        self._sending: dict[str, asyncio.Lock] = {}
        self._waiting: set[str] = set()
        self._wake = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    async def look(self, service_id: str, pusher: str = "") -> list[Moved]:
        """Note what moved since the last look; all that has not been told yet."""
        async with self._looking.setdefault(service_id, asyncio.Lock()):
            told = self._load(service_id)
            refs = await self._repositories.refs(service_id)
            moved = _moved(told.refs, refs, pusher)
            if moved:
                told = Told(refs=refs, pending=[*told.pending, *moved])
                await asyncio.to_thread(self._save, service_id, told)
            return told.pending

    async def send(self, service_id: str) -> list[str]:
        """Tell what is pending, in order; the ids of what was taken. What wasn't is tried again by `run`."""
        taken: list[str] = []
        async with self._sending.setdefault(service_id, asyncio.Lock()):
            for moved in self._load(service_id).pending:
                if not await self._tell(service_id, moved):
                    self._waiting.add(service_id)
                    self._wake.set()
                    break
                taken.append(moved.id)
                async with self._looking.setdefault(service_id, asyncio.Lock()):
                    told = self._load(service_id)
                    left = [each for each in told.pending if each.id != moved.id]
                    await asyncio.to_thread(self._save, service_id, Told(refs=told.refs, pending=left))
        return taken

    async def run(self, stopping: asyncio.Event) -> None:
        """A loop: first whatever an earlier process left, then what could not be told at once."""
        for service_id in self._repositories.ids():
            if await self.look(service_id):
                self._waiting.add(service_id)
        failures = 0
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS)) as self._session:
            while not stopping.is_set():
                due, self._waiting = self._waiting, set()
                for service_id in due:
                    await self.send(service_id)
                failures = failures + 1 if self._waiting else 0
                self._wake.clear()
                pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1] if failures else None
                await _first_of(stopping, None if self._waiting else self._wake, pause)

    async def _tell(self, service_id: str, moved: Moved) -> bool:
        link = self._links.of_service(service_id)
        if link is None or self._session is None:
            return False
        try:
            body = msgspec.json.encode(await self._push(service_id, link, moved))
            signature = hmac.new(self._links.secret(link), body, hashlib.sha256).hexdigest()
            headers = {
                "Content-Type": "application/json",
                "X-Slipway-Event": "push",
                "X-Slipway-Delivery": moved.id,
                "X-Slipway-Signature": f"sha256={signature}",
            }
            url = f"{self._webhooks_url}/hooks/slipway/{link.id}"
            async with self._session.post(url, data=body, headers=headers) as answer:
                if answer.status < 300:
                    return True
                log.warning("delivery refused", service=service_id, status=answer.status, delivery=moved.id)
                # Said of the delivery itself, so that repeating it would only hold up those behind it.
                return answer.status in FINAL
        except (aiohttp.ClientError, TimeoutError, Fault) as error:
            log.warning("delivery failed", service=service_id, delivery=moved.id, reason=str(error))
        return False

    async def _push(self, service_id: str, link: GitLink, moved: Moved) -> RemotePush:
        """The message for one moved ref."""
        repository, before, after = self._repositories, moved.before, moved.after
        gone, new = after == NOTHING, before == NOTHING
        forced = not gone and not new and not await repository.is_ancestor(service_id, before, after)
        complete = not gone and not new and not forced
        return RemotePush(
            repository=link.repository,
            clone_url=link.clone_url or f"{self._public_url}/git/{link.repository}.git",
            ref=moved.ref,
            before=before,
            after=after,
            forced=forced,
            head=None if gone else await repository.commit(service_id, after),
            commit_count=await repository.count(service_id, before, after) if complete else 0,
            paths=await repository.changed_paths(service_id, before, after) if complete else None,
            pusher=moved.pusher,
        )

    def _file(self, service_id: str) -> Path:
        return self._repositories.path(service_id) / STATE_FILE

    def _load(self, service_id: str) -> Told:
        try:
            return msgspec.json.decode(self._file(service_id).read_bytes(), type=Told)
        except FileNotFoundError:
            return Told()

    def _save(self, service_id: str, told: Told) -> None:
        file = self._file(service_id)
        fresh = file.with_suffix(".new")
        with fresh.open("wb") as out:
            out.write(msgspec.json.encode(told))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)


def _moved(before: dict[str, str], now: dict[str, str], pusher: str) -> list[Moved]:
    """One entry per ref that differs, branches before tags, deletions first."""
    at = datetime.now(UTC)
    names = sorted(before.keys() | now.keys(), key=lambda ref: (ref in now, ref))
    return [
        Moved(id=uuid7(), ref=ref, before=before.get(ref, NOTHING), after=now.get(ref, NOTHING), pusher=pusher, at=at)
        for ref in names
        if before.get(ref) != now.get(ref)
    ]


async def _first_of(stopping: asyncio.Event, wake: asyncio.Event | None, seconds: float | None) -> None:
    """Wait for the end, for something to do, or for so long."""
    waits = [asyncio.ensure_future(event.wait()) for event in (stopping, wake) if event is not None]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
